//! Frames on their way to the disk: they are compressed and written by a thread of their own, so that
//! neither a slow disk nor the compressor keeps events waiting in the kernel.
//!
//! The queue is bounded. When it is full the recorder waits; what the kernel then has no room for
//! is counted where all lost events are, by the probe.

use super::flight_ring::{self, FlightRing, RingSize};
use super::frame_file::FrameFile;
use super::index_thread::IndexThread;
use super::pack::{Codec, Packer};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Frames that may wait.
const WAITING: usize = 4;

/// What the thread is to do, in order.
enum Job {
    /// Frames belong into this file from here on.
    Open(FrameFile, Arc<Filling>),
    Frame(Frame),
    /// No event came into the file.
    Remove,
    /// Somebody waits until all before is done: until this is dropped.
    Settle(SyncSender<()>),
    /// Frames are kept in memory, those from here on in a new segment.
    Segment(Arc<Filling>),
    /// What is kept in memory is to be written into this file, and is no longer kept.
    Dump(FrameFile),
}

/// Whole blocks.
struct Frame {
    blocks: Vec<u8>,
    /// Events in them.
    events: u64,
    /// Time of the last one.
    until: u64,
}

/// What the thread has done.
#[derive(Default)]
struct Progress {
    /// Events in files.
    events: AtomicU64,
    failed: AtomicBool,
}

/// What is in one file.
#[derive(Default)]
struct Filling {
    bytes: AtomicU64,
    /// The same before it was compressed.
    unpacked: AtomicU64,
}

/// Why the thread gave up: a file, and what became of it.
pub(super) struct Failure {
    pub path: PathBuf,
    pub cause: io::Error,
}

/// The near end of the queue.
pub(super) struct FrameQueue {
    jobs: Option<SyncSender<Job>>,
    /// Buffers to be filled again.
    empty: Receiver<Vec<u8>>,
    progress: Arc<Progress>,
    thread: Option<JoinHandle<Option<Failure>>>,
    /// Of the present file.
    filling: Arc<Filling>,
    /// Bytes of blocks sent for the present file.
    sent: u64,
    /// Of the files before it: bytes, and the same before it was compressed.
    before: (u64, u64),
}

impl FrameQueue {
    /// # Errors
    /// The thread or its compressor cannot be made.
    ///
    /// With a `ring` frames are kept in memory.
    pub fn new(codec: Codec, ring: Option<RingSize>, has_index: bool) -> io::Result<Self> {
        let (jobs, take_jobs) = sync_channel(WAITING);
        let (give_empty, empty) = sync_channel(WAITING + 1);
        let progress = Arc::new(Progress::default());
        let ring = ring.map(FlightRing::new);
        let mut worker = Worker {
            packer: Packer::new(codec)?,
            file: None,
            in_file: 0,
            ring,
            dump: None,
            has_index: has_index && matches!(codec, Codec::Zstd(_)),
            index: None,
            completion: None,
            filling: Arc::default(),
            progress: Arc::clone(&progress),
            give_empty,
        };
        let thread = thread::Builder::new().name("write".to_owned()).spawn(move || worker.run(&take_jobs))?;
        Ok(Self {
            jobs: Some(jobs),
            empty,
            progress,
            thread: Some(thread),
            filling: Arc::default(),
            sent: 0,
            before: (0, 0),
        })
    }

    /// Frames go into `file` from here on.
    pub fn open(&mut self, file: FrameFile) {
        self.before.0 += self.filling.bytes.load(Ordering::Relaxed);
        self.before.1 += self.filling.unpacked.load(Ordering::Relaxed);
        self.sent = 0;
        self.filling = Arc::default();
        self.send(Job::Open(file, Arc::clone(&self.filling)));
    }

    /// Frames are kept in memory, in a new segment from here on.
    pub fn segment(&mut self) {
        self.sent = 0;
        self.filling = Arc::default();
        self.send(Job::Segment(Arc::clone(&self.filling)));
    }

    /// Writes what is in memory into `file`; it is no longer kept.
    pub fn dump(&mut self, file: FrameFile) {
        self.send(Job::Dump(file));
    }

