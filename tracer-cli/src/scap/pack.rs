//! Compression of frames: each on its own, so that a file is whole up to its last frame.
//!
//! Gzip frames are members, zstd frames are frames: to every other program the file is an ordinary
//! compressed one. What of a frame of events repeats is not left to zstd to find: [`super::match_finder`].

use super::match_finder::{MatchFinder, WINDOW_LOG};
use super::sequences::SequenceWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// How what is written is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    /// With a level from 1 to 19. Without one as suits rows of events that resemble each other.
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

/// Level for the state, which is written once.
const STATE_LEVEL: i32 = 6;

/// Longest frame for which matches are looked for in the way of events.
const LONGEST: usize = 256 << 20;

/// Makes frames of rows of blocks.
pub(super) struct Packer {
    codec: Codec,
    zstd: Option<Compressor<'static>>,
    /// For events.
    events: Option<(MatchFinder, SequenceWriter)>,
    packed: Vec<u8>,
}

impl Packer {
    /// # Errors
    /// There is no memory for the tables of the compressor.
    pub fn new(codec: Codec) -> io::Result<Self> {
        let (zstd, events) = match codec {
            Codec::Zstd(Some(level)) => (Some(compressor(level)?), None),
            Codec::Zstd(None) => {
                let mut zstd = compressor(STATE_LEVEL)?;
                zstd.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
                (Some(zstd), Some((MatchFinder::new(), SequenceWriter::new()?)))
            }
            Codec::None | Codec::Gzip => (None, None),
        };
        Ok(Self { codec, zstd, events, packed: Vec::new() })
    }

    /// The frame of `blocks`, with so many events in them.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn pack<'a>(&'a mut self, blocks: &'a [u8], events: u64) -> io::Result<&'a [u8]> {
        self.packed.clear();
        match (self.codec, &mut self.zstd, &mut self.events) {
            (Codec::Zstd(_), _, Some((finder, writer))) if events > 0 && blocks.len() <= LONGEST => {
                writer.write(blocks, finder.find(blocks), &mut self.packed)?;
            }
            (Codec::Zstd(_), Some(zstd), _) => {
                self.packed.reserve(zstd::zstd_safe::compress_bound(blocks.len()));
                zstd.compress_to_buffer(blocks, &mut self.packed)?;
            }
            (Codec::Gzip, ..) => {
                let mut encoder = GzEncoder::new(&mut self.packed, Compression::default());
                encoder.write_all(blocks)?;
                encoder.finish()?;
            }
            _ => return Ok(blocks),
        }
        Ok(&self.packed)
    }
}

fn compressor(level: i32) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(level)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    /// An event block of thread `tid`.
    fn event(flags: bool, ts: u64, tid: i64, ty: u16, params: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 0];
        body.extend_from_slice(if flags { &[1, 0, 0, 0] } else { &[] });
        body.extend_from_slice(&ts.to_le_bytes());
        body.extend_from_slice(&tid.to_le_bytes());
        body.extend_from_slice(&(28 + params.len() as u32).to_le_bytes());
        body.extend_from_slice(&ty.to_le_bytes());
        body.extend_from_slice(&1_u32.to_le_bytes());
        body.extend_from_slice(&(params.len() as u16).to_le_bytes());
        body.extend_from_slice(params);
        body.resize(body.len().next_multiple_of(4), 0);
        let len = (body.len() as u32 + 12).to_le_bytes();
        let code: u32 = if flags { 0x217 } else { 0x216 };
        [&code.to_le_bytes()[..], &len, &body, &len].concat()
    }

    #[test]
    fn of_events_that_resemble_each_other_little_is_left_but_the_time() {
        let mut blocks = Vec::new();
        let mut random = 1_u64;
        for i in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let params = [b"parameters of type ", &[b'a' + (i % 4) as u8; 20][..]].concat();
            let ts = i * 400 + (random >> 58);
            blocks.extend(event(i % 5 == 0, ts, 7 + (i as i64 / 100) % 3, (i % 4) as u16, &params));
        }
        let frame = Packer::new(Codec::default()).unwrap().pack(&blocks, 20_000).unwrap().to_vec();
        assert!(zstd::bulk::decompress(&frame, blocks.len()).unwrap() == blocks);
        assert!(frame.len() < 20_000 * 4, "{} bytes", frame.len());
        let ordinary = Packer::new(Codec::Zstd(Some(3))).unwrap().pack(&blocks, 20_000).unwrap().len();
        assert!(frame.len() < ordinary, "{} bytes, {ordinary} with level 3", frame.len());
    }

    proptest! {
        #[test]
        fn whatever_is_packed_comes_back(
            pieces in proptest::collection::vec(
                (any::<bool>(), 0..3_u64, 0..3_i64, 0..3_u16, proptest::collection::vec(0..3_u8, 0..300)),
                0..200,
            ),
            noise in proptest::collection::vec(any::<u8>(), 0..100),
            at in any::<proptest::sample::Index>(),
        ) {
            let mut blocks = Vec::new();
            for (flags, ts, tid, ty, params) in &pieces {
                blocks.extend(event(*flags, *ts, *tid, *ty, params));
            }
            let at = at.index(blocks.len() + 1);
            blocks.splice(at..at, noise);
            for events in [0, 1] {
                let mut packer = Packer::new(Codec::default()).unwrap();
                let frame = packer.pack(&blocks, events).unwrap();
                prop_assert!(zstd::bulk::decompress(frame, blocks.len()).unwrap() == blocks);
            }
        }
    }
}
