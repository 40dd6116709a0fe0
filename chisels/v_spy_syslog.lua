-- Messages that programs write to the system log.
view_info = {
  id = "spy_syslog",
  name = "Spy Syslog",
  description = "Messages that programs write to the system log.",
  view_type = "list",
  tags = { "Default" },
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "proc.name", "thread.tid", "fd.sport", "fd.sproto",
    "k8s.pod.id", "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id", "marathon.app.id",
    "marathon.group.name", "mesos.task.id", "mesos.framework.name",
  },
  filter = "fd.name contains /dev/log and evt.is_io_write=true and evt.dir=< and evt.failed=false",
  use_defaults = false,
  columns = {
    { name = "PID", field = "proc.pid", colsize = 8,
      description = "Process id." },
    { name = "PROC", field = "proc.name", colsize = 8,
      description = "Name of the program." },
    { name = "FAC", field = "syslog.facility.str", colsize = 8,
      description = "Facility of the message." },
    { name = "SEV", field = "syslog.severity.str", colsize = 8,
      description = "Severity of the message." },
    { name = "Container", field = "container.name", colsize = 20, tags = { "containers" },
      description = "Container in which it happens." },
    { name = "MESSAGE", field = "syslog.message", colsize = 0,
      description = "The message." },
  },
}
