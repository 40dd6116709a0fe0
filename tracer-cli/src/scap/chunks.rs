//! The bytes of a file in chunks, as they arrive.
//!
//! A thread reads ahead: it decompresses, waits for pipes, and finds where the events are. That is a
//! third of all the work that a plain file makes, and most of what a compressed one makes.
//!
//! Chunks are handed over, not copied, and their memory goes back to be filled again. Each has room
//! before its bytes for what was left of the chunk before: most often the beginning of an event.

use super::framing::Framing;
use crate::row::{Framed, Row};
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes fetched at a time.
const CHUNK: usize = 256 * 1024;
/// Free bytes before those that were fetched, at least.
const ROOM: usize = 64 * 1024;
/// The kernel copies a file three times slower to memory that begins elsewhere in its page.
const PAGE: usize = 4096;
/// Memory of a chunk.
const MEMORY: usize = ROOM + PAGE + CHUNK;
/// Bytes of most events, at least.
const TYPICAL: usize = 64;
/// Chunks that may wait for the receiver.
const WAITING: usize = 3;

/// Some bytes of a file, and free bytes before them.
#[derive(Default)]
pub(super) struct Chunk {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Events in it, in order, and the first of them that nobody has taken yet.
    events: Vec<Framed>,
    next: usize,
}

impl Chunk {
    fn empty() -> Self {
        Self { buffer: vec![0; MEMORY], events: Vec::with_capacity(CHUNK / TYPICAL), ..Self::default() }
    }

