description = "Every line that programs write to log files (names with .log, _log or /var/log), warnings in yellow, errors in red."
short_description = "Echo any write made by any process to a log file. Optionally, export the events around each log message to file."
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

local with_containers, is_tty = sysdig.is_print_container_data(), sysdig.is_tty()
local buffer, tid, process, name, container

function on_init()
  buffer = chisel.request_field("evt.buffer")
  tid = chisel.request_field("thread.tid")
  process = chisel.request_field("proc.name")
  name = chisel.request_field("fd.name")
  container = chisel.request_field("container.name")
  sysdig.set_snaplen(2000)
  sysdig.set_output_format("ascii")
  chisel.set_filter("((fd.name contains .log or fd.name contains _log or fd.name contains /var/log)"
    .. " and not (fd.name contains .gz or fd.name contains .tgz))"
    .. " and evt.is_io_write=true and evt.dir=< and evt.failed=false")
  return true
end

local function color_of(message)
  if message:lower():find("warn", 1, true) then
    return terminal.yellow
  elseif message:find("err", 1, true) then
    return terminal.red
  end
  return terminal.green
end

function on_event()
  local who = (evt.field(process) or "<NA>") .. " " .. (evt.field(name) or "<NA>") .. " "
  local where = tostring(evt.field(container))
  for _, message in ipairs(split(evt.field(buffer) or "", "\n")) do
    if #message > 0 then
      local color = is_tty and color_of(message) or ""
      if not is_tty then
        print((with_containers and (where .. " ") or "") .. who .. message)
      elseif with_containers then
        local shown = (where ~= "host" and terminal.blue or color) .. " " .. where
        print(string.format("%s %s %s %s%s", color, shown, color, who, message))
      else
        print(string.format("%s %s%s", color, who, message))
      end
    end
  end
  spied.note(evt.field(tid))
  return true
end
