//! The index of a capture: what is in which part of it, and the state at places in between.
//!
//! # Format
//!
//! An index is made of records. Each is a *skippable frame* of zstd (RFC 8878, 3.1.2), so that a zstd
//! capture with records between its frames is to every other program the capture alone:
//!
//! | bytes | |
//! |---|---|
//! | 4 | magic number, [`MAGIC`] |
//! | 4 | length of what follows |
//! | 8 | [`NAME`], the last byte is the version |
//! | 4 | CRC-32 of what follows |
//! | 1 | kind of the record |
//! | … | the record in the encoding of bincode 2 (`config::standard()`) |
//!
//! Numbers are little endian. A reader leaves out records whose name it does not know: whatever
//! changes in them is a new version.
//!
//! * **Frames** (1), a row of [`Frame`], compressed with zstd: stands somewhere behind the part of the file that it
//!   describes, the end of which is that of a compressed frame.
//! * **Checkpoint** (2), a [`Checkpoint`]: the state before the first event of a frame.
//! * **Contents** (3), [`Contents`] compressed with zstd: all frames and the places of all checkpoints.
//!   It is the last thing in the file. The 16 bytes before its end are its length (u64) and
//!   [`TRAILER`], by which it is found. A file that was not completed has none, and is searched for the
//!   other records.
//!
//! A capture that is not of zstd, or was written by another program, has its index in a file beside
//! it: a row of such records that begins with **Subject** (4), which tells the file that it belongs to.

use super::index_bytes::{Bytes, Texts};
use crate::state::Machine;
use bincode::config;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// Magic number of the records: one of the sixteen of skippable frames.
const MAGIC: u32 = 0x184D_2A5C;
/// Of every record; with the version of the format.
const NAME: [u8; 8] = *b"TRCRIDX\x04";
/// Ends the contents.
const TRAILER: [u8; 8] = *b"TRCREND\x04";
/// Bytes before the record itself.
const HEAD: usize = 8 + NAME.len() + 4 + 1;
/// Bytes at the end of the contents.
const TAIL: usize = 16;
/// Level of compression of what is written once and read often.
const LEVEL: i32 = 9;
/// Longest record that is read.
const MAX_RECORD: usize = 256 << 20;
/// Bytes at both ends of a file by which it is known again.
const ENDS: u64 = 64 << 10;

/// Most values of each kind that are listed for a frame; with more, none are.
pub(super) const MAX_VALUES: usize = 256;

/// Part of a capture that can be left out: whole blocks, from the first event of the part up to that
/// of the next. The first one begins at the start of the file. Several may be in one compressed frame.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Where the compressed frame begins in the file in which it begins.
    pub offset: u64,
    /// Bytes of that one, when decompressed, that stand before it.
    pub before: u64,
    /// Bytes in the file up to `offset` of the next one; records of the index that stand in between count.
    pub len: u64,
    /// Where it begins in what was decompressed.
    pub start: u64,
    /// Bytes when decompressed.
    pub size: u64,
    /// Events of the file before it.
    pub events_before: u64,
    /// Events in it, hidden ones included.
    pub events: u64,
    /// Earliest and latest time of its events, ns since the epoch; notes about containers and users have no
    /// time. The first is later than the last where no event has one.
    pub first_ts: u64,
    pub last_ts: u64,
    /// How many events of each kind.
    pub kinds: Vec<(EventKey, u64)>,
    /// Names of the programs that made events (`proc.name`), in order; `None`: too many.
    pub names: Option<Texts>,
    /// Their threads and processes, in order.
    pub tids: Option<Vec<i64>>,
    pub pids: Option<Vec<i64>>,
    /// Ids of the containers they were in, in order.
    pub containers: Option<Texts>,
    /// Events delivered after one with a later time.
    pub late: u64,
    /// Blocks of events that this program did not know.
    pub unknown: u64,
}

/// What kind of event: its type, and of a generic event the code of the system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventKey {
    pub ty: u16,
    pub call: Option<u16>,
}

