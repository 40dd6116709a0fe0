//! A table of a capture with an index, or of several sections, filled by several threads.
//!
//! Each takes the next portion, with a state, a filter and a table of its own. The tables are put together in the order
//! of the capture, so that the result is that of reading it from the beginning to the end.

use super::tally::{Parts, Tally};
use crate::event::Event;
use crate::pipeline::{Pipeline, PipelineError, Rules};
use crate::row::Framed;
use crate::scap::{IndexedCapture, Portion, PortionSource, Portions, SectionedCapture, Stretch};
use crate::schema::TypeSet;
use crate::sink::{Glimpse, Sink, Unshown};
use crate::source::{Source, SourceCounts, SourceError};
use crate::state::Context;
use crate::state::inspector::Inspector;
use crate::state::thread::Thread;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Bytes of events that a thread takes at once: much more than a state to begin with.
pub const PORTION: u64 = 16 << 20;

/// A capture that is read in portions.
pub trait Shared: Sync {
    /// What is to be read of one.
    type Portion;

    /// The next portion, its number and whether it is the last; `None` behind that.
    fn take(&self) -> Option<(usize, Self::Portion, bool)>;

    /// Begins to read a portion. What `inspector` knew before is of no account.
    ///
    /// # Errors
    /// The file cannot be read.
    fn open(&self, portion: Self::Portion, inspector: &mut Inspector)
    -> Result<Box<dyn Source>, SourceError>;
}

/// Portions of a capture with an index.
pub struct OfIndex<'a> {
    capture: &'a Arc<IndexedCapture>,
    portions: &'a [Portion],
    /// The portion that nobody has taken yet.
    next: AtomicUsize,
}

impl<'a> OfIndex<'a> {
    pub fn new(capture: &'a Arc<IndexedCapture>, portions: &'a [Portion]) -> Self {
        Self { capture, portions, next: AtomicUsize::new(0) }
    }
}

impl Shared for OfIndex<'_> {
    type Portion = Portion;

    fn take(&self) -> Option<(usize, Portion, bool)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let portion = self.portions.get(number)?;
        Some((number, portion.clone(), number + 1 == self.portions.len()))
    }

    fn open(&self, portion: Portion, _: &mut Inspector) -> Result<Box<dyn Source>, SourceError> {
        let portions = Portions { list: vec![portion], ..Portions::default() };
        Ok(Box::new(PortionSource::new(Arc::clone(self.capture), portions)))
    }
}

/// Stretches of a capture of several sections.
pub struct OfSections<'a> {
    capture: &'a SectionedCapture,
    /// The stretch that nobody has taken yet, and its number.
    next: Mutex<(usize, Option<Stretch>)>,
    progress: &'a Arc<AtomicU64>,
}

impl<'a> OfSections<'a> {
    /// `progress` counts the bytes that are read.
    pub fn new(capture: &'a SectionedCapture, first: Stretch, progress: &'a Arc<AtomicU64>) -> Self {
        Self { capture, next: Mutex::new((0, Some(first))), progress }
    }
}

impl Shared for OfSections<'_> {
    type Portion = Stretch;

    fn take(&self) -> Option<(usize, Stretch, bool)> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, stretch) = *next;
        let stretch = stretch?;
        *next = (number + 1, self.capture.after(stretch));
        Some((number, stretch, stretch.end.is_none()))
    }

    fn open(&self, stretch: Stretch, inspector: &mut Inspector) -> Result<Box<dyn Source>, SourceError> {
        let mut source = self.capture.open(stretch, Arc::clone(self.progress))?;
        inspector.begin_recording();
        inspector.load(&mut source)?;
        Ok(Box::new(source))
    }
}

/// What came out of one portion.
pub struct Made {
    pub tally: Tally,
    pub counts: SourceCounts,
    pub result: Result<(), PipelineError>,
    /// There is nothing behind it.
    pub is_last: bool,
    /// Nothing of what is behind it was read.
    is_end: bool,
}

/// What the threads share.
struct Work<'a, S> {
    shared: &'a S,
    parts: &'a Parts,
    stop: &'a AtomicBool,
    /// Nobody wants what was not handed over yet.
    halt: AtomicBool,
}

