//! The way of every event: source → inspector → filter → sink.
//!
//! The order of the steps is part of what users see. Every event gets a number and is applied to
//! the state, shown or not. What the filter refuses then does not exist for `-n` and `-S`; a display
//! filter (`-d`) comes after both. Internal events (notes of the probe or the recorder about a
//! process, not something it did) count for `-n` and `-S` and are not shown.

use crate::container::{Lookup, News};
use crate::event::EventBits;
use crate::fields::{ExtractOptions, FieldFlags};
use crate::filter::Filter;
use crate::output::report::Totals;
use crate::output::summary::Summary;
use crate::output::{Sink, Unshown};
use crate::schema::{Category, Class};
use crate::source::{Next, Source, SourceError};
use crate::state::Context;
use crate::state::inspector::Inspector;
use crate::window::{Side, Window};
use bstr::BString;
use skim::{Memory, Unseen};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest time for which an event stays unseen while others arrive.
const MAX_DELAY: Duration = Duration::from_millis(100);
/// How often threads whose end was missed are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Longest time for which the first event waits for the names of containers that run already, and the
/// end for those that were met last.
const STARTED_BEFORE: Duration = Duration::from_millis(250);
/// Events between looks at the clock.
const CLOCK_INTERVAL: u64 = 256;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// Which events reach the sink, and when the run ends.
#[derive(Clone, Default)]
pub struct Rules {
    /// Events that it refuses only change the state.
    pub filter: Option<Filter>,
    /// Events that it refuses are counted but not shown.
    pub display_filter: Option<Filter>,
    /// Internal events are shown too (`-D`).
    pub show_internal: bool,
    /// Stop after so many events that passed the filter.
    pub max_events: Option<u64>,
    /// Stop at events so much later than the first, or when so much time has passed without events.
    pub max_time: Option<Duration>,
    /// Only this part of a recording is looked at; what comes before changes the state.
    pub window: Option<Window>,
    /// Names of programs whose events are left out.
    pub suppressed: Vec<BString>,
    /// Count by type what passed the filter.
    pub summary: bool,
}

impl Rules {
    /// Whether a filter looks at a field with this mark.
    fn reads(&self, mark: FieldFlags) -> bool {
        let filters = [&self.filter, &self.display_filter].into_iter().flatten();
        filters.flat_map(Filter::fields).any(|field| field.flags.contains(mark))
    }
}

/// What happens to events between the source and the sink.
pub struct Pipeline {
    rules: Rules,
    summary: Option<Summary>,
    totals: Totals,
    filter_options: ExtractOptions,
    containers: Option<Lookup>,
    container_wait: Duration,
}

/// What the steps before the sink decided about an event.
enum Verdict {
    /// It is of a program that is left out.
    Drop,
    /// It is not shown, for this reason.
    Hide(Unshown),
    Show,
}

impl Pipeline {
    pub fn new(rules: Rules) -> Self {
        let summary = rules.summary.then(Summary::default);
        Self {
            rules,
            summary,
            totals: Totals::default(),
            filter_options: ExtractOptions::default(),
            containers: None,
            container_wait: Duration::ZERO,
        }
    }

    /// Has `lookup` asked about containers that are met. Events go on meanwhile; those of a container
    /// of which nothing is known yet wait so long for an answer, and with them all others.
    pub fn ask_about_containers(&mut self, lookup: Lookup, wait: Duration) {
        self.containers = Some(lookup);
        self.container_wait = wait;
    }

