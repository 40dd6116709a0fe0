//! The sink that fills what is being watched, and hears what the screen asks for.

use super::aggregate::Table;
use super::lines::LineMaker;
use super::recorder::Recorder;
use super::span::Activity;
use super::spectrogram::RANGES;
use super::watch::{Bell, Order, Reading, Recording, Report, Request, Subject, copy};
use crate::event::{Event, EventBits};
use crate::fields::{ExtractOptions, Extraction, Field, FieldFlags};
use crate::filter::{Filter, Gate};
use crate::scap::Contents;
use crate::schema::{Category, EventType, TypeSet};
use crate::sink::{Sink, Unshown};
use crate::state::containers::Container;
use crate::state::thread::Thread;
use crate::state::{Binding, Context, State};
use crate::window::Window;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;
/// How often what has been read of a file so far is shown.
const PROGRESS: Duration = Duration::from_millis(300);
/// Lines of a capture that are handed over at once.
const LINES_AT_ONCE: usize = 4096;

enum Gathering {
    Table(Box<Table>),
    Lines(LineMaker),
}

pub(super) struct Gatherer {
    requests: Receiver<Request>,
    pub bell: Bell,
    /// The screen is gone.
    gone: Arc<AtomicBool>,
    reports: SyncSender<Report>,
    options: ExtractOptions,
    scratch: Vec<u8>,
    pub is_live: bool,
    files: Vec<PathBuf>,
    /// What came while a capture was read.
    next: Option<Order>,
    number: u64,
    gathering: Gathering,
    filter: Option<Filter>,
    /// What the filter asks of the thread alone.
    gate: Option<Gate>,
    interval: Duration,
    every_interval: bool,
    window: Option<Window>,
    reading: Reading,
    /// Events and times of a whole capture of which parts are left out.
    known: Option<Reading>,
    /// Bytes that were read, and how many there are.
    bytes: Option<(Arc<AtomicU64>, u64)>,
    /// When the sample at hand began and ends, in event time.
    begin_ts: u64,
    end_ts: u64,
    reported: Instant,
    recorder: Option<Recorder>,
}

impl Gatherer {
    pub fn new(requests: Receiver<Request>, bell: Bell, reports: SyncSender<Report>) -> Self {
        Self {
            requests,
            bell,
            gone: Arc::new(AtomicBool::new(false)),
            reports,
            options: ExtractOptions {
                whole_buffers: true,
                screen_width: RANGES,
                ..ExtractOptions::default()
            },
            scratch: Vec::new(),
            is_live: false,
            files: Vec::new(),
            next: None,
            number: 0,
            gathering: Gathering::Lines(LineMaker::nothing()),
            filter: None,
            gate: None,
            interval: Duration::from_secs(2),
            every_interval: false,
            window: None,
            reading: Reading::default(),
            known: None,
            bytes: None,
            begin_ts: 0,
            end_ts: 0,
            reported: Instant::now(),
            recorder: None,
        }
    }

    /// Recordings are copies out of these.
    pub fn copies_from(&mut self, files: &[PathBuf]) {
        self.files = files.to_vec();
    }

