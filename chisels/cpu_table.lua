-- What topprocs_cpu and topcontainers_cpu have in common: CPU time by some fields, from the reports on it.

-- A percent of a second in ns.
local PERCENT = 10000000

-- Defines the callbacks of a chisel that sums up by these fields, with these titles.
return function(names, titles)
  local keys, cpu = {}, nil
  local sums = {}

  function on_init()
    for at, name in ipairs(names) do
      keys[at] = chisel.request_field(name)
    end
    cpu = chisel.request_field("thread.cpu")
    chisel.set_filter("evt.type=procinfo")
    return true
  end

  function on_event()
    local parts = {}
    for at, key in ipairs(keys) do
      local value = evt.field(key)
      if value == nil then
        return true
      end
      parts[at] = value
    end
    local key = table.concat(parts, "\001\001")
    sums[key] = (sums[key] or 0) + (evt.field(cpu) or 0) * PERCENT
    return true
  end

  local info = {
    key_fld = names,
    key_desc = titles,
    value_fld = "thread.exectime",
    value_desc = "CPU%",
    value_units = "timepct",
    top_number = 10,
  }
  require "live_table"(info, function()
    local done = sums
    sums = {}
    return done
  end)
end
