//! What repeats in rows of blocks, for zstd to write down.
//!
//! A compressor that knows nothing of events looks at dozens of earlier places for each one, which is most of the time
//! that recording takes. But nearly all of an event is in one of a few: the last ones of its thread and type, those
//! with the same parameters, those of its length and type, and the one that follows where the event before was
//! found. These are compared as a whole, and the one is taken that leaves least to be written: some bytes of the time,
//! mostly. So a match ends where the next event says its time. What is in no earlier event (names, contents of buffers) is
//! looked for as any text is, and so are the lists of the state.

use super::block::{self, EventKind};
use super::event_block::words;
use std::ops::Range;
use zstd::zstd_safe::zstd_sys::ZSTD_Sequence;

/// Bytes that a match has at least.
pub(super) const MIN_MATCH: usize = 4;
/// As a power of two: how far behind a match begins at most. Decoders need no more memory than any has to have.
pub(super) const WINDOW_LOG: u32 = 23;
const WINDOW: usize = 1 << WINDOW_LOG;

/// Where in an event block without flags the fields are that tell what it resembles.
const THREAD: usize = block::HEADER + 2 + 8;
const SHAPE: usize = THREAD + 8;
const CONTENTS: usize = SHAPE + 8;
/// Shortest block in which they are.
const SHORTEST: usize = CONTENTS + 8;
/// Bytes that are looked at to find events with the same parameters.
const LOOKED_AT: usize = 96;
/// Bytes of the next event before its time: where those are the same, a match goes on.
const TO_TIME: usize = block::HEADER + 2;
/// Bytes by which events are compared; of a longer one the rest is like its beginning, or a text.
const COMPARED: usize = 128;

/// What is left to be written, in bits: of a byte, of a match, and of the place of one beside its distance.
const BYTE: u32 = 8;
const MATCH: u32 = 14;
const PLACE: u32 = 4;
/// An event of which no more is left is not searched for further: two bytes of the time and a match or two.
const GOOD: u32 = 45;

/// Sizes of the tables of events and texts, as powers of two.
const THREADS: u32 = 12;
const SHAPES: u32 = 10;
const KINDS: u32 = 15;
const TEXTS: u32 = 16;
/// Text is searched for where so many bytes are left, by so many.
const TEXT_GAP: usize = 8;
const TEXT: usize = 7;

/// Finds matches in the blocks of a frame.
pub(super) struct MatchFinder {
    found: Vec<ZSTD_Sequence>,
    /// Where the last events began of a thread and type, of a length and type, with the same parameters, and with those of
    /// the same thread; where texts were. All are one more than the place, 0 is nowhere.
    of_thread: Vec<[u32; 2]>,
    of_shape: Vec<[u32; 4]>,
    of_contents: Vec<[u32; 2]>,
    of_call: Vec<[u32; 2]>,
    texts: Vec<u32>,
    /// Distances of the last matches that differ: they cost little to be written again.
    recent: [usize; 3],
    /// Up to where matches are found.
    done: usize,
}

impl MatchFinder {
    pub fn new() -> Self {
        Self {
            found: Vec::new(),
            of_thread: vec![[0; 2]; 1 << THREADS],
            of_shape: vec![[0; 4]; 1 << SHAPES],
            of_contents: vec![[0; 2]; 1 << KINDS],
            of_call: vec![[0; 2]; 1 << KINDS],
            texts: vec![0; 1 << TEXTS],
            recent: [1, 4, 8],
            done: 0,
        }
    }

    /// The matches in `blocks`, which has less than 4 GiB, in order.
    pub fn find(&mut self, blocks: &[u8]) -> &[ZSTD_Sequence] {
        self.found.clear();
        self.of_thread.fill([0; 2]);
        self.of_shape.fill([0; 4]);
        self.of_contents.fill([0; 2]);
        self.of_call.fill([0; 2]);
        self.texts.fill(0);
        self.recent = [1, 4, 8];
        self.done = 0;
        let mut at = 0;
        while let Some(rest) = blocks.get(at..).filter(|rest| rest.len() >= block::HEADER) {
            let (code, len) = words(rest);
            let len = len as usize;
            if len < block::HEADER + block::TRAILER || len > rest.len() {
                break;
            }
            match EventKind::of(code) {
                Some(kind) if len >= SHORTEST + 4 => {
                    self.event(blocks, at, at + len, if kind.flags { 4 } else { 0 });
                }
                _ => self.text(blocks, at, at + len),
            }
            at += len;
        }
        self.text(blocks, at, blocks.len());
        &self.found
    }

