//! The program a filter is compiled to, and how it runs.
//!
//! A program is a row of steps. Each asks one question and names the step that follows a yes and
//! the one that follows a no, so that `and`, `or` and `not` cost nothing at run time.

use super::ast::{Operator, Quantifier};
use super::compare::{Order, Test, pair};
use super::event_set::EventSet;
use super::transform::{Operand, Values};
use crate::fields::{Extraction, Value};
use crate::state::fd::FdKind;

/// Jump target: the event matches.
pub(super) const ACCEPT: u32 = u32::MAX;
/// Jump target: the event does not match.
pub(super) const REJECT: u32 = u32::MAX - 1;

#[derive(Debug, Clone)]
pub(super) struct Step {
    pub question: Question,
    pub yes: u32,
    pub no: u32,
}

#[derive(Debug, Clone)]
pub(super) enum Question {
    Constant(bool),
    /// What the event is, which covers `evt.type` and `evt.dir`.
    Events(Box<EventSet>),
    /// `evt.around`: ns since the epoch, both ends included.
    Around {
        first: u64,
        last: u64,
    },
    Values(Box<ValueCheck>),
}

/// A question about the values of an operand. Without any value the answer is no.
#[derive(Debug, Clone)]
pub(super) struct ValueCheck {
    pub operand: Operand,
    pub mode: Mode,
    pub rule: Rule,
    /// Of a check of `fd.type`: a bit for each kind of fd whose word it accepts.
    pub kinds: Option<u32>,
    /// It is `fd.name != ''`.
    pub is_named: bool,
}

/// How many of the values must satisfy the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Any,
    /// `!=`
    None,
    /// `in` for list fields.
    All,
}

#[derive(Debug, Clone)]
pub(super) enum Rule {
    Constant(Test),
    /// The mode must hold for one, any or all of these.
    Counted(Quantifier, Vec<Test>),
    /// Compares with the values of another operand.
    Pair(Operator, Operand),
}

/// Memory that is reused from event to event.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    left: Values,
    right: Values,
    text: Vec<u8>,
    tallies: Vec<Tally>,
}

/// What was seen of the values of one operand.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    hits: u32,
    misses: u32,
}

impl Tally {
    #[inline]
    fn count(&mut self, answer: Option<bool>) {
        match answer {
            Some(true) => self.hits += 1,
            Some(false) => self.misses += 1,
            // Of another kind than the constant: such a value neither equals it nor differs.
            None => {}
        }
    }

    #[inline]
    fn verdict(self, mode: Mode) -> bool {
        match mode {
            Mode::Any => self.hits > 0,
            Mode::None => self.hits == 0 && self.misses > 0,
            Mode::All => self.hits > 0 && self.misses == 0,
        }
    }
}

/// Runs a program for one event.
pub(super) fn run(steps: &[Step], from: &Extraction<'_>, scratch: &mut Scratch) -> bool {
    let mut at = 0;
    while let Some(step) = steps.get(at as usize) {
        at = if step.question.answer(from, scratch) { step.yes } else { step.no };
    }
    at == ACCEPT
}

impl Question {
    #[inline]
    fn answer(&self, from: &Extraction<'_>, scratch: &mut Scratch) -> bool {
        match self {
            Question::Constant(answer) => *answer,
            Question::Events(set) => set.contains(from.context.event),
            Question::Around { first, last } => (*first..=*last).contains(&from.context.event.ts),
            Question::Values(check) => check.answer(from, scratch),
        }
    }
}

impl ValueCheck {
    fn answer(&self, from: &Extraction<'_>, scratch: &mut Scratch) -> bool {
        if let Some(kinds) = self.kinds {
            return from.fd().is_some_and(|fd| kinds & 1 << fd.kind as u32 != 0);
        }
        if self.is_named && from.fd().is_some_and(|fd| !fd.name.is_empty()) {
            return true;
        }
        let Scratch { left, right, text, tallies } = scratch;
        match &self.rule {
            Rule::Constant(test) => {
                let mut tally = Tally::default();
                each(&self.operand, from, left, &mut |v| tally.count(test.accepts(&v, text)));
                tally.verdict(self.mode)
            }
            Rule::Counted(quantifier, tests) => {
                tallies.clear();
                tallies.resize(tests.len(), Tally::default());
                let mut seen = false;
                each(&self.operand, from, left, &mut |v| {
                    seen = true;
                    for (tally, test) in tallies.iter_mut().zip(tests) {
                        tally.count(test.accepts(&v, text));
                    }
                });
                let holding = tallies.iter().filter(|t| t.verdict(self.mode)).count();
                seen && quantifier.holds(holding, tests.len())
            }
            Rule::Pair(op, other) => {
                right.clear();
                right.add(other, from);
                let mut tally = Tally::default();
                each(&self.operand, from, left, &mut |v| {
                    // Equal to any of the others is enough; a single value is the usual case.
                    let mut one = Tally::default();
                    right.iter().for_each(|r| one.count(pair(*op, &v, &r)));
                    if one.hits + one.misses > 0 {
                        tally.count(Some(one.hits > 0));
                    }
                });
                tally.verdict(self.mode)
            }
        }
    }

    /// Where an fd has a name, `fd.name != ''` needs no more than to see that.
    pub(super) fn with_name(mut self) -> Self {
        let is_name = matches!(&self.operand, Operand::Field(field) if field.field.name == "fd.name");
        let is_of_nothing =
            matches!(&self.rule, Rule::Constant(Test::Text(Order::Eq, text)) if text.is_empty());
        self.is_named = is_name && is_of_nothing && self.mode == Mode::None;
        self
    }

    /// The kinds of fds that a check of `fd.type` accepts: the word of each is compared here, once.
    pub(super) fn with_kinds(mut self) -> Self {
        let is_kind = matches!(&self.operand, Operand::Field(field) if field.field.name == "fd.type");
        let accepts = |kind: FdKind| self.answer_for(Value::Text(kind.word()?.as_bytes()));
        // A kind without a word is no value, and that is a no.
        let bit = |kind: &FdKind| u32::from(accepts(*kind) == Some(true)) << *kind as u32;
        if is_kind && !matches!(self.rule, Rule::Pair(..)) {
            self.kinds = Some(FdKind::ALL.iter().map(bit).fold(0, |all, bit| all | bit));
        }
        self
    }

    /// The answer for a field that has exactly this value, where that can be told without an event.
    pub(super) fn answer_for(&self, value: Value<'_>) -> Option<bool> {
        let mut text = Vec::new();
        let mut verdict = |test: &Test| {
            let mut tally = Tally::default();
            tally.count(test.accepts(&value, &mut text));
            tally.verdict(self.mode)
        };
        match &self.rule {
            Rule::Constant(test) => Some(verdict(test)),
            Rule::Counted(quantifier, tests) => {
                Some(quantifier.holds(tests.iter().filter(|t| verdict(t)).count(), tests.len()))
            }
            Rule::Pair(..) => None,
        }
    }
}

impl Quantifier {
    fn holds(self, holding: usize, of: usize) -> bool {
        match self {
            Quantifier::One => holding == 1,
            Quantifier::Any => holding > 0,
            Quantifier::All => holding == of,
        }
    }
}

/// Calls `visit` with each value of the operand; only functions need memory for that.
#[inline]
fn each(operand: &Operand, from: &Extraction<'_>, values: &mut Values, visit: &mut dyn FnMut(Value<'_>)) {
    match operand {
        Operand::Field(field) => field.extract(from, visit),
        call @ Operand::Call(_) => {
            values.clear();
            values.add(call, from);
            values.iter().for_each(visit);
        }
    }
}
