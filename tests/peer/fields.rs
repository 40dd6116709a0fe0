//! Every field that both programs have, on every event.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::differences::is_miscounted;
use crate::sysdig::{captures, name_of};

/// Values that must be equal, of 100, where `fields.tsv` has no other floor.
const GOAL: f64 = 99.9;
/// Fields in one format.
const AT_ONCE: usize = 40;
/// Events of each capture that are compared, hidden ones included.
const EVENTS: &str = "4000";

const BETWEEN: char = '\u{1f}';
const BEHIND: &str = "\u{1e}\n";

pub fn trials() -> Vec<Trial> {
    vec![live("fields are those of sysdig", &[Needs::Program("sysdig")], fields)]
}

/// What came out for one field.
#[derive(Default)]
struct Row {
    values: usize,
    equal: usize,
    example: Option<String>,
}

fn fields() -> Result<Completion> {
    let captures: Vec<_> = captures()?.into_iter().filter(|path| !is_miscounted(&name_of(path))).collect();
    let first = captures.first().context("a capture")?;
    let names: Vec<String> = names()?.into_iter().filter(|name| is_printable(first, name)).collect();
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for capture in &captures {
        for names in names.chunks(AT_ONCE) {
            compare(capture, names, &mut rows)?;
        }
    }
    let floors = floors()?;
    let mut below = Vec::new();
    println!("{:>8} {:>8} {:>8}  field", "values", "percent", "floor");
    for (name, row) in &rows {
        let percent = if row.values == 0 { 100.0 } else { 100.0 * row.equal as f64 / row.values as f64 };
        let floor = floors.get(name).copied().unwrap_or(GOAL);
        if percent < 100.0 {
            let example = row.example.as_deref().unwrap_or("");
            println!("{:>8} {percent:>8.3} {floor:>8.1}  {name}  {example}", row.values);
        }
        if percent < floor {
            below.push(*name);
        }
    }
    println!(
        "{} fields, {} differ nowhere",
        rows.len(),
        rows.values().filter(|row| row.equal == row.values).count()
    );
    if !below.is_empty() {
        bail!("below their floor: {}", below.join(", "));
    }
    Ok(Completion::Completed)
}

/// The fields that `sysdig -l` lists.
fn names() -> Result<Vec<String>> {
    let output = Command::new("sysdig").arg("-l").stdin(Stdio::null()).output().context("sysdig -l")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = |line: &str| {
        let name = line.split_whitespace().next()?;
        let is_name =
            name.contains('.') && name.chars().all(|c| c.is_ascii_lowercase() || "._0123456789".contains(c));
        (line.starts_with(name) && is_name).then(|| name.to_string())
    };
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.dedup();
    Ok(names)
}

/// Whether both programs print the field without an argument.
fn is_printable(capture: &Path, name: &str) -> bool {
    let format = format!("*%{name}");
    let accepts = |program: &Path| {
        let mut command = Command::new(program);
        command.args(["-n", "1", "-p", &format, "-r"]).arg(capture).stdin(Stdio::null());
        command.output().is_ok_and(|output| output.status.success())
    };
    tracer_tests::tracer::binary().is_ok_and(|tracer| accepts(&tracer)) && accepts(Path::new("sysdig"))
}

/// The floors in `fields.tsv`.
fn floors() -> Result<BTreeMap<&'static str, f64>> {
    let rows = include_str!("fields.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let mut columns = row.split('\t');
        let (name, floor) = (columns.next().unwrap_or(""), columns.next().unwrap_or(""));
        columns.next().with_context(|| format!("fields.tsv: {name} without a reason"))?;
        Ok((name, floor.parse().with_context(|| format!("fields.tsv: {row}"))?))
    })
    .collect()
}

fn compare<'a>(capture: &Path, names: &'a [String], rows: &mut BTreeMap<&'a str, Row>) -> Result<()> {
    let columns: Vec<String> = names.iter().map(|name| format!("{BETWEEN}%{name}")).collect();
    let format = format!("*%evt.num{}\u{1e}", columns.concat());
    let Some(theirs) = records(Path::new("sysdig"), capture, &format)? else { return Ok(()) };
    let ours = records(&tracer_tests::tracer::binary()?, capture, &format)?.context("tracer failed")?;
    let ours: BTreeMap<&str, &str> =
        ours.split(BEHIND).filter_map(|record| record.split_once(BETWEEN)).collect();
    for (number, theirs) in theirs.split(BEHIND).filter_map(|record| record.split_once(BETWEEN)) {
        let Some(ours) = ours.get(number) else { continue };
        for ((name, theirs), ours) in names.iter().zip(theirs.split(BETWEEN)).zip(ours.split(BETWEEN)) {
            let row = rows.entry(name).or_default();
            row.values += 1;
            row.equal += usize::from(theirs == ours);
            if theirs != ours && row.example.is_none() {
                row.example = Some(format!("{} {number}: {theirs:.60?}, not {ours:.60?}", name_of(capture)));
            }
        }
    }
    Ok(())
}

/// What a program prints with this format; `None` when it fails.
fn records(program: &Path, capture: &Path, format: &str) -> Result<Option<String>> {
    let output = Command::new(program)
        .args(["-n", EVENTS, "-p", format, "-r"])
        .arg(capture)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .with_context(|| program.display().to_string())?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}
