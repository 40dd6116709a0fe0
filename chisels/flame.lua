description = "Where programs spend their time, by the spans they report. Programs no longer report spans: this chisel only says so."
short_description = "Flame graph of spans"
category = "Performance"
args = {}

function on_init()
  print("This chisel uses tracers and is deprecated.")
  return false
end
