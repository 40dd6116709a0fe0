//! Tree → program: negations pushed down to the checks, checks about the kind of event merged into
//! sets, cheap checks first, and the whole laid out as steps with jump targets.

use super::ast::{Expr, Quantifier};
use super::check::{self, Meaning};
use super::compare::Test;
use super::error::FilterError;
use super::eval::{ACCEPT, Mode, Question, REJECT, Rule, Step, ValueCheck};
use super::event_set::EventSet;
use super::transform::Operand;
use crate::fields::{Class, FieldFlags, FieldRef};
use crate::schema::EventType;

/// The tree without `not` above the checks.
#[derive(Debug, Clone)]
pub(super) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Leaf { question: Question, negated: bool },
}

impl Node {
    const fn constant(answer: bool) -> Self {
        Node::Leaf { question: Question::Constant(answer), negated: false }
    }

    fn as_constant(&self) -> Option<bool> {
        match self {
            Node::Leaf { question: Question::Constant(answer), negated } => Some(answer != negated),
            _ => None,
        }
    }

    /// Number of questions, which is the number of steps.
    fn size(&self) -> u32 {
        match self {
            Node::All(parts) | Node::Any(parts) => parts.iter().map(Node::size).sum(),
            Node::Leaf { .. } => 1,
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Node::All(parts) | Node::Any(parts) => parts.iter().map(Node::cost).fold(0, u32::saturating_add),
            Node::Leaf { question, .. } => question.cost(),
        }
    }

    /// Calls `visit` for every field that is read.
    pub(super) fn visit_fields<'a>(&'a self, visit: &mut dyn FnMut(&'a FieldRef)) {
        match self {
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| part.visit_fields(visit)),
            Node::Leaf { question: Question::Values(check), .. } => {
                check.operand.visit_fields(visit);
                if let Rule::Pair(_, other) = &check.rule {
                    other.visit_fields(visit);
                }
            }
            Node::Leaf { .. } => {}
        }
    }
}

/// Looks everything up and simplifies.
pub(super) fn node(expr: &Expr) -> Result<Node, FilterError> {
    lower(expr, false)
}

fn lower(expr: &Expr, negated: bool) -> Result<Node, FilterError> {
    let parts = |parts: &[Expr]| parts.iter().map(|part| lower(part, negated)).collect::<Result<Vec<_>, _>>();
    Ok(match expr {
        Expr::And(list) if !negated => all(parts(list)?),
        Expr::Or(list) if negated => all(parts(list)?),
        Expr::And(list) | Expr::Or(list) => any(parts(list)?),
        Expr::Not(inner) => lower(inner, !negated)?,
        Expr::Check(check) => match check::meaning(check)? {
            Meaning::Question(Question::Events(set)) => events(*set, negated),
            Meaning::Question(question) => Node::Leaf { question, negated },
            Meaning::Names(named, check) => {
                let own_name = EventSet::of_types(|ty| ty == EventType::ASYNCEVENT_E);
                let named = named.intersection(&own_name.complement());
                let check = Node::Leaf { question: Question::Values(check), negated };
                match negated {
                    false => any(vec![events(named, false), all(vec![events(own_name, false), check])]),
                    true => all(vec![events(named, true), any(vec![events(own_name, true), check])]),
                }
            }
        },
    })
}

fn events(set: EventSet, negated: bool) -> Node {
    let set = if negated { set.complement() } else { set };
    match (set.is_empty(), set.is_all()) {
        (true, _) => Node::constant(false),
        (_, true) => Node::constant(true),
        _ => Node::Leaf { question: Question::Events(Box::new(set)), negated: false },
    }
}

fn all(parts: Vec<Node>) -> Node {
    combine(parts, true)
}

fn any(parts: Vec<Node>) -> Node {
    combine(parts, false)
}

