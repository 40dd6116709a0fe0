-- Files by time spent reading and writing.

description = "The files for whose reads and writes programs waited longest. With -pc also their container."
short_description = "Files by time spent reading and writing"
category = "I/O"
args = {}

function on_init()
  local keys, titles = "fd.name", "Filename"
  if sysdig.is_print_container_data() then
    keys, titles = "fd.name,container.name", "Filename,container.name"
  end
  chisel.exec("table_generator", keys, titles, "evt.latency", "Time", "fd.type=file and evt.is_io=true", "10", "time")
  return true
end
