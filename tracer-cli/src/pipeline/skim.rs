//! Moving past the events of a capture that nobody looks at.
//!
//! Most of them leave behind no more than a note that their thread began or ended a call, and the next call of the
//! thread takes its place. So that is put off: it is remembered which events of the row have not been noted yet, a
//! few for each thread, and they are noted before anything else is done with an event of the thread, or at the end of
//! the row. Nothing is asked of the thread as long as it is the same as when it was asked for the last time, or only
//! there where no filter asks about it. What a thread uses of CPUs is noted on the way, and counted.

mod memory;

pub(super) use memory::Memory;

use super::Pipeline;
use crate::event::{Event, EventBits};
use crate::filter::{EventSet, Filter, Gate};
use crate::row::{Framed, Row};
use crate::schema::{EventType, TypeSet, tables};
use crate::sink::{Glimpse, Sink};
use crate::source::{LookUp, Source};
use crate::state::inspector::{Inspector, Trace};
use crate::state::thread::Thread;
use crate::state::{Binding, Context, ThreadKey};
use memory::Known;
use std::io;
use std::ops::Range;

/// Events of a row that are looked at in one go: their numbers have 16 bits.
const MOST: usize = u16::MAX as usize - 1;
/// Codes that have a place.
const PLACES: usize = 512;
const _: () = assert!(tables::EVENTS.len() <= PLACES);
/// Events that are delivered before somebody looks whether the run is to end.
const MOST_DELIVERED: u32 = 256;

/// The events that nobody looks at: they are applied to the state and counted, and nothing else.
#[derive(Default)]
pub(super) struct Unseen {
    /// All of these types, whatever they say.
    types: TypeSet,
    /// Those that are not among these: generic ones are told apart by their system call.
    events: Option<EventSet>,
    /// Those of threads that it refuses.
    gate: Option<Gate>,
    /// These are counted while others are moved past.
    counted: TypeSet,
    /// The sink hears of events that it is not handed.
    is_told: bool,
    /// By code of the type.
    ways: Ways,
    /// Some events are moved past.
    is_any: bool,
}

bitflags::bitflags! {
    /// What is to be done with events of a type.
    #[derive(Clone, Copy, Default)]
    struct Way: u16 {
        /// What is put off: that the thread began a call, ended one, or was seen. Nothing where none of these is set.
        const BEGIN = 1;
        const END = 1 << 1;
        const SEEN = 1 << 2;
        /// Each is to be looked at.
        const LOOK = 1 << 3;
        /// They change more than their thread and its process.
        const MORE = 1 << 4;
        /// Their parameters are kept.
        const KEPT = 1 << 5;
        /// Nobody looks at them whatever thread they are of.
        const OF_ANY = 1 << 6;
        /// It depends on the system call whether somebody looks at them.
        const BY_CALL = 1 << 9;
        /// The sink may look no longer than a glance.
        const GLANCED = 1 << 7;
        /// They are events of the system, not notes of the recorder.
        const OF_SYSTEM = 1 << 8;
        /// They tell what their thread uses, and nobody looks at them.
        const OF_USE = 1 << 10;
        /// What it uses then is counted.
        const COUNTED = 1 << 11;
        /// How long the call took that they end is counted, and nobody looks at them.
        const TIMED = 1 << 12;

        const PUT_OFF = Self::BEGIN.bits() | Self::END.bits() | Self::SEEN.bits();
    }
}

/// By code of the type, for all that the schema has.
struct Ways(Box<[Way; PLACES]>);

impl Default for Ways {
    fn default() -> Self {
        Self(Box::new([Way::LOOK; PLACES]))
    }
}

impl Ways {
    #[inline]
    fn of(&self, ty: EventType) -> Way {
        self.0[usize::from(ty.0) % PLACES]
    }
}

