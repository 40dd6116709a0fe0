//! The way of every event: source → inspector → filter → sink.
//!
//! The order of the steps is part of what users see. Every event gets a number and is applied to
//! the state, shown or not. What the filter refuses then does not exist for `-n` and `-S`; a display
//! filter (`-d`) comes after both. Internal events (notes of the probe or the recorder about a
//! process, not something it did) count for `-n` and `-S` and are not shown.

use crate::event::EventBits;
use crate::fields::{ExtractOptions, Extraction};
use crate::filter::Filter;
use crate::output::Sink;
use crate::output::report::Totals;
use crate::output::summary::Summary;
use crate::schema::Category;
use crate::source::{Next, Source, SourceError};
use crate::state::inspector::Inspector;
use crate::state::Context;
use bstr::BString;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// What happens to events between the source and the sink.
#[derive(Default)]
pub struct Pipeline {
    /// Events that it refuses only change the state.
    pub filter: Option<Filter>,
    /// Events that it refuses are counted but not shown.
    pub display_filter: Option<Filter>,
    /// Internal events are shown too (`-D`).
    pub show_internal: bool,
    /// Stop after so many events that passed the filter.
    pub max_events: Option<u64>,
    /// Stop at events so much later than the first, or when so much time has passed without events.
    pub max_time: Option<Duration>,
    /// Names of programs whose events are left out.
    pub suppressed: Vec<BString>,
    /// Counts what passed the filter.
    pub summary: Option<Summary>,
    totals: Totals,
    scratch: Vec<u8>,
    filter_options: ExtractOptions,
}

/// What the steps before the sink decided about an event.
enum Verdict {
    /// It is not for this run.
    Drop,
    /// It is counted and not shown.
    Hide,
    Show,
}

impl Pipeline {
    /// Moves events until the source ends, a limit is reached or `stop` becomes true; then what the
    /// source already holds is still delivered. The sink is finished in every case.
    ///
    /// # Errors
    /// A source that fails and output that cannot be written. Output that nobody reads any more
    /// ends the run like any other end.
    pub fn run(
        &mut self,
        source: &mut dyn Source,
        inspector: &mut Inspector,
        sink: &mut dyn Sink,
        stop: &AtomicBool,
    ) -> Result<(), PipelineError> {
        let begin = Instant::now();
        let result = self.move_events(source, inspector, sink, stop);
        source.stop();
        self.totals.elapsed = begin.elapsed();
        match result.and_then(|()| Ok(sink.finish()?)) {
            Err(PipelineError::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => {
                if result.is_err() {
                    // Show what came before the failure; the failure itself is what is reported.
                    let _ = sink.finish();
                }
                result
            }
        }
    }

    /// Figures of the run so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    fn move_events(
        &mut self,
        source: &mut dyn Source,
        inspector: &mut Inspector,
        sink: &mut dyn Sink,
        stop: &AtomicBool,
    ) -> Result<(), PipelineError> {
        let begin = Instant::now();
        let mut first_ts = None;
        let mut stopping = false;
        while self.max_events.is_none_or(|max| self.totals.passed < max) {
            if !stopping && stop.load(Ordering::Relaxed) {
                source.stop();
                stopping = true;
            }
            let mut event = match source.next()? {
                Next::Event(event) => event,
                Next::Idle => {
                    sink.flush()?;
                    if self.max_time.is_some_and(|max| begin.elapsed() >= max) {
                        break;
                    }
                    continue;
                }
                Next::End => break,
            };
            let ts = event.ts;
            let past = Duration::from_nanos(ts.saturating_sub(*first_ts.get_or_insert(ts)));
            if self.max_time.is_some_and(|max| past >= max) {
                break;
            }
            self.totals.events += 1;
            event.num = self.totals.events;

            let binding = inspector.apply(&event);
            let context = Context { event: &event, state: inspector.state(), binding };
            let verdict = self.judge(context);
            let written = match verdict {
                Verdict::Show => sink.event(&context),
                Verdict::Drop | Verdict::Hide => Ok(()),
            };
            inspector.finish(&event);
            written?;
        }
        Ok(())
    }

    #[inline]
    fn judge(&mut self, context: Context<'_>) -> Verdict {
        let event = context.event;
        if !self.suppressed.is_empty() && self.is_suppressed(&context) {
            self.totals.suppressed += 1;
            return Verdict::Drop;
        }
        if event.bits.contains(EventBits::STATE_ONLY) || !passes(&self.filter, context, &self.filter_options, &mut self.scratch) {
            return Verdict::Drop;
        }
        self.totals.passed += 1;
        if let Some(summary) = &mut self.summary {
            summary.count(event);
        }
        let is_hidden = !self.show_internal && event.info().category == Category::Internal;
        if is_hidden || !passes(&self.display_filter, context, &self.filter_options, &mut self.scratch) {
            return Verdict::Hide;
        }
        Verdict::Show
    }

    fn is_suppressed(&self, context: &Context<'_>) -> bool {
        context.thread().is_some_and(|thread| self.suppressed.contains(&thread.comm))
    }
}

#[inline]
fn passes(filter: &Option<Filter>, context: Context<'_>, options: &ExtractOptions, scratch: &mut Vec<u8>) -> bool {
    let Some(filter) = filter else { return true };
    let extraction = Extraction::new(context, options, std::mem::take(scratch));
    let passed = filter.matches(&extraction);
    *scratch = extraction.into_scratch();
    passed
}
