-- What iobytes, iobytes_file and iobytes_net have in common: sums of what is read and written, every second.

-- Defines the callbacks of a chisel; `filter` chooses the events.
return function(filter)
  local bytes_in, bytes_out = 0, 0
  local size, is_read, clock

  function on_init()
    size = chisel.request_field("evt.rawarg.res")
    is_read = chisel.request_field("evt.is_io_read")
    clock = chisel.request_field("evt.time.s")
    chisel.set_filter(filter)
    chisel.set_interval_s(1)
    return true
  end

  function on_event()
    local bytes = evt.field(size)
    if bytes and bytes > 0 then
      if evt.field(is_read) then
        bytes_in = bytes_in + bytes
      else
        bytes_out = bytes_out + bytes
      end
    end
    return true
  end

  function on_interval()
    print(("%s in:%d out:%d tot:%d"):format(evt.field(clock) or "", bytes_in, bytes_out, bytes_in + bytes_out))
    bytes_in, bytes_out = 0, 0
    return true
  end
end
