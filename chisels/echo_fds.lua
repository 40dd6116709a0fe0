description = "What programs read and write, under a line that says who, what and how much. Combine it with a filter."
short_description = "Print the data read and written by processes."
category = "I/O"
args = {
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

require "common"
local terminal = require "ansiterminal"
terminal.enable_color(true)

local with_containers = sysdig.is_print_container_data()
local is_read, size, name, process, container, container_id

function on_set_arg(_, value)
  if value == "disable_color" then
    terminal.enable_color(false)
  end
  return true
end

function on_init()
  is_read = chisel.request_field("evt.is_io_read")
  size = chisel.request_field("evt.rawarg.res")
  name = chisel.request_field("fd.name")
  process = chisel.request_field("proc.name")
  container = chisel.request_field("container.name")
  container_id = chisel.request_field("container.id")
  sysdig.set_snaplen(2000)
  chisel.set_filter("evt.is_io=true and evt.dir=< and evt.rawres>0")
  chisel.set_event_formatter("%evt.arg.data")
  return true
end

function on_event()
  local color, verb, direction = terminal.blue, "Write", "to"
  if evt.field(is_read) then
    color, verb, direction = terminal.red, "Read", "from"
  end
  local where = ""
  if with_containers then
    local called = tostring(evt.field(container))
    where = string.format("%s [%s] [%s]", called == "host" and terminal.green or terminal.cyan, called,
      evt.field(container_id) or "")
  end
  print(color .. "------ " .. verb .. " " .. format_bytes(evt.field(size)) .. " " .. direction .. " " .. where .. " "
    .. color .. " " .. (evt.field(name) or "<NA>") .. " (" .. (evt.field(process) or "") .. ")")
  return true
end

function on_capture_end()
  print(terminal.reset)
end
