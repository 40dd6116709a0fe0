//! Where events come from: the kernel or a capture, behind one trait.

use crate::event::Event;
use crate::row::Row;
use crate::state::State;
use crate::state::amendment::Amendment;
use crate::state::inspector::Inspector;
use crate::state::thread::Thread;

/// What a source has to say.
pub enum Next<'a> {
    /// An event, borrowed until the next call.
    Event(Event<'a>),
    /// What the event that comes next does not tell, and was known when it was recorded.
    Amendment(Box<Amendment>),
    /// Nothing for now (live): a good moment to flush. The call has already waited a little.
    Idle,
    /// What comes next has nothing to do with what came before, such as the second of two joined
    /// captures: the state begins anew, with [`Source::load_state`].
    Section,
    /// As [`Next::Resume`], and what is known there is of a recording that has just begun: its events come
    /// between those of others.
    Joined,
    /// As [`Next::Section`], and the events that come are counted from 1 again: the next of several
    /// files.
    Recording,
    /// Something was left out: what comes next is a later part of the recording, with
    /// [`Source::resume`].
    Resume,
    /// There will be no more events.
    End,
}

/// Why a source cannot go on; printed as one line that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{0}")]
    Failed(String),
    #[error("{what}: {cause}")]
    Io { what: String, cause: std::io::Error },
}

/// What became of the events of one CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuCounts {
    /// Events that should have been delivered: `delivered` + `lost`.
    pub attempted: u64,
    pub delivered: u64,
    /// There was no room in the ring.
    pub lost: u64,
}

/// Counts of a source so far.
#[derive(Debug, Clone, Default)]
pub struct SourceCounts {
    /// Per CPU, in CPU order; empty for captures that do not say.
    pub cpus: Vec<CpuCounts>,
    /// Events delivered after one with a later time.
    pub late: u64,
    /// Parameters whose memory could not be read.
    pub unreadable: u64,
    /// Events left out because their type is newer than the schema.
    pub unknown: u64,
    /// Records that could not be understood: 0 unless probe and tracer disagree.
    pub malformed: u64,
}

/// A stream of events in time order.
pub trait Source {
    /// Fills the state with what the source knows before its first event (processes, fds, users).
    fn load_state(&mut self, state: &mut State) -> Result<(), SourceError>;

    /// The next event. Live sources wait at most some milliseconds and then say [`Next::Idle`].
    fn next(&mut self) -> Result<Next<'_>, SourceError>;

    /// After [`Next::Resume`] and [`Next::Joined`]: makes the inspector know what it would know had it seen all that was left
    /// out. Returns how many events of the recording come before the next one.
    fn resume(&mut self, _inspector: &mut Inspector) -> Result<u64, SourceError> {
        Ok(0)
    }

    /// The events that come next, for those who can do with a glance at most; `None` where [`Source::next`] has to be
    /// asked, which it may be at any time.
    fn row(&mut self) -> Option<Row<'_>> {
        None
    }

    /// Moves past the first `n` events of the row, of which so many have an earlier time than the one before.
    fn pass(&mut self, _n: usize, _late: u64) {}

    /// Stop taking new events; what is already buffered is still delivered, then [`Next::End`].
    fn stop(&mut self);

    fn counts(&mut self) -> SourceCounts;

    /// What to ask about threads that the state does not have (live: /proc; a source that has
    /// nothing but its events answers `None`). It is apart from the source so that it can be asked
    /// while an event is borrowed from it.
    fn look_up(&self) -> LookUp;

    /// Whether a thread that has not been heard of for long still exists. Sources that cannot know
    /// say yes, and the thread is kept.
    fn is_alive(&self, _tid: i64) -> bool {
        true
    }
}

/// Tells what is known of the thread with a tid, `None` when it is gone.
pub type LookUp = Box<dyn FnMut(i64) -> Option<Box<Thread>>>;
