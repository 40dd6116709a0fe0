description = "How many bytes all programs together read and write every second: network connections."
short_description = "Show total network I/O bytes"
category = "Net"
args = {}

require "io_sums"("evt.is_io=true and (fd.type=ipv4 or fd.type=ipv6)")