    /// Finds matches in the event from `start` to `end`, the fields of which stand `shift` bytes further on than usual.
    fn event(&mut self, blocks: &[u8], start: usize, end: usize, shift: usize) {
        let [mut contents, thread, shape] =
            [SHAPE, THREAD, SHAPE].map(|field| word(blocks, start + shift + field));
        let mut at = start + shift + CONTENTS;
        let last = end.min(at + LOOKED_AT);
        while at + 8 <= last {
            contents = mixed(contents, word(blocks, at));
            at += 8;
        }
        let place = start as u32 + 1;
        let like = [
            note(&mut self.of_call, slot(mixed(contents, thread), KINDS), place),
            note(&mut self.of_thread, slot(mixed(thread, shape >> 32), THREADS), place),
            note(&mut self.of_contents, slot(contents, KINDS), place),
        ];
        let like_in_shape = note(&mut self.of_shape, slot(shape, SHAPES), place);
        if self.done >= end {
            return;
        }
        let from = self.done.max(start);
        // So it is mostly: a byte or two of the time are all that is to be written.
        let [follows, ..] = self.recent;
        if follows <= start.min(WINDOW) {
            let differs = word(blocks, from) ^ word(blocks, from - follows);
            let new = 8 - differs.leading_zeros() as usize / 8;
            let same = if new <= 2 { common(blocks, from + new, from + new - follows) } else { 0 };
            if same >= MIN_MATCH && from + new + same >= end {
                return self.push(from + new, follows, same);
            }
        }
        let compared = from..(end + TO_TIME).min(from + COMPARED).min(blocks.len());
        let resembling = like.into_iter().flatten().chain(like_in_shape);
        let distance = self.best(blocks, start, compared, resembling);
        match distance {
            0 => self.text(blocks, from, end),
            _ => self.take(blocks, from, end, distance),
        }
    }

    /// How far before the event at `start` the one is that leaves least of the bytes `compared` to be written; 0 when none
    /// leaves less than all. Those that resemble it began at these places.
    fn best(
        &self,
        blocks: &[u8],
        start: usize,
        compared: Range<usize>,
        resembling: impl Iterator<Item = u32>,
    ) -> usize {
        let [follows, other, another] = self.recent;
        let mut best = (compared.len() as u32 * BYTE, 0);
        let distances = resembling.map(|place| match place {
            0 => 0,
            place => (start + 1).saturating_sub(place as usize),
        });
        let mut last = 0;
        for distance in [follows].into_iter().chain(distances).chain([other, another]) {
            if distance == 0 || distance > start.min(WINDOW) || distance == last {
                continue;
            }
            last = distance;
            let cost = self.cost(blocks, compared.clone(), distance);
            if cost < best.0 {
                best = (cost, distance);
                if cost <= GOOD {
                    break;
                }
            }
        }
        best.1
    }

    /// Bits that are to be written for the bytes `compared` where as many of them as can be are taken from `distance` before.
    #[inline]
    fn cost(&self, blocks: &[u8], compared: Range<usize>, distance: usize) -> u32 {
        let mut cost = match self.recent.iter().position(|recent| *recent == distance) {
            Some(0) => 0,
            Some(_) => 2,
            None => PLACE + distance.ilog2(),
        };
        let mut at = compared.start;
        while at < compared.end {
            let here = blocks.get(at..).and_then(<[u8]>::first_chunk);
            let there = blocks.get(at - distance..).and_then(<[u8]>::first_chunk);
            let (Some(here), Some(there)) = (here, there) else { return u32::MAX };
            let left = compared.end - at;
            let same = same_bytes(here, there) | u64::MAX.checked_shl(left as u32).unwrap_or(0);
            // Only rows of so many are matches.
            const { assert!(MIN_MATCH == 4) };
            let begins = same & same >> 1 & same >> 2 & same >> 3;
            let matched = begins | begins << 1 | begins << 2 | begins << 3;
            let matches = matched & !(matched << 1);
            cost += matched.count_zeros() * BYTE + matches.count_ones() * MATCH;
            at += 64;
        }
        cost
    }

    /// Takes what can be of the bytes from `from` to `end` from `distance` before, and of the rest what is somewhere else.
    fn take(&mut self, blocks: &[u8], from: usize, end: usize, distance: usize) {
        let mut at = from;
        while at < end {
            let same = common(blocks, at, at - distance);
            if same >= MIN_MATCH {
                self.text(blocks, self.done.max(from), at);
                if self.done > at {
                    at = self.done;
                    continue;
                }
                self.push(at, distance, same);
            }
            at += same.max(1);
        }
        self.text(blocks, from, end);
    }

