//! Event types with their parameters, flag tables and dynamic alternatives.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::rows::{camel, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    id: String,
    name: String,
    category: String,
    class: String,
    flags: Vec<String>,
    status: String,
    params: Vec<Param>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Param {
    name: String,
    #[serde(rename = "type")]
    ty: String,
    fmt: String,
    /// Name of a table of `flags.json`.
    flags: Option<String>,
    /// Name of a list of alternatives of `flags.json`.
    alternatives: Option<String>,
    dirfd: Option<u8>,
    /// Where sysdig 0.29.3, the reference for what is printed, reads the same bytes differently
    /// from the newest schema. The wire size is the same.
    #[serde(rename = "print_as_0.29.3")]
    print_as: Option<PrintAs>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PrintAs {
    name: Option<String>,
    #[serde(rename = "type")]
    ty: Option<String>,
    fmt: Option<String>,
}

#[derive(Deserialize)]
struct Flags {
    tables: BTreeMap<String, Vec<(String, u32)>>,
    alternatives: BTreeMap<String, Vec<Param>>,
}

/// Codes of the event types by their id.
pub type Ids = HashMap<String, usize>;

pub fn write(data: &Path, out: &mut String) -> anyhow::Result<Ids> {
    let flags: Flags = json(data, "flags.json")?;
    let events: Vec<Event> = json(data, "events.json")?;

    for (name, entries) in &flags.tables {
        let list: Vec<String> = entries.iter().map(|(n, v)| format!("({n:?}, {v})")).collect();
        let constant = name.to_uppercase();
        writeln!(
            out,
            "pub static {constant}: FlagTable = FlagTable {{ name: {name:?}, entries: &[{}] }};",
            list.join(",")
        )?;
    }
    for (name, params) in &flags.alternatives {
        writeln!(out, "pub static {}: &[ParamInfo] = &[", name.to_uppercase())?;
        for param in params {
            write_param(out, param, &flags)?;
        }
        writeln!(out, "];")?;
    }

    writeln!(out, "{CONSTRUCTORS}")?;
    writeln!(out, "/// Every event type; the index is its code.\npub static EVENTS: &[EventInfo] = &[")?;
    for (code, event) in events.iter().enumerate() {
        let mut set = String::from("EventFlags::empty()");
        for flag in &event.flags {
            write!(set, ".union(EventFlags::{flag})")?;
        }
        writeln!(
            out,
            "e({code}, {:?}, {:?}, Category::{}, Class::{}, {set}, Status::{}, &[",
            event.id,
            event.name,
            camel(&event.category),
            camel(&event.class),
            camel(&event.status),
        )?;
        for param in &event.params {
            write_param(out, param, &flags).with_context(|| format!("{}.{}", event.id, param.name))?;
        }
        writeln!(out, "]),")?;
    }
    writeln!(out, "];\n")?;

    writeln!(out, "impl EventType {{")?;
    for (code, event) in events.iter().enumerate() {
        writeln!(out, "pub const {}: EventType = EventType({code});", event.id)?;
    }
    writeln!(out, "}}\n")?;
    let ids: Ids = events.iter().enumerate().map(|(code, event)| (event.id.clone(), code)).collect();
    ensure!(ids.len() == events.len(), "data/events.json: an id is there twice");
    Ok(ids)
}

const CONSTRUCTORS: &str = "
#[allow(clippy::too_many_arguments)]
const fn e(
    code: u16, id: &'static str, name: &'static str, category: Category, class: Class, flags: EventFlags,
    status: Status, params: &'static [ParamInfo],
) -> EventInfo {
    EventInfo { ty: EventType(code), id, name, category, class, flags, params, status }
}

const fn p(name: &'static str, ty: T, format: ParamFormat) -> ParamInfo {
    ParamInfo { name, ty, format, flags: None, alternatives: &[], dirfd: None }
}

const fn pf(name: &'static str, ty: T, format: ParamFormat, flags: &'static FlagTable) -> ParamInfo {
    ParamInfo { name, ty, format, flags: Some(flags), alternatives: &[], dirfd: None }
}

const fn pa(name: &'static str, ty: T, format: ParamFormat, alternatives: &'static [ParamInfo]) -> ParamInfo {
    ParamInfo { name, ty, format, flags: None, alternatives, dirfd: None }
}

const fn pd(name: &'static str, ty: T, format: ParamFormat, dirfd: u8) -> ParamInfo {
    ParamInfo { name, ty, format, flags: None, alternatives: &[], dirfd: Some(dirfd) }
}
";

fn write_param(out: &mut String, param: &Param, known: &Flags) -> anyhow::Result<()> {
    let shown = param.print_as.as_ref();
    let name = shown.and_then(|s| s.name.as_ref()).unwrap_or(&param.name);
    let ty = shown.and_then(|s| s.ty.as_ref()).unwrap_or(&param.ty);
    let format = shown.and_then(|s| s.fmt.as_ref()).unwrap_or(&param.fmt);
    let head = format!("{name:?}, T::{}, ParamFormat::{}", variant(ty), camel(format));
    match (&param.flags, &param.alternatives, param.dirfd) {
        (None, None, None) => writeln!(out, "p({head}),")?,
        (Some(table), None, None) => {
            ensure!(known.tables.contains_key(table), "no flag table {table}");
            writeln!(out, "pf({head}, &{}),", table.to_uppercase())?;
        }
        (None, Some(list), None) => {
            ensure!(known.alternatives.contains_key(list), "no alternatives {list}");
            writeln!(out, "pa({head}, {}),", list.to_uppercase())?;
        }
        (None, None, Some(dirfd)) => writeln!(out, "pd({head}, {dirfd}),")?,
        _ => anyhow::bail!("more than one of flags, alternatives and dirfd"),
    }
    Ok(())
}

/// The schema writes some types without a word break where Rust has one.
fn variant(ty: &str) -> String {
    match ty {
        "SYSCALLID" => "SyscallId".into(),
        "CHARBUFARRAY" => "CharbufArray".into(),
        _ => camel(ty),
    }
}
