description = "Calls, errors and time of each system call, as `strace -c -w` sums them up, of all programs or those that a filter chooses. Printed at the end of the file, or when the run is interrupted. With -pc also by container."
short_description = "Calls, errors and time by system call"
category = "Performance"
args = {
  { name = "order", description = "time, calls, errors, average or max [default: time].", argtype = "string", optional = true },
}

local columns = require "columns"

local ORDERS = { time = "time", calls = "calls", errors = "errors", average = "average", max = "max" }

local order = "time"
local call, latency, failed, container
local sums = {}

function on_set_arg(_, value)
  order = ORDERS[value]
  if not order then
    print("order is one of time, calls, errors, average, max")
  end
  return order ~= nil
end

function on_init()
  call = chisel.request_field("syscall.type")
  latency = chisel.request_field("evt.latency")
  failed = chisel.request_field("evt.failed")
  container = chisel.request_field("container.name")
  -- That a new process begins to run is no call of its own.
  chisel.set_filter("evt.dir=< and syscall.type exists and not (evt.type in (clone, clone3, fork, vfork) and evt.rawres=0)")
  return true
end

function on_event()
  local name = evt.field(call)
  local where = sysdig.is_print_container_data() and (evt.field(container) or "") or ""
  local key = where .. KEY_SEPARATOR .. name
  local sum = sums[key]
  if not sum then
    sum = { name = name, container = where, calls = 0, errors = 0, time = 0, max = 0 }
    sums[key] = sum
  end
  local time = evt.field(latency) or 0
  sum.calls = sum.calls + 1
  sum.time = sum.time + time
  sum.max = math.max(sum.max, time)
  if evt.field(failed) then
    sum.errors = sum.errors + 1
  end
  return false
end

local function percent(value)
  return string.format("%.2f", value)
end

local function seconds(ns)
  return string.format("%.6f", ns / ONE_S_IN_NS)
end

function on_capture_end()
  local report = columns.new(columns.with_container {
    { name = "percent", title = "% TIME", width = 6, right = true, text = percent },
    { name = "time", title = "SECONDS", width = 12, right = true, text = seconds },
    { name = "average", title = "AVERAGE", width = 8, right = true, text = format_time_interval },
    { name = "max", title = "MAX", width = 8, right = true, text = format_time_interval },
    { name = "calls", title = "CALLS", width = 9, right = true },
    { name = "errors", title = "ERRORS", width = 9, right = true },
    { name = "syscall", title = "SYSCALL", width = 0 },
  })
  local total = { name = "total", container = "", calls = 0, errors = 0, time = 0, max = 0 }
  for _, sum in pairs(sums) do
    sum.average = sum.time / sum.calls
    total.calls, total.errors = total.calls + sum.calls, total.errors + sum.errors
    total.time, total.max = total.time + sum.time, math.max(total.max, sum.max)
  end
  local function show(sum)
    local share = total.time > 0 and sum.time / total.time * 100 or 0
    local average = sum.calls > 0 and math.floor(sum.time / sum.calls) or 0
    local values = { share, sum.time, average, sum.max, sum.calls, sum.errors, sum.name }
    if sysdig.is_print_container_data() then
      values = { sum.container, unpack(values) }
    end
    report:row(values)
  end
  local function larger(all, a, b)
    if all[a][order] ~= all[b][order] then
      return all[a][order] > all[b][order]
    end
    return a < b
  end
  report:titles()
  for _, sum in pairs_top_by_val(sums, 0, larger) do
    show(sum)
  end
  if not report.is_json then
    show(total)
  end
end
