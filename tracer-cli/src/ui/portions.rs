//! A table of a capture with an index, filled by several threads.
//!
//! Each takes the next portion, with a state, a filter and a table of its own. The tables are put together in the order
//! of the capture, so that the result is that of reading it from the beginning to the end.

use super::tally::{Parts, Tally};
use crate::event::Event;
use crate::pipeline::{Pipeline, PipelineError, Rules};
use crate::scap::{IndexedCapture, Portion, PortionSource, Portions};
use crate::schema::TypeSet;
use crate::sink::{Sink, Unshown};
use crate::source::{Source, SourceCounts};
use crate::state::Context;
use crate::state::inspector::Inspector;
use crate::state::thread::Thread;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes of events that a thread takes at once: much more than a state to begin with.
pub const PORTION: u64 = 16 << 20;

/// What came out of one portion.
pub struct Made {
    pub tally: Tally,
    pub counts: SourceCounts,
    pub result: Result<(), PipelineError>,
    /// Nothing of what is behind it was read.
    is_end: bool,
}

/// What the threads share.
struct Work<'a> {
    capture: &'a Arc<IndexedCapture>,
    portions: &'a [Portion],
    parts: &'a Parts,
    stop: &'a AtomicBool,
    /// The portion that nobody has taken yet.
    next: AtomicUsize,
    /// Nobody wants what was not handed over yet.
    halt: AtomicBool,
}

/// Hands what comes out of each portion to `take`, in order, until `stop` becomes true or one fails. The last one has rows
/// of all threads there are at its end.
///
/// # Errors
/// The system has no room for a thread.
pub fn gather(
    capture: &Arc<IndexedCapture>,
    portions: &[Portion],
    parts: &Parts,
    stop: &AtomicBool,
    take: impl FnMut(Made),
) -> io::Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(portions.len());
    let (next, halt) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = Work { capture, portions, parts, stop, next, halt };
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

impl Work<'_> {
    /// Reads portions until there are no more.
    fn run(&self, made: &SyncSender<(usize, Made)>) {
        let mut inspector = Inspector::default();
        while !self.halt.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(portion) = self.portions.get(number) else { return };
            let made_of_it = self.read(portion, &mut inspector, number + 1 == self.portions.len());
            if made.send((number, made_of_it)).is_err() {
                return;
            }
        }
    }

    fn read(&self, portion: &Portion, inspector: &mut Inspector, is_last: bool) -> Made {
        let list = vec![portion.clone()];
        let portions = Portions { list, ..Portions::default() };
        let mut source = PortionSource::new(Arc::clone(self.capture), portions);
        let mut part = Part(self.parts.begin());
        let mut pipeline = Pipeline::new(Rules { show_internal: true, ..Rules::default() });
        let result = pipeline.run(&mut source, inspector, &mut part, self.stop);
        let Part(mut tally) = part;
        let is_end = is_last || result.is_err() || self.stop.load(Ordering::Relaxed);
        if is_end {
            let ts = tally.reading.last_ts;
            tally.add_threads(&inspector.state, ts);
        }
        Made { tally, counts: source.counts(), result, is_end }
    }
}

/// The sink of a portion.
struct Part(Tally);

impl Sink for Part {
    #[inline]
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        self.count(context);
        Ok(())
    }

    fn unshown(&mut self, _: &Context<'_>, _: Unshown) -> io::Result<()> {
        self.0.reading.events += 1;
        Ok(())
    }

    fn unwanted(&self) -> TypeSet {
        self.0.unwanted()
    }

    #[inline]
    fn pass_over(&mut self, event: &Event<'_>) {
        self.0.pass_over(event);
    }

    fn counted(&self) -> TypeSet {
        self.0.counted()
    }

    #[inline]
    fn count(&mut self, context: &Context<'_>) {
        self.0.note(context.event.ts);
        self.0.gather(context);
    }

    fn sees_usage(&self) -> bool {
        self.0.sees_usage()
    }

    fn glanced(&self) -> TypeSet {
        self.0.glanced()
    }

    #[inline]
    fn glance(&mut self, event: &Event<'_>, thread: Option<&Thread>, lives: u64) -> bool {
        self.0.glance(event, thread, lives)
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
    use super::super::aggregate::Layout;
    use super::super::catalog::Catalog;
    use super::super::tally::Gathering;
    use super::super::view::{Kind, View, at_depth};
    use super::super::watch::Subject;
    use super::*;
    use crate::filter::Filter;
    use crate::scap::{self, ReadOptions};
    use std::path::Path;

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
}
