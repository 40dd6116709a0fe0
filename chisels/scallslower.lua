description = "System calls that took longer than some milliseconds."
short_description = "Trace slow syscalls"
category = "Performance"
args = {
  { name = "min_ms", description = "Milliseconds from which on a call is shown.", argtype = "int" },
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

require "slower"(nil, " %-20.20s", {
  id_title = " %-21.21s",
  { title = "proc.name", format = "%-23.23s", title_format = "%-23.23s", dashes = 23, field = "proc.name" },
  { title = "LATENCY(ms)", format = "%-20s", title_format = "%-20s", dashes = 20 },
  { title = "evt.type", format = "%s", title_format = "%s", dashes = 20, field = "evt.type" },
})