/// Has at most so many threads read the portions, and hands what comes out of each to `take`, in order, until `stop` becomes
/// true or one fails. The last one has rows of all threads there are at its end.
///
/// # Errors
/// The system has no room for a thread.
pub fn gather(
    shared: &impl Shared,
    most: usize,
    parts: &Parts,
    stop: &AtomicBool,
    take: impl FnMut(Made),
) -> io::Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(most);
    let work = Work { shared, parts, stop, halt: AtomicBool::new(false) };
    thread::scope(|scope| {
        let (made, results) = sync_channel(threads);
        for nth in 0..threads {
            let (work, made) = (&work, made.clone());
            let builder = thread::Builder::new().name("gather".to_owned());
            match builder.spawn_scoped(scope, move || work.run(&made)) {
                Err(e) if nth == 0 => return Err(e),
                // The others do it.
                Err(_) => break,
                Ok(_) => {}
            }
        }
        drop(made);
        collect(&results, take);
        work.halt.store(true, Ordering::Relaxed);
        // Whoever waits to hand over more than anybody wants is to end.
        drop(results);
        Ok(())
    })
}

/// Hands on what was made, in order.
fn collect(results: &Receiver<(usize, Made)>, mut take: impl FnMut(Made)) {
    let mut waiting: BTreeMap<usize, Made> = BTreeMap::new();
    let mut next = 0;
    while let Ok((number, made)) = results.recv() {
        waiting.insert(number, made);
        while let Some(made) = waiting.remove(&next) {
            next += 1;
            let is_end = made.is_end;
            take(made);
            if is_end {
                return;
            }
        }
    }
}

impl<S: Shared> Work<'_, S> {
    /// Reads portions until there are no more.
    fn run(&self, made: &SyncSender<(usize, Made)>) {
        let mut inspector = Inspector::default();
        while !self.halt.load(Ordering::Relaxed) {
            let Some((number, portion, is_last)) = self.shared.take() else { return };
            if made.send((number, self.read(portion, &mut inspector, is_last))).is_err() {
                return;
            }
        }
    }

    fn read(&self, portion: S::Portion, inspector: &mut Inspector, is_last: bool) -> Made {
        let mut part = Part(self.parts.begin());
        let mut counts = SourceCounts::default();
        let result =
            self.shared.open(portion, inspector).map_err(PipelineError::from).and_then(|mut source| {
                let mut pipeline = Pipeline::new(Rules { show_internal: true, ..Rules::default() });
                let result = pipeline.run(source.as_mut(), inspector, &mut part, self.stop);
                counts = source.counts();
                result
            });
        let Part(mut tally) = part;
        let is_end = is_last || result.is_err() || self.stop.load(Ordering::Relaxed);
        if is_end {
            let ts = tally.reading.last_ts;
            tally.add_threads(&inspector.state, ts);
        }
        Made { tally, counts, result, is_last, is_end }
    }
}

/// The sink of a portion.
struct Part(Tally);

