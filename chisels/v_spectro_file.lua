-- How long calls on files take: latency from left to right, time from top to bottom, colour by number of calls.
view_info = {
  id = "spectro_file",
  name = "Spectrogram-File",
  description = "How long calls on files take: latency from left to right, time from top to bottom, colour by number of calls.",
  tips = { "Select a rectangle with the mouse to see the calls in it." },
  view_type = "spectrogram",
  tags = {},
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "thread.tid", "proc.name", "evt.res", "k8s.pod.id",
    "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id", "marathon.app.id", "marathon.group.name",
    "mesos.task.id", "mesos.framework.name", "fd.name", "fd.containername", "fd.directory",
    "fd.containerdirectory",
  },
  filter = "evt.dir=< and fd.type=file",
  use_defaults = false,
  columns = {
    { name = "NA", field = "evt.latency.quantized", is_key = true },
    { name = "LATENCY", field = "evt.latency.quantized",
      description = "Latency." },
    { name = "COUNT", field = "evt.count", colsize = 8, aggregation = "SUM",
      description = "Number of events." },
  },
}
