-- Connections by bytes.

description = "The connections over which most bytes went, and their protocol. With -pc also their container."
short_description = "Connections by bytes"
category = "Net"
args = {}

function on_init()
  local keys, titles = "fd.l4proto,fd.name", "Proto,Conn"
  if sysdig.is_print_container_data() then
    keys, titles = "container.name,fd.l4proto,fd.name", "container.name,Proto,Conn"
  end
  chisel.exec("table_generator", keys, titles, "evt.rawarg.res", "Bytes", "(fd.type=ipv4 or fd.type=ipv6) and evt.is_io=true", "30", "bytes")
  return true
end
