//! Writes captures: the sink of `-w`.
//!
//! Events are encoded into a buffer of whole blocks; a buffer that is full, or that has waited long
//! enough, becomes a frame of the file. So a run that is killed loses less than a second, and
//! whatever ends it, the file ends with a whole frame. Frames are made and written by a thread of
//! their own.

use super::companion;
use super::compat;
use super::flight_ring::{RingSize, SEGMENTS};
use super::frame_file::FrameFile;
use super::frame_queue::{Failure, FrameQueue};
use super::pack::Codec;
use super::redact::Redaction;
use super::replica::Replica;
use super::rotate::{Fill, Names, Rotation};
use super::write_container::{self, Notes};
use super::write_state::{self, ThreadTest};
use super::{amend_event, write_event};
use crate::event::Event;
use crate::schema::{Category, Class, EventFlags, EventType};
use crate::sink::{Sink, Unshown};
use crate::state::containers::Container;
use crate::state::{Context, State};
use bstr::BString;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A frame that is not full is written when so much time has passed; with what a source may sleep less than a second.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// A frame waits so long for what engines say of the containers that its events are of, and while it
/// is no larger than this.
const MAX_HOLD: Duration = Duration::from_secs(1);
const HELD_FRAME: usize = 16 << 20;

/// What to write and where.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// `-` is standard output.
    pub path: PathBuf,
    pub codec: Codec,
    pub rotation: Rotation,
    /// Files that are there already may be written over.
    pub overwrite: bool,
    /// Events that the filter refuses are written too if they change the state; readers do not show
    /// them (`-F`).
    pub all_state: bool,
    /// Not every event comes to the writer or is written, so that it must find out what readers are not told.
    pub is_partial: bool,
    pub redaction: Redaction,
    /// Keep the end of the stream in memory and write it when it is asked for.
    pub ring: Option<Ring>,
    /// No events for the beginnings of system calls.
    pub exit_only: bool,
    /// zstd files get no index.
    pub no_index: bool,
    /// Files that are being read: they are never written over.
    pub inputs: Vec<PathBuf>,
}

/// What of the stream is kept in memory, and when it becomes a file (`--ring`). In any case at the end.
#[derive(Debug, Clone, Copy)]
pub struct Ring {
    pub size: RingSize,
    /// ns of event time that are kept after an event that is a reason.
    pub after: u64,
    /// Set when somebody asks for it.
    pub request: &'static AtomicBool,
}

