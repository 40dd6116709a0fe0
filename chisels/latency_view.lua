-- What the views of latency have in common.

-- Completes a view of the calls that its `filter` lets pass, which are summed up by `field`, in a column `title`.
return function(view)
  local field = view.field
  view.tips = { "Percentiles are at most 1/64 too large. Enter shows the processes; F12 how the times are spread." }
  view.view_type = "table"
  view.tags = { "Default" }
  view.applies_to = {
    "", "container.id", "proc.pid", "thread.nametid", "proc.name", "thread.tid", "fd.name", "fd.containername",
    "fd.sport", "fd.sproto", "fd.directory", "fd.containerdirectory", "fd.type", "evt.type", "evt.res",
    "evt.rawtime.s", "k8s.pod.id", "k8s.rc.id", "k8s.rs.id", "k8s.svc.id", "k8s.ns.id",
  }
  view.filter = "evt.dir=< and evt.latency>0" .. (view.filter and (" and " .. view.filter) or "")
  view.use_defaults = false
  view.shows_idle = false
  view.drilldown_target = "procs"
  view.columns = {
    { name = "NA", field = field, is_key = true },
    { name = "CALLS", field = "evt.count", colsize = 9, aggregation = "SUM",
      description = "Calls that returned." },
    { name = "TOT TIME", field = "evt.latency", is_sorting = true, colsize = 10, aggregation = "SUM",
      description = "Time that they took together." },
    { name = "AVG", field = "evt.latency", colsize = 9, aggregation = "AVG",
      description = "Time that they took on average." },
    { name = "P50", field = "evt.latency", colsize = 9, aggregation = "P50",
      description = "Half of them took no longer." },
    { name = "P95", field = "evt.latency", colsize = 9, aggregation = "P95",
      description = "95 of 100 took no longer." },
    { name = "P99", field = "evt.latency", colsize = 9, aggregation = "P99",
      description = "99 of 100 took no longer." },
    { name = "MAX", field = "evt.latency", colsize = 9, aggregation = "MAX",
      description = "The longest one." },
    { name = view.title, field = field, colsize = 0,
      description = "Name." },
  }
  view.field, view.title = nil, nil
  return view
end
