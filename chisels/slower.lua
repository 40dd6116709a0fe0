-- What fileslower, netlower and scallslower have in common: calls that took longer than some milliseconds.

require "common"
local terminal = require "ansiterminal"
terminal.enable_color(true)

-- Defines the callbacks of a chisel. `filter` chooses the events, nil for all; `columns` are {title, format, field} after
-- the date and the container, `dashes` the lengths of the lines below the titles, and perhaps the format of the
-- title of the container's id; `skips` tells events that are left out.
return function(filter, id_width, columns, skips)
  local with_containers = sysdig.is_print_container_data()
  local min_ms
  local fields = {}
  local names = { "evt.datetime", "container.id", "container.name", "evt.dir", "evt.latency", "fd.name" }

  local function line(cells, container_cells, id_format)
    local text = string.format("%-23.23s", cells[1])
    if with_containers then
      text = text .. string.format(id_format or id_width, container_cells[1]) .. string.format(" %-20.20s", container_cells[2])
    end
    for at, column in ipairs(columns) do
      text = text .. " " .. string.format(column.format, cells[at + 1])
    end
    return text
  end

  function on_set_arg(name, value)
    if name == "min_ms" then
      min_ms = parse_numeric_input(value, name)
    elseif value == "disable_color" then
      terminal.enable_color(false)
    end
    return true
  end

  function on_init()
    for _, name in ipairs(names) do
      fields[name] = chisel.request_field(name)
    end
    for _, column in ipairs(columns) do
      if column.field then
        fields[column.field] = chisel.request_field(column.field)
      end
    end
    if filter then
      chisel.set_filter(filter)
    end
    local titles, dashes = { "evt.datetime" }, { string.rep("-", 23) }
    for _, column in ipairs(columns) do
      titles[#titles + 1] = column.title
      dashes[#dashes + 1] = string.rep("-", column.dashes)
    end
    local function text_only(cells, container_cells, id_format)
      local formats = {}
      for at, column in ipairs(columns) do
        formats[at] = column.format
        column.format = column.title_format
      end
      print(line(cells, container_cells, id_format))
      for at, column in ipairs(columns) do
        column.format = formats[at]
      end
    end
    text_only(titles, { "container.id", "container.name" }, columns.id_title)
    text_only(dashes, { string.rep("-", 20), string.rep("-", 20) })
    return true
  end

  function on_event()
    local latency = evt.field(fields["evt.latency"])
    -- Without a filter everything that took time counts, switches too.
    if not latency or (filter and evt.field(fields["evt.dir"]) ~= "<") then
      return true
    end
    latency = latency / ONE_MS_IN_NS
    if latency <= min_ms or (skips and skips(evt.field(fields["fd.name"]))) then
      return true
    end
    local cells = { evt.field(fields["evt.datetime"]) }
    for _, column in ipairs(columns) do
      cells[#cells + 1] = column.field and (evt.field(fields[column.field]) or "") or latency
    end
    local container = tostring(evt.field(fields["container.name"]))
    local color = container == "host" and terminal.green or terminal.blue
    print(color .. line(cells, { evt.field(fields["container.id"]) or "", container }))
    return true
  end
end
