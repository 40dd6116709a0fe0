//! Events one behind the other, as a capture has them: where each is and what stands before its parameters has been
//! found out already, for all of them at once.

use crate::event::{Event, EventBits};
use crate::params::{Packed, Params};
use crate::schema::EventType;

/// An event without its parameters, whose lengths were all checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// ns since the epoch.
    pub ts: u64,
    pub tid: i64,
    pub cpu: u16,
    pub ty: EventType,
    pub bits: EventBits,
    /// Bit *i*: parameter *i* could not be read when the event was recorded.
    pub unreadable: u32,
    /// Some parameter may have a value for the sake of older readers: [`Head::event`] has that value.
    pub is_for_old: bool,
    /// As in [`Packed`], within the body of the block.
    pub(crate) wide: bool,
    pub(crate) count: u8,
    pub(crate) lens: u8,
    pub(crate) data: u32,
}

impl Head {
    /// The event, whose parameters are in the body of its block. It has no number yet.
    #[inline]
    pub fn event<'a>(&self, body: &'a [u8]) -> Event<'a> {
        let Self { ts, tid, cpu, ty, bits, unreadable, .. } = *self;
        Event { num: 0, ts, tid, pid: 0, cpu, ty, bits, unreadable, params: self.params(body) }
    }

    /// The parameters in the body.
    #[inline]
    pub fn params<'a>(&self, body: &'a [u8]) -> Params<'a> {
        let Self { data, lens, count, wide, .. } = *self;
        Packed { bytes: body, data, lens, count, wide }.into()
    }
}

/// Bytes of a block before its body, and behind it.
pub(crate) const HEADER: usize = 8;
pub(crate) const TRAILER: usize = 4;

/// An event that was found in the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framed {
    /// Where its block begins.
    pub at: u32,
    /// Length of the block.
    pub len: u32,
    pub head: Head,
    /// Nothing is special about it, and nothing stands between it and the one before.
    pub is_plain: bool,
}

/// The events that come next, in some bytes. Not all of them may follow each other.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub events: &'a [Framed],
    pub bytes: &'a [u8],
    /// Time of the event before them, 0 where there is none.
    pub after: u64,
}

impl<'a> Row<'a> {
    /// One of its events.
    #[inline]
    pub fn event(&self, found: &Framed) -> Event<'a> {
        let begin = found.at as usize;
        let body = begin + HEADER..begin + (found.len as usize).saturating_sub(TRAILER);
        found.head.event(self.bytes.get(body).unwrap_or_default())
    }
}
