description = "The ten system calls that took longest, each with its begin and its return."
short_description = "Slowest system calls"
category = "Performance"
args = {}

local SHOWN = 10
-- The filter is made again when the least latency shown has grown by so much.
local STEP = 1.1

-- What a line shows, and those fields of the event of the moment.
local NAMES = { "evt.num", "proc.name", "thread.tid", "evt.type", "evt.args" }
local fields = {}
local latency
-- The begin of the call that each thread is in.
local begun
-- The slowest calls so far, slowest first.
local slowest = {}
-- What the filter lets pass takes longer, ns.
local least = 0

local function want_slower_than(ns)
  least = ns
  chisel.set_filter(string.format("evt.type!=switch and evt.latency>%d", ns))
end

function on_init()
  for at, name in ipairs(NAMES) do
    fields[at] = chisel.request_field(name)
  end
  latency = chisel.request_field("evt.latency")
  begun = chisel.remember("thread.tid", NAMES, "evt.type!=switch and evt.latency=0")
  want_slower_than(0)
  return true
end

local function line(seconds, direction, num, name, tid, type, args)
  return string.format("%d) %s %s (%d) %s %s %s", num, seconds, name or "", tid, direction, type, args or "")
end

local function value(at)
  return evt.field(fields[at])
end

function on_event()
  local taken = evt.field(latency)
  if #slowest == SHOWN and slowest[SHOWN].latency >= taken then
    return true
  end
  local at = #slowest + 1
  while at > 1 and slowest[at - 1].latency < taken do
    at = at - 1
  end
  local tid = value(3)
  local enter = { begun:last(tid) }
  table.insert(slowest, at, {
    latency = taken,
    enter = enter[1] and line("0.000000000", ">", unpack(enter, 1, #NAMES)),
    exit = line(string.format("%d.%09d", math.floor(taken / 1e9), taken % 1e9), "<", value(1), value(2), tid, value(4),
      value(5)),
  })
  slowest[SHOWN + 1] = nil
  if #slowest == SHOWN and slowest[SHOWN].latency > least * STEP then
    want_slower_than(slowest[SHOWN].latency)
  end
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
