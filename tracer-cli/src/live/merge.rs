//! Records of all CPUs in the order of their times.
//!
//! Each ring is in order by itself. A record may be shown once no ring can still produce an earlier
//! one: a record is in its ring at most [`HOLD`] after the time it bears, so everything older than
//! the start of the last look at the rings less [`HOLD`] is safe. A record that comes later than
//! that all the same is delivered at once and marked late, never dropped.

use super::ring::Ring;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Longest time between a record's time stamp and its appearance in the ring that is waited for.
pub const HOLD: Duration = Duration::from_millis(2);

/// Bytes of a ring that are consumed before they are given back to the kernel.
const RELEASE: u64 = 64 << 10;

/// Which record comes next.
pub struct Merge {
    rings: Vec<Ring>,
    /// Rings with a record, by its time.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// Rings without a record when last looked at.
    empty: Vec<usize>,
    /// Records up to this time may be delivered, ns of `CLOCK_BOOTTIME`.
    horizon: u64,
    /// The ring whose record has been handed out.
    taken: Option<usize>,
    newest: u64,
    /// Records delivered after one with a later time.
    pub late: u64,
}

/// What [`Merge::next`] found.
pub enum Found {
    /// Ring index and whether the record is late.
    Record(usize, bool),
    /// Records are there but not due before this time, ns of `CLOCK_BOOTTIME`.
    NotBefore(u64),
    Nothing,
}

/// `CLOCK_BOOTTIME`, the probe's clock, ns.
pub fn boot_time() -> u64 {
    nanoseconds(nix::time::ClockId::CLOCK_BOOTTIME)
}

/// ns of a clock.
pub fn nanoseconds(clock: nix::time::ClockId) -> u64 {
    nix::time::clock_gettime(clock)
        .map_or(0, |t| (t.tv_sec() as u64).wrapping_mul(1_000_000_000).wrapping_add(t.tv_nsec() as u64))
}

/// Time of a record: the first word of its header.
fn time_of(record: &[u8]) -> u64 {
    record.first_chunk().map_or(0, |b| u64::from_ne_bytes(*b))
}

impl Merge {
    pub fn new(rings: Vec<Ring>) -> Self {
        let empty = (0..rings.len()).collect();
        Self { rings, heads: BinaryHeap::new(), empty, horizon: 0, taken: None, newest: 0, late: 0 }
    }

    pub fn rings(&self) -> &[Ring] {
        &self.rings
    }

    /// The record that [`Found::Record`] spoke of.
    pub fn record(&mut self, ring: usize) -> Option<&[u8]> {
        self.rings.get_mut(ring)?.peek()
    }

    /// Forgets the record handed out last and finds the next. With `all`, nothing is held back.
    pub fn next(&mut self, all: bool) -> Found {
        self.put_back();
        for look in 0..2 {
            if let Some(Reverse((time, ring))) = self.heads.peek().copied()
                && time <= self.horizon
            {
                self.heads.pop();
                self.taken = Some(ring);
                let late = time < self.newest;
                self.late += u64::from(late);
                self.newest = self.newest.max(time);
                return Found::Record(ring, late);
            }
            if look == 0 {
                self.look(all);
            }
        }
        self.release_all();
        match self.heads.peek() {
            Some(Reverse((time, _))) => Found::NotBefore(time + HOLD.as_nanos() as u64),
            None => Found::Nothing,
        }
    }

    /// Steps over the record handed out last.
    fn put_back(&mut self) {
        let Some(index) = self.taken.take() else { return };
        let Some(ring) = self.rings.get_mut(index) else { return };
        ring.advance();
        if ring.held() >= RELEASE {
            ring.release();
        }
        match ring.peek() {
            Some(record) => self.heads.push(Reverse((time_of(record), index))),
            None => self.empty.push(index),
        }
    }

    /// Looks for records in the rings that had none, and moves the horizon.
    fn look(&mut self, all: bool) {
        self.horizon = if all { u64::MAX } else { boot_time().saturating_sub(HOLD.as_nanos() as u64) };
        let (rings, heads) = (&mut self.rings, &mut self.heads);
        self.empty.retain(|index| match rings.get_mut(*index).and_then(Ring::peek) {
            Some(record) => {
                heads.push(Reverse((time_of(record), *index)));
                false
            }
            None => true,
        });
    }

    fn release_all(&mut self) {
        for ring in &mut self.rings {
            if ring.held() > 0 {
                ring.release();
            }
        }
    }
}
