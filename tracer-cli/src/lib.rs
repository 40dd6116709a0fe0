//! tracer: what is my system doing? System call tracing for Linux, live or from a recording.

mod caret;
pub mod chisel;
pub mod cli;
pub mod container;
pub mod event;
pub mod fields;
pub mod filter;
pub mod live;
pub mod output;
pub mod parallel;
pub mod param_slots;
pub mod params;
pub mod pipeline;
pub mod row;
pub mod scap;
pub mod schema;
pub mod sink;
pub mod source;
pub mod state;
pub mod ui;
pub mod window;
