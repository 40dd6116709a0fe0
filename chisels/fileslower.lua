description = "Reads and writes of files that took longer than some milliseconds. Devices are left out."
short_description = "Trace slow file I/O"
category = "Performance"
args = {
  { name = "min_ms", description = "Milliseconds from which on a call is shown.", argtype = "int" },
  { name = "disable_color", description = "'disable_color' for no colours.", argtype = "string", optional = true },
}

local function is_device(name)
  return not name or name:sub(1, 5) == "/dev/"
end

require "slower"("evt.is_io=true and fd.type=file", " %-20.20s", {
  { title = "proc.name", format = "%-12.12s", title_format = "%-12.12s", dashes = 12, field = "proc.name" },
  { title = "evt.type", format = "%-8s", title_format = "%-8s", dashes = 8, field = "evt.type" },
  { title = "LATENCY(ms)", format = "%12d", title_format = "%-12s", dashes = 12 },
  { title = "fd.name", format = "%s", title_format = "%s", dashes = 41, field = "fd.name" },
}, is_device)