/// Says whether an event is a reason to write what is in memory.
pub type Trigger = Box<dyn FnMut(&Context<'_>) -> bool>;

/// Writes capture files.
pub struct CaptureWriter {
    options: WriteOptions,
    names: Names,
    queue: FrameQueue,
    /// The present file.
    file: Option<PathBuf>,
    /// Whole blocks that are not in the file yet.
    blocks: Vec<u8>,
    /// Bytes of them with which a frame is full.
    frame: usize,
    /// Events in them.
    waiting: u64,
    /// Events handed over to be written.
    sent: u64,
    /// Where among them there is place for notes about containers: before all events.
    notes_at: usize,
    /// Time of the first of those events, else of the last one before.
    notes_ts: u64,
    /// What was written of containers in this section: hashes by their ids.
    noted: FxHashMap<BString, u64>,
    /// Containers that somebody is asked about, and since when.
    asked: usize,
    asked_at: Instant,
    written_at: Instant,
    fill: Fill,
    /// What a reader of the present file knows, where that may be less than is known.
    replica: Option<Replica>,
    /// It is of more than one recording.
    is_united: bool,
    listed: Option<ThreadTest>,
    /// When a new file, or with a ring a new segment in memory, begins.
    rotation: Rotation,
    trigger: Option<Trigger>,
    /// When what is in memory is to be written, ns since the epoch.
    dump_at: Option<u64>,
    /// Events in memory.
    in_memory: u64,
    last_ts: u64,
    redacted: Vec<u8>,
    /// Events since the state was written last.
    in_section: u64,
    /// The state is to be written before the next event.
    needs_state: bool,
    /// Files made so far.
    files: u64,
    /// Nothing more is written.
    ended: bool,
}

impl WriteOptions {
    /// Bytes of blocks that make a frame, where so many are in the file.
    fn frame(&self, rotation: &Rotation, sent: u64) -> usize {
        self.codec.frame(sent, rotation.bytes.into_iter().chain(rotation.total.map(|all| all / 8)).min())
    }

    /// Looks for what is wrong before anything is written.
    ///
    /// # Errors
    /// The file name has time codes that mean nothing.
    pub fn check(&self) -> Result<(), String> {
        Names::new(self.path.clone(), self.rotation, self.ring.is_some()).map(|_| ())
    }
}

impl CaptureWriter {
    /// # Errors
    /// As [`WriteOptions::check`]; or there is no memory for another thread.
    pub fn new(options: WriteOptions) -> Result<Self, String> {
        let rotation = match options.ring.map(|ring| ring.size) {
            None => options.rotation,
            Some(RingSize::Bytes(all)) => Rotation { bytes: Some(all / SEGMENTS), ..Rotation::default() },
            Some(RingSize::Seconds(all)) => {
                Rotation { seconds: Some((all / SEGMENTS).max(1)), ..Rotation::default() }
            }
        };
        let frame = options.frame(&rotation, 0);
        Ok(Self {
            names: Names::new(options.path.clone(), options.rotation, options.ring.is_some())?,
            queue: FrameQueue::new(options.codec, options.ring.map(|ring| ring.size), !options.no_index)
                .map_err(|e| format!("-w: {e}"))?,
            rotation,
            trigger: None,
            dump_at: None,
            in_memory: 0,
            last_ts: 0,
            options,
            file: None,
            blocks: Vec::new(),
            frame,
            waiting: 0,
            sent: 0,
            notes_at: 0,
            notes_ts: 0,
            noted: FxHashMap::default(),
            asked: 0,
            asked_at: Instant::now(),
            written_at: Instant::now(),
            fill: Fill::default(),
            replica: None,
            is_united: false,
            listed: None,
            redacted: Vec::new(),
            in_section: 0,
            needs_state: true,
            files: 0,
            ended: false,
        })
    }

    /// Lists only the threads for which `listed` says so.
    pub fn list_only(&mut self, listed: ThreadTest) {
        self.listed = Some(listed);
    }

    /// Writes what is in memory when an event is a reason to.
    pub fn dump_on(&mut self, trigger: Trigger) {
        self.trigger = Some(trigger);
    }

    #[inline]
    fn put(&mut self, context: &Context<'_>, state_only: bool) -> io::Result<()> {
        let event = context.event;
        if self.options.exit_only && event.ty.is_enter() && event.info().class == Class::Syscall {
            return Ok(());
        }
        if self.waiting == 0 {
            self.notes_ts = event.ts;
        }
        if let Some(replica) = &mut self.replica {
            replica.follow(context, &self.options.redaction, |entries| {
                write_event::append_own(&mut self.blocks, amend_event::TYPE, event.ts, event.tid, entries);
            });
        }
        match self.options.redaction.params(event, &mut self.redacted) {
            None => encode(&mut self.blocks, event, state_only, self.options.exit_only),
            Some(params) => {
                let params = params.get(..event.params.len()).unwrap_or(&params);
                encode(
                    &mut self.blocks,
                    &Event { params: params.into(), ..*event },
                    state_only,
                    self.options.exit_only,
                );
            }
        }
        self.last_ts = event.ts;
        if let Some(trigger) = &mut self.trigger
            && self.dump_at.is_none()
            && trigger(context)
        {
            self.dump_at = Some(event.ts.saturating_add(self.options.ring.map_or(0, |ring| ring.after)));
        }
        self.waiting += 1;
        self.in_section += 1;
        self.fill.events += 1;
        self.fill.unpacked = self.unpacked();
        if self.options.codec == Codec::None {
            self.fill.bytes = self.fill.unpacked;
        }
        if self.blocks.len() >= self.frame && !self.is_held() { self.write_frame() } else { Ok(()) }
    }

    /// Whether more should be known of containers before their events are in the file: notes about
    /// them have to stand before the events.
    fn is_held(&self) -> bool {
        self.asked > 0 && self.blocks.len() < HELD_FRAME && self.asked_at.elapsed() < MAX_HOLD
    }

    /// Bytes of blocks of the present file.
    #[inline]
    fn unpacked(&self) -> u64 {
        self.queue.sent() + self.blocks.len() as u64
    }

    /// Makes a frame of what is in the buffer.
    fn write_frame(&mut self) -> io::Result<()> {
        self.written_at = Instant::now();
        if self.queue.has_failed() {
            return self.end();
        }
        if self.file.is_some() && !self.blocks.is_empty() {
            let events = std::mem::take(&mut self.waiting);
            self.sent += events;
            self.in_memory += events;
            for oldest in self.names.make_room(self.queue.to_come(self.blocks.len() as u64)) {
                // One that somebody else has removed is gone as well.
                let _ = std::fs::remove_file(oldest);
            }
            self.queue.frame(&mut self.blocks, events, self.last_ts);
            self.frame = self.options.frame(&self.rotation, self.queue.sent());
            self.notes_at = 0;
            self.fill.bytes = self.queue.file_len();
        }
        Ok(())
    }

    /// Waits until all is written; nothing can be written afterwards.
    fn end(&mut self) -> io::Result<()> {
        self.ended = true;
        self.file = None;
        let (written, failure) = self.queue.finish();
        let Some(Failure { path, cause }) = failure else { return Ok(()) };
        let lost = (self.sent + self.waiting).saturating_sub(written);
        let message = match self.options.ring {
            None => format!("{}: {cause}; {written} events are written, {lost} are not", path.display()),
            Some(_) => format!("{}: {cause}; {written} events are in dumps", path.display()),
        };
        Err(io::Error::new(cause.kind(), message))
    }

    #[inline]
    fn ends_known_thread(&self, event: &Event<'_>) -> bool {
        matches!(event.ty, EventType::PROCEXIT_1_E | EventType::PROCEXIT_E)
            && self.replica.as_ref().is_some_and(|replica| replica.knows(event.tid))
    }

    /// Makes the next file.
    fn create(&mut self, ts: u64) -> io::Result<FrameFile> {
        let path = self.names.next(ts);
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        if self.options.inputs.iter().any(|input| is_same(input, &path)) {
            return Err(named(io::Error::other("this file is being read")));
        }
        if self.names.is_own(&path) {
            // Its last frames may still be on their way to the disk: they must not end up in the new file.
            // One that somebody else has removed is gone as well.
            let _ = std::fs::remove_file(&path);
        }
        let file = FrameFile::create(&path, self.options.overwrite).map_err(named)?;
        self.files += 1;
        if let Some(oldest) = self.names.made(path) {
            // One that somebody else has removed is gone as well.
            let _ = std::fs::remove_file(oldest);
        }
        Ok(file)
    }

    /// Opens the next file; returns whether it shows at once what is written.
    fn open(&mut self, ts: u64) -> io::Result<bool> {
        let mut file = self.create(ts)?;
        let is_regular = file.is_regular();
        self.file = Some(file.path.clone());
        // Old files of a ring are removed, perhaps before their last frames are written.
        if self.rotation.files.is_none() && self.rotation.total.is_none() {
            file = file.guarded();
        }
        self.queue.open(file);
        self.fill = Fill { since: ts, ..Fill::default() };
        Ok(is_regular)
    }

    /// Begins the next segment in memory, after what was asked for was written. What is asked for before there is
    /// anything to write waits.
    fn open_segment(&mut self, ts: u64) -> io::Result<()> {
        if self.file.is_some() && self.is_dump_due(ts) {
            self.dump(ts)?;
        } else {
            self.end_section(ts);
            self.write_frame()?;
        }
        self.queue.segment();
        self.file = Some(self.options.path.clone());
        self.fill = Fill { since: ts, ..Fill::default() };
        Ok(())
    }

    /// Whether what is in memory is to be written at time `now`.
    #[inline]
    fn is_dump_due(&self, now: u64) -> bool {
        self.options.ring.is_some_and(|ring| {
            self.dump_at.is_some_and(|at| at <= now) || ring.request.load(Ordering::Relaxed)
        })
    }

    /// Writes what is in memory to the next file.
    fn dump(&mut self, ts: u64) -> io::Result<()> {
        self.end_section(ts);
        self.write_frame()?;
        self.dump_at = None;
        if let Some(ring) = self.options.ring {
            ring.request.store(false, Ordering::Relaxed);
        }
        if self.in_memory > 0 || self.files == 0 {
            let file = self.create(ts)?;
            self.queue.dump(file);
        }
        self.in_memory = 0;
        self.file = None;
        self.needs_state = true;
        Ok(())
    }

    fn write_state(&mut self, state: &State, ts: u64) -> io::Result<()> {
        let frame = self.frame;
        let mut blocks = std::mem::take(&mut self.blocks);
        let redaction = self.options.redaction.clone();
        let mut listed = self.listed.take();
        let result = write_state::append(&mut blocks, state, ts, &redaction, &mut listed, |blocks| {
            if blocks.len() < frame {
                return Ok(());
            }
            std::mem::swap(blocks, &mut self.blocks);
            let result = self.write_frame();
            std::mem::swap(blocks, &mut self.blocks);
            result
        });
        self.blocks = blocks;
        self.listed = listed;
        result
    }

    /// Writes the state and reads it as others will.
    fn begin_replica(&mut self, state: &State, ts: u64) -> io::Result<()> {
        let mut united = None;
        if self.is_united
            && let Some(replica) = self.replica.take()
        {
            let known = united.insert(replica.into_state());
            known.unite(state);
        }
        let state = united.as_ref().unwrap_or(state);
        let mut blocks = Vec::new();
        write_state::append(&mut blocks, state, ts, &self.options.redaction, &mut self.listed, |_| {
            Ok::<(), io::Error>(())
        })?;
        self.blocks.extend_from_slice(&blocks);
        self.replica = Some(Replica::read(blocks, self.options.exit_only).map_err(io::Error::other)?);
        if self.blocks.len() >= self.frame { self.write_frame() } else { Ok(()) }
    }

    /// Completes the present section: readers refuse those without any event.
    fn end_section(&mut self, ts: u64) {
        if self.file.is_some() && self.in_section == 0 {
            write_event::append_nothing(&mut self.blocks, ts);
        }
        self.in_section = 0;
    }

    fn close(&mut self, ts: u64) -> io::Result<()> {
        self.end_section(ts);
        self.write_frame()?;
        let Some(path) = self.file.take() else { return Ok(()) };
        if self.fill.events == 0 && self.files > 1 {
            // It was opened for events of which the filter let none through.
            self.names.forget(&path);
            self.files -= 1;
            self.queue.remove();
        }
        Ok(())
    }
}

/// Appends the block of an event. Files without enters are for new readers.
#[inline]
fn encode(blocks: &mut Vec<u8>, event: &Event<'_>, state_only: bool, exit_only: bool) {
    let rewritten = if exit_only { None } else { compat::for_old_readers(event) };
    match rewritten {
        None => write_event::append(blocks, event, state_only),
        Some(params) => {
            let params = params.get(..event.params.len()).unwrap_or(&params);
            write_event::append(blocks, &Event { params: params.into(), ..*event }, state_only);
        }
    }
    if !exit_only {
        companion::append(blocks, event);
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    id(a).is_some_and(|a| Some(a) == id(b))
}

impl Sink for CaptureWriter {
    #[inline]
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        self.put(context, false)
    }

    #[inline]
    fn unshown(&mut self, context: &Context<'_>, why: Unshown) -> io::Result<()> {
        let info = context.event.info();
        match why {
            Unshown::Hidden => self.put(context, false),
            Unshown::StateOnly => self.put(context, true),
            // Notes about containers and users are nobody's doing: names depend on them.
            Unshown::Refused if info.category == Category::Internal => self.put(context, false),
            Unshown::Refused if info.class == Class::Meta => self.put(context, true),
            Unshown::Refused if self.options.all_state && info.flags.contains(EventFlags::MODIFIES_STATE) => {
                self.put(context, true)
            }
            // So that neither the reader nor the writer keeps in mind what has ended.
            Unshown::Refused if self.ends_known_thread(context.event) => self.put(context, true),
            Unshown::Refused => Ok(()),
        }
    }

    #[inline]
    fn wants_state(&self, ts: u64) -> bool {
        self.needs_state || self.rotation.is_due(&self.fill, ts) || self.is_dump_due(ts)
    }

    fn begin(&mut self, state: &State, ts: u64) -> io::Result<()> {
        let mut is_file = false;
        if self.options.ring.is_some() {
            self.open_segment(ts)?;
        } else if self.file.is_none() || self.rotation.is_due(&self.fill, ts) {
            self.close(ts)?;
            is_file = self.open(ts)?;
        } else {
            self.end_section(ts);
        }
        self.needs_state = false;
        let before = self.unpacked();
        if self.options.is_partial {
            self.begin_replica(state, ts)?;
        } else {
            self.write_state(state, ts)?;
        }
        self.fill.state = self.unpacked() - before;
        if is_file {
            // A file that can be seen has the state. The first one is there before an event is taken, and so is every one
            // that may have to make room.
            self.write_frame()?;
            if self.files == 1 || self.rotation.files.is_some() || self.rotation.total.is_some() {
                self.queue.settle();
            }
            if self.queue.has_failed() {
                return self.end();
            }
        }
        self.notes_at = self.blocks.len();
        self.notes_ts = ts;
        self.noted.clear();
        Ok(())
    }

    fn asked(&mut self) {
        self.asked += 1;
        self.asked_at = Instant::now();
    }

    fn container(&mut self, container: &Container) {
        // What is known when a section begins is part of its state.
        if self.file.is_none() || self.needs_state {
            return;
        }
        let mut notes = Vec::new();
        let container = self.options.redaction.container(container);
        // Engines say the same thing again and again.
        write_container::append(&mut notes, &container, 0, Notes::Between);
        let hash = FxBuildHasher.hash_one(&notes);
        if self.noted.insert(container.id.clone(), hash) == Some(hash) {
            return;
        }
        notes.clear();
        write_container::append(&mut notes, &container, self.notes_ts, Notes::Between);
        let end = self.notes_at + notes.len();
        self.blocks.splice(self.notes_at..self.notes_at, notes);
        self.notes_at = end;
    }

    fn answered(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }

    fn section(&mut self) {
        self.needs_state = true;
        self.is_united = false;
    }

    fn joined(&mut self) {
        self.needs_state = true;
        self.is_united = true;
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.options.ring.is_some() {
            // Without events the clock tells the time.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
            return if self.file.is_some() && self.is_dump_due(now) {
                self.dump(self.last_ts)
            } else {
                Ok(())
            };
        }
        let is_cheap = self.options.codec == Codec::None;
        let is_due = is_cheap || self.written_at.elapsed() >= MAX_DELAY;
        if is_due && !self.is_held() { self.write_frame() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        match self.options.ring {
            Some(_) if self.file.is_some() || self.files == 0 => self.dump(self.last_ts)?,
            Some(_) => {}
            None => self.close(self.fill.since)?,
        }
        self.end()
    }
}
