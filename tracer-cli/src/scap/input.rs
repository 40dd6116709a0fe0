//! The bytes of a capture file, a window on them at a time.
//!
//! The window grows only as bytes really arrive: a length that lies takes no memory. Regular files
//! are read like pipes: the copy is made by another thread, and a mapped file that somebody cuts
//! kills the reader.

use super::chunks::{Chunk, Chunks, More};
use super::damage::CaptureError;
use super::file::{ReadOptions, Watched, is_being_written};
use super::frames::{self, Compression};
use crate::row::{Framed, Row};
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// One open capture file.
pub(super) struct Input {
    /// As the user typed it.
    pub name: String,
    pub compression: Compression,
    chunks: Chunks,
    window: Chunk,
    /// Place of the window in the (decompressed) file.
    offset: u64,
    /// The file itself, where it is one.
    file: Option<File>,
    ended: bool,
    /// Why reading ended; reported when what is missing is asked for.
    failed: Option<io::Error>,
}

impl Input {
    /// Opens a file, `-` for standard input.
    ///
    /// # Errors
    /// Files that cannot be opened, and directories.
    pub fn open(path: &Path, options: ReadOptions) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        let failed = |cause| CaptureError::Open { file: name.clone(), cause: plain(cause) };
        let file = match path == Path::new("-") {
            true => io::stdin().as_fd().try_clone_to_owned().map(File::from),
            false => File::open(path),
        };
        let file = file.map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")));
        }
        match metadata.is_file() {
            true => Self::of_file(name.clone(), file, options),
            false => Self::of_pipe(name.clone(), Watched { file, options }),
        }
        .map_err(failed)
    }

    fn of_file(name: String, file: File, options: ReadOptions) -> io::Result<Self> {
        let follow = options.follow;
        let same = file.try_clone()?;
        let mut file = Watched { file, options };
        let mut input = if follow {
            Self::of_pipe(name, file)?
        } else {
            let begin = file.file.stream_position()?;
            let compression = Compression::of(&first_bytes(&mut file.file)?);
            file.file.seek(SeekFrom::Start(begin))?;
            let reader = compression.unpacked(file)?;
            Self::with(name, compression, Chunks::ahead(reader, compression.is_slow())?)
        };
        input.file = Some(same);
        Ok(input)
    }

    /// Of a file whose bytes come when somebody writes them.
    fn of_pipe(name: String, mut file: Watched) -> io::Result<Self> {
        let magic = first_bytes(&mut file)?;
        let compression = Compression::of(&magic);
        let reader = compression.unpacked(Cursor::new(magic).chain(file))?;
        Ok(Self::with(name, compression, Chunks::ahead(reader, compression.is_slow())?))
    }

    /// An input with these bytes, which may be compressed.
    pub fn of(name: String, mut file: Box<dyn Read + Send>) -> io::Result<Self> {
        let magic = first_bytes(&mut file)?;
        let compression = Compression::of(&magic);
        let reader = compression.unpacked(Cursor::new(magic).chain(file))?;
        Ok(Self::with(name, compression, Chunks::here(reader)))
    }

    /// A part of a file, which begins between two blocks: `file` gives its bytes, and `offset` is its place in
    /// what was decompressed. It is decompressed by the thread that reads it.
    ///
    /// # Errors
    /// What the decompressor reports.
    pub fn part(
        name: String,
        file: impl Read + Send + 'static,
        compression: Compression,
        offset: u64,
    ) -> io::Result<Self> {
        let chunks = Chunks::here(compression.unpacked(file)?);
        Ok(Self { offset, ..Self::with(name, compression, chunks) })
    }

    fn with(name: String, compression: Compression, chunks: Chunks) -> Self {
        let window = Chunk::default();
        Self { name, compression, chunks, window, offset: 0, file: None, ended: false, failed: None }
    }

    /// An input with just these bytes.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        let chunks = Chunks::here(Box::new(io::empty()));
        let window = Chunk::of(bytes);
        Self { window, ..Self::with(String::new(), Compression::None, chunks) }
    }

    /// Makes the window hold at least `n` bytes; `false` when the file has fewer.
    #[inline]
    pub fn has(&mut self, n: usize) -> bool {
        self.window.len() >= n || self.fill(n, None) == Some(true)
    }

    /// As [`Input::has`]; `None` when they may still come, but did not for `limit`.
    pub fn has_within(&mut self, n: usize, limit: Duration) -> Option<bool> {
        self.fill(n, Some(limit))
    }

    #[cold]
    fn fill(&mut self, n: usize, limit: Option<Duration>) -> Option<bool> {
        while self.window.len() < n && !self.ended {
            match self.chunks.more(limit) {
                Ok(More::Chunk(chunk)) => self.chunks.give_back(self.window.join(chunk)),
                Ok(More::NotYet) => return None,
                Ok(More::End) => self.ended = true,
                Err(e) => {
                    self.ended = true;
                    self.failed = Some(e);
                }
            }
        }
        Some(self.window.len() >= n)
    }

    /// The event at the start of the window, where one was found there when the bytes arrived.
    #[inline]
    pub fn event(&mut self) -> Option<&Framed> {
        self.window.event()
    }

    /// The events from the start of the window on, where one was found there; the one before was of the time `after`.
    #[inline]
    pub fn row(&mut self, after: u64) -> Option<Row<'_>> {
        self.window.row(after)
    }

    /// Moves past the first `n` events of the row; returns the time of the last.
    pub fn pass(&mut self, n: usize) -> Option<u64> {
        let (bytes, ts) = self.window.pass(n)?;
        self.offset += bytes as u64;
        Some(ts)
    }

    /// What is in the window.
    #[inline]
    pub fn window(&self) -> &[u8] {
        self.window.bytes()
    }

    /// Moves on by `n` bytes, which must be in the window.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        let n = n.min(self.window.len());
        self.offset += n as u64;
        self.window.advance(n);
    }

    /// Moves on by `n` bytes of the window and returns them.
    #[inline]
    pub fn take(&mut self, n: usize) -> &[u8] {
        let n = n.min(self.window.len());
        self.offset += n as u64;
        self.window.take(n)
    }

    /// Moves on by `n` bytes wherever they are; returns how many of them the file does not have.
    pub fn skip(&mut self, mut n: u64) -> u64 {
        while n > 0 && self.has(1) {
            let step = n.min(self.window.len() as u64);
            self.advance(step as usize);
            n -= step;
        }
        n
    }

    /// Place of the window in the (decompressed) file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the file ended, perhaps in the middle of a block, only because somebody has not yet
    /// written the rest.
    pub fn is_growing(&self) -> bool {
        let cut = self.failed.as_ref().is_none_or(|e| e.kind() == io::ErrorKind::UnexpectedEof);
        self.ended && cut && self.file.as_ref().is_some_and(is_being_written)
    }

    /// Why reading ended early, once.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// What places are counted in.
    pub fn unit(&self) -> &'static str {
        match self.compression {
            Compression::None => "",
            Compression::Gzip | Compression::Zstd => " of what was decompressed",
        }
    }
}

