-- System calls by number.

description = "The system calls, and other events, that happen most often. With -pc also their container."
short_description = "System calls by number"
category = "Performance"
args = {}

function on_init()
  local keys, titles = "evt.type", "Syscall"
  if sysdig.is_print_container_data() then
    keys, titles = "evt.type,container.name", "Syscall,container.name"
  end
  chisel.exec("table_generator", keys, titles, "evt.count", "# Calls", "evt.type!=switch", "30", "none")
  return true
end
