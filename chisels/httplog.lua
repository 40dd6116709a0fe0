description = "HTTP requests with their responses: < for requests that a server read, > for those that a client wrote."
short_description = "HTTP requests log"
category = "Application"
args = {}

require "http"

function on_init()
  http_init()
  return true
end

local function show(transaction)
  local request, response = transaction.request, transaction.response
  local where = sysdig.is_print_container_data() and (" " .. transaction.container .. " ") or " "
  print(string.format("%s%s%s method=%s url=%s response_code=%d latency=%dms size=%dB", evt.field(datetime_field), where,
    transaction.dir, request.method, request.url, response.code, (response.ts - request.ts) / 1000000, response.length))
end

function on_event()
  run_http_parser(evt, show)
end
