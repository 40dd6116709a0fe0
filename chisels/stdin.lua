description = "What programs read from their standard input, as it is."
short_description = "Print stdin of processes"
category = "I/O"
args = {}

local data

function on_init()
  data = chisel.request_field("evt.rawarg.data")
  sysdig.set_snaplen(2000)
  chisel.set_filter("fd.num=0 and evt.is_io=true")
  return true
end

function on_event()
  local text = evt.field(data)
  if text then
    print(text)
  end
  return true
end
