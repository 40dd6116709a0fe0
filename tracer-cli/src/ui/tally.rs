//! What is gathered of the events that are watched, and what of them may be passed by.

use super::aggregate::Table;
use super::glances::Glances;
use super::layout::Layout;
use super::lines::LineMaker;
use super::span::Activity;
use super::spectrogram::RANGES;
use super::verdicts::{Verdict, Verdicts};
use super::watch::{Reading, Subject};
use crate::event::{Event, EventBits};
use crate::fields::{ExtractOptions, Extraction, Field, FieldFlags};
use crate::filter::{Filter, Gate};
use crate::row::Framed;
use crate::schema::{EventType, TypeSet};
use crate::sink::Glimpse;
use crate::state::fd_table::FdTable;
use crate::state::thread::Thread;
use crate::state::{Binding, Context, State};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;

pub(super) enum Gathering {
    Table(Box<Table>),
    Lines(LineMaker),
}

/// What came of the events so far.
pub(super) struct Tally {
    pub gathering: Gathering,
    pub filter: Option<Filter>,
    /// What the filter asks of the thread alone.
    gate: Option<Gate>,
    verdicts: Verdicts,
    pub reading: Reading,
    pub options: ExtractOptions,
    scratch: Vec<u8>,
}

/// Makes tallies of parts of a capture.
pub(super) struct Parts {
    layout: Layout,
    glances: Arc<Glances>,
    filter: Option<Filter>,
    /// Parts tell when how much happened, too.
    counts_activity: bool,
}

impl Parts {
    pub fn begin(&self) -> Tally {
        let table = Table::of_part(self.layout.clone(), Arc::clone(&self.glances));
        let mut part = Tally::new(Subject::Lines(LineMaker::nothing()), self.filter.clone());
        part.gathering = Gathering::Table(Box::new(table));
        part.reading.activity = self.counts_activity.then(Activity::default);
        part
    }

    /// Whether what is gathered follows from the section of the capture alone that an event is in.
    pub fn are_of_sections(&self) -> bool {
        let is_place = |field: &Field| field.flags.contains(FieldFlags::PLACE);
        let columns = self.layout.columns.iter().map(|column| column.field.field);
        !columns.chain(self.filter.iter().flat_map(Filter::fields).copied()).any(is_place)
    }
}

impl Tally {
    pub fn new(subject: Subject, filter: Option<Filter>) -> Self {
        let options =
            ExtractOptions { whole_buffers: true, screen_width: RANGES, ..ExtractOptions::default() };
        let gathering = match subject {
            Subject::Table(layout) => Gathering::Table(Box::new(Table::new(layout))),
            Subject::Lines(maker) => Gathering::Lines(maker),
        };
        let gate = filter.as_ref().and_then(Filter::gate);
        let verdicts = Verdicts::of(filter.as_ref());
        let (reading, scratch) = (Reading::default(), Vec::new());
        Self { gathering, filter, gate, verdicts, reading, options, scratch }
    }

    /// One in which nothing is gathered.
    pub fn nothing() -> Self {
        Self::new(Subject::Lines(LineMaker::nothing()), None)
    }

    /// Goes on with another order; how much was read stays.
    pub fn take(&mut self, subject: Subject, filter: Option<Filter>, is_live: bool) {
        let reading = std::mem::take(&mut self.reading);
        *self = Self { reading, ..Self::new(subject, filter) };
        if is_live && let Gathering::Table(table) = &mut self.gathering {
            **table = Table::live(table.layout().clone());
        }
    }

    /// What parts of a capture are gathered like, to be [added](Tally::add_part) to this one; `None` of lines.
    pub fn parts(&self) -> Option<Parts> {
        let Gathering::Table(table) = &self.gathering else { return None };
        let counts_activity = self.reading.activity.is_some();
        let (layout, glances) = (table.layout().clone(), table.glances());
        Some(Parts { layout, glances, filter: self.filter.clone(), counts_activity })
    }

