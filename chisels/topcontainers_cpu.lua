description = "The containers that use the most CPU time, in percent of the time that passed."
short_description = "Top containers by CPU usage"
category = "CPU Usage"
args = {}

require "cpu_table"({ "container.name" }, { "container.name" })