    /// Set when the screen is gone.
    pub fn gone(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.gone)
    }

    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// The filter, when parts of a capture that it refuses as a whole need not be read. Lines and samples are of all
    /// the time there is.
    pub fn skipping_filter(&self) -> Option<&Filter> {
        self.filter.as_ref().filter(|_| self.window.is_none() && !self.every_interval)
    }

    /// What an index knows of the capture that is going to be read.
    pub fn knows_extent(&mut self, contents: &Contents) {
        let frames = &contents.frames;
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else { return };
        self.known = self.window.is_none().then(|| Reading {
            events: last.events_before + last.events,
            first_ts: first.first_ts,
            last_ts: frames.iter().map(|frame| frame.last_ts).max().unwrap_or(0),
            ..Reading::default()
        });
        self.bytes = None;
    }

    /// What counts the bytes of the files as they are read, and how many there are.
    pub fn counts_bytes(&mut self, read: Arc<AtomicU64>, total: Option<u64>) {
        self.bytes = total.map(|total| (read, total));
    }

    /// Waits until there is something to be watched. `false`: the screen is gone.
    pub fn wait_for_order(&mut self) -> bool {
        loop {
            if !self.hear() {
                return false;
            }
            if let Some(order) = self.next.take() {
                self.take(order);
                return true;
            }
            match self.requests.recv() {
                Ok(request) => self.handle(request),
                Err(_) => return false,
            }
        }
    }

    /// Handles what the screen asked for. `false`: it is gone.
    fn hear(&mut self) -> bool {
        let (taken, is_there) = self.bell.answer(&self.requests);
        taken.into_iter().for_each(|request| self.handle(request));
        if !is_there {
            self.gone.store(true, Ordering::Relaxed);
        }
        is_there
    }

    fn handle(&mut self, request: Request) {
        match request {
            // The newest one counts.
            Request::Watch(order) => self.next = Some(*order),
            Request::StopReading => self.reading.is_stopped = true,
            Request::Record(recording) if self.is_live => self.record(*recording),
            Request::Record(recording) => {
                copy(self.files.clone(), *recording, Arc::clone(&self.gone), self.reports.clone());
            }
            Request::EndRecording => self.end_recording(Ok(())),
        }
    }

    fn take(&mut self, order: Order) {
        self.number = order.number;
        self.gate = order.filter.as_ref().and_then(Filter::gate);
        self.filter = order.filter;
        self.interval = order.interval;
        self.every_interval = order.every_interval || self.is_live;
        self.window = order.window;
        self.gathering = match order.subject {
            Subject::Table(layout) => Gathering::Table(Box::new(Table::new(layout))),
            Subject::Lines(maker) => Gathering::Lines(maker),
        };
        self.begin_ts = self.reading.last_ts;
        self.end_ts = 0;
        if !self.is_live {
            self.reading = Reading { activity: Some(Activity::default()), ..Reading::default() };
            self.known = None;
            self.begin_ts = 0;
            self.reported = Instant::now();
        }
    }

    fn record(&mut self, recording: Recording) {
        let name = recording.path.display().to_string();
        self.end_recording(Ok(()));
        match Recorder::start(recording) {
            Ok(recorder) => {
                self.recorder = Some(recorder);
                let _ = self.reports.try_send(Report::Recorded { events: 0, name, outcome: None });
            }
            Err(why) => {
                let _ = self.reports.send(Report::Recorded { events: 0, name, outcome: Some(Err(why)) });
            }
        }
    }

    fn end_recording(&mut self, outcome: Result<(), String>) {
        let Some(mut recorder) = self.recorder.take() else { return };
        let finished = recorder.writer.finish().map_err(|e| e.to_string());
        let outcome = Some(outcome.and(finished));
        let Recorder { name, events, .. } = recorder;
        // A screen that is gone needs no message.
        let _ = self.reports.send(Report::Recorded { events, name, outcome });
    }

    /// There was an event, whatever it is.
    #[inline]
    fn note(&mut self, ts: u64) {
        self.reading.events += 1;
        if self.reading.first_ts == 0 {
            self.reading.first_ts = ts;
        }
        self.reading.last_ts = ts;
        if let Some(activity) = &mut self.reading.activity {
            activity.add(ts);
        }
    }

    #[inline]
    fn see(&mut self, context: &Context<'_>) {
        if self.is_live && self.bell.rings() {
            self.hear_live();
        }
        if let Some(recorder) = &mut self.recorder
            && let Err(e) = recorder.event(context, &self.options)
        {
            self.end_recording(Err(e.to_string()));
        }
        let ts = context.event.ts;
        self.note(ts);
        if self.every_interval {
            if self.end_ts == 0 {
                self.begin_ts = ts;
                self.end_ts = ts + self.interval.as_nanos() as u64;
            }
            if ts >= self.end_ts {
                self.end_sample(context.state, self.end_ts);
            }
        }
        // Live, the begin of a call is there for the time it takes only: a call counts once.
        let is_begin = context.event.ty.is_enter() && context.event.ty != EventType::PROCINFO_E;
        if is_note(context.event, context.thread()) || (self.is_live && is_begin) {
            return;
        }
        // What the filter found out the columns need not find again.
        let from = Extraction::new(*context, &self.options, std::mem::take(&mut self.scratch));
        let passes = self.filter.as_mut().is_none_or(|filter| filter.matches_in(&from));
        if passes && let Gathering::Table(table) = &mut self.gathering {
            table.add(&from);
        }
        self.scratch = from.into_scratch();
        if passes && let Gathering::Lines(maker) = &mut self.gathering {
            maker.add(*context, &mut self.scratch);
            if !self.is_live && maker.waiting() >= LINES_AT_ONCE {
                self.hand_over_lines();
            }
        }
    }

    /// A live source goes on with the new order.
    #[cold]
    fn hear_live(&mut self) {
        if self.hear()
            && let Some(order) = self.next.take()
        {
            self.take(order);
        }
    }

    /// Of a capture no line gets lost on the way: the reading waits for the screen.
    #[cold]
    fn hand_over_lines(&mut self) {
        let Gathering::Lines(maker) = &mut self.gathering else { return };
        let (lines, dropped) = maker.take();
        if !lines.is_empty() || dropped > 0 {
            let number = self.number;
            let report = Report::Lines { number, lines, dropped };
            if !self.is_live {
                let _ = self.reports.send(report);
            } else if let Err(std::sync::mpsc::TrySendError::Full(Report::Lines { lines, dropped, .. })) =
                self.reports.try_send(report)
            {
                maker.put_back(lines, dropped);
            }
        }
    }

    /// Reports what was gathered until `ts` and begins anew.
    fn end_sample(&mut self, state: &State, ts: u64) {
        let span = Duration::from_nanos(ts.saturating_sub(self.begin_ts)).max(Duration::from_millis(1));
        self.report(state, ts, span);
        if let Gathering::Table(table) = &mut self.gathering {
            table.next_sample();
        }
        let last_ts = self.reading.last_ts;
        self.begin_ts = ts;
        let interval = self.interval.as_nanos() as u64;
        self.end_ts = ts + interval;
        if last_ts > self.end_ts {
            // Nothing happened for longer than an interval.
            self.begin_ts = last_ts;
            self.end_ts = last_ts + interval;
        }
    }

    fn report(&mut self, state: &State, ts: u64, span: Duration) {
        let number = self.number;
        let Gathering::Table(table) = &mut self.gathering else { return self.hand_over_lines() };
        add_threads(table, &mut self.filter, state, ts, &self.options, &mut self.scratch);
        let mut sample = table.sample(span);
        sample.last_ts = ts;
        let report = Report::Sample { number, sample };
        if self.is_live {
            // The screen has more to do than it can: it gets the next one.
            let _ = self.reports.try_send(report);
        } else {
            let _ = self.reports.send(report);
        }
        self.reported = Instant::now();
    }

    /// The end of the file, or of the part of it that is read.
    pub fn complete(&mut self, state: &State) {
        self.hear();
        if self.next.is_some() {
            return;
        }
        let reading = self.reading_now(true);
        let span = Duration::from_nanos(reading.last_ts.saturating_sub(reading.first_ts));
        self.report(state, reading.last_ts, span);
        let _ = self.reports.send(Report::Reading { number: self.number, reading });
    }

    /// How far it is.
    fn reading_now(&self, is_over: bool) -> Reading {
        let mut reading = Reading { activity: None, is_over, ..self.reading };
        if is_over && !reading.is_stopped {
            match &self.known {
                Some(known) => {
                    reading = Reading { is_over, ..known.clone() };
                }
                None => reading.activity.clone_from(&self.reading.activity),
            }
            return reading;
        }
        reading.share = match (&self.bytes, &self.known) {
            (Some((read, total)), _) => Some(read.load(Ordering::Relaxed) as f64 / (*total).max(1) as f64),
            (None, Some(known)) => {
                let whole = known.last_ts.saturating_sub(known.first_ts).max(1);
                Some(self.reading.last_ts.saturating_sub(known.first_ts) as f64 / whole as f64)
            }
            _ => None,
        };
        reading
    }

    fn report_progress(&mut self) {
        let number = self.number;
        let reading = self.reading_now(false);
        if let Gathering::Table(table) = &self.gathering
            && !self.every_interval
        {
            let span = Duration::from_nanos(reading.last_ts.saturating_sub(reading.first_ts));
            let mut sample = table.sample(span);
            sample.last_ts = reading.last_ts;
            let _ = self.reports.try_send(Report::Sample { number, sample });
        }
        let _ = self.reports.try_send(Report::Reading { number, reading });
    }
}

