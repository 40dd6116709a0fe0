//! When how much happened: the events of a capture by time, in a fixed number of slots.

use std::ops::Range;

/// Most slots.
const SLOTS: usize = 512;
/// Width of a slot at first, as a power of two of ns: a millisecond or so.
const WIDTH: u32 = 20;

/// Events by time. The slots become wider as the time grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Begin of the first slot, ns since the epoch.
    start: u64,
    /// Width of a slot, as a power of two of ns.
    width: u32,
    counts: Vec<u64>,
    /// The slot of the last event, and its times.
    last: (usize, Range<u64>),
}

impl Default for Activity {
    fn default() -> Self {
        Self { start: 0, width: WIDTH, counts: Vec::new(), last: (0, 0..0) }
    }
}

impl Activity {
    /// Counts an event at `ts`. One from before the first counts as the first.
    #[inline]
    pub fn add(&mut self, ts: u64) {
        let (slot, times) = &self.last;
        match self.counts.get_mut(*slot).filter(|_| times.contains(&ts)) {
            Some(count) => *count += 1,
            None => self.add_elsewhere(ts),
        }
    }

    fn add_elsewhere(&mut self, ts: u64) {
        if self.counts.is_empty() {
            self.start = ts;
        }
        let mut slot = ts.saturating_sub(self.start) >> self.width;
        while slot >= SLOTS as u64 {
            self.widen();
            slot = ts.saturating_sub(self.start) >> self.width;
        }
        let slot = slot as usize;
        if slot >= self.counts.len() {
            self.counts.resize(slot + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(slot) {
            *count += 1;
        }
        let begin = self.start.saturating_add((slot as u64) << self.width);
        self.last = (slot, begin..begin.saturating_add(1 << self.width));
    }

    fn widen(&mut self) {
        self.width += 1;
        self.counts = self.counts.chunks(2).map(|pair| pair.iter().sum()).collect();
    }

    /// Events in `columns` equal parts of the time from `first` to `last` (ns since the epoch). What is in a slot is
    /// shared among the parts that it lies in.
    pub fn columns(&self, first: u64, last: u64, columns: usize) -> Vec<f64> {
        let mut sums = vec![0.0; columns];
        let step = last.saturating_sub(first).max(1) as f64 / columns.max(1) as f64;
        for (slot, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let begin = (self.start + ((slot as u64) << self.width)).saturating_sub(first) as f64 / step;
            let width = (1u64 << self.width) as f64 / step;
            let (from, to) = (begin as usize, ((begin + width).ceil() as usize).max(begin as usize + 1));
            for column in from..to {
                let overlap = ((column + 1) as f64).min(begin + width) - (column as f64).max(begin);
                if let Some(sum) = sums.get_mut(column.min(columns.saturating_sub(1))) {
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
}
