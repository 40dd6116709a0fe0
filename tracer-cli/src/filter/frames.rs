//! Which parts of a capture a filter can match, by what the index says of them.
//!
//! Everything here errs on one side: no event of a part for which the answer is no would match.

use super::compile::Node;
use super::eval::{Question, Rule, ValueCheck};
use super::event_set::EventSet;
use super::pushdown;
use super::transform::Operand;
use crate::fields::Value;
use crate::scap::{Frame, Texts};
use crate::schema::{Class, EventType};

/// What is asked about a part.
struct Part<'a> {
    frame: &'a Frame,
    events: EventSet,
}

/// Whether an event of this part can match.
pub(super) fn may_match(node: &Node, frame: &Frame) -> bool {
    let events = EventSet::of_kinds(frame.kinds.iter().map(|(key, _)| (EventType(key.ty), key.call)));
    Part { frame, events }.may_match(node)
}

impl Part<'_> {
    fn may_match(&self, node: &Node) -> bool {
        match node {
            // What holds for all parts must be possible for one kind of event.
            Node::All(parts) => {
                !pushdown::possible(node).intersection(&self.events).is_empty()
                    && parts.iter().all(|part| self.may_match(part))
            }
            Node::Any(parts) => parts.iter().any(|part| self.may_match(part)),
            Node::Leaf { question, negated } => match question {
                Question::Constant(answer) => answer != negated,
                Question::Around { first, last } if !negated => self.has_time(*first, *last),
                Question::Values(check) if !negated => {
                    !pushdown::possible(node).intersection(&self.events).is_empty() && self.has_value(check)
                }
                _ => !pushdown::possible(node).intersection(&self.events).is_empty(),
            },
        }
    }

    fn has_time(&self, first: u64, last: u64) -> bool {
        let is_note = |ty: u16| EventType(ty).info().is_none_or(|info| info.class == Class::Meta);
        first <= self.frame.last_ts && self.frame.first_ts <= last
            // Notes have times that nobody noted.
            || self.frame.kinds.iter().any(|(key, _)| is_note(key.ty))
    }

    /// Whether one of the values of a field that are listed for the part can satisfy the check.
    fn has_value(&self, check: &ValueCheck) -> bool {
        let Operand::Field(field) = &check.operand else { return true };
        if matches!(check.rule, Rule::Pair(..)) || field.arg.is_some() {
            return true;
        }
        let can_be = |value: Value<'_>| check.answer_for(value) != Some(false);
        let text = |list: &Option<Texts>| {
            list.as_ref().is_none_or(|list| list.iter().any(|text| can_be(Value::Text(text))))
        };
        let number = |list: &Option<Vec<i64>>| {
            list.as_ref().is_none_or(|list| list.iter().any(|n| can_be(Value::Int(*n))))
        };
        match field.field.name {
            "proc.name" => text(&self.frame.names),
            "thread.tid" => number(&self.frame.tids),
            "proc.pid" => number(&self.frame.pids),
            "container.id" => {
                // Outside of containers, and where it is not known.
                [&b"host"[..], b""].iter().any(|text| can_be(Value::Text(text)))
                    || text(&self.frame.containers)
            }
            _ => true,
        }
    }
}
