//! Portions of a capture analysed by several threads, with the output in the order of the capture.
//!
//! Each thread takes the next portion, with an inspector, a filter and a buffer of its own. What they
//! made is written in order; those that are ahead wait, so that memory holds few portions.

use crate::fields::ExtractOptions;
use crate::output::Silent;
use crate::output::report::Totals;
use crate::output::summary::Summary;
use crate::output::text::{Format, Lines};
use crate::pipeline::{Pipeline, PipelineError, Rules};
use crate::scap::{IndexedCapture, Portion, PortionSource, Portions};
use crate::source::{Source, SourceCounts, SourceError};
use crate::state::inspector::Inspector;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether somebody wants to stop.
const PATIENCE: Duration = Duration::from_millis(50);
/// Portions for each thread that may be made ahead of what is written.
const AHEAD: usize = 2;

/// What is done with every portion.
pub struct Work {
    pub capture: Arc<IndexedCapture>,
    /// Without limits on the number of events and the time.
    pub rules: Rules,
    /// `None`: nothing is shown.
    pub format: Option<Format>,
    pub options: ExtractOptions,
    pub threads: usize,
}

/// What came out of all portions.
#[derive(Default)]
pub struct Outcome {
    pub totals: Totals,
    pub summary: Option<Summary>,
    pub counts: SourceCounts,
}

/// What came out of one.
struct Made {
    lines: Vec<u8>,
    totals: Totals,
    summary: Option<Summary>,
    counts: SourceCounts,
    result: Result<(), PipelineError>,
}

impl Work {
    /// Does it, and writes the lines to `out` in order, until `stop` becomes true.
    ///
    /// # Errors
    /// The first that reading in order would have met; what comes before was written. Output that nobody
    /// reads any more ends the run like any other end.
    pub fn run(
        self,
        portions: Portions,
        out: &mut dyn Write,
        stop: &AtomicBool,
    ) -> (Outcome, Result<(), PipelineError>) {
        let begin = Instant::now();
        let mut outcome = Outcome::default();
        outcome.counts.late = portions.late;
        outcome.counts.unknown = portions.unknown;
        let halt = AtomicBool::new(false);
        let threads = self.threads.min(portions.list.len()).max(1);
        let workers: Vec<Worker> = (0..threads).map(|_| self.worker()).collect();
        let result = thread::scope(|scope| {
            let ahead = threads * AHEAD;
            let (orders, taken) = sync_channel::<(usize, Portion)>(ahead);
            let taken = Arc::new(Mutex::new(taken));
            let (made, results) = sync_channel(ahead);
            for worker in workers {
                let (taken, made, halt) = (Arc::clone(&taken), made.clone(), &halt);
                let spawned = thread::Builder::new()
                    .name("analyse".to_owned())
                    .spawn_scoped(scope, move || worker.work(&taken, &made, halt));
                if let Err(cause) = spawned {
                    return Err(SourceError::Io { what: "threads".to_owned(), cause }.into());
                }
            }
            drop(made);
            let result = collect(portions.list, orders, &results, out, stop, &mut outcome, ahead);
            // Whoever waits to hand over more than anybody wants is to end.
            halt.store(true, Ordering::Relaxed);
            drop(results);
            result
        });
        outcome.totals.elapsed = begin.elapsed();
        let result = result.and_then(|()| Ok(out.flush()?));
        match result {
            Err(PipelineError::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => (outcome, Ok(())),
            result => (outcome, result),
        }
    }

    fn worker(&self) -> Worker {
        Worker {
            capture: Arc::clone(&self.capture),
            rules: self.rules.clone(),
            format: self.format.clone(),
            options: self.options.clone(),
        }
    }
}

/// Hands out the portions and writes what was made of them, in order.
fn collect(
    portions: Vec<Portion>,
    orders: SyncSender<(usize, Portion)>,
    results: &Receiver<(usize, Made)>,
    out: &mut dyn Write,
    stop: &AtomicBool,
    outcome: &mut Outcome,
    ahead: usize,
) -> Result<(), PipelineError> {
    let mut portions = portions.into_iter().enumerate();
    let mut orders = Some(orders);
    let mut order = |orders: &mut Option<SyncSender<_>>| match portions.next() {
        // Nobody takes it when all threads have ended; then there are no results either.
        Some(portion) => _ = orders.as_ref().map(|orders| orders.send(portion)),
        None => *orders = None,
    };
    (0..ahead).for_each(|_| order(&mut orders));
    let mut waiting: BTreeMap<usize, Made> = BTreeMap::new();
    let mut next = 0;
    loop {
        while let Some(made) = waiting.remove(&next) {
            next += 1;
            order(&mut orders);
            outcome.add(&made);
            out.write_all(&made.lines)?;
            made.result?;
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        match results.recv_timeout(PATIENCE) {
            Ok((number, made)) => _ = waiting.insert(number, made),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

impl Outcome {
    fn add(&mut self, made: &Made) {
        self.totals.events += made.totals.events;
        self.totals.passed += made.totals.passed;
        self.totals.suppressed += made.totals.suppressed;
        self.counts.late += made.counts.late;
        self.counts.unknown += made.counts.unknown;
        match (&mut self.summary, &made.summary) {
            (Some(all), Some(part)) => all.add(part),
            (all, part) => *all = all.take().or_else(|| part.clone()),
        }
    }
}

/// What a thread has of its own.
struct Worker {
    capture: Arc<IndexedCapture>,
    rules: Rules,
    format: Option<Format>,
    options: ExtractOptions,
}

impl Worker {
    fn work(
        self,
        orders: &Mutex<Receiver<(usize, Portion)>>,
        made: &SyncSender<(usize, Made)>,
        halt: &AtomicBool,
    ) {
        let mut inspector = Inspector::default();
        loop {
            let order = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, portion)) = order else { return };
            if made.send((number, self.analyse(portion, &mut inspector, halt))).is_err() {
                return;
            }
        }
    }

    fn analyse(&self, portion: Portion, inspector: &mut Inspector, halt: &AtomicBool) -> Made {
        let portions = Portions { list: vec![portion], ..Portions::default() };
        let mut source = PortionSource::new(Arc::clone(&self.capture), portions);
        let mut pipeline = Pipeline::new(self.rules.clone());
        let mut lines = Vec::new();
        let result = match &self.format {
            None => pipeline.run(&mut source, inspector, &mut Silent, halt),
            Some(format) => {
                let mut sink = Lines::part_of(&mut lines, format.clone(), self.options.clone());
                pipeline.run(&mut source, inspector, &mut sink, halt)
            }
        };
        Made {
            lines,
            totals: pipeline.totals().clone(),
            summary: pipeline.summary().cloned(),
            counts: source.counts(),
            result,
        }
    }
}
