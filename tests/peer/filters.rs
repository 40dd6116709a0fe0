//! Filters made from the field table: every operator with every type of field, run through both programs.
//!
//! Values come from what the captures hold, so that a filter selects some events and not others. Nothing is random: the
//! same captures give the same filters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::catalogue::{self, Filtered};
use crate::filter_text::{OPERATORS, filter_text};
use crate::records::{Asked, Extent, KEY, Program, ask, records};
use crate::rules::Rules;
use crate::situation::{Story, When};
use crate::sysdig::{captures, name_of};

/// Filters of one check, and such as are made of two of them.
const CHECKS: usize = 300;
const COMBINATIONS: usize = 40;
/// How many of them must select some events and not all.
const TELLING: usize = CHECKS * 8 / 10;
/// Captures that are used, and events that they may have.
const CAPTURES: usize = 3;
const MOST_EVENTS: usize = 10_000;
const WORKERS: usize = 2;

pub fn trials() -> Vec<Trial> {
    vec![live("filters select what they select in sysdig", &[Needs::Program("sysdig")], filters)]
}

/// A capture with what both programs print for all fields.
struct Known {
    path: PathBuf,
    story: Story,
    asked: Asked,
    /// Distinct values by field, as sysdig prints them.
    values: HashMap<String, Vec<String>>,
}

