-- JSON: encode(value, { indent = true }) and decode(text). The name is that of the module that
-- chisels have always asked for.

local json = { version = "tracer", null = setmetatable({}, { __tostring = function() return "null" end }) }

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

function json.quotestring(text)
  return '"' .. text:gsub('[%c"\\\127]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", c:byte())
  end) .. '"'
end

local function number(value)
  if value ~= value or value == math.huge or value == -math.huge then
    return "null"
  end
  return string.format("%.14g", value)
end

-- The length of an array, nil for tables with other keys. Few gaps are nulls.
local function array_length(value)
  local count, last = 0, 0
  for key in pairs(value) do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
      return nil
    end
    count, last = count + 1, math.max(last, key)
  end
  if last > 10 and last > 2 * count then
    return nil
  end
  return last
end

local function encode(value, indent, out, seen)
  local kind = type(value)
  if value == nil or value == json.null then
    out[#out + 1] = "null"
  elseif kind == "string" then
    out[#out + 1] = json.quotestring(value)
  elseif kind == "number" then
    out[#out + 1] = number(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif kind ~= "table" then
    error("JSON has no " .. kind)
  elseif seen[value] then
    error("a table within itself")
  else
    seen[value] = true
    local length = array_length(value)
    local inner = indent and indent .. "  "
    local function line(text)
      out[#out + 1] = inner and "\n" .. text or ""
    end
    if length then
      out[#out + 1] = "["
      for i = 1, length do
        out[#out + 1] = i > 1 and "," or ""
        encode(value[i], inner, out, seen)
      end
      out[#out + 1] = "]"
    else
      out[#out + 1] = "{"
      local keys = {}
      for key in pairs(value) do
        keys[#keys + 1] = key
      end
      table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
      for i, key in ipairs(keys) do
        out[#out + 1] = i > 1 and "," or ""
        line(inner or "")
        out[#out + 1] = json.quotestring(tostring(key)) .. ":"
        encode(value[key], inner, out, seen)
      end
      if #keys > 0 then
        line(indent or "")
      end
      out[#out + 1] = "}"
    end
    seen[value] = nil
  end
end

function json.encode(value, options)
  local out = {}
  encode(value, options and options.indent and "" or nil, out, {})
  return table.concat(out)
end

local decode_value

local function skip(text, at)
  return text:find("%S", at) or #text + 1
end

local function fault(text, at)
  return nil, #text + 1, "no JSON at position " .. at
end

local UNESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- A code point as UTF-8.
local function utf8(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xc0 + math.floor(code / 64), 0x80 + code % 64)
  end
  return string.char(0xe0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function decode_string(text, at)
  local stop = at + 1
  while true do
    stop = text:find('["\\]', stop)
    if not stop then
      return fault(text, at)
    elseif text:sub(stop, stop) == '"' then
      break
    end
    stop = stop + 2
  end
  local plain = text:sub(at + 1, stop - 1):gsub("\\(.)(%x?%x?%x?%x?)", function(c, digits)
    if c == "u" and #digits == 4 then
      return utf8(tonumber(digits, 16))
    end
    return (UNESCAPES[c] or c) .. digits
  end)
  return plain, stop + 1
end

-- Members of an array or an object from `at`, behind its opening bracket.
local function decode_members(text, at, close, null, take)
  at = skip(text, at)
  if text:sub(at, at) == close then
    return at + 1
  end
  while true do
    local message
    at, message = take(skip(text, at))
    if message then
      return nil, message
    end
    at = skip(text, at)
    local c = text:sub(at, at)
    if c == close then
      return at + 1
    elseif c ~= "," then
      return nil, "no JSON at position " .. at
    end
    at = at + 1
  end
end

local function decode_table(text, at, null)
  local result = {}
  local is_array = text:sub(at, at) == "["
  local count = 0
  local stop, message = decode_members(text, at + 1, is_array and "]" or "}", null, function(position)
    local key
    if is_array then
      count = count + 1
      key = count
    else
      if text:sub(position, position) ~= '"' then
        return nil, "no JSON at position " .. position
      end
      local problem
      key, position, problem = decode_string(text, position)
      if problem then
        return nil, problem
      end
      position = skip(text, position)
      if text:sub(position, position) ~= ":" then
        return nil, "no JSON at position " .. position
      end
      position = skip(text, position + 1)
    end
    local value, behind, problem = decode_value(text, position, null)
    if problem then
      return nil, problem
    end
    result[key] = value
    return behind
  end)
  if message then
    return nil, #text + 1, message
  end
  return result, stop
end

local WORDS = { ["true"] = true, ["false"] = false }

function decode_value(text, at, null)
  at = skip(text, at)
  local c = text:sub(at, at)
  if c == "{" or c == "[" then
    return decode_table(text, at, null)
  elseif c == '"' then
    return decode_string(text, at)
  end
  local word = text:match("^%a+", at)
  if word == "null" then
    return null, at + 4
  elseif word and WORDS[word] ~= nil then
    return WORDS[word], at + #word
  end
  local digits = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  if digits and tonumber(digits) then
    return tonumber(digits), at + #digits
  end
  return fault(text, at)
end

-- The value in a text, where it ends, and a message when it is none. `null` stands for null.
function json.decode(text, at, null)
  return decode_value(text, at or 1, null)
end

return json
