description = "The open descriptors of all threads, as they are at the first event. A filter may restrict them."
short_description = "List (and optionally filter) the open file descriptors."
category = "System State"
args = {
  { name = "filter", description = "Only descriptors that it lets through, such as 'proc.name=foo and fd.name contains /etc'.", argtype = "filter", optional = true },
}

local function own(filter)
  return filter
end

local function by_number(_, a, b)
  return a < b
end

require "snapshot"(own, true, function(filter)
  local function row(command, pid, tid, user, fd, type, name)
    print(extend_string(command, 20) .. extend_string(pid, 8) .. extend_string(tid, 8) .. extend_string(user, 8)
      .. extend_string(fd, 8) .. extend_string(type, 12) .. name)
  end
  row("COMMAND", "PID", "TID", "USER", "FD", "TYPE", "NAME")
  for tid, process in pairs_top_by_val(sysdig.get_thread_table(filter), 0, by_number) do
    for fd, info in pairs_top_by_val(process.fdtable, 0, by_number) do
      row(process.comm, process.pid, tid, process.username, fd, info.type, tostring(info.name))
    end
  end
end)
