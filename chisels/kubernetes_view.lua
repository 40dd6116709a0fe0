-- What the views of Kubernetes' objects have in common.

-- Completes a view of the objects that the fields `class` are about and that kubectl knows as `kind`, or `described`
-- with what stands between it and a name; their actions come before those that it has.
return function(view)
  local class, kind, described = view.class, view.kind, view.described or view.kind .. " "
  view.class, view.kind, view.described = nil, nil, nil
  view.view_type = "table"
  view.tags = {}
  view.filter = class .. ".id != ''"
  view.use_defaults = true
  view.drilldown_target = view.drilldown_target or "kubernetes_pods"
  view.columns = {
    { name = "NA", field = "thread.tid", is_key = true },
    { name = "CPU", field = "thread.cpu", is_sorting = true, colsize = 8, aggregation = "AVG", groupby_aggregation = "SUM",
      description = "CPU use in percent of one processor." },
    { name = "VIRT", field = "thread.vmsize.b", colsize = 9, aggregation = "MAX", groupby_aggregation = "SUM",
      description = "Virtual memory." },
    { name = "RES", field = "thread.vmrss.b", colsize = 9, aggregation = "MAX", groupby_aggregation = "SUM",
      description = "Memory that is in use (resident)." },
    { name = "FILE", field = "evt.buflen.file", colsize = 8, aggregation = "TIME_AVG", groupby_aggregation = "SUM",
      description = "Bytes read from and written to files, by second." },
    { name = "NET", field = "evt.buflen.net", colsize = 8, aggregation = "TIME_AVG", groupby_aggregation = "SUM",
      description = "Bytes received and sent, by second." },
    { name = "NA", field = class .. ".id", is_groupby_key = true },
    { name = "ID", field = class .. ".id", colsize = 38,
      description = "Id." },
    { name = "NAME", field = class .. ".name", colsize = 25,
      description = "Name." },
    { name = "NAMESPACE", field = "k8s.ns.name", colsize = 20,
      description = "Namespace." },
    { name = "LABELS", field = class .. ".labels", colsize = 0,
      description = "Labels." },
  }
  if class == "k8s.ns" then
    -- The name says it.
    table.remove(view.columns, #view.columns - 1)
  end
  local function command(verb, what)
    return "kubectl --namespace=%k8s.ns.name " .. verb .. " " .. what .. "%" .. class .. ".name"
  end
  local actions = {
    { hotkey = "d", command = command("describe", described),
      description = "Describe it" },
    { hotkey = "x", command = command("delete", kind .. " "),
      description = "Delete it" },
  }
  for _, action in ipairs(view.actions or {}) do
    actions[#actions + 1] = action
  end
  view.actions = actions
  return view
end
