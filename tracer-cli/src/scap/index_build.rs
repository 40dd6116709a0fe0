//! Makes the index of a capture by reading it, as any reader does: what the index says is what a reader
//! finds, whatever the recorder knew.

use super::checkpoint::{self, Base};
use super::index::{Contents, EventKey, Facts, Frame, MAX_VALUES, Record};
use super::index_bytes::Texts;
use super::reader::CaptureSource;
use crate::event::{Event, EventBits};
use crate::schema::{Class, EventType};
use crate::source::{Next, Source, SourceError};
use crate::state::Context;
use crate::state::containers::Place;
use crate::state::inspector::Inspector;
use bstr::BString;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// A border between two frames of a compressed file: where the second begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Border {
    /// In what was decompressed.
    pub start: u64,
    /// In the file.
    pub offset: u64,
}

/// The borders of a compressed file, as far as they were read; the one who reads the file tells them to
/// the one who makes the index.
#[derive(Debug, Clone, Default)]
pub(super) struct Borders(Arc<Mutex<VecDeque<Border>>>);

impl Borders {
    pub fn push(&self, border: Border) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(border);
    }

    /// Takes the borders up to `start`; returns the last of them.
    fn take_until(&self, start: u64) -> Option<Border> {
        let mut borders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = None;
        while borders.front().is_some_and(|border| border.start <= start) {
            last = borders.pop_front();
        }
        last
    }
}

/// How fine an index is.
#[derive(Debug, Clone, Copy)]
pub struct Granularity {
    /// Bytes of events from which on a frame may end where a compressed one does …
    pub frame: u64,
    /// … and within one.
    pub part: u64,
    /// Bytes of events from which on the state is written again …
    pub checkpoint: u64,
    /// … and so many to each byte that the state had the last time …
    pub to_state: u64,
    /// … and so many of the file to each byte that the checkpoint had.
    pub to_checkpoint: u64,
}

impl Default for Granularity {
    fn default() -> Self {
        Self { frame: 256 << 10, part: 1 << 20, checkpoint: 1 << 20, to_state: 1, to_checkpoint: 100 }
    }
}

/// Threads of which it is known that nothing of them is new to a frame.
const NOTED: usize = 256;

/// Frames are handed out when so many bytes of events are in them: together they take less room.
const TOGETHER: u64 = 4 << 20;

/// Bytes of a compressed frame behind which no frame begins: a reader has to decompress what is before.
const REACH: u64 = 16 << 20;

/// A state of which compression leaves more than one in so many bytes is no longer like its base.
const LIKENESS: usize = 10;

/// Makes an index.
pub(super) struct Builder {
    source: CaptureSource,
    inspector: Inspector,
    /// `None`: the file is not compressed, and a frame may begin at any event.
    borders: Option<Borders>,
    /// The compressed frame that is being read.
    packed: Border,
    granularity: Granularity,
    frame: Frame,
    /// Frames that end within that one: they are handed out together.
    finished: Vec<Frame>,
    /// Number of the frame.
    number: u64,
    /// What the present frame has.
    found: Found,
    counted: u64,
    /// An amendment came, and the event that it belongs to not yet.
    is_amended: bool,
    unknown_before: u64,
    /// Where the last checkpoint is in what was decompressed, and how large its state.
    checked_at: u64,
    checked_size: u64,
    /// The same in the file.
    packed_at: u64,
    packed_size: u64,
    base: Option<Base>,
}

/// Takes the records; returns what keeps them from being written.
pub(super) type Emit<'a> = &'a mut dyn FnMut(Record) -> io::Result<()>;

impl Builder {
    /// Of a capture that `source` reads from its beginning.
    pub fn new(source: CaptureSource, borders: Option<Borders>, granularity: Granularity) -> Self {
        Self {
            source,
            inspector: Inspector::default(),
            borders,
            packed: Border::default(),
            granularity,
            frame: Frame::default(),
            finished: Vec::new(),
            number: 0,
            found: Found::default(),
            counted: 0,
            is_amended: false,
            unknown_before: 0,
            checked_at: 0,
            checked_size: 0,
            packed_at: 0,
            packed_size: 0,
            base: None,
        }
    }

