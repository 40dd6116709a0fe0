//! Numbers for changes, so that who has compared two threads once need not compare them again.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the changes of one state, in a range of its own: no two states give the same number.
#[derive(Debug)]
pub(super) struct Changes(u64);

/// More changes than one state ever sees.
const RANGE: u64 = 1 << 44;

impl Default for Changes {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(RANGE, Ordering::Relaxed))
    }
}

impl Changes {
    /// The number of the last change.
    #[inline]
    pub fn last(&self) -> u64 {
        self.0
    }

    /// The number of another change; never 0.
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_comes_twice() {
        let (mut one, mut other) = (Changes::default(), Changes::default());
        let numbers = [one.next(), one.next(), other.next(), other.next()];
        assert!(numbers.iter().enumerate().all(|(i, n)| *n != 0 && !numbers[..i].contains(n)));
    }
}
