-- How long calls on each connection take, with percentiles.
view_info = require "latency_view" {
  id = "latency_connections",
  name = "Latency of Connections",
  description = "How long calls on each connection take, with percentiles.",
  filter = "(fd.type=ipv4 or fd.type=ipv6 or fd.type=unix) and fd.name!=''",
  field = "fd.name",
  title = "CONNECTION",
}