    /// Moves events until the source ends, a limit is reached or `stop` becomes true; then what the
    /// source already holds is still delivered. The sink is finished in every case.
    ///
    /// # Errors
    /// A source that fails and output that cannot be written. Output that nobody reads any more
    /// ends the run like any other end.
    pub fn run(
        &mut self,
        source: &mut dyn Source,
        inspector: &mut Inspector,
        sink: &mut dyn Sink,
        stop: &AtomicBool,
    ) -> Result<(), PipelineError> {
        let begin = Instant::now();
        let result = self.move_events(source, inspector, sink, stop);
        source.stop();
        self.totals.elapsed = begin.elapsed();
        // Whatever ended the run: what came before is shown, and what was recorded is completed.
        let finished = sink.finish();
        match result.and(finished.map_err(PipelineError::from)) {
            Err(PipelineError::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Figures of the run so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The counts by type, when they were asked for.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Hands an event to the sink as far as it is to be shown.
    #[inline]
    fn deliver(&mut self, context: &Context<'_>, sink: &mut dyn Sink) -> io::Result<()> {
        match self.judge(*context) {
            Verdict::Show => sink.event(context),
            Verdict::Hide(why) => sink.unshown(context, why),
            Verdict::Drop => Ok(()),
        }
    }

    fn move_events(
        &mut self,
        source: &mut dyn Source,
        inspector: &mut Inspector,
        sink: &mut dyn Sink,
        stop: &AtomicBool,
    ) -> Result<(), PipelineError> {
        let begin = Instant::now();
        let mut flushed = begin;
        if !sink.sees_usage() && !self.rules.reads(FieldFlags::USAGE) {
            inspector.overlook_usage();
        }
        let unseen = Unseen::of(self, inspector, sink);
        let mut memory = Memory::default();
        let mut look_at = CLOCK_INTERVAL;
        let mut first_ts = None;
        // Events of this recording so far.
        let mut number = 0;
        let mut stopping = false;
        let mut look_up = source.look_up();
        let mut swept = begin;
        let mut last_ts = 0;
        if self.containers.is_some() {
            self.ask(inspector, sink, STARTED_BEFORE);
        }
        while !self.has_enough() {
            if !stopping && stop.load(Ordering::Relaxed) {
                source.stop();
                stopping = true;
            }
            self.hear(inspector, sink);
            // In a flood of events that do not pass there is no pause, and yet somebody waits for
            // those that did.
            if self.totals.events >= look_at {
                look_at = self.totals.events + CLOCK_INTERVAL;
                if flushed.elapsed() >= MAX_DELAY {
                    sink.flush()?;
                    flushed = Instant::now();
                }
            }
            if unseen.is_any() {
                self.skim(&unseen, &mut memory, source, inspector, &mut look_up, sink, &mut number)?;
                if sink.is_done() || self.has_enough() {
                    break;
                }
            }
            // An event stays where the source put it: to move it would take longer than to read it.
            let mut next = source.next();
            let Ok(Next::Event(event)) = &mut next else {
                match next? {
                    Next::Idle => {
                        // A file is there from the start, not from the first event.
                        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
                            as u64;
                        if self.totals.events == 0 && sink.wants_state(now) {
                            inspector.settle();
                            sink.begin(&inspector.state, now)?;
                        }
                        sink.flush()?;
                        if swept.elapsed() >= SWEEP_INTERVAL {
                            inspector.sweep(last_ts, &mut |tid| source.is_alive(tid));
                            swept = Instant::now();
                        }
                        if self.rules.max_time.is_some_and(|max| begin.elapsed() >= max) {
                            break;
                        }
                    }
                    next @ (Next::Section | Next::Recording) => {
                        if matches!(next, Next::Recording) {
                            inspector.begin_recording();
                            number = 0;
                        } else {
                            inspector.begin_section();
                        }
                        inspector.load(source)?;
                        sink.section();
                    }
                    Next::Amendment(amendment) => inspector.amend_next(amendment),
                    Next::Resume => number = source.resume(inspector)?,
                    Next::Joined => {
                        number = source.resume(inspector)?;
                        sink.joined();
                    }
                    Next::End => break,
                    // Taken above.
                    Next::Event(_) => {}
                }
                continue;
            };
            if event.bits.contains(EventBits::EARLY) {
                inspector.apply(event, look_up.as_mut());
                continue;
            }
            let ts = event.ts;
            last_ts = ts;
            number += 1;
            event.num = number;
            if let Some(window) = &self.rules.window {
                let start = inspector.clock().first_ts.unwrap_or(ts);
                let ts = (event.info().class != Class::Meta).then_some(ts);
                match window.side(number, ts, start) {
                    Side::Before => {
                        inspector.apply(event, look_up.as_mut());
                        continue;
                    }
                    Side::Within => {}
                    Side::After => break,
                }
            }
            if let Some(max) = self.rules.max_time
                && Duration::from_nanos(ts.saturating_sub(*first_ts.get_or_insert(ts))) >= max
            {
                break;
            }
            self.totals.count(event);
            if sink.wants_state(ts) {
                inspector.settle();
                sink.begin(&inspector.state, ts)?;
            }
            let binding = inspector.apply(event, look_up.as_mut());
            if inspector.state.containers.has_questions() {
                self.ask(inspector, sink, self.container_wait);
            }
            if !unseen.has(event.ty) || !sink.quiet().contains(&ts) {
                let context = Context { event, state: &inspector.state, binding: &binding };
                self.deliver(&context, sink)?;
                if sink.is_done() {
                    break;
                }
            } else if self.rules.filter.is_none() && !event.bits.contains(EventBits::STATE_ONLY) {
                self.totals.passed += 1;
            }
        }
        if let Some(lookup) = &mut self.containers {
            lookup.wait(STARTED_BEFORE);
            self.hear(inspector, sink);
        }
        // A run without events has a state all the same.
        if self.totals.events == 0 && sink.wants_state(last_ts) {
            sink.begin(&inspector.state, last_ts)?;
        }
        Ok(())
    }

    /// Whether as many events have passed as were asked for.
    #[inline]
    fn has_enough(&self) -> bool {
        self.rules.max_events.is_some_and(|max| self.totals.passed >= max)
    }

    /// Hands on the questions about containers that were met, and waits so long for the answers.
    #[cold]
    fn ask(&mut self, inspector: &mut Inspector, sink: &mut dyn Sink, wait: Duration) {
        let Some(lookup) = &mut self.containers else { return };
        for question in inspector.state.containers.take_questions() {
            lookup.ask(question);
            sink.asked();
        }
        if !wait.is_zero() {
            lookup.wait(wait);
            self.hear(inspector, sink);
        }
    }

    /// Takes over what has been found out about containers.
    #[inline]
    fn hear(&mut self, inspector: &mut Inspector, sink: &mut dyn Sink) {
        let Some(lookup) = &mut self.containers else { return };
        if lookup.has_news() {
            apply_news(lookup.take(), inspector, sink);
        }
    }

    #[inline]
    fn judge(&mut self, context: Context<'_>) -> Verdict {
        let event = context.event;
        if !self.rules.suppressed.is_empty() && self.is_suppressed(&context) {
            self.totals.suppressed += 1;
            return Verdict::Drop;
        }
        if event.bits.contains(EventBits::STATE_ONLY) {
            return Verdict::Hide(Unshown::StateOnly);
        }
        if !passes(&mut self.rules.filter, context, &self.filter_options) {
            return Verdict::Hide(Unshown::Refused);
        }
        self.totals.passed += 1;
        if let Some(summary) = &mut self.summary {
            summary.count(event);
        }
        let is_hidden = !self.rules.show_internal && event.info().category == Category::Internal;
        if is_hidden || !passes(&mut self.rules.display_filter, context, &self.filter_options) {
            return Verdict::Hide(Unshown::Hidden);
        }
        Verdict::Show
    }

    fn is_suppressed(&self, context: &Context<'_>) -> bool {
        context.thread().is_some_and(|thread| self.rules.suppressed.contains(&thread.comm))
    }
}

#[cold]
fn apply_news(news: Vec<News>, inspector: &mut Inspector, sink: &mut dyn Sink) {
    let keeps_users = inspector.keeps_users();
    let containers = &mut inspector.state.containers;
    for news in news {
        let id = match news {
            News::Known(container) => {
                let id = container.id.clone();
                containers.learn(*container);
                id
            }
            News::Users(..) if !keeps_users => continue,
            News::Users(id, users) => {
                containers.set_users(&id, users);
                id
            }
            News::Answered(id, is_known) => {
                if !is_known {
                    containers.give_up(&id);
                }
                sink.answered();
                continue;
            }
        };
        if let Some(container) = containers.by_id(&id) {
            sink.container(container);
        }
    }
}

#[inline]
fn passes(filter: &mut Option<Filter>, context: Context<'_>, options: &ExtractOptions) -> bool {
    filter.as_mut().is_none_or(|filter| filter.matches(context, options))
}

mod skim;
#[cfg(test)]
mod tests;
