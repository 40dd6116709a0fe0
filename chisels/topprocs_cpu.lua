description = "The processes that use the most CPU time, in percent of the time that passed. With -pc also their container."
short_description = "Top processes by CPU usage"
category = "CPU Usage"
args = {}

function on_init()
  local keys, titles = "proc.name,proc.pid", "Process,PID"
  if sysdig.is_print_container_data() then
    keys = "proc.name,proc.pid,proc.vpid,container.name"
    titles = "Process,Host_pid,Container_pid,container.name"
  end
  chisel.exec("table_generator", keys, titles, "thread.cpu", "CPU%", "evt.type=procinfo", "10", "cpu")
  return true
end
