description = "The threads of the machine, as they are at the first event. A filter may restrict them, also by their descriptors."
short_description = "List (and optionally filter) the machine processes."
category = "System State"
args = {
  { name = "filter", description = "Only threads with a descriptor that it lets through, such as 'fd.name contains /etc'.", argtype = "filter", optional = true },
}

local function own(filter)
  return filter
end

local function by_number(_, a, b)
  return a < b
end

require "snapshot"(own, true, function(filter)
  local function row(tid, pid, user, virtual, resident, limit, command)
    print(extend_string(tid, 8) .. extend_string(pid, 8) .. extend_string(user, 12) .. extend_string(virtual, 11)
      .. extend_string(resident, 11) .. extend_string(limit, 10) .. command)
  end
  row("TID", "PID", "USER", "VIRT", "RES", "FDLIMIT", extend_string("CMD", 20))
  for tid, process in pairs_top_by_val(sysdig.get_thread_table(filter), 0, by_number) do
    row(tid, process.pid, process.username, format_bytes(process.vmsize_kb * 1024),
      format_bytes(process.vmrss_kb * 1024), process.fdlimit, process.comm)
  end
end)
