//! A file in the making: frames that are each compressed on their own and written as a whole.
//!
//! A frame that cannot be written as a whole is taken back, so that the file ends with a whole one.
//! Gzip frames are members, zstd frames are frames: to every other program the file is an ordinary
//! compressed one.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use zstd::bulk::Compressor;

/// How what is written is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    /// With a level from 1 to 19.
    Zstd(i32),
}

/// Level of zstd unless another is asked for.
pub const DEFAULT_LEVEL: i32 = 3;

impl Default for Codec {
    fn default() -> Self {
        Codec::Zstd(DEFAULT_LEVEL)
    }
}

/// The file.
pub(super) struct FrameFile {
    pub path: PathBuf,
    file: File,
    /// Can be cut and be removed: it is no pipe and no device.
    is_regular: bool,
    codec: Codec,
    zstd: Option<Compressor<'static>>,
    compressed: Vec<u8>,
    /// Bytes of the whole frames in it.
    len: u64,
}

impl FrameFile {
    /// Makes the file; `-` is standard output.
    ///
    /// # Errors
    /// One with content is there already and `overwrite` is not set, or it cannot be made.
    pub fn create(path: &Path, overwrite: bool, codec: Codec) -> io::Result<Self> {
        let file = if path == Path::new("-") {
            use std::os::fd::AsFd;
            File::from(io::stdout().as_fd().try_clone_to_owned()?)
        } else {
            OpenOptions::new().write(true).create(true).truncate(false).open(path)?
        };
        let meta = file.metadata()?;
        let is_regular = meta.is_file() && path != Path::new("-");
        if is_regular && meta.len() > 0 {
            if !overwrite {
                let message = "there is such a file already; --overwrite writes in its place";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            file.set_len(0)?;
        }
        let zstd = match codec {
            Codec::Zstd(level) => {
                let mut compressor = Compressor::new(level)?;
                compressor.include_checksum(true)?;
                Some(compressor)
            }
            Codec::None | Codec::Gzip => None,
        };
        Ok(Self { path: path.to_owned(), file, is_regular, codec, zstd, compressed: Vec::new(), len: 0 })
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Compresses `frame` and appends it.
    ///
    /// # Errors
    /// It could not be written; the file is as it was before.
    pub fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        let bytes: &[u8] = match (&mut self.zstd, self.codec) {
            (Some(compressor), _) => {
                self.compressed.clear();
                self.compressed.reserve(zstd::zstd_safe::compress_bound(frame.len()));
                compressor.compress_to_buffer(frame, &mut self.compressed)?;
                &self.compressed
            }
            (None, Codec::Gzip) => {
                self.compressed.clear();
                let mut encoder = GzEncoder::new(&mut self.compressed, Compression::default());
                encoder.write_all(frame)?;
                encoder.finish()?;
                &self.compressed
            }
            (None, _) => frame,
        };
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.len += bytes.len() as u64;
                Ok(())
            }
            Err(e) => {
                self.take_back();
                Err(e)
            }
        }
    }

    /// Cuts off what was written of the last frame.
    fn take_back(&mut self) {
        use std::io::{Seek, SeekFrom};
        // What cannot be cut stays; readers stop there and say so.
        if self.is_regular && self.file.set_len(self.len).is_ok() {
            let _ = self.file.seek(SeekFrom::Start(self.len));
        }
    }

    /// Removes the file.
    pub fn remove(self) {
        if self.is_regular {
            // One that somebody else has removed is gone as well.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
