description = "The processes that use the most CPU time, in percent of the time that passed."
short_description = "Top processes by CPU usage"
category = "CPU Usage"
args = {}

local names, titles = { "proc.name", "proc.pid" }, { "Process", "PID" }
if sysdig.is_print_container_data() then
  names = { "proc.name", "proc.pid", "proc.vpid", "container.name" }
  titles = { "Process", "Host_pid", "Container_pid", "container.name" }
end

require "cpu_table"(names, titles)
