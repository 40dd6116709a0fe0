//! What becomes of the events that are to be shown: text lines, JSON, a table of counts.

pub mod json;
pub mod report;
pub mod summary;
pub mod template;
pub mod text;

use crate::state::Context;
use std::io;

/// The end of the pipeline: sees every event that passed, together with the state, and changes neither.
pub trait Sink {
    /// Takes one event.
    ///
    /// # Errors
    /// Output that cannot be written; [`io::ErrorKind::BrokenPipe`] means that nobody reads it any more.
    fn event(&mut self, context: &Context<'_>) -> io::Result<()>;

    /// Hands on what is buffered: there is a pause, or somebody wants to see it now.
    ///
    /// # Errors
    /// As [`Sink::event`].
    fn flush(&mut self) -> io::Result<()>;

    /// Completes and flushes the output; called once, after the last event.
    ///
    /// # Errors
    /// As [`Sink::event`].
    fn finish(&mut self) -> io::Result<()>;
}

/// Shows nothing (`-q`).
pub struct Silent;

impl Sink for Silent {
    fn event(&mut self, _: &Context<'_>) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
