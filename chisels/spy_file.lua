description = "Every read and write of files with its data, of all files or of one; terminals are left out."
short_description = "Echo any read/write made by any process to all files. Optionally, you can provide the name of one file to only intercept reads/writes to that file."
category = "I/O"
args = {
  { name = "read_or_write", description = "R: only reads; W: only writes; RW: both [default: RW].", argtype = "string", optional = true },
  { name = "spy_on_file_name", description = "The only file to look at.", argtype = "string", optional = true },
}

require "common"

local WAYS = { R = "evt.is_io_read=true", W = "evt.is_io_write=true" }

local way, file = "RW", ""
local fields = {}

function on_set_arg(name, value)
  if name == "read_or_write" then
    way = value:upper()
  else
    file = value
  end
  return true
end

function on_init()
  for _, name in ipairs { "evt.arg.data", "fd.name", "evt.is_io_write", "proc.pid", "proc.name", "evt.rawarg.res",
    "evt.time" } do
    fields[name] = chisel.request_field(name)
  end
  sysdig.set_snaplen(2000)
  sysdig.set_output_format("ascii")
  local which = "(not fd.name contains /dev/pt and not fd.name contains /dev/tty)"
  if file ~= "" then
    which = string.format("(fd.name=%s)", file)
  end
  chisel.set_filter(string.format("%s and %s and fd.type=file and evt.dir=< and evt.failed=false", which,
    WAYS[way] or "evt.is_io=true"))
  return true
end

function on_event()
  local function value(name)
    return evt.field(fields[name])
  end
  print(string.format("%s %s(%s) %s %s %s %s", value("evt.time"), value("proc.name"), value("proc.pid"),
    value("evt.is_io_write") and "W" or "R", format_bytes(value("evt.rawarg.res") or 0), value("fd.name"),
    value("evt.arg.data")))
  return true
end
