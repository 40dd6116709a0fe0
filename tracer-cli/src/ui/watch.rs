//! What moves the events: a thread with the pipeline, whose sink gathers what is being watched.
//!
//! The screen sends [`Request`]s and receives [`Report`]s. A live source goes on through all orders; a capture is read
//! again for each.

use super::aggregate::Sample;
use super::gather::Gatherer;
use super::layout::Layout;
use super::lines::{Line, LineMaker};
use super::observe::Observed;
use super::portions::{self, OfIndex, OfSections, PORTION};
use super::recorder;
use super::span::Activity;
use super::tally::Parts;
use crate::container::{Lookup, LookupOptions, Sockets};
use crate::filter::Filter;
use crate::live::procinfo::WithProcessTimes;
use crate::live::{LiveOptions, LiveSource};
use crate::pipeline::{Pipeline, Rules};
use crate::scap::{self, Found, IndexedCapture, PortionSource, Portions, ReadOptions, SectionedCapture};
use crate::source::{Source, SourceCounts};
use crate::state::inspector::Inspector;
use crate::window::Window;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
    /// The part of a capture that is looked at.
    pub window: Option<Window>,
}

/// Events that are to be written to a capture.
pub struct Recording {
    pub path: PathBuf,
    pub filter: Option<Filter>,
    /// The part of a capture that is copied.
    pub window: Option<Window>,
}

/// What the screen asks for.
pub enum Request {
    Watch(Box<Order>),
    /// Read no more of the capture; what was read so far is shown.
    StopReading,
    /// Write events: of a capture all that there are, live those from now on.
    Record(Box<Recording>),
    /// Live: the recording is complete.
    EndRecording,
}

/// How far the reading of a capture is.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    pub events: u64,
    /// Times of the first and last event that were looked at, ns since the epoch.
    pub first_ts: u64,
    pub last_ts: u64,
    /// Part of the files that was read, from 0 to 1; unknown for pipes.
    pub share: Option<f64>,
    /// There is no more to be read, or somebody stopped it.
    pub is_over: bool,
    pub is_stopped: bool,
    /// When how much happened; once all of the capture was read.
    pub activity: Option<Activity>,
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
    /// Of a capture.
    Reading {
        number: u64,
        reading: Reading,
    },
    /// Counts of the source so far, and how far behind the events are.
    Source {
        counts: SourceCounts,
        lag: Duration,
    },
    /// A capture is being written, or was.
    Recorded {
        events: u64,
        name: String,
        outcome: Option<Result<(), String>>,
    },
    /// Something is wrong with what was read; there may be more of it.
    Failed(String),
    /// It cannot go on: this is the last report.
    Ended(String),
}

/// Where events come from.
pub enum From {
    /// The kernel; names of containers come from engines at these sockets, if they are to be asked.
    Live(LiveOptions, Option<Sockets>),
    Files(Vec<PathBuf>),
}

/// Whether a request waits, so that the thread need not look into the channel for each event.
#[derive(Clone, Default)]
pub(super) struct Bell {
    rings: Arc<AtomicBool>,
    /// Held while a request is put into the channel and the bell is rung, and while it is silenced and the channel is
    /// emptied: it never rings for what was taken already, which would end the reading that was asked for.
    order: Arc<Mutex<()>>,
}

impl Bell {
    fn ring(&self, send: impl FnOnce()) {
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        send();
        self.rings.store(true, Ordering::Relaxed);
    }

    /// Silences it and empties the channel. The second is `false` when the screen is gone.
    pub fn answer(&self, requests: &Receiver<Request>) -> (Vec<Request>, bool) {
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        self.rings.store(false, Ordering::Relaxed);
        let mut taken = Vec::new();
        loop {
            match requests.try_recv() {
                Ok(request) => taken.push(request),
                Err(TryRecvError::Disconnected) => return (taken, false),
                Err(TryRecvError::Empty) => return (taken, true),
            }
        }
    }

    #[inline]
    pub fn rings(&self) -> bool {
        self.rings.load(Ordering::Relaxed)
    }

    /// True while it rings.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.rings)
    }
}

