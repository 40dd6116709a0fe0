//! What tracer records live, sysdig 0.29.3 reads: it shows the lines that tracer shows of the same file.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::{Scratch, compile};
use tracer_tests::tracer::Tracer;
use tracer_tests::{Completion, Needs, Trial, live};

use crate::recording::{text, wait_for};
use crate::rules::{LINE, Rules};
use crate::situation::Situation;
use crate::sysdig::{sysdig, tracer, without_number};
use crate::workload::work;

/// Lines that must be equal or explained, of 100.
const GOAL: f64 = 99.9;

pub fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[Needs::Root, Needs::Program("sysdig"), Needs::Program("gcc")];
    vec![live("recording::sysdig reads live recordings", NEEDS, reads_live)]
}

/// Names of the events whose types sysdig 0.29.3 does not know: it leaves them out.
fn new_events() -> Result<HashSet<String>> {
    const FIRST_NEW_TYPE: usize = 336;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/events.json");
    let rows: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let rows = rows.get("events").unwrap_or(&rows).as_array().context("data/events.json")?;
    let names = rows.iter().skip(FIRST_NEW_TYPE).filter_map(|row| row.get("name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

/// A default line in its parts.
struct Line {
    /// Time, thread and direction: no two events have the same.
    key: String,
    thread: String,
    program: String,
    event: String,
    parameters: String,
}

impl Line {
    fn read(line: &[u8]) -> Result<Line> {
        let line = String::from_utf8_lossy(without_number(line)).into_owned();
        let parse = || {
            let time = line.split(' ').next()?;
            let at = [" > ", " < "].iter().filter_map(|mark| line.find(mark)).min()?;
            let (who, what) = line.split_at(at);
            let (program, thread) = who.rsplit_once(" (")?;
            let (direction, what) = what.trim_start().split_once(' ')?;
            let (event, parameters) = what.split_once(' ').unwrap_or((what, ""));
            Some(Line {
                key: format!("{time} {thread} {direction}"),
                thread: thread.trim_end_matches(')').to_owned(),
                program: program.splitn(3, ' ').nth(2)?.to_owned(),
                event: event.to_owned(),
                parameters: parameters.trim_end().to_owned(),
            })
        };
        parse().with_context(|| format!("no event: {line}"))
    }
}

fn reads_live() -> Result<Completion> {
    let syscalls = compile("syscalls", "tr-recorded", &[])?;
    let (new, rules) = (new_events()?, Rules::load()?);
    ensure!(new.contains("dup3") && !new.contains("read"), "data/events.json: types are not in order");
    for options in [&["--compress", "none"][..], &["-z"]] {
        let scratch = Scratch::new("live")?;
        let capture = scratch.path().join("capture");
        let mut arguments = vec!["-w", text(&capture)?];
        arguments.extend_from_slice(options);
        let recorder = Tracer::start(&arguments)?;
        wait_for(&capture)?;
        work(&syscalls, &scratch.path().join("work"))?;
        let output = recorder.finish()?;
        ensure!(output.code == 0, "{}", output.stderr);

        let theirs = sysdig(&capture, &[])?.with_context(|| format!("{options:?}: sysdig fails"))?;
        let theirs = theirs.iter().map(|line| Line::read(line)).collect::<Result<Vec<_>>>()?;
        let ours = tracer(&capture, &[])?;
        let ours = ours.iter().map(|line| Line::read(line)).collect::<Result<Vec<_>>>()?;
        compare(&theirs, ours, &new, &rules).with_context(|| format!("{options:?}"))?;
    }
    Ok(Completion::Completed)
}

fn compare(theirs: &[Line], ours: Vec<Line>, new: &HashSet<String>, rules: &Rules) -> Result<()> {
    let count = ours.len();
    ensure!(ours.iter().any(|line| line.program == "tr-recorded"), "no workload");
    // What a thread calls itself with prctl, sysdig does not learn.
    let renamed: HashSet<String> =
        ours.iter().filter(|line| line.event == "prctl").map(|line| line.thread.clone()).collect();
    // A process that ended before its parent's vfork, sysdig takes for one that begins.
    let ended: HashSet<String> =
        ours.iter().filter(|line| line.event == "procexit").map(|line| line.thread.clone()).collect();
    let mut left: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for line in ours {
        left.entry(line.key.clone()).or_default().push(line);
    }
    let mut wrong = Vec::new();
    for line in theirs {
        let lines = left.get_mut(&line.key).filter(|lines| !lines.is_empty());
        let other = lines.with_context(|| format!("only sysdig: {} {}", line.key, line.event))?.remove(0);
        let is_same_event = match line.event.as_str() {
            // Calls that are newer than sysdig; and one that it has the name of another for.
            "<unknown>" => true,
            "sigreturn" => other.event == "rt_sigreturn",
            event => other.event == event,
        };
        ensure!(is_same_event, "{}: sysdig {}, tracer {}", line.key, line.event, other.event);
        // Sysdig does not say why there is no value.
        let given = [
            line.parameters.replace("addr=NULL", "addr=<NA>"),
            other.parameters.replace("<unreadable>", "<NA>"),
        ];
        let without = |threads| given.each_ref().map(|text| unnamed(text, threads));
        let is_explained =
            |[wanted, found]: [String; 2]| rules.explain(LINE, Situation::PLAIN, &wanted, &found, "");
        let is_same_name = line.program == other.program
            || renamed.contains(&line.thread)
            || ended.contains(&line.thread) && other.program == "<NA>";
        let is_same = is_explained(without(&renamed))
            || is_explained(without(&ended).map(|text| unnamed(&text, &renamed)));
        if !is_same_name || !is_same {
            wrong.push(format!(
                "{} {}\n  - {} {}\n  + {} {}",
                line.key, line.event, line.program, line.parameters, other.program, other.parameters
            ));
        }
    }
    let percent = 100.0 - 100.0 * wrong.len() as f64 / theirs.len().max(1) as f64;
    println!("{percent:.3} % of {} lines of sysdig are those of tracer, {count} lines", theirs.len());
    wrong.truncate(6);
    ensure!(percent >= GOAL, "{percent:.3} % of the lines are equal or explained:\n{}", wrong.join("\n"));
    println!("{}", wrong.join("\n"));
    for (event, lines) in &left {
        for line in lines {
            ensure!(new.contains(&line.event), "only tracer: {event} {}", line.event);
        }
    }
    ensure!(theirs.len() * 2 > count, "{} of {count} lines", theirs.len());
    Ok(())
}

/// The text without the names behind the numbers of these threads: `7(cat)` becomes `7`.
fn unnamed(text: &str, threads: &HashSet<String>) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('(') {
        kept.push_str(before);
        let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        match behind.split_once(')') {
            Some((_, after)) if threads.contains(&before[before.len() - digits..]) => rest = after,
            _ => {
                kept.push('(');
                rest = behind;
            }
        }
    }
    kept + rest
}
