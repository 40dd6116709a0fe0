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
    /// Begin and end, ns since the epoch.
    pub begin: u64,
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
        let begin = sample.last_ts.saturating_sub(sample.span.as_nanos() as u64);
        self.lines.push_back(Interval { begin, ts: sample.last_ts, counts });
    }

    /// The first of the intervals that are seen when there are `rows` lines.
    pub fn first_seen(&self, rows: usize) -> usize {
        self.lines.len().saturating_sub(rows)
    }

    /// What the mouse selects, from the upper left to the lower right place, both of which belong to it.
    pub fn rectangle(&self) -> Option<((u16, u16), (u16, u16))> {
        let ((x, y), (to_x, to_y)) = self.drag?;
        Some(((x.min(to_x), y.min(to_y)), (x.max(to_x), y.max(to_y))))
    }

    /// The condition that the calls in the rectangle meet, which is then selected no more. The picture is `width` wide
    /// and has `rows` lines, the first at `top`. Without `with_times` calls of all times meet it.
    pub fn take_rectangle(&mut self, width: u16, top: u16, rows: usize, with_times: bool) -> Option<String> {
        let ((left, upper), (right, lower)) = self.rectangle()?;
        self.drag = None;
        let range = |x: u16| u32::from(x) * RANGES / u32::from(width.max(1));
        // The first range of the left column up to the last one of the right.
        let (from, to) =
            (range_start(range(left) + 1), range_start(range(right + 1).max(range(left) + 1) + 1));
        let mut filter = format!("evt.latency>={from} and evt.latency<{to}");
        if with_times {
            let first = self.first_seen(rows);
            let line = |y: u16| first + usize::from(y.saturating_sub(top));
            let last = line(lower).min(self.lines.len().checked_sub(1)?);
            let (begin, end) = (self.lines.get(line(upper))?.begin, self.lines.get(last)?.ts);
            filter.push_str(&format!(" and evt.rawtime>={begin} and evt.rawtime<{end}"));
        }
        Some(filter)
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
    fn a_rectangle_is_a_condition() {
        let line = |n: u64| Interval { begin: n * 10, ts: n * 10 + 10, counts: Vec::new() };
        let mut spectrogram = Spectrogram { lines: (0..5).map(line).collect(), ..Spectrogram::default() };
        // From the right to the left: 110 columns are a range each.
        spectrogram.drag = Some(((39, 5), (30, 3)));
        let filter = spectrogram.take_rectangle(110, 3, 4, true).unwrap();
        assert_eq!(filter, "evt.latency>=1000 and evt.latency<10000 and evt.rawtime>=10 and evt.rawtime<40");
        assert!(crate::filter::Filter::compile(&filter).is_ok());
        assert_eq!(spectrogram.drag, None);
        spectrogram.drag = Some(((0, 60), (109, 60)));
        assert_eq!(spectrogram.take_rectangle(110, 3, 4, true), None);
        spectrogram.drag = Some(((0, 60), (109, 60)));
        let live = spectrogram.take_rectangle(110, 3, 4, false).unwrap();
        assert_eq!(live, "evt.latency>=1 and evt.latency<100000000000");
    }

    #[test]
    fn ranges_are_logarithmic() {
        assert_eq!(range_start(1), 1);
        assert_eq!(range_start(PER_DECADE + 1), 10);
        assert_eq!(range_start(PER_DECADE * 9 + 1), 1_000_000_000);
        assert_eq!(range_start(RANGES + 1), 100_000_000_000);
    }
}
