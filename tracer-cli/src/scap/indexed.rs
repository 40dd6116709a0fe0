//! A capture with its index: which parts of it are read, and from which checkpoints.

use super::checkpoint;
use super::damage::CaptureError;
use super::frames::{Compression, MAGIC};
use super::index::{self, Contents, Facts, Frame, Piece, Record, Subject};
use super::index_build::{Builder, Collected};
use super::input::{Input, plain};
use super::reader::CaptureSource;
use super::zstd_frame;
use crate::row::Row;
use crate::source::{LookUp, Next, Source, SourceCounts, SourceError};
use crate::state::State;
use crate::state::inspector::Inspector;
use crate::window::Window;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A capture with its index.
pub struct IndexedCapture {
    path: PathBuf,
    compression: Compression,
    contents: Contents,
    /// The file was not completed: from here on nothing is known.
    tail: Option<Tail>,
    /// The file with the checkpoints, and whether it is another one.
    records: File,
    is_beside: bool,
    /// The last state that others were compressed with, and the number of its frame.
    base: Mutex<Option<(u64, Arc<Vec<u8>>)>>,
}

/// What is behind the last frame that the index knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tail {
    offset: u64,
    start: u64,
    events_before: u64,
}

/// What was found when an index was looked for.
pub enum Found {
    Index(Box<IndexedCapture>),
    Nothing,
    /// There is one beside the file, but the file has changed since.
    Stale(PathBuf),
}

/// Part of a capture that is read in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// Where the checkpoint is that it begins with; `None` at the beginning of the file.
    checkpoint: Option<u64>,
    /// In the file: where the compressed frame begins, and bytes of that one, when decompressed, before the portion.
    offset: u64,
    before: u64,
    /// Bytes when decompressed; `None`: up to the end.
    size: Option<u64>,
    /// In what was decompressed.
    start: u64,
    events_before: u64,
}

