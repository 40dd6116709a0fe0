//! The default output, line by line.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tracer_tests::programs::Scratch;
use tracer_tests::{Completion, Needs, Trial, live};

use crate::records::Extent;
use crate::rules::{LINE, Rules};
use crate::situation::{Situation, Story};
use crate::sysdig::{captures, is_numbered_alike, name_of, pair, sysdig, tracer, without_number};

/// Lines that must be equal or explained, of 100.
const GOAL: f64 = 99.9;

pub fn trials() -> Vec<Trial> {
    let needs = &[Needs::Program("sysdig")];
    vec![
        live("default output is that of sysdig", needs, default_output),
        live("joined captures are numbered as by sysdig", needs, joined),
    ]
}

/// What came out for one capture.
#[derive(Default)]
struct Row {
    lines: usize,
    equal: usize,
    explained: usize,
    /// Some lines that are neither.
    wrong: Vec<String>,
}

impl Row {
    fn percent(&self) -> f64 {
        if self.lines == 0 { 100.0 } else { 100.0 * (self.equal + self.explained) as f64 / self.lines as f64 }
    }
}

fn default_output() -> Result<Completion> {
    let rules = Rules::load()?;
    let mut below = Vec::new();
    println!("{:>7} {:>7} {:>9} {:>8}  capture", "lines", "equal", "explained", "percent");
    for capture in captures()? {
        let name = name_of(&capture);
        let Some(row) = compare(&capture, &rules)? else {
            println!("{:>7} {:>7} {:>9} {:>8}  {name}: sysdig does not read it", "", "", "", "");
            continue;
        };
        println!("{:>7} {:>7} {:>9} {:>8.3}  {name}", row.lines, row.equal, row.explained, row.percent());
        for line in &row.wrong {
            println!("{line}");
        }
        if row.percent() < GOAL {
            below.push(name);
        }
    }
    if !below.is_empty() {
        bail!("fewer than {GOAL} % of the lines are equal or explained in {}", below.join(", "));
    }
    Ok(Completion::Completed)
}

/// Files that were joined with `cat`: every section of such a file begins with notes about containers, and only those of
/// the first are counted.
fn joined() -> Result<Completion> {
    let parts = ["example5_nginx", "tcp-client-server", "setuid"];
    let mut bytes = Vec::new();
    for part in parts {
        let capture = captures()?.into_iter().find(|path| name_of(path).contains(part));
        bytes.extend(std::fs::read(capture.with_context(|| format!("no capture {part}"))?)?);
    }
    let scratch = Scratch::new("joined")?;
    let file = scratch.path().join("joined.scap.gz");
    std::fs::write(&file, bytes)?;
    let numbers = ["-p", "%evt.num %evt.rawtime %evt.dir"];
    let theirs = sysdig(&file, &numbers)?.context("sysdig does not read joined captures")?;
    let ours = tracer(&file, &numbers)?;
    let differs = theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours);
    if differs.is_some() || theirs.len() != ours.len() {
        bail!("{} and {} lines, the first that differ: {differs:?}", theirs.len(), ours.len());
    }
    Ok(Completion::Completed)
}

fn compare(capture: &Path, rules: &Rules) -> Result<Option<Row>> {
    let Some(theirs) = sysdig(capture, &[])? else { return Ok(None) };
    let Some(story) = Story::of(capture, Extent::Whole)? else { return Ok(None) };
    let ours = tracer(capture, &[])?;
    let by_number = is_numbered_alike(&theirs, &ours);
    let pairs = pair(&theirs, &ours, by_number);
    let mut row = Row { lines: theirs.len(), ..Row::default() };
    for (at, theirs, ours) in &pairs.both {
        let situation = story.order.get(*at).map_or(Situation::default(), |key| story.situation(key));
        let line = |line| String::from_utf8_lossy(if by_number { line } else { without_number(line) });
        judge(&mut row, rules, situation, &line(theirs), &line(ours));
    }
    let alone = |line: &&[u8]| format!("  only {}", String::from_utf8_lossy(line));
    row.wrong.extend(pairs.only_sysdig.iter().take(3).map(alone));
    if by_number {
        row.lines += pairs.only_tracer.len();
        row.wrong.extend(pairs.only_tracer.iter().take(3).map(alone));
    }
    Ok(Some(row))
}

fn judge(row: &mut Row, rules: &Rules, situation: Situation, theirs: &str, ours: &str) {
    if theirs == ours {
        row.equal += 1;
    } else if rules.explain(LINE, situation, theirs, ours, "") {
        row.explained += 1;
    } else if row.wrong.len() < 6 {
        row.wrong.extend([format!("  - {theirs}"), format!("  + {ours}")]);
    }
}
