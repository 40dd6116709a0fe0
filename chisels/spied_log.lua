-- What spy_logs and spy_syslog have in common: colours, and the export of events around messages.

local around = require "around_events"
local terminal = require "ansiterminal"
terminal.enable_color(true)

local spied = {}

local file, range_ms = nil, 1000
local is_running = false

function on_set_arg(name, value)
  if value == "disable_color" or value == "disable_colors" then
    terminal.enable_color(false)
  elseif name == "dump_file_name" then
    file = value
  else
    range_ms = parse_numeric_input(value, name)
  end
  return true
end

function on_capture_start()
  if file and sysdig.is_live() then
    print("events export not supported on live captures")
    return false
  end
  is_running = true
  return true
end

-- Remembers a message for the export, when there is to be one.
function spied.note(tid)
  if file then
    around.note(tid)
  end
end

function on_capture_end()
  if sysdig.is_tty() then
    print(terminal.reset)
  end
  if file and is_running then
    print("Writing events for " .. around.count() .. " log entries")
    around.save(file, range_ms)
  end
end

return spied
