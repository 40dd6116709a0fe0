//! What is said on standard error when a run is over.

use crate::event::{Event, EventBits};
use crate::source::{CpuCounts, SourceCounts};
use std::fmt::Write;
use std::time::Duration;

/// Figures of a run.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Events that came from the source.
    pub events: u64,
    /// Events that passed the filter; hidden ones count, as `-n` counts them.
    pub passed: u64,
    /// Times of the first and the last event, ns since the epoch; 0 before there is one.
    pub first_ts: u64,
    pub last_ts: u64,
    /// Events of programs named with `-U`.
    pub suppressed: u64,
    pub elapsed: Duration,
}

impl Totals {
    /// Counts an event that came from the source.
    #[inline]
    pub fn count(&mut self, event: &Event<'_>) {
        self.events += 1;
        if !event.bits.contains(EventBits::STATE_ONLY) {
            if self.first_ts == 0 {
                self.first_ts = event.ts;
            }
            self.last_ts = event.ts;
        }
    }

    /// Counts so many events at once that were shown to nobody but are part of the stream, by the times of the first
    /// and the last of them.
    pub fn count_all(&mut self, events: usize, first_ts: u64, last_ts: u64) {
        self.events += events as u64;
        if self.first_ts == 0 {
            self.first_ts = first_ts;
        }
        self.last_ts = last_ts;
    }
}

/// The line about lost events, `None` when none were lost. Loss is never silent: this is not
/// subject to `-q`.
pub fn loss(counts: &SourceCounts) -> Option<String> {
    let lost: u64 = counts.cpus.iter().map(|cpu| cpu.lost).sum();
    if lost == 0 {
        return None;
    }
    let attempted: u64 = counts.cpus.iter().map(|cpu| cpu.attempted).sum();
    let mut line = format!("{lost} of {attempted} events lost: no room in the ring buffer of");
    let mut separator = " ";
    for (cpu, counts) in counts.cpus.iter().enumerate().filter(|(_, counts)| counts.lost > 0) {
        let _ = write!(line, "{separator}CPU {cpu} ({})", counts.lost);
        separator = ", ";
    }
    line.push_str("; a narrower filter loses fewer");
    Some(line)
}

/// The figures of `-v`, a line each.
pub fn statistics(totals: &Totals, counts: &SourceCounts) -> String {
    let attempted: u64 = counts.cpus.iter().map(|cpu| cpu.attempted).sum();
    let lost: u64 = counts.cpus.iter().map(|cpu| cpu.lost).sum();
    let seconds = totals.elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { totals.passed as f64 / seconds } else { 0.0 };
    let mut text = format!(
        "Driver Events:{attempted}\nDriver Drops:{lost}\nSuppressed by Comm:{}\n\
         Elapsed time: {seconds:.3}, Captured Events: {}, {rate:.2} eps\n",
        totals.suppressed, totals.passed
    );
    for (cpu, CpuCounts { attempted, delivered, lost }) in counts.cpus.iter().enumerate() {
        let _ = writeln!(text, "CPU {cpu}: {attempted} attempted, {delivered} delivered, {lost} lost");
    }
    if counts.late > 0 {
        let _ = writeln!(text, "Delivered out of order:{}", counts.late);
    }
    if counts.unknown > 0 {
        let _ = writeln!(text, "Of unknown types:{}", counts.unknown);
    }
    if counts.unreadable > 0 {
        let _ = writeln!(text, "Unreadable memory:{}", counts.unreadable);
    }
    if counts.malformed > 0 {
        let _ = writeln!(text, "Malformed records:{}", counts.malformed);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_names_the_cpus_that_lost() {
        let cpu = |delivered, lost| CpuCounts { attempted: delivered + lost, delivered, lost };
        let mut counts = SourceCounts { cpus: vec![cpu(10, 0), cpu(5, 7), cpu(0, 1)], ..Default::default() };
        let line = loss(&counts).unwrap();
        assert!(line.starts_with("8 of 23 events lost"), "{line}");
        assert!(line.contains("CPU 1 (7), CPU 2 (1);") && !line.contains("CPU 0"), "{line}");
        counts.cpus.truncate(1);
        assert_eq!(loss(&counts), None);
    }

    #[test]
    fn statistics_have_the_known_lines() {
        let totals = Totals {
            events: 9,
            passed: 4,
            suppressed: 2,
            elapsed: Duration::from_secs(2),
            ..Totals::default()
        };
        let text = statistics(&totals, &SourceCounts::default());
        assert_eq!(
            text,
            "Driver Events:0\nDriver Drops:0\nSuppressed by Comm:2\n\
             Elapsed time: 2.000, Captured Events: 4, 2.00 eps\n"
        );
    }
}