impl Unseen {
    /// The events that nobody looks at in a run of this pipeline into `sink`.
    pub(super) fn of(pipeline: &Pipeline, inspector: &Inspector, sink: &dyn Sink) -> Self {
        let rules = &pipeline.rules;
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
            None => pipeline.summary.is_none() && unwanted.contains(ty),
        });
        let is_all_shown =
            rules.filter.is_none() && rules.display_filter.is_none() && pipeline.summary.is_none();
        let counted = if is_all_shown { sink.counted() } else { TypeSet::default() };
        let refuses = rules.filter.as_ref().filter(|_| !sees_refused);
        let events = refuses.map(Filter::event_types).filter(|events| !events.is_all()).cloned();
        let gate = refuses.and_then(Filter::gate);
        let may_end = rules.window.is_some()
            || rules.max_time.is_some()
            || rules.max_events.is_some() && rules.filter.is_none();
        let glanced = if is_all_shown { sink.glanced() } else { TypeSet::default() };
        let nothing = TypeSet::default();
        let is_idle = gate.is_none() && events.is_none() && [types, counted, glanced] == [nothing; 3];
        let is_generic = |ty| matches!(ty, EventType::GENERIC_E | EventType::GENERIC_X);
        let counted_by_use = if is_all_shown { sink.counted_by_use() } else { nothing };
        let counted_by_latency = if is_all_shown { sink.counted_by_latency() } else { nothing };
        let way = |ty: EventType| {
            let of_any = types.contains(ty);
            let at_a_glance = glanced.contains(ty) && !of_any;
            let is_taken = at_a_glance || counted.contains(ty) && !of_any;
            let trace = match inspector.trace(ty) {
                Trace::Own if inspector.is_of_use(ty) && of_any => Way::OF_USE,
                Trace::Own if inspector.is_of_use(ty) && counted_by_use.contains(ty) => {
                    Way::OF_USE | Way::COUNTED
                }
                Trace::More => Way::LOOK | Way::MORE,
                Trace::End if counted_by_latency.contains(ty) => Way::END | Way::TIMED,
                Trace::Own => Way::LOOK,
                _ if is_taken && !at_a_glance => Way::LOOK,
                Trace::None => Way::empty(),
                Trace::Seen => Way::SEEN,
                Trace::Begin => Way::BEGIN,
                Trace::End => Way::END,
            };
            let marks = [
                (Way::KEPT, inspector.keeps(ty)),
                (Way::OF_ANY, of_any),
                (Way::BY_CALL, !of_any && is_generic(ty) && events.is_some()),
                (Way::GLANCED, at_a_glance),
                (Way::OF_SYSTEM, inspector.is_of_system(ty)),
            ];
            marks.into_iter().fold(trace, |way, (mark, is_set)| if is_set { way | mark } else { way })
        };
        let mut ways = Ways::default();
        for (to, info) in ways.0.iter_mut().zip(tables::EVENTS) {
            *to = way(info.ty);
        }
        let is_told = sink.hears_of_unwanted();
        Unseen { types, events, gate, counted, is_told, ways, is_any: !may_end && !is_idle }
    }

    /// Whether any events are moved past.
    pub(super) fn is_any(&self) -> bool {
        self.is_any
    }

    /// Whether nobody looks at events of this type, whatever they say, or wants to hear of them.
    #[inline]
    pub(super) fn has(&self, ty: EventType) -> bool {
        !self.is_told && self.types.contains(ty)
    }

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

/// What became of an event.
enum Went {
    /// It was moved past.
    Past,
    Delivered,
    /// It was delivered, and there are to be no more.
    Last,
    /// It is left to those who look at every event.
    Nowhere,
}

/// On the way along a row.
struct Along<'a> {
    pipeline: &'a mut Pipeline,
    unseen: &'a Unseen,
    memory: &'a mut Memory,
    inspector: &'a mut Inspector,
    look_up: &'a mut LookUp,
    sink: &'a mut dyn Sink,
    row: Row<'a>,
    /// Of the event before the row.
    number: u64,
    /// Events of the row whose times the inspector knows of.
    timed: usize,
    /// Events of the row that were delivered.
    delivered: u64,
    /// Events of the row that the sink has been told of.
    told: usize,
    /// The event of the row, counted from 1, for which a glance was not enough.
    glanced_at: usize,
}

