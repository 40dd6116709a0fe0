-- Commands that people run, and where they go, as they do it.
view_info = {
  id = "spy_users",
  name = "Spy Users",
  description = "Commands that people run, and where they go, as they do it.",
  view_type = "list",
  tags = { "Default" },
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "thread.tid", "proc.name", "k8s.pod.id", "k8s.rc.id",
    "k8s.rs.id", "k8s.svc.id", "k8s.ns.id", "marathon.app.id", "marathon.group.name", "mesos.task.id",
    "mesos.framework.name",
  },
  filter = "((evt.type=execve and evt.dir=<) or (evt.type=chdir and evt.dir=< and proc.name contains sh and not proc.name contains sshd)) and evt.failed=false",
  use_defaults = true,
  columns = {
    { name = "TIME", field = "evt.time", colsize = 12,
      description = "Time of day." },
    { name = "USER", field = "user.name", colsize = 12,
      description = "User." },
    { name = "SHELL", field = "proc.ppid", colsize = 8,
      description = "Id of the parent process." },
    { name = "Container", field = "container.name", colsize = 20, tags = { "containers" },
      description = "Container in which it happens." },
    { name = "Command", field = "proc.exeline", colsize = 0, aggregation = "MAX",
      description = "Command line." },
  },
}
