//! How often each latency occurred, over time: a line for each interval, a place for each range of latencies.

use super::aggregate::Sample;
use super::cell::Cell;
use std::collections::VecDeque;

/// Most intervals that are kept.
const MAX_LINES: usize = 4096;
/// Ranges of latencies for each power of ten.
const PER_DECADE: u32 = 10;
/// Powers of ten: from 1 ns to 100 s.
const DECADES: u32 = 11;
/// Ranges, numbered from 1.
pub const RANGES: u32 = PER_DECADE * DECADES;

/// The shortest latency of a range in ns; of the range after the last, where it ends.
pub fn range_start(range: u32) -> u64 {
    10f64.powf(f64::from(range.saturating_sub(1)) / f64::from(PER_DECADE)) as u64
}

/// One interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interval {
    /// End, ns since the epoch.
    pub ts: u64,
    /// (range, how often), by range.
    pub counts: Vec<(u32, u64)>,
}

/// The intervals, newest last.
#[derive(Debug, Clone, Default)]
pub struct Spectrogram {
    pub lines: VecDeque<Interval>,
    /// Place and interval at which a mouse button was pressed, and where the mouse is.
    pub drag: Option<((u16, u16), (u16, u16))>,
}

impl Spectrogram {
    /// Adds the counts of an interval: rows of (range, how often).
    pub fn push(&mut self, sample: &Sample) {
        let mut counts: Vec<(u32, u64)> = sample
            .rows
            .iter()
            .filter_map(|row| {
                let range = row.cells.get(1).or(row.cells.first())?.as_f64() as u32;
                let count = row.cells.last().map_or(0.0, Cell::as_f64) as u64;
                (count > 0).then_some((range, count))
            })
            .collect();
        counts.sort_unstable();
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(Interval { ts: sample.last_ts, counts });
    }

    /// The largest count, to which the colours are scaled.
    pub fn peak(&self) -> u64 {
        let counts = self.lines.iter().flat_map(|line| line.counts.iter());
        counts.map(|(_, count)| *count).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_logarithmic() {
        assert_eq!(range_start(1), 1);
        assert_eq!(range_start(PER_DECADE + 1), 10);
        assert_eq!(range_start(PER_DECADE * 9 + 1), 1_000_000_000);
        assert_eq!(range_start(RANGES + 1), 100_000_000_000);
    }
}