impl IndexedCapture {
    /// Looks for the index of a file: in it, or beside it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find(path: &Path) -> Result<Found, SourceError> {
        let failed = |cause| CaptureError::Open { file: path.display().to_string(), cause: plain(cause) };
        let file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Ok(Found::Nothing);
        }
        let mut magic = [0; MAGIC];
        let compression = match file.read_exact_at(&mut magic, 0) {
            Ok(()) => Compression::of(&magic),
            Err(_) => return Ok(Found::Nothing),
        };
        let of = |contents, tail, records, is_beside| {
            let (path, base) = (path.to_owned(), Mutex::new(None));
            Found::Index(Box::new(Self { path, compression, contents, tail, records, is_beside, base }))
        };
        if compression == Compression::Zstd {
            if let Some(contents) = index::contents(&file) {
                return Ok(of(contents, None, file, false));
            }
            if let Some((contents, tail)) = search(&file) {
                return Ok(of(contents, Some(tail), file, false));
            }
        }
        let beside = beside(path);
        let Ok(records) = File::open(&beside) else { return Ok(Found::Nothing) };
        let Some(Record::Subject(subject)) = Record::read(&records, 0) else {
            return Ok(Found::Stale(beside));
        };
        let is_same = Subject::of(&file).is_ok_and(|found| found == subject);
        match index::contents(&records) {
            Some(contents) if is_same => Ok(of(contents, None, records, true)),
            _ => Ok(Found::Stale(beside)),
        }
    }

    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// What is in the whole file: of one that was not completed, the rest is read.
    ///
    /// # Errors
    /// The rest cannot be read, or is damaged.
    pub fn into_contents(self) -> Result<Contents, SourceError> {
        let rest = self.portions(None, |_| false, None).list.pop();
        let Some(rest) = rest.filter(|_| self.tail.is_some()) else { return Ok(self.contents) };
        let mut inspector = Inspector::default();
        let source = self.open(&rest, &mut inspector)?;
        let mut frames = self.contents.frames.clone();
        frames.retain(|frame| frame.start < rest.start);
        // What the first section says stands at the beginning.
        let beginning =
            Portion { checkpoint: None, offset: 0, before: 0, size: None, start: 0, events_before: 0 };
        let mut first = Inspector::default();
        self.open(&beginning, &mut first)?;
        let facts = Facts { first_ts: self.contents.facts.first_ts, ..Facts::of(&first.state.machine) };
        let Portion { offset, start, events_before, .. } = rest;
        let first = Frame { offset, start, events_before, ..Frame::default() };
        let builder = Builder::of_rest(source, inspector, first, frames.len() as u64);
        builder.run_on(&mut |record| {
            if let Record::Frames(more) = record {
                frames.extend(more);
            }
            Ok(())
        })?;
        Ok(Contents { frames, facts, ..self.contents })
    }

    /// Whether the index is in a file of its own.
    pub fn is_beside(&self) -> bool {
        self.is_beside
    }

    /// Whether the index knows the whole file.
    pub fn is_complete(&self) -> bool {
        self.tail.is_none()
    }

    /// The portions that have to be read for a part of the recording, of which the frames that `may` refuses
    /// can be left out. With `split` they are of about so many bytes of events, for threads to share.
    pub fn portions(
        &self,
        window: Option<&Window>,
        mut may: impl FnMut(&Frame) -> bool,
        split: Option<u64>,
    ) -> Portions {
        let frames = &self.contents.frames;
        let first_ts = self.contents.facts.first_ts;
        let mut needed: Vec<bool> = Vec::with_capacity(frames.len() + 1);
        let mut ended = false;
        for frame in frames {
            let last = frame.events_before + frame.events;
            let is_before = window.is_some_and(|w| w.begins_after(last, frame.last_ts, first_ts));
            needed.push(!ended && !is_before && may(frame));
            ended |= window.is_some_and(|w| w.ends_before(last, frame.last_ts, first_ts));
        }
        needed.push(!ended && self.tail.is_some());

        let mut portions: Vec<(usize, usize)> = Vec::new();
        for (frame, _) in needed.iter().enumerate().filter(|(_, needed)| **needed) {
            let from = self.checkpoint_before(frame);
            match portions.last_mut() {
                Some((begin, end)) if from <= *end => {
                    let is_full = split.is_some_and(|bytes| {
                        // Within a compressed frame, what is before is decompressed once more.
                        let is_dear = frames.get(from).is_some_and(|frame| frame.before > 0);
                        self.bytes(*begin, from) >= if is_dear { bytes.saturating_mul(2) } else { bytes }
                    });
                    // A portion may begin anew only where there is a checkpoint, and not before the end of the last.
                    if is_full && from == *end {
                        portions.push((from, frame + 1));
                    } else {
                        *end = frame + 1;
                    }
                }
                _ => portions.push((from, frame + 1)),
            }
        }
        let is_read = |frame: usize| portions.iter().any(|(begin, end)| (*begin..*end).contains(&frame));
        let left: Vec<&Frame> =
            frames.iter().enumerate().filter(|(i, _)| !is_read(*i)).map(|(_, frame)| frame).collect();
        Portions {
            late: left.iter().map(|frame| frame.late).sum(),
            unknown: left.iter().map(|frame| frame.unknown).sum(),
            list: portions.into_iter().filter_map(|(begin, end)| self.portion(begin, end)).collect(),
        }
    }

    /// The last frame up to `frame` that has a checkpoint.
    fn checkpoint_before(&self, frame: usize) -> usize {
        let checkpoints = &self.contents.checkpoints;
        let count = checkpoints.partition_point(|(at, _)| *at <= frame as u64);
        let last = count.checked_sub(1).and_then(|i| checkpoints.get(i));
        last.map_or(0, |(at, _)| *at as usize)
    }

    /// Bytes of the frames from `begin` up to `end`, when decompressed.
    fn bytes(&self, begin: usize, end: usize) -> u64 {
        let frames = self.contents.frames.get(begin..end).unwrap_or_default();
        frames.iter().map(|frame| frame.size).sum()
    }

    /// The frames from `begin`, which has a checkpoint, up to `end`.
    fn portion(&self, begin: usize, end: usize) -> Option<Portion> {
        let frames = &self.contents.frames;
        let checkpoint = self.contents.checkpoints.iter().find(|(frame, _)| *frame == begin as u64);
        let checkpoint = checkpoint.map(|(_, at)| *at);
        let (offset, before, start, events_before) = match (frames.get(begin), self.tail) {
            (Some(frame), _) => (frame.offset, frame.before, frame.start, frame.events_before),
            (None, Some(tail)) => (tail.offset, 0, tail.start, tail.events_before),
            (None, None) => return None,
        };
        let size = (end <= frames.len()).then(|| self.bytes(begin, end));
        Some(Portion { checkpoint, offset, before, size, start, events_before })
    }

    /// Begins to read a portion.
    fn open(&self, portion: &Portion, inspector: &mut Inspector) -> Result<CaptureSource, SourceError> {
        let name = self.path.display().to_string();
        let failed = |cause| SourceError::Io { what: name.clone(), cause };
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(portion.offset)).map_err(failed)?;
        let inner = self.compression.unpacked(file).map_err(failed)?;
        let left = portion.size.unwrap_or(u64::MAX);
        let part = Part { inner, before: portion.before, left };
        let mut input = Input::part(name.clone(), part, Compression::None, portion.start).map_err(failed)?;
        input.compression = self.compression;
        let mut source = CaptureSource::of(input);
        match portion.checkpoint {
            None => {
                inspector.begin_recording();
                source.load_state(&mut inspector.state)?;
            }
            Some(at) => {
                let damaged =
                    || SourceError::Failed(format!("{name}: its index is damaged; --no-index reads it"));
                let Some(Record::Checkpoint(checkpoint)) = Record::read(&self.records, at) else {
                    return Err(damaged());
                };
                let base = match checkpoint.base {
                    Some(frame) => Some(self.base(frame).ok_or_else(damaged)?),
                    None => None,
                };
                let blocks = checkpoint::unpacked(&checkpoint, base.as_ref().map(|base| base.as_slice()));
                checkpoint::restore(&checkpoint, blocks.ok_or_else(damaged)?, inspector)?;
                source.resume(checkpoint.last_ts);
            }
        }
        Ok(source)
    }

    /// The state of the checkpoint for `frame`, which is compressed by itself.
    fn base(&self, frame: u64) -> Option<Arc<Vec<u8>>> {
        let mut kept = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, blocks)) = kept.as_ref().filter(|(of, _)| *of == frame) {
            return Some(Arc::clone(blocks));
        }
        let (_, at) = self.contents.checkpoints.iter().find(|(of, _)| *of == frame)?;
        let Some(Record::Checkpoint(checkpoint)) = Record::read(&self.records, *at) else { return None };
        if checkpoint.base.is_some() {
            return None;
        }
        let blocks = Arc::new(checkpoint::unpacked(&checkpoint, None)?);
        *kept = Some((frame, Arc::clone(&blocks)));
        Some(blocks)
    }
}

