-- Files by failed calls.

description = "The files on which most system calls failed. With -pc also their container."
short_description = "Files by failed calls"
category = "Errors"
args = {}

function on_init()
  local keys, titles = "fd.name", "Filename"
  if sysdig.is_print_container_data() then
    keys, titles = "fd.name,container.name", "Filename,container.name"
  end
  chisel.exec("table_generator", keys, titles, "evt.count", "#Errors", "fd.type=file and evt.failed=true", "100", "none")
  return true
end
