//! Events from the running kernel.

pub mod decode;
mod decode_socket;
mod decode_task;
mod doctor;
mod lane;
mod machine;
mod merge;
pub mod offsets;
pub mod ops;
pub mod plan;
pub mod probe;
pub mod proc_scan;
mod proc_sockets;
pub mod procinfo;
pub mod ring;
mod scratch;
mod slots;
mod source;
mod sources;
mod view;

pub use doctor::{Check, Report, doctor};
pub use probe::{ProbeError, ProbeOptions};
pub use source::{LiveOptions, LiveSource, Wants};
