-- Processes that make a system call.
view_info = {
  id = "syscall_procs",
  name = "Syscall Callers",
  description = "Processes that make a system call.",
  view_type = "table",
  tags = { "Default" },
  applies_to = {
    "evt.type",
  },
  filter = "syscall.type exists",
  use_defaults = true,
  columns = {
    { name = "NA", field = "proc.pid", is_key = true },
    { name = "CALLS/S", field = "evt.count", is_sorting = true, colsize = 10, aggregation = "TIME_AVG",
      description = "Calls by second." },
    { name = "TIME", field = "evt.latency", colsize = 10, aggregation = "SUM",
      description = "Time that the calls took, all together." },
    { name = "Container", field = "container.name", colsize = 20, tags = { "containers" },
      description = "Container in which it happens." },
    { name = "Command", field = "proc.exeline", colsize = 0, aggregation = "MAX",
      description = "Command line." },
  },
}
