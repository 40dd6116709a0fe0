description = "The ten system calls that took longest, each with its begin and its return."
short_description = "Slowest system calls"
category = "Performance"
args = {}

local SHOWN = 10

local fields = {}
-- The begin of the call that each thread is in, as text.
local begun = {}
-- The slowest calls so far, slowest first.
local slowest = {}

function on_init()
  for _, name in ipairs { "evt.num", "evt.time", "evt.type", "evt.args", "evt.latency", "proc.name", "thread.tid" } do
    fields[name] = chisel.request_field(name)
  end
  return true
end

local function value(name)
  return evt.field(fields[name])
end

function on_event()
  local type = value("evt.type")
  if type == "switch" then
    return true
  end
  local tid = value("thread.tid") or 0
  local latency = value("evt.latency")
  if not latency then
    return true
  end
  local function line(seconds, direction)
    return string.format("%d) %s %s (%d) %s %s %s", value("evt.num"), seconds, value("proc.name") or "", tid, direction,
      type, value("evt.args") or "")
  end
  if latency == 0 then
    begun[tid] = line("0.000000000", ">")
    return true
  end
  if #slowest == SHOWN and slowest[SHOWN].latency >= latency then
    return true
  end
  local at = #slowest + 1
  while at > 1 and slowest[at - 1].latency < latency do
    at = at - 1
  end
  table.insert(slowest, at, {
    latency = latency,
    enter = begun[tid],
    exit = line(string.format("%d.%09d", math.floor(latency / 1e9), latency % 1e9), "<"),
  })
  slowest[SHOWN + 1] = nil
  return true
end

function on_capture_end()
  for _, call in ipairs(slowest) do
    if call.enter then
      print(call.enter)
    end
    print(call.exit)
  end
  return true
end
