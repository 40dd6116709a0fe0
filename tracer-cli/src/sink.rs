//! Where events go: text, a capture, a chisel, behind one trait.

use crate::state::containers::Container;
use crate::state::{Context, State};
use std::io;

/// Why an event is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unshown {
    /// It was recorded for the state only.
    StateOnly,
    /// The filter refused it.
    Refused,
    /// It passed the filter, but is internal or refused by the display filter.
    Hidden,
}

/// The end of the pipeline: sees every event that passed, together with the state, and changes neither.
pub trait Sink {
    /// Takes one event.
    ///
    /// # Errors
    /// Output that cannot be written; [`io::ErrorKind::BrokenPipe`] means that nobody reads it any more.
    fn event(&mut self, context: &Context<'_>) -> io::Result<()>;

    /// Takes an event that is not shown. Events of programs that are left out (`-U`) do not come here.
    ///
    /// # Errors
    /// As [`Sink::event`].
    #[inline]
    fn unshown(&mut self, _: &Context<'_>, _: Unshown) -> io::Result<()> {
        Ok(())
    }

    /// Whether [`Sink::begin`] is to be called before an event of time `ts` (ns since the epoch) is
    /// applied to the state.
    #[inline]
    fn wants_state(&self, _ts: u64) -> bool {
        false
    }

    /// Takes the state as it is before an event of time `ts`.
    ///
    /// # Errors
    /// As [`Sink::event`].
    fn begin(&mut self, _state: &State, _ts: u64) -> io::Result<()> {
        Ok(())
    }

    /// Somebody is asked about a container that an event is about; [`Sink::container`] follows soon,
    /// and [`Sink::answered`] in every case.
    fn asked(&mut self) {}

    /// Takes what was found out about a container, or about its users.
    fn container(&mut self, _container: &Container) {}

    /// There will be no better answer to one of the questions soon.
    fn answered(&mut self) {}

    /// What comes from here on is of another recording, with a state of its own.
    fn section(&mut self) {}

    /// Whether it wants no more events.
    #[inline]
    fn is_done(&self) -> bool {
        false
    }

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

/// A sink that somebody else keeps.
impl<S: Sink> Sink for &mut S {
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        (**self).event(context)
    }

    fn unshown(&mut self, context: &Context<'_>, why: Unshown) -> io::Result<()> {
        (**self).unshown(context, why)
    }

    fn wants_state(&self, ts: u64) -> bool {
        (**self).wants_state(ts)
    }

    fn begin(&mut self, state: &State, ts: u64) -> io::Result<()> {
        (**self).begin(state, ts)
    }

    fn section(&mut self) {
        (**self).section();
    }

    fn is_done(&self) -> bool {
        (**self).is_done()
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}
