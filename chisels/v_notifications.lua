-- Messages that monitoring programs left in the stream of events.
view_info = {
  id = "notifications",
  name = "Notifications",
  description = "Messages that monitoring programs left in the stream of events.",
  view_type = "list",
  tags = { "nocsysdig" },
  applies_to = {
    "",
  },
  filter = "evt.type=notification",
  use_defaults = true,
  columns = {
    { name = "TIME", field = "evt.time", colsize = 12,
      description = "Time of day." },
    { name = "ID", field = "evt.arg.id", colsize = 24,
      description = "Id of the message." },
    { name = "Container", field = "container.name", colsize = 20, tags = { "containers" },
      description = "Container in which it happens." },
    { name = "DESCRIPTION", field = "evt.arg.desc", colsize = 0,
      description = "The message." },
  },
}
