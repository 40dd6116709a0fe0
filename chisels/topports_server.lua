-- Server ports by bytes.

description = "The ports of servers over which most bytes went. With -pc also their container."
short_description = "Server ports by bytes"
category = "Net"
args = {}

function on_init()
  local keys, titles = "fd.sport", "Srv Port"
  if sysdig.is_print_container_data() then
    keys, titles = "fd.sport,container.name", "Srv Port,container.name"
  end
  chisel.exec("table_generator", keys, titles, "evt.rawarg.res", "Bytes", "(fd.type=ipv4 or fd.type=ipv6) and evt.is_io=true", "100", "bytes")
  return true
end
