description = "Reads and writes of files by device, every second: how many, how many bytes, and how long each took on average. This is what programs ask for, whether it comes from the disk or from the page cache."
short_description = "Reads and writes by device, every second"
category = "I/O"
args = {
  { name = "interval", description = "Seconds between reports [default: 1].", argtype = "int", optional = true },
}

local columns = require "columns"

local interval = 1
local major, minor, is_read, size, latency
local begin, devices, report = nil, {}, nil

function on_set_arg(name, value)
  interval = parse_numeric_input(value, name)
  return interval > 0
end

function on_init()
  major = chisel.request_field("fd.dev.major")
  minor = chisel.request_field("fd.dev.minor")
  is_read = chisel.request_field("evt.is_io_read")
  size = chisel.request_field("evt.rawres")
  latency = chisel.request_field("evt.latency")
  chisel.set_filter("evt.is_io=true and evt.dir=< and fd.type=file and evt.failed=false")
  chisel.set_interval_ns(interval * ONE_S_IN_NS)
  return true
end

local function one_digit(value)
  return string.format("%.1f", value)
end

function on_capture_start()
  local function number(name, title)
    return { name = name, title = title, width = 10, right = true, text = one_digit }
  end
  local function time(name, title)
    return { name = name, title = title, width = 8, right = true, text = format_time_interval }
  end
  report = columns.new {
    { name = "time", title = "TIME", width = 8 },
    { name = "device", title = "DEVICE", width = 8 },
    number("reads_per_s", "READS/S"), number("read_kib_per_s", "KIB/S"), time("read_latency", "LATENCY"),
    number("writes_per_s", "WRITES/S"), number("written_kib_per_s", "KIB/S"), time("write_latency", "LATENCY"),
  }
  report:titles()
  return true
end

function on_event()
  local number = evt.field(major)
  local device = number and (number .. ":" .. (evt.field(minor) or 0)) or "-"
  local sums = devices[device]
  if not sums then
    sums = { [true] = { calls = 0, bytes = 0, time = 0 }, [false] = { calls = 0, bytes = 0, time = 0 } }
    devices[device] = sums
  end
  local way = sums[evt.field(is_read) == true]
  way.calls = way.calls + 1
  way.bytes = way.bytes + math.max(evt.field(size) or 0, 0)
  way.time = way.time + (evt.field(latency) or 0)
  begin = begin or evt.get_ts()
  return false
end

-- Shows and forgets what was summed up in so many seconds.
local function show(ts_s, length)
  local function by_name(_, a, b)
    return a < b
  end
  local function rates(way)
    return way.calls / length, way.bytes / 1024 / length, way.calls > 0 and math.floor(way.time / way.calls) or 0
  end
  local clock = os.date("%H:%M:%S", ts_s)
  for device, sums in pairs_top_by_val(devices, 0, by_name) do
    local reads, read, read_time = rates(sums[true])
    local writes, written, write_time = rates(sums[false])
    report:row { clock, device, reads, read, read_time, writes, written, write_time }
  end
  devices, begin = {}, nil
end

function on_interval(ts_s)
  show(ts_s, interval)
  return true
end

function on_capture_end(ts_s, ts_ns)
  -- The last interval is shorter.
  local length = begin and math.min(math.max(ts_s - begin, 1), interval) or interval
  show(ts_s, length)
end
