description = "What is exchanged with a machine: the data of all connections with its address, reads in red, writes in blue."
short_description = "Show the data exchanged with the given IP address"
category = "Net"
args = {
  { name = "host_ip", description = "Address of the other machine.", argtype = "ipv4" },
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

require "conversation"("host_ip", "fd.ip=")
