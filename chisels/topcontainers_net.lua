-- Containers by bytes of connections.

description = "The containers that send and receive most bytes over the network."
short_description = "Containers by bytes of connections"
category = "Net"
args = {}

function on_init()
  chisel.exec("table_generator", "container.name", "container.name", "evt.rawarg.res", "Bytes",
    "(fd.type=ipv4 or fd.type=ipv6) and evt.is_io=true and container.name!=host", "100", "bytes")
  return true
end