    /// Of the rest of a capture, from `frame` on, which has this number and before which the state is that of
    /// `inspector`. It gets no checkpoints.
    pub fn of_rest(source: CaptureSource, inspector: Inspector, frame: Frame, number: u64) -> Self {
        let counted = frame.events_before;
        let granularity = Granularity { checkpoint: u64::MAX, ..Granularity::default() };
        Self { inspector, frame, number, counted, ..Self::new(source, None, granularity) }
    }

    /// Reads a capture from its beginning to its end and hands each record to `emit`, in the order of the file. The
    /// last frame is handed out even if reading fails behind it.
    ///
    /// # Errors
    /// The capture is damaged, or a record cannot be written.
    pub fn run(mut self, emit: Emit<'_>) -> Result<Facts, SourceError> {
        self.source.load_state(&mut self.inspector.state)?;
        self.run_on(emit)
    }

    /// As [`Builder::run`], from where the source is.
    ///
    /// # Errors
    /// As [`Builder::run`].
    pub fn run_on(mut self, emit: Emit<'_>) -> Result<Facts, SourceError> {
        let mut facts = Facts::of(&self.inspector.state.machine);
        let result = self.read(emit);
        facts.first_ts = self.inspector.clock().first_ts.unwrap_or(0);
        let start = self.source.offset();
        let end = self.borders.as_ref().map_or(Some(start), |b| b.take_until(start).map(|b| b.offset));
        let end = Border { start, offset: end.unwrap_or(self.packed.offset) };
        self.finish_frame(end, start, true, emit)?;
        result.map(|()| facts)
    }

    fn read(&mut self, emit: Emit<'_>) -> Result<(), SourceError> {
        loop {
            // What an amendment puts right is part of no state yet, and notes at the start of a section are not told from
            // others by who begins among them.
            if let Some(at) = self.source.look_ahead()?
                && !self.is_amended
                && !self.source.is_leading()
                && let Some(border) = self.border(at)
            {
                self.finish_frame(border, at, false, emit)?;
                self.begin_frame(border, at);
                self.check(at, emit)?;
            }
            let mut event = match self.source.next()? {
                Next::Event(event) => event,
                Next::Amendment(amendment) => {
                    self.inspector.amend_next(amendment);
                    self.is_amended = true;
                    continue;
                }
                Next::Section => {
                    self.inspector.begin_section();
                    self.source.load_state(&mut self.inspector.state)?;
                    continue;
                }
                Next::End => return Ok(()),
                Next::Idle | Next::Recording | Next::Resume | Next::Joined => continue,
            };
            self.is_amended = false;
            // Part of the state, and of no stream.
            if event.bits.contains(EventBits::EARLY) {
                self.inspector.apply(&event, &mut |_| None);
                continue;
            }
            self.counted += 1;
            event.num = self.counted;
            let binding = self.inspector.apply(&event, &mut |_| None);
            self.found.note(&Context { event: &event, state: &self.inspector.state, binding: &binding });
        }
    }

    /// Where the event at `at` is compressed, if it begins a frame.
    fn border(&mut self, at: u64) -> Option<Border> {
        let Some(borders) = &self.borders else {
            self.packed = Border { start: at, offset: at };
            return self.is_large(at, self.granularity.frame).then_some(self.packed);
        };
        if let Some(border) = borders.take_until(at) {
            self.packed = border;
        }
        let is_begun = match at - self.packed.start.min(at) {
            // What is left of a compressed frame is not to make reading the next one dearer.
            0 => self.is_large(at, self.granularity.frame) || self.frame.before > 0,
            before => before < REACH && self.is_large(at, self.granularity.part),
        };
        is_begun.then_some(self.packed)
    }

    /// Whether so many bytes are in the present frame. The state alone, with which a file begins, is not worth one.
    fn is_large(&self, at: u64, least: u64) -> bool {
        self.counted > self.frame.events_before && at - self.frame.start.min(at) >= least
    }