/// Gives every thread a row, whether it did something or not: an event of no type is made for each.
fn add_threads(
    table: &mut Table,
    filter: &mut Option<Filter>,
    state: &State,
    ts: u64,
    options: &ExtractOptions,
    scratch: &mut Vec<u8>,
) {
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
        if filter.as_mut().is_none_or(|filter| filter.matches(context, options)) {
            let from = Extraction::new(context, options, std::mem::take(scratch));
            table.add_thread(&from);
            *scratch = from.into_scratch();
        }
    }
}

/// Notes of recorders are nothing that happened, but for those on the CPU time of a known thread.
#[inline]
fn is_note(event: &Event<'_>, thread: Option<&Thread>) -> bool {
    match event.ty {
        EventType::PROCINFO_E => thread.is_none(),
        _ => event.info().category == Category::Internal,
    }
}

impl Sink for Gatherer {
    #[inline]
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        self.see(context);
        Ok(())
    }

    /// What was recorded for the state only is an event of the capture, too.
    fn unshown(&mut self, _: &Context<'_>, _: Unshown) -> io::Result<()> {
        self.reading.events += 1;
        Ok(())
    }

    /// Of a capture, what the filter never lets through. A live source goes on with other filters, and intervals end at
    /// the event that comes after them, whatever it is.
    fn unwanted(&self) -> TypeSet {
        match &self.filter {
            Some(filter) if !self.is_live && !self.every_interval => {
                TypeSet::of(|ty| !filter.event_types().contains_type(ty))
            }
            _ => TypeSet::default(),
        }
    }

    #[inline]
    fn pass_over(&mut self, event: &Event<'_>) {
        if event.bits.contains(EventBits::STATE_ONLY) {
            self.reading.events += 1;
        } else {
            self.note(event.ts);
        }
    }

    /// Of a capture, whatever a table is filled from.
    fn counted(&self) -> TypeSet {
        let counts = matches!(self.gathering, Gathering::Table(_)) && !self.is_live && !self.every_interval;
        TypeSet::of(|_| counts)
    }

    #[inline]
    fn count(&mut self, context: &Context<'_>) {
        self.see(context);
    }

    /// Of a capture, if a column or the filter does. What lines show is in the events.
    fn sees_usage(&self) -> bool {
        let reads = |field: &Field| field.flags.contains(FieldFlags::USAGE);
        let of_filter = self.filter.iter().flat_map(Filter::fields).any(|field| reads(field));
        let of_table = match &self.gathering {
            Gathering::Table(table) => table.layout().columns.iter().any(|column| reads(column.field.field)),
            Gathering::Lines(_) => true,
        };
        self.is_live || of_filter || of_table
    }

    /// Of a capture, what the table can tell from the thread, and what threads the filter refuses.
    fn glanced(&self) -> TypeSet {
        if self.is_live || self.every_interval {
            return TypeSet::default();
        }
        let quiet = match &self.gathering {
            Gathering::Table(table) => table.quiet_types(),
            Gathering::Lines(_) => TypeSet::default(),
        };
        TypeSet::of(|ty| self.gate.is_some() || quiet.contains(ty))
    }

    #[inline]
    fn glance(&mut self, event: &Event<'_>, thread: Option<&Thread>, lives: u64) -> bool {
        let decided = self.filter.as_ref().map_or(Some(true), |filter| filter.decided_by_kind(event));
        let is_refused =
            decided == Some(false) || self.gate.as_ref().is_some_and(|gate| !gate.admits(thread));
        let is_over = is_refused
            || (decided.is_some()
                && !is_note(event, thread)
                && match (&mut self.gathering, thread) {
                    (Gathering::Table(table), Some(thread)) => table.add_quiet(event, thread, lives),
                    _ => false,
                });
        if is_over {
            self.note(event.ts);
        }
        is_over
    }

    fn wants_state(&self, ts: u64) -> bool {
        self.recorder.as_ref().is_some_and(|recorder| recorder.writer.wants_state(ts))
    }

    fn begin(&mut self, state: &State, ts: u64) -> io::Result<()> {
        if let Some(recorder) = &mut self.recorder
            && let Err(e) = recorder.writer.begin(state, ts)
        {
            self.end_recording(Err(e.to_string()));
        }
        Ok(())
    }

    fn asked(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.writer.asked();
        }
    }

    fn container(&mut self, container: &Container) {
        if let Some(recorder) = &mut self.recorder {
            recorder.writer.container(container);
        }
    }

    fn answered(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.writer.answered();
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_live && self.bell.rings() {
            self.hear_live();
        }
        if let Some(recorder) = &mut self.recorder
            && let Err(e) = recorder.writer.flush()
        {
            self.end_recording(Err(e.to_string()));
        }
        if self.reported.elapsed() < PROGRESS {
            return Ok(());
        }
        self.reported = Instant::now();
        self.hand_over_lines();
        if let Some(recorder) = &self.recorder {
            let (events, name) = (recorder.events, recorder.name.clone());
            let _ = self.reports.try_send(Report::Recorded { events, name, outcome: None });
        }
        if !self.is_live {
            self.report_progress();
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end_recording(Ok(()));
        Ok(())
    }
}
