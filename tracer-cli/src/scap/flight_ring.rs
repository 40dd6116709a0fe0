//! The last so much of the stream in memory, until somebody wants it in a file.
//!
//! It is kept in *segments*: frames that begin with the whole state. The oldest segment is dropped when
//! the rest is enough, so that what is left always begins with a state, and a file made of it is a
//! capture of several sections like any other.

use super::frame_file::FrameFile;
use super::index_thread::IndexThread;
use std::collections::VecDeque;
use std::io;

/// Segments that a full ring has: so much of its memory is used for sure but one part.
pub(super) const SEGMENTS: u64 = 8;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingSize {
    /// Bytes as they would be in a file.
    Bytes(u64),
    /// Seconds of the time of events.
    Seconds(u64),
}

/// Frames that begin with the whole state.
#[derive(Debug, Default)]
pub(super) struct Segment {
    frames: Vec<Vec<u8>>,
    bytes: u64,
    events: u64,
    /// Time of the last event, ns since the epoch.
    until: u64,
}

/// The segments, oldest first.
#[derive(Debug)]
pub(super) struct FlightRing {
    size: RingSize,
    segments: VecDeque<Segment>,
    bytes: u64,
}

impl FlightRing {
    pub fn new(size: RingSize) -> Self {
        Self { size, segments: VecDeque::new(), bytes: 0 }
    }

    /// The frames that come from here on are of a new segment.
    pub fn begin(&mut self) {
        self.segments.push_back(Segment::default());
    }

    /// Adds a frame with so many events, the last of time `until`.
    pub fn push(&mut self, frame: &[u8], events: u64, until: u64) {
        let Some(segment) = self.segments.back_mut() else { return };
        segment.frames.push(frame.to_vec());
        segment.bytes += frame.len() as u64;
        segment.events += events;
        segment.until = segment.until.max(until);
        self.bytes += frame.len() as u64;
        while self.segments.len() > 1 && self.is_enough_without_oldest(until) {
            self.bytes -= self.segments.pop_front().map_or(0, |oldest| oldest.bytes);
        }
    }

    fn is_enough_without_oldest(&self, now: u64) -> bool {
        match self.size {
            RingSize::Bytes(most) => self.bytes > most,
            RingSize::Seconds(least) => self
                .segments
                .front()
                .is_some_and(|oldest| now.saturating_sub(oldest.until) > least.saturating_mul(1_000_000_000)),
        }
    }

    /// Takes all out.
    pub fn take(&mut self) -> VecDeque<Segment> {
        self.bytes = 0;
        std::mem::take(&mut self.segments)
    }
}

/// Writes segments into a file, with their index where there is to be one; returns the number of events in it.
///
/// # Errors
/// Something could not be written; the number is that of the events that were. That the index could not is none.
pub(super) fn write(
    file: &mut FrameFile,
    segments: VecDeque<Segment>,
    mut index: Option<IndexThread>,
) -> (u64, io::Result<()>) {
    let mut written = 0;
    for segment in segments {
        for frame in &segment.frames {
            let offset = file.len();
            if let Err(e) = file.append(frame) {
                return (written, Err(e));
            }
            if let Some(thread) = &mut index {
                let done =
                    zstd::decode_all(frame.as_slice()).and_then(|blocks| thread.frame(offset, blocks, file));
                index = index.filter(|_| done.is_ok());
            }
        }
        written += segment.events;
    }
    // Without it the file is as good.
    let _ = index.map(|index| index.finish(file));
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn kept(size: RingSize, segments: usize, frame: usize) -> (usize, u64) {
        let mut ring = FlightRing::new(size);
        for i in 0..segments as u64 {
            ring.begin();
            ring.push(&vec![0; frame], 1, i * SECOND);
        }
        let bytes = ring.bytes;
        (ring.take().len(), bytes)
    }

    #[test]
    fn old_segments_make_room() {
        assert_eq!(kept(RingSize::Bytes(100), 3, 30), (3, 90));
        assert_eq!(kept(RingSize::Bytes(100), 9, 30), (3, 90));
        assert_eq!(kept(RingSize::Bytes(100), 2, 300), (1, 300), "the last one stays in any case");
        assert_eq!(kept(RingSize::Seconds(3), 9, 30), (4, 120));
    }
}
