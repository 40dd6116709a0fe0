-- Processes by bytes of files.

description = "The processes that read and write most bytes of files. With -pc also their container."
short_description = "Processes by bytes of files"
category = "I/O"
args = {}

function on_init()
  local keys, titles = "proc.name,proc.pid", "Process,PID"
  if sysdig.is_print_container_data() then
    keys, titles = "proc.name,proc.pid,thread.vtid,container.name", "Process,Host_pid,Container_pid,container.name"
  end
  chisel.exec("table_generator", keys, titles, "evt.rawarg.res", "Bytes", "fd.type=file and evt.is_io=true", "10", "bytes")
  return true
end
