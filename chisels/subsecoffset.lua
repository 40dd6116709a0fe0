description = "When within each second system calls are made: a row for each second, red where there are many."
short_description = "Visualize subsecond offset execution time."
category = "CPU Usage"
args = {
  { name = "refresh_time", description = "Milliseconds of an interval [default: 1000].", argtype = "int", optional = true },
}

local LABELS = 10

-- The least offsets, whole ns, that have the places 1 to `width`.
local function bounds(width, interval)
  local offsets = {}
  for at = 1, width do
    local offset = math.max(math.floor((at - 1) * interval / width) - 1, 0)
    while math.floor(offset / interval * width) + 1 < at do
      offset = offset + 1
    end
    offsets[at] = offset
  end
  return offsets, interval
end

local function labels(width, interval)
  local line = ""
  for at = 0, LABELS - 1 do
    line = line .. string.rep(" ", math.ceil(at * width / LABELS) - #line) .. "|"
      .. math.floor(at * interval / LABELS / 1000000) .. "ms"
  end
  return line
end

require "heat_screen"(1000, "evt.dir=>", "evt.rawtime", bounds, labels)
