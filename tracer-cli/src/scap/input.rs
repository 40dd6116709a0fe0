//! The bytes of a capture file, a window on them at a time.
//!
//! The window is a buffer that grows only as bytes really arrive: a length that lies takes no
//! memory. Regular files are read like pipes: the copy is a small part of the time of reading, and a
//! mapped file that somebody cuts kills the reader.

use super::damage::CaptureError;
use super::frames::{self, Compression};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// Bytes read at a time.
const WINDOW: usize = 256 * 1024;

/// One open capture file.
pub(super) struct Input {
    /// As the user typed it.
    pub name: String,
    pub compression: Compression,
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Place of `start` in the (decompressed) file.
    offset: u64,
    ended: bool,
    /// Why reading ended; reported when what is missing is asked for.
    failed: Option<io::Error>,
}

impl Input {
    /// Opens a file, `-` for standard input.
    ///
    /// # Errors
    /// Files that cannot be opened, and directories.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        let failed = |cause| CaptureError::Open { file: name.clone(), cause: plain(cause) };
        let file: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let file = File::open(path).map_err(failed)?;
            if file.metadata().map_err(failed)?.is_dir() {
                return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")));
            }
            Box::new(file)
        };
        Self::of(name.clone(), file).map_err(failed)
    }

    /// An input with these bytes, which may be compressed.
    pub fn of(name: String, mut file: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut magic = Vec::with_capacity(frames::MAGIC);
        file.by_ref().take(frames::MAGIC as u64).read_to_end(&mut magic)?;
        let compression = Compression::of(&magic);
        let reader = compression.reader(Box::new(Cursor::new(magic).chain(file)))?;
        Ok(Self {
            name,
            compression,
            reader,
            buffer: vec![0; WINDOW],
            start: 0,
            end: 0,
            offset: 0,
            ended: false,
            failed: None,
        })
    }

    /// An input with just these bytes.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self {
            name: String::new(),
            compression: Compression::None,
            reader: Box::new(io::empty()),
            start: 0,
            end: bytes.len(),
            buffer: bytes,
            offset: 0,
            ended: true,
            failed: None,
        }
    }

    /// Makes the window hold at least `n` bytes; `false` when the file has fewer.
    #[inline]
    pub fn has(&mut self, n: usize) -> bool {
        self.end - self.start >= n || self.fill(n)
    }

    #[cold]
    fn fill(&mut self, n: usize) -> bool {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < n && !self.ended {
            if self.end == self.buffer.len() {
                let larger = self.buffer.len().saturating_mul(2);
                self.buffer.resize(larger, 0);
            }
            match self.reader.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.ended = true;
                    self.failed = Some(e);
                }
            }
        }
        self.end >= n
    }

    /// What is in the window.
    #[inline]
    pub fn window(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Moves on by `n` bytes, which must be in the window.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.offset += n as u64;
    }

    /// Moves on by `n` bytes of the window and returns them.
    #[inline]
    pub fn take(&mut self, n: usize) -> &[u8] {
        let start = self.start;
        self.advance(n);
        self.buffer.get(start..self.start).unwrap_or_default()
    }

    /// Moves on by `n` bytes wherever they are; returns how many of them the file does not have.
    pub fn skip(&mut self, mut n: u64) -> u64 {
        while n > 0 && self.has(1) {
            let step = n.min((self.end - self.start) as u64);
            self.advance(step as usize);
            n -= step;
        }
        n
    }

    /// Place of the window in the (decompressed) file.
    pub fn offset(&self) -> u64 {
        self.offset
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

/// The error as people know it, without the number that the library puts behind it.
fn plain(cause: io::Error) -> String {
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
        assert!(input.buffer.len() <= WINDOW);
    }

    #[test]
    fn a_length_that_lies_takes_no_memory() {
        let mut input = Input::of("x".into(), Box::new(Cursor::new(vec![1; 100]))).unwrap();
        assert!(!input.has(1 << 40));
        assert_eq!(input.buffer.len(), WINDOW);
    }
}
