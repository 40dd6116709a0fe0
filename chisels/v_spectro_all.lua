-- How long system calls take: latency from left to right, time from top to bottom, colour by number of calls.
view_info = {
  id = "spectro_all",
  name = "Spectrogram-All",
  description = "How long system calls take: latency from left to right, time from top to bottom, colour by number of calls.",
  tips = { "Select a rectangle with the mouse to see the calls in it." },
  view_type = "spectrogram",
  tags = {},
  applies_to = {
    "evt.type",
  },
  filter = "evt.dir=<",
  use_defaults = false,
  columns = {
    { name = "NA", field = "evt.latency.quantized", is_key = true },
    { name = "LATENCY", field = "evt.latency.quantized",
      description = "Latency." },
    { name = "COUNT", field = "evt.count", colsize = 8, aggregation = "SUM",
      description = "Number of events." },
  },
}
