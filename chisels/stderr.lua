description = "What programs write to their standard error, as it is."
short_description = "Print stderr of processes"
category = "I/O"
args = {
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

local terminal = require "ansiterminal"
terminal.enable_color(true)

local with_containers = sysdig.is_print_container_data()
local data, container, container_id

function on_set_arg(_, value)
  if value == "disable_color" then
    terminal.enable_color(false)
  end
  return true
end

function on_init()
  data = chisel.request_field("evt.rawarg.data")
  container = chisel.request_field("container.name")
  container_id = chisel.request_field("container.id")
  sysdig.set_snaplen(2000)
  chisel.set_filter("fd.num=2 and evt.is_io=true")
  return true
end

function on_event()
  local text = evt.field(data)
  if not text then
    return true
  end
  if with_containers then
    local called = tostring(evt.field(container))
    local color = called == "host" and terminal.green or terminal.blue
    text = color .. string.format("%-20.20s %-20.20s %s", evt.field(container_id) or "", called, text)
  end
  print(text)
  return true
end
