description = "A line for each message on a network socket, as tcpdump has one for each packet: when, protocol, from where to where, bytes, and which program. What programs send and receive, before and after the kernel cuts and joins it. With -pc also the container."
short_description = "Messages on network sockets, one a line"
category = "Net"
args = {}

local columns = require "columns"

local ACCEPTS = { accept = true, accept4 = true }

local fields = {}
local container, report
-- Which sockets were accepted (true) or connected (false), by process and fd: of a connection within this machine the
-- addresses do not tell which end a socket is.
local accepted = {}

function on_init()
  for _, name in ipairs { "evt.time", "evt.type", "evt.is_io", "evt.is_io_read", "evt.rawres", "fd.l4proto", "fd.lip",
    "fd.lport", "fd.rip", "fd.rport", "fd.cip", "fd.cport", "fd.sip", "fd.sport", "fd.name", "fd.num", "proc.name",
    "proc.pid" } do
    fields[name] = chisel.request_field(name)
  end
  container = chisel.request_field("container.name")
  chisel.set_filter("evt.dir=< and fd.sockfamily=ip and ((evt.is_io=true and evt.rawres>0)"
    .. " or evt.type in (accept, accept4, connect))")
  return true
end

function on_capture_start()
  report = columns.new(columns.with_container {
    { name = "time", title = "TIME", width = 18 },
    { name = "protocol", title = "PROTO", width = 5 },
    { name = "from", title = "FROM", width = 21 },
    { name = "direction", title = "", width = 1, text = function() return ">" end },
    { name = "to", title = "TO", width = 21 },
    { name = "bytes", title = "BYTES", width = 8, right = true },
    { name = "process", title = "PROCESS", width = 0 },
  })
  report:titles()
  return true
end

local function value(name)
  return evt.field(fields[name])
end

local function address(ip, port)
  if not ip then
    return nil
  end
  return (ip:find(":", 1, true) and "[" .. ip .. "]" or ip) .. ":" .. (port or 0)
end

-- This end of the connection and the other one.
local function ends(socket)
  local is_server = accepted[socket]
  if is_server == nil then
    return address(value("fd.lip"), value("fd.lport")), address(value("fd.rip"), value("fd.rport"))
  end
  local client, server = address(value("fd.cip"), value("fd.cport")), address(value("fd.sip"), value("fd.sport"))
  if is_server then
    return server, client
  end
  return client, server
end

function on_event()
  local pid = value("proc.pid") or -1
  local socket = pid .. ":" .. (value("fd.num") or -1)
  if not value("evt.is_io") then
    accepted[socket] = ACCEPTS[value("evt.type")] == true
    return false
  end
  -- A socket of which not both ends are known has its name on the other side.
  local here, there = ends(socket)
  there = there or value("fd.name")
  local is_read = value("evt.is_io_read")
  local from, to = here, there
  if is_read then
    from, to = there, here
  end
  local who = string.format("%s(%d)", value("proc.name") or "", pid)
  report:row(columns.in_container(container, { value("evt.time"), value("fd.l4proto"), from, is_read and "in" or "out", to,
    value("evt.rawres"), who }))
  return false
end
