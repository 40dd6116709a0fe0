//! What crosses the boundary between the probe and user space, and nothing else.
//!
//! The probe copies bytes into records ([`record`]) as a capture plan tells it ([`plan`]); counters,
//! kernel offsets and names of maps are in [`config`]. Every type is `repr(C)`, contains no padding
//! the compiler chose, and its size is asserted here, so that both sides fail to compile rather than
//! disagree.
#![no_std]

pub mod config;
pub mod plan;
pub mod record;
pub mod slots;
