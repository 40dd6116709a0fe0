-- Containers by CPU time.
--
-- Once a second there is an event for each thread that says how much CPU time it has used. Its
-- ticks of 10 ms are summed.

description = "The containers that use most CPU time, in percent of the time that passed."
short_description = "Containers by CPU time"
category = "CPU Usage"
args = {}

require "common"
local terminal = require "ansiterminal"

local TICK = 10 * ONE_MS_IN_NS

local sums = {}
local keys = {}
local used
local is_live = false
local info = {
  key_fld = { "container.name" },
  key_desc = { "container.name" },
  value_fld = "thread.exectime",
  value_desc = "CPU%",
  value_units = "timepct",
  top_number = 10,
}

function on_init()
  for i, name in ipairs(info.key_fld) do
    keys[i] = chisel.request_field(name)
  end
  used = chisel.request_field("thread.cpu")
  chisel.set_filter("evt.type=procinfo")
  return true
end

function on_capture_start()
  is_live = sysdig.is_live()
  info.output_format = sysdig.get_output_format()
  if is_live then
    chisel.set_interval_s(1)
    if info.output_format ~= "json" then
      terminal.clearscreen()
      terminal.hidecursor()
    end
  end
  return true
end

function on_event()
  local ticks = evt.field(used)
  local parts = {}
  for i, field in ipairs(keys) do
    local value = evt.field(field)
    if value == nil then
      return false
    end
    parts[i] = tostring(value)
  end
  if ticks ~= nil then
    local key = table.concat(parts, KEY_SEPARATOR)
    sums[key] = (sums[key] or 0) + ticks * TICK
  end
  return true
end

local function show(ts_s, delta)
  print_sorted_table(sums, ts_s, 0, delta, info)
end

function on_interval(ts_s, _, delta)
  if info.output_format ~= "json" then
    terminal.clearscreen()
    terminal.moveto(0, 0)
  end
  show(ts_s, delta)
  sums = {}
  return true
end

function on_capture_end(ts_s, _, delta)
  if is_live and info.output_format ~= "json" then
    terminal.clearscreen()
    terminal.moveto(0, 0)
    terminal.showcursor()
  else
    show(ts_s, delta)
  end
  return true
end
