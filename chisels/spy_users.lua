description = "The commands that people run in their shells, and the directories they go to; what a command starts is indented."
short_description = "Display interactive user activity"
category = "Security"
args = {
  { name = "max_depth", description = "How many levels of commands are shown.", argtype = "int", optional = true },
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

require "common"
local terminal = require "ansiterminal"
terminal.enable_color(true)

-- How far up a shell is looked for.
local ANCESTORS = 16

local with_containers = sysdig.is_print_container_data()
local max_depth = math.huge
local fields, names, ids = {}, {}, {}
-- Process → how deep it is below a shell, and that shell's id; depth -1 when it is below none.
local tree = {}

function on_set_arg(name, value)
  if name == "max_depth" then
    max_depth = parse_numeric_input(value, name)
  elseif value == "disable_color" then
    terminal.enable_color(false)
  end
  return true
end

function on_init()
  for _, name in ipairs { "evt.type", "proc.exe", "proc.args", "evt.arg.path", "user.name", "evt.time.s", "proc.pid",
    "proc.ppid", "container.name" } do
    fields[name] = chisel.request_field(name)
  end
  for level = 0, ANCESTORS do
    names[level] = chisel.request_field("proc.aname[" .. level .. "]")
    ids[level] = chisel.request_field("proc.apid[" .. level .. "]")
  end
  chisel.set_filter("((evt.type=execve and evt.dir=<) or (evt.type=chdir and evt.dir=<"
    .. " and proc.name contains sh and not proc.name contains sshd)) and evt.failed=false")
  return true
end

-- Where a process stands: below the outermost shell among its ancestors, the first of which is at level `first`.
local function place_of(first)
  local place = { depth = -1 }
  for level = first, ANCESTORS do
    local name, id = evt.field(names[level]), evt.field(ids[level])
    if not name and not id then
      break
    end
    if name and #name >= 2 and name:sub(-2) == "sh" then
      place = { depth = tree[id] and (level - first) or 0, shell = id }
    end
  end
  return place
end

function on_event()
  local function value(name)
    return evt.field(fields[name])
  end
  local is_chdir = value("evt.type") == "chdir"
  local pid = value("proc.pid")
  -- A shell that changes its directory does so itself; a command was started by its parent.
  local owner = is_chdir and pid or value("proc.ppid")
  tree[owner] = tree[owner] or place_of(is_chdir and 0 or 1)
  local place = tree[owner]
  if place.depth < 0 then
    return true
  end
  tree[pid] = tree[pid] or { depth = place.depth + 1, shell = place.shell }
  local depth = tree[pid].depth - (is_chdir and 0 or 1)
  if depth > max_depth then
    return true
  end
  local who, color, step = value("user.name") or "<NA>", "", 3
  if with_containers then
    local container = value("container.name") or ""
    who, step = who .. "@" .. container, 4
    color = container == "host" and terminal.green or terminal.blue
  elseif is_chdir then
    step = 4
  end
  local what = is_chdir and ("cd " .. (value("evt.arg.path") or ""))
    or ((value("proc.exe") or "") .. " " .. (value("proc.args") or ""))
  print(color .. string.rep(" ", step * depth) .. tree[pid].shell .. " " .. value("evt.time.s") .. " " .. who .. ") "
    .. what)
  return true
end

function on_capture_end()
  print(terminal.reset)
end
