//! The event schema: one set of tables that decoder, reader, writer, formatter and listings share.

pub mod convert;
mod convert_tables;
pub mod names;
pub mod tables;
mod type_set;
pub mod types;

pub use type_set::TypeSet;
pub use types::*;
