description = "Where time goes: a flame graph of system calls, each on top of the program that makes it and its ancestors, as wide as the time that it takes. Printed as a line for each stack (init;sshd;bash;read 1500, in us), which tools for flame graphs and speedscope read, or saved as a picture."
short_description = "Flame graph of system calls by program and ancestors"
category = "Performance"
args = {
  { name = "output", description = "A file to be made, ending with .svg; none for lines.", argtype = "string", optional = true },
}

require "common"

-- Ancestors that are looked at.
local MAX_DEPTH = 12
-- Of the picture.
local WIDTH, HEIGHT, LETTER = 1200, 17, 7
-- What is narrower, in pixels, is left out of the picture.
local NARROWEST = 0.1

local output
local name, pid, call, latency
local ancestors = {}
-- ns by stack.
local stacks = {}
-- The stack of each process, by its number and name.
local known = {}

function on_set_arg(_, value)
  output = value
  if not ends_with(output, ".svg") then
    print("A picture ends with .svg.")
    return false
  end
  return true
end

function on_init()
  name = chisel.request_field("proc.name")
  pid = chisel.request_field("proc.pid")
  call = chisel.request_field("syscall.type")
  latency = chisel.request_field("evt.latency")
  for at = 1, MAX_DEPTH do
    ancestors[at] = chisel.request_field("proc.aname[" .. at .. "]")
  end
  chisel.set_filter("evt.dir=< and syscall.type exists")
  return true
end

-- Semicolons separate the parts of a stack.
local function part(text)
  return (text:gsub(";", ","))
end

local function stack_of(process)
  local parts = { part(process) }
  for at = 1, MAX_DEPTH do
    local ancestor = evt.field(ancestors[at])
    if not ancestor then
      break
    end
    table.insert(parts, 1, part(ancestor))
  end
  return table.concat(parts, ";")
end

function on_event()
  local time = evt.field(latency)
  if not time or time <= 0 then
    return false
  end
  local process = evt.field(name) or "<NA>"
  local key = (evt.field(pid) or -1) .. process
  local stack = known[key]
  if not stack then
    stack = stack_of(process)
    known[key] = stack
  end
  stack = stack .. ";" .. evt.field(call)
  stacks[stack] = (stacks[stack] or 0) + time
  return false
end

local function by_name(_, a, b)
  return a < b
end

-- The stacks as a tree: each node has its name, its time and its nodes by name.
local function tree()
  local root = { name = "all", time = 0, nodes = {} }
  for stack, time in pairs(stacks) do
    local node = root
    node.time = node.time + time
    for _, step in ipairs(split(stack, ";")) do
      node.nodes[step] = node.nodes[step] or { name = step, time = 0, nodes = {} }
      node = node.nodes[step]
      node.time = node.time + time
    end
  end
  return root
end

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

-- What traced programs are called must not become markup.
local function escaped(text)
  return (text:gsub('[&<>"]', ESCAPES):gsub("[%c\127-\255]", "?"))
end

local function svg()
  local root = tree()
  local boxes, depth = {}, 0
  local function box(node, x, level)
    local wide = root.time > 0 and node.time / root.time * WIDTH or 0
    if wide < NARROWEST then
      return
    end
    depth = math.max(depth, level)
    boxes[#boxes + 1] = { node = node, x = x, wide = wide, level = level }
    for _, child in pairs_top_by_val(node.nodes, 0, by_name) do
      box(child, x, level + 1)
      x = x + child.time / root.time * WIDTH
    end
  end
  box(root, 0, 0)
  local height = (depth + 1) * HEIGHT
  local out = { string.format('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="monospace" font-size="12">',
    WIDTH, height) }
  for _, b in ipairs(boxes) do
    local y = height - (b.level + 1) * HEIGHT
    local share = root.time > 0 and b.node.time / root.time * 100 or 0
    local shade = 90 + #b.node.name * 37 % 110
    local shown = b.node.name:sub(1, math.max(math.floor(b.wide / LETTER) - 1, 0))
    out[#out + 1] = string.format('<g><title>%s: %s, %.2f%%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="#e6%02x32" stroke="white" stroke-width="0.5"/><text x="%.1f" y="%d">%s</text></g>',
      escaped(b.node.name), format_time_interval(b.node.time), share, b.x, y, b.wide, HEIGHT, shade, b.x + 2, y + 13, escaped(shown))
  end
  out[#out + 1] = "</svg>\n"
  return table.concat(out, "\n")
end

function on_capture_end()
  if output then
    sysdig.save(output, svg())
    return
  end
  for stack, time in pairs_top_by_val(stacks, 0, by_name) do
    print(string.format("%s %d", stack, math.floor(time / ONE_US_IN_NS + 0.5)))
  end
end
