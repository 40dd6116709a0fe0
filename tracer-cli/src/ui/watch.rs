//! What moves the events: a thread with the pipeline, whose sink fills the table that is being watched.
//!
//! The screen sends an [`Order`] when it wants to watch something else and receives [`Report`]s. A live source goes on
//! through all orders; a capture is read again for each.

use super::aggregate::{Layout, Sample, Table};
use super::lines::{Line, LineMaker};
use super::spectrogram::RANGES;
use crate::container::{Lookup, LookupOptions, Sockets};
use crate::event::{Event, EventBits};
use crate::fields::ExtractOptions;
use crate::filter::Filter;
use crate::live::procinfo::WithProcessTimes;
use crate::live::{LiveOptions, LiveSource};
use crate::pipeline::{Pipeline, Rules};
use crate::scap::CaptureSource;
use crate::schema::{Category, EventType};
use crate::sink::Sink;
use crate::source::{Source, SourceCounts};
use crate::state::inspector::Inspector;
use crate::state::{Binding, Context, State};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;
/// How often what has been read of a file so far is shown.
const PROGRESS: Duration = Duration::from_millis(300);

/// What is to be watched.
#[derive(Clone)]
pub enum Subject {
    Table(Layout),
    Lines(LineMaker),
}

/// A change of what is watched.
pub struct Order {
    /// Reports carry it, so that those for an earlier order can be told apart.
    pub number: u64,
    pub subject: Subject,
    /// The complete filter, command line and drill-down included.
    pub filter: Option<Filter>,
    /// Between samples of a live source; event time.
    pub interval: Duration,
    /// Samples of a capture, too, are of an interval each. Otherwise they are of all that was read.
    pub every_interval: bool,
    /// Times of events, ns since the epoch, from and to (exclusive); of captures.
    pub window: Option<(u64, u64)>,
}

/// What the screen is told.
pub enum Report {
    Sample {
        number: u64,
        sample: Sample,
    },
    Lines {
        number: u64,
        lines: Vec<Line>,
        dropped: u64,
    },
    /// Of a capture that is being read.
    Progress {
        number: u64,
        events: u64,
        first_ts: u64,
        last_ts: u64,
    },
    /// All of the capture has been read.
    Complete {
        number: u64,
        events: u64,
        first_ts: u64,
        last_ts: u64,
    },
    /// Counts of the live source.
    Counts(SourceCounts),
    /// It cannot go on.
    Failed(String),
}

/// Where events come from.
pub enum From {
    /// The kernel; names of containers come from engines at these sockets, if they are to be asked.
    Live(LiveOptions, Option<Sockets>),
    Files(Vec<PathBuf>),
}

/// The way to the thread.
pub struct Watch {
    orders: Sender<Order>,
    /// Set while an order waits, so that the thread need not look into the channel for each event.
    pending: Arc<AtomicBool>,
    pub reports: Receiver<Report>,
}

/// Reports that may wait for the screen. A screen that is slower than that slows nothing but the reports.
const WAITING_REPORTS: usize = 64;

impl Watch {
    /// Starts the thread. It ends when the `Watch` is dropped.
    ///
    /// # Errors
    /// The system has no room for another thread.
    pub fn start(from: From) -> io::Result<Self> {
        let (orders, incoming) = std::sync::mpsc::channel();
        let (outgoing, reports) = std::sync::mpsc::sync_channel(WAITING_REPORTS);
        let pending = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&pending);
        std::thread::Builder::new().name("events".to_owned()).spawn(move || {
            let watcher = Watcher::new(incoming, flag, outgoing.clone());
            let result = match from {
                From::Live(options, sockets) => watch_live(options, sockets, watcher),
                From::Files(files) => watch_files(&files, watcher),
            };
            if let Err(e) = result {
                // A screen that is gone needs no message.
                let _ = outgoing.send(Report::Failed(format!("{e:#}")));
            }
        })?;
        Ok(Self { orders, pending, reports })
    }

    /// Watches something else from now on.
    pub fn order(&self, order: Order) {
        // A thread that ended has said why.
        let _ = self.orders.send(order);
        self.pending.store(true, Ordering::Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.pending.store(true, Ordering::Relaxed);
    }
}

