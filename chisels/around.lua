description = "Writes the events around those that pass the filter to another file: what happened before and after, in the same thread."
short_description = "Export to file the events around the time range where the given filter matches."
category = "Misc"
args = {
  { name = "dump_file_name", description = "The file to be written.", argtype = "string" },
  { name = "dump_range_ms", description = "Milliseconds before and after each event [default: 1000].", argtype = "int", optional = true },
}

local around = require "around_events"
local terminal = require "ansiterminal"
terminal.enable_color(true)

local file, range_ms = nil, 1000
local process, tid, time
local is_running = false

function on_set_arg(name, value)
  if name == "dump_file_name" then
    file = value
  else
    range_ms = parse_numeric_input(value, name)
  end
  return true
end

function on_init()
  process = chisel.request_field("proc.name")
  tid = chisel.request_field("thread.tid")
  time = chisel.request_field("evt.time")
  if sysdig.get_filter() == "" then
    print("no filter specified")
    return false
  end
  return true
end

function on_capture_start()
  if sysdig.is_live() then
    print("live capture not supported")
    return false
  end
  is_running = true
  return true
end

function on_event()
  local thread = evt.field(tid)
  print(string.format("%s %s(%d)", evt.field(time), evt.field(process) or "<NA>", thread))
  around.note(thread)
  return true
end

function on_capture_end()
  if sysdig.is_tty() then
    print(terminal.reset)
  end
  if is_running then
    print(string.format("\nSaving events around %d syslog entries to %s", around.count(), file))
    around.save(file, range_ms)
  end
end
