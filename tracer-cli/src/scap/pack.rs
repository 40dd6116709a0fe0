//! Compression of frames: each on its own, so that a file is whole up to its last frame.
//!
//! Gzip frames are members, zstd frames are frames: to every other program the file is an ordinary
//! compressed one.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
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

/// Makes frames of rows of blocks.
pub(super) struct Packer {
    codec: Codec,
    zstd: Option<Compressor<'static>>,
    packed: Vec<u8>,
}

impl Packer {
    /// # Errors
    /// There is no memory for the tables of the compressor.
    pub fn new(codec: Codec) -> io::Result<Self> {
        let zstd = match codec {
            Codec::Zstd(level) => {
                let mut compressor = Compressor::new(level)?;
                compressor.include_checksum(true)?;
                Some(compressor)
            }
            Codec::None | Codec::Gzip => None,
        };
        Ok(Self { codec, zstd, packed: Vec::new() })
    }

    /// The frame of `blocks`.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn pack<'a>(&'a mut self, blocks: &'a [u8]) -> io::Result<&'a [u8]> {
        self.packed.clear();
        match (&mut self.zstd, self.codec) {
            (Some(compressor), _) => {
                self.packed.reserve(zstd::zstd_safe::compress_bound(blocks.len()));
                compressor.compress_to_buffer(blocks, &mut self.packed)?;
            }
            (None, Codec::Gzip) => {
                let mut encoder = GzEncoder::new(&mut self.packed, Compression::default());
                encoder.write_all(blocks)?;
                encoder.finish()?;
            }
            (None, _) => return Ok(blocks),
        }
        Ok(&self.packed)
    }
}
