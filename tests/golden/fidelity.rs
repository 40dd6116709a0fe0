//! Every field that the other program printed, on every event that it showed.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, bail};
use serde_json::Value;
use tracer_tests::{Completion, Trial, live};

use crate::columns::{Golden, by_number, capture, golden, tracer};
use crate::differences::{Difference, explain, of_generation};

/// Values that must be equal or explained, of 100, in each capture and of each field.
const GOAL: f64 = 99.9;

/// So many values may differ in a capture of a few events.
const FEW: usize = 10;

pub fn trials() -> Vec<Trial> {
    ["sysdig-0.36", "libs-2026-07"]
        .map(|generation| {
            live(format!("fields are those of {generation}"), &[], move || compare_generation(generation))
        })
        .into()
}

/// What came out for a field or a capture.
#[derive(Default)]
struct Row {
    values: usize,
    equal: usize,
    explained: usize,
    example: Option<String>,
}

impl Row {
    fn share(&self, count: usize) -> f64 {
        if self.values == 0 { 100.0 } else { 100.0 * count as f64 / self.values as f64 }
    }

    fn print(&self, name: &str) {
        let example = self.example.as_deref().unwrap_or("");
        let (equal, all) = (self.share(self.equal), self.share(self.equal + self.explained));
        println!("{:>8} {equal:>8.3} {all:>8.3}  {name}  {example}", self.values);
    }

    fn is_below_goal(&self) -> bool {
        let known = self.equal + self.explained;
        self.share(known) < GOAL && self.values - known > FEW
    }
}

/// Verdicts on pairs of values that were seen before: most differences are the same again and again.
type Seen = HashMap<(String, String, Value, Value), bool>;

fn compare_generation(generation: &str) -> Result<Completion> {
    let differences = of_generation(generation)?;
    let (mut fields, mut captures) = (BTreeMap::<String, Row>::new(), BTreeMap::<String, Row>::new());
    let mut missing = Vec::new();
    let mut seen = Seen::new();
    for golden in golden(generation)? {
        let row = captures.entry(golden.capture.clone()).or_default();
        let absent = compare(&golden, &differences, &mut seen, row, &mut fields)?;
        if absent > 0 {
            missing.push(format!("{absent} events of {}", golden.capture));
        }
    }
    println!("{:>8} {:>8} {:>8}  capture", "values", "equal", "or known");
    captures.iter().for_each(|(name, row)| row.print(name));
    println!("{:>8} {:>8} {:>8}  field, where any differ", "values", "equal", "or known");
    fields.iter().filter(|(_, row)| row.equal < row.values).for_each(|(name, row)| row.print(name));
    let sum = |part: fn(&Row) -> usize| captures.values().map(part).sum();
    let all = Row {
        values: sum(|row| row.values),
        equal: sum(|row| row.equal),
        explained: sum(|row| row.explained),
        example: None,
    };
    all.print(&format!("all: {} captures, {} fields", captures.len(), fields.len()));
    let below: Vec<&String> =
        captures.iter().chain(&fields).filter(|(_, row)| row.is_below_goal()).map(|(name, _)| name).collect();
    for unused in differences.iter().filter(|difference| !difference.used.get()) {
        println!("explains nothing any more: {}", unused.row);
    }
    if !missing.is_empty() {
        bail!("not shown: {}", missing.join(", "));
    }
    if !below.is_empty() {
        bail!("fewer than {GOAL} % are equal or explained: {below:?}");
    }
    Ok(Completion::Completed)
}

/// Compares one capture; returns how many of its events tracer does not show.
fn compare(
    golden: &Golden,
    differences: &[Difference],
    seen: &mut Seen,
    of_capture: &mut Row,
    of_fields: &mut BTreeMap<String, Row>,
) -> Result<usize> {
    let names = golden.fields.iter().map(|(name, _)| name.as_str());
    let ours = by_number(tracer(&capture(&golden.capture)?, names)?);
    let types = golden.fields.iter().find(|(name, _)| name == "evt.type").map(|(_, types)| types);
    let mut absent = 0;
    for (i, number) in golden.numbers.iter().enumerate() {
        let Some(event) = ours.get(number) else {
            absent += 1;
            continue;
        };
        let ty = types.and_then(|types| types.get(i)).and_then(Value::as_str).unwrap_or("");
        for (name, values) in &golden.fields {
            let (theirs, ours) =
                (values.get(i).unwrap_or(&Value::Null), event.get(name).unwrap_or(&Value::Null));
            let is_equal = theirs == ours;
            let is_explained = !is_equal && {
                let key = (name.clone(), ty.to_string(), theirs.clone(), ours.clone());
                *seen.entry(key).or_insert_with(|| explain(differences, name, ty, theirs, ours))
            };
            for row in [&mut *of_capture, of_fields.entry(name.clone()).or_default()] {
                row.values += 1;
                row.equal += usize::from(is_equal);
                row.explained += usize::from(is_explained);
                if !is_equal && !is_explained && row.example.is_none() {
                    let (theirs, ours) = (theirs.to_string(), ours.to_string());
                    let capture = &golden.capture;
                    row.example =
                        Some(format!("{capture} {number} {ty} {name}: {theirs:.90}, not {ours:.90}"));
                }
            }
        }
    }
    Ok(absent)
}
