-- Traffic by server port.
view_info = {
  id = "sports",
  name = "Server Ports",
  description = "Traffic by server port.",
  tips = { "Enter on a port shows its connections." },
  view_type = "table",
  tags = { "wsysdig" },
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "thread.tid", "proc.name", "evt.res", "k8s.pod.id",
    "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id", "marathon.app.id", "marathon.group.name",
    "mesos.task.id", "mesos.framework.name",
  },
  filter = "(fd.type=ipv4 or fd.type=ipv6) and fd.name!=''",
  use_defaults = true,
  drilldown_target = "connections",
  columns = {
    { name = "NA", field = "fd.sport", is_key = true },
    { name = "SPORT", field = "fd.sport", colsize = 8,
      description = "Port of the server." },
    { name = "BPS IN", field = "evt.buflen.net.in", is_sorting = true, colsize = 12, aggregation = "TIME_AVG",
      description = "Bytes received, by second." },
    { name = "BPS OUT", field = "evt.buflen.net.out", colsize = 12, aggregation = "TIME_AVG",
      description = "Bytes sent, by second." },
    { name = "IO CALLS", field = "evt.count", colsize = 12, aggregation = "SUM",
      description = "Number of events." },
  },
  actions = {
    { hotkey = "t", command = "tcpdump -niany port %fd.sport",
      description = "Packets of the port", wait_finish = false },
  },
}
