-- A logarithmic scale of times from 1 ns to 100 s.

require "common"

local decades = {}

-- Powers of ten from 1 ns on.
decades.COUNT = 11
decades.LONGEST = 10 ^ decades.COUNT

-- The least times, whole ns, that have the places 1 to `width`.
function decades.bounds(width)
  local function place(time)
    return math.floor(math.log10(time) * width / decades.COUNT) + 1
  end
  local bounds = {}
  for at = 1, width do
    -- Powers and logarithms are rounded, each on its own.
    local time = math.max(math.floor(10 ^ ((at - 1) * decades.COUNT / width)) - 1, bounds[at - 1] or 1)
    while place(time) < at do
      time = time + 1
    end
    bounds[at] = time
  end
  return bounds
end

-- A line with each power of ten at its place.
function decades.labels(width)
  local line = ""
  for decade = 0, decades.COUNT - 1 do
    line = line .. string.rep(" ", math.ceil(decade * width / decades.COUNT) - #line) .. "|" .. format_time_interval(10 ^ decade)
  end
  return line
end

return decades
