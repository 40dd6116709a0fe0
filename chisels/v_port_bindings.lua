-- Ports that programs begin to listen on.
view_info = {
  id = "port_bindings",
  name = "Port bindings",
  description = "Ports that programs begin to listen on.",
  view_type = "list",
  tags = { "default", "wsysdig", "nocsysdig" },
  applies_to = {
    "",
  },
  filter = "(evt.type=bind and evt.dir=< and (fd.type=ipv4 or fd.type=ipv6)) or (evt.type=close and evt.dir=> and fd.typechar=2 and fd.type=ipv4)",
  use_defaults = true,
  columns = {
    { name = "TIME", field = "evt.time", colsize = 12,
      description = "Time of day." },
    { name = "OPERATION", field = "evt.type", colsize = 24,
      description = "System call." },
    { name = "PORT", field = "fd.sport", colsize = 24,
      description = "Port of the server." },
    { name = "Command", field = "proc.exeline", colsize = 0, aggregation = "MAX",
      description = "Command line." },
  },
}
