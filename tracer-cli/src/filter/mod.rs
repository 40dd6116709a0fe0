//! Filters: `proc.name = cat and evt.type in (open, openat)`.
//!
//! The text is parsed into a tree ([`parse`](parse::parse), [`ast`]), each check is looked up in
//! the field table and prepared, and the whole becomes a flat program that [`Filter::matches`] runs for
//! each event without allocating. A check on a field without value is false, whatever its operator.

pub mod ast;
mod check;
mod compare;
mod compile;
mod error;
mod eval;
mod event_set;
mod fd_gate;
mod frames;
mod gate;
mod literal;
pub mod parse;
mod pushdown;
#[cfg(test)]
pub(crate) mod tests;
mod transform;

pub use error::FilterError;
pub use event_set::EventSet;
pub use gate::Gate;

use crate::event::Event;
use crate::fields::{ExtractOptions, Extraction, Field, FieldRef};
use crate::schema::EventType;
use crate::state::Context;
use crate::state::fd::FdInfo;

/// A filter ready to run.
#[derive(Debug, Clone)]
pub struct Filter {
    source: String,
    tree: ast::Expr,
    node: compile::Node,
    steps: Vec<eval::Step>,
    scratch: eval::Scratch,
    /// Lent to the extraction of each event.
    text: Vec<u8>,
    events: EventSet,
    /// Those of them that match whatever else they say.
    certain: EventSet,
    fields: Vec<&'static Field>,
    /// What it asks about the fd of an event.
    fd_gate: Option<fd_gate::FdGate>,
}

/// The operators that a field can be compared with; those that only some functions of it allow are not among them.
pub fn operators_of(field: &Field) -> impl Iterator<Item = ast::Operator> {
    check::operators_of(field)
}

/// A superset of the events for which a field can have a value: for those outside it never has one, whatever the state.
pub fn events_with(field: &FieldRef) -> EventSet {
    pushdown::with_field(field)
}

impl Filter {
    /// Parses and checks a filter.
    ///
    /// # Errors
    /// Whatever is wrong with it: syntax, unknown fields, operators that do not fit the type of the
    /// field, values that are none of that type.
    pub fn compile(text: &str) -> Result<Filter, FilterError> {
        let tree = parse::parse(text)?;
        let node = compile::node(&tree)?;
        let mut fields: Vec<&'static Field> = Vec::new();
        node.visit_fields(&mut |field| {
            if !fields.iter().any(|f| std::ptr::eq(*f, field.field)) {
                fields.push(field.field);
            }
        });
        Ok(Filter {
            source: text.to_owned(),
            steps: compile::program(&node),
            events: pushdown::possible(&node),
            certain: pushdown::certain(&node),
            fd_gate: fd_gate::FdGate::of(&node),
            tree,
            node,
            fields,
            scratch: eval::Scratch::default(),
            text: Vec::new(),
        })
    }

    /// Whether the event matches.
    #[inline]
    pub fn matches(&mut self, context: Context<'_>, options: &ExtractOptions) -> bool {
        if let Some(decided) = self.decided_by_kind(context.event) {
            return decided;
        }
        let from = Extraction::new(context, options, std::mem::take(&mut self.text));
        let matches = eval::run(&self.steps, &from, &mut self.scratch);
        self.text = from.into_scratch();
        matches
    }

    /// What [`Filter::matches`] says, where the kind of the event decides it.
    #[inline]
    pub fn decided_by_kind(&self, event: &Event<'_>) -> Option<bool> {
        if self.certain.contains(event) {
            return Some(true);
        }
        (!self.events.contains(event)).then_some(false)
    }

    /// What [`Filter::matches`] says, where what is known of the fd of the event, or that nothing is, decides it.
    #[inline]
    pub fn decided_by_fd<'f>(&self, fd: impl FnOnce() -> Option<&'f FdInfo>) -> Option<bool> {
        let gate = self.fd_gate.as_ref()?;
        gate.decides(fd())
    }

    /// Whether [`Filter::decided_by_fd`] ever has an answer.
    pub fn asks_about_fd(&self) -> bool {
        self.fd_gate.is_some()
    }

    /// Whether every event of this type matches, whatever else it says.
    pub fn matches_all(&self, ty: EventType) -> bool {
        self.certain.contains_whole(ty)
    }

    /// As [`Filter::matches`], for a caller that extracts other fields of the event as well.
    #[inline]
    pub fn matches_in(&mut self, from: &Extraction<'_>) -> bool {
        match self.decided_by_kind(from.context.event) {
            Some(decided) => decided,
            None => eval::run(&self.steps, from, &mut self.scratch),
        }
    }

    /// The text it was made of.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn tree(&self) -> &ast::Expr {
        &self.tree
    }

    /// A superset of the events that can match: those outside never do, whatever the state.
    pub fn event_types(&self) -> &EventSet {
        &self.events
    }

    /// What it asks about the thread of an event alone, if it does.
    pub fn gate(&self) -> Option<Gate> {
        Gate::of(&self.node)
    }

    /// Whether an event of this part of a capture can match: where the answer is no, none does.
    pub fn may_match(&self, frame: &crate::scap::Frame) -> bool {
        frames::may_match(&self.node, frame)
    }

    /// Whether enter events of system calls can match.
    pub fn needs_enter(&self) -> bool {
        pushdown::has_calls_entered(&self.events)
    }

    /// The fields that are read when it runs. `evt.type` and `evt.dir` are mostly decided without.
    pub fn fields(&self) -> &[&'static Field] {
        &self.fields
    }

    /// Whether the filter names this field, whatever its argument.
    pub fn uses_field(&self, name: &str) -> bool {
        pushdown::names_field(&self.tree, &|field| field == name)
    }

    /// One line each on what its author may not know: `evt.type = open` without `openat`.
    pub fn hints(&self) -> Vec<String> {
        pushdown::hints(&self.tree, &self.events)
    }
}
