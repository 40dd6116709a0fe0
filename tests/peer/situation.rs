//! What there is to know about an event besides its values: how its process came to be, whether its call was seen to
//! begin, what kind of fd it is about.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::records::{Extent, Records, both_records};

/// When a difference may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// In a thread that is not the main one.
    InThread,
    /// The process, or one that it was forked from, was made with `CLONE_PARENT`.
    Sibling,
    /// One of the threads of the process made itself known by its own clone event.
    ThreadCloned,
    /// setsid or setpgid was called by or for the process, or one that it was forked from.
    Regrouped,
    /// A program was executed by the process, or one that it was forked from, while the capture was made.
    Executed,
    /// One was, and sysdig knows the fd but tracer does not.
    ClosedByExec,
    /// The exit of a call whose enter is not in the capture.
    WithoutEnter,
    /// The exit event tells the fd, which sysdig expects in the enter event.
    FdInExit,
    /// The fd is a datagram socket.
    Datagram,
    /// The event is a note about a container.
    Note,
    /// The event before it is one.
    BehindNote,
    /// The capture has events of types that sysdig does not know, and does not count.
    Newer,
    /// A filter selects the exit of a call and not its enter.
    BeginRefused,
}

impl When {
    const WORDS: [(&str, When); 14] = [
        ("always", When::Always),
        ("in thread", When::InThread),
        ("sibling", When::Sibling),
        ("thread cloned", When::ThreadCloned),
        ("regrouped", When::Regrouped),
        ("executed", When::Executed),
        ("closed by exec", When::ClosedByExec),
        ("without enter", When::WithoutEnter),
        ("fd in exit", When::FdInExit),
        ("datagram", When::Datagram),
        ("note", When::Note),
        ("behind note", When::BehindNote),
        ("newer", When::Newer),
        ("begin refused", When::BeginRefused),
    ];

    /// The situation that a rule names.
    pub fn parse(word: &str) -> Option<When> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, when)| *when)
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// All that [`When`] can say of one event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Situation(u32);

impl Situation {
    /// Of an event of which nothing special is known.
    pub const PLAIN: Situation = Situation(1 << When::Always as u32);

    pub fn is(self, when: When) -> bool {
        self.0 & when.bit() != 0
    }
}

/// Events that come in between the enter and the exit of a call.
const IN_BETWEEN: [&str; 4] = ["switch", "page_fault", "signaldeliver", "container"];

const FACTS: [&str; 10] = [
    "evt.num",
    "evt.type",
    "evt.dir",
    "evt.rawres",
    "evt.args",
    "thread.tid",
    "proc.pid",
    "fd.num",
    "fd.type",
    "fd.l4proto",
];

/// One event as a program tells it.
struct Facts<'a>(&'a [String]);

impl<'a> Facts<'a> {
    fn get(&self, name: &str) -> &'a str {
        let at = FACTS.iter().position(|fact| *fact == name);
        at.and_then(|at| self.0.get(at)).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.get(name).parse().ok()
    }

    /// A number among the parameters.
    fn parameter(&self, name: &str) -> Option<i64> {
        let args = self.get("evt.args");
        let at =
            args.match_indices(&format!("{name}=")).find(|(at, _)| *at == 0 || args[..*at].ends_with(' '))?.0;
        let value = &args[at + name.len() + 1..];
        value.split(|c: char| !c.is_ascii_digit() && c != '-').next()?.parse().ok()
    }
}

/// The situations of the events of a capture.
pub struct Story {
    by_key: HashMap<String, Situation>,
    /// The enter event of each exit event, where there is one.
    begins: HashMap<String, String>,
    /// The events in the order of sysdig's output.
    pub order: Vec<String>,
}

impl Story {
    /// Asks both programs; `None` when sysdig fails on the capture.
    pub fn of(capture: &Path, extent: Extent) -> Result<Option<Story>> {
        let facts = FACTS.map(str::to_string);
        let (sysdig, tracer) = both_records(capture, extent, &facts)?;
        let Some(sysdig) = sysdig else { return Ok(None) };
        Ok(Some(Story::told(sysdig, &tracer.context("tracer failed")?)))
    }

