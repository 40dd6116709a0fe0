//! Chisels beside sysdig's: each that `sysdig -cl` lists, on six captures, as text and with `-j`, with and without `-pc`,
//! with and without a filter.
//!
//! The same comparison serves sysdig's own chisel files, which tracer runs unmodified, and tracer's. Lua keeps tables in
//! no order, and sysdig's hashes differ from run to run: lines are compared as a set, and of tables that are cut the rows
//! with the last value are left out, as any of them may be the one that was cut.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
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
const APART: [(&str, &str); 2] = [
    ("around", "writes a file: has a trial of its own"),
    ("shellshock_detect", "its filter is refused by sysdig 0.29.3"),
];

/// Chisels that draw on a terminal, and are given one.
const DRAWN: [&str; 2] = ["spectrogram", "subsecoffset"];

/// Of sysdig's own files so many must say the same.
const GOAL: usize = 48;

/// Whose chisel files tracer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    Sysdigs,
    Own,
}

impl Files {
    /// The folder that `--chisel-dir` is given; one that is not there leaves those in the binary.
    fn folder(self) -> &'static str {
        match self {
            Files::Sysdigs => "/usr/share/sysdig/chisels",
            Files::Own => "/nonexistent",
        }
    }
}

pub fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[Needs::Program("sysdig"), Needs::Program("script")];
    vec![
        live("sysdig's chisels run as they do there", NEEDS, || compare(Files::Sysdigs, GOAL)),
        live("chisels say what sysdig's say", NEEDS, || compare(Files::Own, 0)),
        live("around exports the events that sysdig's does", NEEDS, around),
        live("chisels are listed under sysdig's names and categories", NEEDS, listing),
    ]
}

/// What became of one chisel on one capture.
#[derive(Default)]
struct Cell {
    equal: usize,
    /// Runs that [`Known`] differences leave out.
    listed: usize,
    different: Vec<String>,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("{}/{}", self.equal, self.equal + self.different.len());
        if self.listed > 0 {
            text += &format!("+{} listed", self.listed);
        }
        f.pad(&text)
    }
}

fn compare(files: Files, goal: usize) -> Result<Completion> {
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
        if !has(files, &chisel)? {
            println!("{chisel:<20} not there");
            continue;
        }
        let mut row = format!("{chisel:<20} ");
        let before = faults.len();
        for (name, capture) in CAPTURES.iter().zip(&captures) {
            let mut cell = Cell::default();
            for (options, filter) in MODES.get(..modes).unwrap_or_default() {
                let applies = |row: &&Known| row.applies(&chisel, name, files, !filter.is_empty());
                let known: Vec<&Known> = known.iter().filter(applies).collect();
                match known.iter().any(|row| row.sysdig == "*") {
                    true => cell.listed += 1,
                    false => {
                        let run = Run { chisel: &chisel, capture, options, filter, folder: scratch.path() };
                        run.enter(files, &known, &mut cell)?;
                    }
                }
            }
            row += &format!("{:>18}", cell.to_string());
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

/// One run of a chisel, by both programs.
struct Run<'a> {
    chisel: &'a str,
    capture: &'a Path,
    options: &'a [&'a str],
    filter: &'a str,
    /// The current folder of the programs.
    folder: &'a Path,
}

/// Whether it succeeded, what it printed, what it complained about.
type Said = (bool, String, String);