/// All that a reader has to know to begin at a frame.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of the frame, from 0.
    pub frame: u64,
    /// Time of the event before.
    pub last_ts: u64,
    /// Time of the first event of the capture, and of the one before, as the state has them.
    pub first_event_ts: Option<u64>,
    pub previous_event_ts: Option<u64>,
    /// Threads that ended lately, with their times, the last one at the end: each as the difference from the one before,
    /// the first from 0.
    pub ended: Vec<(i64, i64)>,
    /// Threads that are elsewhere than their control groups say: the id of the container, `None` on the host.
    pub places: Vec<(i64, Option<Vec<u8>>)>,
    /// Processes that have another number of threads than are listed.
    pub live_threads: Vec<(i64, u32)>,
    /// Number of the frame whose checkpoint the state was compressed with as dictionary.
    pub base: Option<u64>,
    /// Bytes of the state when decompressed.
    pub size: u64,
    /// The state: a section without events as at the beginning of a capture, compressed with zstd.
    pub state: Bytes,
}

/// What a file has, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// In order.
    pub frames: Vec<Frame>,
    /// In order: number of the frame that it is for, and where it stands (in the file with the index).
    pub checkpoints: Vec<(u64, u64)>,
    pub facts: Facts,
    /// Where this record begins, which shows that nothing was put before it.
    pub at: u64,
}

/// What the first section says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub hostname: String,
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Time of the first event, ns since the epoch; 0 when there is none.
    pub first_ts: u64,
}

impl Facts {
    /// Of a capture that was made on this machine; the time is not known.
    pub(super) fn of(machine: &Machine) -> Self {
        let Machine { hostname, cpus, memory, .. } = machine;
        Self { hostname: hostname.clone(), cpus: *cpus, memory: *memory, first_ts: 0 }
    }
}

/// The file that an index beside it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    len: u64,
    /// ns since the epoch.
    modified: i128,
    /// CRC-32 of both ends.
    ends: u32,
}

impl Subject {
    /// # Errors
    /// The file cannot be read.
    pub fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let mut bytes = vec![0; ENDS.min(meta.len()) as usize];
        let mut crc = flate2::Crc::new();
        for at in [0, meta.len().saturating_sub(ENDS)] {
            file.read_exact_at(&mut bytes, at)?;
            crc.update(&bytes);
        }
        let modified = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        Ok(Self { len: meta.len(), modified, ends: crc.sum() })
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    Frames(Vec<Frame>),
    Checkpoint(Checkpoint),
    Contents(Contents),
    Subject(Subject),
}

const FRAMES: u8 = 1;
const CHECKPOINT: u8 = 2;
const CONTENTS: u8 = 3;
const SUBJECT: u8 = 4;

