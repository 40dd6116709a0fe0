//! Where in the table the threads are that were asked for lately: most events are of a few threads.

use std::cell::Cell;

/// Threads remembered; those whose numbers differ by a multiple of it displace each other.
const SLOTS: usize = 4096;

/// By the low bits of the thread's number, its place in the table. Who asks looks whether the thread
/// there is the right one, so that nothing has to be done when threads come and go.
#[derive(Debug)]
pub(super) struct Recent([Cell<u32>; SLOTS]);

impl Default for Recent {
    fn default() -> Self {
        Self([const { Cell::new(0) }; SLOTS])
    }
}

impl Recent {
    /// Where the thread with this number is, if it is where it was.
    #[inline]
    pub fn place(&self, tid: i64) -> usize {
        self.slot(tid).get() as usize
    }

    #[inline]
    pub fn note(&self, tid: i64, place: u32) {
        self.slot(tid).set(place);
    }

    #[inline]
    fn slot(&self, tid: i64) -> &Cell<u32> {
        &self.0[tid.cast_unsigned() as usize % SLOTS]
    }
}
