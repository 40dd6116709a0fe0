//! Sets of event types.

use super::{EventType, tables};

/// Codes that have a place.
const PLACES: usize = 512;
const _: () = assert!(tables::EVENTS.len() <= PLACES);

/// Some of the types in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TypeSet([u64; PLACES / 64]);

impl TypeSet {
    /// The types that satisfy `is`.
    pub fn of(mut is: impl FnMut(EventType) -> bool) -> Self {
        let mut set = Self::default();
        for info in tables::EVENTS {
            let code = usize::from(info.ty.0);
            if is(info.ty)
                && let Some(word) = set.0.get_mut(code / 64)
            {
                *word |= 1 << (code % 64);
            }
        }
        set
    }

    /// Whether the type is in the set; those that the schema does not know are in none.
    #[inline]
    pub fn contains(&self, ty: EventType) -> bool {
        let code = usize::from(ty.0);
        self.0.get(code / 64).is_some_and(|word| word & 1 << (code % 64) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_in_it_or_not() {
        let exits = TypeSet::of(EventType::is_exit);
        for info in tables::EVENTS {
            assert_eq!(exits.contains(info.ty), info.ty.is_exit());
        }
        assert!(!TypeSet::of(|_| true).contains(EventType(u16::MAX)));
        assert!(!TypeSet::default().contains(EventType::GENERIC_E));
    }
}
