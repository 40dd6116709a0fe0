-- Failed system calls by error code.
view_info = {
  id = "errors",
  name = "Errors",
  description = "Failed system calls by error code.",
  tips = { "Some errors are normal: EAGAIN says that a descriptor has nothing to read yet, ENOENT that a file was looked for elsewhere first. Enter shows whose they are." },
  view_type = "table",
  tags = { "Default", "wsysdig" },
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "proc.name", "thread.tid", "fd.sport", "fd.sproto",
    "fd.directory", "fd.containerdirectory", "k8s.pod.id", "k8s.rc.id", "k8s.rs.id", "k8s.svc.id",
    "k8s.ns.id", "marathon.app.id", "marathon.group.name", "mesos.task.id", "mesos.framework.name",
  },
  filter = "evt.res != SUCCESS",
  use_defaults = true,
  drilldown_target = "procs_errors",
  columns = {
    { name = "NA", field = "evt.res", is_key = true },
    { name = "COUNT", field = "evt.count", is_sorting = true, colsize = 12, aggregation = "SUM",
      description = "Number of events." },
    { name = "ERROR", field = "evt.res", colsize = 0,
      description = "Result: SUCCESS or the error." },
  },
}
