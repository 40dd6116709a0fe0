//! How values are spread, for percentiles: counts in ranges that are at most a 64th of their values wide.

/// Ranges for each power of two.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts by range, sparse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    counts: Vec<(u16, u64)>,
    total: u64,
    largest: u64,
}

/// The range of a value: up to 2 * STEPS each value has its own.
const fn range_of(value: u64) -> u16 {
    if value < 2 * STEPS {
        return value as u16;
    }
    let power = 63 - value.leading_zeros();
    let step = (value >> (power - STEP_BITS)) - STEPS;
    (2 * STEPS + (power as u64 - STEP_BITS as u64 - 1) * STEPS + step) as u16
}

/// The largest value of a range.
const fn last_of(range: u16) -> u64 {
    let range = range as u64;
    if range < 2 * STEPS {
        return range;
    }
    let (power, step) = ((range - 2 * STEPS) / STEPS + 1, (range - 2 * STEPS) % STEPS);
    ((STEPS + step) << power) + ((1 << power) - 1)
}

impl Spread {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        let range = range_of(value);
        self.total += 1;
        self.largest = self.largest.max(value);
        match self.counts.binary_search_by_key(&range, |(range, _)| *range) {
            Ok(at) => {
                if let Some((_, count)) = self.counts.get_mut(at) {
                    *count += 1;
                }
            }
            Err(at) => self.counts.insert(at, (range, 1)),
        }
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Spread) {
        self.total += other.total;
        self.largest = self.largest.max(other.largest);
        let mut counts = std::mem::take(&mut self.counts);
        counts.extend_from_slice(&other.counts);
        counts.sort_unstable_by_key(|(range, _)| *range);
        for (range, count) in counts {
            match self.counts.last_mut() {
                Some((last, sum)) if *last == range => *sum += count,
                _ => self.counts.push((range, count)),
            }
        }
    }

    /// The largest value of the range that the value at this part of them (0 to 1) is in: at most 1/64 too much. `None`
    /// without values.
    pub fn percentile(&self, part: f64) -> Option<u64> {
        let rank = ((self.total as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        found.map(|(range, _)| last_of(*range).min(self.largest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_follow_one_another() {
        for value in (0..100_000).chain([u64::MAX, u64::MAX / 3, 1 << 40]) {
            let last = last_of(range_of(value));
            assert!(value <= last && last - value <= value / STEPS, "{value} {last}");
            assert_eq!(range_of(last), range_of(value));
            assert!(last == u64::MAX || range_of(last + 1) == range_of(value) + 1, "{value}");
        }
    }

    proptest! {
        #[test]
        fn parts_give_what_the_whole_gives(
            values in prop::collection::vec(0u64..1 << 20, 0..200),
            at in 0usize..200,
        ) {
            let spread_of = |values: &[u64]| {
                let mut spread = Spread::default();
                values.iter().for_each(|value| spread.add(*value));
                spread
            };
            let (some, others) = values.split_at(at.min(values.len()));
            let mut merged = spread_of(some);
            merged.merge(&spread_of(others));
            prop_assert_eq!(merged, spread_of(&values));
        }

        #[test]
        fn percentiles_are_those_of_the_sorted_values(
            mut values in prop::collection::vec(0u64..1 << 40, 1..300),
            part in 0.0f64..1.0,
        ) {
            let mut spread = Spread::default();
            values.iter().for_each(|value| spread.add(*value));
            values.sort_unstable();
            let rank = ((values.len() as f64 * part).ceil() as usize).max(1);
            let exact = values[rank - 1];
            let found = spread.percentile(part).unwrap();
            prop_assert!(found >= exact && found - exact <= exact / STEPS, "{} {}", found, exact);
        }
    }
}
