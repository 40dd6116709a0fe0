//! The way of every event: source → inspector → filter → sink.
//!
//! The order of the steps is part of what users see. Every event gets a number and is applied to
//! the state, shown or not. What the filter refuses then does not exist for `-n` and `-S`; a display
//! filter (`-d`) comes after both. Internal events (notes of the probe or the recorder about a
//! process, not something it did) count for `-n` and `-S` and are not shown.

use crate::container::{Lookup, News};
use crate::event::EventBits;
use crate::fields::ExtractOptions;
use crate::filter::Filter;
use crate::output::report::Totals;
use crate::output::summary::Summary;
use crate::output::{Sink, Unshown};
use crate::schema::{Category, Class, TypeSet};
use crate::source::{Next, Source, SourceError};
use crate::state::Context;
use crate::state::inspector::Inspector;
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

    /// The types of events that are applied to the state and counted and nothing else, whatever they say.
    fn unseen(&self, sink: &dyn Sink) -> TypeSet {
        // Whether an event is of a program that is left out takes a look at it.
        if !self.rules.suppressed.is_empty() {
            return TypeSet::default();
        }
        let unwanted = sink.unwanted();
        let sees_refused = sink.sees_refused();
        TypeSet::of(|ty| match &self.rules.filter {
            Some(filter) if !filter.event_types().contains_type(ty) => !sees_refused || unwanted.contains(ty),
            // How many pass is counted.
            Some(_) => false,
            None => self.summary.is_none() && unwanted.contains(ty),
        })
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
        let unseen = self.unseen(sink);
        source.leave_unread(inspector.unread(unseen));
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
            self.totals.events += 1;
            if !event.bits.contains(EventBits::STATE_ONLY) {
                if self.totals.first_ts == 0 {
                    self.totals.first_ts = ts;
                }
                self.totals.last_ts = ts;
            }

            if sink.wants_state(ts) {
                inspector.settle();
                sink.begin(&inspector.state, ts)?;
            }
            let binding = inspector.apply(event, look_up.as_mut());
            if inspector.state.containers.has_questions() {
                self.ask(inspector, sink, self.container_wait);
            }
            if !unseen.contains(event.ty) {
                let context = Context { event, state: &inspector.state, binding: &binding };
                match self.judge(context) {
                    Verdict::Show => sink.event(&context)?,
                    Verdict::Hide(why) => sink.unshown(&context, why)?,
                    Verdict::Drop => {}
                }
                if sink.is_done() {
                    break;
                }
            } else if self.rules.filter.is_none() && !event.bits.contains(EventBits::STATE_ONLY) {
                self.totals.passed += 1;
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
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::schema::EventType;
    use crate::source::{LookUp, SourceCounts};
    use crate::state::State;

    const SECOND: u64 = 1_000_000_000;
    const READ: EventType = EventType::SYSCALL_READ_X;
    const OPEN: EventType = EventType::SYSCALL_OPEN_X;
    const INTERNAL: EventType = EventType::PROCINFO_E;

    /// One answer of a [`ScriptedSource`].
    enum Say {
        Event(EventType, EventBits),
        Idle,
        Fail,
    }

    /// Says what it was told to say, a second after each other, then the end.
    #[derive(Default)]
    struct ScriptedSource {
        script: std::collections::VecDeque<Say>,
        ts: u64,
        /// What is left when it is told to stop.
        left_at_stop: Option<usize>,
    }

    impl ScriptedSource {
        fn new(script: impl IntoIterator<Item = Say>) -> Self {
            Self { script: script.into_iter().collect(), ..Self::default() }
        }

        fn of(types: &[EventType]) -> Self {
            Self::new(types.iter().map(|ty| Say::Event(*ty, EventBits::empty())))
        }
    }

    impl Source for ScriptedSource {
        fn load_state(&mut self, _: &mut State) -> Result<(), SourceError> {
            Ok(())
        }

        fn next(&mut self) -> Result<Next<'_>, SourceError> {
            self.ts += SECOND;
            Ok(match self.script.pop_front() {
                Some(Say::Event(ty, bits)) => Next::Event(Event {
                    num: 0,
                    ts: self.ts,
                    tid: 7,
                    pid: 7,
                    cpu: 0,
                    ty,
                    bits,
                    unreadable: 0,
                    params: &[],
                }),
                Some(Say::Idle) => Next::Idle,
                Some(Say::Fail) => return Err(SourceError::Failed("broken".to_owned())),
                None => Next::End,
            })
        }

        fn stop(&mut self) {
            self.left_at_stop.get_or_insert(self.script.len());
        }

        fn counts(&mut self) -> SourceCounts {
            SourceCounts::default()
        }

        fn look_up(&self) -> LookUp {
            Box::new(|_| None)
        }
    }

    /// Remembers the numbers of the events it got.
    #[derive(Default)]
    struct Seen {
        numbers: Vec<u64>,
        unwanted: TypeSet,
        flushes: u32,
        finishes: u32,
        fails_with: Option<io::ErrorKind>,
    }

    impl Sink for Seen {
        fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
            self.numbers.push(context.event.num);
            self.fails_with.map_or(Ok(()), |kind| Err(kind.into()))
        }

        fn unwanted(&self) -> TypeSet {
            self.unwanted
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushes += 1;
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            self.finishes += 1;
            Ok(())
        }
    }

    fn run(
        pipeline: &mut Pipeline,
        source: &mut ScriptedSource,
        seen: &mut Seen,
    ) -> Result<(), PipelineError> {
        pipeline.run(source, &mut Inspector::default(), seen, &AtomicBool::new(false))
    }

    fn filter(text: &str) -> Option<Filter> {
        match Filter::compile(text) {
            Ok(filter) => Some(filter),
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn early_events_are_no_part_of_the_stream() {
        let early = Say::Event(READ, EventBits::EARLY);
        let plain = Say::Event(READ, EventBits::empty());
        let mut source = ScriptedSource::new([early, plain]);
        let mut pipeline = Pipeline::new(Rules::default());
        let mut seen = Seen::default();
        run(&mut pipeline, &mut source, &mut seen).unwrap();
        assert_eq!(seen.numbers, [1]);
        assert_eq!((pipeline.totals().events, pipeline.totals().passed), (1, 1));
    }

    #[test]
    fn every_event_has_a_number_shown_or_not() {
        let state_only = Say::Event(READ, EventBits::STATE_ONLY);
        let plain = |ty| Say::Event(ty, EventBits::empty());
        let script = [plain(INTERNAL), plain(READ), plain(OPEN), state_only, Say::Idle, plain(READ)];
        let mut source = ScriptedSource::new(script);
        let mut pipeline = Pipeline::new(Rules { filter: filter("evt.type=read"), ..Rules::default() });
        let mut seen = Seen::default();
        run(&mut pipeline, &mut source, &mut seen).unwrap();
        assert_eq!(seen.numbers, [2, 5]);
        assert_eq!((seen.flushes, seen.finishes), (1, 1));
        assert_eq!((pipeline.totals().events, pipeline.totals().passed), (5, 2));
    }

    #[test]
    fn events_that_the_sink_does_not_want_count_all_the_same() {
        let types = [READ, OPEN, READ, INTERNAL, READ];
        for (text, numbers, passed) in
            [(None, &[2][..], 5), (Some("evt.type in (open, read)"), &[1, 2, 3, 5], 4)]
        {
            let rules = Rules { filter: text.and_then(filter), ..Rules::default() };
            let mut pipeline = Pipeline::new(rules);
            let unwanted = TypeSet::of(|ty| ty == READ || ty == INTERNAL);
            let mut seen = Seen { unwanted, ..Seen::default() };
            run(&mut pipeline, &mut ScriptedSource::of(&types), &mut seen).unwrap();
            let totals = pipeline.totals();
            assert_eq!((seen.numbers.as_slice(), totals.passed), (numbers, passed), "{text:?}");
            assert_eq!((totals.first_ts, totals.last_ts), (SECOND, 5 * SECOND));
        }
    }

    #[test]
    fn internal_events_are_shown_on_demand_and_count_always() {
        let types = [INTERNAL, INTERNAL, READ, READ];
        for (show_internal, expected) in [(false, &[3][..]), (true, &[1, 2, 3])] {
            let rules = Rules { show_internal, max_events: Some(3), ..Rules::default() };
            let mut pipeline = Pipeline::new(rules);
            let mut seen = Seen::default();
            run(&mut pipeline, &mut ScriptedSource::of(&types), &mut seen).unwrap();
            assert_eq!(seen.numbers, expected);
        }
    }

    #[test]
    fn the_limit_counts_what_the_filter_lets_through_and_a_display_filter_comes_later() {
        let types = [OPEN, READ, OPEN, READ, READ];
        let mut seen = Seen::default();
        let rules = Rules { filter: filter("evt.type=read"), max_events: Some(2), ..Rules::default() };
        let mut pipeline = Pipeline::new(rules);
        run(&mut pipeline, &mut ScriptedSource::of(&types), &mut seen).unwrap();
        assert_eq!(seen.numbers, [2, 4]);

        let mut seen = Seen::default();
        let mut pipeline = Pipeline::new(Rules {
            display_filter: filter("evt.type=read"),
            max_events: Some(2),
            summary: true,
            ..Rules::default()
        });
        run(&mut pipeline, &mut ScriptedSource::of(&types), &mut seen).unwrap();
        assert_eq!(seen.numbers, [2]);
        let mut table = Vec::new();
        pipeline.summary().unwrap().write(&mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        assert!(table.contains("< open            1\n< read            1\n"), "{table}");
    }

    #[test]
    fn time_is_that_of_the_events() {
        let mut seen = Seen::default();
        let mut pipeline =
            Pipeline::new(Rules { max_time: Some(Duration::from_secs(2)), ..Rules::default() });
        let mut source = ScriptedSource::of(&[READ; 5]);
        run(&mut pipeline, &mut source, &mut seen).unwrap();
        assert_eq!(seen.numbers, [1, 2]);
        assert_eq!(source.left_at_stop, Some(2));
    }

    #[test]
    fn after_a_stop_what_the_source_holds_is_still_delivered() {
        let mut seen = Seen::default();
        let mut source = ScriptedSource::of(&[READ; 4]);
        let stop = AtomicBool::new(true);
        Pipeline::new(Rules::default())
            .run(&mut source, &mut Inspector::default(), &mut seen, &stop)
            .unwrap();
        assert_eq!(source.left_at_stop, Some(4));
        assert_eq!(seen.numbers, [1, 2, 3, 4]);
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
        let mut seen = Seen { fails_with: Some(io::ErrorKind::BrokenPipe), ..Seen::default() };
        run(&mut Pipeline::new(Rules::default()), &mut ScriptedSource::of(&[READ; 3]), &mut seen).unwrap();
        assert_eq!(seen.numbers, [1]);
        let mut seen = Seen { fails_with: Some(io::ErrorKind::StorageFull), ..Seen::default() };
        let error = run(&mut Pipeline::new(Rules::default()), &mut ScriptedSource::of(&[READ; 3]), &mut seen);
        assert!(error.unwrap_err().to_string().starts_with("cannot write the output: "));
    }

    #[test]
    fn what_came_before_a_failure_is_shown() {
        let script = [Say::Event(READ, EventBits::empty()), Say::Fail];
        let mut seen = Seen::default();
        let error = run(&mut Pipeline::new(Rules::default()), &mut ScriptedSource::new(script), &mut seen);
        assert_eq!(error.unwrap_err().to_string(), "broken");
        assert_eq!((seen.numbers.len(), seen.finishes), (1, 1));
    }
}
