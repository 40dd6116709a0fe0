//! When how much happened: the events of a capture by time, in a fixed number of slots.

use std::ops::Range;

/// Most slots.
const SLOTS: usize = 512;
/// Width of a slot at first, as a power of two of ns: a millisecond or so.
const WIDTH: u32 = 20;

/// Events by time. The slots become wider as the time grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The first slot there is, by the number that it has when they are counted from the epoch on. So those of parts of a
    /// capture have the same borders.
    first: u64,
    /// Width of a slot, as a power of two of ns.
    width: u32,
    counts: Vec<u64>,
    /// The slot of the last event, and its times.
    last: (usize, Range<u64>),
}

impl Default for Activity {
    fn default() -> Self {
        Self { first: 0, width: WIDTH, counts: Vec::new(), last: (0, 0..0) }
    }
}

impl Activity {
    /// Counts an event at `ts`.
    #[inline]
    pub fn add(&mut self, ts: u64) {
        let (slot, times) = &self.last;
        match self.counts.get_mut(*slot).filter(|_| times.contains(&ts)) {
            Some(count) => *count += 1,
            None => {
                let slot = self.add_at(ts, 1);
                let begin = (self.first + slot as u64) << self.width;
                self.last = (slot, begin..begin.saturating_add(1 << self.width));
            }
        }
    }

    /// Counts events at these times.
    pub fn add_all(&mut self, times: impl Iterator<Item = u64>) {
        let mut run = 0;
        for ts in times {
            if self.last.1.contains(&ts) {
                run += 1;
            } else {
                self.count(std::mem::take(&mut run));
                self.add(ts);
            }
        }
        self.count(run);
    }

    /// Counts so many events in the slot of the last one.
    fn count(&mut self, events: u64) {
        if let Some(count) = self.counts.get_mut(self.last.0) {
            *count += events;
        }
    }

    /// Adds the events of the next part of the capture.
    pub fn merge(&mut self, next: &Activity) {
        if self.counts.is_empty() {
            self.width = next.width;
        }
        while self.width < next.width {
            self.widen();
        }
        for (slot, count) in next.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.add_at((next.first + slot as u64) << next.width, *count);
        }
        self.last = (0, 0..0);
    }

    /// Adds events at `ts`; returns their slot.
    fn add_at(&mut self, ts: u64, events: u64) -> usize {
        if self.counts.is_empty() {
            self.first = ts >> self.width;
        }
        loop {
            let (at, end) = (ts >> self.width, self.first + self.counts.len() as u64);
            let before = self.first.saturating_sub(at);
            if before.max(at.saturating_sub(self.first)) >= SLOTS as u64
                || before + (self.counts.len() as u64) > SLOTS as u64
            {
                self.widen();
                continue;
            }
            self.counts.splice(..0, std::iter::repeat_n(0, before as usize));
            self.first -= before;
            if at >= end {
                self.counts.resize((at - self.first) as usize + 1, 0);
            }
            let slot = (at - self.first) as usize;
            if let Some(count) = self.counts.get_mut(slot) {
                *count += events;
            }
            return slot;
        }
    }

    /// Makes one slot out of two.
    fn widen(&mut self) {
        // The first one of a pair may be missing.
        let odd = (self.first % 2) as usize;
        let (alone, pairs) = self.counts.split_at(odd.min(self.counts.len()));
        let pairs = pairs.chunks(2).map(|pair| pair.iter().sum());
        self.counts = alone.iter().copied().chain(pairs).collect();
        self.width += 1;
        self.first /= 2;
    }

    /// Events in `columns` equal parts of the time from `first` to `last` (ns since the epoch). What is in a slot is
    /// shared among the parts that it lies in.
    pub fn columns(&self, first: u64, last: u64, columns: usize) -> Vec<f64> {
        let mut sums = vec![0.0; columns];
        let step = last.saturating_sub(first).max(1) as f64 / columns.max(1) as f64;
        for (slot, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let begin = (self.first + slot as u64) << self.width;
            // The first slot may begin before the first event.
            let before = first.saturating_sub(begin).min((1 << self.width) - 1);
            let begin = begin.saturating_sub(first) as f64 / step;
            let width = ((1 << self.width) - before) as f64 / step;
            // What is behind the end belongs to the last column, however long that would be.
            let last = columns.saturating_sub(1);
            let from = (begin as usize).min(last);
            let to = ((begin + width).ceil() as usize).clamp(from + 1, columns.max(from + 1));
            for column in from..to {
                let end = if column == last { f64::INFINITY } else { (column + 1) as f64 };
                let overlap = end.min(begin + width) - (column as f64).max(begin);
                if let Some(sum) = sums.get_mut(column) {
                    *sum += *count as f64 * overlap.max(0.0) / width;
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_lost_when_the_time_grows() {
        let mut activity = Activity::default();
        (0..10_000u64).for_each(|n| activity.add(5 + n * 7_000_000));
        assert!(activity.counts.len() <= SLOTS);
        assert_eq!(activity.counts.iter().sum::<u64>(), 10_000);
        let columns = activity.columns(5, 5 + 10_000 * 7_000_000, 10);
        assert!((columns.iter().sum::<f64>() - 10_000.0).abs() < 1e-6, "{columns:?}");
        assert!(columns.iter().all(|sum| (900.0..1100.0).contains(sum)), "{columns:?}");
    }

    #[test]
    fn nothing_gets_lost_when_the_time_goes_back() {
        let mut activity = Activity::default();
        [1u64 << 60, 1 << 50, 1 << 59].iter().for_each(|ts| activity.add(*ts));
        let sum: f64 = activity.columns(1 << 60, 1 << 59, 3).iter().sum();
        assert!((sum - 3.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn parts_are_added_up_to_the_whole() {
        for step in [1u64 << 18, 7_000_000, 90_000_000] {
            let times: Vec<u64> = (0..5000).map(|n| 123_456_789_000 + n * step).collect();
            let of = |times: &[u64]| {
                let mut activity = Activity::default();
                times.iter().for_each(|ts| activity.add(*ts));
                activity
            };
            let mut merged = Activity::default();
            times.chunks(777).for_each(|part| merged.merge(&of(part)));
            let whole = of(&times);
            let backwards: Vec<u64> = times.iter().rev().copied().collect();
            assert_eq!(of(&backwards).counts, whole.counts);
            assert_eq!(
                (merged.first, merged.width, &merged.counts),
                (whole.first, whole.width, &whole.counts)
            );
        }
    }
}
