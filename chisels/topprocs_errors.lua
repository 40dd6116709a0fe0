-- Processes by failed calls.

description = "The processes most of whose system calls failed. With -pc also their container."
short_description = "Processes by failed calls"
category = "Errors"
args = {}

function on_init()
  local keys, titles = "proc.name,proc.pid", "Process,PID"
  if sysdig.is_print_container_data() then
    keys, titles = "proc.name,proc.pid,thread.vtid,container.name", "Process,Host_pid,Container_pid,container.name"
  end
  chisel.exec("table_generator", keys, titles, "evt.count", "#Errors", "evt.failed=true", "100", "none")
  return true
end