    /// A chunk of these bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { end: bytes.len(), buffer: bytes, ..Self::default() }
    }

    /// What is in it.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// The event at the start, where one was found there.
    #[inline]
    pub fn event(&mut self) -> Option<&Framed> {
        while self.events.get(self.next)?.at < self.start as u32 {
            self.next += 1;
        }
        self.events.get(self.next).filter(|found| found.at as usize == self.start)
    }

    /// The events from the start on, where one was found there.
    #[inline]
    pub fn row(&mut self, after: u64) -> Option<Row<'_>> {
        self.event()?;
        let events = self.events.get(self.next..)?;
        Some(Row { events, bytes: self.buffer.get(..self.end)?, after })
    }

    /// Leaves out the first `n` events of the row; returns how many bytes they are, and the time of the last.
    #[inline]
    pub fn pass(&mut self, n: usize) -> Option<(usize, u64)> {
        let last = self.events.get((self.next + n).checked_sub(1)?)?;
        let before = self.start;
        self.start = (last.at as usize + last.len as usize).clamp(before, self.end);
        self.next += n;
        Some((self.start - before, last.head.ts))
    }

    /// Leaves out the first `n` bytes, or all there are.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        self.start += n.min(self.end - self.start);
    }

    /// The first `n` bytes, which are left out from then on.
    #[inline]
    pub fn take(&mut self, n: usize) -> &[u8] {
        let start = self.start;
        self.advance(n);
        self.buffer.get(start..self.start).unwrap_or_default()
    }

    /// Fills it with the bytes that come next; `false` at the end.
    fn fill(&mut self, from: &mut dyn Read) -> io::Result<bool> {
        let start = ROOM + self.buffer.as_ptr().align_offset(PAGE).min(PAGE);
        loop {
            match from.read(self.buffer.get_mut(start..start + CHUNK).unwrap_or_default()) {
                Ok(read) => {
                    (self.start, self.end) = (start, start + read);
                    self.forget_events();
                    return Ok(read > 0);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn is_reusable(&self) -> bool {
        self.buffer.len() == MEMORY
    }

    fn forget_events(&mut self) {
        self.events.clear();
        self.next = 0;
    }

    /// Puts `bytes` before what is in it; `false` when there is no room.
    fn prepend(&mut self, bytes: &[u8]) -> bool {
        let Some(start) = self.start.checked_sub(bytes.len()) else { return false };
        let Some(room) = self.buffer.get_mut(start..self.start) else { return false };
        room.copy_from_slice(bytes);
        self.start = start;
        true
    }

    /// Puts `bytes` behind what is in it, in larger memory where needed.
    fn append(&mut self, bytes: &[u8]) {
        self.forget_events();
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.buffer.truncate(self.end);
        self.buffer.extend_from_slice(bytes);
        self.end = self.buffer.len();
    }

    /// Puts what `next` has behind what is in it. Returns the chunk whose memory is free again.
    pub fn join(&mut self, mut next: Chunk) -> Chunk {
        if next.prepend(self.bytes()) {
            return std::mem::replace(self, next);
        }
        self.append(next.bytes());
        next
    }
}

/// Finds the events of chunks that follow each other.
#[derive(Default)]
pub(super) struct Events {
    framing: Framing,
    /// The beginning of an event that goes on in the next chunk.
    rest: Vec<u8>,
}

impl Events {
    fn find(&mut self, chunk: &mut Chunk) {
        // Where the receiver will put the same bytes, as the last that are left of the chunk before.
        let start = chunk.start;
        let is_joined = chunk.prepend(&self.rest);
        let bytes = chunk.buffer.get(chunk.start..chunk.end).unwrap_or_default();
        let whole = self.framing.find(bytes, chunk.start, ROOM, &mut chunk.events);
        self.rest.clear();
        self.rest.extend_from_slice(bytes.get(whole..).unwrap_or_default());
        chunk.start = start;
        debug_assert!(is_joined, "there is room for so many bytes");
    }
}

/// What a look for more bytes found.
pub(super) enum More {
    Chunk(Chunk),
    /// None came within the time.
    NotYet,
    End,
}

/// Gives the chunks of one file.
pub(super) enum Chunks {
    /// Read by who asks for them.
    Here {
        file: Box<dyn Read + Send>,
        events: Events,
        /// Memory to be filled again.
        spare: Option<Chunk>,
    },
    /// Read ahead by a thread.
    Ahead {
        full: Receiver<io::Result<Chunk>>,
        /// Memory to be filled again.
        empty: SyncSender<Chunk>,
        /// The thread has no time to find the events.
        events: Option<Events>,
    },
}

impl Chunks {
    /// Reads `inner` when asked.
    pub fn here(file: Box<dyn Read + Send>) -> Self {
        Chunks::Here { file, events: Events::default(), spare: None }
    }

    /// Begins to read `inner` in a thread. It finds the events, too, unless it `is_slow` without that.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn ahead(inner: Box<dyn Read + Send>, is_slow: bool) -> io::Result<Self> {
        let (send_full, full) = sync_channel(WAITING);
        let (empty, take_empty) = sync_channel(WAITING + 1);
        let events = |wanted: bool| wanted.then(Events::default);
        let (here, there) = (events(is_slow), events(!is_slow));
        thread::Builder::new()
            .name("read ahead".to_owned())
            .spawn(move || read_ahead(inner, there, &send_full, &take_empty))?;
        Ok(Chunks::Ahead { full, empty, events: here })
    }

    /// The next bytes; waits for them at most `limit`, where there is one and they are read ahead.
    ///
    /// # Errors
    /// The file could not be read further.
    pub fn more(&mut self, limit: Option<Duration>) -> io::Result<More> {
        match self {
            Chunks::Here { file, events, spare } => {
                let mut chunk = spare.take().unwrap_or_else(Chunk::empty);
                if !chunk.fill(file.as_mut())? {
                    return Ok(More::End);
                }
                events.find(&mut chunk);
                Ok(More::Chunk(chunk))
            }
            Chunks::Ahead { full, events, .. } => {
                let next = match limit {
                    Some(limit) => full.recv_timeout(limit),
                    None => full.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match next {
                    Ok(chunk) => {
                        let mut chunk = chunk?;
                        if let Some(events) = events {
                            events.find(&mut chunk);
                        }
                        Ok(More::Chunk(chunk))
                    }
                    Err(RecvTimeoutError::Timeout) => Ok(More::NotYet),
                    // The thread has said all and is gone.
                    Err(RecvTimeoutError::Disconnected) => Ok(More::End),
                }
            }
        }
    }

    /// Gives memory back.
    pub fn give_back(&mut self, chunk: Chunk) {
        match self {
            _ if !chunk.is_reusable() => {}
            Chunks::Here { spare, .. } => *spare = Some(chunk),
            // Where there is no room for it, it is freed.
            Chunks::Ahead { empty, .. } => _ = empty.try_send(chunk),
        }
    }
}

/// Fills chunks until the end, an error, or until nobody wants more.
fn read_ahead(
    mut inner: Box<dyn Read + Send>,
    mut events: Option<Events>,
    full: &SyncSender<io::Result<Chunk>>,
    empty: &Receiver<Chunk>,
) {
    loop {
        let mut chunk = match empty.try_recv() {
            Ok(chunk) => chunk,
            Err(TryRecvError::Empty) => Chunk::empty(),
            Err(TryRecvError::Disconnected) => return,
        };
        let (result, goes_on) = match chunk.fill(inner.as_mut()) {
            Ok(true) => {
                if let Some(events) = &mut events {
                    events.find(&mut chunk);
                }
                (Ok(chunk), true)
            }
            Ok(false) => return,
            Err(e) => (Err(e), false),
        };
        if full.send(result).is_err() || !goes_on {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways to read the same.
    fn each<R: Read + Send + 'static>(make: impl Fn() -> R) -> [Chunks; 3] {
        let ahead = |is_slow| Chunks::ahead(Box::new(make()), is_slow).unwrap();
        [Chunks::here(Box::new(make())), ahead(false), ahead(true)]
    }

    fn all(chunks: &mut Chunks) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        while let More::Chunk(chunk) = chunks.more(None)? {
            out.extend_from_slice(chunk.bytes());
            chunks.give_back(chunk);
        }
        Ok(out)
    }

    #[test]
    fn every_byte_comes_once() {
        let bytes: Vec<u8> = (0..CHUNK as u32).flat_map(u32::to_le_bytes).collect();
        for mut chunks in each(|| io::Cursor::new(bytes.clone())) {
            assert!(all(&mut chunks).unwrap() == bytes);
        }
    }

    #[test]
    fn what_is_left_of_a_chunk_comes_before_the_next() {
        for left in [0, 1, ROOM, ROOM + 1, CHUNK] {
            let bytes: Vec<u8> = (0..CHUNK as u32 / 2).flat_map(u32::to_le_bytes).collect();
            for mut chunks in each(|| io::Cursor::new(bytes.clone())) {
                let mut chunk = Chunk::default();
                let mut at = 0;
                while let More::Chunk(next) = chunks.more(None).unwrap() {
                    chunks.give_back(chunk.join(next));
                    assert!(bytes[at..].starts_with(chunk.bytes()), "{left} bytes left");
                    let taken = chunk.len().saturating_sub(left);
                    assert_eq!(chunk.take(taken), &bytes[at..at + taken]);
                    at += taken;
                }
                assert!(chunk.bytes() == &bytes[at..]);
            }
        }
    }

    #[test]
    fn an_error_comes_behind_the_bytes_before_it() {
        struct Fails(u32);
        impl Read for Fails {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Err(io::ErrorKind::Interrupted.into()),
                    2 => {
                        out[..5].fill(7);
                        Ok(5)
                    }
                    _ => Err(io::Error::other("broken")),
                }
            }
        }
        for mut chunks in each(|| Fails(0)) {
            assert!(matches!(chunks.more(None), Ok(More::Chunk(chunk)) if chunk.bytes() == [7; 5]));
            assert_eq!(chunks.more(None).err().map(|e| e.to_string()).as_deref(), Some("broken"));
        }
    }

    #[test]
    fn who_waits_is_told_that_nothing_came() {
        let (reader, writer) = io::pipe().unwrap();
        let mut chunks = Chunks::ahead(Box::new(reader), false).unwrap();
        assert!(matches!(chunks.more(Some(Duration::ZERO)), Ok(More::NotYet)));
        drop(writer);
        assert!(matches!(chunks.more(None), Ok(More::End)));
    }
}
