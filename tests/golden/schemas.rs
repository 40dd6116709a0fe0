//! The same workloads recorded twice: by sysdig 0.36 with enter and exit events, and by Falco's libraries of July 2026 with
//! exit events only. The same calls have the same values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};
use regex::Regex;
use serde_json::Value;
use tracer_tests::{Completion, Trial, live};

use crate::columns::{Event, capture, golden, tracer};

const WORKLOADS: [&str; 3] = ["c-failopen", "d-pipeline", "e-sockets"];
/// How often a futex is waited for depends on the run.
const UNCERTAIN: &str = "futex";

pub fn trials() -> Vec<Trial> {
    vec![live("the same calls have the same values in both schemas", &[], same_values)]
}

/// A row of `schemas.tsv`: fields that may differ, and in which types of events.
struct Exception {
    fields: Vec<&'static str>,
    types: Regex,
}

fn exceptions() -> Result<Vec<Exception>> {
    let rows = include_str!("schemas.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let columns: Vec<&str> = row.split('\t').collect();
        let [fields, types, _reason] = columns[..] else { bail!("schemas.tsv: {row}") };
        Ok(Exception {
            fields: fields.split(' ').collect(),
            types: Regex::new(&format!("^(?:{types})$")).context("schemas.tsv")?,
        })
    })
    .collect()
}

fn same_values() -> Result<Completion> {
    let exceptions = exceptions()?;
    let names =
        golden("libs-2026-07")?.first().context("a recording")?.fields.iter().map(|f| f.0.clone()).collect();
    let (mut calls, mut values) = (0, 0);
    let mut wrong = BTreeMap::new();
    for workload in WORKLOADS {
        let enter_exit = threads(&format!("s36-{workload}"), &names)?;
        let exit_only = threads(&format!("head-{workload}"), &names)?;
        if enter_exit.len() != exit_only.len() {
            bail!("{workload}: {} and {} threads", enter_exit.len(), exit_only.len());
        }
        for (left, right) in enter_exit.iter().zip(&exit_only) {
            let what = |events: &[Event]| -> Vec<String> { events.iter().map(call).collect() };
            if what(left) != what(right) {
                bail!("{workload}: not the same calls: {:?} and {:?}", what(left), what(right));
            }
            for (left, right) in left.iter().zip(right) {
                calls += 1;
                values += compare(workload, left, right, &names, &exceptions, &mut wrong);
            }
        }
    }
    println!("{calls} calls, {values} values");
    wrong.values().for_each(|example| println!("{example}"));
    if !wrong.is_empty() {
        bail!("{} fields differ: {:?}", wrong.len(), wrong.keys());
    }
    Ok(Completion::Completed)
}

/// The returns of all calls, thread by thread in the order of their numbers, which is that in which they began.
fn threads(name: &str, fields: &BTreeSet<String>) -> Result<Vec<Vec<Event>>> {
    let mut threads = BTreeMap::<u64, Vec<Event>>::new();
    for event in tracer(&capture(name)?, fields.iter().map(String::as_str))? {
        let tid = event.get("thread.tid").and_then(Value::as_u64).context("a thread")?;
        let is_exit = event.get("evt.dir").and_then(Value::as_str) == Some("<");
        if is_exit && event.get("evt.type").and_then(Value::as_str) != Some(UNCERTAIN) {
            threads.entry(tid).or_default().push(event);
        }
    }
    Ok(threads.into_values().collect())
}

fn call(event: &Event) -> String {
    let text = |field| event.get(field).and_then(Value::as_str).unwrap_or("");
    format!("{} {}", text("evt.type"), text("evt.res"))
}

/// Compares the fields of one call; returns how many were compared.
fn compare(
    workload: &str,
    left: &Event,
    right: &Event,
    names: &BTreeSet<String>,
    exceptions: &[Exception],
    wrong: &mut BTreeMap<String, String>,
) -> usize {
    let ty = left.get("evt.type").and_then(Value::as_str).unwrap_or("");
    let may_differ: Vec<&str> =
        exceptions.iter().filter(|e| e.types.is_match(ty)).flat_map(|e| e.fields.iter().copied()).collect();
    let matches = |pattern: &&str, name: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *pattern == name,
    };
    let mut compared = 0;
    for name in names.iter().filter(|name| !may_differ.iter().any(|pattern| matches(pattern, name))) {
        compared += 1;
        let (left, right) = (plain(left.get(name)), plain(right.get(name)));
        if left != right {
            wrong
                .entry(name.clone())
                .or_insert_with(|| format!("{workload} {ty} {name}: {left:.90}, not {right:.90}"));
        }
    }
    compared
}

/// A value without what is new in every run: names of temporary files, ports that the kernel chose, its addresses.
fn plain(value: Option<&Value>) -> String {
    static RANDOM: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("tmp[a-z0-9_]{8}|(?:127.0.0.1|0.0.0.0|::1|192.0.2.2):[0-9]+|ffff[0-9a-f]{12}").ok()
    });
    let text = value.map_or(String::new(), Value::to_string);
    match RANDOM.as_ref() {
        Some(random) => random.replace_all(&text, "*").into_owned(),
        None => text,
    }
}
