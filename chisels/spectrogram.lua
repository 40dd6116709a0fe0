description = "How long system calls take, over time: latency from left to right, a row for each interval, red where there are many."
short_description = "Visualize OS latency in real time."
category = "CPU Usage"
args = {
  { name = "refresh_time", description = "Milliseconds of an interval [default: 500].", argtype = "int", optional = true },
}

-- Powers of ten from 1 ns on.
local DECADES = 11

local function place(latency, width)
  if latency <= 0 then
    return nil
  end
  return math.floor(math.min(math.log10(latency), DECADES) * width / DECADES) + 1
end

local function labels(width)
  local line = ""
  for decade = 0, DECADES - 1 do
    line = line .. string.rep(" ", math.ceil(decade * width / DECADES) - #line) .. "|" .. format_time_interval(10 ^ decade)
  end
  return line:sub(1, width)
end

require "heat_screen"(500, "evt.dir=<", "evt.latency", place, labels)
