//! Chisels: Lua scripts over the stream of events.

mod api_chisel;
mod api_evt;
mod api_files;
mod api_sysdig;
pub mod arguments;
pub mod catalog;
pub mod console;
mod counter;
mod current;
pub mod engine;
pub mod error;
mod histogram;
mod last_values;
mod library;
pub mod limits;
mod modules;
mod pattern;
pub mod requests;
mod rounding;
pub mod sandbox;
pub mod script;
mod strings;
mod table;
mod thread_rows;
mod thread_table;
mod watchdog;

pub use catalog::Catalog;
pub use engine::Engine;
pub use error::{ChiselError, ErrorKind};
pub use limits::Limits;
