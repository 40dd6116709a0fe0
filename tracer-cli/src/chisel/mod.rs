//! Chisels: Lua scripts over the stream of events.

pub mod console;
pub mod error;
mod library;
pub mod limits;
pub mod sandbox;

pub use error::ChiselError;
pub use limits::Limits;
