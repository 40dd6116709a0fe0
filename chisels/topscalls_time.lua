-- System calls by time.

description = "The system calls in which most time is spent. With -pc also their container."
short_description = "System calls by time"
category = "Performance"
args = {}

function on_init()
  local keys, titles = "evt.type", "Syscall"
  if sysdig.is_print_container_data() then
    keys, titles = "evt.type,container.name", "Syscall,container.name"
  end
  chisel.exec("table_generator", keys, titles, "evt.latency", "Time", "", "30", "time")
  return true
end
