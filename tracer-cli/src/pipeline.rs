//! The way of every event: source → inspector → filter → sink.
//!
//! The order of the steps is part of what users see. Every event gets a number and is applied to
//! the state, shown or not. What the filter refuses then does not exist for `-n` and `-S`; a display
//! filter (`-d`) comes after both. Internal events (notes of the probe or the recorder about a
//! process, not something it did) count for `-n` and `-S` and are not shown.

use crate::container::{Lookup, News};
use crate::event::{Event, EventBits};
use crate::fields::{ExtractOptions, FieldFlags};
use crate::filter::{EventSet, Filter, Gate};
use crate::output::report::Totals;
use crate::output::summary::Summary;
use crate::output::{Sink, Unshown};
use crate::schema::{Category, Class, EventType, TypeSet};
use crate::source::{LookUp, Next, Source, SourceError};
use crate::state::Context;
use crate::state::inspector::Inspector;
use crate::state::thread::Thread;
use crate::window::{Side, Window};
use bstr::BString;
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

/// The events that nobody looks at: they are applied to the state and counted, and nothing else.
#[derive(Default)]
struct Unseen {
    /// All of these types, whatever they say.
    types: TypeSet,
    /// Those that are not among these: generic ones are told apart by their system call.
    events: Option<EventSet>,
    /// Those of threads that it refuses.
    gate: Option<Gate>,
    /// These are counted while others are moved past.
    counted: TypeSet,
    /// At these the sink may look no longer than a glance.
    glanced: TypeSet,
    /// The sink has said that it does not want some types, and is told how many of them there are.
    is_told: bool,
    /// Types of which some are moved past.
    skimmed: TypeSet,
}

impl Unseen {
    /// Whether nobody looks at events like this, whatever thread they are of.
    #[inline]
    fn contains(&self, event: &Event<'_>) -> bool {
        self.types.contains(event.ty) || self.events.as_ref().is_some_and(|events| !events.contains(event))
    }

    /// Whether somebody may look at events of this thread.
    #[inline]
    fn admits(&self, thread: Option<&Thread>) -> bool {
        self.gate.as_ref().is_none_or(|gate| gate.admits(thread))
    }
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

    /// The events that nobody looks at.
    fn unseen(&self, sink: &dyn Sink) -> Unseen {
        let rules = &self.rules;
        // Whether an event is of a program that is left out takes a look at it.
        if !rules.suppressed.is_empty() {
            return Unseen::default();
        }
        let unwanted = sink.unwanted();
        let sees_refused = sink.sees_refused();
        let types = TypeSet::of(|ty| match &rules.filter {
            Some(filter) if !filter.event_types().contains_type(ty) => !sees_refused || unwanted.contains(ty),
            // How many pass is counted.
            Some(_) => false,
            None => self.summary.is_none() && unwanted.contains(ty),
        });
        let is_all_shown = rules.filter.is_none() && rules.display_filter.is_none() && self.summary.is_none();
        let counted = if is_all_shown { sink.counted() } else { TypeSet::default() };
        let refuses = rules.filter.as_ref().filter(|_| !sees_refused);
        let events = refuses.map(Filter::event_types).filter(|events| !events.is_all()).cloned();
        let gate = refuses.and_then(Filter::gate);
        let may_end = rules.window.is_some()
            || rules.max_time.is_some()
            || rules.max_events.is_some() && rules.filter.is_none();
        let is_generic = |ty| matches!(ty, EventType::GENERIC_E | EventType::GENERIC_X) && events.is_some();
        let glanced = if is_all_shown { sink.glanced() } else { TypeSet::default() };
        let is_unseen = |ty| gate.is_some() || is_generic(ty) || types.contains(ty);
        let is_taken = |ty| counted.contains(ty) || glanced.contains(ty);
        let skimmed = TypeSet::of(|ty| !may_end && (is_unseen(ty) || is_taken(ty)));
        Unseen { types, is_told: unwanted != TypeSet::default(), skimmed, events, gate, counted, glanced }
    }

