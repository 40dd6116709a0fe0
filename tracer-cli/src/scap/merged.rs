//! Several captures as one stream, in the order of time.
//!
//! Captures may have been made on two machines, or twice on the same one: what a number of a process or an
//! fd means is different in each. So each keeps a state of its own, and the inspector that the pipeline holds
//! is exchanged whenever the next event is of another capture. Only the times (of the first event, and of the
//! event before) are those of the whole stream.
//!
//! A capture is opened when its first event is due, so that a hundred files of a rotation take no more memory
//! than one. One that begins after all before it have ended is a recording of its own, counted anew.

use super::file::ReadOptions;
use super::reader::{Ahead, CaptureSource};
use crate::event::EventBits;
use crate::source::{LookUp, Next, Source, SourceCounts, SourceError};
use crate::state::State;
use crate::state::inspector::Inspector;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Opens one capture or several; of these the last one is followed, if that is asked for: the others are whole.
///
/// # Errors
/// No file is named, or one cannot be read up to its first event.
pub fn open(files: &[PathBuf], options: &ReadOptions) -> Result<Box<dyn Source>, SourceError> {
    match files {
        [] => Err(SourceError::Failed("no file to read".to_owned())),
        [file] => Ok(Box::new(CaptureSource::open(file, options.clone())?)),
        files => Ok(Box::new(MergedSource::open(files, options)?)),
    }
}

/// A capture whose first event is not due yet.
struct Waiting {
    first_ts: u64,
    file: PathBuf,
    options: ReadOptions,
    /// What was read of it already, where it can be read only once.
    opened: Option<(CaptureSource, Box<State>)>,
}

/// A capture in the middle of which another one's turn has come.
struct Parked {
    source: CaptureSource,
    inspector: Inspector,
    /// Time of its next event.
    next_ts: u64,
}

/// Several captures.
struct MergedSource {
    /// The one whose turn it is.
    current: Option<CaptureSource>,
    parked: Vec<Parked>,
    /// In the order of their first events.
    waiting: VecDeque<Waiting>,
    /// Time of an event of the current capture at which it is another one's turn.
    until: u64,
    /// Time of the event of the current capture that waits.
    next_ts: u64,
    /// Events since the present recording began.
    delivered: u64,
    stopped: bool,
    /// Of captures that ended.
    counts: SourceCounts,
}

impl MergedSource {
    fn open(files: &[PathBuf], options: &ReadOptions) -> Result<Self, SourceError> {
        let mut waiting = Vec::with_capacity(files.len());
        let last = files.len().saturating_sub(1);
        for (i, file) in files.iter().enumerate() {
            let follow = options.follow && i == last;
            waiting.push(Waiting::find(file, ReadOptions { follow, ..options.clone() })?);
        }
        // Those of the same time stay in the order in which they were named.
        waiting.sort_by_key(|waiting| waiting.first_ts);
        Ok(Self {
            current: None,
            parked: Vec::new(),
            waiting: waiting.into(),
            until: 0,
            next_ts: 0,
            delivered: 0,
            stopped: false,
            counts: SourceCounts::default(),
        })
    }

    /// Of the parked captures the one with the next event.
    fn earliest(&self) -> Option<(usize, u64)> {
        self.parked.iter().map(|parked| parked.next_ts).enumerate().min_by_key(|(_, ts)| *ts)
    }

    /// What is to be said of the capture whose turn it is now.
    fn turn(&self) -> Next<'static> {
        let begins = self.waiting.front().map(|waiting| waiting.first_ts);
        match (self.earliest(), begins) {
            (Some((_, ts)), Some(begins)) if begins < ts => Next::Joined,
            (Some(_), _) => Next::Resume,
            (None, Some(_)) if self.current.is_some() => Next::Joined,
            (None, Some(_)) => Next::Recording,
            (None, None) => Next::End,
        }
    }

    /// When the turn of the current capture ends.
    fn set_until(&mut self) {
        let begins = self.waiting.front().map(|waiting| waiting.first_ts);
        self.until = self.earliest().map(|(_, ts)| ts).into_iter().chain(begins).min().unwrap_or(u64::MAX);
    }

    fn end_current(&mut self) {
        if let Some(mut ended) = self.current.take() {
            add(&mut self.counts, &ended.counts());
        }
    }

    /// Begins to read the next capture that waits.
    fn start(&mut self, state: &mut State) -> Result<Option<CaptureSource>, SourceError> {
        let Some(waiting) = self.waiting.pop_front() else { return Ok(None) };
        waiting.start(state).map(Some)
    }
}

