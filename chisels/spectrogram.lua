description = "How long system calls take, over time: latency from left to right, a row for each interval, red where there are many."
short_description = "Visualize OS latency in real time."
category = "CPU Usage"
args = {
  { name = "refresh_time", description = "Milliseconds of an interval [default: 500].", argtype = "int", optional = true },
}

local decades = require "decades"

require "heat_screen"(500, "evt.dir=<", "evt.latency", function(width)
  local bounds = decades.bounds(width)
  -- What takes longer than the scale has no place on it.
  bounds[width + 1] = decades.LONGEST
  return bounds
end, decades.labels)
