//! Events from the running kernel.

mod machine;
pub mod offsets;
pub mod probe;
pub mod proc_scan;
mod proc_sockets;
pub mod ring;