impl Run<'_> {
    /// Runs both programs once and enters the outcome. What sysdig refuses is not compared.
    fn enter(&self, files: Files, known: &[&Known], cell: &mut Cell) -> Result<()> {
        let theirs = self.output(Path::new("sysdig"), &[])?;
        if !theirs.0 {
            return Ok(());
        }
        let ours = self.output(
            &tracer_tests::tracer::binary()?,
            &["--chisel-dir", files.folder(), "--allow-chisel-io"],
        )?;
        let mut expected = theirs.1;
        for row in known {
            expected = expected.replace(&row.sysdig, &row.tracer);
        }
        let (expected, got) = (normal(&expected), normal(&ours.1));
        if ours.0 && expected == got {
            cell.equal += 1;
            return Ok(());
        }
        let missing = expected.iter().find(|line| !got.contains(line));
        let extra = got.iter().find(|line| !expected.contains(line));
        let (options, filter) = (self.options, self.filter);
        cell.different.push(format!("{options:?} {filter}: sysdig {missing:?}, tracer {extra:?} {}", ours.2));
        Ok(())
    }

    fn output(&self, program: &Path, before: &[&str]) -> Result<Said> {
        let mut words: Vec<&str> = before.to_vec();
        words.extend(self.options);
        words.extend(["-c", self.chisel]);
        words
            .extend(ARGUMENTS.iter().filter(|(name, _)| *name == self.chisel).map(|(_, argument)| *argument));
        words.extend(Some(self.filter).filter(|filter| !filter.is_empty()));
        let capture = self.capture.to_str().context("a path that is text")?;
        let program = program.to_str().context("a path that is text")?;
        let words = [&[program, "-r", capture], words.as_slice()].concat();
        let mut command = if DRAWN.contains(&self.chisel) {
            on_terminal(&words)
        } else {
            let mut command = Command::new(program);
            command.args(&words[1..]);
            command
        };
        command.env("TZ", "UTC").stdin(Stdio::null()).current_dir(self.folder);
        let output = command.output().with_context(|| format!("{command:?}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.success(), drawn(text(&output.stdout)), text(&output.stderr)))
    }
}

/// What a terminal shows: sysdig gives it its colours back once more than the chisel does, and its chisels say twice how
/// a blank looks.
fn drawn(text: String) -> String {
    const BLACK: &str = "\x1b[48;5;0m";
    let blank = |before: &str| format!("{before}{BLACK}");
    text.replace("\x1b[00m", "").replace(&blank("\x1b[38;5;0m"), BLACK).replace(&blank(BLACK), BLACK)
}

/// A command on a terminal of 100 columns.
fn on_terminal(words: &[&str]) -> Command {
    let quoted = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("stty cols 100 rows 30; {quoted}"), "/dev/null"]).env("TERM", "xterm");
    command
}

/// The events around some others, which the chisel writes to a file by reading the capture again.
fn around() -> Result<Completion> {
    const EVENTS: &str = "evt.type=epoll_wait and evt.dir=<";
    let scratch = Scratch::new("around")?;
    let all = captures()?;
    let capture =
        all.iter().find(|path| name_of(path).contains("nginx-276f035")).context("no capture of nginx")?;
    let tracer = tracer_tests::tracer::binary()?;
    let export = |program: &Path, before: &[&str], name: &str| -> Result<(Vec<String>, Vec<u8>)> {
        let argument = format!("{name} 2");
        let output = Command::new(program)
            .args(before)
            .arg("-r")
            .arg(capture)
            .args(["-c", "around", &argument, EVENTS])
            .env("TZ", "UTC")
            .current_dir(scratch.path())
            .output()?;
        ensure!(output.status.success(), "{program:?} fails: {output:?}");
        let said = String::from_utf8_lossy(&output.stdout).replace(name, "FILE");
        let written = Command::new(&tracer)
            .args(["-r", name, "-p", "%evt.rawtime %thread.tid %evt.dir %evt.type %evt.args"])
            .current_dir(scratch.path())
            .output()?;
        ensure!(!written.stdout.is_empty(), "{program:?} exported nothing");
        Ok((said.lines().map(str::to_owned).collect(), written.stdout))
    };
    let theirs = export(Path::new("sysdig"), &[], "theirs.scap")?;
    for files in [Files::Sysdigs, Files::Own] {
        let name = format!("{files:?}.scap");
        let ours = export(&tracer, &["--chisel-dir", files.folder(), "--allow-chisel-io"], &name)?;
        ensure!(ours == theirs, "{files:?}: {} lines said, sysdig {}", ours.0.len(), theirs.0.len());
    }
    Ok(Completion::Completed)
}