impl Record {
    /// The bytes of the record in the file.
    ///
    /// # Errors
    /// It is too large.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut out = vec![0; HEAD];
        let (kind, tail) = match self {
            Record::Frames(frames) => (FRAMES, encode_packed(frames, &mut out).map(|()| 0)),
            Record::Checkpoint(checkpoint) => (CHECKPOINT, encode(checkpoint, &mut out).map(|()| 0)),
            Record::Subject(subject) => (SUBJECT, encode(subject, &mut out).map(|()| 0)),
            Record::Contents(contents) => (CONTENTS, encode_packed(contents, &mut out).map(|()| TAIL)),
        };
        let total = out.len() + tail?;
        if total > MAX_RECORD {
            return Err(io::Error::other("a record of the index is too large"));
        }
        if matches!(self, Record::Contents(_)) {
            out.extend_from_slice(&(total as u64).to_le_bytes());
            out.extend_from_slice(&TRAILER);
        }
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(&MAGIC.to_le_bytes());
        head.extend_from_slice(&((total - 8) as u32).to_le_bytes());
        head.extend_from_slice(&NAME);
        if let Some(byte) = out.get_mut(HEAD - 1) {
            *byte = kind;
        }
        let mut crc = flate2::Crc::new();
        crc.update(out.get(HEAD - 1..).unwrap_or_default());
        head.extend_from_slice(&crc.sum().to_le_bytes());
        if let Some(front) = out.get_mut(..head.len()) {
            front.copy_from_slice(&head);
        }
        Ok(out)
    }

    /// Reads the record that begins at `at`; `None` when there is none that this program knows, or it is
    /// damaged.
    pub fn read(file: &File, at: u64) -> Option<Self> {
        let len = match Piece::at(file, at)? {
            Piece::Record(len) => usize::try_from(len).ok()?,
            Piece::Other(_) | Piece::Data => return None,
        };
        if len > MAX_RECORD {
            return None;
        }
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, at).ok()?;
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (crc, body) = bytes.get(8 + NAME.len()..)?.split_first_chunk::<4>()?;
        let mut found = flate2::Crc::new();
        found.update(body);
        if found.sum() != u32::from_le_bytes(*crc) {
            return None;
        }
        let (kind, body) = body.split_first()?;
        Some(match *kind {
            FRAMES => Record::Frames(decode_packed(body)?),
            CHECKPOINT => Record::Checkpoint(decode(body)?),
            SUBJECT => Record::Subject(decode(body)?),
            CONTENTS => Record::Contents(decode_packed(body.get(..body.len().checked_sub(TAIL)?)?)?),
            _ => return None,
        })
    }
}

/// What begins at a place of a file of zstd frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A record, with its length.
    Record(u64),
    /// Some other skippable frame, with its length.
    Other(u64),
    /// Something else.
    Data,
}

impl Piece {
    /// `None` at the end of the file.
    pub fn at(file: &File, at: u64) -> Option<Self> {
        let mut head = [0; 8 + NAME.len()];
        let mut have = 0;
        while let Some(rest) = head.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at + have as u64) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        let (front, name) = head.get(..have)?.split_first_chunk::<8>()?;
        let [a, b, c, d, len @ ..] = *front;
        let len = 8 + u64::from(u32::from_le_bytes(len));
        Some(match u32::from_le_bytes([a, b, c, d]) {
            MAGIC if name == NAME => Piece::Record(len),
            0x184D_2A50..=0x184D_2A5F => Piece::Other(len),
            _ => Piece::Data,
        })
    }
}

/// The contents at the end of a file; `None` when it has none.
pub(super) fn contents(file: &File) -> Option<Contents> {
    let end = file.metadata().ok()?.len();
    let mut tail = [0; TAIL];
    file.read_exact_at(&mut tail, end.checked_sub(TAIL as u64)?).ok()?;
    let (len, trailer) = tail.split_first_chunk::<8>()?;
    if trailer != TRAILER {
        return None;
    }
    let at = end.checked_sub(u64::from_le_bytes(*len))?;
    match Record::read(file, at)? {
        Record::Contents(contents) if contents.at == at && contents.is_sound(end) => Some(contents),
        _ => None,
    }
}

impl Contents {
    /// Whether what is said fits together, for a file of `len` bytes.
    pub(super) fn is_sound(&self, len: u64) -> bool {
        let follows = |a: &Frame, b: &Frame| {
            a.offset.checked_add(a.len) == Some(b.offset)
                && b.before <= b.start
                && a.start.checked_add(a.size) == Some(b.start)
                && a.events_before.checked_add(a.events) == Some(b.events_before)
        };
        let frames = self.frames.windows(2).all(|pair| matches!(pair, [a, b] if follows(a, b)));
        let first = self
            .frames
            .first()
            .is_none_or(|f| f.offset == 0 && f.before == 0 && f.start == 0 && f.events_before == 0);
        let count = self.frames.len() as u64;
        let in_order = self.checkpoints.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
        // A file that was not completed may end with one for what is behind the last frame that is known.
        let known = self.checkpoints.iter().all(|(frame, at)| *frame <= count && *at < len);
        frames && first && in_order && known
    }

