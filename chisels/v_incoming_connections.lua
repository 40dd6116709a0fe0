-- Every connection that a server of this machine accepts.
view_info = {
  id = "incoming_connections",
  name = "New Connections",
  description = "Every connection that a server of this machine accepts.",
  view_type = "list",
  tags = { "Default" },
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "thread.tid", "proc.name", "fd.name",
    "fd.containername", "fd.sport", "fd.sproto", "fd.dport", "fd.port", "fd.lport", "fd.rport",
    "k8s.pod.id", "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id", "marathon.app.id",
    "marathon.group.name", "mesos.task.id", "mesos.framework.name",
  },
  filter = "evt.type in (accept, accept4) and evt.dir=< and evt.failed=false",
  use_defaults = false,
  columns = {
    { name = "TIME", field = "evt.time", colsize = 19,
      description = "Time of day." },
    { name = "Connection", field = "fd.name", colsize = 40,
      description = "Name." },
    { name = "Container", field = "container.name", colsize = 20, tags = { "containers" },
      description = "Container in which it happens." },
    { name = "Command", field = "proc.exeline", colsize = 0, aggregation = "MAX",
      description = "Command line." },
  },
}
