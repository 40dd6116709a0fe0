-- Rows under titles, or with -j one object for each row: what syscallsummary, iostat, latency and their like print.

require "common"

local columns = {}
columns.__index = columns

-- `list` has a table { name, title, width } for each column, perhaps with `right` and a function `text` from the value
-- to what is shown. The last column is as wide as it is. Members of objects have the names and plain values.
function columns.new(list)
  return setmetatable({ list = list, is_json = sysdig.get_output_format() == "json" }, columns)
end

local function cell(column, text, is_last)
  if column.right then
    return string.rep(" ", column.width - #text) .. text
  elseif is_last then
    return text
  end
  return text .. string.rep(" ", column.width - #text)
end

function columns:line(texts)
  local cells = {}
  for at, column in ipairs(self.list) do
    cells[at] = cell(column, texts[at], at == #self.list)
  end
  print(table.concat(cells, " "))
end

function columns:titles()
  if self.is_json then
    return
  end
  local texts = {}
  for at, column in ipairs(self.list) do
    texts[at] = column.title
  end
  self:line(texts)
end

-- Prints a row; values that are not there show as a dash.
function columns:row(values)
  if self.is_json then
    local members = {}
    for at, column in ipairs(self.list) do
      if values[at] ~= nil then
        members[#members + 1] = json.quotestring(column.name) .. ":" .. json.encode(values[at])
      end
    end
    print("{" .. table.concat(members, ",") .. "}")
    return
  end
  local texts = {}
  for at, column in ipairs(self.list) do
    local value = values[at]
    texts[at] = value == nil and "-" or column.text and column.text(value) or tostring(value)
  end
  self:line(texts)
end

-- A column with the container, first, when -pc asks for it.
function columns.with_container(list)
  if sysdig.is_print_container_data() then
    table.insert(list, 1, { name = "container", title = "CONTAINER", width = 20 })
  end
  return list
end

-- The values of a row, after the container's name when -pc asks for it.
function columns.in_container(field, values)
  if sysdig.is_print_container_data() then
    return { evt.field(field) or "", unpack(values, 1, table.maxn(values)) }
  end
  return values
end

return columns
