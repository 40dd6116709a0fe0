description = "The ids of the login shells in which commands were run, to be used with proc.loginshellid in a filter."
short_description = "List the login shell IDs"
category = "Security"
args = {
  { name = "command", description = "Only shells in which a command with this in its name was run; * for any.", argtype = "string", optional = true },
  { name = "arguments", description = "Only shells in which a command with this in its arguments was run.", argtype = "string", optional = true },
}

require "common"

local command, arguments
local shell, exe, given, container, container_id
local found = {}

function on_set_arg(name, value)
  if name == "arguments" then
    arguments = value
  elseif value ~= "*" then
    command = value
  end
  return true
end

function on_init()
  shell = chisel.request_field("proc.loginshellid")
  exe = chisel.request_field("evt.arg.exe")
  given = chisel.request_field("evt.arg.args")
  container = chisel.request_field("container.name")
  container_id = chisel.request_field("container.id")
  chisel.set_filter("evt.type=execve")
  return true
end

local function has(text, part)
  return not part or (text and text:find(part, 1, true))
end

function on_event()
  local id, name = evt.field(shell), evt.field(exe)
  if id and name and has(name, command) and has(evt.field(given), arguments) then
    found[id] = { evt.field(container) or "", evt.field(container_id) or "" }
  end
  return true
end

function on_capture_end()
  print(command and ("Shells containing " .. command .. ":") or "All shells:")
  local function by_id(_, a, b)
    return a < b
  end
  for id, where in pairs_top_by_val(found, 0, by_id) do
    if sysdig.is_print_container_data() then
      print(id .. " " .. where[1] .. " " .. where[2])
    else
      print(id)
    end
  end
end
