-- Containers by failed calls.

description = "The containers in which most system calls fail."
short_description = "Containers by failed calls"
category = "Errors"
args = {}

function on_init()
  chisel.exec("table_generator", "container.name", "container.name", "evt.count", "#Errors",
    "evt.failed=true and container.name!=host", "100", "none")
  return true
end
