//! Beside strace, on the same run of the same program: the same calls in the same order per thread, with the same
//! results and arguments.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tracer_tests::programs::{Scratch, compile, run_silent};
use tracer_tests::tracer::Tracer;
use tracer_tests::{Completion, Needs, Trial, live};

use crate::argument::{self, Place};
use crate::strace_log::{self, Call};

pub fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[Needs::Root, Needs::Program("gcc"), Needs::Program("strace")];
    let reads = || strace_log::reads_lines().map(|()| Completion::Completed);
    vec![
        live("strace::reads_what_strace_writes", &[], reads),
        live("strace::same_calls_results_and_arguments", NEEDS, same),
    ]
}

/// What cannot be the same, and why. The first word is the call; a call that strace shows and tracer has no exit event
/// for, or the other way round.
const CALLS_THAT_DIFFER: &[(&str, &str)] = &[
    ("exit", "never returns, so it has no exit event; the end of the thread is a procexit event"),
    ("exit_group", "never returns, so it has no exit event; the end of the process is a procexit event"),
];

/// An exit event as the tracer printed it.
#[derive(Debug)]
struct Seen {
    kind: String,
    arguments: String,
}

/// How one parameter is compared.
struct Rule {
    parameter: String,
    /// `None`: not at all.
    place: Option<Place>,
    /// Constants that only tracer's table has.
    own_names: Vec<String>,
}

/// The schema as the test reads it: independent of the code that is under test.
struct Schema {
    /// Name of the exit event, by name of the call as strace has it.
    event_of_call: BTreeMap<String, String>,
    call_of_number: BTreeMap<u64, String>,
    /// Parameters of an exit event: name, type, format.
    parameters: BTreeMap<String, Vec<(String, String, String)>>,
    errno: BTreeMap<String, i64>,
    rules: BTreeMap<String, Vec<Rule>>,
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').collect())
}

