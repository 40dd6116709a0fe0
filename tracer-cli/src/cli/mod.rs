//! The command line.

pub mod args;
mod chisels;
pub mod doctor;
pub mod info;
pub mod list;
pub mod plan;
mod progress;
mod recording;
pub mod run;
pub mod selection;
mod span;
mod sysdig_options;
mod ui;
