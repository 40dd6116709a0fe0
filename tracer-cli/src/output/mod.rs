//! What becomes of the events that are to be shown: text lines, JSON, a table of counts.

pub mod json;
pub mod report;
pub mod summary;
pub mod template;
pub mod text;

pub use crate::sink::{Sink, Unshown};

use crate::state::Context;
use std::io;

/// Shows nothing (`-q`).
pub struct Silent;

impl Sink for Silent {
    fn event(&mut self, _: &Context<'_>) -> io::Result<()> {
        Ok(())
    }

    fn sees_refused(&self) -> bool {
        false
    }

    fn sees_usage(&self) -> bool {
        false
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
