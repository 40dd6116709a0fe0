description = "How long system calls take, over time, in 24-bit colours: latency from left to right, a row for each interval, from dark (seldom) to bright (often). On a terminal as it happens; with the name of a file, which ends with .png or .svg, as a picture at the end."
short_description = "Latency over time as a picture"
category = "CPU Usage"
args = {
  { name = "output", description = "A file to be made, ending with .png or .svg; none for the terminal.", argtype = "string", optional = true },
  { name = "refresh_time", description = "Milliseconds of an interval [default: 500]. May stand alone.", argtype = "int", optional = true },
}

require "common"
local decades = require "decades"
local terminal = require "ansiterminal"
terminal.enable_color(true)

-- Calls by second that are as bright as it gets.
local BRIGHTEST = 10000
-- Of a picture: places in a row, pixels of a place, and the last rows that are kept.
local PLACES, PIXELS_WIDE, PIXELS_HIGH, MAX_ROWS = 220, 4, 6, 2000

-- Red, green and blue between which the colours of counts lie.
local STOPS = { { 0, 0, 4 }, { 60, 15, 110 }, { 140, 40, 130 }, { 220, 70, 100 }, { 250, 150, 90 }, { 252, 250, 190 } }

local output, interval = nil, 500 * ONE_MS_IN_NS
local counter
local width = PLACES
local rows, row_count = {}, 0

function on_set_arg(name, value)
  if tonumber(value) then
    interval = parse_numeric_input(value, name) * ONE_MS_IN_NS
    return interval > 0
  end
  output = value
  if not (ends_with(output, ".png") or ends_with(output, ".svg")) then
    print("A picture ends with .png or .svg.")
    return false
  end
  return true
end

function on_init()
  if not output then
    if not sysdig.is_tty() then
      print("Without a file to be made, this needs a terminal.")
      return false
    end
    local columns = sysdig.get_terminal_info().width
    width = columns > 0 and columns or 80
    terminal.hidecursor()
  end
  chisel.set_filter("evt.dir=<")
  counter = chisel.count("evt.latency", decades.bounds(width))
  chisel.set_interval_ns(interval)
  return true
end

-- The colour of so many calls in an interval: black for none, and each power of ten brighter than the one before.
local function color(count)
  if not count then
    return 0, 0, 0
  end
  local share = math.log(count * ONE_S_IN_NS / interval + 1) / math.log(BRIGHTEST)
  local place = math.min(share, 1) * (#STOPS - 1) + 1
  local low = math.min(math.floor(place), #STOPS - 1)
  local part = place - low
  local function mixed(channel)
    return math.floor(STOPS[low][channel] + (STOPS[low + 1][channel] - STOPS[low][channel]) * part + 0.5)
  end
  return mixed(1), mixed(2), mixed(3)
end

local function draw(counts)
  local cells = {}
  for at = 1, width do
    cells[at] = string.format("\27[48;2;%d;%d;%dm ", color(counts[at]))
  end
  terminal.moveup(1)
  io.write(table.concat(cells), terminal.reset, "\n", extend_string(decades.labels(width), width), "\n")
end

function on_interval()
  local counts = counter:take()
  if output then
    row_count = row_count + 1
    rows[row_count % MAX_ROWS] = counts
  else
    draw(counts)
  end
  return true
end

-- The rows that were kept, oldest first.
local function kept_rows()
  local kept = {}
  for at = math.max(row_count - MAX_ROWS, 0) + 1, row_count do
    kept[#kept + 1] = rows[at % MAX_ROWS]
  end
  return kept
end

-- Every place a rectangle of pixels, with a line on top in which each power of ten begins with a white pixel.
local function png(kept)
  local scale = {}
  for at = 1, PLACES do
    local begins = math.floor((at - 1) * decades.COUNT / PLACES) ~= math.floor((at - 2) * decades.COUNT / PLACES)
    scale[at] = (begins and "\255\255\255" or "\0\0\0") .. string.rep("\0\0\0", PIXELS_WIDE - 1)
  end
  local lines = { string.rep(table.concat(scale), PIXELS_HIGH) }
  for _, row in ipairs(kept) do
    local line = {}
    for at = 1, PLACES do
      line[at] = string.rep(string.char(color(row[at])), PIXELS_WIDE)
    end
    lines[#lines + 1] = string.rep(table.concat(line), PIXELS_HIGH)
  end
  sysdig.save_png(output, PLACES * PIXELS_WIDE, #lines * PIXELS_HIGH, table.concat(lines))
end

local function svg(kept)
  local left, top = 10, 20
  local height = #kept * PIXELS_HIGH
  local out = { string.format('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="monospace" font-size="10">',
    PLACES * PIXELS_WIDE + 2 * left, height + top + 10), '<rect width="100%" height="100%" fill="black"/>' }
  for decade = 0, decades.COUNT - 1 do
    local x = left + decade * PLACES * PIXELS_WIDE / decades.COUNT
    out[#out + 1] = string.format('<text x="%d" y="14" fill="white">|%s</text>', x, format_time_interval(10 ^ decade))
  end
  for at, row in ipairs(kept) do
    for place = 1, PLACES do
      if row[place] then
        out[#out + 1] = string.format('<rect x="%d" y="%d" width="%d" height="%d" fill="#%02x%02x%02x"><title>%d</title></rect>',
          left + (place - 1) * PIXELS_WIDE, top + (at - 1) * PIXELS_HIGH, PIXELS_WIDE, PIXELS_HIGH,
          select(1, color(row[place])), select(2, color(row[place])), select(3, color(row[place])), row[place])
      end
    end
  end
  out[#out + 1] = "</svg>\n"
  sysdig.save(output, table.concat(out, "\n"))
end

function on_capture_end()
  on_interval()
  if not output then
    print(terminal.reset)
    terminal.showcursor()
    return
  end
  local kept = kept_rows()
  if ends_with(output, ".svg") then
    svg(kept)
  else
    png(kept)
  end
  if sysdig.get_output_format() ~= "json" then
    print(string.format("%d intervals of %s in %s", #kept, format_time_interval(interval), output))
  end
end