/// What tells the compression.
fn first_bytes(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut magic = Vec::with_capacity(frames::MAGIC);
    file.take(frames::MAGIC as u64).read_to_end(&mut magic)?;
    Ok(magic)
}

/// The error as people know it, without the number that the library puts behind it.
pub(super) fn plain(cause: io::Error) -> String {
    match cause.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Slow(Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = out.len().min(1);
            self.0.read(&mut out[..n])
        }
    }

    #[test]
    fn windows_move_over_the_file() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut input = Input::of("x".into(), Box::new(Slow(Cursor::new(bytes)))).unwrap();
        assert!(input.has(3));
        assert_eq!(input.window().get(..3), Some(&[0, 1, 2][..]));
        input.advance(2);
        assert!(input.has(200));
        assert_eq!((input.window()[0], input.offset()), (2, 2));
        assert_eq!(input.skip(100), 0);
        assert_eq!((input.window()[0], input.offset()), (102, 102));
        assert!(!input.has(usize::MAX));
        assert_eq!(input.window().len(), 154);
        assert_eq!(input.skip(200), 46);
        assert_eq!(input.offset(), 256);
    }

    #[test]
    fn a_length_that_lies_takes_no_memory() {
        let mut input = Input::of("x".into(), Box::new(Cursor::new(vec![1; 100]))).unwrap();
        assert!(!input.has(1 << 40));
        assert_eq!(input.window().len(), 100);
    }
}
