description = "Every program that is started, with its arguments, and every attempt that fails, with the error. With -pc also the container."
short_description = "Programs that are started"
category = "Security"
args = {}

local columns = require "columns"

local fields = {}
local container, report

function on_init()
  for _, name in ipairs { "evt.time", "evt.res", "evt.failed", "user.name", "proc.pid", "proc.ppid", "proc.pname",
    "proc.exeline", "evt.arg.filename", "evt.arg.exe" } do
    fields[name] = chisel.request_field(name)
  end
  container = chisel.request_field("container.name")
  chisel.set_filter("evt.type in (execve, execveat) and evt.dir=<")
  return true
end

function on_capture_start()
  report = columns.new(columns.with_container {
    { name = "time", title = "TIME", width = 18 },
    { name = "user", title = "USER", width = 10 },
    { name = "parent", title = "PARENT", width = 15 },
    { name = "ppid", title = "PPID", width = 7 },
    { name = "pid", title = "PID", width = 7 },
    { name = "result", title = "RESULT", width = 7 },
    { name = "command", title = "COMMAND", width = 0 },
  })
  report:titles()
  return true
end

function on_event()
  local function value(name)
    return evt.field(fields[name])
  end
  local command = value("proc.exeline")
  if value("evt.failed") then
    -- The caller goes on with its own name and arguments.
    command = value("evt.arg.filename") or value("evt.arg.exe")
  end
  report:row(columns.in_container(container, { value("evt.time"), value("user.name"), value("proc.pname"),
    value("proc.ppid"), value("proc.pid"), value("evt.res"), command or "" }))
  return false
end
