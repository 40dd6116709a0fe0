-- What ps, lsof, netstat and lscontainers have in common: they show a table once, as it is at the first event.

require "common"

-- Defines the callbacks of a chisel. `filter_of` makes a filter of the argument; `show` prints what passes it.
-- `needs_event`: there is nothing to show when no event passes the filter of the command line.
return function(filter_of, needs_event, show)
  local argument
  local started, matched = false, false

  function on_set_arg(_, value)
    argument = value
    return true
  end

  function on_init()
    return true
  end

  function on_capture_start()
    started = true
    return true
  end

  function on_event()
    matched = true
    sysdig.end_capture()
    return false
  end

  function on_capture_end()
    if started and needs_event and not matched then
      print("empty capture or no event matching the filter")
    elseif started then
      show(filter_of(argument), argument)
    end
  end
end