/// What `-cl` says: names by category. Lines that begin with a blank go on with the one before.
fn categories(program: &Path) -> Result<BTreeSet<(String, String)>> {
    let output = Command::new(program).arg("-cl").current_dir("/").output().context("-cl")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut category = String::new();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("Category: ") {
            category = name.to_owned();
            continue;
        }
        let name = line.split(' ').next().unwrap_or_default();
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !name.is_empty() && name.bytes().all(is_name) {
            found.insert((category.clone(), name.to_owned()));
        }
    }
    Ok(found)
}

fn listing() -> Result<Completion> {
    let theirs = categories(Path::new("sysdig"))?;
    let ours = categories(&tracer_tests::tracer::binary()?)?;
    ensure!(theirs.len() >= 50, "sysdig lists {}", theirs.len());
    let missing: Vec<_> = theirs.difference(&ours).collect();
    ensure!(missing.is_empty(), "not listed, or elsewhere: {missing:?}");
    Ok(Completion::Completed)
}

/// Lines without the order that nobody promises.
fn normal(text: &str) -> Vec<String> {
    let objects: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    let mut lines: Vec<String> = match objects {
        Ok(objects) if objects.iter().any(|object| object["data"].is_array()) => {
            objects.into_iter().map(|object| normal_table(object).to_string()).collect()
        }
        _ => match text.lines().collect::<Vec<_>>().as_slice() {
            [title, dashes, rows @ .., last] if *dashes == "-".repeat(80) => {
                let value = |row: &str| row.get(..20).unwrap_or(row).to_owned();
                let cut = value(last);
                let count = format!("{} rows down to {cut}", rows.len());
                let kept = rows.iter().filter(|row| value(row) != cut).map(|row| (*row).to_owned());
                kept.chain([(*title).to_owned(), count]).collect()
            }
            // Members of an object may stand in any order, and the comma behind all but the last.
            lines => lines.iter().map(|line| line.trim_end_matches(',').to_owned()).collect(),
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
    /// `filter`: in runs with a filter; `own`: of tracer's own files; both with a comma; `*`: always.
    runs: String,
    sysdig: String,
    tracer: String,
}

impl Known {
    fn applies(&self, chisel: &str, capture: &str, files: Files, filtered: bool) -> bool {
        (self.chisel == "*" || self.chisel == chisel)
            && (self.capture == "*" || capture.contains(&self.capture))
            && (filtered || !self.runs.contains("filter"))
            && (files == Files::Own || !self.runs.contains("own"))
    }
}

fn known_differences() -> Result<Vec<Known>> {
    let rows = include_str!("chisels.tsv").lines().filter(|line| !line.starts_with('#'));
    let read = |row: &str| {
        let mut columns = row.split('\t').map(str::to_owned);
        let mut column = || columns.next().with_context(|| format!("chisels.tsv: {row}"));
        let known = Known {
            chisel: column()?,
            capture: column()?,
            runs: column()?,
            sysdig: column()?,
            tracer: column()?,
        };
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

/// The chisels that sysdig lists, and the one that it runs without listing it.
fn listed() -> Result<BTreeSet<String>> {
    let names = categories(Path::new("sysdig"))?.into_iter().map(|(_, name)| name);
    Ok(names.chain(["flame".to_owned()]).collect())
}

/// Whether tracer has the chisel.
fn has(files: Files, chisel: &str) -> Result<bool> {
    let mut command = Command::new(tracer_tests::tracer::binary()?);
    command.args(["--chisel-dir", files.folder(), "-i", chisel]).stdin(Stdio::null());
    Ok(command.output().context("tracer -i")?.status.success())
}
