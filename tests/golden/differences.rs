//! Differences that are explained: rows of `differences.tsv`, whose head says how to read them.

use std::cell::Cell;
use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use regex::Regex;
use serde_json::Value;

/// What a row allows.
enum Kind {
    /// The value of the other program and that of tracer look like this.
    Is(Regex, Option<Regex>),
    /// What matches is written like this by the other program and may be by tracer.
    As(Regex, String),
    /// Lists are equal in any order.
    Set,
}

pub struct Difference {
    generations: String,
    fields: Vec<String>,
    types: Regex,
    kind: Kind,
    /// The row, for messages.
    pub row: &'static str,
    /// Whether it ever explained something.
    pub used: Cell<bool>,
}

/// The rows for one generation.
pub fn of_generation(generation: &str) -> Result<Vec<Difference>> {
    let rows = include_str!("differences.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut differences = Vec::new();
    for row in rows {
        let difference = read(row).with_context(|| format!("differences.tsv: {row}"))?;
        if generation.starts_with(&difference.generations) {
            differences.push(difference);
        }
    }
    Ok(differences)
}

fn read(row: &'static str) -> Result<Difference> {
    let columns: Vec<&str> = row.split('\t').collect();
    let [generations, fields, types, kind, theirs, ours, reason] = columns[..] else {
        bail!("{} columns instead of 7", columns.len())
    };
    if reason.is_empty() {
        bail!("no reason");
    }
    let whole = |text: &str| Regex::new(&format!("(?s)^(?:{text})$"));
    let kind = match kind {
        "is" => Kind::Is(whole(theirs)?, if ours == "*" { None } else { Some(whole(ours)?) }),
        "as" => Kind::As(Regex::new(theirs)?, ours.to_string()),
        "set" => Kind::Set,
        other => bail!("unknown kind {other}"),
    };
    Ok(Difference {
        generations: if generations == "*" { "" } else { generations }.to_string(),
        fields: fields.split(' ').map(str::to_string).collect(),
        types: whole(types)?,
        kind,
        row,
        used: Cell::new(false),
    })
}

impl Difference {
    fn is_about(&self, field: &str, ty: &str) -> bool {
        let names = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => field.starts_with(prefix),
            None => pattern == field,
        };
        self.fields.iter().any(names) && self.types.is_match(ty)
    }
}

/// Whether the rows explain that `theirs` and `ours` differ in `field` of an event of type `ty`.
pub fn explain(differences: &[Difference], field: &str, ty: &str, theirs: &Value, ours: &Value) -> bool {
    let (mut left, mut right) = (text(theirs), text(ours));
    let mut rewritten = Vec::new();
    for difference in differences.iter().filter(|difference| difference.is_about(field, ty)) {
        let explains = match &difference.kind {
            Kind::Is(theirs, ours) => {
                theirs.is_match(&left) && ours.as_ref().is_none_or(|ours| ours.is_match(&right))
            }
            Kind::Set => set(theirs).is_some_and(|left| Some(left) == set(ours)),
            Kind::As(pattern, replacement) => {
                if pattern.is_match(&left) || pattern.is_match(&right) {
                    left = pattern.replace_all(&left, replacement.as_str()).into_owned();
                    right = pattern.replace_all(&right, replacement.as_str()).into_owned();
                    rewritten.push(difference);
                }
                left == right
            }
        };
        if explains {
            difference.used.set(true);
            rewritten.iter().for_each(|difference| difference.used.set(true));
            return true;
        }
    }
    false
}

/// A value as the rows see it: text without quotes, the rest as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn set(value: &Value) -> Option<BTreeSet<String>> {
    value.as_array().map(|list| list.iter().map(text).collect())
}
