-- Every open of a file as it happens, failed ones too.
view_info = {
  id = "file_opens",
  name = "File Opens List",
  description = "Every open of a file as it happens, failed ones too.",
  tips = { "Failed opens show which paths a program tries: often all that is needed to mend a configuration." },
  view_type = "list",
  tags = { "Default" },
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "proc.name", "thread.tid", "fd.sport", "fd.sproto",
    "fd.name", "fd.containername", "fd.directory", "fd.containerdirectory", "evt.res", "k8s.pod.id",
    "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id", "marathon.app.id", "marathon.group.name",
    "mesos.task.id", "mesos.framework.name",
  },
  filter = "evt.type in (open, openat, openat2, creat, open_by_handle_at) and evt.dir=<",
  use_defaults = false,
  columns = {
    { name = "TIME", field = "evt.time", colsize = 19,
      description = "Time of day." },
    { name = "RES", field = "evt.res", colsize = 8,
      description = "Result: SUCCESS or the error." },
    { name = "FILE", field = "fd.name", colsize = 40,
      description = "Name." },
    { name = "Container", field = "container.name", colsize = 20, tags = { "containers" },
      description = "Container in which it happens." },
    { name = "Command", field = "proc.exeline", colsize = 0, aggregation = "MAX",
      description = "Command line." },
  },
  actions = {
    { hotkey = "l", command = "less %fd.name", description = "Read the file", wait_finish = false },
  },
}
