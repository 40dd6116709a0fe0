//! What can be told about a filter without an event: which events it can match at all, which
//! hints its author may want.
//!
//! Everything here errs on one side: an event outside the set never matches.

use super::ast::{Argument, Expr, Operand as Typed, Operator, Right};
use super::compile::Node;
use super::eval::{Question, Rule, ValueCheck};
use super::event_set::EventSet;
use super::transform::Operand;
use crate::fields::{self, FieldRef, Value};
use crate::schema::{Category, Class, EventFlags, EventType, ParamInfo, ParamType};

/// A superset of the events for which the filter can be true.
pub(super) fn possible(node: &Node) -> EventSet {
    match node {
        Node::All(parts) => {
            parts.iter().map(possible).fold(EventSet::all(), |all, part| all.intersection(&part))
        }
        Node::Any(parts) => parts.iter().map(possible).fold(EventSet::EMPTY, |all, part| all.union(&part)),
        Node::Leaf { question, negated } => match question {
            Question::Constant(answer) if answer != negated => EventSet::all(),
            Question::Constant(_) => EventSet::EMPTY,
            Question::Events(set) if *negated => set.complement(),
            Question::Events(set) => (**set).clone(),
            // The negation of a check is true without a value, therefore for any event.
            Question::Values(check) if !negated => with_values(check),
            _ => EventSet::all(),
        },
    }
}

/// Of the [`possible`] events those that match whatever else they say.
pub(super) fn certain(node: &Node) -> EventSet {
    let fold = |parts: &[Node], with: fn(&EventSet, &EventSet) -> EventSet, first| {
        parts.iter().fold(first, |set, part| with(&set, &certain(part)))
    };
    match node {
        Node::All(parts) => fold(parts, EventSet::intersection, EventSet::all()),
        Node::Any(parts) => fold(parts, EventSet::union, EventSet::EMPTY),
        Node::Leaf { question: Question::Events(set), negated: false } => EventSet::clone(set),
        Node::Leaf { question: Question::Events(set), negated: true } => set.complement(),
        Node::Leaf { question: Question::Constant(answer), negated } if answer != negated => EventSet::all(),
        Node::Leaf { question: Question::Values(check), negated }
            if answer_at_begin(check) == Some(!negated) =>
        {
            EventSet::of_types(begins_call)
        }
        Node::Leaf { .. } => EventSet::EMPTY,
    }
}

/// What a check says of the latency of a call that has just begun, which is 0.
fn answer_at_begin(check: &ValueCheck) -> Option<bool> {
    let Operand::Field(field) = &check.operand else { return None };
    let is_latency = matches!(field.field.name, "evt.latency" | "evt.latency.s" | "evt.latency.ns");
    if is_latency { check.answer_for(Value::Reltime(0)) } else { None }
}

fn begins_call(ty: EventType) -> bool {
    ty.is_enter() && ty.info().is_some_and(|info| info.class == Class::Syscall)
}

/// The events for which the operands of a check can have values.
fn with_values(check: &ValueCheck) -> EventSet {
    let of_rule = match &check.rule {
        Rule::Pair(_, other) => of_operand(other, None),
        _ => EventSet::all(),
    };
    of_rule.intersection(&of_operand(&check.operand, Some(check)))
}

fn of_operand(operand: &Operand, check: Option<&ValueCheck>) -> EventSet {
    match operand {
        Operand::Field(field) => of_field(field, check),
        // A function of nothing may still be something: the length of nothing is zero.
        Operand::Call(_) => EventSet::all(),
    }
}

/// A superset of the events for which a field can have a value.
pub(super) fn with_field(field: &FieldRef) -> EventSet {
    of_field(field, None)
}

