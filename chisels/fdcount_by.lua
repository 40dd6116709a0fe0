description = "How many different descriptors are used, by any field, such as proc.name or fd.type."
short_description = "FD count, aggregated by an arbitrary filter field"
category = "I/O"
args = {
  { name = "key", description = "The field to count by.", argtype = "string" },
}

require "common"

local key_field, key, number, name
local counts = {}
local seen = {}

function on_set_arg(_, value)
  key_field = value
  return true
end

function on_init()
  key = chisel.request_field(key_field)
  number = chisel.request_field("fd.num")
  name = chisel.request_field("fd.name")
  return true
end

function on_event()
  local value, fd, called = evt.field(key), evt.field(number), evt.field(name)
  if value == nil or not fd or fd <= 0 or not called or called == "" then
    return true
  end
  local descriptors = seen[value]
  if not descriptors then
    descriptors = {}
    seen[value] = descriptors
    counts[value] = 0
  end
  local id = fd .. called
  if not descriptors[id] then
    descriptors[id] = true
    counts[value] = counts[value] + 1
  end
  return true
end

function on_capture_end()
  local function larger(all, a, b)
    return all[a] > all[b]
  end
  for value, count in pairs_top_by_val(counts, 0, larger) do
    print(value, count)
  end
  return true
end
