//! What a filter asks about the thread of an event alone. Most events are refused by that, and then nobody has to look
//! what else they say.

use super::compile::Node;
use super::eval::{Question, Rule, ValueCheck};
use super::transform::Operand;
use crate::fields::{ThreadValue, thread_value};
use crate::state::thread::Thread;

/// The checks of a filter that read the thread and nothing else. What it refuses the filter refuses, too.
#[derive(Debug, Clone)]
pub struct Gate(Checks);

#[derive(Debug, Clone)]
enum Checks {
    All(Vec<Checks>),
    Any(Vec<Checks>),
    One { value: ThreadValue, check: Box<ValueCheck>, negated: bool },
}

impl Gate {
    /// Of the filter with these checks; `None` when an event of any thread may match it.
    pub(super) fn of(node: &Node) -> Option<Gate> {
        Checks::of(node).map(Gate)
    }

    /// Whether events of the thread, or of one that is not known, can match.
    #[inline]
    pub fn admits(&self, thread: Option<&Thread>) -> bool {
        self.0.admit(thread)
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
