description = "What is exchanged on a port: the data of all connections with it, reads in red, writes in blue."
short_description = "Show the data exchanged using the given IP port number"
category = "Net"
args = {
  { name = "host_port", description = "Number of the port, of either side.", argtype = "int" },
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

require "conversation"("host_port", "fd.port=")
