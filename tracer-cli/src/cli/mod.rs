//! The command line.

pub mod args;
pub mod doctor;
pub mod list;
pub mod plan;
pub mod run;
pub mod selection;
