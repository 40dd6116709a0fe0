description = "The containers that use the most CPU time, in percent of the time that passed."
short_description = "Top containers by CPU usage"
category = "CPU Usage"
args = {}

function on_init()
  chisel.exec("table_generator", "container.name", "container.name", "thread.cpu", "CPU%", "evt.type=procinfo", "10", "cpu")
  return true
end
