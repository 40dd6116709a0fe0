//! Blocks: what they are called and how long they may be.

use std::fmt;

/// Bytes of type and length before the body, and of the length behind it.
pub(super) use crate::row::{HEADER, TRAILER};

/// Type of a section header; it reads the same in both byte orders.
pub(super) const SECTION: u32 = 0x0A0D_0D0A;

/// Longest event block of the types that are not for large events.
const MAX_SMALL_EVENT: u32 = 65536 + 8;
/// Longest block of large events that is taken into memory.
const MAX_LARGE_EVENT: u32 = 32 << 20;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Section,
    Machine,
    /// Version 1 to 9.
    Processes(u8),
    /// With the length of each entry before it (version 2).
    Fds {
        sized: bool,
    },
    Interfaces {
        sized: bool,
    },
    Users {
        sized: bool,
    },
    Event(EventKind),
    /// Of somebody else, or newer; to be left out.
    Other(u32),
}

/// Versions of event blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventKind {
    /// Flags stand before the event.
    pub flags: bool,
    /// The event says how many parameters it has (version 2).
    pub counted: bool,
    /// May be longer than 64 KiB.
    pub large: bool,
}

impl EventKind {
    /// Of events without flags that are no large ones.
    pub const SMALL: EventKind = EventKind { flags: false, counted: true, large: false };

    /// The version of event blocks with this code.
    #[inline]
    pub const fn of(code: u32) -> Option<EventKind> {
        const FLAGS: u8 = 1;
        const COUNTED: u8 = 2;
        const LARGE: u8 = 4;
        // One number, not three: this is asked for each event, and three would go through memory.
        let bits = match code {
            0x204 | 0x8010_ABCD => 0,
            0x208 => FLAGS,
            0x216 => COUNTED,
            0x217 => COUNTED | FLAGS,
            0x221 => LARGE | COUNTED,
            0x222 => LARGE | COUNTED | FLAGS,
            _ => return None,
        };
        Some(EventKind { flags: bits & FLAGS != 0, counted: bits & COUNTED != 0, large: bits & LARGE != 0 })
    }

    /// Longest total length that is accepted.
    #[inline]
    pub const fn max_len(self) -> u32 {
        if self.large { MAX_LARGE_EVENT } else { MAX_SMALL_EVENT }
    }
}

impl Kind {
    /// The kind with this code. The codes above 0x8000_0000 are from before the format was public.
    pub fn of(code: u32) -> Kind {
        if let Some(event) = EventKind::of(code) {
            return Kind::Event(event);
        }
        match code {
            SECTION => Kind::Section,
            0x201 | 0x8002_ABCD => Kind::Machine,
            0x202 | 0x8000_ABCD => Kind::Processes(1),
            0x207 | 0x8013_ABCD => Kind::Processes(2),
            0x209 | 0x8014_ABCD => Kind::Processes(3),
            0x210 => Kind::Processes(4),
            0x211 => Kind::Processes(5),
            0x212 => Kind::Processes(6),
            0x213 => Kind::Processes(7),
            0x214 => Kind::Processes(8),
            0x215 => Kind::Processes(9),
            0x203 | 0x8001_ABCD => Kind::Fds { sized: false },
            0x218 => Kind::Fds { sized: true },
            0x205 | 0x8011_ABCD => Kind::Interfaces { sized: false },
            0x219 => Kind::Interfaces { sized: true },
            0x206 | 0x8012_ABCD => Kind::Users { sized: false },
            0x220 => Kind::Users { sized: true },
            other => Kind::Other(other),
        }
    }

    /// Longest total length that is accepted. Lists are read piece by piece and may be of any length.
    pub fn max_len(self) -> u32 {
        match self {
            Kind::Event(event) => event.max_len(),
            _ => u32::MAX,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Section => f.write_str("section header"),
            Kind::Machine => f.write_str("machine"),
            Kind::Processes(_) => f.write_str("process list"),
            Kind::Fds { .. } => f.write_str("fd list"),
            Kind::Interfaces { .. } => f.write_str("interface list"),
            Kind::Users { .. } => f.write_str("user list"),
            Kind::Event(_) => f.write_str("event"),
            Kind::Other(code) => write!(f, "unknown ({code:#x})"),
        }
    }
}
