//! Where events go: text, a capture, a chisel, behind one trait.

use crate::event::Event;
use crate::row::Framed;
use crate::schema::TypeSet;
use crate::state::containers::Container;
use crate::state::fd_table::FdTable;
use crate::state::inspector::Inspector;
use crate::state::thread::Thread;
use crate::state::{Context, State};
use std::io;
use std::ops::Range;

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

/// An event that has not been applied to the state.
pub struct Glimpse<'a> {
    pub event: &'a Event<'a>,
    /// Its thread as it was before, if it is known.
    pub thread: Option<&'a Thread>,
    inspector: &'a Inspector,
    /// The event with which the thread began its last call, if it has not been noted yet.
    begin: Option<Event<'a>>,
}

impl<'a> Glimpse<'a> {
    pub(crate) fn new(
        event: &'a Event<'a>,
        thread: Option<&'a Thread>,
        inspector: &'a Inspector,
        begin: Option<Event<'a>>,
    ) -> Self {
        Self { event, thread, inspector, begin }
    }

    /// [`State::lives`].
    #[inline]
    pub fn lives(&self) -> u64 {
        self.inspector.state.lives()
    }

    /// The fds of its process and the number of the one that it is going to be about, if there is one.
    #[inline]
    pub fn fd(&self) -> Option<(&'a FdTable, i64)> {
        let thread = self.thread?;
        let fd = self.inspector.fd_of_next(self.event, self.begin.as_ref(), thread)?;
        Some((&self.inspector.state.process_of(thread).fds, fd))
    }
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

    /// Whether [`Sink::unshown`] does anything with events that the filter refused.
    fn sees_refused(&self) -> bool {
        true
    }

    /// Types of events with which it does nothing, shown or not, while it is [quiet](Sink::quiet). Asked once, before the
    /// first event.
    fn unwanted(&self) -> TypeSet {
        TypeSet::default()
    }

    /// Times, ns since the epoch, outside of which it does something at any event, whatever that is. They change with
    /// [`Sink::event`] and [`Sink::unshown`] only.
    #[inline]
    fn quiet(&self) -> Range<u64> {
        0..u64::MAX
    }

    /// Types of events that it counts, and does nothing else with: none of them makes it fail or ends the run. Asked once,
    /// before the first event.
    fn counted(&self) -> TypeSet {
        TypeSet::default()
    }