impl Waiting {
    /// Reads a capture up to its first event.
    fn find(file: &Path, options: ReadOptions) -> Result<Self, SourceError> {
        let is_regular = file.is_file();
        let follow = options.follow;
        let waiting = Self { first_ts: u64::MAX, file: file.to_owned(), options, opened: None };
        if !is_regular {
            let mut source = CaptureSource::open(file, waiting.options.clone())?;
            let mut state = Box::<State>::default();
            source.load_state(&mut state)?;
            let first_ts = loop {
                match source.peek()? {
                    Ahead::Event(ts) => break ts,
                    Ahead::NotYet => _ = source.next()?,
                    // To know more is to read on: its turn comes at once, and ends at its first event.
                    Ahead::Other => break 0,
                    Ahead::End => break u64::MAX,
                }
            };
            return Ok(Self { first_ts, opened: Some((source, state)), ..waiting });
        }
        match first_ts(file) {
            Ok(first_ts) => Ok(Self { first_ts, ..waiting }),
            // Nothing has been written to it yet.
            Err(_) if follow => Ok(waiting),
            Err(e) => Err(e),
        }
    }

    /// The capture, before its first event.
    fn start(self, state: &mut State) -> Result<CaptureSource, SourceError> {
        if let Some((source, loaded)) = self.opened {
            *state = *loaded;
            return Ok(source);
        }
        let mut source = CaptureSource::open(&self.file, self.options)?;
        source.load_state(state)?;
        Ok(source)
    }
}

/// Time of the first event of a file; one without any is read behind all others.
fn first_ts(file: &Path) -> Result<u64, SourceError> {
    // What is read twice is counted once.
    let mut source = CaptureSource::open(file, ReadOptions::default())?;
    let mut state = State::default();
    source.load_state(&mut state)?;
    loop {
        match source.peek()? {
            Ahead::Event(ts) => return Ok(ts),
            Ahead::End => return Ok(u64::MAX),
            Ahead::NotYet | Ahead::Other => {
                if let Next::Section = source.next()? {
                    source.load_state(&mut state)?;
                }
            }
        }
    }
}

fn add(sum: &mut SourceCounts, counts: &SourceCounts) {
    sum.late += counts.late;
    sum.unknown += counts.unknown;
}

impl Source for MergedSource {
    fn load_state(&mut self, state: &mut State) -> Result<(), SourceError> {
        if let Some(current) = &mut self.current {
            return current.load_state(state);
        }
        self.current = self.start(state)?;
        self.delivered = 0;
        self.set_until();
        Ok(())
    }

    fn next(&mut self) -> Result<Next<'_>, SourceError> {
        if self.stopped {
            return Ok(Next::End);
        }
        match self.current.as_mut().map_or(Ok(Ahead::End), CaptureSource::peek)? {
            Ahead::Event(ts) if ts > self.until => {
                self.next_ts = ts;
                return Ok(self.turn());
            }
            Ahead::End => {
                self.end_current();
                return Ok(self.turn());
            }
            Ahead::Event(_) | Ahead::Other | Ahead::NotYet => {}
        }
        let Some(current) = &mut self.current else { return Ok(Next::End) };
        let next = current.next()?;
        if let Next::Event(event) = &next {
            self.delivered += u64::from(!event.bits.contains(EventBits::EARLY));
        }
        Ok(next)
    }

    fn resume(&mut self, inspector: &mut Inspector) -> Result<u64, SourceError> {
        let clock = inspector.clock().clone();
        let begins = self.waiting.front().map(|waiting| waiting.first_ts);
        let (source, next) = match self.earliest() {
            Some((i, ts)) if begins.is_none_or(|begins| ts <= begins) => {
                let Parked { source, inspector, .. } = self.parked.swap_remove(i);
                (Some(source), inspector)
            }
            _ => {
                let mut next = inspector.another();
                let mut source = self.start(&mut next.state)?;
                next.forget_unwanted();
                if let Some(source) = &mut source {
                    source.join();
                }
                (source, next)
            }
        };
        let before = std::mem::replace(inspector, next);
        if let Some(source) = std::mem::replace(&mut self.current, source) {
            self.parked.push(Parked { source, inspector: before, next_ts: self.next_ts });
        }
        inspector.resume(clock);
        self.set_until();
        Ok(self.delivered)
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn counts(&mut self) -> SourceCounts {
        let mut counts = self.counts.clone();
        let parked = self.parked.iter_mut().map(|parked| &mut parked.source);
        self.current.iter_mut().chain(parked).for_each(|source| add(&mut counts, &source.counts()));
        counts
    }

    /// The threads of this machine are not those of the captures.
    fn look_up(&self) -> LookUp {
        Box::new(|_| None)
    }
}
