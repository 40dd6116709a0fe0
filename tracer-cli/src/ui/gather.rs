//! The sink that fills what is being watched, and hears what the screen asks for.

use super::aggregate::Table;
use super::recorder::Recorder;
use super::span::Activity;
use super::tally::{Gathering, Parts, Tally};
use super::watch::{Bell, Order, Reading, Recording, Report, Request, copy};
use crate::event::Event;
use crate::filter::Filter;
use crate::row::Framed;
use crate::scap::Contents;
use crate::schema::{EventType, TypeSet};
use crate::sink::{Glimpse, Sink, Unshown};
use crate::state::containers::Container;
use crate::state::thread::Thread;
use crate::state::{Context, State};
use crate::window::Window;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How often what has been read of a file so far is shown.
const PROGRESS: Duration = Duration::from_millis(500);
/// Samples of the running system that are there at a time.
const MOST_SAMPLES: usize = 2;
/// Lines of a capture that are handed over at once.
const LINES_AT_ONCE: usize = 4096;

pub(super) struct Gatherer {
    requests: Receiver<Request>,
    pub bell: Bell,
    /// The screen is gone.
    gone: Arc<AtomicBool>,
    reports: SyncSender<Report>,
    pub is_live: bool,
    files: Vec<PathBuf>,
    /// What came while a capture was read.
    next: Option<Order>,
    number: u64,
    pub tally: Tally,
    interval: Duration,
    every_interval: bool,
    window: Option<Window>,
    /// Events and times of a whole capture of which parts are left out.
    known: Option<Reading>,
    /// Bytes that were read, and how many there are.
    bytes: Option<(Arc<AtomicU64>, u64)>,
    /// When the sample at hand began and ends, in event time.
    begin_ts: u64,
    end_ts: u64,
    reported: Instant,
    /// Samples that the screen may have: those that are not gone.
    samples: Vec<Weak<()>>,
    recorder: Option<Recorder>,
}

impl Gatherer {
    pub fn new(requests: Receiver<Request>, bell: Bell, reports: SyncSender<Report>) -> Self {
        Self {
            requests,
            bell,
            gone: Arc::new(AtomicBool::new(false)),
            reports,
            is_live: false,
            files: Vec::new(),
            next: None,
            number: 0,
            tally: Tally::nothing(),
            interval: Duration::from_secs(2),
            every_interval: false,
            window: None,
            known: None,
            bytes: None,
            begin_ts: 0,
            end_ts: 0,
            reported: Instant::now(),
            samples: Vec::new(),
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
        self.tally.filter.as_ref().filter(|_| self.window.is_none() && !self.every_interval)
    }

    /// Whether the sample is of all that is read of a capture.
    fn is_of_all(&self) -> bool {
        !self.is_live && !self.every_interval
    }

    /// What its parts are gathered like, where what is gathered can be put together of parts of a capture.
    pub fn parts(&self) -> Option<Parts> {
        let is_whole = self.is_of_all() && self.window.is_none();
        if is_whole { self.tally.parts() } else { None }
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
            Request::StopReading => self.tally.reading.is_stopped = true,
            Request::Record(recording) if self.is_live => self.record(*recording),
            Request::Record(recording) => {
                copy(self.files.clone(), *recording, Arc::clone(&self.gone), self.reports.clone());
            }
            Request::EndRecording => self.end_recording(Ok(())),
        }
    }

