//! The two ways of records from one CPU: its slots for small ones, its ring for all others.

use super::ring::{Queue, Ring};
use super::slots::Slots;
use std::os::fd::BorrowedFd;

/// One of them.
pub enum Lane {
    Ring(Ring),
    Slots(Slots),
}

impl Lane {
    /// The CPU whose records come here.
    pub fn cpu(&self) -> u16 {
        match self {
            Lane::Ring(ring) => ring.cpu,
            Lane::Slots(slots) => slots.cpu,
        }
    }

    /// The fd that becomes readable when the probe wakes its reader, for whichever lane.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Lane::Ring(ring) => Some(ring.fd()),
            Lane::Slots(_) => None,
        }
    }
}

impl Queue for Lane {
    #[inline]
    fn peek(&mut self) -> Option<&[u8]> {
        match self {
            Lane::Ring(ring) => ring.peek(),
            Lane::Slots(slots) => slots.peek(),
        }
    }

    #[inline]
    fn advance(&mut self) {
        match self {
            Lane::Ring(ring) => ring.advance(),
            Lane::Slots(slots) => slots.advance(),
        }
    }

    #[inline]
    fn held(&self) -> u64 {
        match self {
            Lane::Ring(ring) => ring.held(),
            Lane::Slots(slots) => slots.held(),
        }
    }

    fn release(&mut self) {
        match self {
            Lane::Ring(ring) => ring.release(),
            Lane::Slots(slots) => slots.release(),
        }
    }
}