    /// Hands `blocks` over, with so many events in them, the last of time `until`, and leaves an empty buffer in
    /// their place.
    pub fn frame(&mut self, blocks: &mut Vec<u8>, events: u64, until: u64) {
        let mut next = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(blocks.capacity()));
        next.clear();
        self.sent += blocks.len() as u64;
        let blocks = std::mem::replace(blocks, next);
        self.send(Job::Frame(Frame { blocks, events, until }));
    }

    /// Removes the present file.
    pub fn remove(&mut self) {
        self.send(Job::Remove);
    }

    /// Waits until what was handed over is in its file, or cannot be.
    pub fn settle(&mut self) {
        let (waiting, done) = sync_channel(0);
        self.send(Job::Settle(waiting));
        // It is dropped by a thread that came to it, and by one that gave up.
        let _ = done.recv();
    }

    /// A thread that gave up takes nothing; [`FrameQueue::has_failed`] tells.
    fn send(&mut self, job: Job) {
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(job);
        }
    }

    /// Whether something could not be written.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.progress.failed.load(Ordering::Relaxed)
    }

    /// Bytes of blocks that were handed over for the present file.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that what is not in the present file yet, and `more` bytes of blocks, will have there: about as well
    /// compressed as what came before.
    pub fn to_come(&self, more: u64) -> u64 {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let unpacked = load(&self.filling.unpacked);
        let waiting = self.sent.saturating_sub(unpacked) + more;
        let (bytes, all) = (self.before.0 + load(&self.filling.bytes), self.before.1 + unpacked);
        if all == 0 {
            return waiting;
        }
        // Events that come together resemble each other more or less.
        let with_margin = u128::from(waiting) * u128::from(bytes) * 5 / 4 / u128::from(all);
        with_margin.min(u128::from(waiting)) as u64
    }

    /// Bytes that the present file will have when all that was sent is in it: what waits is taken to
    /// be compressed as well as what came before.
    pub fn file_len(&self) -> u64 {
        let (bytes, unpacked) =
            (self.filling.bytes.load(Ordering::Relaxed), self.filling.unpacked.load(Ordering::Relaxed));
        let waiting = self.sent.saturating_sub(unpacked);
        if unpacked == 0 {
            return 0;
        }
        bytes + (u128::from(waiting) * u128::from(bytes) / u128::from(unpacked)) as u64
    }

    /// Waits until everything is written or has failed; returns the number of events in files, and why
    /// there are not more.
    pub fn finish(&mut self) -> (u64, Option<Failure>) {
        self.jobs = None;
        let failure = self.thread.take().and_then(|thread| {
            thread.join().unwrap_or_else(|_| {
                let cause = io::Error::other("the thread that writes it broke down");
                Some(Failure { path: PathBuf::new(), cause })
            })
        });
        (self.progress.events.load(Ordering::Relaxed), failure)
    }
}

impl Drop for FrameQueue {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The far end.
struct Worker {
    packer: Packer,
    file: Option<FrameFile>,
    /// Events in it.
    in_file: u64,
    ring: Option<FlightRing>,
    /// Writes what was in memory, so that the ring goes on meanwhile.
    dump: Option<JoinHandle<Result<(), Failure>>>,
    /// Files get an index: those of zstd, in which others overlook it.
    has_index: bool,
    index: Option<IndexThread>,
    /// Writes the rest of the index of the file before.
    completion: Option<JoinHandle<()>>,
    filling: Arc<Filling>,
    progress: Arc<Progress>,
    give_empty: SyncSender<Vec<u8>>,
}

impl Worker {
    /// Works until nobody sends more or something cannot be written.
    fn run(&mut self, jobs: &Receiver<Job>) -> Option<Failure> {
        while let Ok(job) = jobs.recv() {
            let failure = match self.work(job) {
                Ok(()) => continue,
                Err(failure) => failure,
            };
            if self.file.as_ref().is_some_and(FrameFile::is_removed) {
                self.progress.events.fetch_sub(self.in_file, Ordering::Relaxed);
            }
            self.progress.failed.store(true, Ordering::Relaxed);
            if let Some(file) = self.file.take().filter(|file| file.len() == 0) {
                file.remove();
            }
            self.end_completion();
            return Some(failure);
        }
        self.complete();
        self.end_completion();
        self.end_dump().err()
    }

