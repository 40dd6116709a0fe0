-- A table of sums that is shown every second when live, and once at the end of a file.

require "common"
local terminal = require "ansiterminal"
terminal.enable_color(true)

-- Defines the callbacks of a chisel that begin and show. `info` is that of print_sorted_table, `sums` gives the table
-- so far and begins a new one.
return function(info, sums)
  local is_live = false

  local function show(ts_s, ts_ns, delta)
    if is_live and info.output_format ~= "json" then
      terminal.clearscreen()
      terminal.moveto(0, 0)
    end
    print_sorted_table(sums(), ts_s, ts_ns, delta, info)
  end

  function on_capture_start()
    is_live = sysdig.is_live()
    info.output_format = sysdig.get_output_format()
    if is_live then
      chisel.set_interval_s(1)
      if info.output_format ~= "json" then
        terminal.clearscreen()
        terminal.hidecursor()
      end
    end
    return true
  end

  function on_interval(ts_s, _, delta)
    show(ts_s, 0, delta)
    return true
  end

  function on_capture_end(ts_s, _, delta)
    if is_live and info.output_format ~= "json" then
      terminal.clearscreen()
      terminal.moveto(0, 0)
      terminal.showcursor()
    else
      show(ts_s, 0, delta)
    end
    return true
  end
end
