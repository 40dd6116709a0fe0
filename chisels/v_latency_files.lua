-- How long calls on each file take, with percentiles.
view_info = require "latency_view" {
  id = "latency_files",
  name = "Latency of Files",
  description = "How long calls on each file take, with percentiles.",
  filter = "(fd.type=file or fd.type=directory) and fd.name!=''",
  field = "fd.name",
  title = "FILE",
}
