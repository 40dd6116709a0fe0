//! Translations from the values of the Linux ABI to those of the schema.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::rows::{camel, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// Width of the result.
    bits: u8,
    when_first: Option<When>,
    #[serde(default)]
    keep: u64,
    #[serde(default)]
    set: Vec<(String, u64, u64)>,
    #[serde(default)]
    unset: Vec<(String, u64, u64)>,
    cases: Option<Cases>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum When {
    Any(u64),
    Is(u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// Absent: the C `int` that nearly all of these arguments are.
    mask: Option<u64>,
    #[serde(default)]
    shift: u8,
    default: u64,
    values: Vec<(String, u64, u64)>,
}

pub fn write(data: &Path, out: &mut String) -> anyhow::Result<()> {
    let rows: Vec<Row> = json(data, "convert.json")?;
    writeln!(out, "//! Translations of Linux values (x86_64) to those of the schema.\n")?;
    writeln!(out, "use super::convert::{{Cases, Rule, When}};\n")?;
    writeln!(out, "/// A translation of one kind of value. See [`super::convert`] for how to apply it.")?;
    writeln!(out, "#[derive(Debug, Clone, Copy, PartialEq, Eq)]\n#[repr(u8)]\npub enum Conversion {{")?;
    for row in &rows {
        writeln!(out, "{},", camel(&row.name))?;
    }
    writeln!(out, "}}\n")?;
    writeln!(out, "/// The rule of each [`Conversion`], in the order of its variants.")?;
    writeln!(out, "pub(super) static RULES: &[(Conversion, Rule)] = &[")?;
    for row in &rows {
        let when = match row.when_first {
            None => "When::Always".to_owned(),
            Some(When::Any(bits)) => format!("When::Any({bits:#x})"),
            Some(When::Is(value)) => format!("When::Is({value:#x})"),
        };
        let cases = match &row.cases {
            None => "None".to_owned(),
            Some(c) => format!(
                "Some(Cases {{ shift: {}, mask: {:#x}, default: {:#x}, values: &[{}] }})",
                c.shift,
                c.mask.unwrap_or(0xffff_ffff),
                c.default,
                pairs(&c.values)
            ),
        };
        writeln!(
            out,
            "(Conversion::{}, Rule {{ name: {:?}, width: {}, when: {when}, keep: {:#x}, set: &[{}], unset: &[{}], cases: {cases} }}),",
            camel(&row.name),
            row.name,
            row.bits,
            row.keep,
            pairs(&row.set),
            pairs(&row.unset),
        )?;
    }
    writeln!(out, "];")?;
    Ok(())
}

fn pairs(list: &[(String, u64, u64)]) -> String {
    list.iter().map(|(_, from, to)| format!("({from:#x}, {to:#x})")).collect::<Vec<_>>().join(",")
}
