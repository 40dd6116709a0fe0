//! A source that tells the screen what was lost and how far behind the events are.

use super::watch::Report;
use crate::source::{LookUp, Next, Source, SourceCounts, SourceError};
use crate::state::State;
use crate::state::inspector::Inspector;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two reports.
const INTERVAL: Duration = Duration::from_millis(500);
/// Events between looks at the clock.
const CLOCK_INTERVAL: u32 = 1024;

pub(super) struct Observed<S> {
    source: S,
    reports: SyncSender<Report>,
    told: Instant,
    /// Events until the next look at the clock.
    countdown: u32,
    /// Time of the last event, ns since the epoch; `None` when all were delivered.
    ts: Option<u64>,
}

impl<S: Source> Observed<S> {
    pub fn new(source: S, reports: SyncSender<Report>) -> Self {
        Self { source, reports, told: Instant::now(), countdown: CLOCK_INTERVAL, ts: None }
    }

    #[cold]
    fn look(&mut self) {
        self.countdown = CLOCK_INTERVAL;
        if self.told.elapsed() < INTERVAL {
            return;
        }
        self.told = Instant::now();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let lag = self.ts.map_or(Duration::ZERO, |ts| now.saturating_sub(Duration::from_nanos(ts)));
        // The screen has more to do than it can: it gets the next one.
        let _ = self.reports.try_send(Report::Source { counts: self.source.counts(), lag });
    }
}

impl<S: Source> Source for Observed<S> {
    fn load_state(&mut self, state: &mut State) -> Result<(), SourceError> {
        self.source.load_state(state)
    }

    #[inline]
    fn next(&mut self) -> Result<Next<'_>, SourceError> {
        if self.countdown == 0 {
            self.look();
        }
        let next = self.source.next()?;
        match &next {
            Next::Event(event) => {
                self.countdown -= 1;
                self.ts = Some(event.ts);
            }
            Next::Idle => (self.countdown, self.ts) = (0, None),
            _ => {}
        }
        Ok(next)
    }

    fn resume(&mut self, inspector: &mut Inspector) -> Result<u64, SourceError> {
        self.source.resume(inspector)
    }

    fn stop(&mut self) {
        self.source.stop();
    }

    fn counts(&mut self) -> SourceCounts {
        self.source.counts()
    }

    fn look_up(&self) -> LookUp {
        self.source.look_up()
    }

    fn is_alive(&self, tid: i64) -> bool {
        self.source.is_alive(tid)
    }
}