/// The way to the thread.
pub struct Watch {
    requests: Sender<Request>,
    bell: Bell,
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
        let (requests, incoming) = std::sync::mpsc::channel();
        let (outgoing, reports) = std::sync::mpsc::sync_channel(WAITING_REPORTS);
        let bell = Bell::default();
        let heard = bell.clone();
        std::thread::Builder::new().name("events".to_owned()).spawn(move || {
            let gatherer = Gatherer::new(incoming, heard, outgoing.clone());
            let reports = outgoing.clone();
            let watch = || match from {
                From::Live(options, sockets) => watch_live(options, sockets, gatherer, reports),
                From::Files(files) => watch_files(&files, gatherer, &reports),
            };
            let why = match catch_unwind(AssertUnwindSafe(watch)) {
                Ok(Ok(())) => return,
                Ok(Err(e)) => format!("{e:#}"),
                // The screen shows what there is, and what went wrong is said at its end.
                Err(_) => "an error of tracer itself: nothing more is read".to_owned(),
            };
            // A screen that is gone needs no message.
            let _ = outgoing.send(Report::Ended(why));
        })?;
        Ok(Self { requests, bell, reports })
    }

    /// Asks for something.
    pub fn ask(&self, request: Request) {
        // A thread that ended has said why.
        self.bell.ring(|| drop(self.requests.send(request)));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bell.ring(|| {});
    }
}

fn watch_live(
    options: LiveOptions,
    sockets: Option<Sockets>,
    mut gatherer: Gatherer,
    reports: SyncSender<Report>,
) -> anyhow::Result<()> {
    let mut source = Observed::new(WithProcessTimes::new(LiveSource::open(options)?).with_memory(), reports);
    let mut inspector = Inspector::default();
    let mut pipeline = pipeline(None);
    if let Some(sockets) = sockets {
        inspector.state.containers.ask();
        // There is no place for remarks while the screen is on.
        let options = LookupOptions { sockets, verbose: false, say: Box::new(|_| {}) };
        let mut lookup = Lookup::new(options);
        lookup.start();
        pipeline.ask_about_containers(lookup, Duration::ZERO);
    }
    source.load_state(&mut inspector.state)?;
    gatherer.is_live = true;
    if !gatherer.wait_for_order() {
        return Ok(());
    }
    let stop = gatherer.gone();
    pipeline.run(&mut source, &mut inspector, &mut gatherer, &stop)?;
    Ok(())
}

/// All events come to the sink, which has a filter of its own that changes.
fn pipeline(window: Option<Window>) -> Pipeline {
    Pipeline::new(Rules { show_internal: true, window, ..Rules::default() })
}

fn watch_files(
    files: &[PathBuf],
    mut gatherer: Gatherer,
    reports: &SyncSender<Report>,
) -> anyhow::Result<()> {
    gatherer.copies_from(files);
    let index = index_of(files)?;
    // Nobody knows how much will come out of a pipe.
    let length = |file: &PathBuf| file.metadata().ok().filter(|file| file.is_file()).map(|file| file.len());
    let total: Option<u64> = files.iter().map(length).sum();
    while gatherer.wait_for_order() {
        let read = Arc::new(AtomicU64::new(0));
        let mut source: Box<dyn Source> = match &index {
            Some(capture) => {
                let last = capture.contents().frames.len().saturating_sub(1);
                gatherer.knows_extent(capture.contents());
                // The last part has the state at the end, which is shown, too.
                let mut at = 0;
                let filter = gatherer.skipping_filter();
                let parts = gatherer.parts();
                let portions = capture.portions(
                    gatherer.window(),
                    |frame| {
                        at += 1;
                        at > last || filter.is_none_or(|filter| filter.may_match(frame))
                    },
                    parts.is_some().then_some(PORTION),
                );
                if let Some(parts) = parts.filter(|_| portions.list.len() > 1) {
                    watch_portions(capture, portions, &parts, &mut gatherer, reports)?;
                    continue;
                }
                Box::new(PortionSource::new(Arc::clone(capture), portions))
            }
            None => {
                gatherer.counts_bytes(Arc::clone(&read), total);
                if watch_sections(files, &read, &mut gatherer, reports)? {
                    continue;
                }
                let options = ReadOptions { follow: false, progress: Some(read) };
                scap::open(files, &options)?
            }
        };
        let mut inspector = Inspector::default();
        source.load_state(&mut inspector.state)?;
        let stop = gatherer.bell.flag();
        let window = gatherer.window().copied();
        let result = pipeline(window).run(source.as_mut(), &mut inspector, &mut gatherer, &stop);
        if let Err(e) = result {
            // What came before the damage is shown.
            let _ = reports.send(Report::Failed(e.to_string()));
        }
        let _ = reports.send(Report::Source { counts: source.counts(), lag: Duration::ZERO });
        gatherer.complete(Some(&inspector.state));
    }
    Ok(())
}