/// Where a field can have a value that satisfies the check.
fn of_field(field: &FieldRef, check: Option<&ValueCheck>) -> EventSet {
    // `evt.is_io = false` is true for all events that are none.
    let false_suffices = || check.is_none_or(|c| c.answer_for(Value::Bool(false)) != Some(false));
    let only_true = |set: EventSet| if false_suffices() { EventSet::all() } else { set };
    let with_flags = |wanted| EventSet::of_types(|ty| has_flags(ty, wanted));
    let name = field.field.name;
    match name {
        "evt.arg" | "evt.rawarg" => match &field.arg {
            Some(arg) if !arg.per_event.is_empty() => EventSet::of_types(|ty| arg.for_event(ty).is_some()),
            _ => EventSet::all(),
        },
        "syscall.type" => match check {
            Some(check) => {
                EventSet::named(|name| check.answer_for(Value::Text(name.as_bytes())) != Some(false))
            }
            None => EventSet::all(),
        },
        "evt.buffer" => EventSet::of_types(|ty| has_param(ty, |p| p.name == "data")),
        _ if name.starts_with("evt.buflen") => {
            let moves = |c| match name.rsplit_once('.') {
                Some((_, "in")) => c == Category::IoRead,
                Some((_, "out")) => c == Category::IoWrite,
                _ => matches!(c, Category::IoRead | Category::IoWrite | Category::IoOther),
            };
            EventSet::of_types(|ty| ty.is_exit() && ty.info().is_some_and(|info| moves(info.category)))
        }
        "evt.count.open" => EventSet::of_types(EventType::is_exit)
            .intersection(&EventSet::named(|name| OPENS.contains(&name))),
        "evt.res" | "evt.rawres" | "evt.count.exit" => EventSet::of_types(EventType::is_exit),
        _ if name.starts_with("evt.count.error") => EventSet::of_types(EventType::is_exit),
        "thread.cpu"
        | "thread.cpu.user"
        | "thread.cpu.system"
        | "evt.count.procinfo"
        | "evt.count.threadinfo" => EventSet::of_types(|ty| ty == EventType::PROCINFO_E),
        "evt.failed" => only_true(EventSet::of_types(EventType::is_exit)),
        "evt.is_io" => only_true(with_flags(READS | WRITES)),
        "evt.is_io_read" => only_true(with_flags(READS)),
        "evt.is_io_write" | "evt.is_syslog" => only_true(with_flags(WRITES)),
        "evt.is_wait" => only_true(with_flags(EventFlags::WAITS)),
        _ if name.starts_with("evt.is_open_") => only_true(EventSet::named(|name| OPENS.contains(&name))),
        _ if check.and_then(answer_at_begin) == Some(false) => EventSet::of_types(|ty| !begins_call(ty)),
        // The open fds of the process, whatever the event.
        "fd.types" => EventSet::all(),
        _ => match field.field.class {
            fields::Class::Fd => EventSet::of_types(can_have_fd),
            fields::Class::FsPath => {
                EventSet::of_types(|ty| has_param(ty, is_path) || changes_through_fd(ty))
            }
            fields::Class::Syslog => with_flags(WRITES),
            fields::Class::Fdlist => EventSet::of_types(|ty| has_param(ty, |p| p.ty == ParamType::Fdlist)),
            _ => EventSet::all(),
        },
    }
}

const READS: EventFlags = EventFlags::READS_FROM_FD;
const WRITES: EventFlags = EventFlags::WRITES_TO_FD;

/// Calls that make an fd of a file.
const OPENS: &[&str] = &["open", "openat", "openat2", "creat", "open_by_handle_at"];

fn has_flags(ty: EventType, wanted: EventFlags) -> bool {
    ty.info().is_some_and(|info| info.flags.intersects(wanted))
}

fn has_param(ty: EventType, is: impl Fn(&ParamInfo) -> bool) -> bool {
    ty.info().is_some_and(|info| info.params.iter().any(is))
}

fn is_path(param: &ParamInfo) -> bool {
    matches!(param.ty, ParamType::Fspath | ParamType::Fsrelpath | ParamType::Charbuf)
}

fn changes_through_fd(ty: EventType) -> bool {
    ty.info().is_some_and(|info| matches!(info.name, "fchmod" | "fchown"))
}

/// Whether events of this type may be about an fd: they name one, or the beginning of the call did,
/// or the call makes one.
pub(super) fn can_have_fd(ty: EventType) -> bool {
    let about = EventFlags::CREATES_FD | EventFlags::USES_FD | EventFlags::DESTROYS_FD;
    let is_fd = |p: &ParamInfo| matches!(p.ty, ParamType::Fd | ParamType::Fd32);
    [ty, ty.enter()].into_iter().any(|ty| has_flags(ty, about) || has_param(ty, is_fd))
}

