//! What is remembered of threads from event to event, and which of their events are still to be noted.

use crate::row::Row;
use crate::state::inspector::Inspector;
use crate::state::{State, ThreadKey};

/// Threads that are remembered; those whose numbers differ by a multiple of it displace each other. Of some hundreds
/// that take turns one in twenty does with half as many places.
const THREADS: usize = 4096;

/// What is remembered of a thread.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub tid: i64,
    /// [`crate::state::thread::Thread::changed`] when it was asked for, or [`crate::state::State::lives`] when there was none.
    pub changed: u64,
    pub key: ThreadKey,
    /// What was put off: events of the row, counted from 1, with which its last call began, with which that ended, and
    /// another one behind them.
    pub put_off: [u16; 3],
    /// There is no such thread.
    pub is_absent: bool,
    /// Nobody looks at its events.
    pub is_refused: bool,
}

impl Known {
    /// Of no thread whatever.
    const NOTHING: Known = Known {
        tid: 0,
        changed: 0,
        key: ThreadKey::ABSENT,
        put_off: [0; 3],
        is_absent: true,
        is_refused: false,
    };

    /// Of the thread with this number, nobody being there who refuses it.
    #[inline]
    pub fn of(tid: i64, state: &State) -> Known {
        let key = state.find(tid);
        let thread = key.and_then(|key| state.thread(key));
        Known {
            tid,
            changed: thread.map_or(state.lives(), |thread| thread.changed),
            key: key.unwrap_or(ThreadKey::ABSENT),
            put_off: [0; 3],
            is_absent: thread.is_none(),
            is_refused: false,
        }
    }
}

/// What is remembered from event to event.
pub(in crate::pipeline) struct Memory {
    pub(super) threads: Box<[Known; THREADS]>,
    /// Threads for which something is to be noted, by their places.
    pub(super) due: Vec<u16>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { threads: Box::new([Known::NOTHING; THREADS]), due: Vec::new() }
    }
}

impl Memory {
    #[inline]
    pub(super) fn place(tid: i64) -> usize {
        tid.cast_unsigned() as usize % THREADS
    }

    /// Notes what was put off for the thread at this place.
    #[inline]
    pub(super) fn note(&mut self, place: usize, row: &Row<'_>, inspector: &mut Inspector) {
        let known = &mut self.threads[place];
        let put_off = std::mem::take(&mut known.put_off);
        if put_off != [0; 3] {
            let found = put_off.map(|at| usize::from(at).checked_sub(1).and_then(|i| row.events.get(i)));
            inspector.note(known.tid, known.key, found.iter().flatten().map(|found| row.event(found)));
        }
    }

    /// Notes all that was put off.
    pub(super) fn note_all(&mut self, row: &Row<'_>, inspector: &mut Inspector) {
        while let Some(place) = self.due.pop() {
            self.note(usize::from(place), row, inspector);
        }
    }
}
