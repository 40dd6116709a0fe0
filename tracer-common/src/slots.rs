//! Slots: the way of small records to user space.
//!
//! Most records are small, and handing one to a ring buffer (reserve, copy, commit) costs the traced call more than
//! writing it. So every CPU has, beside its ring, a row of slots of one size in memory that user space maps. Each is
//! written by system call programs alone, which do not nest. What does not fit in a slot, finds none free, or is to wake
//! the reader goes through the ring.

/// Bytes of a slot; a multiple of a cache line.
pub const SLOT_LEN: usize = 128;

/// What is in a slot: a record, and anything after it.
pub type Slot = [u64; SLOT_LEN / 8];

/// How far both sides of one CPU's row have come, in slots since the start; the slot of a count is its remainder.
/// Each count has a cache line of its own, since each has its own writer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotCounts {
    /// Records written, by the probe. The record is there before it is counted.
    pub written: u64,
    pub _apart: [u64; 7],
    /// Records that user space has done with.
    pub taken: u64,
    pub _apart2: [u64; 7],
}
const _: () = assert!(size_of::<SlotCounts>() == 128);
