description = "Sends and receives on network sockets that took longer than some milliseconds."
short_description = "Trace slow network I/0"
category = "Performance"
args = {
  { name = "min_ms", description = "Milliseconds from which on a call is shown.", argtype = "int" },
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

require "slower"("evt.is_io=true and (fd.type=ipv4 or fd.type=ipv6)", " %-20.20s", {
  { title = "proc.name", format = "%-12.12s", title_format = "%-12.12s", dashes = 12, field = "proc.name" },
  { title = "evt.type", format = "%-8s", title_format = "%-8s", dashes = 8, field = "evt.type" },
  { title = "LATENCY(ms)", format = "%12d", title_format = "%-12s", dashes = 12 },
  { title = "fd.name", format = "%s", title_format = "%s", dashes = 41, field = "fd.name" },
})
