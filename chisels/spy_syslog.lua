description = "Every message that programs write to the system log, warnings in yellow, errors in red."
short_description = "Print every message written to syslog. Optionally, export the events around each syslog message to file."
category = "Logs"
args = {
  { name = "dump_file_name", description = "File for the events around each message.", argtype = "string", optional = true },
  { name = "dump_range_ms", description = "Milliseconds before and after each message [default: 1000].", argtype = "int", optional = true },
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

require "common"
local spied = require "spied_log"
local terminal = require "ansiterminal"
terminal.enable_color(true)

-- Severities of syslog (RFC 5424): 0 emergency … 3 error, 4 warning … 7 debug.
local WARNING = 4

local with_containers, is_tty = sysdig.is_print_container_data(), sysdig.is_tty()
local fields = {}

function on_init()
  for _, name in ipairs { "syslog.facility.str", "syslog.severity.str", "syslog.severity", "syslog.message",
    "thread.tid", "proc.name", "container.name", "container.id" } do
    fields[name] = chisel.request_field(name)
  end
  sysdig.set_snaplen(1000)
  chisel.set_filter("fd.name contains /dev/log and evt.is_io_write=true and evt.dir=< and evt.failed=false")
  return true
end

local function color_of(severity, container)
  if not is_tty then
    return ""
  elseif severity == WARNING then
    return terminal.yellow
  elseif severity < WARNING then
    return terminal.red
  end
  return container == "host" and terminal.green or terminal.blue
end

function on_event()
  local function value(name)
    return evt.field(fields[name]) or "<NA>"
  end
  local container, tid = value("container.name"), evt.field(fields["thread.tid"])
  local line = string.format("%s.%s %s[%d] %s", value("syslog.facility.str"), value("syslog.severity.str"),
    value("proc.name"), tid, value("syslog.message"))
  if with_containers then
    line = string.format("%-20s %-20s %s", value("container.id"), container, line)
  end
  print(color_of(tonumber(value("syslog.severity")) or WARNING, container) .. line)
  spied.note(tid)
  return true
end
