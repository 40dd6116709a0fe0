-- Files by bytes read and written.

description = "The files that most bytes were read from and written to. With -pc also their container."
short_description = "Files by bytes read and written"
category = "I/O"
args = {}

function on_init()
  local keys, titles = "fd.name", "Filename"
  if sysdig.is_print_container_data() then
    keys, titles = "container.name,fd.name", "container.name,Filename"
  end
  chisel.exec("table_generator", keys, titles, "evt.rawarg.res", "Bytes", "fd.type=file and evt.is_io=true", "10", "bytes")
  return true
end