    fn begin_frame(&mut self, border: Border, start: u64) {
        self.number += 1;
        self.unknown_before = self.source.unknown();
        self.frame = Frame {
            offset: border.offset,
            before: start.saturating_sub(border.start),
            start,
            events_before: self.counted,
            ..Frame::default()
        };
    }

    /// Ends the present frame at `at`, which is in the compressed frame that begins at `border`, or the end.
    fn finish_frame(
        &mut self,
        border: Border,
        at: u64,
        is_last: bool,
        emit: Emit<'_>,
    ) -> Result<(), SourceError> {
        let mut frame = std::mem::take(&mut self.frame);
        frame.len = border.offset.saturating_sub(frame.offset);
        frame.size = at.saturating_sub(frame.start);
        frame.events = self.counted - frame.events_before;
        frame.unknown = self.source.unknown() - self.unknown_before;
        self.found.finish(&mut frame);
        let together = frame.start + frame.size;
        self.finished.push(frame);
        let begin = self.finished.first().map_or(0, |first| first.start);
        match border.start == at && (is_last || together - begin.min(together) >= TOGETHER) {
            true => emit(Record::Frames(std::mem::take(&mut self.finished))).map_err(unwritten),
            false => Ok(()),
        }
    }

    /// Writes a checkpoint at the beginning of the present frame if it is time for one.
    fn check(&mut self, at: u64, emit: Emit<'_>) -> Result<(), SourceError> {
        let Granularity { checkpoint, to_state, to_checkpoint, .. } = self.granularity;
        let wanted = checkpoint.max(self.checked_size.saturating_mul(to_state));
        let packed = self.packed_until(at);
        if at - self.checked_at.min(at) < wanted
            || packed.saturating_sub(self.packed_at) < self.packed_size.saturating_mul(to_checkpoint)
        {
            return Ok(());
        }
        self.inspector.settle();
        let blocks = checkpoint::blocks(&self.inspector.state, self.source.last_ts());
        let make = |base: Option<&mut Base>| {
            checkpoint::make(self.number, &self.source, &self.inspector, &blocks, base).map_err(unwritten)
        };
        let mut made = make(self.base.as_mut())?;
        self.checked_at = at;
        self.checked_size = blocks.len() as u64;
        self.packed_at = packed;
        if self.base.is_some() && made.state.0.len() > blocks.len() / LIKENESS {
            made = make(None)?;
        }
        self.packed_size = made.state.0.len() as u64;
        if made.base.is_none() {
            // Those that are compressed with it are smaller.
            self.packed_size /= LIKENESS as u64;
            self.base = Some(Base::new(self.number, &blocks).map_err(unwritten)?);
        }
        emit(Record::Checkpoint(made)).map_err(unwritten)
    }

    /// About where in the file what is at `at` when decompressed is.
    fn packed_until(&self, at: u64) -> u64 {
        let Border { start, offset } = self.packed;
        match start {
            0 => at,
            _ => (u128::from(at) * u128::from(offset) / u128::from(start)) as u64,
        }
    }
}

fn unwritten(cause: io::Error) -> SourceError {
    SourceError::Io { what: "the index".to_owned(), cause }
}

/// What was found in a frame so far.
#[derive(Default)]
struct Found {
    /// How many events of each type, by its number; of generic events, of each system call.
    types: Vec<u64>,
    calls: FxHashMap<EventKey, u64>,
    /// Threads that are in `threads` as they are now, at places by their numbers, with their [`Thread::changed`].
    ///
    /// [`Thread::changed`]: crate::state::thread::Thread::changed
    noted: Vec<(i64, u64)>,
    /// Threads that made events, each as it was with its last one.
    threads: FxHashMap<i64, Seen>,
    names: FxHashSet<BString>,
    pids: FxHashSet<i64>,
    containers: FxHashSet<BString>,
    /// Earliest and latest.
    times: Option<(u64, u64)>,
    late: u64,
}

