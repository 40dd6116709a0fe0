//! Runs sysdig and tracer on a capture and lays their lines side by side.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::records::Program;

/// The captures that the tests know, by name.
pub fn captures() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if !path.ends_with("README.md") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The name that rows of tables have for a capture.
pub fn name_of(capture: &Path) -> String {
    capture.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Lines that sysdig prints; `None` when it refuses the capture.
pub fn sysdig(capture: &Path, arguments: &[&str]) -> Result<Option<Vec<Vec<u8>>>> {
    let output = Program::Sysdig.reading(capture)?.args(arguments).output().context("sysdig")?;
    Ok(output.status.success().then(|| lines(&output.stdout)))
}

/// Lines that tracer prints.
pub fn tracer(capture: &Path, arguments: &[&str]) -> Result<Vec<Vec<u8>>> {
    let output = Program::Tracer.reading(capture)?.args(arguments).output().context("tracer")?;
    if !output.status.success() {
        bail!("tracer -r {}: {}", capture.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(lines(&output.stdout))
}

/// A line of an event begins with its number; what else there is belongs to the line before, because a parameter had a
/// line break in it.
pub fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in text.strip_suffix(b"\n").unwrap_or(text).split(|b| *b == b'\n') {
        match lines.last_mut() {
            Some(last) if !line.first().is_some_and(u8::is_ascii_digit) => last.extend_from_slice(line),
            _ => lines.push(line.to_vec()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A line without the number of its event.
pub fn without_number(line: &[u8]) -> &[u8] {
    line.iter().position(|b| *b == b' ').and_then(|at| line.get(at + 1..)).unwrap_or(line)
}

/// Whether an event has the same number in both outputs. Sysdig does not count events of types that it does not know.
pub fn is_numbered_alike(sysdig: &[Vec<u8>], tracer: &[Vec<u8>]) -> bool {
    let number_and_time = |line: &[u8]| line.splitn(3, |b| *b == b' ').take(2).collect::<Vec<_>>().concat();
    let ours: HashSet<Vec<u8>> = tracer.iter().map(|line| number_and_time(line)).collect();
    sysdig.iter().all(|line| ours.contains(&number_and_time(line)))
}

/// Lines of two programs for the same events.
#[derive(Default)]
pub struct Pairs<'a> {
    /// With the position of the line in sysdig's output.
    pub both: Vec<(usize, &'a [u8], &'a [u8])>,
    pub only_sysdig: Vec<&'a [u8]>,
    pub only_tracer: Vec<&'a [u8]>,
}

/// Pairs lines by event number, or by what follows it up to the type of the event where numbers are not comparable.
pub fn pair<'a>(sysdig: &'a [Vec<u8>], tracer: &'a [Vec<u8>], by_number: bool) -> Pairs<'a> {
    let key = |line: &'a [u8]| {
        let words = if by_number { 1 } else { 5 };
        let text = if by_number { line } else { without_number(line) };
        let end = text
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == b' ')
            .nth(words - 1)
            .map_or(text.len(), |(at, _)| at);
        text.get(..end).unwrap_or(text)
    };
    let mut ours: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
    for line in tracer.iter().rev() {
        ours.entry(key(line)).or_default().push(line);
    }
    let mut pairs = Pairs::default();
    for (at, line) in sysdig.iter().enumerate() {
        match ours.get_mut(key(line)).and_then(Vec::pop) {
            Some(other) => pairs.both.push((at, line, other)),
            None => pairs.only_sysdig.push(line),
        }
    }
    pairs.only_tracer = ours.into_values().flatten().collect();
    pairs
}
