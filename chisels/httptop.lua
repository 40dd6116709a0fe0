description = "The HTTP requests that come most often, take longest or move the most bytes."
short_description = "Top HTTP requests"
category = "Application"
args = {
  { name = "by", description = "ncalls, time or bytes [default: ncalls].", argtype = "string", optional = true },
}

require "common"
require "http"

local UNITS = { ncalls = "none", time = "time", bytes = "bytes" }

local with_containers = sysdig.is_print_container_data()
local titles = with_containers and { "container", "method", "url" } or { "method", "url" }
local info = {
  key_fld = titles,
  key_desc = titles,
  value_fld = "ncalls",
  value_desc = "ncalls",
  value_units = "none",
  top_number = 30,
}
local counts, totals = {}, {}

require "live_table"(info, function()
  local done = counts
  if info.value_desc ~= "ncalls" then
    done = totals
    if info.value_desc == "time" then
      for key, total in pairs(totals) do
        done[key] = total / counts[key]
      end
    end
  end
  counts, totals = {}, {}
  return done
end)

function on_set_arg(_, value)
  if not UNITS[value] then
    print("Invalid argument! Valid options: ncalls, bytes, time")
    return false
  end
  info.value_fld, info.value_desc, info.value_units = value, value, UNITS[value]
  return true
end

function on_init()
  http_init()
  return true
end

local function add(transaction)
  local request, response = transaction.request, transaction.response
  local key = request.method .. "\001\001" .. request.url
  if with_containers then
    key = transaction.container .. "\001\001" .. key
  end
  local amount = info.value_desc == "time" and (response.ts - request.ts) or response.length
  counts[key] = (counts[key] or 0) + 1
  totals[key] = (totals[key] or 0) + amount
end

function on_event()
  run_http_parser(evt, add)
end
