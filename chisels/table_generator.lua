-- Sums of a field for each value of others: what the chisels called top… show.
--
-- Only this description is Lua: the table is counted natively, and other chisels put it in their
-- place with chisel.exec("table_generator", …).

description = "Sums a field for each combination of values of other fields and shows the largest sums, at the end of a file or every second."
short_description = "Sums of a field by other fields"
category = "Filter"
hidden = true
args = {
  { name = "keys", description = "the fields by which is summed, with commas between them", argtype = "string" },
  { name = "keydescs", description = "the titles of their columns, with commas between them", argtype = "string" },
  { name = "value", description = "the field that is summed", argtype = "string" },
  { name = "valuedesc", description = "the title of its column", argtype = "string" },
  { name = "filter", description = "which events count; empty for all", argtype = "string" },
  { name = "top_number", description = "how many rows are shown; 0 for all", argtype = "string" },
  { name = "value_units", description = "bytes, time, timepct, cpu (percents of a second) or none", argtype = "string" },
}
