description = "The network connections and listening sockets of all threads, as they are at the first event."
short_description = "List (and optionally filter) network connections."
category = "System State"
args = {
  { name = "filter", description = "Only connections that it lets through, such as 'proc.name=foo and fd.port=80'.", argtype = "filter", optional = true },
}

local function internet(filter)
  local all = "(fd.type=ipv4 or fd.type=ipv6)"
  return filter and (all .. " and (" .. filter .. ")") or all
end

local function by_number(_, a, b)
  return a < b
end

require "snapshot"(internet, true, function(filter)
  local function row(proto, server, client, state, owner)
    print(extend_string(proto, 6) .. extend_string(server, 25) .. extend_string(client, 25) .. extend_string(state, 15)
      .. owner)
  end
  row("Proto", "Server Address", "Client Address", "State", "TID/PID/Program Name")
  for tid, process in pairs_top_by_val(sysdig.get_thread_table(filter), 0, by_number) do
    for _, info in pairs_top_by_val(process.fdtable, 0, by_number) do
      local client, state = "0.0.0.0:*", "LISTEN"
      if info.cip then
        client, state = info.cip .. ":" .. info.cport, "ESTABLISHED"
      end
      row(info.l4proto, info.sip .. ":" .. info.sport, client, state, tid .. "/" .. process.pid .. "/" .. process.comm)
    end
  end
end)
