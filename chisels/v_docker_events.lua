-- What docker reported: containers that started, stopped, died.
view_info = {
  id = "docker_events",
  name = "Docker Events",
  description = "What docker reported: containers that started, stopped, died.",
  view_type = "list",
  tags = { "Default", "nocsysdig" },
  applies_to = {
    "",
  },
  filter = "evt.type=infra",
  use_defaults = true,
  columns = {
    { name = "TIME", field = "evt.time", colsize = 18,
      description = "Time of day." },
    { name = "EVENT TYPE", field = "evt.arg.name", colsize = 20,
      description = "What happened." },
    { name = "CONTAINER ID", field = "evt.infra.docker.container.id", colsize = 20,
      description = "Id of the container." },
    { name = "CONTAINER IMAGE", field = "evt.infra.docker.container.image", colsize = 20,
      description = "Image of the container." },
    { name = "CONTAINER NAME", field = "evt.infra.docker.container.name", colsize = 0,
      description = "Name of the container." },
  },
}
