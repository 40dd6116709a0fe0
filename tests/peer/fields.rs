//! Every field that both programs have, on every event.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::catalogue;
use crate::records::{Both, Extent, ask};
use crate::rules::Rules;
use crate::situation::Story;
use crate::sysdig::{captures, name_of};

/// Values of each field that must be equal or explained in each capture, of 100.
const GOAL: f64 = 99.9;

pub fn trials() -> Vec<Trial> {
    vec![live("fields are those of sysdig", &[Needs::Program("sysdig")], fields)]
}

/// What came out for one field, in one capture or all.
#[derive(Default)]
struct Row {
    values: usize,
    equal: usize,
    explained: usize,
    /// The worst capture, in percent, and its name.
    worst: Option<(f64, String)>,
    example: Option<String>,
}

impl Row {
    fn percent(&self, good: usize) -> f64 {
        if self.values == 0 { 100.0 } else { 100.0 * good as f64 / self.values as f64 }
    }

    fn total(&self) -> f64 {
        self.percent(self.equal + self.explained)
    }

    fn add(&mut self, other: Row, capture: &str) {
        let total = other.total();
        if self.worst.as_ref().is_none_or(|(worst, _)| total < *worst) {
            self.worst = Some((total, capture.to_string()));
        }
        self.values += other.values;
        self.equal += other.equal;
        self.explained += other.explained;
        self.example = self.example.take().or(other.example);
    }
}

fn fields() -> Result<Completion> {
    let rules = Rules::load()?;
    let captures = captures()?;
    let first = captures.first().context("a capture")?;
    let names = catalogue::printed(first)?;
    let mut by_field: BTreeMap<String, Row> = BTreeMap::new();
    println!("{:>9} {:>8} {:>9} {:>8}  capture", "values", "equal", "explained", "percent");
    let mut below: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for capture in &captures {
        let name = name_of(capture);
        let Some(rows) = compare(capture, &names, &rules)? else {
            println!("{:>9} {:>8} {:>9} {:>8}  {name}: sysdig fails", "", "", "", "");
            continue;
        };
        let mut sum = Row::default();
        for (field, row) in rows {
            if row.total() < GOAL {
                below.entry(field.clone()).or_default().push(name.clone());
            }
            sum.values += row.values;
            sum.equal += row.equal;
            sum.explained += row.explained;
            by_field.entry(field).or_default().add(row, &name);
        }
        let equal = sum.percent(sum.equal);
        println!("{:>9} {equal:>8.3} {:>9} {:>8.3}  {name}", sum.values, sum.explained, sum.total());
    }
    print_fields(&by_field);
    if !below.is_empty() {
        bail!("fewer than {GOAL} % of the values are equal or explained, by field: {below:#?}");
    }
    Ok(Completion::Completed)
}

fn print_fields(by_field: &BTreeMap<String, Row>) {
    println!("\n{:>9} {:>8} {:>9} {:>8}  field, worst capture", "values", "equal", "explained", "percent");
    for (field, row) in by_field.iter().filter(|(_, row)| row.equal < row.values) {
        let (worst, capture) = row.worst.as_ref().map_or((100.0, ""), |(worst, name)| (*worst, name));
        let (equal, total) = (row.percent(row.equal), row.total());
        print!("{:>9} {equal:>8.3} {:>9} {total:>8.3}  {field}", row.values, row.explained);
        println!("{}", if worst < 100.0 { format!(", {worst:.3} in {capture}") } else { String::new() });
        if let Some(example) = &row.example {
            println!("{:>38}  {example}", "");
        }
    }
    let everywhere = by_field.values().filter(|row| row.equal == row.values).count();
    println!("{} fields, of which {everywhere} differ nowhere", by_field.len());
}

/// The fields of one capture; `None` when sysdig fails on it.
fn compare(capture: &Path, names: &[String], rules: &Rules) -> Result<Option<BTreeMap<String, Row>>> {
    let Some(story) = Story::of(capture, Extent::Beginning)? else { return Ok(None) };
    let asked = ask(capture, Extent::Beginning, names)?;
    let mut rows = BTreeMap::new();
    for both in &asked.answers {
        for (at, field) in both.fields.iter().enumerate() {
            rows.insert(field.clone(), compare_field(both, at, field, &story, rules));
        }
    }
    for field in &asked.failing {
        println!("{:>38}  sysdig fails with %{field} on {}", "", name_of(capture));
    }
    Ok(Some(rows))
}

fn compare_field(both: &Both, at: usize, field: &str, story: &Story, rules: &Rules) -> Row {
    let mut row = Row::default();
    let mut before = "";
    for key in &story.order {
        let value = |of: Option<&'_ [String]>| of.and_then(|values| values.get(at)).is_some();
        let (theirs, ours) = (both.sysdig.of(key), both.tracer.of(key));
        if !value(theirs) || !value(ours) {
            continue;
        }
        let (theirs, ours) = (&theirs.unwrap_or_default()[at], &ours.unwrap_or_default()[at]);
        row.values += 1;
        if theirs == ours {
            row.equal += 1;
        } else if rules.explain(field, story.situation(key), theirs, ours, before) {
            row.explained += 1;
        } else if row.example.is_none() {
            row.example = Some(format!("{key}: {theirs:.60?}, not {ours:.60?}"));
        }
        before = theirs;
    }
    row
}
