description = "The containers that run."
short_description = "List the running containers"
category = "System State"
args = {
  { name = "desc", description = "'desc' for all that is known of them, as a data structure.", argtype = "string", optional = true },
}

local function none()
  return nil
end

local function by_number(_, a, b)
  return a < b
end

require "snapshot"(none, false, function(_, argument)
  local containers = sysdig.get_container_table()
  if argument == "desc" then
    print(st(containers))
    return
  end
  local function row(type, image, name, id)
    print(extend_string(type, 15) .. extend_string(image, 16) .. extend_string(name, 20) .. extend_string(id, 13))
  end
  row("container.type", "container.image", "container.name", "container.id")
  row(string.rep("-", 15), string.rep("-", 16), string.rep("-", 20), string.rep("-", 13))
  for _, container in pairs_top_by_val(containers, 0, by_number) do
    row(container.type, container.image, container.name, container.id)
  end
end)
