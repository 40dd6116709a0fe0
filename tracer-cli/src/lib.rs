//! What is my system doing? System call tracing for Linux, live or from a recording.

pub mod schema;
