description = "How long calls take, by any field: number, average and percentiles of the time of each value of the field, those with the most time in all first. Percentiles are exact to one per cent."
short_description = "Percentiles of latency by any field"
category = "Performance"
args = {
  { name = "key", description = "The field to group by, such as proc.name or fd.name [default: evt.type].", argtype = "string", optional = true },
  { name = "value", description = "The number that is looked at [default: evt.latency]. Other fields than times are shown as numbers.", argtype = "string", optional = true },
  { name = "rows", description = "How many rows are shown; 0 for all [default: 20].", argtype = "int", optional = true },
}

local columns = require "columns"

-- Significant digits of the values that are kept.
local DIGITS = 2
-- Values of the key that are told apart.
local MAX_KEYS = 1000
local OTHERS = "(others)"

local key_name, value_name, rows = "evt.type", "evt.latency", 20
local key, value
local histograms, count = {}, 0

function on_set_arg(name, argument)
  if name == "key" then
    key_name = argument
  elseif name == "value" then
    value_name = argument
  else
    rows = parse_numeric_input(argument, name)
  end
  return true
end

function on_init()
  key = chisel.request_field(key_name)
  value = chisel.request_field(value_name)
  chisel.set_filter("evt.dir=<")
  return true
end

function on_event()
  local number = evt.field(value)
  -- A call whose begin was not seen took no time that is known.
  if type(number) ~= "number" or number <= 0 then
    return false
  end
  local name = evt.field(key)
  if name == nil then
    return false
  end
  name = tostring(name)
  local histogram = histograms[name]
  if not histogram then
    if count >= MAX_KEYS then
      name = OTHERS
    end
    histogram = histograms[name] or sysdig.histogram(DIGITS)
    histograms[name] = histogram
    count = count + 1
  end
  histogram:record(number)
  return false
end

function on_capture_end()
  local is_time = value_name:find("latency", 1, true) or value_name:find("time", 1, true)
  local function shown(number)
    return is_time and format_time_interval(number) or string.format("%.14g", number)
  end
  local function column(name, title)
    return { name = name, title = title, width = 9, right = true, text = shown }
  end
  local report = columns.new {
    { name = "count", title = "COUNT", width = 9, right = true },
    column("average", "AVERAGE"), column("p50", "P50"), column("p90", "P90"), column("p99", "P99"),
    column("p99_9", "P99.9"), column("max", "MAX"), { name = "key", title = key_name, width = 0 },
  }
  local totals = {}
  for name, histogram in pairs(histograms) do
    totals[name] = histogram:mean() * histogram:count()
  end
  local function larger(all, a, b)
    if all[a] ~= all[b] then
      return all[a] > all[b]
    end
    return a < b
  end
  report:titles()
  for name in pairs_top_by_val(totals, rows, larger) do
    local h = histograms[name]
    report:row { h:count(), math.floor(h:mean()), h:percentile(50), h:percentile(90), h:percentile(99),
      h:percentile(99.9), h:max(), name }
  end
end
