description = "Every file that is opened, and every attempt that fails, with the error. With -pc also the container."
short_description = "Files that are opened"
category = "I/O"
args = {
  { name = "failed", description = "'failed' for only those that fail.", argtype = "string", optional = true },
}

local columns = require "columns"

local fields = {}
local container, report
local only = ""

function on_set_arg(_, value)
  only = " and evt.failed=true"
  return value == "failed"
end

function on_init()
  for _, name in ipairs { "evt.time", "evt.rawres", "evt.res", "evt.failed", "proc.name", "proc.pid", "fd.name",
    "fs.path.name" } do
    fields[name] = chisel.request_field(name)
  end
  container = chisel.request_field("container.name")
  chisel.set_filter("evt.type in (open, openat, openat2, creat) and evt.dir=<" .. only)
  return true
end

function on_capture_start()
  report = columns.new(columns.with_container {
    { name = "time", title = "TIME", width = 18 },
    { name = "process", title = "PROCESS", width = 15 },
    { name = "pid", title = "PID", width = 7 },
    { name = "fd", title = "FD", width = 4 },
    { name = "result", title = "RESULT", width = 7 },
    { name = "path", title = "PATH", width = 0 },
  })
  report:titles()
  return true
end

function on_event()
  local function value(name)
    return evt.field(fields[name])
  end
  local failed = value("evt.failed")
  report:row(columns.in_container(container, { value("evt.time"), value("proc.name"), value("proc.pid"),
    not failed and value("evt.rawres") or nil, value("evt.res"), value("fs.path.name") or value("fd.name") or "" }))
  return false
end
