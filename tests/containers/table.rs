//! The table of engines and fields in the log of the test.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use tracer_tests::Completion;

/// Fields that have a column.
pub const FIELDS: &[&str] = &[
    "container.id",
    "container.name",
    "container.type",
    "container.image",
    "container.privileged",
    "k8s.pod.name",
    "k8s.ns.name",
    "user.name",
    "group.name",
];

static LINES: Mutex<Vec<Vec<String>>> = Mutex::new(Vec::new());

/// Adds a line: engine, version of control groups, the fields, and how many events there were in the container live
/// and replayed, and on the host; or an engine and why it says nothing.
pub fn add(line: Vec<String>) {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
}

/// Prints what there is.
pub fn print() -> Result<Completion> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut titles = vec!["engine", "groups"];
    titles.extend(FIELDS);
    titles.extend(["live", "replayed", "on the host"]);
    let titles: Vec<String> = titles.into_iter().map(str::to_string).collect();
    let whole = || lines.iter().filter(|line| line.len() == titles.len());
    let width = |at: usize| whole().chain([&titles]).map(|line| line[at].chars().count()).max().unwrap_or(0);
    println!();
    for line in std::iter::once(&titles).chain(lines.iter()) {
        let cells = line.iter().enumerate().map(|(at, cell)| format!("{cell:width$}", width = width(at)));
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    if whole().count() == 0 {
        return Ok(Completion::ignored_with("no engine was tried"));
    }
    Ok(Completion::Completed)
}