/// Has the threads of this machine share the portions of a capture.
fn watch_portions(
    capture: &Arc<IndexedCapture>,
    portions: Portions,
    parts: &Parts,
    gatherer: &mut Gatherer,
    reports: &SyncSender<Report>,
) -> io::Result<()> {
    let Portions { list, late, unknown } = portions;
    let mut counts = SourceCounts { late, unknown, ..SourceCounts::default() };
    let stop = gatherer.bell.flag();
    portions::gather(&OfIndex::new(capture, &list), list.len(), parts, &stop, |made| {
        counts.late += made.counts.late;
        counts.unknown += made.counts.unknown;
        gatherer.add_part(made.tally);
        if let Err(e) = made.result {
            let _ = reports.send(Report::Failed(e.to_string()));
        }
    })?;
    let _ = reports.send(Report::Source { counts, lag: Duration::ZERO });
    gatherer.complete(None);
    Ok(())
}

/// Has the threads of this machine share the sections of a single capture. `false`: there are too few, what is watched
/// depends on more than a section, or something is wrong with the file: it is to be read from the beginning to the end.
fn watch_sections(
    files: &[PathBuf],
    read: &Arc<AtomicU64>,
    gatherer: &mut Gatherer,
    reports: &SyncSender<Report>,
) -> anyhow::Result<bool> {
    let [file] = files else { return Ok(false) };
    let Some(parts) = gatherer.parts().filter(Parts::are_of_sections) else { return Ok(false) };
    let Some((capture, first)) = SectionedCapture::find(file, PORTION)? else { return Ok(false) };
    let mut counts = SourceCounts::default();
    let stop = gatherer.bell.flag();
    let mut is_sound = true;
    portions::gather(&OfSections::new(&capture, first, read), usize::MAX, &parts, &stop, |made| {
        if let Err(e) = made.result {
            // Behind what is wrong with the last one there is nothing.
            is_sound = made.is_last;
            if is_sound {
                let _ = reports.send(Report::Failed(e.to_string()));
            }
        }
        if is_sound {
            counts.late += made.counts.late;
            counts.unknown += made.counts.unknown;
            gatherer.add_part(made.tally);
        }
    })?;
    if !is_sound {
        gatherer.begin_again();
        return Ok(false);
    }
    let _ = reports.send(Report::Source { counts, lag: Duration::ZERO });
    gatherer.complete(None);
    Ok(true)
}

/// The index of a single file, if it has one.
fn index_of(files: &[PathBuf]) -> anyhow::Result<Option<Arc<IndexedCapture>>> {
    let [file] = files else { return Ok(None) };
    if !file.is_file() {
        return Ok(None);
    }
    Ok(match IndexedCapture::find(file)? {
        Found::Index(capture) if capture.is_complete() => Some(Arc::new(*capture)),
        _ => None,
    })
}

/// Copies what is asked for out of capture files, in a thread of its own.
pub(super) fn copy(
    files: Vec<PathBuf>,
    recording: Recording,
    stop: Arc<AtomicBool>,
    reports: SyncSender<Report>,
) {
    let name = recording.path.display().to_string();
    let said = (name.clone(), reports.clone());
    let spawned = std::thread::Builder::new().name("copy".to_owned()).spawn(move || {
        let (events, outcome) = match recorder::copy(&files, recording, &stop) {
            Ok(events) => (events, Ok(())),
            Err(e) => (0, Err(format!("{e:#}"))),
        };
        let _ = reports.send(Report::Recorded { events, name, outcome: Some(outcome) });
    });
    if let Err(e) = spawned {
        let (name, reports) = said;
        let _ = reports.try_send(Report::Recorded { events: 0, name, outcome: Some(Err(e.to_string())) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bell_never_rings_for_what_was_taken() {
        let (bell, (requests, incoming)) = (Bell::default(), std::sync::mpsc::channel());
        let ringing = bell.clone();
        let screen = std::thread::spawn(move || {
            (0..20_000).for_each(|_| ringing.ring(|| drop(requests.send(Request::StopReading))));
        });
        let mut is_there = true;
        while is_there {
            is_there = bell.answer(&incoming).1;
            if bell.rings() {
                assert!(!bell.answer(&incoming).0.is_empty());
            }
        }
        screen.join().unwrap();
    }
}
