-- What a terminal is told: colours, where to write, what to clear.

local terminal = {}

local ESCAPE = string.char(27) .. "["

local COLOURS = { "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white" }
local ATTRIBUTES = { reset = 0, clear = 0, bright = 1, dim = 2, underscore = 4, blink = 5, reverse = 7, hidden = 8 }

local codes = {}
for name, code in pairs(ATTRIBUTES) do
  codes[name] = code
end
for i, name in ipairs(COLOURS) do
  codes[name] = 29 + i
  codes["on" .. name] = 39 + i
end

-- Colours are empty texts until they are switched on.
function terminal.enable_color(on)
  for name, code in pairs(codes) do
    terminal[name] = on == true and ESCAPE .. code .. "m" or ""
  end
end

local function command(text)
  io.write(ESCAPE .. text)
end

function terminal.clearscreen() command("2J") end
function terminal.clearline() command("2K") end
function terminal.moveto(line, column) command(line .. ";" .. column .. "H") end
function terminal.moveup(lines) command(lines .. "F") end
function terminal.hidecursor() command("?25l") end
function terminal.showcursor() command("?25h") end
-- One of 256 colours.
function terminal.setfgcol(colour) command("38;5;" .. colour .. "m") end
function terminal.setbgcol(colour) command("48;5;" .. colour .. "m") end

return terminal
