//! Makes the index of a capture while that is written, in a thread of its own.
//!
//! The thread reads what was written. So the index is right whatever was left out by filters, and the
//! one who records does nothing but hand over each frame.

use super::frame_file::FrameFile;
use super::frames::Compression;
use super::index::{Facts, Record};
use super::index_build::{Border, Borders, Builder, Collected, Granularity};
use super::input::Input;
use super::reader::CaptureSource;
use crate::source::SourceError;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

/// Frames that may wait for the thread.
const WAITING: usize = 8;

/// A frame that is in the file.
struct Written {
    /// Where it begins and ends in the file.
    offset: u64,
    end: u64,
    /// Not compressed.
    bytes: Vec<u8>,
}

/// The thread and what is known of its work.
pub(super) struct IndexThread {
    frames: SyncSender<Written>,
    records: Receiver<(Record, Vec<u8>)>,
    thread: JoinHandle<Result<Facts, SourceError>>,
    collected: Collected,
}

impl IndexThread {
    /// Starts it for the file called `name`. Buffers that were read go to `empty`, to be filled again.
    ///
    /// # Errors
    /// There cannot be another thread.
    pub fn start(name: String, empty: Option<SyncSender<Vec<u8>>>) -> io::Result<Self> {
        let (frames, written) = sync_channel(WAITING);
        let (sender, records) = channel();
        let thread = thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || build(name, written, empty, &sender))?;
        Ok(Self { frames, records, thread, collected: Collected::default() })
    }

    /// A frame with these blocks is in `file`, from `offset` up to its end. Appends the records that are
    /// ready.
    ///
    /// # Errors
    /// The thread has given up, or the records cannot be written.
    pub fn frame(&mut self, offset: u64, blocks: Vec<u8>, file: &mut FrameFile) -> io::Result<()> {
        let written = Written { offset, end: file.len(), bytes: blocks };
        self.frames.send(written).map_err(|_| io::Error::other("the index cannot be made"))?;
        while let Ok((record, bytes)) = self.records.try_recv() {
            self.collected.add(record, append(file, &bytes)?);
        }
        Ok(())
    }

    /// Writes the rest of the index.
    ///
    /// # Errors
    /// It cannot be written, or the thread gave up.
    pub fn finish(self, file: &mut FrameFile) -> io::Result<()> {
        let Self { frames, records, thread, mut collected } = self;
        drop(frames);
        for (record, bytes) in records {
            collected.add(record, append(file, &bytes)?);
        }
        let facts = thread.join().map_err(|_| io::Error::other("the index cannot be made"))?;
        let contents = collected.into_contents(facts.map_err(io::Error::other)?, file.len());
        file.append(&Record::Contents(contents).to_bytes()?)
    }
}

/// Appends a record; returns where it begins.
fn append(file: &mut FrameFile, record: &[u8]) -> io::Result<u64> {
    let at = file.len();
    file.append(record).map(|()| at)
}

fn build(
    name: String,
    written: Receiver<Written>,
    empty: Option<SyncSender<Vec<u8>>>,
    records: &Sender<(Record, Vec<u8>)>,
) -> Result<Facts, SourceError> {
    let borders = Borders::default();
    let frames =
        Frames { written, empty, borders: borders.clone(), bytes: Vec::new(), at: 0, start: 0, end: 0 };
    let input = Input::part(name, frames, Compression::None, 0)
        .map_err(|cause| SourceError::Io { what: "the index".to_owned(), cause })?;
    let source = CaptureSource::of(input);
    Builder::new(source, Some(borders), Granularity::default()).run(&mut |record| {
        let bytes = record.to_bytes()?;
        records.send((record, bytes)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    })
}

/// The frames one after the other.
struct Frames {
    written: Receiver<Written>,
    empty: Option<SyncSender<Vec<u8>>>,
    borders: Borders,
    bytes: Vec<u8>,
    at: usize,
    /// Where the next frame begins in what was decompressed.
    start: u64,
    /// Where the last one ends in the file.
    end: u64,
}

impl Read for Frames {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.bytes.len() {
            let next = self.written.recv().ok();
            let offset = next.as_ref().map_or(self.end, |next| next.offset);
            self.borders.push(Border { start: self.start, offset });
            let Some(next) = next else { return Ok(0) };
            self.start += next.bytes.len() as u64;
            self.end = next.end;
            let read = std::mem::replace(&mut self.bytes, next.bytes);
            self.at = 0;
            if let Some(empty) = &self.empty {
                // Where there are enough of them, it is freed.
                let _ = empty.try_send(read);
            }
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let n = rest.len().min(out.len());
        let (Some(to), Some(from)) = (out.get_mut(..n), rest.get(..n)) else { return Ok(0) };
        to.copy_from_slice(from);
        self.at += n;
        Ok(n)
    }
}