    /// Writes the rest of the index of the present file, in a thread of its own, while the next one begins. Without it
    /// the file is as good: what keeps it from being written is no failure.
    fn complete(&mut self) {
        let (Some(index), Some(mut file)) = (self.index.take(), self.file.take()) else { return };
        self.end_completion();
        let finish = move || drop(index.finish(&mut file));
        self.completion = thread::Builder::new().name("complete".to_owned()).spawn(finish).ok();
    }

    /// Waits until the index of the file before is written.
    fn end_completion(&mut self) {
        if let Some(thread) = self.completion.take() {
            let _ = thread.join();
        }
    }

    fn work(&mut self, job: Job) -> Result<(), Failure> {
        match job {
            Job::Dump(file) => self.dump(file),
            job => self.write(job).map_err(|cause| {
                let path = self.file.as_ref().map(|file| file.path.clone()).unwrap_or_default();
                Failure { path, cause }
            }),
        }
    }

    /// What makes the index of a file, if it gets one.
    fn index_of(&self, file: &FrameFile) -> Option<IndexThread> {
        let start =
            || IndexThread::start(file.path.display().to_string(), Some(self.give_empty.clone())).ok();
        self.has_index.then(start).flatten()
    }

    /// Writes what is in memory, in a thread of its own, one after the other.
    fn dump(&mut self, mut file: FrameFile) -> Result<(), Failure> {
        self.end_dump()?;
        let Some(ring) = &mut self.ring else { return Ok(()) };
        let segments = ring.take();
        let progress = Arc::clone(&self.progress);
        let path = file.path.clone();
        let index = self.index_of(&file);
        let write = move || {
            let (events, result) = flight_ring::write(&mut file, segments, index);
            progress.events.fetch_add(events, Ordering::Relaxed);
            result.map_err(|cause| {
                let path = file.path.clone();
                if file.len() == 0 {
                    file.remove();
                }
                Failure { path, cause }
            })
        };
        let thread = thread::Builder::new().name("dump".to_owned()).spawn(write);
        self.dump = Some(thread.map_err(|cause| Failure { path, cause })?);
        Ok(())
    }

    /// Waits until what was to be dumped is in its file.
    fn end_dump(&mut self) -> Result<(), Failure> {
        let Some(thread) = self.dump.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| {
            let cause = io::Error::other("the thread that writes it broke down");
            Err(Failure { path: PathBuf::new(), cause })
        })
    }

    fn write(&mut self, job: Job) -> io::Result<()> {
        match job {
            Job::Open(file, filling) => {
                self.complete();
                self.index = self.index_of(&file);
                self.file = Some(file);
                self.in_file = 0;
                self.filling = filling;
            }
            Job::Frame(Frame { blocks, events, until }) => {
                let unpacked = blocks.len() as u64;
                let frame = self.packer.pack(&blocks, events)?;
                let mut written_at = None;
                if let Some(ring) = &mut self.ring {
                    ring.push(frame, events, until);
                    self.filling.bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
                } else if let Some(file) = &mut self.file {
                    written_at = Some(file.len());
                    file.append(frame)?;
                    self.progress.events.fetch_add(events, Ordering::Relaxed);
                    self.in_file += events;
                    self.filling.bytes.store(file.len(), Ordering::Relaxed);
                }
                self.filling.unpacked.fetch_add(unpacked, Ordering::Relaxed);
                if let (Some(offset), Some(index), Some(file)) = (written_at, &mut self.index, &mut self.file)
                {
                    if index.frame(offset, blocks, file).is_err() {
                        self.index = None;
                    }
                    // Its records are behind the frame by now.
                    self.filling.bytes.store(file.len(), Ordering::Relaxed);
                } else {
                    // There is room for all buffers there are; if there were none, this one would be freed.
                    let _ = self.give_empty.try_send(blocks);
                }
            }
            Job::Segment(filling) => {
                self.filling = filling;
                if let Some(ring) = &mut self.ring {
                    ring.begin();
                }
            }
            Job::Settle(waiting) => drop(waiting),
            Job::Dump(_) => {}
            Job::Remove => {
                self.index = None;
                if let Some(file) = self.file.take() {
                    file.remove();
                }
            }
        }
        Ok(())
    }
}
