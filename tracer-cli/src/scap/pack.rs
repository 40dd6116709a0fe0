//! Compression of frames: each on its own, so that a file is whole up to its last frame.
//!
//! Gzip frames are members, zstd frames are frames: to every other program the file is an ordinary
//! compressed one.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::time::{Duration, Instant};
use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, Strategy};

/// How what is written is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    /// With a level from 1 to 19. Without one as suits rows of events that resemble each other; of a live recording
    /// with less effort where many come at once.
    Zstd(Option<i32>),
}

/// A frame is written when so many bytes of blocks are there: compression is the better the more it sees; without it,
/// what does not fit on a full disk is the less.
const FRAME: usize = 1 << 20;
const PLAIN_FRAME: usize = 64 << 10;
/// Of zstd a large frame is a tenth smaller than small ones are, but who wants a part of it has to decompress what is
/// before. So they are large where the whole is read in a tenth of a second, up to so many bytes of blocks, and where one
/// is little beside all that is before: one part in so many.
const LARGE_FRAME: usize = 8 << 20;
const SOON_READ: u64 = 96 << 20;
const FEW: u64 = 1024;

impl Codec {
    /// Bytes of blocks that make a frame, where so many were written before to the file, which is to end with about
    /// `most` bytes.
    pub(super) fn frame(self, before: u64, most: Option<u64>) -> usize {
        let wanted = if before < SOON_READ { LARGE_FRAME as u64 } else { before / FEW };
        match self {
            Codec::None => PLAIN_FRAME,
            Codec::Gzip => FRAME,
            Codec::Zstd(_) => {
                let frame = wanted.min(most.unwrap_or(u64::MAX));
                usize::try_from(frame).unwrap_or(LARGE_FRAME).clamp(FRAME, LARGE_FRAME)
            }
        }
    }
}

impl Default for Codec {
    fn default() -> Self {
        Codec::Zstd(None)
    }
}

/// Level for those that come too fast: for them it is four times as fast as the effort that suits them, and four
/// thirds of the size.
const QUICK_LEVEL: i32 = 1;

/// Size of the table in which the compressor looks for what it has seen, as a power of two: for most frames, and for larger
/// ones than so many bytes, of which it would forget most.
const HASH_LOG: u32 = 18;
const LARGE_HASH_LOG: u32 = 20;
const LARGE: usize = 2 << 20;

/// The effort takes one part in so many of the time of a CPU at most, when nobody can wait for it.
const PARTS: u32 = 4;

/// Makes frames of rows of blocks.
pub(super) struct Packer {
    codec: Codec,
    zstd: Option<Compressor<'static>>,
    /// For those that come too fast.
    quick: Option<Compressor<'static>>,
    /// When there is time for more effort again.
    free_at: Instant,
    packed: Vec<u8>,
}

impl Packer {
    /// With `is_live` what comes does not wait until it is compressed.
    ///
    /// # Errors
    /// There is no memory for the tables of the compressor.
    pub fn new(codec: Codec, is_live: bool) -> io::Result<Self> {
        let (zstd, quick) = match codec {
            Codec::Zstd(Some(level)) => (Some(compressor(level)?), None),
            Codec::Zstd(None) => {
                (Some(event_compressor()?), is_live.then(|| compressor(QUICK_LEVEL)).transpose()?)
            }
            Codec::None | Codec::Gzip => (None, None),
        };
        Ok(Self { codec, zstd, quick, free_at: Instant::now(), packed: Vec::new() })
    }

    /// The frame of `blocks`.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn pack<'a>(&'a mut self, blocks: &'a [u8]) -> io::Result<&'a [u8]> {
        self.packed.clear();
        match (&mut self.zstd, self.codec) {
            (Some(zstd), _) => {
                self.packed.reserve(zstd::zstd_safe::compress_bound(blocks.len()));
                let begin = Instant::now();
                match &mut self.quick {
                    Some(quick) if begin < self.free_at => {
                        quick.compress_to_buffer(blocks, &mut self.packed)?
                    }
                    _ => {
                        if self.codec == Codec::Zstd(None) {
                            let log = if blocks.len() > LARGE { LARGE_HASH_LOG } else { HASH_LOG };
                            zstd.set_parameter(CParameter::HashLog(log))?;
                        }
                        zstd.compress_to_buffer(blocks, &mut self.packed)?
                    }
                };
                if begin >= self.free_at {
                    self.free_at = begin + begin.elapsed().max(Duration::from_micros(1)) * PARTS;
                }
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

fn compressor(level: i32) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(level)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

/// Events of a type repeat dozens of bytes, at distances that are multiples of their lengths: short matches are
/// coincidence, and of the long ones the best is worth a search. Beside level 3, on recordings of three kinds: 60 to
/// 85 % of the size at half the speed, 100 to 200 MB/s.
fn event_compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = compressor(3)?;
    for parameter in [
        CParameter::Strategy(Strategy::ZSTD_lazy),
        CParameter::MinMatch(7),
        CParameter::WindowLog(23),
        CParameter::HashLog(HASH_LOG),
        CParameter::ChainLog(16),
        CParameter::SearchLog(6),
    ] {
        compressor.set_parameter(parameter)?;
    }
    Ok(compressor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_large_in_small_files_and_in_huge_ones() {
        let zstd = Codec::default();
        assert_eq!(zstd.frame(0, None), LARGE_FRAME);
        assert_eq!(zstd.frame(1 << 30, None), FRAME);
        assert_eq!(zstd.frame(3 << 30, None), 3 << 20);
        assert_eq!(zstd.frame(1 << 40, None), LARGE_FRAME);
        assert_eq!((zstd.frame(0, Some(0)), zstd.frame(0, Some(2 << 20))), (FRAME, 2 << 20));
        assert_eq!(Codec::None.frame(1 << 40, None), PLAIN_FRAME);
    }

    #[test]
    fn what_comes_too_fast_is_compressed_with_less_effort_and_reads_the_same() {
        let blocks: Vec<u8> = (0..200_000u32).flat_map(|i| (i / 7 * (i % 1000)).to_le_bytes()).collect();
        for is_live in [false, true] {
            let mut packer = Packer::new(Codec::default(), is_live).unwrap();
            let first = packer.pack(&blocks).unwrap().to_vec();
            packer.free_at = Instant::now() + Duration::from_secs(3600);
            let second = packer.pack(&blocks).unwrap().to_vec();
            assert_eq!(first != second, is_live);
            for frame in [first, second] {
                assert_eq!(zstd::bulk::decompress(&frame, blocks.len()).unwrap(), blocks);
            }
        }
    }
}