/// How a file is compressed, in a word.
///
/// # Errors
/// The file cannot be read.
pub fn compression_of(path: &Path) -> Result<&'static str, SourceError> {
    let failed = |cause| CaptureError::Open { file: path.display().to_string(), cause: plain(cause) };
    let mut magic = Vec::with_capacity(MAGIC);
    File::open(path).map_err(failed)?.take(MAGIC as u64).read_to_end(&mut magic).map_err(failed)?;
    Ok(match Compression::of(&magic) {
        Compression::None => "not compressed",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    })
}

/// Where the index of a file is that has none in itself.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".idx");
    name.into()
}

/// Finds the records of an index in a file that was not completed.
fn search(file: &File) -> Option<(Contents, Tail)> {
    let mut collected = Collected::default();
    let mut at = 0;
    while let Some(piece) = Piece::at(file, at) {
        at += match piece {
            Piece::Record(len) => {
                match Record::read(file, at) {
                    Some(record) => collected.add(record, at),
                    None => break,
                }
                len
            }
            Piece::Other(len) => len,
            Piece::Data => match zstd_frame::len(file, at) {
                Some(len) => len,
                None => break,
            },
        };
    }
    let mut contents = collected.into_contents(Facts::default(), at);
    // Of those behind the last frame that is known, the frames were still to come.
    let known = contents.frames.len() as u64;
    contents.checkpoints.retain(|(frame, _)| *frame <= known);
    // Without a checkpoint everything has to be read in any case.
    let (_, first) = contents.checkpoints.first()?;
    let Some(Record::Checkpoint(first)) = Record::read(file, *first) else { return None };
    contents.facts.first_ts = first.first_event_ts.unwrap_or(0);
    let last = contents.frames.last()?;
    let tail = Tail {
        offset: last.offset + last.len,
        start: last.start + last.size,
        events_before: last.events_before + last.events,
    };
    contents.is_sound(file.metadata().ok()?.len()).then_some((contents, tail))
}