    /// Adds what was gathered of the next part of the capture.
    pub fn add_part(&mut self, part: Tally) {
        if let (Gathering::Table(table), Gathering::Table(other)) = (&mut self.gathering, part.gathering) {
            table.merge(*other);
        }
        let reading = &mut self.reading;
        reading.events += part.reading.events;
        if reading.first_ts == 0 {
            reading.first_ts = part.reading.first_ts;
        }
        if part.reading.last_ts > 0 {
            reading.last_ts = part.reading.last_ts;
        }
        if let (Some(activity), Some(next)) = (&mut reading.activity, &part.reading.activity) {
            activity.merge(next);
        }
    }

    /// There was an event, whatever it is.
    #[inline]
    pub fn note(&mut self, ts: u64) {
        self.reading.events += 1;
        if self.reading.first_ts == 0 {
            self.reading.first_ts = ts;
        }
        self.reading.last_ts = ts;
        if let Some(activity) = &mut self.reading.activity {
            activity.add(ts);
        }
    }

    /// [`Tally::note`] for events that follow each other.
    pub fn pass_over(&mut self, events: &[Framed]) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        self.reading.events += events.len() as u64;
        if self.reading.first_ts == 0 {
            self.reading.first_ts = first.head.ts;
        }
        self.reading.last_ts = last.head.ts;
        if let Some(activity) = &mut self.reading.activity {
            activity.add_all(events.iter().map(|event| event.head.ts));
        }
    }

    /// Takes what happened into what is watched, if it passes the filter.
    #[inline]
    pub fn gather(&mut self, context: &Context<'_>) {
        let (event, thread) = (context.event, context.thread());
        let verdict = self.verdicts.of_type(event.ty);
        if verdict == Verdict::Refused || is_of_nobody(event, thread) {
            return;
        }
        if self.gate.as_ref().is_some_and(|gate| !gate.admits(thread)) {
            return;
        }
        let fd = self.asks_about_fd(verdict).then(|| context.fd());
        let decided = match (verdict, &self.filter, fd) {
            (Verdict::Open, Some(filter), Some(fd)) => filter.decided_by_fd(|| fd),
            (Verdict::Open, Some(_), None) => None,
            _ => Some(true),
        };
        if self.is_enough(decided, event, thread, context.state.lives(), || context.fd_in_table()) {
            self.verdicts.note_glance(event.ty, true);
            return;
        }
        // What was found out the columns need not find again.
        let from = Extraction::new(*context, &self.options, std::mem::take(&mut self.scratch)).about(fd);
        let passes = match (decided, &mut self.filter) {
            (None, Some(filter)) => filter.matches_in(&from),
            _ => true,
        };
        if passes && let Gathering::Table(table) = &mut self.gathering {
            table.add(&from);
        }
        self.scratch = from.into_scratch();
        if passes && let Gathering::Lines(maker) = &mut self.gathering {
            maker.add(*context, &mut self.scratch);
        }
    }

    /// Whether the filter may say more of an event when it knows its fd.
    #[inline]
    fn asks_about_fd(&self, verdict: Verdict) -> bool {
        verdict == Verdict::Open && self.filter.as_ref().is_some_and(Filter::asks_about_fd)
    }

    /// Whether that is all about an event, once it is `decided` whether it passes the filter: it does not, or it leaves
    /// the table as it is.
    #[inline]
    fn is_enough<'f>(
        &mut self,
        decided: Option<bool>,
        event: &Event<'_>,
        thread: Option<&Thread>,
        lives: u64,
        fd: impl FnOnce() -> Option<(&'f FdTable, i64)>,
    ) -> bool {
        match (decided, &mut self.gathering) {
            (Some(false), _) => true,
            (Some(true), Gathering::Table(table)) => table.add_quiet(event, thread, lives, fd),
            _ => false,
        }
    }

    /// Of a capture, the types that the filter never lets through.
    pub fn unwanted(&self) -> TypeSet {
        match &self.filter {
            Some(filter) => TypeSet::of(|ty| !filter.event_types().contains_type(ty)),
            None => TypeSet::default(),
        }
    }

    /// Of a capture, whatever a table is filled from.
    pub fn counted(&self) -> TypeSet {
        let counts = matches!(self.gathering, Gathering::Table(_));
        TypeSet::of(|_| counts)
    }

    /// Whether a column or the filter tells what threads use. What lines show is in the events.
    pub fn sees_usage(&self) -> bool {
        let reads = |field: &Field| field.flags.contains(FieldFlags::USAGE);
        self.filter.iter().flat_map(Filter::fields).any(|field| reads(field))
            || match &self.gathering {
                Gathering::Table(table) => {
                    table.layout().columns.iter().any(|column| reads(column.field.field))
                }
                Gathering::Lines(_) => true,
            }
    }

    /// Of a capture, what the table can tell from the thread, and what threads the filter refuses.
    pub fn glanced(&self) -> TypeSet {
        let quiet = match &self.gathering {
            Gathering::Table(table) => table.quiet_types(),
            Gathering::Lines(_) => TypeSet::default(),
        };
        let by_fd = |ty| {
            let filter = self.filter.as_ref().filter(|filter| filter.asks_about_fd());
            filter.is_some_and(|filter| filter.event_types().contains_type(ty))
        };
        TypeSet::of(|ty| self.gate.is_some() || quiet.contains(ty) || by_fd(ty))
    }

    /// What [`Sink::glance`](crate::sink::Sink::glance) says.
    #[inline]
    pub fn glance(&mut self, glimpse: &Glimpse<'_>) -> bool {
        let Glimpse { event, thread, .. } = *glimpse;
        if self.gate.as_ref().is_some_and(|gate| !gate.admits(thread)) {
            return true;
        }
        if !self.verdicts.is_worth_a_glance(event.ty) {
            return false;
        }
        let decided = match (self.verdicts.of_type(event.ty), &self.filter) {
            (Verdict::Refused, _) => Some(false),
            (Verdict::Open, Some(filter)) => filter
                .decided_by_kind(event)
                .or_else(|| filter.decided_by_fd(|| glimpse.fd().and_then(|(fds, fd)| fds.get(fd)))),
            _ => Some(true),
        };
        let is_enough = self.is_enough(decided, event, thread, glimpse.lives(), || glimpse.fd());
        self.verdicts.note_glance(event.ty, is_enough);
        is_enough
    }

    /// Of a capture, what the table takes from the thread alone.
    pub fn counted_by_use(&self) -> TypeSet {
        let lets_through = |filter: &Filter| filter.matches_all(EventType::PROCINFO_E);
        let counts = self.filter.as_ref().is_none_or(lets_through)
            && matches!(&self.gathering, Gathering::Table(table) if table.counts_use());
        TypeSet::of(|ty| counts && ty == EventType::PROCINFO_E)
    }

    /// What [`Sink::count_use`](crate::sink::Sink::count_use) says.
    #[inline]
    pub fn count_use(&mut self, event: &Event<'_>, thread: &Thread, lives: u64) -> bool {
        match &mut self.gathering {
            Gathering::Table(table) => table.add_use(event, thread, lives),
            Gathering::Lines(_) => false,
        }
    }

    /// Gives every thread a row, whether it did something or not: an event of no type is made for each.
    pub fn add_threads(&mut self, state: &State, ts: u64) {
        let Gathering::Table(table) = &mut self.gathering else { return };
        if !table.layout().has_rows_of_threads() {
            return;
        }
        // The idle task is no thread.
        for thread in state.threads().filter(|thread| thread.tid > 0) {
            let event = Event {
                num: 0,
                ts: (ts / SECOND * SECOND).saturating_sub(1),
                tid: thread.tid,
                pid: thread.pid,
                cpu: 0,
                ty: EventType::SCAPEVENT_X,
                bits: EventBits::empty(),
                unreadable: 0,
                params: crate::params::Params::NONE,
            };
            let binding = Binding { thread: state.find(thread.tid), ..Binding::default() };
            let context = Context { event: &event, state, binding: &binding };
            if self.filter.as_mut().is_none_or(|filter| filter.matches(context, &self.options)) {
                let from = Extraction::new(context, &self.options, std::mem::take(&mut self.scratch));
                table.add_thread(&from);
                self.scratch = from.into_scratch();
            }
        }
    }
}

/// Whether it is a note on the CPU time of a thread that is not known.
#[inline]
fn is_of_nobody(event: &Event<'_>, thread: Option<&Thread>) -> bool {
    event.ty == EventType::PROCINFO_E && thread.is_none()
}
