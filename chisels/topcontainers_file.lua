-- Containers by bytes of files.

description = "The containers that read and write most bytes of files."
short_description = "Containers by bytes of files"
category = "I/O"
args = {}

function on_init()
  chisel.exec("table_generator", "container.name", "container.name", "evt.rawarg.res", "Bytes",
    "fd.type=file and evt.is_io=true and container.name!=host", "10", "bytes")
  return true
end
