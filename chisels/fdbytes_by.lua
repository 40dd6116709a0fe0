-- Bytes of files and connections by any field.

description = "Sums the bytes that are read and written, for each value of a field: fd.name, proc.name, fd.directory …"
short_description = "Bytes of files and connections by any field"
category = "I/O"
args = {
  { name = "key", description = "the field by which is summed", argtype = "string" },
}

local key

function on_set_arg(_, value)
  key = value
  return true
end

function on_init()
  chisel.exec("table_generator", key, key, "evt.rawarg.res", "Bytes", "evt.is_io=true and evt.failed=false", "30", "bytes")
  return true
end
