//! A borrowed event: what every source yields and every sink reads.
//!
//! Parameters are in scap encoding whether they come from a capture or from the kernel, so that one
//! set of readers serves both. An event owns nothing; its bytes live in the ring buffer, in the
//! mapped file or in the source's scratch memory until the next one is asked for.

use crate::params::Params;
use crate::schema::{EventInfo, EventType, tables};

bitflags::bitflags! {
    /// What is special about an event.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct EventBits: u8 {
        /// Was recorded for the state only: applied, never shown.
        const STATE_ONLY = 1;
        /// The call came through the 32-bit interface.
        const COMPAT = 2;
        /// Delivered after an event with a later time.
        const LATE = 4;
        /// Happened or was noted while the state was still being learnt: applied to it, and no part of the stream.
        const EARLY = 8;
    }
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Position in the stream from 1; hidden and filtered events count.
    pub num: u64,
    /// ns since the epoch.
    pub ts: u64,
    pub tid: i64,
    /// Thread group of `tid` when the source knows it, else 0.
    pub pid: i64,
    pub cpu: u16,
    pub ty: EventType,
    pub bits: EventBits,
    /// Bit *i* is set when the memory of parameter *i* could not be read in the kernel.
    pub unreadable: u32,
    /// Encoded parameters, at most as many as the schema row has; an empty one has no value.
    pub params: Params<'a>,
}

static UNKNOWN: EventInfo = EventInfo {
    ty: EventType(u16::MAX),
    id: "UNKNOWN",
    name: "unknown",
    category: crate::schema::Category::Unknown,
    class: crate::schema::Class::None,
    flags: crate::schema::EventFlags::empty(),
    params: &[],
    status: crate::schema::Status::Unused,
};

/// An encoded integer of 1, 2, 4 or 8 bytes as an unsigned one; `None` for any other length.
#[inline]
pub fn read_u64(bytes: &[u8]) -> Option<u64> {
    Some(match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return None,
    })
}

/// An encoded integer of 1, 2, 4 or 8 bytes, sign extended; `None` for any other length.
#[inline]
pub fn read_i64(bytes: &[u8]) -> Option<i64> {
    Some(match *bytes {
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return None,
    })
}

/// Encoded text without its final NUL.
#[inline]
pub fn read_text(bytes: &[u8]) -> &[u8] {
    match bytes.split_last() {
        Some((0, text)) => text,
        _ => bytes,
    }
}

#[cfg(test)]
impl<'a> Event<'a> {
    /// An event of the first thread, for tests that look at types and parameters.
    pub(crate) fn sample(ty: EventType, params: &'a [&'a [u8]]) -> Event<'a> {
        let bits = EventBits::empty();
        Event { num: 1, ts: 1, tid: 1, pid: 1, cpu: 0, ty, bits, unreadable: 0, params: params.into() }
    }
}

impl<'a> Event<'a> {
    /// The schema row; a code newer than the schema gets a row without parameters.
    #[inline]
    pub fn info(&self) -> &'static EventInfo {
        self.ty.info().unwrap_or(&UNKNOWN)
    }

    /// `evt.type`: the event's name, of a generic event the name of its system call.
    pub fn name(&self) -> &'static str {
        if matches!(self.ty, EventType::GENERIC_E | EventType::GENERIC_X) {
            return self
                .u64(0)
                .and_then(|code| *tables::SYSCALL_NAMES.get(usize::try_from(code).ok()?)?)
                .unwrap_or("syscall");
        }
        self.info().name
    }

    /// The bytes of parameter `i`, `None` when it is absent or has no value.
    #[inline]
    pub fn param(&self, i: usize) -> Option<&'a [u8]> {
        self.params.get(i).filter(|p| !p.is_empty())
    }

    /// Index of the parameter with this name in the schema row.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.info().params.iter().position(|p| p.name == name)
    }

    /// Parameter `i` as an unsigned integer of whatever width it has.
    #[inline]
    pub fn u64(&self, i: usize) -> Option<u64> {
        read_u64(self.param(i)?)
    }

    /// Parameter `i` as a signed integer of whatever width it has (sign extended).
    #[inline]
    pub fn i64(&self, i: usize) -> Option<i64> {
        read_i64(self.param(i)?)
    }

    /// Parameter `i` as text without its final NUL.
    #[inline]
    pub fn text(&self, i: usize) -> Option<&'a [u8]> {
        self.param(i).map(read_text)
    }

    /// Whether the memory of parameter `i` could not be read.
    #[inline]
    pub fn is_unreadable(&self, i: usize) -> bool {
        i < 32 && self.unreadable & (1 << i) != 0
    }
}