    /// Takes an event of one of those types, shown or internal, in place of [`Sink::event`] and [`Sink::unshown`] where
    /// there is neither a filter nor anything else to be done.
    #[inline]
    fn count(&mut self, _: &Context<'_>) {}

    /// Types among the [counted](Sink::counted) ones of which it counts what their thread is known to use of CPUs and
    /// memory once they were applied, and nothing else. Asked once, before the first event.
    fn counted_by_use(&self) -> TypeSet {
        TypeSet::default()
    }

    /// Takes an event of one of those types and its thread in place of [`Sink::count`], `lives` being what
    /// [`State::lives`] says; one of no known thread is left out. Of the event only the kind may be looked at. `false`:
    /// nothing happened, and it is to be counted as others are.
    #[inline]
    fn count_use(&mut self, _: &Event<'_>, _: &Thread, _lives: u64) -> bool {
        false
    }

    /// Types among the [counted](Sink::counted) ones, ends of system calls, of which it counts how long the call took,
    /// and nothing else. Asked once, before the first event.
    fn counted_by_latency(&self) -> TypeSet {
        TypeSet::default()
    }

    /// Takes the latency of an event of one of those types, ns, in place of [`Sink::count`].
    #[inline]
    fn count_latency(&mut self, _: u64) {}

    /// Whether it looks at what threads use of CPUs and memory.
    fn sees_usage(&self) -> bool {
        true
    }

    /// Whether [`Sink::pass_over`] does anything. Asked once, before the first event.
    fn hears_of_unwanted(&self) -> bool {
        false
    }

    /// Notes that there were these events of a capture: all that come neither to [`Sink::event`] nor to
    /// [`Sink::unshown`] because they are unwanted, counted or glanced at.
    #[inline]
    fn pass_over(&mut self, _: &[Framed]) {}

    /// Types of which [`Sink::glance`] may say that there is no more to see. Those that change what is known of a thread
    /// or more than that are not offered to it. Asked once, before the first event.
    fn glanced(&self) -> TypeSet {
        TypeSet::default()
    }

    /// Takes an event of one of those types, which stands there as it was recorded. `false`: nothing happened, and it goes
    /// the whole way.
    fn glance(&mut self, _: &Glimpse<'_>) -> bool {
        false
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

    /// Events of another recording come from here on between those of the ones before; the state that comes
    /// with each event is that of its recording.
    fn joined(&mut self) {}

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
impl<S: Sink + ?Sized> Sink for &mut S {
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        (**self).event(context)
    }

    fn unshown(&mut self, context: &Context<'_>, why: Unshown) -> io::Result<()> {
        (**self).unshown(context, why)
    }

    fn sees_refused(&self) -> bool {
        (**self).sees_refused()
    }

    fn unwanted(&self) -> TypeSet {
        (**self).unwanted()
    }

    fn quiet(&self) -> Range<u64> {
        (**self).quiet()
    }

    fn counted(&self) -> TypeSet {
        (**self).counted()
    }

    fn count(&mut self, context: &Context<'_>) {
        (**self).count(context);
    }

    fn counted_by_use(&self) -> TypeSet {
        (**self).counted_by_use()
    }

    fn count_use(&mut self, event: &Event<'_>, thread: &Thread, lives: u64) -> bool {
        (**self).count_use(event, thread, lives)
    }

    fn counted_by_latency(&self) -> TypeSet {
        (**self).counted_by_latency()
    }

    fn count_latency(&mut self, ns: u64) {
        (**self).count_latency(ns);
    }

    fn sees_usage(&self) -> bool {
        (**self).sees_usage()
    }

    fn hears_of_unwanted(&self) -> bool {
        (**self).hears_of_unwanted()
    }

    fn pass_over(&mut self, events: &[Framed]) {
        (**self).pass_over(events);
    }

    fn glanced(&self) -> TypeSet {
        (**self).glanced()
    }

    fn glance(&mut self, glimpse: &Glimpse<'_>) -> bool {
        (**self).glance(glimpse)
    }

    fn wants_state(&self, ts: u64) -> bool {
        (**self).wants_state(ts)
    }

    fn begin(&mut self, state: &State, ts: u64) -> io::Result<()> {
        (**self).begin(state, ts)
    }

    fn asked(&mut self) {
        (**self).asked();
    }

    fn container(&mut self, container: &Container) {
        (**self).container(container);
    }

    fn answered(&mut self) {
        (**self).answered();
    }

    fn section(&mut self) {
        (**self).section();
    }

    fn joined(&mut self) {
        (**self).joined();
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

/// Two sinks that take the same events (`--tee`).
pub struct Tee<A, B>(pub A, pub B);

impl<A: Sink, B: Sink> Sink for Tee<A, B> {
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        self.0.event(context)?;
        self.1.event(context)
    }

    fn unshown(&mut self, context: &Context<'_>, why: Unshown) -> io::Result<()> {
        self.0.unshown(context, why)?;
        self.1.unshown(context, why)
    }

    fn sees_refused(&self) -> bool {
        self.0.sees_refused() || self.1.sees_refused()
    }

    fn sees_usage(&self) -> bool {
        self.0.sees_usage() || self.1.sees_usage()
    }

    fn wants_state(&self, ts: u64) -> bool {
        self.0.wants_state(ts) || self.1.wants_state(ts)
    }

    fn begin(&mut self, state: &State, ts: u64) -> io::Result<()> {
        if self.0.wants_state(ts) {
            self.0.begin(state, ts)?;
        }
        if self.1.wants_state(ts) { self.1.begin(state, ts) } else { Ok(()) }
    }

    fn asked(&mut self) {
        self.0.asked();
        self.1.asked();
    }

    fn container(&mut self, container: &Container) {
        self.0.container(container);
        self.1.container(container);
    }

    fn answered(&mut self) {
        self.0.answered();
        self.1.answered();
    }

    fn section(&mut self) {
        self.0.section();
        self.1.section();
    }

    fn joined(&mut self) {
        self.0.joined();
        self.1.joined();
    }

    fn is_done(&self) -> bool {
        self.0.is_done() && self.1.is_done()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.1.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        // Each is to complete what it has, whatever becomes of the other.
        let first = self.0.finish();
        self.1.finish().and(first)
    }
}
