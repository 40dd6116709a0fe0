-- What spy_ip and spy_port have in common: what is sent and received on network connections.

require "common"
local terminal = require "ansiterminal"
terminal.enable_color(true)

-- Defines the callbacks of a chisel whose first argument `argument` goes into the condition `condition`.
return function(argument, condition)
  local wanted, data, is_read, size

  function on_set_arg(name, value)
    if name == argument then
      wanted = value
    elseif value == "disable_color" or value == "disable_colors" then
      terminal.enable_color(false)
    end
    return true
  end

  function on_init()
    data = chisel.request_field("evt.arg.data")
    is_read = chisel.request_field("evt.is_io_read")
    size = chisel.request_field("evt.rawarg.res")
    sysdig.set_snaplen(1000)
    chisel.set_filter("evt.is_io=true and (fd.type=ipv4 or fd.type=ipv6) and " .. condition .. wanted)
    return true
  end

  function on_event()
    local bytes, text = evt.field(size), evt.field(data)
    if not bytes or bytes <= 0 or not text then
      return true
    end
    local reads = evt.field(is_read) == true
    print(string.format("%s------ %s %s", reads and terminal.red or terminal.blue, reads and "Read" or "Write",
      format_bytes(bytes)))
    print(text)
    return true
  end

  function on_capture_end()
    print(terminal.reset)
  end
end
