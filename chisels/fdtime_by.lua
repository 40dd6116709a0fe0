-- Time of reads and writes by any field.

description = "Sums the time that reads and writes take, for each value of a field: fd.name, proc.name, fd.type …"
short_description = "Time of reads and writes by any field"
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
  chisel.exec("table_generator", key, key, "evt.latency", "Time", "evt.is_io=true", "10", "time")
  return true
end