impl Pipeline {
    /// Goes along the row of events that come next, up to one at which there is more to do than to move past it, to note
    /// something or to deliver it. `number` counts them.
    ///
    /// # Errors
    /// What the sink reports.
    #[expect(clippy::too_many_arguments, reason = "all that a run consists of")]
    pub(super) fn skim(
        &mut self,
        unseen: &Unseen,
        memory: &mut Memory,
        source: &mut dyn Source,
        inspector: &mut Inspector,
        look_up: &mut LookUp,
        sink: &mut dyn Sink,
        number: &mut u64,
    ) -> io::Result<()> {
        if !inspector.may_move_past() {
            return Ok(());
        }
        let Some(row) = source.row() else { return Ok(()) };
        let mut way = Along {
            pipeline: self,
            unseen,
            memory,
            inspector,
            look_up,
            sink,
            row,
            number: *number,
            timed: 0,
            delivered: 0,
            told: 0,
            glanced_at: 0,
        };
        let (taken, late, result) = way.go();
        source.pass(taken, late);
        *number += taken as u64;
        result
    }
}

impl Along<'_> {
    /// Returns how many events were taken, and how many of them are out of order.
    fn go(&mut self) -> (usize, u64, io::Result<()>) {
        let Row { events, mut after, .. } = self.row;
        let events = events.get(..MOST).unwrap_or(events);
        let mut quiet = self.sink.quiet();
        let (mut taken, mut delivered) = (0, 0);
        let mut result = Ok(());
        while delivered < MOST_DELIVERED {
            taken = self.move_past(taken, events, &quiet);
            let Some(found) = events.get(taken) else { break };
            let is_next = found.is_plain || taken == 0 && found.head.bits.is_empty();
            if !is_next || !quiet.contains(&found.head.ts) {
                break;
            }
            match self.look(taken, found) {
                Ok(Went::Past) => {}
                Ok(Went::Nowhere) => break,
                Ok(Went::Delivered) => {
                    delivered += 1;
                    quiet = self.sink.quiet();
                }
                Ok(Went::Last) => delivered = MOST_DELIVERED,
                Err(error) => {
                    delivered = MOST_DELIVERED;
                    result = Err(error);
                }
            }
            taken += 1;
        }
        self.tell(taken);
        self.move_time_to(taken);
        self.memory.note_all(&self.row, self.inspector);
        let events = events.get(..taken).unwrap_or_default();
        self.count(events);
        let mut late = 0;
        for found in events {
            late += u64::from(found.head.ts < after);
            after = found.head.ts;
        }
        (taken, late, result)
    }

    /// Moves past those of `events`, from the one with the number `i` on, whose threads are the same as when they were
    /// asked for and at which nobody looks. Returns the number of the first that is another one.
    // By far most events go this way, and by no other.
    #[inline]
    fn move_past(&mut self, mut i: usize, events: &[Framed], quiet: &Range<u64>) -> usize {
        let Memory { threads, due } = &mut *self.memory;
        let ways = &self.unseen.ways;
        let may_be_seen =
            |found: &Framed| found.head.is_for_old || !self.unseen.contains(&self.row.event(found));
        for found in events.get(i..).unwrap_or_default() {
            let head = &found.head;
            let way = ways.of(head.ty);
            if !found.is_plain || way.contains(Way::LOOK) || !quiet.contains(&head.ts) {
                break;
            }
            let is_put_off = way.intersects(Way::PUT_OFF);
            let of_any = way.contains(Way::OF_ANY) || (way.contains(Way::BY_CALL) && !may_be_seen(found));
            let is_of_use = way.contains(Way::OF_USE);
            if is_put_off || is_of_use || !of_any {
                let place = Memory::place(head.tid);
                let known = &mut threads[place];
                let state = &self.inspector.state;
                let is_same = known.tid == head.tid
                    && match self.unseen.gate {
                        Some(_) => state.is_unchanged(known.key, known.changed),
                        None => state.is_there(known.key, known.tid, known.changed),
                    };
                if !is_same {
                    if self.unseen.gate.is_some() || known.put_off != [0; 3] {
                        break;
                    }
                    *known = Known::of(head.tid, state);
                }
                let is_timed = way.contains(Way::TIMED);
                let is_glanced = way.contains(Way::GLANCED);
                if !known.is_refused && !of_any && !is_of_use && !is_timed && !is_glanced {
                    break;
                }
                if is_of_use {
                    if head.is_for_old {
                        break;
                    }
                    if !known.is_absent {
                        let count = way.contains(Way::COUNTED).then_some(&mut *self.sink);
                        let event = self.row.event(found);
                        known.changed = note_use(self.inspector, &event, known.key, count);
                    }
                } else if is_put_off || is_glanced {
                    let is_restored = head.is_for_old && way.contains(Way::KEPT);
                    let [begin, end, seen] = known.put_off;
                    if known.is_absent || is_restored || (way.contains(Way::END) && end != 0) {
                        break;
                    }
                    if is_timed {
                        let began = usize::from(begin).checked_sub(1).and_then(|i| self.row.events.get(i));
                        // Otherwise the thread knows, or nobody does.
                        let Some(began) = began.filter(|began| began.head.ty == head.ty.enter()) else {
                            break;
                        };
                        self.sink.count_latency(head.ts.saturating_sub(began.head.ts));
                    }
                    if is_glanced {
                        // What is to be looked at is to stand there as it was recorded.
                        if head.is_for_old {
                            break;
                        }
                        let began = usize::from(begin).checked_sub(1).and_then(|i| self.row.events.get(i));
                        let (event, began) = (self.row.event(found), began.map(|i| self.row.event(i)));
                        let thread = state.thread(known.key);
                        if !self.sink.glance(&Glimpse::new(&event, thread, self.inspector, began)) {
                            self.glanced_at = i + 1;
                            break;
                        }
                    }
                    let at = i as u16 + 1;
                    let put_off = if way.contains(Way::BEGIN) {
                        [at, 0, 0]
                    } else if way.contains(Way::END) {
                        [begin, at, 0]
                    } else if way.contains(Way::SEEN) {
                        [begin, end, at]
                    } else {
                        [begin, end, seen]
                    };
                    if begin | end | seen == 0 && put_off != [0; 3] {
                        due.push(place as u16);
                    }
                    known.put_off = put_off;
                }
            }
            i += 1;
        }
        i
    }

    /// Asks for the thread of event `i`, and does with the event what is to be done.
    fn look(&mut self, i: usize, found: &Framed) -> io::Result<Went> {
        let head = &found.head;
        let way = self.unseen.ways.of(head.ty);
        let state = &self.inspector.state;
        let known = Known::of(head.tid, state);
        let key = (!known.is_absent).then_some(known.key);
        let is_admitted = self.unseen.admits(key.and_then(|key| state.thread(key)));
        self.remember(Known { is_refused: !is_admitted, ..known });
        if !way.contains(Way::LOOK) && self.glanced_at != i + 1 {
            if way.contains(Way::END) {
                self.memory.note(Memory::place(head.tid), &self.row, self.inspector);
            }
            let one = self.row.events.get(..=i).unwrap_or_default();
            if self.move_past(i, one, &(0..u64::MAX)) > i {
                return Ok(Went::Past);
            }
        }
        // Its parameters have to be restored.
        if head.is_for_old {
            return Ok(Went::Nowhere);
        }
        let mut event = Event { num: self.number + i as u64 + 1, ..self.row.event(found) };
        let is_unseen = self.unseen.contains(&event);
        let is_counted = !is_unseen && self.unseen.counted.contains(head.ty);
        if is_unseen || is_counted || !is_admitted {
            self.catch_up(i, found, key);
            if is_counted {
                let binding = self.inspector.apply(&event, self.look_up.as_mut());
                self.ask();
                let context = Context { event: &event, state: &self.inspector.state, binding: &binding };
                self.sink.count(&context);
                self.inspector.settle();
            } else if !self.inspector.pass_by(&event, key) {
                let binding = self.inspector.apply(&event, self.look_up.as_mut());
                self.ask();
                let state = &self.inspector.state;
                // What it says of its thread may make somebody look at it.
                let is_wanted =
                    !is_unseen && self.unseen.admits(binding.thread.and_then(|key| state.thread(key)));
                if is_wanted {
                    return self.deliver(i, &event, &binding);
                }
                self.inspector.settle();
            }
            return Ok(Went::Past);
        }
        if self.sink.wants_state(head.ts) {
            return Ok(Went::Nowhere);
        }
        let before = i.checked_sub(1).and_then(|before| self.row.events.get(before));
        event.bits.set(EventBits::LATE, head.ts < before.map_or(self.row.after, |before| before.head.ts));
        self.catch_up(i, found, key);
        let binding = self.inspector.apply(&event, self.look_up.as_mut());
        self.ask();
        self.deliver(i, &event, &binding)
    }

    /// Tells the sink of the events before event `end`.
    fn tell(&mut self, end: usize) {
        if self.unseen.is_told
            && let Some(events) = self.row.events.get(self.told..end)
        {
            self.sink.pass_over(events);
        }
        self.told = end;
    }

    /// Hands event `i`, which has been applied, to the sink.
    fn deliver(&mut self, i: usize, event: &Event<'_>, binding: &Binding) -> io::Result<Went> {
        self.tell(i);
        self.told = i + 1;
        self.delivered += 1;
        let context = Context { event, state: &self.inspector.state, binding };
        self.pipeline.deliver(&context, self.sink)?;
        self.inspector.settle();
        let is_last = self.sink.is_done() || self.pipeline.has_enough();
        Ok(if is_last { Went::Last } else { Went::Delivered })
    }

    /// Asks about containers that were met with an event.
    #[inline]
    fn ask(&mut self) {
        if self.inspector.state.containers.has_questions() {
            let wait = self.pipeline.container_wait;
            self.pipeline.ask(self.inspector, self.sink, wait);
        }
    }

    /// Remembers what is known of a thread.
    fn remember(&mut self, new: Known) {
        let place = Memory::place(new.tid);
        if self.memory.threads[place].tid != new.tid {
            self.memory.note(place, &self.row, self.inspector);
        }
        let known = &mut self.memory.threads[place];
        *known = Known { put_off: known.put_off, ..new };
    }

    /// Makes the state as it is before event `i`, as far as that depends on it.
    #[inline]
    fn catch_up(&mut self, i: usize, found: &Framed, key: Option<ThreadKey>) {
        self.move_time_to(i);
        let place = Memory::place(found.head.tid);
        if key.is_none() || self.unseen.ways.of(found.head.ty).contains(Way::MORE) {
            self.memory.note_all(&self.row, self.inspector);
        } else {
            self.memory.note(place, &self.row, self.inspector);
        }
    }

    /// Tells the inspector of the time before event `end`.
    #[inline]
    fn move_time_to(&mut self, end: usize) {
        let is_of_system = |found: &&Framed| self.unseen.ways.of(found.head.ty).contains(Way::OF_SYSTEM);
        let passed = self.row.events.get(self.timed..end).unwrap_or_default();
        if let Some(last) = passed.iter().rev().find(is_of_system) {
            self.inspector.moved_to(last.head.ts);
        }
        self.timed = end;
    }

    /// Counts the events of the row that were taken.
    fn count(&mut self, taken: &[Framed]) {
        let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return };
        let totals = &mut self.pipeline.totals;
        totals.count_all(taken.len(), first.head.ts, last.head.ts);
        // Without a filter nothing is moved past but what passes; what was delivered is among those that passed already.
        if self.pipeline.rules.filter.is_none() {
            totals.passed += taken.len() as u64 - self.delivered;
        }
    }
}

/// Notes what a thread uses as `event` tells it, for a sink to count; returns the number of the thread's last change.
#[inline]
fn note_use(
    inspector: &mut Inspector,
    event: &Event<'_>,
    key: ThreadKey,
    count: Option<&mut (dyn Sink + '_)>,
) -> u64 {
    let lives = inspector.state.lives();
    let Some(thread) = inspector.note_use(event, key) else { return 0 };
    let changed = thread.changed;
    if let Some(sink) = count
        && !sink.count_use(event, thread, lives)
    {
        let binding = Binding { thread: Some(key), ..Binding::default() };
        sink.count(&Context { event, state: &inspector.state, binding: &binding });
    }
    changed
}