    /// Finds matches of any bytes from `from` to `end`.
    fn text(&mut self, blocks: &[u8], from: usize, end: usize) {
        let mut at = from.max(self.done);
        if end.saturating_sub(at) < TEXT_GAP {
            return;
        }
        let mut misses = 0;
        while at + 8 <= end {
            // A row of one byte: the first and where it ends say all.
            let row = word(blocks, at);
            if row == row.rotate_left(8) && word(blocks, at + 1) == row {
                self.push(at + 1, 1, common(blocks, at + 1, at));
                at = self.done;
                continue;
            }
            let text = text_at(blocks, at);
            let before = self.note_text(text, at);
            if before == 0 || at + 1 - before > WINDOW || text_at(blocks, before - 1) != text {
                misses += 1;
                at += 1 + (misses >> 5);
                continue;
            }
            let mut first = at;
            let distance = at + 1 - before;
            while first > self.done
                && first > distance
                && blocks.get(first - 1) == blocks.get(first - 1 - distance)
            {
                first -= 1;
            }
            let behind = at + common(blocks, at, at - distance);
            self.push(first, distance, behind - first);
            // Of what is in it, some is found again by its parts.
            at += 1;
            while at + 8 <= behind.min(end) {
                self.note_text(text_at(blocks, at), at);
                at += 4;
            }
            at = behind;
            misses = 0;
        }
    }

    /// Notes that `text` is at `at`; returns one more than where it was last.
    #[inline]
    fn note_text(&mut self, text: u64, at: usize) -> usize {
        let slot = self.texts.get_mut(slot(text, TEXTS));
        slot.map_or(0, |slot| std::mem::replace(slot, at as u32 + 1)) as usize
    }

    /// The `len` bytes at `at` are the same as so far before.
    #[inline]
    fn push(&mut self, at: usize, distance: usize, len: usize) {
        self.found.push(ZSTD_Sequence {
            offset: distance as u32,
            litLength: (at - self.done) as u32,
            matchLength: len as u32,
            rep: 0,
        });
        self.done = at + len;
        let [a, b, c] = self.recent;
        if distance == b {
            self.recent = [b, a, c];
        } else if distance != a {
            self.recent = [distance, a, b];
        }
    }
}

/// The number in 8 bytes; 0 where there are not so many.
#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
}

/// What is looked for of a text.
#[inline]
fn text_at(bytes: &[u8], at: usize) -> u64 {
    word(bytes, at) << (64 - 8 * TEXT)
}

const SPREAD: u64 = 0x9E37_79B1_85EB_CA87;

#[inline]
fn mixed(hash: u64, more: u64) -> u64 {
    (hash ^ more).wrapping_mul(SPREAD).rotate_left(29)
}

/// Where something is in a table of this size.
#[inline]
fn slot(hash: u64, size: u32) -> usize {
    (hash.wrapping_mul(SPREAD) >> (64 - size)) as usize
}

/// Puts a place in front of the others of a slot; returns those that were there.
#[inline]
fn note<const N: usize>(table: &mut [[u32; N]], slot: usize, place: u32) -> [u32; N] {
    let Some(places) = table.get_mut(slot) else { return [0; N] };
    let before = *places;
    places.rotate_right(1);
    if let Some(first) = places.first_mut() {
        *first = place;
    }
    before
}

/// How many bytes at `at` are the same as those at `before`.
#[inline]
fn common(bytes: &[u8], at: usize, before: usize) -> usize {
    let (Some(here), Some(there)) = (bytes.get(at..), bytes.get(before..)) else { return 0 };
    let mut same = 0;
    for (here, there) in here.as_chunks::<8>().0.iter().zip(there.as_chunks::<8>().0) {
        let differs = u64::from_le_bytes(*here) ^ u64::from_le_bytes(*there);
        if differs != 0 {
            return same + differs.trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    let rest = here.iter().zip(there).skip(same);
    same + rest.take_while(|(here, there)| here == there).count()
}

/// A bit for each byte that is the same in both.
#[inline]
fn same_bytes(here: &[u8; 64], there: &[u8; 64]) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    /// Brings the lowest bits of all bytes together in the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let pairs = here.as_chunks::<8>().0.iter().zip(there.as_chunks::<8>().0);
    pairs.rev().fold(0, |all, (here, there)| {
        let differs = u64::from_le_bytes(*here) ^ u64::from_le_bytes(*there);
        let same = !(((differs & LOW) + LOW) | differs | LOW) >> 7;
        all << 8 | same.wrapping_mul(GATHER) >> 56
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_bytes_are_counted_and_told_apart() {
        let here: [u8; 64] = std::array::from_fn(|i| i as u8);
        let mut there = here;
        assert_eq!(same_bytes(&here, &there), u64::MAX);
        for i in [0, 7, 8, 63] {
            there[i] ^= 0x80;
        }
        there[20] ^= 1;
        let wanted = [0, 7, 8, 63, 20].iter().fold(u64::MAX, |all, i| all & !(1 << i));
        assert_eq!(same_bytes(&here, &there), wanted);
        let both = [&here[..], &there[1..], &[9, 9, 9]].concat();
        assert_eq!(common(&both, 65, 2), 6 - 1);
        assert_eq!(common(&both, 128, 127), 2);
    }
}