fn watch_live(options: LiveOptions, sockets: Option<Sockets>, mut watcher: Watcher) -> anyhow::Result<()> {
    let mut source = WithProcessTimes::new(LiveSource::open(options)?);
    let mut inspector = Inspector::default();
    let mut pipeline = pipeline();
    if let Some(sockets) = sockets {
        inspector.state.containers.ask();
        // There is no place for remarks while the screen is on.
        let options = LookupOptions { sockets, verbose: false, say: Box::new(|_| {}) };
        let mut lookup = Lookup::new(options);
        lookup.start();
        pipeline.ask_about_containers(lookup, Duration::ZERO);
    }
    source.load_state(&mut inspector.state)?;
    watcher.live = true;
    if !watcher.next_order(true) {
        return Ok(());
    }
    let stop = Arc::clone(&watcher.gone);
    pipeline.run(&mut source, &mut inspector, &mut watcher, &stop)?;
    Ok(())
}

/// All events come to the sink, which has a filter of its own that changes.
fn pipeline() -> Pipeline {
    Pipeline::new(Rules { show_internal: true, ..Rules::default() })
}

fn watch_files(files: &[PathBuf], mut watcher: Watcher) -> anyhow::Result<()> {
    while watcher.next_order(true) {
        let mut source = CaptureSource::open(files.iter().cloned())?;
        let mut inspector = Inspector::default();
        source.load_state(&mut inspector.state)?;
        let stop = Arc::clone(&watcher.pending);
        pipeline().run(&mut source, &mut inspector, &mut watcher, &stop)?;
        watcher.complete(&inspector.state);
    }
    Ok(())
}

/// The sink.
struct Watcher {
    orders: Receiver<Order>,
    pending: Arc<AtomicBool>,
    /// The screen is gone.
    gone: Arc<AtomicBool>,
    reports: SyncSender<Report>,
    options: ExtractOptions,
    scratch: Vec<u8>,
    live: bool,
    number: u64,
    gathering: Gathering,
    filter: Option<Filter>,
    interval: Duration,
    every_interval: bool,
    window: Option<(u64, u64)>,
    events: u64,
    first_ts: u64,
    last_ts: u64,
    /// When the sample at hand began and ends, in event time.
    begin_ts: u64,
    end_ts: u64,
    reported: Instant,
}

enum Gathering {
    Table(Table),
    Lines(LineMaker),
}

impl Watcher {
    fn new(orders: Receiver<Order>, pending: Arc<AtomicBool>, reports: SyncSender<Report>) -> Self {
        Self {
            orders,
            pending,
            gone: Arc::new(AtomicBool::new(false)),
            reports,
            options: ExtractOptions {
                whole_buffers: true,
                screen_width: RANGES,
                ..ExtractOptions::default()
            },
            scratch: Vec::new(),
            live: false,
            number: 0,
            gathering: Gathering::Lines(LineMaker::nothing()),
            filter: None,
            interval: Duration::from_secs(2),
            every_interval: false,
            window: None,
            events: 0,
            first_ts: 0,
            last_ts: 0,
            begin_ts: 0,
            end_ts: 0,
            reported: Instant::now(),
        }
    }

    /// Takes the newest order; waits for one if told to. `false`: the screen is gone.
    fn next_order(&mut self, wait: bool) -> bool {
        self.pending.store(false, Ordering::Relaxed);
        let mut newest = None;
        loop {
            match self.orders.try_recv() {
                Ok(order) => newest = Some(order),
                Err(TryRecvError::Disconnected) => {
                    self.gone.store(true, Ordering::Relaxed);
                    return false;
                }
                Err(TryRecvError::Empty) => break,
            }
        }
        if newest.is_none() && wait {
            newest = self.orders.recv().ok();
            self.pending.store(false, Ordering::Relaxed);
            if newest.is_none() {
                return false;
            }
        }
        if let Some(order) = newest {
            self.take(order);
        }
        true
    }

    fn take(&mut self, order: Order) {
        self.number = order.number;
        self.filter = order.filter;
        self.interval = order.interval;
        self.every_interval = order.every_interval || self.live;
        self.window = order.window;
        self.gathering = match order.subject {
            Subject::Table(layout) => Gathering::Table(Table::new(layout)),
            Subject::Lines(maker) => Gathering::Lines(maker),
        };
        self.begin_ts = self.last_ts;
        self.end_ts = 0;
        if !self.live {
            self.events = 0;
            self.first_ts = 0;
            self.last_ts = 0;
            self.begin_ts = 0;
        }
    }

