//! Sets of event types. A generic event counts by the system call it stands for.

use crate::event::Event;
use crate::schema::{EventType, tables};

/// Codes that have a place of their own, and two at the end: codes beyond the tables share these,
/// even ones (enter events) the first, odd ones the second.
const PLACES: usize = 512;
const BEYOND: usize = PLACES - 2;

type Bits = [u64; PLACES / 64];

/// Which events: by type, and of generic events by direction and system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSet {
    types: Bits,
    /// System calls (in the schema's numbering) of generic enter and exit events.
    generic: [Bits; 2],
}

impl EventSet {
    pub const EMPTY: EventSet = EventSet { types: [0; PLACES / 64], generic: [[0; PLACES / 64]; 2] };

    /// All types; the bits of the two generic types themselves stay zero.
    pub fn all() -> Self {
        Self::EMPTY.complement()
    }

    /// The events whose name (`evt.type`) satisfies `is`.
    pub fn named(mut is: impl FnMut(&'static str) -> bool) -> Self {
        let mut set = Self::EMPTY;
        for place in 0..PLACES {
            let name = tables::EVENTS.get(place).map_or("unknown", |e| e.name);
            if !is_generic(place) && is(name) {
                insert(&mut set.types, place);
            }
            let call = tables::SYSCALL_NAMES.get(place).copied().flatten().unwrap_or("syscall");
            if is(call) {
                set.generic.iter_mut().for_each(|bits| insert(bits, place));
            }
        }
        set
    }

    /// The types that satisfy `is`; generic ones with all system calls.
    pub fn of_types(mut is: impl FnMut(EventType) -> bool) -> Self {
        let mut set = Self::EMPTY;
        for place in 0..PLACES {
            if !is_generic(place) && is(EventType(place as u16)) {
                insert(&mut set.types, place);
            }
        }
        for (direction, bits) in set.generic.iter_mut().enumerate() {
            if is(EventType(direction as u16)) {
                *bits = [u64::MAX; PLACES / 64];
            }
        }
        set
    }

    /// These types; with each generic one the code of its system call, `None` when that is not known.
    pub fn of_kinds(kinds: impl Iterator<Item = (EventType, Option<u16>)>) -> Self {
        let mut set = Self::EMPTY;
        for (ty, call) in kinds {
            match (set.generic.get_mut(usize::from(ty.0)), call) {
                (Some(bits), Some(call)) => insert(bits, place_of(usize::from(call))),
                (Some(bits), None) => [BEYOND, BEYOND + 1].iter().for_each(|place| insert(bits, *place)),
                (None, _) => insert(&mut set.types, place_of(usize::from(ty.0))),
            }
        }
        set
    }

    #[inline]
    pub fn contains(&self, event: &Event<'_>) -> bool {
        match event.ty {
            EventType::GENERIC_E | EventType::GENERIC_X => {
                let code = event.u64(0).and_then(|c| usize::try_from(c).ok()).unwrap_or(BEYOND);
                self.generic.get(usize::from(event.ty.0)).is_some_and(|bits| has(bits, code))
            }
            ty => has(&self.types, usize::from(ty.0)),
        }
    }

    /// Whether events of this type may be in the set; of a generic type, whether any is.
    pub fn contains_type(&self, ty: EventType) -> bool {
        match self.generic.get(usize::from(ty.0)) {
            Some(bits) => bits.iter().any(|word| *word != 0),
            None => has(&self.types, usize::from(ty.0)),
        }
    }

    /// Whether all events of this type are in the set; of a generic type, those of all system calls.
    pub fn contains_whole(&self, ty: EventType) -> bool {
        match self.generic.get(usize::from(ty.0)) {
            Some(bits) => bits.iter().all(|word| *word == u64::MAX),
            None => has(&self.types, usize::from(ty.0)),
        }
    }

    /// Whether generic events of this direction and system call (in the schema's own numbering,
    /// see [`tables::SYSCALL_NAMES`]) are in the set.
    pub fn contains_call(&self, enter: bool, code: u16) -> bool {
        self.generic.get(usize::from(!enter)).is_some_and(|bits| has(bits, usize::from(code)))
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// Whether every event is in the set.
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    #[must_use]
    pub fn complement(&self) -> Self {
        let mut set = self.zip(self, |a, _| !a);
        set.types[0] &= !0b11;
        set
    }

    fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        let bits = |a: &Bits, b: &Bits| std::array::from_fn(|i| f(a[i], b[i]));
        Self {
            types: bits(&self.types, &other.types),
            generic: std::array::from_fn(|d| bits(&self.generic[d], &other.generic[d])),
        }
    }
}

fn is_generic(place: usize) -> bool {
    place <= usize::from(EventType::GENERIC_X.0)
}

#[inline]
const fn place_of(code: usize) -> usize {
    if code < BEYOND { code } else { BEYOND + (code & 1) }
}

fn insert(bits: &mut Bits, place: usize) {
    bits[place / 64] |= 1 << (place % 64);
}

#[inline]
fn has(bits: &Bits, code: usize) -> bool {
    let place = place_of(code);
    bits[place / 64] & 1 << (place % 64) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::names;

    #[test]
    fn names_mean_what_events_are_called() {
        let unknown = [9999u16.to_le_bytes(), names::syscall_by_name("fstatfs").unwrap().to_le_bytes()];
        for wanted in ["openat", "fstatfs", "syscall", "unknown", "switch"] {
            let set = EventSet::named(|n| n == wanted);
            for code in 0..600 {
                let e = Event::sample(EventType(code), &[]);
                assert_eq!(set.contains(&e), e.name() == wanted, "{wanted} {code}");
                assert_eq!(set.complement().contains(&e), e.name() != wanted, "{wanted} {code}");
            }
            for code in &unknown {
                let params: [&[u8]; 1] = [code];
                let e = Event::sample(EventType::GENERIC_X, &params);
                assert_eq!(set.contains(&e), e.name() == wanted, "{wanted} {}", e.name());
            }
        }
    }

    #[test]
    fn algebra() {
        let open = EventSet::named(|n| n == "openat" || n == "fstatfs");
        let exits = EventSet::of_types(EventType::is_exit);
        let both = open.intersection(&exits);
        let call = names::syscall_by_name("fstatfs").unwrap();
        assert!(both.contains_type(EventType::SYSCALL_OPENAT_2_X));
        assert!(!both.contains_type(EventType::SYSCALL_OPENAT_2_E));
        assert!(both.contains_call(false, call) && !both.contains_call(true, call));
        assert!(both.contains_type(EventType::GENERIC_X) && !both.contains_type(EventType::GENERIC_E));
        assert!(open.union(&open.complement()).is_all());
        assert!(open.intersection(&open.complement()).is_empty());
        assert_eq!(open.complement().complement(), open);
    }
}