/// `neutral` is the constant that changes nothing: true for `and`, false for `or`.
fn combine(parts: Vec<Node>, neutral: bool) -> Node {
    let mut merged: Option<EventSet> = None;
    let mut rest = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Node::All(inner) if neutral => rest.extend(inner),
            Node::Any(inner) if !neutral => rest.extend(inner),
            other => rest.push(other),
        }
    }
    let mut kept = Vec::with_capacity(rest.len());
    for part in rest {
        match part.as_constant() {
            Some(answer) if answer == neutral => continue,
            Some(_) => return Node::constant(!neutral),
            None => {}
        }
        match part {
            Node::Leaf { question: Question::Events(set), .. } => {
                merged = Some(match merged {
                    None => *set,
                    Some(other) if neutral => other.intersection(&set),
                    Some(other) => other.union(&set),
                });
            }
            other => kept.push(other),
        }
    }
    if let Some(set) = merged {
        let merged = events(set, false);
        match merged.as_constant() {
            Some(answer) if answer == neutral => {}
            Some(_) => return merged,
            None => kept.push(merged),
        }
    }
    // Checks read and change nothing, so their order is ours to choose.
    kept.sort_by_cached_key(Node::cost);
    match kept.len() {
        0 => Node::constant(neutral),
        1 => kept.swap_remove(0),
        _ if neutral => Node::All(kept),
        _ => Node::Any(kept),
    }
}

impl Question {
    /// Rough relative cost, to ask cheap questions first.
    fn cost(&self) -> u32 {
        match self {
            Question::Constant(_) => 0,
            Question::Events(_) => 1,
            Question::Around { .. } => 2,
            Question::Values(check) => check.cost(),
        }
    }
}

impl ValueCheck {
    fn cost(&self) -> u32 {
        if self.kinds.is_some() {
            return 2;
        }
        let one = |test: &Test| match test {
            Test::Contains(_) | Test::Icontains(_) | Test::TextIn(_) | Test::PathPrefix(_) => 3,
            Test::Glob(_) | Test::Iglob(_) => 5,
            Test::Regex(_) => 30,
            _ => 1,
        };
        let rule = match &self.rule {
            Rule::Constant(test) => one(test),
            Rule::Counted(Quantifier::One | Quantifier::Any | Quantifier::All, tests) => {
                5 + tests.iter().map(one).sum::<u32>()
            }
            Rule::Pair(_, other) => 10 + operand_cost(other),
        };
        let mode = u32::from(self.mode != Mode::Any);
        operand_cost(&self.operand) + rule + mode
    }
}

fn operand_cost(operand: &Operand) -> u32 {
    let mut cost = match operand {
        Operand::Field(_) => 0,
        Operand::Call(_) => 20,
    };
    operand.visit_fields(&mut |field| cost += field_cost(field));
    cost
}

/// By class: what stands in the event, then what hangs on its thread and fd, then what is composed
/// as text or gathered from several places.
fn field_cost(field: &FieldRef) -> u32 {
    let flags = field.field.flags;
    if flags.intersects(FieldFlags::ANY | FieldFlags::LIST) {
        return 25;
    }
    match field.field.name {
        "evt.args" | "evt.info" | "evt.arg" => 40,
        "evt.time" | "evt.datetime" | "evt.time.iso8601" | "evt.outputtime" => 60,
        "evt.num" | "evt.cpu" | "evt.rawtime" | "thread.tid" | "fd.num" => 3,
        "proc.name" | "proc.pid" | "proc.exe" | "proc.exepath" | "user.uid" => 5,
        "proc.args" | "proc.cmdline" | "proc.exeline" | "proc.env" | "thread.cgroups" | "thread.cgroup" => 30,
        "proc.pcmdline" | "proc.aname" | "proc.acmdline" | "proc.aexe" | "proc.aexepath" => 35,
        _ => match field.field.class {
            Class::Evt => 8,
            Class::EvtSyscall => 6,
            Class::Process => 9,
            Class::User | Class::Group => 9,
            Class::Fd | Class::Container => 8,
            _ => 20,
        },
    }
}

/// Lays the steps out.
pub(super) fn program(node: &Node) -> Vec<Step> {
    let mut steps = Vec::with_capacity(node.size() as usize);
    emit(node, ACCEPT, REJECT, &mut steps);
    steps
}

fn emit(node: &Node, yes: u32, no: u32, steps: &mut Vec<Step>) {
    match node {
        Node::Leaf { question, negated } => {
            let (yes, no) = if *negated { (no, yes) } else { (yes, no) };
            steps.push(Step { question: question.clone(), yes, no });
        }
        Node::All(parts) | Node::Any(parts) => {
            let conjunction = matches!(node, Node::All(_));
            let mut at = steps.len() as u32;
            for (i, part) in parts.iter().enumerate() {
                at += part.size();
                match i + 1 == parts.len() {
                    true => emit(part, yes, no, steps),
                    false if conjunction => emit(part, at, no, steps),
                    false => emit(part, yes, at, steps),
                }
            }
        }
    }
}
