description = "What the machine does, every second: system calls and how many fail, context switches, new processes and programs, ends, signals, bytes read and written, and CPU time in user and kernel mode, in percent of one CPU."
short_description = "Activity of the machine, every second"
category = "Performance"
args = {
  { name = "interval", description = "Seconds between reports [default: 1].", argtype = "int", optional = true },
}

local columns = require "columns"

local COUNTED = { switch = "switches", procexit = "exits", signaldeliver = "signals", execve = "execs", execveat = "execs" }
local FORKS = { clone = true, clone3 = true, fork = true, vfork = true }

local interval = 1
local fields = {}
local report

local function none()
  return { calls = 0, errors = 0, switches = 0, forks = 0, execs = 0, exits = 0, signals = 0, read = 0, written = 0,
    user = 0, system = 0 }
end

local sums = none()

function on_set_arg(name, value)
  interval = parse_numeric_input(value, name)
  return interval > 0
end

function on_init()
  for _, name in ipairs { "evt.type", "evt.failed", "evt.rawres", "evt.is_io_read", "evt.is_io_write", "syscall.type",
    "thread.cpu.user", "thread.cpu.system" } do
    fields[name] = chisel.request_field(name)
  end
  chisel.set_filter("evt.dir=< or evt.type in (switch, procexit, signaldeliver, procinfo)")
  chisel.set_interval_ns(interval * ONE_S_IN_NS)
  return true
end

function on_capture_start()
  local function count(name, title, width)
    return { name = name, title = title, width = width or 8, right = true }
  end
  local function percent(name, title)
    return { name = name, title = title, width = 6, right = true, text = function(value) return string.format("%.1f", value) end }
  end
  local function bytes(name, title)
    return { name = name, title = title, width = 9, right = true, text = format_bytes }
  end
  report = columns.new {
    { name = "time", title = "TIME", width = 8 },
    count("calls", "CALLS"), count("errors", "ERRORS"), count("switches", "SWITCH"), count("forks", "FORK", 6),
    count("execs", "EXEC", 6), count("exits", "EXIT", 6), count("signals", "SIGNAL", 6), bytes("read", "READ"),
    bytes("written", "WRITTEN"), percent("user", "USER%"), percent("system", "SYS%"),
  }
  report:titles()
  return true
end

local function add(name, amount)
  sums[name] = sums[name] + amount
end

function on_event()
  local function value(name)
    return evt.field(fields[name])
  end
  local type = value("evt.type")
  if type == "procinfo" then
    add("user", value("thread.cpu.user") or 0)
    add("system", value("thread.cpu.system") or 0)
    return false
  end
  local failed = value("evt.failed")
  local result = value("evt.rawres") or 0
  if COUNTED[type] and not failed then
    add(COUNTED[type], 1)
  elseif FORKS[type] and result > 0 then
    add("forks", 1)
  end
  if type == "switch" or type == "procexit" or type == "signaldeliver" or not value("syscall.type") then
    return false
  end
  add("calls", 1)
  if failed then
    add("errors", 1)
  elseif value("evt.is_io_read") then
    add("read", result)
  elseif value("evt.is_io_write") then
    add("written", result)
  end
  return false
end

local function show(ts_s)
  local clock = os.date("%H:%M:%S", ts_s)
  report:row { clock, sums.calls, sums.errors, sums.switches, sums.forks, sums.execs, sums.exits, sums.signals, sums.read,
    sums.written, sums.user / interval, sums.system / interval }
  sums = none()
end

function on_interval(ts_s)
  show(ts_s)
  return true
end

function on_capture_end(ts_s)
  show(ts_s)
end
