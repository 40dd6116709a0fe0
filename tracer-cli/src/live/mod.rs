//! Events from the running kernel.

pub mod offsets;
pub mod probe;
pub mod ring;