    /// Events in all frames.
    pub fn events(&self) -> u64 {
        self.frames.last().map_or(0, |last| last.events_before + last.events)
    }
}

/// Decompresses `packed`, which is to have `size` bytes then.
pub(super) fn unpack(packed: &[u8], size: u64, dictionary: Option<&[u8]>) -> Option<Vec<u8>> {
    let size = usize::try_from(size).ok().filter(|size| *size <= MAX_RECORD)?;
    let mut decompressor = match dictionary {
        Some(dictionary) => zstd::bulk::Decompressor::with_dictionary(dictionary).ok()?,
        None => zstd::bulk::Decompressor::new().ok()?,
    };
    decompressor.decompress(packed, size).ok().filter(|plain| plain.len() == size)
}

fn encode(value: &impl Serialize, out: &mut Vec<u8>) -> io::Result<()> {
    let bytes = bincode::serde::encode_to_vec(value, config::standard()).map_err(io::Error::other)?;
    out.extend_from_slice(&bytes);
    Ok(())
}

/// With its length in front, compressed.
fn encode_packed(value: &impl Serialize, out: &mut Vec<u8>) -> io::Result<()> {
    let mut plain = Vec::new();
    encode(value, &mut plain)?;
    out.extend_from_slice(&(plain.len() as u64).to_le_bytes());
    out.extend_from_slice(&zstd::bulk::compress(&plain, LEVEL)?);
    Ok(())
}

fn decode_packed<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (size, packed) = bytes.split_first_chunk::<8>()?;
    decode(&unpack(packed, u64::from_le_bytes(*size), None)?)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let config = config::standard().with_limit::<MAX_RECORD>();
    bincode::serde::decode_from_slice(bytes, config).ok().map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        let key = EventKey { ty: 7, call: None };
        let frame = |i: u64| Frame {
            offset: i * 100,
            len: 100,
            start: i * 1000,
            size: 1000,
            events_before: i * 10,
            events: 10,
            kinds: vec![(key, 9), (EventKey { ty: 1, call: Some(300) }, 1)],
            names: Some([&b"cat\xff"[..], b""].into_iter().collect()),
            ..Frame::default()
        };
        Contents { frames: (0..3).map(frame).collect(), checkpoints: vec![(1, 100)], ..Contents::default() }
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let checkpoint = Checkpoint { ended: vec![(-5, 6)], base: Some(3), ..Checkpoint::default() };
        let subject = Subject { len: 5, modified: -1, ends: 7 };
        for record in [
            Record::Frames(contents().frames),
            Record::Checkpoint(checkpoint),
            Record::Contents(contents()),
            Record::Subject(subject),
        ] {
            let bytes = record.to_bytes().unwrap();
            assert_eq!(Record::from_bytes(&bytes).as_ref(), Some(&record));
            // Other programs find nothing in it.
            assert_eq!(zstd::decode_all(&bytes[..]).unwrap(), b"");
        }
    }

    #[test]
    fn damaged_records_are_none() {
        let bytes = Record::Contents(contents()).to_bytes().unwrap();
        for at in 8 + NAME.len()..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(Record::from_bytes(&damaged), None, "byte {at}");
            assert_eq!(Record::from_bytes(&bytes[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn contents_that_do_not_fit_together_are_not_believed() {
        assert!(contents().is_sound(1000));
        let with = |change: fn(&mut Contents)| {
            let mut changed = contents();
            change(&mut changed);
            changed.is_sound(1000)
        };
        assert!(!with(|c| c.frames[1].offset += 1));
        assert!(!with(|c| c.frames[2].events_before = 5));
        assert!(!with(|c| c.frames[0].len = u64::MAX));
        assert!(!with(|c| c.frames[1].before = 1001));
        assert!(!with(|c| c.checkpoints[0].0 = 4));
        assert!(!with(|c| c.checkpoints[0].1 = 1000));
        assert!(!with(|c| c.checkpoints.push((1, 100))));
    }
}