    #[inline]
    fn see(&mut self, context: &Context<'_>) {
        if self.live && self.pending.load(Ordering::Relaxed) {
            self.next_order(false);
        }
        let ts = context.event.ts;
        self.events += 1;
        if self.first_ts == 0 {
            self.first_ts = ts;
        }
        self.last_ts = ts;
        if self.every_interval {
            if self.end_ts == 0 {
                self.begin_ts = ts;
                self.end_ts = ts + self.interval.as_nanos() as u64;
            }
            if ts >= self.end_ts {
                self.end_sample(context.state, self.end_ts);
            }
        }
        // Notes of recorders are nothing that happened, but for those on the CPU time of a known thread. Live, the begin of a call is there
        // for the time it takes only: a call counts once.
        let is_note = match context.event.ty {
            EventType::PROCINFO_E => context.thread().is_none(),
            _ => context.event.info().category == Category::Internal,
        };
        if is_note || (self.live && context.event.ty.is_enter() && context.event.ty != EventType::PROCINFO_E)
        {
            return;
        }
        if self.window.is_some_and(|(from, to)| ts < from || ts >= to) {
            return;
        }
        if self.filter.as_mut().is_some_and(|filter| !filter.matches(*context, &self.options)) {
            return;
        }
        match &mut self.gathering {
            Gathering::Table(table) => table.add(*context, &self.options, &mut self.scratch),
            Gathering::Lines(maker) => maker.add(*context, &mut self.scratch),
        }
    }

    /// Reports what was gathered until `ts` and begins anew.
    fn end_sample(&mut self, state: &State, ts: u64) {
        let span = Duration::from_nanos(ts.saturating_sub(self.begin_ts)).max(Duration::from_millis(1));
        self.report(state, ts, span);
        if let Gathering::Table(table) = &mut self.gathering {
            table.next_sample();
        }
        self.begin_ts = ts;
        let interval = self.interval.as_nanos() as u64;
        self.end_ts = ts + interval;
        if self.last_ts > self.end_ts {
            // Nothing happened for longer than an interval.
            self.begin_ts = self.last_ts;
            self.end_ts = self.last_ts + interval;
        }
    }

    fn report(&mut self, state: &State, ts: u64, span: Duration) {
        let number = self.number;
        let report = match &mut self.gathering {
            Gathering::Table(table) => {
                add_threads(table, &mut self.filter, state, ts, &self.options, &mut self.scratch);
                Report::Sample { number, sample: table.sample(span) }
            }
            Gathering::Lines(maker) => {
                let (lines, dropped) = maker.take();
                if lines.is_empty() && dropped == 0 {
                    return;
                }
                Report::Lines { number, lines, dropped }
            }
        };
        if self.live {
            // The screen has more to do than it can: it gets the next one.
            let _ = self.reports.try_send(report);
        } else {
            let _ = self.reports.send(report);
        }
        self.reported = Instant::now();
    }

    /// The end of the file.
    fn complete(&mut self, state: &State) {
        if self.pending.load(Ordering::Relaxed) {
            return;
        }
        let span = Duration::from_nanos(self.last_ts.saturating_sub(self.first_ts));
        let number = self.number;
        match &mut self.gathering {
            Gathering::Table(table) => {
                let ts = self.last_ts;
                add_threads(table, &mut self.filter, state, ts, &self.options, &mut self.scratch);
                let _ = self.reports.send(Report::Sample { number, sample: table.sample(span) });
            }
            Gathering::Lines(maker) => {
                let (lines, dropped) = maker.take();
                let _ = self.reports.send(Report::Lines { number, lines, dropped });
            }
        }
        let (events, first_ts, last_ts) = (self.events, self.first_ts, self.last_ts);
        let _ = self.reports.send(Report::Complete { number, events, first_ts, last_ts });
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
    if table.layout().key.is_none() {
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
            params: &[],
        };
        let binding = Binding { thread: state.find(thread.tid), ..Binding::default() };
        let context = Context { event: &event, state, binding: &binding };
        if filter.as_mut().is_none_or(|filter| filter.matches(context, options)) {
            table.add_thread(context, options, scratch);
        }
    }
}

impl Sink for Watcher {
    #[inline]
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        self.see(context);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.load(Ordering::Relaxed) && self.live {
            self.next_order(false);
        }
        if self.reported.elapsed() >= PROGRESS {
            self.reported = Instant::now();
            let number = self.number;
            let report = match &mut self.gathering {
                Gathering::Lines(maker) => {
                    let (lines, dropped) = maker.take();
                    Report::Lines { number, lines, dropped }
                }
                Gathering::Table(_) if self.every_interval => return Ok(()),
                Gathering::Table(table) => {
                    let span = Duration::from_nanos(self.last_ts.saturating_sub(self.first_ts));
                    let _ = self.reports.try_send(Report::Sample { number, sample: table.sample(span) });
                    let (events, first_ts, last_ts) = (self.events, self.first_ts, self.last_ts);
                    Report::Progress { number, events, first_ts, last_ts }
                }
            };
            let _ = self.reports.try_send(report);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
