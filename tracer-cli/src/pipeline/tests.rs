//! What happens to events on their way, with sources and sinks made for it.

use super::*;
use crate::event::Event;
use crate::schema::EventType;
use crate::schema::TypeSet;
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
                params: crate::params::Params::NONE,
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

fn run(pipeline: &mut Pipeline, source: &mut ScriptedSource, seen: &mut Seen) -> Result<(), PipelineError> {
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
    for (text, numbers, passed) in [(None, &[2][..], 5), (Some("evt.type in (open, read)"), &[1, 2, 3, 5], 4)]
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
    let mut pipeline = Pipeline::new(Rules { max_time: Some(Duration::from_secs(2)), ..Rules::default() });
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
    Pipeline::new(Rules::default()).run(&mut source, &mut Inspector::default(), &mut seen, &stop).unwrap();
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
