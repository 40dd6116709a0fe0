description = "Shells that are started with a function in their environment: attacks by the shellshock bug (CVE-2014-6271)."
short_description = "print shellshock attacks"
category = "Security"
args = {}

require "common"

local FUNCTION = "%(%)%s*{.+"

local parent, parent_id, environment, time

function on_init()
  parent = chisel.request_field("proc.pname")
  parent_id = chisel.request_field("proc.ppid")
  environment = chisel.request_field("evt.arg.env")
  time = chisel.request_field("evt.time")
  chisel.set_filter("proc.name in (bash, sh) and evt.type=execve")
  print(extend_string("TIME", 22) .. extend_string("PROCNAME", 22) .. extend_string("PID", 8) .. "FUNCTION")
  return true
end

function on_event()
  local found = (evt.field(environment) or ""):match(FUNCTION)
  if found then
    print(extend_string(evt.field(time), 22) .. extend_string(evt.field(parent) or "<NA>", 22)
      .. extend_string(evt.field(parent_id) or "<NA>", 8) .. found)
  end
  return true
end