/// Part of what is decompressed.
pub(super) struct Part {
    pub inner: Box<dyn Read + Send>,
    /// Bytes before it that are still to come.
    pub before: u64,
    /// Bytes of it that are still to come.
    pub left: u64,
}

impl Read for Part {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.before > 0 {
            let most = usize::try_from(self.before).unwrap_or(usize::MAX).min(out.len());
            let read = self.inner.read(out.get_mut(..most).unwrap_or_default())?;
            if read == 0 {
                return Ok(0);
            }
            self.before -= read as u64;
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = self.inner.read(out.get_mut(..most).unwrap_or_default())?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// What is read of a capture, and what is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Portions {
    /// In order.
    pub list: Vec<Portion>,
    /// Of events that are left out: delivered late, of unknown types.
    pub late: u64,
    pub unknown: u64,
}

/// Reads portions of a capture one after the other.
pub struct PortionSource {
    capture: Arc<IndexedCapture>,
    portions: VecDeque<Portion>,
    source: Option<CaptureSource>,
    stopped: bool,
    /// Of portions that were read, and of what is left out.
    counts: SourceCounts,
}

impl PortionSource {
    pub fn new(capture: Arc<IndexedCapture>, portions: Portions) -> Self {
        let Portions { list, late, unknown } = portions;
        let counts = SourceCounts { late, unknown, ..SourceCounts::default() };
        Self { capture, portions: list.into(), source: None, stopped: false, counts }
    }

    fn add_counts(&mut self) {
        if let Some(source) = &mut self.source {
            let counts = source.counts();
            self.counts.late += counts.late;
            self.counts.unknown += counts.unknown;
        }
        self.source = None;
    }
}

impl Source for PortionSource {
    /// Of a section inside of a portion; each portion brings its own.
    fn load_state(&mut self, state: &mut State) -> Result<(), SourceError> {
        self.source.as_mut().map_or(Ok(()), |source| source.load_state(state))
    }

    #[inline]
    fn next(&mut self) -> Result<Next<'_>, SourceError> {
        let at_end = || match self.portions.is_empty() || self.stopped {
            true => Next::End,
            false => Next::Resume,
        };
        match &mut self.source {
            None => Ok(at_end()),
            Some(source) => match source.next()? {
                Next::End => Ok(at_end()),
                next => Ok(next),
            },
        }
    }

    fn resume(&mut self, inspector: &mut Inspector) -> Result<u64, SourceError> {
        self.add_counts();
        let Some(portion) = self.portions.pop_front() else { return Ok(0) };
        self.source = Some(self.capture.open(&portion, inspector)?);
        Ok(portion.events_before)
    }

    fn row(&mut self) -> Option<Row<'_>> {
        self.source.as_mut()?.row()
    }

    fn pass(&mut self, n: usize, late: u64) {
        if let Some(source) = &mut self.source {
            source.pass(n, late);
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
        if let Some(source) = &mut self.source {
            source.stop();
        }
    }

    fn counts(&mut self) -> SourceCounts {
        self.add_counts();
        self.counts.clone()
    }

    /// The threads of this machine are not those of the capture.
    fn look_up(&self) -> LookUp {
        Box::new(|_| None)
    }
}
