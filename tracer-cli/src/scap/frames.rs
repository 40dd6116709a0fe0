//! Compression: which one a file has, and a reader of what is inside.

use flate2::read::MultiGzDecoder;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

/// Bytes that tell the compression.
pub(super) const MAGIC: usize = 4;

/// Bytes decompressed at a time.
const CHUNK: usize = 256 * 1024;
/// Chunks that may wait for the reader.
const AHEAD: usize = 3;

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

    /// A reader of what is inside `file`. Decompression takes about as long as everything else that
    /// is done with an event, so it has a thread of its own.
    pub fn reader(self, file: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Compression::None => file,
            Compression::Gzip => {
                Box::new(Ahead::of(MultiGzDecoder::new(io::BufReader::with_capacity(CHUNK, file)))?)
            }
            Compression::Zstd => Box::new(Ahead::of(zstd::stream::read::Decoder::new(file)?)?),
        })
    }
}

/// Reads ahead in a thread.
struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    /// Chunks that were read, to be filled again.
    empty: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Ahead {
    fn of(inner: impl Read + Send + 'static) -> io::Result<Self> {
        let (send_full, full) = sync_channel(AHEAD);
        let (empty, take_empty) = sync_channel(AHEAD + 1);
        thread::Builder::new()
            .name("decompress".to_owned())
            .spawn(move || fill(inner, &send_full, &take_empty))?;
        Ok(Self { full, empty, chunk: Vec::new(), at: 0 })
    }
}

/// Fills chunks until the end, an error, or until nobody wants more.
fn fill(mut inner: impl Read, full: &SyncSender<io::Result<Vec<u8>>>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut chunk = match empty.try_recv() {
            Ok(chunk) => chunk,
            Err(TryRecvError::Empty) => Vec::with_capacity(CHUNK),
            Err(TryRecvError::Disconnected) => return,
        };
        chunk.clear();
        // What came before an error is kept in the chunk.
        let read = inner.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
        let ended = chunk.is_empty();
        if full.send(Ok(chunk)).is_err() || ended && read.is_ok() {
            return;
        }
        if let Err(error) = read {
            // When nobody wants it, nobody needs it.
            let _ = full.send(Err(error));
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            // The thread is gone after it has said all.
            let Ok(next) = self.full.recv() else { return Ok(0) };
            let before = std::mem::replace(&mut self.chunk, next?);
            self.at = 0;
            // There is room for all chunks there are; if there were none, this one would be freed.
            let _ = self.empty.try_send(before);
            if self.chunk.is_empty() {
                continue;
            }
        }
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let n = rest.len().min(out.len());
        let (Some(out), Some(rest)) = (out.get_mut(..n), rest.get(..n)) else { return Ok(0) };
        out.copy_from_slice(rest);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn unpacked(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let compression = Compression::of(&bytes);
        let mut out = Vec::new();
        let mut reader = compression.reader(Box::new(io::Cursor::new(bytes)))?;
        reader.read_to_end(&mut out).map(|_| out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_compression_gives_the_same() {
        let bytes: Vec<u8> = (0..CHUNK as u32 / 3).flat_map(u32::to_le_bytes).collect();
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
            (0..CHUNK as u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for packed in [gzip(&bytes), zstd::encode_all(&bytes[..], 1).unwrap()] {
            let cut = packed[..packed.len() / 2].to_vec();
            let mut reader = Compression::of(&cut).reader(Box::new(io::Cursor::new(cut))).unwrap();
            let mut out = Vec::new();
            assert!(reader.read_to_end(&mut out).is_err());
            assert!(out.len() > bytes.len() / 4 && bytes.starts_with(&out));
        }
    }

    #[test]
    fn a_reader_that_leaves_early_ends_the_thread() {
        let bytes = gzip(&vec![0; 20 * CHUNK]);
        let mut reader = Compression::Gzip.reader(Box::new(io::Cursor::new(bytes))).unwrap();
        reader.read_exact(&mut [0; 10]).unwrap();
    }
}
