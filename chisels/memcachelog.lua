description = "The gets and sets that memcached is asked for, with key and size."
short_description = "memcached requests log"
category = "Application"
args = {
  { name = "method", description = "Only this method: get or set.", argtype = "string", optional = true },
  { name = "size", description = "Only sets of at least so many bytes.", argtype = "int", optional = true },
}

require "common"

local wanted, least
local data, time

function on_set_arg(name, value)
  if name == "method" then
    wanted = value
  else
    least = parse_numeric_input(value, name)
  end
  return true
end

function on_init()
  chisel.set_filter("(fd.sport=11211 or proc.name=memcached) and evt.is_io=true")
  sysdig.set_snaplen(4096)
  data = chisel.request_field("evt.arg[1]")
  time = chisel.request_field("evt.datetime")
  return true
end

function on_event()
  -- METHOD KEY FLAGS TIME SIZE (memcached's protocol.txt, "Storage commands")
  local words = split(evt.field(data) or "", " ")
  local method, key, size = words[1], words[2], tonumber(words[5]) or 0
  if not method:find("^[gs]et") or not key then
    return true
  end
  if (wanted and wanted ~= method) or (least and wanted == "set" and size < least) then
    return true
  end
  print(string.format("%s method=%s size=%dB key=%s", evt.field(time), method, size, key))
  return true
end