/// One filter.
#[derive(Debug, Clone)]
struct Candidate {
    text: String,
    capture: usize,
    /// What it is an example of: type and operator.
    kind: (String, &'static str),
    /// Printed fields whose explained differences explain another selection.
    basis: Vec<String>,
}

/// What both programs did with a filter.
struct Outcome {
    candidate: Candidate,
    selected: usize,
    of: usize,
    /// Events that only one program selects, without an explanation.
    wrong: Vec<String>,
    explained: usize,
}

fn filters() -> Result<Completion> {
    let rules = Rules::load()?;
    let fields = catalogue::filtered()?;
    let known = choose_captures(&fields)?;
    let mut candidates = candidates(&fields, &known).into_iter();
    let mut done: Vec<Outcome> = Vec::new();
    let mut refused = BTreeMap::<(String, &'static str), usize>::new();
    while done.len() < CHECKS {
        let batch: Vec<Candidate> = candidates.by_ref().take(CHECKS - done.len()).collect();
        ensure!(!batch.is_empty(), "only {} filters can be made", done.len());
        let (accepted, left_out) = run(&batch, &known, &rules)?;
        done.extend(accepted);
        for candidate in left_out {
            *refused.entry(candidate.kind).or_default() += 1;
        }
    }
    done.extend(run(&combinations(&done), &known, &rules)?.0);
    report(&done, &refused, &known)
}

/// The captures with the most types of events, among those that are not too long.
fn choose_captures(fields: &[Filtered]) -> Result<Vec<Known>> {
    let ty = ["evt.type".to_string()];
    let mut variety = Vec::new();
    for path in captures()? {
        let Some(events) = records(Program::Sysdig, &path, Extent::Whole, &ty)? else { continue };
        let types: BTreeSet<_> = events.order.iter().filter_map(|key| events.of(key)).collect();
        if events.order.len() <= MOST_EVENTS {
            variety.push((types.len(), path));
        }
    }
    variety.sort();
    let mut asked: BTreeSet<String> = fields.iter().flat_map(|field| field.basis.iter().cloned()).collect();
    asked.extend(fields.iter().map(|field| field.values_of.clone()));
    let asked: Vec<String> = asked.into_iter().collect();
    let chosen = variety.into_iter().rev().take(CAPTURES);
    chosen.map(|(_, path)| Known::new(path, &asked)).collect()
}

impl Known {
    fn new(path: PathBuf, fields: &[String]) -> Result<Known> {
        let story = Story::of(&path, Extent::Whole)?.context("sysdig fails")?;
        let asked = ask(&path, Extent::Whole, fields)?;
        let mut values = HashMap::new();
        for both in &asked.answers {
            for (at, field) in both.fields.iter().enumerate() {
                let all = story.order.iter().filter_map(|key| both.sysdig.of(key)?.get(at));
                let distinct: BTreeSet<&String> = all.collect();
                values.insert(field.clone(), distinct.into_iter().cloned().collect());
            }
        }
        Ok(Known { path, story, asked, values })
    }

    /// What both programs print for a field of an event.
    fn printed(&self, field: &str, key: &str) -> Option<(&str, &str)> {
        self.asked.answers.iter().find_map(|both| {
            let at = both.fields.iter().position(|known| known == field)?;
            Some((both.sysdig.of(key)?.get(at)?.as_str(), both.tracer.of(key)?.get(at)?.as_str()))
        })
    }
}

/// All filters that can be made, so ordered that each type of field and operator has its turn.
fn candidates(fields: &[Filtered], known: &[Known]) -> Vec<Candidate> {
    let mut by_kind: BTreeMap<(String, &'static str), Vec<Candidate>> = BTreeMap::new();
    for (at, field) in fields.iter().enumerate() {
        for operator in OPERATORS.iter().filter(|op| field.operators.iter().any(|known| known == **op)) {
            // From capture to capture, beginning with another one for each.
            let turn = at + operator.len();
            let made = (0..known.len()).map(|i| (turn + i) % known.len()).find_map(|capture| {
                let values = known[capture].values.get(&field.values_of)?;
                let usable = values.len() > 1;
                let text = usable.then(|| filter_text(&field.name, &field.ty, operator, values, turn))??;
                let kind = (field.ty.clone(), *operator);
                Some(Candidate { text, capture, kind, basis: field.basis.clone() })
            });
            by_kind.entry((field.ty.clone(), operator)).or_default().extend(made);
        }
    }
    let mut queues: Vec<_> = by_kind.into_values().map(Vec::into_iter).collect();
    let mut ordered = Vec::new();
    loop {
        let round: Vec<Candidate> = queues.iter_mut().filter_map(Iterator::next).collect();
        if round.is_empty() {
            return ordered;
        }
        ordered.extend(round);
    }
}

/// Two filters in one, the way they stand in a row of outcomes.
fn combinations(done: &[Outcome]) -> Vec<Candidate> {
    let pairs = done.iter().zip(done.iter().skip(CHECKS / 2));
    let same = pairs.filter(|(a, b)| a.candidate.capture == b.candidate.capture);
    same.take(COMBINATIONS)
        .enumerate()
        .map(|(i, (a, b))| {
            let (left, right) = (&a.candidate.text, &b.candidate.text);
            let (text, word) = match i % 3 {
                0 => (format!("{left} and not {right}"), "and not"),
                1 => (format!("{left} or {right}"), "or"),
                _ => (format!("not ({left} and {right})"), "not and"),
            };
            let basis = [a.candidate.basis.clone(), b.candidate.basis.clone()].concat();
            Candidate { text, capture: a.candidate.capture, kind: ("combination".to_string(), word), basis }
        })
        .collect()
}

/// Runs filters through both programs; those that sysdig refuses are returned apart.
fn run(batch: &[Candidate], known: &[Known], rules: &Rules) -> Result<(Vec<Outcome>, Vec<Candidate>)> {
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<BTreeMap<usize, Result<Option<Outcome>>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(candidate) = batch.get(at)
                {
                    let outcome = try_one(candidate, &known[candidate.capture], rules);
                    outcomes.lock().unwrap_or_else(|e| e.into_inner()).insert(at, outcome);
                }
            });
        }
    });
    let (mut accepted, mut left_out) = (Vec::new(), Vec::new());
    for (at, outcome) in outcomes.into_inner().unwrap_or_else(|e| e.into_inner()) {
        match outcome? {
            Some(outcome) => accepted.push(outcome),
            None => left_out.push(batch[at].clone()),
        }
    }
    Ok((accepted, left_out))
}

