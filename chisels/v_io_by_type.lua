-- Reads and writes by kind of descriptor: files, sockets, pipes and others.
view_info = {
  id = "io_by_type",
  name = "I/O by Type",
  description = "Reads and writes by kind of descriptor: files, sockets, pipes and others.",
  view_type = "table",
  tags = { "Default", "wsysdig" },
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "proc.name", "thread.tid", "fd.sport", "fd.sproto",
    "evt.res", "k8s.pod.id", "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id", "marathon.app.id",
    "marathon.group.name", "mesos.task.id", "mesos.framework.name",
  },
  use_defaults = true,
  drilldown_target = "procs",
  columns = {
    { name = "NA", field = "fd.type", is_key = true },
    { name = "BPS IN", field = "evt.buflen.in", colsize = 12, aggregation = "TIME_AVG",
      description = "Bytes read, by second." },
    { name = "BPS OUT", field = "evt.buflen.out", colsize = 12, aggregation = "TIME_AVG",
      description = "Bytes written, by second." },
    { name = "IOPS", field = "evt.count", is_sorting = true, colsize = 9, aggregation = "TIME_AVG",
      description = "Calls by second." },
    { name = "TIME", field = "evt.latency", colsize = 9, aggregation = "SUM",
      description = "Time that the calls took, all together." },
    { name = "I/O Type", field = "fd.type", colsize = 0, aggregation = "SUM",
      description = "Kind of descriptor." },
  },
}
