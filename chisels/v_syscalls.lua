-- System calls by number and time.
view_info = {
  id = "syscalls",
  name = "System Calls",
  description = "System calls by number and time.",
  tips = { "Enter on a call shows who makes it. Calls that wait (poll, futex, read of a pipe) take long without harm." },
  view_type = "table",
  tags = { "Default", "wsysdig" },
  applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "proc.name", "thread.tid", "fd.sport", "fd.sproto",
    "fd.name", "fd.containername", "fd.directory", "fd.containerdirectory", "evt.res", "k8s.pod.id",
    "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id", "marathon.app.id", "marathon.group.name",
    "mesos.task.id", "mesos.framework.name",
  },
  filter = "syscall.type exists",
  use_defaults = true,
  drilldown_target = "syscall_procs",
  columns = {
    { name = "NA", field = "evt.type", is_key = true },
    { name = "CALLS/S", field = "evt.count", is_sorting = true, colsize = 10, aggregation = "TIME_AVG",
      description = "Calls by second." },
    { name = "TOT TIME", field = "evt.latency", colsize = 10, aggregation = "SUM",
      description = "Time that the calls took, all together." },
    { name = "AVG TIME", field = "evt.latency", colsize = 10, aggregation = "AVG",
      description = "Time that the calls took, on average." },
    { name = "SYSCALL", field = "evt.type", colsize = 32, aggregation = "SUM",
      description = "System call." },
  },
}
