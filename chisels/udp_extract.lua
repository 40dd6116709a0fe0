description = "Writes what is sent and received by UDP to files, one for each socket, in ./udp_dump_files. Needs --allow-chisel-io."
short_description = "extract data from UDP streams to files."
category = "I/O"
args = {}

local FOLDER = "./udp_dump_files"

local data, name
local files = {}

function on_init()
  data = chisel.request_field("evt.rawarg.data")
  name = chisel.request_field("fd.name")
  sysdig.set_snaplen(16384)
  chisel.set_filter("evt.dir=< and evt.rawres>=0 and fd.l4proto=udp and evt.is_io=true")
  os.execute("mkdir -p " .. FOLDER)
  return true
end

function on_capture_start()
  if sysdig.is_live() then
    print("live capture not supported")
    return false
  end
  return true
end

function on_event()
  local bytes, socket = evt.field(data), evt.field(name)
  if not bytes or not socket then
    return true
  end
  if not files[socket] then
    local path = FOLDER .. "/" .. socket:gsub("[:/]", "_"):gsub(">", "-")
    local problem
    files[socket], problem = io.open(path, "wb")
    if not files[socket] then
      error(problem, 0)
    end
  end
  files[socket]:write(bytes)
  return true
end
