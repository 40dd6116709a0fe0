//! What a filter asks about the fd of an event alone: of most events that answers it, and nobody has to look what else
//! they say.

use super::compile::Node;
use super::eval::{Question, ValueCheck};
use crate::state::fd::FdInfo;

/// A filter as far as it is about what is known of an fd.
#[derive(Debug, Clone)]
pub(super) enum FdGate {
    All(Vec<FdGate>),
    Any(Vec<FdGate>),
    /// The fd is of one of these kinds, a bit for each; [`NO_FD`] stands for none.
    Kinds(u32),
    /// It has a name, or has none.
    Named(bool),
    /// Something else.
    Other,
}

/// In [`FdGate::Kinds`], that nothing is known of an fd.
const NO_FD: u32 = 1 << 31;

impl FdGate {
    /// Of the filter with these checks; `None` where it asks nothing that an fd answers.
    pub(super) fn of(node: &Node) -> Option<FdGate> {
        let gate = FdGate::all_of(node);
        gate.asks().then_some(gate)
    }

    fn all_of(node: &Node) -> FdGate {
        match node {
            Node::All(parts) => combine(parts, FdGate::All, |a, b| a & b),
            Node::Any(parts) => combine(parts, FdGate::Any, |a, b| a | b),
            Node::Leaf { question: Question::Constant(answer), negated } => {
                FdGate::Kinds(if answer == negated { 0 } else { u32::MAX })
            }
            Node::Leaf { question: Question::Values(check), negated } => match **check {
                ValueCheck { kinds: Some(kinds), .. } => FdGate::Kinds(if *negated { !kinds } else { kinds }),
                ValueCheck { is_named: true, .. } => FdGate::Named(!negated),
                _ => FdGate::Other,
            },
            Node::Leaf { .. } => FdGate::Other,
        }
    }

    fn asks(&self) -> bool {
        match self {
            FdGate::All(parts) | FdGate::Any(parts) => parts.iter().any(FdGate::asks),
            FdGate::Kinds(_) | FdGate::Named(_) => true,
            FdGate::Other => false,
        }
    }

    /// What the filter says of events about this fd, as far as that decides it.
    #[inline]
    pub(super) fn decides(&self, fd: Option<&FdInfo>) -> Option<bool> {
        match self {
            FdGate::Kinds(kinds) => Some(kinds & fd.map_or(NO_FD, |fd| 1 << fd.kind as u32) != 0),
            // Without one, the event itself may say what it is called.
            FdGate::Named(wanted) => fd.is_some_and(|fd| !fd.name.is_empty()).then_some(*wanted),
            FdGate::Other => None,
            FdGate::All(parts) => decide(parts, fd, true),
            FdGate::Any(parts) => decide(parts, fd, false),
        }
    }
}

/// `neutral` is the answer that leaves it to the other parts.
#[inline]
fn decide(parts: &[FdGate], fd: Option<&FdInfo>, neutral: bool) -> Option<bool> {
    let mut decided = Some(neutral);
    for part in parts {
        match part.decides(fd) {
            Some(answer) if answer == neutral => {}
            Some(answer) => return Some(answer),
            None => decided = None,
        }
    }
    decided
}

/// Checks of kinds beside each other become one.
fn combine(parts: &[Node], make: fn(Vec<FdGate>) -> FdGate, both: fn(u32, u32) -> u32) -> FdGate {
    let mut kinds = None;
    let mut others = Vec::new();
    for part in parts {
        match FdGate::all_of(part) {
            FdGate::Kinds(more) => kinds = Some(kinds.map_or(more, |kinds| both(kinds, more))),
            other => others.push(other),
        }
    }
    match (kinds.map(FdGate::Kinds), others.is_empty()) {
        (Some(kinds), true) => kinds,
        (Some(kinds), false) => make([kinds].into_iter().chain(others).collect()),
        (None, _) => make(others),
    }
}

#[cfg(test)]
mod tests {
    use crate::filter::Filter;
    use crate::state::fd::{FdInfo, FdKind};

    fn decides(filter: &str, kind: FdKind, name: &str) -> Option<bool> {
        let fd = FdInfo { name: name.into(), ..FdInfo::new(kind) };
        Filter::compile(filter).unwrap().decided_by_fd(|| Some(&fd))
    }

    fn decides_without(filter: &str) -> Option<bool> {
        Filter::compile(filter).unwrap().decided_by_fd(|| None)
    }

    #[test]
    fn kinds_and_names_decide() {
        let internet = "(fd.type=ipv4 or fd.type=ipv6) and fd.name!=''";
        assert_eq!(decides(internet, FdKind::File, "/x"), Some(false));
        assert_eq!(decides(internet, FdKind::File, ""), Some(false));
        assert_eq!(decides(internet, FdKind::Ipv6Server, "::1:80"), Some(true));
        assert_eq!(decides(internet, FdKind::Ipv4, ""), None, "a connection that was refused has a name");
        assert_eq!(decides_without(internet), Some(false));
        assert_eq!(decides_without("not fd.type=file"), Some(true));
        assert_eq!(decides_without("fd.name!=''"), None, "a call that failed has a name, too");
        assert_eq!(decides("fd.type in (file, directory)", FdKind::Directory, ""), Some(true));
        assert_eq!(decides("not fd.type=file", FdKind::File, ""), Some(false));
        assert_eq!(decides("not fd.type=file", FdKind::Unknown, ""), Some(true));
        assert_eq!(decides("fd.type!=file", FdKind::Unknown, ""), Some(false), "no value is no answer");
    }

    #[test]
    fn what_else_is_asked_stays_open() {
        assert_eq!(decides("fd.type=file and proc.name=cat", FdKind::File, "/x"), None);
        assert_eq!(decides("fd.type=file and proc.name=cat", FdKind::Unix, "/x"), Some(false));
        assert_eq!(decides("fd.type=file or proc.name=cat", FdKind::File, "/x"), Some(true));
        assert_eq!(decides("fd.type=file or proc.name=cat", FdKind::Unix, "/x"), None);
        assert_eq!(decides("proc.name=cat", FdKind::File, "/x"), None);
        assert_eq!(decides("fd.name=/x", FdKind::File, "/x"), None);
    }
}
