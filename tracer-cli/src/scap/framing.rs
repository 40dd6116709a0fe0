//! Where the events in the bytes of a file are, found as the bytes arrive: by another thread than the
//! one that looks at the events.
//!
//! Whole, sound events only: whoever comes to a place where none was found reads the block step by
//! step and says what is wrong with it. So nothing here decides what a file means.

use super::block::{EventKind, HEADER, TRAILER};
use super::event_block::words;
use crate::row::{Framed, Head};

/// Walks from block to block over bytes that come in portions.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Bytes of a block that are still to come, and in which no event is.
    skip: u64,
    /// A block has a length that none has: where the next one begins cannot be told.
    is_lost: bool,
}

impl Framing {
    /// Adds the events in `bytes` to `found`; places are reckoned from `origin` bytes before them.
    ///
    /// Returns where the rest begins that is to come again at the start of the next bytes: an event that
    /// is not yet whole, of at most `most` bytes.
    pub fn find(&mut self, bytes: &[u8], origin: usize, most: usize, found: &mut Vec<Framed>) -> usize {
        if self.is_lost {
            return bytes.len();
        }
        let mut at = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= at as u64;
        let mut follows = false;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            // So it is nearly always.
            if let Some((len, head)) = Head::usual(rest) {
                found.push(Framed { at: (origin + at) as u32, len, head, is_plain: follows });
                at += len as usize;
                follows = true;
                continue;
            }
            if let Some((len, head)) = Head::at_start(rest) {
                let is_plain = follows && head.bits.is_empty();
                found.push(Framed { at: (origin + at) as u32, len, head, is_plain });
                at += len as usize;
                follows = true;
                continue;
            }
            let (code, len) = words(rest);
            let is_event = EventKind::of(code).is_some_and(|kind| len <= kind.max_len());
            let len = len as usize;
            if rest.len() < HEADER || (is_event && len > rest.len() && len <= most) {
                return at;
            }
            if len < HEADER + TRAILER {
                self.is_lost = true;
                break;
            }
            follows = false;
            self.skip = len.saturating_sub(rest.len()) as u64;
            at += len.min(rest.len());
        }
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event block of the kind without a number of parameters, with this time.
    fn event(ts: u64) -> Vec<u8> {
        let mut block = Vec::new();
        let len = (HEADER + 2 + 22 + TRAILER) as u32;
        block.extend_from_slice(&0x204_u32.to_le_bytes());
        block.extend_from_slice(&len.to_le_bytes());
        block.extend_from_slice(&3_u16.to_le_bytes());
        block.extend_from_slice(&ts.to_le_bytes());
        block.extend_from_slice(&7_i64.to_le_bytes());
        block.extend_from_slice(&22_u32.to_le_bytes());
        block.extend_from_slice(&2_u16.to_le_bytes());
        block.extend_from_slice(&len.to_le_bytes());
        block
    }

    fn other(len: u32) -> Vec<u8> {
        let mut block = vec![0; len as usize];
        block[..4].copy_from_slice(&0x202_u32.to_le_bytes());
        block[4..8].copy_from_slice(&len.to_le_bytes());
        block
    }

    /// The times of the events that are found in portions of `step` bytes, and their places.
    fn found(bytes: &[u8], step: usize, most: usize) -> Vec<(u64, usize)> {
        let mut framing = Framing::default();
        let (mut all, mut rest) = (Vec::new(), Vec::new());
        let mut end = 0;
        for portion in bytes.chunks(step) {
            let origin = end - rest.len();
            end += portion.len();
            let joined = [rest.as_slice(), portion].concat();
            let mut events = Vec::new();
            let whole = framing.find(&joined, origin, most, &mut events);
            rest = joined[whole..].to_vec();
            assert!(rest.len() <= most);
            all.extend(events.iter().map(|event| (event.head.ts, event.at as usize)));
        }
        all
    }

    #[test]
    fn events_are_found_wherever_the_bytes_are_cut() {
        let bytes = [event(1), other(500), event(2), event(3), other(12), event(4)].concat();
        let len = event(0).len();
        let wanted = [(1, 0), (2, len + 500), (3, 2 * len + 500), (4, 3 * len + 512)];
        for step in 1..bytes.len() + 1 {
            assert_eq!(found(&bytes, step, 100), wanted, "{step}");
        }
    }

    #[test]
    fn long_events_are_left_to_others() {
        let bytes = [event(1), event(2), event(3)].concat();
        assert_eq!(found(&bytes, 54, 10), [(1, 0), (3, 2 * event(0).len())]);
    }

    #[test]
    fn behind_a_length_that_lies_nothing_is_found() {
        let mut bytes = [event(1), other(100), event(2)].concat();
        let at = event(0).len();
        bytes[at + 4] = 3;
        assert_eq!(found(&bytes, 1000, 100), [(1, 0)]);
        // What is damaged is no event, and does not hide others.
        let mut bytes = [event(1), event(2), event(3)].concat();
        bytes[at + HEADER + 2 + 16] = 1;
        assert_eq!(found(&bytes, 1000, 100), [(1, 0), (3, 2 * at)]);
    }
}
