//! What is known of an event by its type alone, which is asked of every one.

use crate::filter::Filter;
use crate::schema::{Category, EventType, tables};

/// What a filter says of the events of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It refuses them all, or they are nothing that happened.
    Refused,
    Passes,
    /// That depends on what else they say.
    Open,
}

/// Glances that were not enough after which events of the type are looked at straight away, and for how many of them one
/// that was enough makes up.
const MOST_IN_VAIN: u8 = 64;
const WORTH: u8 = 4;

#[derive(Debug, Clone, Copy)]
struct Kind {
    verdict: Verdict,
    in_vain: u8,
}

/// Of all types, by their codes.
pub struct Verdicts(Vec<Kind>);

impl Verdicts {
    pub fn of(filter: Option<&Filter>) -> Self {
        let verdict = |ty: EventType| match filter {
            _ if is_note(ty) => Verdict::Refused,
            Some(filter) if !filter.event_types().contains_type(ty) => Verdict::Refused,
            Some(filter) if !filter.matches_all(ty) => Verdict::Open,
            _ => Verdict::Passes,
        };
        Self(tables::EVENTS.iter().map(|info| Kind { verdict: verdict(info.ty), in_vain: 0 }).collect())
    }

    #[inline]
    pub fn of_type(&self, ty: EventType) -> Verdict {
        self.0.get(usize::from(ty.0)).map_or(Verdict::Open, |kind| kind.verdict)
    }

    /// Whether a glance at events of this type was enough lately.
    #[inline]
    pub fn is_worth_a_glance(&self, ty: EventType) -> bool {
        self.0.get(usize::from(ty.0)).is_some_and(|kind| kind.in_vain < MOST_IN_VAIN)
    }

    /// Notes whether a glance at an event of this type was enough, or would have been.
    #[inline]
    pub fn note_glance(&mut self, ty: EventType, was_enough: bool) {
        if let Some(kind) = self.0.get_mut(usize::from(ty.0)) {
            kind.in_vain = match was_enough {
                true => kind.in_vain.saturating_sub(WORTH),
                false => kind.in_vain.saturating_add(1).min(2 * MOST_IN_VAIN),
            };
        }
    }
}

/// Notes of recorders are nothing that happened, but for those on the CPU time of threads.
fn is_note(ty: EventType) -> bool {
    ty != EventType::PROCINFO_E && ty.info().is_some_and(|info| info.category == Category::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart() {
        let of = |text: &str, ty| Verdicts::of(Some(&Filter::compile(text).unwrap())).of_type(ty);
        let (open, close) = (EventType::SYSCALL_OPEN_X, EventType::SYSCALL_CLOSE_X);
        assert_eq!(of("evt.type=open", open), Verdict::Passes);
        assert_eq!(of("evt.type=open", close), Verdict::Refused);
        assert_eq!(of("evt.type=open and proc.name=cat", open), Verdict::Open);
        assert_eq!(Verdicts::of(None).of_type(open), Verdict::Passes);
        assert_eq!(Verdicts::of(None).of_type(EventType::CONTAINER_E), Verdict::Refused);
        assert_eq!(Verdicts::of(None).of_type(EventType::PROCINFO_E), Verdict::Passes);
    }

    #[test]
    fn glances_in_vain_end_until_one_would_have_been_enough() {
        let mut verdicts = Verdicts::of(None);
        let ty = EventType::SYSCALL_READ_X;
        assert!(verdicts.is_worth_a_glance(ty));
        (0..1000).for_each(|_| verdicts.note_glance(ty, false));
        assert!(!verdicts.is_worth_a_glance(ty) && verdicts.is_worth_a_glance(ty.enter()));
        (0..48).for_each(|_| verdicts.note_glance(ty, true));
        assert!(verdicts.is_worth_a_glance(ty));
    }
}
