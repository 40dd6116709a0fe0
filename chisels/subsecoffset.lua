description = "When within each second system calls are made: a row for each second, red where there are many."
short_description = "Visualize subsecond offset execution time."
category = "CPU Usage"
args = {
  { name = "refresh_time", description = "Milliseconds of an interval [default: 1000].", argtype = "int", optional = true },
}

local LABELS = 10

local function place(time, width, interval)
  return math.floor(time % interval / interval * width) + 1
end

local function labels(width, interval)
  local line = ""
  for at = 0, LABELS - 1 do
    line = line .. string.rep(" ", math.ceil(at * width / LABELS) - #line) .. "|"
      .. math.floor(at * interval / LABELS / 1000000) .. "ms"
  end
  return line:sub(1, width)
end

require "heat_screen"(1000, "evt.dir=>", "evt.rawtime", place, labels)
