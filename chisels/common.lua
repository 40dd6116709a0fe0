-- What many chisels need: text in columns, numbers with units, sorted tables. All of it is global.

json = require "dkjson"

ONE_S_IN_NS = 1000000000
ONE_MS_IN_NS = 1000000
ONE_US_IN_NS = 1000

-- Stands between the parts of a key of print_sorted_table.
KEY_SEPARATOR = "\001\001"

local COLUMN = 20

-- A value as text that Lua can read, tables with one member a line.
function st(value, name, in_one_line, depth)
  depth = depth or 0
  local indent = string.rep(" ", depth)
  local start = indent .. (name and (name .. " = ") or "")
  local kind = type(value)
  if kind == "string" then
    return start .. string.format("%q", value)
  elseif kind == "number" or kind == "boolean" then
    return start .. tostring(value)
  elseif kind ~= "table" then
    return start .. '"[inserializeable datatype:' .. kind .. ']"'
  end
  local line_end = in_one_line and "" or "\n"
  local lines = { start .. "{" .. line_end }
  for key, member in pairs(value) do
    lines[#lines + 1] = st(member, key, in_one_line, depth + 1) .. "," .. line_end
  end
  lines[#lines + 1] = indent .. "}"
  return table.concat(lines)
end

-- Fills text up to a width, or cuts it so that a blank is left.
function extend_string(text, width)
  text = tostring(text)
  if #text < width then
    return text .. string.rep(" ", width - #text)
  end
  return width > 0 and text:sub(1, width - 1) .. " " or ""
end

-- The parts between delimiters, which are Lua patterns.
function split(text, delimiter)
  local parts = {}
  for part in (text .. delimiter):gmatch("(.-)" .. delimiter) do
    parts[#parts + 1] = part
  end
  return parts
end

function starts_with(text, prefix)
  return text:sub(1, #prefix) == prefix
end

function ends_with(text, suffix)
  return suffix == "" or text:sub(-#suffix) == suffix
end

local BYTE_UNITS = { { "P", 1024 ^ 5 }, { "T", 1024 ^ 4 }, { "G", 1024 ^ 3 }, { "M", 1024 ^ 2 }, { "KB", 1024 } }

-- 2048 becomes 2.00KB.
function format_bytes(bytes)
  if bytes <= 1024 and bytes % 1 == 0 then
    return bytes .. "B"
  end
  for _, unit in ipairs(BYTE_UNITS) do
    if bytes > unit[2] then
      return string.format("%.2f%s", bytes / unit[2], unit[1])
    end
  end
  return string.format("%dB", bytes)
end

local TIME_UNITS = { { "s", ONE_S_IN_NS }, { "ms", ONE_MS_IN_NS }, { "us", ONE_US_IN_NS } }

-- ns with the unit that leaves up to three digits; of one digit, and of seconds, hundredths follow.
function format_time_interval(ns)
  for _, unit in ipairs(TIME_UNITS) do
    local name, length = unit[1], unit[2]
    if ns >= length then
      local whole = math.floor(ns / length)
      if whole >= 10 and name ~= "s" then
        return string.format("%u%s", whole, name)
      end
      return string.format("%u.%02u%s", whole, ns % length / (length / 100), name)
    end
  end
  return string.format("%uns", ns)
end

-- Iterates over a table in an order; number 0 stands for all.
function pairs_top_by_val(values, number, order)
  local keys = {}
  for key in pairs(values) do
    keys[#keys + 1] = key
  end
  -- What comes in no order stands in that of the keys, so that the same events give the same lines.
  table.sort(keys, function(a, b)
    return order(values, a, b) or (not order(values, b, a) and tostring(a) < tostring(b))
  end)
  local i = 0
  return function()
    i = i + 1
    local key = keys[i]
    if key ~= nil and (number == 0 or i <= number) then
      return key, values[key]
    end
  end
end

function ts_to_str(seconds, ns)
  return string.format("%u%.9u", seconds, ns)
end

-- Larger sums first.
local function by_value(values, a, b)
  return values[a] > values[b]
end

local function print_json(rows, ts_s, ts_ns, info)
  local data = {}
  for key, value in rows do
    local row = split(tostring(key), KEY_SEPARATOR)
    row[#row + 1] = value
    data[#data + 1] = row
  end
  local columns = {}
  for i, field in ipairs(info.key_fld) do
    columns[i] = { name = field, desc = info.key_desc[i], is_key = true }
  end
  -- The value stands third, whatever the number of keys: that is what readers of it know.
  columns[3] = { name = info.value_fld, desc = info.value_desc, is_key = false }
  print(json.encode({ ts = sysdig.make_ts(ts_s, ts_ns), data = data, info = columns }, { indent = true }))
end

local UNITS = {
  none = function(value) return tostring(value) end,
  bytes = function(value) return format_bytes(value) end,
  time = function(value) return format_time_interval(value) end,
  timepct = function(value, delta) return string.format("%.2f%%", delta > 0 and value / delta * 100 or 0) end,
}

-- Shows the largest values of a table whose keys are parts with KEY_SEPARATOR between them.
function print_sorted_table(values, ts_s, ts_ns, delta, info)
  local rows = pairs_top_by_val(values, info.top_number, by_value)
  if info.output_format == "json" then
    return print_json(rows, ts_s, ts_ns, info)
  end
  local titles = { extend_string(info.value_desc, COLUMN) }
  for _, title in ipairs(info.key_desc) do
    titles[#titles + 1] = extend_string(title, COLUMN)
  end
  print(table.concat(titles))
  print(string.rep("-", 80))
  local unit = UNITS[info.value_units] or UNITS.none
  for key, value in rows do
    local cells = { extend_string(unit(value, delta), COLUMN) }
    local parts = split(tostring(key), KEY_SEPARATOR)
    for i, part in ipairs(parts) do
      cells[#cells + 1] = i < #parts and extend_string(part:sub(1, COLUMN), COLUMN) or part
    end
    print(table.concat(cells))
  end
end

-- The number that an argument is; what is none ends the run with a message.
function parse_numeric_input(value, name)
  local number = tonumber(value)
  if number == nil then
    print(string.format("Input %s must be a number.", name))
    os.exit()
  end
  return number
end

function copytable(original)
  if type(original) ~= "table" then
    return original
  end
  local copy = {}
  for key, value in pairs(original) do
    copy[copytable(key)] = copytable(value)
  end
  return setmetatable(copy, copytable(getmetatable(original)))
end

-- Appends the items of an array to another.
function concattable(to, from)
  for _, item in ipairs(from) do
    to[#to + 1] = item
  end
  return to
end

function typeof(value)
  local meta = type(value) == "table" and getmetatable(value)
  return meta and meta._NAME or type(value)
end
