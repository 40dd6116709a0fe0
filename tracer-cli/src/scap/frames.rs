//! Compression: which one a file has, and a reader of what is inside.

use flate2::read::MultiGzDecoder;
use std::io::{self, Read};

/// Bytes that tell the compression.
pub(super) const MAGIC: usize = 4;

/// Bytes of a gzip file read at a time.
const READ_AT_ONCE: usize = 256 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    /// One or more members.
    Gzip,
    /// One or more frames; skippable ones are skipped.
    Zstd,
}

impl Compression {
    /// By the first bytes of a file.
    pub fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// Whether it takes longer to decompress an event than to do most things with it.
    pub fn is_slow(self) -> bool {
        self == Compression::Gzip
    }

    /// A reader of what is inside `file`.
    ///
    /// # Errors
    /// No memory for a decompressor.
    pub fn unpacked(self, file: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Compression::None => Box::new(file),
            Compression::Gzip => {
                Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(READ_AT_ONCE, file)))
            }
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn unpacked(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let compression = Compression::of(&bytes);
        let mut out = Vec::new();
        let mut reader = compression.unpacked(io::Cursor::new(bytes))?;
        reader.read_to_end(&mut out).map(|_| out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_compression_gives_the_same() {
        let bytes: Vec<u8> = (0..READ_AT_ONCE as u32 / 3).flat_map(u32::to_le_bytes).collect();
        let (front, back) = bytes.split_at(1000);
        let gzip = [gzip(front), gzip(back)].concat();
        let zstd: Vec<u8> = [
            zstd::encode_all(front, 1).unwrap(),
            vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3],
            zstd::encode_all(back, 1).unwrap(),
        ]
        .concat();
        assert_eq!(Compression::of(&gzip), Compression::Gzip);
        assert_eq!(Compression::of(&zstd), Compression::Zstd);
        assert!(unpacked(gzip).unwrap() == bytes);
        assert!(unpacked(zstd).unwrap() == bytes);
        assert!(unpacked(bytes.clone()).unwrap() == bytes);
    }

    #[test]
    fn what_comes_before_a_cut_is_read() {
        let bytes: Vec<u8> =
            (0..READ_AT_ONCE as u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for packed in [gzip(&bytes), zstd::encode_all(&bytes[..], 1).unwrap()] {
            let cut = packed[..packed.len() / 2].to_vec();
            let mut reader = Compression::of(&cut).unpacked(io::Cursor::new(cut)).unwrap();
            let mut out = Vec::new();
            assert!(reader.read_to_end(&mut out).is_err());
            assert!(out.len() > bytes.len() / 4 && bytes.starts_with(&out));
        }
    }
}
