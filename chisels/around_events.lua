-- Exports of events around others: when a run over a file ends, the file is read again and what happened near the
-- events that were noted is written to another one.

require "common"

local around = {}
local noted = {}

-- Notes the event at hand, of this thread.
function around.note(tid)
  local seconds, ns = evt.get_ts()
  noted[#noted + 1] = string.format("(evt.around[%s]=%%s and thread.tid=%d)", ts_to_str(seconds, ns), tid)
end

function around.count()
  return #noted
end

-- Writes what happened up to `range_ms` before and after the noted events to `file`.
function around.save(file, range_ms)
  if #noted == 0 then
    return
  end
  local filter = string.format(string.gsub(table.concat(noted, " or "), "%%s", tostring(range_ms)))
  sysdig.run_app("-F -r" .. sysdig.get_evtsource_name() .. " -w" .. file .. " " .. filter)
end

return around