/// What was known of a thread.
#[derive(Default)]
struct Seen {
    name: BString,
    pid: Option<i64>,
    place: Place,
}

impl Found {
    fn note(&mut self, context: &Context<'_>) {
        let event = context.event;
        self.count(event);
        self.late += u64::from(event.bits.contains(EventBits::LATE));
        if event.info().class != Class::Meta {
            let (first, last) = self.times.unwrap_or((event.ts, event.ts));
            self.times = Some((first.min(event.ts), last.max(event.ts)));
        }
        let Some(thread) = context.thread() else {
            self.threads.entry(event.tid).or_default();
            return;
        };
        if self.noted.is_empty() {
            self.noted.resize(NOTED, (0, 0));
        }
        // So it is nearly always.
        let noted = (event.tid, thread.changed);
        if let Some(slot) = self.noted.get_mut(event.tid as usize % NOTED)
            && std::mem::replace(slot, noted) == noted
        {
            return;
        }
        let seen = self.threads.entry(event.tid).or_default();
        if seen.pid == Some(thread.pid) && seen.place == thread.place && seen.name == thread.name() {
            return;
        }
        *seen = Seen { name: thread.name().into(), pid: Some(thread.pid), place: thread.place };
        self.names.insert(seen.name.clone());
        self.pids.insert(thread.pid);
        if let Some(container) = context.container() {
            self.containers.insert(container.id.clone());
        }
    }

    fn count(&mut self, event: &Event<'_>) {
        let key = key_of(event);
        if key.call.is_some() {
            *self.calls.entry(key).or_default() += 1;
            return;
        }
        let ty = usize::from(key.ty);
        if ty >= self.types.len() {
            self.types.resize(ty + 1, 0);
        }
        if let Some(count) = self.types.get_mut(ty) {
            *count += 1;
        }
    }

    fn finish(&mut self, frame: &mut Frame) {
        let found = std::mem::take(self);
        let types = (0..).zip(found.types).filter(|(_, count)| *count > 0);
        let types = types.map(|(ty, count)| (EventKey { ty, call: None }, count));
        let mut kinds: Vec<(EventKey, u64)> = types.chain(found.calls).collect();
        kinds.sort_unstable();
        frame.kinds = kinds;
        (frame.first_ts, frame.last_ts) = found.times.unwrap_or((u64::MAX, 0));
        frame.late = found.late;
        frame.names = listed(found.names.into_iter()).map(Texts::from_iter);
        frame.tids = listed(found.threads.into_keys());
        frame.pids = listed(found.pids.into_iter());
        frame.containers = listed(found.containers.into_iter()).map(Texts::from_iter);
    }
}

/// The values in order, unless they are too many.
fn listed<T: Ord>(values: impl ExactSizeIterator<Item = T>) -> Option<Vec<T>> {
    if values.len() > MAX_VALUES {
        return None;
    }
    let mut list: Vec<T> = values.collect();
    list.sort_unstable();
    Some(list)
}

fn key_of(event: &Event<'_>) -> EventKey {
    let call = match event.ty {
        EventType::GENERIC_E | EventType::GENERIC_X => event.u64(0).and_then(|code| u16::try_from(code).ok()),
        _ => None,
    };
    EventKey { ty: event.ty.0, call }
}

/// Puts the records of an index together while they are written.
#[derive(Default)]
pub(super) struct Collected {
    frames: Vec<Frame>,
    checkpoints: BTreeMap<u64, u64>,
}

impl Collected {
    /// Notes a record that is written at `at`.
    pub fn add(&mut self, record: Record, at: u64) {
        match record {
            Record::Frames(frames) => self.frames.extend(frames),
            Record::Checkpoint(checkpoint) => _ = self.checkpoints.insert(checkpoint.frame, at),
            Record::Contents(_) | Record::Subject(_) => {}
        }
    }

    /// The contents, which are written at `at`.
    pub fn into_contents(self, facts: Facts, at: u64) -> Contents {
        Contents { frames: self.frames, checkpoints: self.checkpoints.into_iter().collect(), facts, at }
    }
}