/// Whether the set has enter events of system calls.
pub(super) fn has_calls_entered(set: &EventSet) -> bool {
    let mut codes = (0..crate::schema::tables::EVENTS.len() as u16).map(EventType);
    codes.any(|ty| begins_call(ty) && set.contains_type(ty))
}

/// Calls that today's C libraries make instead of the first one.
const SUCCESSORS: &[(&str, &[&str])] = &[
    ("open", &["openat"]),
    ("creat", &["openat"]),
    ("fork", &["clone", "clone3"]),
    ("vfork", &["clone3"]),
    ("clone", &["clone3"]),
    ("stat", &["newfstatat"]),
    ("lstat", &["newfstatat"]),
    ("access", &["faccessat2"]),
    ("unlink", &["unlinkat"]),
    ("rmdir", &["unlinkat"]),
    ("rename", &["renameat2"]),
    ("mkdir", &["mkdirat"]),
    ("link", &["linkat"]),
    ("symlink", &["symlinkat"]),
    ("chmod", &["fchmodat"]),
    ("chown", &["fchownat"]),
    ("pipe", &["pipe2"]),
    ("dup2", &["dup3"]),
    ("poll", &["ppoll"]),
    ("select", &["pselect6"]),
    ("accept", &["accept4"]),
    ("epoll_wait", &["epoll_pwait"]),
    ("epoll_create", &["epoll_create1"]),
    ("eventfd", &["eventfd2"]),
    ("signalfd", &["signalfd4"]),
    ("inotify_init", &["inotify_init1"]),
];

/// One line each, for the author of the filter.
pub(super) fn hints(expr: &Expr, possible: &EventSet) -> Vec<String> {
    let mut hints = Vec::new();
    // Events with their own names are in every set that comes from names.
    if EventSet::of_types(|ty| ty != EventType::ASYNCEVENT_E).intersection(possible).is_empty() {
        hints.push("no event can match this filter".to_owned());
    }
    let mut wanted = Vec::new();
    wanted_names(expr, false, &mut wanted);
    for (old, new) in SUCCESSORS {
        let has = |name: &str| wanted.iter().any(|w| w == name);
        if has(old) && !new.iter().any(|n| has(n)) {
            let all = new.join(", ");
            hints.push(format!(
                "programs of today mostly call {all} instead of {old}: evt.type in ({old}, {all}) matches both"
            ));
        }
    }
    hints
}

/// Event names that the filter asks for (rather than excludes).
fn wanted_names(expr: &Expr, negated: bool, names: &mut Vec<String>) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => {
            parts.iter().for_each(|part| wanted_names(part, negated, names))
        }
        Expr::Not(inner) => wanted_names(inner, !negated, names),
        Expr::Check(check) => {
            let Typed::Field(field) = &check.left else { return };
            if negated || !matches!(field.name.as_str(), "evt.type" | "syscall.type") {
                return;
            }
            let values = match (&check.right, check.op) {
                (Right::Literal(value), Operator::Eq) => std::slice::from_ref(value),
                (Right::List(values), Operator::In | Operator::Intersects) => values,
                (Right::Quantified(_, values), Operator::Eq) => values,
                _ => return,
            };
            names.extend(values.iter().map(|v| String::from_utf8_lossy(&v.bytes).into_owned()));
        }
    }
}

/// Whether the tree names the field, with or without argument.
pub(super) fn names_field(expr: &Expr, is: &dyn Fn(&str) -> bool) -> bool {
    fn argument(arg: &Argument, is: &dyn Fn(&str) -> bool) -> bool {
        match arg {
            Argument::Operand(inner) => operand(inner, is),
            Argument::Literal(_) => false,
            Argument::List(items, _) => items.iter().any(|item| argument(item, is)),
        }
    }
    fn operand(typed: &Typed, is: &dyn Fn(&str) -> bool) -> bool {
        match typed {
            Typed::Field(field) => crate::fields::find(&field.text()).is_ok_and(|found| is(found.field.name)),
            Typed::Call(call) => call.args.iter().any(|arg| argument(arg, is)),
        }
    }
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(|part| names_field(part, is)),
        Expr::Not(inner) => names_field(inner, is),
        Expr::Check(check) => {
            operand(&check.left, is) || matches!(&check.right, Right::Operand(right) if operand(right, is))
        }
    }
}
