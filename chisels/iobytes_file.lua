description = "How many bytes all programs together read and write every second: files."
short_description = "Sum of file I/O bytes"
category = "I/O"
args = {}

require "io_sums"("evt.is_io=true and fd.type=file")
