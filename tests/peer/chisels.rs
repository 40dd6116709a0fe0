//! Chisels beside sysdig's: each that `sysdig -cl` lists, on six captures, as text and with `-j`, with and without `-pc`,
//! with and without a filter.
//!
//! The same comparison serves sysdig's own chisel files, which tracer runs unmodified, and tracer's. Lua keeps tables in
//! no order, and sysdig's hashes differ from run to run: lines are compared as a set, and of tables that are cut the rows
//! with the last value are left out, as any of them may be the one that was cut.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tracer_tests::programs::Scratch;
use tracer_tests::{Completion, Needs, Trial, live};

use crate::sysdig::{captures, name_of};

/// Parts of the names of the captures.
const CAPTURES: [&str; 6] =
    ["502error", "mpm-event", "alpine", "httpd", "nginx-276f035", "connect_localhost"];

/// Options and filter of each run.
const MODES: [(&[&str], &str); 8] = [
    (&[], ""),
    (&["-pc", "-j"], FILTER),
    (&["-pc"], FILTER),
    (&["-j"], ""),
    (&["-pc"], ""),
    (&[], FILTER),
    (&["-j"], FILTER),
    (&["-pc", "-j"], ""),
];
const FILTER: &str = "evt.dir=< and proc.name!=sysdig";
/// Modes that are run unless `TRACER_PEER_ALL` is set: each option is among them, alone and with the others.
const QUICK: usize = 4;

/// Arguments of the chisels that need some.
const ARGUMENTS: [(&str, &str); 8] = [
    ("fdbytes_by", "fd.name"),
    ("fdcount_by", "proc.name"),
    ("fdtime_by", "fd.type"),
    ("fileslower", "0"),
    ("netlower", "0"),
    ("scallslower", "1"),
    ("spy_ip", "127.0.0.1"),
    ("spy_port", "80"),
];

/// Chisels that are not compared here, and why.
const APART: [(&str, &str); 5] = [
    ("around", "runs sysdig again, to write a file"),
    ("spectrogram", "wants a terminal"),
    ("subsecoffset", "wants a terminal"),
    ("tracers_2_statsd", "sends spans, which programs no longer report"),
    ("shellshock_detect", "its filter is refused by sysdig 0.29.3"),
];

/// Of sysdig's own files so many must say the same.
const GOAL: usize = 45;

pub fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[Needs::Program("sysdig")];
    vec![
        live("sysdig's chisels run as they do there", NEEDS, || compare("/usr/share/sysdig/chisels", GOAL)),
        live("chisels say what sysdig's say", NEEDS, || compare("/nonexistent", 0)),
    ]
}

/// What became of one chisel on one capture.
#[derive(Default)]
struct Cell {
    equal: usize,
    different: Vec<String>,
}

fn compare(folder: &str, goal: usize) -> Result<Completion> {
    let captures = chosen_captures()?;
    let modes = if std::env::var_os("TRACER_PEER_ALL").is_some() { MODES.len() } else { QUICK };
    let known = known_differences()?;
    let scratch = Scratch::new("chisels")?;
    let mut equal = 0;
    let mut faults = Vec::new();
    println!("{:<20} {}", "", CAPTURES.map(|name| format!("{name:>18}")).join(""));
    for chisel in listed()? {
        if let Some((_, why)) = APART.iter().find(|(name, _)| *name == chisel) {
            println!("{chisel:<20} {why}");
            continue;
        }
        if !has(folder, &chisel)? {
            println!("{chisel:<20} not there");
            continue;
        }
        let mut row = format!("{chisel:<20} ");
        let before = faults.len();
        for (name, capture) in CAPTURES.iter().zip(&captures) {
            let mut cell = Cell::default();
            if known.iter().any(|row| row.sysdig == "*" && row.applies(&chisel, name)) {
                row += &format!("{:>18}", "listed");
                continue;
            }
            for (options, filter) in MODES.get(..modes).unwrap_or_default() {
                run_mode(&chisel, capture, (options, filter), folder, &known, scratch.path(), &mut cell)?;
            }
            row += &format!("{:>18}", format!("{}/{}", cell.equal, cell.equal + cell.different.len()));
            faults.extend(cell.different.iter().map(|what| format!("{chisel} on {name}: {what}")));
        }
        equal += usize::from(faults.len() == before);
        println!("{row}");
    }
    println!("{equal} chisels say the same");
    if !faults.is_empty() {
        bail!("{} runs differ:\n{}", faults.len(), faults.join("\n"));
    }
    if equal < goal {
        bail!("only {equal} chisels say the same, not {goal}");
    }
    Ok(Completion::Completed)
}