impl Schema {
    fn load() -> Result<Schema> {
        let events: Value = serde_json::from_str(include_str!("../../data/events.json"))?;
        let mut by_id = BTreeMap::new();
        for event in events.as_array().context("a list of events")? {
            let text = |value: &Value, key: &str| value[key].as_str().unwrap_or("").to_string();
            let parameters: Vec<_> = event["params"].as_array().map_or(Vec::new(), |list| {
                list.iter().map(|one| (text(one, "name"), text(one, "type"), text(one, "fmt"))).collect()
            });
            by_id.insert(text(event, "id"), (text(event, "name"), parameters));
        }
        let (mut event_of_call, mut call_of_number, mut parameters) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for row in rows(include_str!("../../data/syscalls_x86_64.tsv")) {
            let [number, name, _, _, exit] = row[..] else { bail!("syscalls_x86_64.tsv: {row:?}") };
            call_of_number.insert(number.parse()?, name.to_string());
            // Calls without an event of their own are shown under their own name and without arguments.
            let event = match by_id.get(exit) {
                Some((event, list)) if exit != "GENERIC_X" => {
                    parameters.insert(event.clone(), list.clone());
                    event.clone()
                }
                _ => name.to_string(),
            };
            event_of_call.insert(name.to_string(), event);
        }
        let errno = rows(include_str!("../../data/errno.tsv"))
            .filter_map(|row| Some((row.get(1)?.to_string(), row.first()?.parse().ok()?)))
            .collect();
        let rules = rows(include_str!("strace_rules.tsv"))
            .map(|row| {
                Ok((
                    row[0].to_string(),
                    row.get(1).unwrap_or(&"").split(' ').map(rule).collect::<Result<_>>()?,
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Schema { event_of_call, call_of_number, parameters, errno, rules })
    }
}

fn rule(text: &str) -> Result<Rule> {
    let (text, own_names) = match text.strip_suffix('}').and_then(|text| text.split_once('{')) {
        Some((text, names)) => (text, names.split('|').map(str::to_string).collect()),
        None => (text, Vec::new()),
    };
    if let Some(parameter) = text.strip_suffix('!') {
        return Ok(Rule { parameter: parameter.into(), place: None, own_names });
    }
    let (parameter, place) = text.split_once('@').with_context(|| format!("rule {text}"))?;
    let (place, member) = match place.split_once('.') {
        Some((place, member)) => (place, Some(member.to_string())),
        None => (place, None),
    };
    let argument = if place == "r" { None } else { Some(place.parse()?) };
    Ok(Rule { parameter: parameter.into(), place: Some(Place { argument, member }), own_names })
}

fn same() -> Result<Completion> {
    let schema = Schema::load()?;
    let program = compile("syscalls", "tr-syscalls", &[])?;
    let folder = Scratch::new("strace")?;
    let (logs, work) = (folder.path().join("logs"), folder.path().join("work"));
    std::fs::create_dir(&logs)?;
    std::fs::create_dir(&work)?;

    // One run, two witnesses: addresses, process numbers and times are the same for both.
    let format = "*%thread.tid %evt.type %evt.args";
    // Buffers are compared as far as tracer prints them by default.
    let mut tracer = Tracer::start_seeing(&["-p", format], "proc.name=tr-syscalls and evt.dir=<")?;
    let mut strace = Command::new("strace");
    strace.args(["-ff", "-v", "-s", "4096", "-a1", "-X", "verbose", "-o"]).arg(logs.join("log"));
    let (_, status) = run_silent(strace.arg(&program).arg(&work))?;
    ensure!(status == 0, "strace ended with {status}");
    tracer.mark()?;
    let output = tracer.finish()?;

    let mut threads: BTreeMap<i64, Vec<Seen>> = BTreeMap::new();
    for line in output.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(tid), Some(kind)) = (words.next(), words.next()) else {
            bail!("not of the format: {line}")
        };
        let seen = Seen { kind: kind.into(), arguments: words.next().unwrap_or("").to_string() };
        threads.entry(tid.parse().with_context(|| line.clone())?).or_default().push(seen);
    }

    let mut comparison = Comparison::new(&schema);
    for entry in std::fs::read_dir(&logs)? {
        let path = entry?.path();
        let tid =
            path.extension().and_then(|tid| tid.to_str()?.parse().ok()).context("a log without a number")?;
        let log = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
        let calls = strace_log::calls(&log, &|name| schema.errno.get(name).copied());
        comparison.thread(tid, &calls, threads.get(&tid).map_or(&[], Vec::as_slice));
    }
    comparison.verdict()
}

struct Comparison<'a> {
    schema: &'a Schema,
    faults: Vec<String>,
    names: std::collections::BTreeSet<String>,
    calls: usize,
    threads: usize,
    parameters: usize,
}

impl<'a> Comparison<'a> {
    fn new(schema: &'a Schema) -> Self {
        Comparison {
            schema,
            faults: Vec::new(),
            names: Default::default(),
            calls: 0,
            threads: 0,
            parameters: 0,
        }
    }

    fn thread(&mut self, tid: i64, calls: &[Call], seen: &[Seen]) {
        self.threads += 1;
        let mut seen = seen.iter().peekable();
        // The first that a new process does is to return from the call that made it, and strace shows only its maker.
        let began = calls.first().is_some_and(|call| call.name == "execve");
        if !began
            && seen.peek().is_some_and(|first| first.kind.contains("clone") || first.kind.contains("fork"))
        {
            let first = seen.next().map_or("", |first| first.arguments.as_str());
            if !first.starts_with("res=0 ") {
                self.faults.push(format!("{tid}: the child's own return is not 0: {first}"));
            }
        }
        let calls: Vec<_> = calls
            .iter()
            .filter(|call| !CALLS_THAT_DIFFER.iter().any(|(name, _)| call.name == *name))
            .collect();
        let seen: Vec<_> = seen.collect();
        let (mut c, mut s) = (0, 0);
        while c < calls.len() || s < seen.len() {
            let same = |c: usize, s: usize| {
                calls
                    .get(c)
                    .zip(seen.get(s))
                    .is_some_and(|(call, seen)| self.expected(call).contains(&seen.kind))
            };
            if same(c, s) {
                self.call(tid, calls[c], seen[s]);
                (c, s) = (c + 1, s + 1);
                continue;
            }
            // The nearest place where both go on alike.
            let ahead = (1..40).flat_map(|sum| (0..=sum).map(move |skip| (skip, sum - skip)));
            let (skip_calls, skip_seen) = ahead
                .into_iter()
                .find(|(a, b)| same(c + a, s + b) && same(c + a + 1, s + b + 1))
                .unwrap_or((1, 1));
            for call in calls.iter().skip(c).take(skip_calls) {
                self.faults.push(format!("{tid}: only strace has {}", call.line));
            }
            for only in seen.iter().skip(s).take(skip_seen) {
                self.faults.push(format!("{tid}: only tracer has {} {}", only.kind, only.arguments));
            }
            (c, s) = (c + skip_calls, s + skip_seen);
        }
    }

