-- HTTP/1 requests and their responses in what is read and written. Globals: people's chisels use them by name.

-- Requests without response so far, by process and descriptor.
local open = {}
local buffer, fd, pid, time, direction, container

function http_init()
  chisel.set_filter("evt.is_io = true and evt.buflen > 0 and (fd.sockfamily = ip or fd.sockfamily = unix)")
  buffer = chisel.request_field("evt.buffer")
  fd = chisel.request_field("fd.num")
  pid = chisel.request_field("proc.pid")
  time = chisel.request_field("evt.rawtime")
  datetime_field = chisel.request_field("evt.datetime")
  direction = chisel.request_field("evt.io_dir")
  container = chisel.request_field("container.name")
  sysdig.set_snaplen(1024)
end

-- The first line of a request and its Host; line ends are dots here.
function parse_request(text)
  local method, url = text:match("^(%u+) ([^%s%c]+)")
  if not method then
    return nil
  end
  local host = text:match("Host: ([^%s%c]+)%.%.")
  return { method = method, url = (host or "") .. url }
end

function parse_response(text)
  local code = text:match("HTTP/[^%s%c]+ (%d+)")
  if not code then
    return nil
  end
  return { code = tonumber(code), length = tonumber(text:match("Content%-Length: (%d+)%.%.") or 0) }
end

local ARROWS = { read = "<", write = ">" }

-- Looks at the event at hand; a response to a request that was seen completes a transaction.
function run_http_parser(_, on_transaction)
  local text = evt.field(buffer)
  if not text then
    return
  end
  local key = string.format("%d\001\001%d", evt.field(pid) or -1, evt.field(fd) or -1)
  local transaction = open[key]
  if transaction then
    transaction.response = parse_response(text)
    if transaction.response then
      transaction.response.ts = evt.field(time)
      open[key] = nil
      on_transaction(transaction)
    end
    return
  end
  local request = parse_request(text)
  if request then
    request.ts = evt.field(time)
    open[key] = {
      request = request,
      dir = ARROWS[evt.field(direction)] or "<NA>",
      container = evt.field(container) or "",
    }
  end
end
