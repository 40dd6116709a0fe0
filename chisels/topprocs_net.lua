-- Processes by bytes of connections.

description = "The processes that send and receive most bytes over the network. With -pc also their container."
short_description = "Processes by bytes of connections"
category = "Net"
args = {}

function on_init()
  local keys, titles = "proc.name,proc.pid", "Process,PID"
  if sysdig.is_print_container_data() then
    keys, titles = "proc.name,proc.pid,thread.vtid,container.name", "Process,Host_pid,Container_pid,container.name"
  end
  chisel.exec("table_generator", keys, titles, "evt.rawarg.res", "Bytes", "(fd.type=ipv4 or fd.type=ipv6) and evt.is_io=true", "100", "bytes")
  return true
end
