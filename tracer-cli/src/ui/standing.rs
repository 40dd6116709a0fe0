//! Which events of a thread leave the rows of a table as they are.
//!
//! Most events say nothing that a table of processes does not show already: the columns that they could change hold
//! what is known of the thread, and that is as it was at the event before. So it is remembered for the threads seen
//! lately in which row they are, and how they were when the row was filled.

use crate::fields::Follows;
use crate::state::thread::Thread;

/// Threads that are remembered, each in the place that its number gives it. Reports on CPU time come from all threads of a
/// machine in turn: they must not displace each other.
const PLACES: usize = 8192;

/// The row of a thread, and how the thread was when the row was filled.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    tid: i64,
    pid: i64,
    told: u64,
    lives: u64,
    memory: (u32, u32),
    /// Place of the row.
    pub row: usize,
    /// All that its columns take from the first event that has it is there.
    is_settled: bool,
}

impl Standing {
    /// Whether what follows from this is as it was. `lives` is what [`State::lives`](crate::state::State::lives) says.
    #[inline]
    pub fn holds(&self, follows: Follows, thread: &Thread, lives: u64) -> bool {
        match follows {
            Follows::Thread => self.told == thread.told,
            Follows::Memory => self.memory == (thread.vm_size, thread.vm_rss),
            Follows::Threads => self.lives == lives,
        }
    }

    /// Whether nothing in the row would be another if it was filled again.
    #[inline]
    pub fn is_same(&self, thread: &Thread, lives: u64) -> bool {
        let all = [Follows::Thread, Follows::Memory, Follows::Threads];
        self.is_settled && all.into_iter().all(|follows| self.holds(follows, thread, lives))
    }
}

/// What is remembered.
pub struct Lately {
    /// Nothing at all before the first.
    places: Vec<Option<Standing>>,
    /// A thread is in the same row as long as its ids are the same.
    is_by_id: bool,
}

impl Lately {
    pub fn new(is_by_id: bool) -> Self {
        Self { places: Vec::new(), is_by_id }
    }

    /// The row of the thread, if it still is the one that it was.
    #[inline]
    pub fn find(&self, thread: &Thread) -> Option<&Standing> {
        let known = self.places.get(place_of(thread.tid))?.as_ref();
        known.filter(|known| {
            known.tid == thread.tid && (known.told == thread.told || self.is_by_id && known.pid == thread.pid)
        })
    }

    /// Notes that the row was filled from the thread as it is.
    #[inline]
    pub fn note(&mut self, thread: &Thread, lives: u64, row: usize, is_settled: bool) {
        if self.places.is_empty() {
            self.places = vec![None; PLACES];
        }
        if let Some(place) = self.places.get_mut(place_of(thread.tid)) {
            let (tid, pid, told) = (thread.tid, thread.pid, thread.told);
            let memory = (thread.vm_size, thread.vm_rss);
            *place = Some(Standing { tid, pid, told, lives, memory, row, is_settled });
        }
    }

    /// There are no rows any more.
    pub fn clear(&mut self) {
        self.places.clear();
    }
}

#[inline]
const fn place_of(tid: i64) -> usize {
    tid.cast_unsigned() as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_known_until_it_changes() {
        let mut lately = Lately::new(false);
        let mut thread = Thread::new(7, 7);
        assert!(lately.find(&thread).is_none());
        lately.note(&thread, 1, 3, true);
        let known = *lately.find(&thread).unwrap();
        assert_eq!(known.row, 3);
        assert!(known.is_same(&thread, 1));
        assert!(!known.is_same(&thread, 2) && known.holds(Follows::Memory, &thread, 2));
        thread.vm_rss += 1;
        assert!(!known.is_same(&thread, 1) && known.holds(Follows::Threads, &thread, 1));
        lately.note(&thread, 1, 3, false);
        assert!(!lately.find(&thread).unwrap().is_same(&thread, 1));
        thread.told += 1;
        assert!(lately.find(&thread).is_none());
        let other = Thread::new(7 + PLACES as i64, 7);
        assert!(lately.find(&other).is_none());
        lately.note(&other, 1, 4, true);
        lately.clear();
        assert!(lately.find(&other).is_none());
    }

    #[test]
    fn a_row_of_an_id_is_known_until_the_id_changes() {
        let mut lately = Lately::new(true);
        let mut thread = Thread::new(7, 7);
        lately.note(&thread, 1, 3, true);
        thread.told += 1;
        let known = lately.find(&thread).unwrap();
        assert!(known.row == 3 && !known.is_same(&thread, 1));
        thread.pid = 8;
        assert!(lately.find(&thread).is_none());
    }
}
