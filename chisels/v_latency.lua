-- How long system calls take, with percentiles.
view_info = require "latency_view" {
  id = "latency",
  name = "Latency",
  description = "How long system calls take, with percentiles.",
  field = "evt.type",
  title = "CALL",
}
