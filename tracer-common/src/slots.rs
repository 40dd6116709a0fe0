//! Slots: the way of small records to user space.
//!
//! Most records are small, and handing one to a ring buffer (reserve, copy, commit) costs the traced call more than
//! writing it. So every CPU has, beside its ring, a row of slots of one size in memory that user space maps. Each is
//! written by system call programs alone, which do not nest. What does not fit in a slot, finds none free, or is to wake
//! the reader goes through the ring.

use crate::config::Counters;

/// Bytes of a slot; a multiple of a cache line.
pub const SLOT_LEN: usize = 128;

/// What is in a slot: a record, and anything after it.
pub type Slot = [u64; SLOT_LEN / 8];

/// What the probe and its reader know of one CPU. `written` and `taken` are counts of slots since the start; the slot of
/// a count is its remainder. What the probe writes and what user space writes are on cache lines of their own.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// Records written to slots. A record is there before it is counted.
    pub written: u64,
    /// When the reader was last woken, ns.
    pub last_wake: u64,
    /// `written` at that time.
    pub woken_at: u64,
    /// Bytes put into the ring since then.
    pub unwoken_bytes: u64,
    pub counters: Counters,
    pub _apart: [u64; 5],
    /// Records in slots that user space has done with.
    pub taken: u64,
    pub _apart2: [u64; 7],
}
const _: () = assert!(size_of::<Cpu>() == 192);