/// `None` when sysdig refuses the filter.
fn try_one(candidate: &Candidate, known: &Known, rules: &Rules) -> Result<Option<Outcome>> {
    let Ok(theirs) = selected(Program::Sysdig, &known.path, &candidate.text)? else { return Ok(None) };
    let mut outcome = Outcome {
        candidate: candidate.clone(),
        selected: theirs.len(),
        of: known.story.order.len(),
        wrong: Vec::new(),
        explained: 0,
    };
    let ours = match selected(Program::Tracer, &known.path, &candidate.text)? {
        Ok(ours) => ours,
        Err(message) => {
            outcome.wrong.push(message);
            return Ok(Some(outcome));
        }
    };
    for key in theirs.symmetric_difference(&ours) {
        let situation = known.story.situation(key);
        let begin_refused = known.story.begin(key).is_some_and(|begin| !theirs.contains(begin));
        let explains = |field: &String| {
            let differs =
                |(theirs, ours)| theirs != ours && rules.explain(field, situation, theirs, ours, theirs);
            let is_forgotten = begin_refused && rules.is_open(field, When::BeginRefused);
            is_forgotten || known.printed(field, key).is_some_and(differs)
        };
        if candidate.basis.iter().any(explains) {
            outcome.explained += 1;
        } else {
            let program = if theirs.contains(key) { "sysdig" } else { "tracer" };
            let values: Vec<_> =
                candidate.basis.iter().filter_map(|field| known.printed(field, key)).collect();
            outcome.wrong.push(format!("only {program} selects {key}: {values:?}"));
        }
    }
    Ok(Some(outcome))
}

/// The events that a filter selects, or what the program says against it.
fn selected(program: Program, capture: &Path, filter: &str) -> Result<Result<BTreeSet<String>, String>> {
    let output = program.reading(capture)?.args(["-p", KEY, filter]).output().context("no output")?;
    if !output.status.success() {
        return Ok(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect()))
}

fn report(
    done: &[Outcome],
    refused: &BTreeMap<(String, &'static str), usize>,
    known: &[Known],
) -> Result<Completion> {
    println!("captures: {}", known.iter().map(|known| name_of(&known.path)).collect::<Vec<_>>().join(", "));
    let mut by_kind: BTreeMap<&(String, &str), [usize; 4]> = BTreeMap::new();
    let is_telling = |outcome: &&Outcome| (1..outcome.of).contains(&outcome.selected);
    for outcome in done {
        let row = by_kind.entry(&outcome.candidate.kind).or_default();
        row[0] += 1;
        row[1] += usize::from(is_telling(&outcome));
        row[2] += usize::from(outcome.explained > 0);
        row[3] += usize::from(!outcome.wrong.is_empty());
    }
    println!(
        "{:>8} {:>8} {:>9} {:>6} {:>8}  type, operator",
        "filters", "telling", "explained", "wrong", "refused"
    );
    for ((ty, operator), [filters, telling, explained, wrong]) in &by_kind {
        let refused = refused.get(&(ty.clone(), operator)).copied().unwrap_or(0);
        println!("{filters:>8} {telling:>8} {explained:>9} {wrong:>6} {refused:>8}  {ty} {operator}");
    }
    for ((ty, operator), count) in refused.iter().filter(|(kind, _)| !by_kind.contains_key(kind)) {
        println!("{:>8} {:>8} {:>9} {:>6} {count:>8}  {ty} {operator}", "", "", "", "");
    }
    let telling = done.iter().filter(is_telling).count();
    println!("{} filters, {telling} select some events and not all", done.len());
    let wrong: Vec<&Outcome> = done.iter().filter(|outcome| !outcome.wrong.is_empty()).collect();
    for outcome in &wrong {
        println!("{} ({} of {} events)", outcome.candidate.text, outcome.selected, outcome.of);
        outcome.wrong.iter().take(3).for_each(|line| println!("    {line:.200}"));
    }
    if !wrong.is_empty() {
        bail!("{} of {} filters select other events", wrong.len(), done.len());
    }
    ensure!(telling >= TELLING, "only {telling} of {} filters tell anything", done.len());
    Ok(Completion::Completed)
}
