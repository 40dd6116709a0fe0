//! The event schema: one set of tables that decoder, reader, writer, formatter and listings share.

pub mod convert;
mod convert_tables;
pub mod names;
pub mod tables;
pub mod types;

pub use types::*;
