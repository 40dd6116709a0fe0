//! What a filter asks about the thread of an event alone. Most events are refused by that, and then nobody has to look
//! what else they say.

use super::compile::Node;
use super::eval::{Question, Rule, ValueCheck};
use super::transform::Operand;
use crate::fields::{ThreadValue, thread_value};
use crate::state::thread::Thread;
use std::cell::Cell;

/// Threads that are remembered to be refused; those whose numbers differ by a multiple of it displace each other.
const REMEMBERED: usize = 1024;

/// The checks of a filter that read the thread and nothing else. What it refuses the filter refuses, too.
#[derive(Debug, Clone)]
pub struct Gate {
    checks: Checks,
    /// Events of threads that are not known can match.
    admits_unknown: bool,
    /// By the low bits of its number, [`Thread::changed`] of a thread that was refused: as long as that is the same, it
    /// is refused.
    refused: Box<[Cell<u64>; REMEMBERED]>,
}

#[derive(Debug, Clone)]
enum Checks {
    All(Vec<Checks>),
    Any(Vec<Checks>),
    One { value: ThreadValue, check: Box<ValueCheck>, negated: bool },
}

impl Gate {
    /// Of the filter with these checks; `None` when an event of any thread may match it.
    pub(super) fn of(node: &Node) -> Option<Gate> {
        let checks = Checks::of(node)?;
        let refused = Box::new([const { Cell::new(0) }; REMEMBERED]);
        Some(Gate { admits_unknown: checks.admit(None), checks, refused })
    }

    /// Whether events of the thread, or of one that is not known, can match.
    #[inline]
    pub fn admits(&self, thread: Option<&Thread>) -> bool {
        let Some(thread) = thread else { return self.admits_unknown };
        let refused = &self.refused[thread.tid.cast_unsigned() as usize % REMEMBERED];
        if refused.get() == thread.changed {
            return false;
        }
        let admits = self.checks.admit(Some(thread));
        if !admits {
            refused.set(thread.changed);
        }
        admits
    }
}

impl Checks {
    fn of(node: &Node) -> Option<Checks> {
        match node {
            Node::All(parts) => {
                let checks: Vec<Checks> = parts.iter().filter_map(Checks::of).collect();
                (!checks.is_empty()).then_some(Checks::All(checks))
            }
            Node::Any(parts) => parts.iter().map(Checks::of).collect::<Option<Vec<_>>>().map(Checks::Any),
            Node::Leaf { question: Question::Values(check), negated } => {
                let Operand::Field(field) = &check.operand else { return None };
                if field.arg.is_some() || matches!(check.rule, Rule::Pair(..)) {
                    return None;
                }
                let value = thread_value(field.field.name)?;
                Some(Checks::One { value, check: check.clone(), negated: *negated })
            }
            Node::Leaf { .. } => None,
        }
    }

    fn admit(&self, thread: Option<&Thread>) -> bool {
        match self {
            Checks::All(checks) => checks.iter().all(|check| check.admit(thread)),
            Checks::Any(checks) => checks.iter().any(|check| check.admit(thread)),
            Checks::One { value, check, negated } => {
                // Without a value the answer is no.
                let answer = thread.map_or(Some(false), |thread| check.answer_for(value(thread)));
                answer.is_none_or(|answer| answer != *negated)
            }
        }
    }
}