    /// Moves past events that nobody looks at, up to one at which there is more to do; `number` counts them. What one
    /// of them says about its thread may make somebody look at it: then it is delivered.
    ///
    /// # Errors
    /// What the sink reports.
    fn skim(
        &mut self,
        unseen: &Unseen,
        source: &mut dyn Source,
        inspector: &mut Inspector,
        look_up: &mut LookUp,
        sink: &mut dyn Sink,
        number: &mut u64,
    ) -> io::Result<()> {
        let is_passed = self.rules.filter.is_none();
        let mut delivered = None;
        let quiet = sink.quiet();
        source.skim(&unseen.skimmed, &mut |event| {
            let is_special = (self.totals.events + 1).is_multiple_of(CLOCK_INTERVAL)
                || !event.bits.is_empty()
                || delivered.is_some()
                || inspector.state.containers.has_questions()
                || !quiet.contains(&event.ts);
            if is_special {
                return false;
            }
            let is_refused = unseen.contains(event);
            let mut key = None;
            if !is_refused {
                // The event before may have been the last of the thread.
                inspector.settle();
                key = inspector.state.find(event.tid);
                let thread = key.and_then(|key| inspector.state.thread(key));
                let is_glanced = unseen.glanced.contains(event.ty)
                    && inspector.is_passable(event)
                    && sink.glance(event, thread, inspector.state.lives());
                if !is_glanced && unseen.counted.contains(event.ty) {
                    let binding = inspector.apply(event, look_up.as_mut());
                    *number += 1;
                    self.totals.count(event);
                    self.totals.passed += 1;
                    let event = Event { num: *number, ..*event };
                    sink.count(&Context { event: &event, state: &inspector.state, binding: &binding });
                    return true;
                }
                if !is_glanced && unseen.admits(thread) {
                    return false;
                }
            }
            *number += 1;
            if !inspector.pass_by(event, key) {
                let unseen = (!is_refused).then_some(unseen);
                delivered = self.apply_refused(event, *number, unseen, inspector, look_up, sink);
            }
            self.totals.count(event);
            if unseen.is_told && unseen.types.contains(event.ty) {
                sink.pass_over(event);
            }
            // Without a filter nothing is moved past but what passes.
            self.totals.passed += u64::from(is_passed);
            true
        });
        delivered.unwrap_or(Ok(()))
    }

    /// Applies an event that nobody looks at. With `unseen` that is so only as long as its thread stays the same: otherwise
    /// it is delivered, and what came of that is returned.
    #[inline(never)]
    fn apply_refused(
        &mut self,
        event: &Event<'_>,
        num: u64,
        unseen: Option<&Unseen>,
        inspector: &mut Inspector,
        look_up: &mut LookUp,
        sink: &mut dyn Sink,
    ) -> Option<io::Result<()>> {
        let binding = inspector.apply(event, look_up.as_mut());
        if !unseen?.admits(binding.thread.and_then(|key| inspector.state.thread(key))) {
            return None;
        }
        let event = Event { num, ..*event };
        let context = Context { event: &event, state: &inspector.state, binding: &binding };
        Some(self.deliver(&context, sink))
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
        let unseen = self.unseen(sink);
        let skims = unseen.skimmed != TypeSet::default();
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
        while self.rules.max_events.is_none_or(|max| self.totals.passed < max) {
            if !stopping && stop.load(Ordering::Relaxed) {
                source.stop();
                stopping = true;
            }
            self.hear(inspector, sink);
            if skims {
                self.skim(&unseen, source, inspector, &mut look_up, sink, &mut number)?;
                if sink.is_done() || self.rules.max_events.is_some_and(|max| self.totals.passed >= max) {
                    break;
                }
                if inspector.state.containers.has_questions() {
                    self.ask(inspector, sink, self.container_wait);
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
            if !unseen.types.contains(event.ty) || !sink.quiet().contains(&ts) {
                let context = Context { event, state: &inspector.state, binding: &binding };
                self.deliver(&context, sink)?;
                if sink.is_done() {
                    break;
                }
            } else {
                sink.pass_over(event);
                if self.rules.filter.is_none() && !event.bits.contains(EventBits::STATE_ONLY) {
                    self.totals.passed += 1;
                }
            }
            // In a flood of events that do not pass there is no pause, and yet somebody waits for
            // those that did.
            if self.totals.events.is_multiple_of(CLOCK_INTERVAL) && flushed.elapsed() >= MAX_DELAY {
                sink.flush()?;
                flushed = Instant::now();
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

#[cfg(test)]
mod tests;
