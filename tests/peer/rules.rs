//! Differences from sysdig that are explained: rows of `rules.tsv`.

use anyhow::{Context, Result, bail};

use crate::situation::{Situation, When};

/// How the value of tracer follows from that of sysdig, or how little sysdig's says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Relation {
    /// Sysdig's value means nothing.
    Any,
    /// `A → B`: sysdig prints A where tracer prints B; `*` stands for anything.
    Pair(String, String),
    /// `text A → B`: the same with A and B in longer texts.
    Text(String, String),
    /// `with A`: tracer's text has A in addition.
    With(String),
    /// Sysdig's number has more bits than the 32 of the value.
    Low32,
    /// Sysdig repeats what it printed for the event before.
    Before,
    /// Tracer's number is not above sysdig's.
    AtMost,
    /// Names of sockets within longer texts differ.
    SocketNames,
    /// Names of fds of kinds that are newer than sysdig.
    NewerKinds,
    /// Names of fds within longer texts are missing.
    NoFdNames,
    /// Tracer's text has more parameters at its end.
    More,
}

impl Relation {
    fn parse(text: &str) -> Result<Relation> {
        let pair = |text: &str| {
            let (theirs, ours) = text.split_once(" → ").with_context(|| format!("no arrow in {text}"))?;
            anyhow::Ok((theirs.to_string(), ours.to_string()))
        };
        Ok(match text {
            "any" => Relation::Any,
            "low 32 bits" => Relation::Low32,
            "the event before" => Relation::Before,
            "at most" => Relation::AtMost,
            "socket names" => Relation::SocketNames,
            "newer kinds" => Relation::NewerKinds,
            "no fd names" => Relation::NoFdNames,
            "more parameters" => Relation::More,
            _ => match text.split_once(' ') {
                Some(("text", text)) => pair(text).map(|(theirs, ours)| Relation::Text(theirs, ours))?,
                Some(("with", text)) => Relation::With(text.to_string()),
                _ => pair(text).map(|(theirs, ours)| Relation::Pair(theirs, ours))?,
            },
        })
    }

    fn holds(&self, theirs: &str, ours: &str, before: &str) -> bool {
        let number = |text: &str| text.parse::<f64>().ok();
        match self {
            Relation::Any => true,
            Relation::Pair(a, b) => (a == "*" || a == theirs) && (b == "*" || b == ours),
            Relation::Low32 => theirs.parse::<u64>().is_ok_and(|n| (n as u32).to_string() == ours),
            Relation::Before => theirs == before,
            Relation::AtMost => number(theirs).zip(number(ours)).is_some_and(|(theirs, ours)| ours <= theirs),
            Relation::More => ours.strip_prefix(theirs).is_some_and(|more| more.contains('=')),
            Relation::Text(..)
            | Relation::With(_)
            | Relation::NewerKinds
            | Relation::SocketNames
            | Relation::NoFdNames => false,
        }
    }

    /// Sysdig's or tracer's text without what the relation allows to differ.
    fn rewrite(&self, text: &str, is_theirs: bool) -> String {
        match self {
            Relation::Text(a, b) if is_theirs => text.replace(a, b),
            Relation::With(more) if !is_theirs => text.replace(more, ""),
            Relation::SocketNames => without_names(text, |kind| kind.starts_with(['4', '6'])),
            Relation::NewerKinds => {
                // bpf, io_uring, memfd, pidfd, epoll; in lists such as 3:b1 they are unsupported or unknown to sysdig.
                const NEWER: [char; 5] = ['b', 'r', 'm', 'P', 'l'];
                let text = without_names(text, |kind| kind.starts_with(NEWER));
                NEWER
                    .iter()
                    .chain(&['X', '?'])
                    .fold(text, |text, kind| text.replace(&format!(":{kind}"), ":"))
            }
            Relation::NoFdNames => without_names(text, |_| true),
            _ => text.to_string(),
        }
    }
}

/// The text without `(<kind>name)` behind fds of these kinds.
fn without_names(text: &str, goes: impl Fn(&str) -> bool) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, behind)) = rest.split_once("(<") {
        kept.push_str(before);
        match behind.split_once(')') {
            Some((inner, after)) if goes(inner) => rest = after,
            _ => {
                kept.push_str("(<");
                rest = behind;
            }
        }
    }
    kept + rest
}

/// One row.
struct Rule {
    fields: Vec<&'static str>,
    when: When,
    relation: Relation,
}

/// The table.
pub struct Rules(Vec<Rule>);

/// The name that rules have for the whole line of the default output.
pub const LINE: &str = "line";

impl Rules {
    pub fn load() -> Result<Rules> {
        let rows = include_str!("rules.tsv").lines().filter(|row| !row.starts_with('#'));
        rows.map(|row| {
            let columns: Vec<&'static str> = row.split('\t').collect();
            let [fields, when, relation, _reason] = columns[..] else { bail!("rules.tsv: {row}") };
            Ok(Rule {
                fields: fields.split(' ').collect(),
                when: When::parse(when).with_context(|| format!("rules.tsv: {row}"))?,
                relation: Relation::parse(relation).with_context(|| format!("rules.tsv: {row}"))?,
            })
        })
        .collect::<Result<_>>()
        .map(Rules)
    }

    /// Whether a rule explains that the programs print different values for a field. `before` is what sysdig printed
    /// for the event before.
    pub fn explain(&self, field: &str, now: Situation, theirs: &str, ours: &str, before: &str) -> bool {
        let (theirs, ours) = (printable(theirs), printable(ours));
        if theirs == ours {
            return true;
        }
        let applies =
            |rule: &&Rule| now.is(rule.when) && rule.fields.iter().any(|known| is_meant(known, field));
        let rules = || self.0.iter().filter(applies);
        // One rule alone, or several parts of a longer text that differ.
        let rewritten = |text: &str, is_theirs| {
            rules().fold(text.to_string(), |text, rule| rule.relation.rewrite(&text, is_theirs))
        };
        let (shorter, longer) = (rewritten(&theirs, true), rewritten(&ours, false));
        shorter == longer
            || rules().any(|rule| rule.relation.holds(&theirs, &ours, before))
            || rules()
                .any(|rule| rule.relation == Relation::More && rule.relation.holds(&shorter, &longer, ""))
    }

    /// Whether sysdig's value of a field means nothing at all in this situation.
    pub fn is_open(&self, field: &str, when: When) -> bool {
        let is_open = |rule: &Rule| rule.when == when && rule.relation == Relation::Any;
        self.0.iter().any(|rule| is_open(rule) && rule.fields.iter().any(|known| is_meant(known, field)))
    }
}

/// `fd.*` means all fields that begin so, `proc.aname` also those with an argument.
fn is_meant(known: &str, field: &str) -> bool {
    match known.strip_suffix('*') {
        Some(beginning) => field.starts_with(beginning),
        None => field == known || field.strip_prefix(known).is_some_and(|rest| rest.starts_with('[')),
    }
}

/// Control characters are removed by the one and printed by the other program, depending on the field.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
