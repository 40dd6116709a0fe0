//! Records of all CPUs in the order of their times.
//!
//! Each ring is in order by itself. A record may be shown once no ring can still produce an earlier
//! one: a record is in its ring at most [`HOLD`] after the time it bears, so everything older than
//! the start of the last look at the rings less [`HOLD`] is safe. A record that comes later than
//! that all the same is delivered at once and marked late, never dropped.

use super::lane::Lane;
use super::ring::Queue;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Longest time between a record's time stamp and its appearance in the ring that is waited for.
pub const HOLD: Duration = Duration::from_millis(2);

/// Bytes of a ring that are consumed before they are given back to the kernel.
const RELEASE: u64 = 64 << 10;

/// Which record comes next.
pub struct Merge<Q = Lane> {
    rings: Vec<Q>,
    /// Rings with a record, by its time.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// Rings without a record when last looked at.
    empty: Vec<usize>,
    /// Records up to this time may be delivered, ns of the probe's clock.
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
    /// Records are there but not due before this time, ns of the probe's clock.
    NotBefore(u64),
    Nothing,
}

/// `CLOCK_MONOTONIC`, the probe's clock, ns.
pub fn now() -> u64 {
    nanoseconds(nix::time::ClockId::CLOCK_MONOTONIC)
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

impl<Q: Queue> Merge<Q> {
    pub fn new(rings: Vec<Q>) -> Self {
        let empty = (0..rings.len()).collect();
        Self { rings, heads: BinaryHeap::new(), empty, horizon: 0, taken: None, newest: 0, late: 0 }
    }

    pub fn rings(&self) -> &[Q] {
        &self.rings
    }

    /// The record that [`Found::Record`] spoke of.
    pub fn record(&mut self, ring: usize) -> Option<&[u8]> {
        self.rings.get_mut(ring)?.peek()
    }

    /// Forgets the record handed out last and finds the next. With `all`, nothing is held back.
    pub fn next(&mut self, all: bool) -> Found {
        self.next_at(all, now)
    }

    /// As [`Self::next`], with the clock given; it is asked only when the rings are looked at.
    fn next_at(&mut self, all: bool, now: impl Fn() -> u64) -> Found {
        if let Some(next) = self.step() {
            // Mostly the next record comes from where the last one did.
            if next.0 <= self.horizon && self.heads.peek().is_none_or(|Reverse(first)| next < *first) {
                return self.hand_out(next);
            }
            self.heads.push(Reverse(next));
        }
        for look in 0..2 {
            if let Some(Reverse(first)) = self.heads.peek().copied()
                && first.0 <= self.horizon
            {
                self.heads.pop();
                return self.hand_out(first);
            }
            if look == 0 {
                self.look(all, &now);
            }
        }
        self.release_all();
        match self.heads.peek() {
            Some(Reverse((time, _))) => Found::NotBefore(time + HOLD.as_nanos() as u64),
            None => Found::Nothing,
        }
    }

    #[inline]
    fn hand_out(&mut self, (time, ring): (u64, usize)) -> Found {
        self.taken = Some(ring);
        let late = time < self.newest;
        self.late += u64::from(late);
        self.newest = self.newest.max(time);
        Found::Record(ring, late)
    }

    /// Steps over the record handed out last; time of the next one in its ring, and the ring.
    fn step(&mut self) -> Option<(u64, usize)> {
        let index = self.taken.take()?;
        let ring = self.rings.get_mut(index)?;
        ring.advance();
        if ring.held() >= RELEASE {
            ring.release();
        }
        let next = ring.peek().map(|record| (time_of(record), index));
        if next.is_none() {
            self.empty.push(index);
        }
        next
    }

    /// Looks for records in the rings that had none, and moves the horizon.
    fn look(&mut self, all: bool, now: impl Fn() -> u64) {
        self.horizon = if all { u64::MAX } else { now().saturating_sub(HOLD.as_nanos() as u64) };
        let (rings, heads) = (&mut self.rings, &mut self.heads);
        self.empty.retain(|index| match rings.get_mut(*index).and_then(Queue::peek) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::rc::Rc;

    /// A queue that the test goes on filling.
    #[derive(Default, Clone)]
    struct Times {
        waiting: Rc<RefCell<VecDeque<u64>>>,
        first: Option<[u8; 8]>,
        held: u64,
    }

    impl Times {
        fn push(&self, times: &[u64]) {
            self.waiting.borrow_mut().extend(times);
        }
    }

    impl Queue for Times {
        fn peek(&mut self) -> Option<&[u8]> {
            if self.first.is_none() {
                self.first = self.waiting.borrow_mut().pop_front().map(u64::to_ne_bytes);
            }
            self.first.as_ref().map(|b| &b[..])
        }

        fn advance(&mut self) {
            self.first = None;
            self.held += 8;
        }

        fn held(&self) -> u64 {
            self.held
        }

        fn release(&mut self) {
            self.held = 0;
        }
    }

    const HELD: u64 = HOLD.as_nanos() as u64;

    /// Times of all records that are due at `now`, with a mark for late ones.
    fn due(merge: &mut Merge<Times>, now: u64, all: bool) -> Vec<(u64, bool)> {
        let mut found = Vec::new();
        while let Found::Record(ring, late) = merge.next_at(all, || now) {
            let time = merge.record(ring).map(time_of);
            found.push((time.unwrap_or(u64::MAX), late));
        }
        found
    }

    #[test]
    fn records_of_all_queues_come_by_time() {
        let queues = [Times::default(), Times::default(), Times::default()];
        queues[0].push(&[1, 4, 5]);
        queues[2].push(&[2, 3, 6]);
        let mut merge = Merge::new(queues.to_vec());
        let times: Vec<u64> = due(&mut merge, 100 + HELD, false).into_iter().map(|(t, _)| t).collect();
        assert_eq!(times, [1, 2, 3, 4, 5, 6]);
        assert_eq!(merge.late, 0);
        assert!(merge.rings().iter().all(|q| q.held == 0), "space is given back");
    }

    #[test]
    fn a_record_waits_until_no_earlier_one_can_come() {
        let queues = [Times::default(), Times::default()];
        queues[0].push(&[1_000]);
        let mut merge = Merge::new(queues.to_vec());
        assert!(matches!(merge.next_at(false, || 1_000), Found::NotBefore(at) if at == 1_000 + HELD));
        // What was being written meanwhile on the other CPU still comes first.
        queues[1].push(&[990]);
        assert_eq!(due(&mut merge, 1_000 + HELD, false), [(990, false), (1_000, false)]);
        assert!(matches!(merge.next_at(false, || 1_000 + HELD), Found::Nothing));
    }

    #[test]
    fn a_late_record_is_delivered_and_marked() {
        let queues = [Times::default(), Times::default()];
        queues[0].push(&[50]);
        let mut merge = Merge::new(queues.to_vec());
        assert_eq!(due(&mut merge, 50 + HELD, false), [(50, false)]);
        queues[1].push(&[10, 60]);
        assert_eq!(due(&mut merge, 60 + HELD, false), [(10, true), (60, false)]);
        assert_eq!(merge.late, 1);
    }

    #[test]
    fn nothing_is_held_back_at_the_end() {
        let queues = [Times::default()];
        queues[0].push(&[5, 7]);
        let mut merge = Merge::new(queues.to_vec());
        assert_eq!(due(&mut merge, 0, true), [(5, false), (7, false)]);
    }
}