    fn told(sysdig: Records, tracer: &Records) -> Story {
        let number = |records: &Records, key| records.of(key).map(|facts| Facts(facts).number("evt.num"));
        let is_newer = sysdig
            .order
            .iter()
            .any(|key| number(tracer, key).is_some_and(|ours| number(&sysdig, key) != Some(ours)));
        let mut past = Past { is_newer, ..Past::default() };
        let (mut by_key, mut begins) = (HashMap::new(), HashMap::new());
        for key in &sysdig.order {
            let theirs = Facts(sysdig.of(key).unwrap_or_default());
            let ours = Facts(tracer.of(key).unwrap_or_default());
            by_key.insert(key.clone(), past.next(key, &theirs, &ours));
            if let Some(begin) = past.begin.take() {
                begins.insert(key.clone(), begin);
            }
        }
        Story { by_key, begins, order: sysdig.order }
    }

    pub fn situation(&self, key: &str) -> Situation {
        self.by_key.get(key).copied().unwrap_or_default()
    }

    /// The event with which the call began that ends with this one.
    pub fn begin(&self, key: &str) -> Option<&str> {
        self.begins.get(key).map(String::as_str)
    }
}

/// What the events before tell.
#[derive(Default)]
struct Past {
    /// Of processes, the situations that last.
    processes: HashMap<i64, u32>,
    /// Of threads, the type, direction and key of their last event.
    threads: HashMap<i64, [String; 3]>,
    /// The key of the enter event, when the last event was an exit.
    begin: Option<String>,
    note: bool,
    is_newer: bool,
}

impl Past {
    fn next(&mut self, key: &str, theirs: &Facts<'_>, ours: &Facts<'_>) -> Situation {
        let pid = theirs.number("proc.pid").unwrap_or(-1);
        let tid = theirs.number("thread.tid").unwrap_or(-1);
        self.learn(theirs, pid, tid);
        let lasting = self.processes.get(&pid).copied().unwrap_or(0);
        let (ty, dir) = (theirs.get("evt.type"), theirs.get("evt.dir"));
        let is_begin = |before: &[String; 3]| before[0] == ty && before[1] == ">" && dir == "<";
        self.begin = None;
        if !IN_BETWEEN.contains(&ty) {
            let before = self.threads.insert(tid, [ty, dir, key].map(str::to_string));
            self.begin = before.filter(is_begin).map(|[.., key]| key);
        }
        let executed = lasting & When::Executed.bit() != 0;
        let no_fd = |facts: &Facts<'_>| matches!(facts.get("fd.type"), "<NA>" | "");
        let names_fd = ["fd", "dirfd"].iter().any(|name| theirs.parameter(name).is_some());
        let is_note = ty == "container";
        let holds = [
            (When::Always, true),
            (When::InThread, tid != pid),
            (When::ClosedByExec, executed && no_fd(ours) && !no_fd(theirs)),
            (When::WithoutEnter, dir == "<" && self.begin.is_none()),
            (When::FdInExit, dir == "<" && names_fd && matches!(theirs.get("fd.num"), "<NA>" | "-1")),
            (When::Datagram, [theirs, ours].iter().any(|facts| facts.get("fd.l4proto") == "udp")),
            (When::Note, is_note),
            (When::Newer, self.is_newer),
            (When::BehindNote, std::mem::replace(&mut self.note, is_note)),
        ];
        let now = holds.iter().filter(|(_, holds)| *holds).fold(0, |bits, (when, _)| bits | when.bit());
        Situation(now | lasting)
    }

    fn learn(&mut self, event: &Facts<'_>, pid: i64, tid: i64) {
        let result = event.number("evt.rawres");
        let mut add = |pid: i64, bits: u32| *self.processes.entry(pid).or_default() |= bits;
        match (event.get("evt.type"), result) {
            ("execve" | "execveat", Some(0)) => add(pid, When::Executed.bit()),
            ("setsid", Some(_)) => add(pid, When::Regrouped.bit()),
            ("setpgid", _) => {
                add(pid, When::Regrouped.bit());
                add(event.parameter("pid").unwrap_or(0), When::Regrouped.bit());
            }
            ("clone" | "clone3" | "fork" | "vfork", Some(result)) if result >= 0 => {
                let flags = event.get("evt.args");
                let (parent, child) = match result {
                    0 => (event.parameter("ptid").unwrap_or(-1), pid),
                    child => (pid, child),
                };
                if result == 0 && tid != pid {
                    add(pid, When::ThreadCloned.bit());
                }
                if flags.contains("CLONE_THREAD") {
                    return;
                }
                let inherited = self.processes.get(&parent).copied().unwrap_or(0);
                let mut words = flags.split(|c: char| !c.is_ascii_uppercase() && c != '_');
                let sibling = if words.any(|word| word == "CLONE_PARENT") { When::Sibling.bit() } else { 0 };
                *self.processes.entry(child).or_default() |= inherited | sibling;
            }
            _ => {}
        }
    }
}