    fn take(&mut self, order: Order) {
        self.number = order.number;
        self.interval = order.interval;
        self.every_interval = order.every_interval || self.is_live;
        self.window = order.window;
        self.tally.take(order.subject, order.filter, self.is_live);
        self.begin_ts = self.tally.reading.last_ts;
        self.end_ts = 0;
        if !self.is_live {
            self.tally.reading = Reading { activity: Some(Activity::default()), ..Reading::default() };
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

    #[inline]
    fn see(&mut self, context: &Context<'_>) {
        if self.is_live && self.bell.rings() {
            self.hear_live();
        }
        if let Some(recorder) = &mut self.recorder
            && let Err(e) = recorder.event(context, &self.tally.options)
        {
            self.end_recording(Err(e.to_string()));
        }
        let ts = context.event.ts;
        self.tally.note(ts);
        if self.every_interval {
            if self.end_ts == 0 {
                self.begin_ts = ts;
                self.end_ts = ts + self.interval.as_nanos() as u64;
            }
            if ts >= self.end_ts {
                self.tally.add_threads(context.state, self.end_ts);
                self.end_sample(self.end_ts);
            }
        }
        // Live, the begin of a call is there for the time it takes only: a call counts once.
        let is_begin = context.event.ty.is_enter() && context.event.ty != EventType::PROCINFO_E;
        if self.is_live && is_begin {
            return;
        }
        self.tally.gather(context);
        if !self.is_live
            && let Gathering::Lines(maker) = &self.tally.gathering
            && maker.waiting() >= LINES_AT_ONCE
        {
            self.hand_over_lines();
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
        let Gathering::Lines(maker) = &mut self.tally.gathering else { return };
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
    fn end_sample(&mut self, ts: u64) {
        let span = Duration::from_nanos(ts.saturating_sub(self.begin_ts)).max(Duration::from_millis(1));
        self.report(ts, span);
        if let Gathering::Table(table) = &mut self.tally.gathering {
            table.next_sample();
        }
        let last_ts = self.tally.reading.last_ts;
        self.begin_ts = ts;
        let interval = self.interval.as_nanos() as u64;
        self.end_ts = ts + interval;
        if last_ts > self.end_ts {
            // Nothing happened for longer than an interval.
            self.begin_ts = last_ts;
            self.end_ts = last_ts + interval;
        }
    }

    fn report(&mut self, ts: u64, span: Duration) {
        let number = self.number;
        let Gathering::Table(table) = &self.tally.gathering else { return self.hand_over_lines() };
        if self.is_live {
            self.samples.retain(|sample| sample.strong_count() > 0);
            // One is shown and one waits: the screen has more to do than it can, and gets the next one.
            if self.samples.len() >= MOST_SAMPLES {
                return;
            }
        }
        let mut sample = table.sample(span);
        sample.last_ts = ts;
        if self.is_live {
            self.samples.push(Arc::downgrade(&sample.token));
        }
        let report = Report::Sample { number, sample };
        if self.is_live {
            let _ = self.reports.try_send(report);
        } else {
            let _ = self.reports.send(report);
        }
        self.reported = Instant::now();
    }

    /// The end of the file, or of the part of it that is read. Threads of `state` have rows, too.
    pub fn complete(&mut self, state: Option<&State>) {
        self.hear();
        if self.next.is_some() {
            return;
        }
        let reading = self.reading_now(true);
        let span = Duration::from_nanos(reading.last_ts.saturating_sub(reading.first_ts));
        if let Some(state) = state {
            self.tally.add_threads(state, reading.last_ts);
        }
        self.report(reading.last_ts, span);
        let _ = self.reports.send(Report::Reading { number: self.number, reading });
    }

    /// How far it is.
    fn reading_now(&self, is_over: bool) -> Reading {
        let mut reading = Reading { activity: None, is_over, ..self.tally.reading };
        if is_over && !reading.is_stopped {
            match &self.known {
                Some(known) => {
                    reading = Reading { is_over, ..known.clone() };
                }
                None => reading.activity.clone_from(&self.tally.reading.activity),
            }
            return reading;
        }
        reading.share = match (&self.bytes, &self.known) {
            (Some((read, total)), _) => Some(read.load(Ordering::Relaxed) as f64 / (*total).max(1) as f64),
            (None, Some(known)) => {
                let whole = known.last_ts.saturating_sub(known.first_ts).max(1);
                Some(self.tally.reading.last_ts.saturating_sub(known.first_ts) as f64 / whole as f64)
            }
            _ => None,
        };
        reading
    }

    /// The capture is read once more: what was gathered so far is not right.
    pub fn begin_again(&mut self) {
        if let Gathering::Table(table) = &mut self.tally.gathering {
            **table = Table::new(table.layout().clone());
        }
        self.tally.reading = Reading { activity: Some(Activity::default()), ..Reading::default() };
        if let Some((read, _)) = &self.bytes {
            read.store(0, Ordering::Relaxed);
        }
    }

    /// The next part of the capture was gathered elsewhere.
    pub fn add_part(&mut self, part: Tally) {
        self.tally.add_part(part);
        if self.reported.elapsed() >= PROGRESS {
            self.reported = Instant::now();
            self.report_progress();
        }
    }

    fn report_progress(&mut self) {
        let number = self.number;
        let reading = self.reading_now(false);
        if let Gathering::Table(table) = &self.tally.gathering
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

impl Sink for Gatherer {
    #[inline]
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        self.see(context);
        Ok(())
    }

    /// What was recorded for the state only is an event of the capture, too.
    fn unshown(&mut self, _: &Context<'_>, _: Unshown) -> io::Result<()> {
        self.tally.reading.events += 1;
        Ok(())
    }

    /// A live source goes on with other filters, and intervals end at the event that comes after them, whatever it is.
    fn unwanted(&self) -> TypeSet {
        if self.is_of_all() { self.tally.unwanted() } else { TypeSet::default() }
    }

    fn hears_of_unwanted(&self) -> bool {
        true
    }

    #[inline]
    fn pass_over(&mut self, events: &[Framed]) {
        self.tally.pass_over(events);
    }

    fn counted(&self) -> TypeSet {
        if self.is_of_all() { self.tally.counted() } else { TypeSet::default() }
    }

    #[inline]
    fn count(&mut self, context: &Context<'_>) {
        self.tally.gather(context);
    }

    fn counted_by_use(&self) -> TypeSet {
        if self.is_of_all() { self.tally.counted_by_use() } else { TypeSet::default() }
    }

    #[inline]
    fn count_use(&mut self, event: &Event<'_>, thread: &Thread, lives: u64) -> bool {
        self.tally.count_use(event, thread, lives)
    }

    fn sees_usage(&self) -> bool {
        self.is_live || self.tally.sees_usage()
    }

    fn glanced(&self) -> TypeSet {
        if self.is_of_all() { self.tally.glanced() } else { TypeSet::default() }
    }

    #[inline]
    fn glance(&mut self, glimpse: &Glimpse<'_>) -> bool {
        self.tally.glance(glimpse)
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
