-- What spectrogram and subsecoffset have in common: a row of coloured places for each interval.

require "common"
local terminal = require "ansiterminal"
terminal.enable_color(true)

-- From green (seldom) to red (often), of the palette of 256 colours.
local COLORS = { 22, 28, 64, 34, 2, 76, 46, 118, 154, 191, 227, 226, 11, 220, 209, 208, 202, 197, 9, 1 }
-- Calls by second that one colour is above the one before.
local STEP = math.log(1.6)
-- Shades between two colours.
local SHADES = { " ", "░", "▒", "░" }
local BLANK = "\27[48;5;0m "

-- Defines the callbacks of a chisel. `refresh_ms` is the interval when none is given, `filter` and `field` choose what
-- is counted, `bounds(width, interval_ns)` gives the least value of each place, and what values are taken modulo;
-- `labels(width, interval_ns)` gives the line below.
return function(refresh_ms, filter, field, bounds, labels)
  local interval = refresh_ms * ONE_MS_IN_NS
  local counter
  local width = 80
  -- The line below.
  local scale

  function on_set_arg(name, value)
    interval = parse_numeric_input(value, name) * ONE_MS_IN_NS
    return true
  end

  function on_init()
    if not sysdig.is_tty() then
      print("This chisel only works on ANSI terminals. Aborting.")
      return false
    end
    local columns = sysdig.get_terminal_info().width
    width = columns > 0 and columns or width
    local line = labels(width, interval):sub(1, width)
    scale = line .. string.rep(" ", width - #line)
    chisel.set_filter(filter)
    counter = chisel.count(field, bounds(width, interval))
    terminal.hidecursor()
    return true
  end

  function on_capture_start()
    chisel.set_interval_ns(interval)
    return true
  end

  -- A coloured place for so many events. There are few such numbers and many places.
  local places = setmetatable({}, {
    __index = function(known, count)
      local color = math.log(count * ONE_S_IN_NS / interval + 1) / STEP
      color = math.max(1, math.min(#COLORS, color))
      local low, high = math.floor(color), math.ceil(color)
      local part = color - low
      if part > 0.75 then
        low, high = high, low
      end
      known[count] = string.format("\27[38;5;%dm\27[48;5;%dm%s", COLORS[low], COLORS[high],
        SHADES[math.floor(1 + part * #SHADES)])
      return known[count]
    end,
  })

  function on_interval()
    local counts = counter:take()
    local row = {}
    for at = 1, width do
      row[at] = counts[at] and places[counts[at]] or BLANK
    end
    terminal.moveup(1)
    io.write(table.concat(row), terminal.reset, "\n", scale, "\n")
    return true
  end

  function on_capture_end()
    if sysdig.is_tty() then
      on_interval()
      print(terminal.reset)
      terminal.showcursor()
    end
    return true
  end
end
