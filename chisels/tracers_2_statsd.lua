description = "Sends the spans that programs report to a statsd server. Programs no longer report spans: this chisel only says so."
short_description = "Export spans duration as statsd metrics."
category = "Tracers"
args = {
  { name = "server_addr", description = "Address of the server [default: 127.0.0.1].", argtype = "string", optional = true },
  { name = "server_port", description = "Port of the server [default: 8125].", argtype = "string", optional = true },
}

function on_set_arg()
  return true
end

function on_init()
  print("This chisel uses tracers and is deprecated")
  return false
end
