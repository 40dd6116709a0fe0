//! Events from the running kernel.

pub mod decode;
mod decode_socket;
mod decode_task;
mod machine;
pub mod offsets;
pub mod ops;
pub mod plan;
pub mod probe;
pub mod proc_scan;
mod proc_sockets;
pub mod ring;
mod scratch;
mod sources;
mod view;
