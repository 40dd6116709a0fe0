description = "How long each process ran, when it ends: green up to 3 seconds, yellow from there on, red from 10."
short_description = "Show process execution time"
category = "Performance"
args = {
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

require "common"
local terminal = require "ansiterminal"
terminal.enable_color(true)

local SLOW, VERY_SLOW = 3 * ONE_S_IN_NS, 10 * ONE_S_IN_NS

local with_containers = sysdig.is_print_container_data()
local name, arguments, duration, container, container_id

function on_set_arg(_, value)
  if value == "disable_color" or value == "disable_colors" then
    terminal.enable_color(false)
  end
  return true
end

local function row(time, id, container_name, process, rest)
  if with_containers then
    return string.format("%-13.13s %-20.20s %-20.20s %-12.12s %s", time, id, container_name, process, rest)
  end
  return string.format("%-13.13s %-12.12s %s", time, process, rest)
end

function on_init()
  name = chisel.request_field("proc.name")
  arguments = chisel.request_field("proc.args")
  duration = chisel.request_field("proc.duration")
  container = chisel.request_field("container.name")
  container_id = chisel.request_field("container.id")
  chisel.set_filter("evt.type=procexit")
  print(row("proc.duration", "container.id", "container.name", "proc.name", "proc.args"))
  local dashes = string.rep("-", 20)
  print(row(dashes, dashes, dashes, dashes, dashes))
  return true
end

function on_event()
  local time = evt.field(duration)
  if not time then
    return true
  end
  local called = evt.field(container) or ""
  local color = terminal.green
  if time > VERY_SLOW then
    color = terminal.red
  elseif time > SLOW then
    color = terminal.yellow
  elseif called ~= "host" then
    color = terminal.blue
  end
  print(color .. row(format_time_interval(time), evt.field(container_id) or "", called, evt.field(name) or "",
    evt.field(arguments) or ""))
  return true
end

function on_capture_end()
  print(terminal.reset)
end