impl Sink for Part {
    #[inline]
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        self.0.note(context.event.ts);
        self.0.gather(context);
        Ok(())
    }

    fn unshown(&mut self, _: &Context<'_>, _: Unshown) -> io::Result<()> {
        self.0.reading.events += 1;
        Ok(())
    }

    fn unwanted(&self) -> TypeSet {
        self.0.unwanted()
    }

    fn hears_of_unwanted(&self) -> bool {
        true
    }

    #[inline]
    fn pass_over(&mut self, events: &[Framed]) {
        self.0.pass_over(events);
    }

    fn counted(&self) -> TypeSet {
        self.0.counted()
    }

    #[inline]
    fn count(&mut self, context: &Context<'_>) {
        self.0.gather(context);
    }

    fn counted_by_use(&self) -> TypeSet {
        self.0.counted_by_use()
    }

    #[inline]
    fn count_use(&mut self, event: &Event<'_>, thread: &Thread, lives: u64) -> bool {
        self.0.count_use(event, thread, lives)
    }

    fn sees_usage(&self) -> bool {
        self.0.sees_usage()
    }

    fn glanced(&self) -> TypeSet {
        self.0.glanced()
    }

    #[inline]
    fn glance(&mut self, glimpse: &Glimpse<'_>) -> bool {
        self.0.glance(glimpse)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::super::layout::Layout;
    use super::super::span::Activity;
    use super::super::tally::Gathering;
    use super::super::view::{Kind, View, at_depth};
    use super::super::watch::{From, Order, Reading, Report, Request, Subject, Watch};
    use super::*;
    use crate::filter::Filter;
    use crate::scap::{self, ReadOptions};
    use flate2::read::MultiGzDecoder;
    use std::fs::File;
    use std::io::Read;
    use std::path::{Path, PathBuf};

    /// Counts into another part after so many events.
    struct Parted<'a> {
        parts: &'a Parts,
        whole: Tally,
        part: Part,
        left: usize,
    }

    /// Events of a part.
    const EVENTS: usize = 97;

    impl Sink for Parted<'_> {
        fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
            if self.left == 0 {
                let part = std::mem::replace(&mut self.part, Part(self.parts.begin()));
                self.whole.add_part(part.0);
                self.left = EVENTS;
            }
            self.left -= 1;
            self.part.event(context)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Passes a capture through a sink and returns the state at the end.
    fn pass(capture: &Path, sink: &mut dyn Sink) -> Inspector {
        let options = ReadOptions { follow: false, progress: None };
        let mut source = scap::open(&[capture.to_owned()], &options).unwrap();
        let mut inspector = Inspector::default();
        source.load_state(&mut inspector.state).unwrap();
        let mut pipeline = Pipeline::new(Rules { show_internal: true, ..Rules::default() });
        pipeline.run(source.as_mut(), &mut inspector, sink, &AtomicBool::new(false)).unwrap();
        inspector
    }

    fn compare(view: &View, capture: &Path) -> bool {
        let filter = at_depth(&view.filter, 0);
        let filter = (!filter.is_empty()).then(|| Filter::compile(&filter).unwrap());
        let new = || Tally::new(Subject::Table(Layout::new(view, true, 0).unwrap()), filter.clone());
        let mut whole = Part(new());
        let inspector = pass(capture, &mut whole);
        let parts = new().parts().unwrap();
        let part = Part(parts.begin());
        let mut parted = Parted { whole: new(), parts: &parts, part, left: EVENTS };
        pass(capture, &mut parted);
        let Part(mut whole) = whole;
        let Parted { whole: mut merged, part: Part(mut last), .. } = parted;
        let ts = whole.reading.last_ts;
        whole.add_threads(&inspector.state, ts);
        last.add_threads(&inspector.state, ts);
        merged.add_part(last);
        let (Gathering::Table(whole), Gathering::Table(merged)) = (&whole.gathering, &merged.gathering)
        else {
            panic!("a table stays one");
        };
        let samples = [whole, merged].map(|table| table.sample(std::time::Duration::from_secs(3)));
        let [one, other] = &samples;
        assert_eq!(one.rows, other.rows, "{}", view.id);
        assert_eq!((one.overflow, one.events), (other.overflow, other.events), "{}", view.id);
        !one.rows.is_empty()
    }

    #[test]
    fn parts_of_a_capture_give_the_table_of_the_whole() {
        let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
        let captures = ["head-e-sockets.scap.gz", "bencer_example5_httpd-b54af3d.scap.gz"]
            .map(|name| captures.join(name));
        let (catalog, _) = Catalog::load(&[]);
        let tables = catalog.all().iter().filter(|view| view.kind != Kind::Spectrogram);
        let is_filled = |view: &View| captures.iter().filter(|capture| compare(view, capture)).count() > 0;
        let filled = tables.filter(|view| is_filled(view)).count();
        assert!(filled > 20, "{filled} views have rows");
    }

    /// A file with these bytes that goes when it is dropped.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("tracer-portions-{}-{name}", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn unpacked(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures").join(name);
        let mut bytes = Vec::new();
        MultiGzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn compare_sections(view: &View, capture: &Path) -> bool {
        let filter = at_depth(&view.filter, 0);
        let filter = (!filter.is_empty()).then(|| Filter::compile(&filter).unwrap());
        let new = || {
            let mut tally = Tally::new(Subject::Table(Layout::new(view, true, 0).unwrap()), filter.clone());
            tally.reading.activity = Some(Activity::default());
            tally
        };
        let mut whole = Part(new());
        let inspector = pass(capture, &mut whole);
        let Part(mut whole) = whole;
        let ts = whole.reading.last_ts;
        whole.add_threads(&inspector.state, ts);
        let mut merged = new();
        let parts = merged.parts().unwrap();
        assert!(parts.are_of_sections(), "{}", view.id);
        let (sections, first) = SectionedCapture::find(capture, 100_000).unwrap().unwrap();
        let progress = Arc::default();
        let shared = OfSections::new(&sections, first, &progress);
        let mut count = 0;
        let take = |made: Made| {
            made.result.unwrap();
            merged.add_part(made.tally);
            count += 1;
        };
        gather(&shared, usize::MAX, &parts, &AtomicBool::new(false), take).unwrap();
        assert!(count > 2);
        assert_eq!(progress.load(Ordering::Relaxed), capture.metadata().unwrap().len());
        let (Gathering::Table(whole_table), Gathering::Table(table)) = (&whole.gathering, &merged.gathering)
        else {
            panic!("a table stays one");
        };
        let samples = [whole_table, table].map(|table| table.sample(std::time::Duration::from_secs(3)));
        let [one, other] = &samples;
        assert_eq!(one.rows, other.rows, "{}", view.id);
        assert_eq!((one.overflow, one.events), (other.overflow, other.events), "{}", view.id);
        let (one, other) = (&whole.reading, &merged.reading);
        assert_eq!((one.events, one.first_ts, one.last_ts), (other.events, other.first_ts, other.last_ts));
        let columns =
            |reading: &Reading| reading.activity.as_ref().unwrap().columns(one.first_ts, one.last_ts, 50);
        assert_eq!(columns(one), columns(other));
        !samples[0].rows.is_empty()
    }

    #[test]
    fn sections_read_at_the_same_time_give_the_table_of_the_whole() {
        let names =
            ["head-e-sockets.scap.gz", "bencer_example5_httpd-b54af3d.scap.gz", "head-e-sockets.scap.gz"];
        let file = Scratch::new("joined", &names.map(unpacked).concat());
        let (catalog, _) = Catalog::load(&[]);
        let tables = catalog.all().iter().filter(|view| view.kind != Kind::Spectrogram);
        // What the columns are is of no account for how sections are put together.
        let filled = tables.step_by(4).filter(|view| compare_sections(view, &file.0)).count();
        assert!(filled > 4, "{filled} views have rows");
    }

    #[test]
    fn what_is_no_section_changes_nothing() {
        let one = unpacked("head-e-sockets.scap.gz");
        let block = |body: &[u8]| {
            let len = (body.len() as u32 + 12).to_le_bytes();
            [&0x7777_u32.to_le_bytes()[..], &len, body, &len].concat()
        };
        // A block of a kind that nobody knows, with a capture in it.
        let full = block(&[vec![0; PORTION as usize], one.clone()].concat());
        let reports = [("full", full), ("empty", block(&[]))].map(|(name, block)| {
            let file = Scratch::new(name, &[one.as_slice(), &block, &one].concat());
            assert_eq!(SectionedCapture::find(&file.0, PORTION).unwrap().is_some(), name == "full");
            let (catalog, _) = Catalog::load(&[]);
            let layout = Layout::new(catalog.by_id("procs").unwrap(), false, 0).unwrap();
            let watch = Watch::start(From::Files(vec![file.0.clone()])).unwrap();
            watch.ask(Request::Watch(Box::new(Order {
                number: 1,
                subject: Subject::Table(layout),
                filter: None,
                interval: std::time::Duration::from_secs(2),
                every_interval: false,
                window: None,
            })));
            let mut rows = Vec::new();
            loop {
                match watch.reports.recv().unwrap() {
                    Report::Sample { sample, .. } => rows = sample.rows,
                    Report::Reading { reading, .. } if reading.is_over => break (rows, reading.events),
                    Report::Failed(why) | Report::Ended(why) => panic!("{why}"),
                    _ => {}
                }
            }
        });
        assert!(!reports[0].0.is_empty() && reports[0] == reports[1]);
    }
}
