description = "How many bytes all programs together read and write every second: descriptors of all kinds."
short_description = "Sum of I/O bytes on any type of FD"
category = "I/O"
args = {}

require "io_sums"("evt.is_io=true")
