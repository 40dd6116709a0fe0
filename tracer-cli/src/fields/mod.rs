//! The fields of filters and output: one table, one file per class.

pub mod table;
pub mod value;

pub use table::{Extraction, Field, FieldRef};
pub use value::Value;
