description = "What programs write to their standard output, as it is."
short_description = "Print stdout of processes"
category = "I/O"
args = {}

local data

function on_init()
  data = chisel.request_field("evt.rawarg.data")
  sysdig.set_snaplen(2000)
  chisel.set_filter("fd.num=1 and evt.is_io=true")
  return true
end

function on_event()
  local text = evt.field(data)
  if text then
    print(text)
  end
  return true
end