    /// The event types that stand for a call.
    fn expected(&self, call: &Call) -> Vec<String> {
        let number =
            call.name.strip_prefix("syscall_0x").and_then(|number| u64::from_str_radix(number, 16).ok());
        let name = match number {
            None => &call.name,
            Some(number) => match self.schema.call_of_number.get(&number) {
                Some(name) => name,
                // A number that no kernel has.
                None => return vec!["<unknown>".into()],
            },
        };
        vec![self.schema.event_of_call.get(name).unwrap_or(name).clone()]
    }

    fn call(&mut self, tid: i64, call: &Call, seen: &Seen) {
        self.calls += 1;
        self.names.insert(call.name.clone());
        let Some(parameters) = self.schema.parameters.get(&seen.kind) else { return };
        let Some(rules) = self.schema.rules.get(&seen.kind) else {
            if !parameters.is_empty() {
                self.faults.push(format!("no rule for the event {}", seen.kind));
            }
            return;
        };
        let values = values(&seen.arguments, parameters);
        for (name, kind, format) in parameters {
            let Some(rule) = rules.iter().find(|rule| rule.parameter == *name) else {
                self.faults.push(format!("no rule for {}.{name}", seen.kind));
                continue;
            };
            let Some(place) = &rule.place else { continue };
            let Some(value) = values.get(name.as_str()) else {
                self.faults
                    .push(format!("{tid}: {} without {name}: {} | {}", seen.kind, seen.arguments, call.line));
                continue;
            };
            self.parameters += 1;
            if let Err(why) = argument::compare(call, place, value, kind, format, &rule.own_names) {
                self.faults
                    .push(format!("{tid}: {}.{name} {why} | {} | {}", seen.kind, seen.arguments, call.line));
            }
        }
    }

    fn verdict(self) -> Result<Completion> {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for fault in &self.faults {
            *kinds.entry(fault.split_once(": ").map_or(fault.as_str(), |(_, fault)| fault)).or_default() += 1;
        }
        let list: Vec<_> =
            kinds.iter().take(60).map(|(fault, times)| format!("{times} x {}", clip(fault))).collect();
        let extent = format!(
            "{} calls of {} kinds in {} threads, {} parameters",
            self.calls,
            self.names.len(),
            self.threads,
            self.parameters
        );
        ensure!(self.faults.is_empty(), "{extent}: {} differences:\n{}", self.faults.len(), list.join("\n"));
        eprintln!("{extent}: no difference");
        ensure!(self.names.len() >= 120, "only {} kinds of calls", self.names.len());
        Ok(Completion::Completed)
    }
}

fn clip(text: &str) -> String {
    text.chars().take(400).collect()
}

/// Takes `a=1 b=x y c=3` apart, whose values may hold blanks, by the names that must be there in this order.
fn values<'a>(text: &'a str, parameters: &'a [(String, String, String)]) -> BTreeMap<&'a str, &'a str> {
    let mut found = BTreeMap::new();
    let mut starts = Vec::new();
    let mut at = 0;
    for (name, ..) in parameters {
        let key = format!("{name}=");
        let place = text[at..]
            .match_indices(&key)
            .map(|(place, _)| at + place)
            .find(|place| *place == 0 || text.as_bytes()[place - 1] == b' ');
        if let Some(place) = place {
            starts.push((name, place, place + key.len()));
            at = place + key.len();
        }
    }
    for (index, (name, _, start)) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(text.len(), |(_, next, _)| *next);
        found.insert(name.as_str(), text[*start..end].strip_suffix(' ').unwrap_or(&text[*start..end]));
    }
    found
}