/// Runs both programs once and enters the outcome. What sysdig refuses is not compared.
fn run_mode(
    chisel: &str,
    capture: &Path,
    (options, filter): (&[&str], &str),
    folder: &str,
    known: &[Known],
    scratch: &Path,
    cell: &mut Cell,
) -> Result<()> {
    let mut arguments: Vec<&str> = options.to_vec();
    arguments.extend(["-c", chisel]);
    arguments.extend(ARGUMENTS.iter().filter(|(name, _)| *name == chisel).map(|(_, argument)| *argument));
    arguments.extend(Some(filter).filter(|filter| !filter.is_empty()));
    let theirs = output(Command::new("sysdig"), capture, &arguments, scratch)?;
    if !theirs.0 {
        return Ok(());
    }
    let mut command = Command::new(tracer_tests::tracer::binary()?);
    command.args(["--chisel-dir", folder, "--allow-chisel-io"]);
    let ours = output(command, capture, &arguments, scratch)?;
    let mut expected = theirs.1;
    for row in known.iter().filter(|row| row.sysdig != "*" && row.applies(chisel, &name_of(capture))) {
        expected = expected.replace(&row.sysdig, &row.tracer);
    }
    let (expected, got) = (normal(&expected), normal(&ours.1));
    if ours.0 && expected == got {
        cell.equal += 1;
        return Ok(());
    }
    let missing = expected.iter().find(|line| !got.contains(line));
    let extra = got.iter().find(|line| !expected.contains(line));
    cell.different.push(format!("{options:?} {filter}: sysdig {missing:?}, tracer {extra:?} {}", ours.2));
    Ok(())
}

/// Whether it succeeded, what it printed, what it complained about.
fn output(
    mut command: Command,
    capture: &Path,
    arguments: &[&str],
    folder: &Path,
) -> Result<(bool, String, String)> {
    command.arg("-r").arg(capture).args(arguments).env("TZ", "UTC").stdin(Stdio::null()).current_dir(folder);
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
}

/// Lines without the order that nobody promises.
fn normal(text: &str) -> Vec<String> {
    let objects: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    let mut lines: Vec<String> = match objects {
        Ok(objects) if objects.iter().any(|object| object["data"].is_array()) => {
            objects.into_iter().map(|object| normal_table(object).to_string()).collect()
        }
        _ => match text.lines().collect::<Vec<_>>().as_slice() {
            [title, dashes, rows @ .., last] if dashes.starts_with("-----") => {
                let value = |row: &str| row.get(..20).unwrap_or(row).to_owned();
                let cut = value(last);
                let count = format!("{} rows down to {cut}", rows.len());
                let kept = rows.iter().filter(|row| value(row) != cut).map(|row| (*row).to_owned());
                kept.chain([(*title).to_owned(), count]).collect()
            }
            lines => lines.iter().map(|line| (*line).to_owned()).collect(),
        },
    };
    lines.sort_unstable();
    lines
}

/// The rows of a table as JSON, sorted, without those that have the last value.
fn normal_table(mut object: Value) -> Value {
    if let Some(rows) = object["data"].as_array_mut() {
        let value = |row: &Value| row.as_array().and_then(|row| row.last().cloned());
        if let Some(cut) = rows.last().map(value) {
            rows.retain(|row| value(row) != cut);
        }
        rows.sort_by_key(ToString::to_string);
    }
    ordered(object)
}

/// The same value with the members of its objects by name: another crate of the workspace may have them kept as written.
fn ordered(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: std::collections::BTreeMap<String, Value> = members.into_iter().collect();
            Value::Object(members.into_iter().map(|(name, value)| (name, ordered(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(ordered).collect()),
        other => other,
    }
}

/// A difference that is explained: another text, or with `*` for both texts all that the chisel says on the capture.
struct Known {
    chisel: String,
    capture: String,
    sysdig: String,
    tracer: String,
}

impl Known {
    fn applies(&self, chisel: &str, capture: &str) -> bool {
        (self.chisel == "*" || self.chisel == chisel)
            && (self.capture == "*" || capture.contains(&self.capture))
    }
}

fn known_differences() -> Result<Vec<Known>> {
    let rows = include_str!("chisels.tsv").lines().filter(|line| !line.starts_with('#'));
    let read = |row: &str| {
        let mut columns = row.split('\t').map(str::to_owned);
        let mut column = || columns.next().with_context(|| format!("chisels.tsv: {row}"));
        let known = Known { chisel: column()?, capture: column()?, sysdig: column()?, tracer: column()? };
        column().context("the reason")?;
        Ok(known)
    };
    rows.map(read).collect()
}

/// The captures that [`CAPTURES`] names.
fn chosen_captures() -> Result<Vec<PathBuf>> {
    let all = captures()?;
    let find = |part: &&str| {
        all.iter()
            .find(|path| name_of(path).contains(part))
            .cloned()
            .with_context(|| format!("no capture {part}"))
    };
    CAPTURES.iter().map(find).collect()
}

/// The chisels that sysdig lists.
fn listed() -> Result<Vec<String>> {
    let output = Command::new("sysdig").arg("-cl").output().context("sysdig -cl")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with("Category:")) {
        let name = line.split(' ').next().unwrap_or_default();
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            names.insert(name.to_owned());
        }
    }
    Ok(names.into_iter().collect())
}

/// Whether tracer has the chisel.
fn has(folder: &str, chisel: &str) -> Result<bool> {
    let mut command = Command::new(tracer_tests::tracer::binary()?);
    command.args(["--chisel-dir", folder, "-i", chisel]).stdin(Stdio::null());
    Ok(command.output().context("tracer -i")?.status.success())
}
