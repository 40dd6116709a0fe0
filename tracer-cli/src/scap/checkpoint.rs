//! Checkpoints: the state at a place between two events, and how a reader begins there.
//!
//! The state is written as at the beginning of a capture, only more exactly: what a reader makes of it
//! is what it would have had after reading everything before.

use super::index::{Checkpoint, unpack};
use super::index_bytes::Bytes;
use super::input::Input;
use super::reader::CaptureSource;
use super::write_state;
use crate::source::{Next, Source, SourceError};
use crate::state::State;
use crate::state::cgroup_id::{ContainerType, container_id_of, short_id};
use crate::state::containers::Place;
use crate::state::inspector::{Clock, Inspector};
use crate::state::thread::{Thread, ThreadFlags};
use rustc_hash::FxHashMap;
use std::io;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Level of compression: most of a state is that of the one before. Levels below look for a small part of the dictionary
/// only, and leave seven times as much; those above leave a tenth less and take many times as long.
const LEVEL: i32 = 3;

/// A state that others are compressed with.
pub(super) struct Base {
    /// Number of the frame that it is for.
    frame: u64,
    /// Bytes of its blocks.
    size: usize,
    /// Knows them: to read them again is most of the work of compressing with them.
    compressor: Compressor<'static>,
}

impl Base {
    /// Of the state `blocks` before `frame`.
    ///
    /// # Errors
    /// There is no memory for a compressor.
    pub fn new(frame: u64, blocks: &[u8]) -> io::Result<Self> {
        let compressor = Compressor::with_dictionary(LEVEL, blocks)?;
        Ok(Self { frame, size: blocks.len(), compressor })
    }
}

/// The blocks of the state before an event of time `ts`.
pub(super) fn blocks(state: &State, ts: u64) -> Vec<u8> {
    let mut blocks = Vec::new();
    write_state::append_exactly(&mut blocks, state, ts);
    blocks
}

/// The checkpoint for `frame`, at which `source` stands.
///
/// # Errors
/// What the compressor reports.
pub(super) fn make(
    frame: u64,
    source: &CaptureSource,
    inspector: &Inspector,
    blocks: &[u8],
    base: Option<&mut Base>,
) -> io::Result<Checkpoint> {
    let clock = inspector.clock();
    let number = base.as_ref().map(|base| base.frame);
    Ok(Checkpoint {
        frame,
        last_ts: source.last_ts(),
        first_event_ts: clock.first_ts,
        previous_event_ts: clock.previous_ts,
        ended: differences(inspector.state.ended()),
        places: places(&inspector.state),
        live_threads: live_threads(&inspector.state),
        base: number,
        size: blocks.len() as u64,
        state: Bytes(pack(blocks, base)?),
    })
}

/// Of each pair the difference from the one before. They are small numbers, and so are their encodings.
fn differences(pairs: impl Iterator<Item = (i64, u64)>) -> Vec<(i64, i64)> {
    let mut before = (0, 0);
    let mut difference = |pair: (i64, u64)| {
        let (tid, ts) = std::mem::replace(&mut before, pair);
        (pair.0.wrapping_sub(tid), pair.1.wrapping_sub(ts).cast_signed())
    };
    pairs.map(&mut difference).collect()
}

/// The pairs that differ by these numbers.
fn summed(differences: &[(i64, i64)]) -> impl Iterator<Item = (i64, u64)> {
    differences.iter().scan((0_i64, 0_u64), |pair, (tid, ts)| {
        *pair = (pair.0.wrapping_add(*tid), pair.1.wrapping_add_signed(*ts));
        Some(*pair)
    })
}

/// Threads that are elsewhere than their control groups say.
fn places(state: &State) -> Vec<(i64, Option<Vec<u8>>)> {
    let differs = |thread: &&Thread| {
        let in_pid_namespace = thread.flags.contains(ThreadFlags::IN_PID_NS);
        let said = container_id_of(&thread.cgroups, in_pid_namespace);
        let said = said.as_ref().map(|found| short_id(&found.full_id));
        said != state.container_of(thread).map(|container| container.id.as_slice())
    };
    let place = |thread: &Thread| state.container_of(thread).map(|container| container.id.to_vec());
    state.threads().filter(differs).map(|thread| (thread.tid, place(thread))).collect()
}

/// Processes of which it is not known of all threads whether they live.
fn live_threads(state: &State) -> Vec<(i64, u32)> {
    let mut listed: FxHashMap<i64, u32> = FxHashMap::default();
    for thread in state.threads().filter(|thread| !thread.flags.contains(ThreadFlags::DEAD)) {
        *listed.entry(thread.pid).or_default() += 1;
    }
    let count = |process: &Thread| listed.get(&process.pid).copied().unwrap_or(0);
    let mains = state.threads().filter(|thread| thread.is_main() && thread.live_threads != count(thread));
    mains.map(|process| (process.pid, process.live_threads)).collect()
}

fn pack(blocks: &[u8], base: Option<&mut Base>) -> io::Result<Vec<u8>> {
    // The window has to reach back over both.
    let window = |behind: usize| {
        CParameter::WindowLog((blocks.len() + behind).next_power_of_two().ilog2().clamp(17, 27))
    };
    match base {
        Some(base) => {
            base.compressor.set_parameter(window(base.size))?;
            base.compressor.compress(blocks)
        }
        None => {
            let mut compressor = Compressor::new(LEVEL)?;
            compressor.set_parameter(window(0))?;
            compressor.compress(blocks)
        }
    }
}

/// The blocks in a checkpoint, given those of its base.
pub(super) fn unpacked(checkpoint: &Checkpoint, base: Option<&[u8]>) -> Option<Vec<u8>> {
    unpack(&checkpoint.state.0, checkpoint.size, base)
}

/// Makes `inspector` know what it would know had it read everything before `checkpoint`, whose blocks
/// these are.
///
/// # Errors
/// The blocks are damaged.
pub(super) fn restore(
    checkpoint: &Checkpoint,
    blocks: Vec<u8>,
    inspector: &mut Inspector,
) -> Result<(), SourceError> {
    inspector.begin_recording();
    let mut source = CaptureSource::of(Input::of_bytes(blocks));
    source.load_state(&mut inspector.state)?;
    // Behind the lists come notes about containers.
    while let Next::Event(event) = source.next()? {
        inspector.apply(&event, &mut |_| None);
    }
    let state = &mut inspector.state;
    for (tid, container) in &checkpoint.places {
        let place = match container {
            None => Place::Host,
            Some(id) => Place::In(state.containers.meet(ContainerType::Unknown, id)),
        };
        if let Some(thread) = state.find(*tid).and_then(|key| state.thread_mut(key)) {
            thread.place = place;
        }
    }
    for (pid, count) in &checkpoint.live_threads {
        if let Some(process) = state.find(*pid).and_then(|key| state.thread_mut(key)) {
            process.live_threads = *count;
        }
    }
    inspector.state.set_ended(summed(&checkpoint.ended));
    inspector
        .resume(Clock { first_ts: checkpoint.first_event_ts, previous_ts: checkpoint.previous_event_ts });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_come_back_from_their_differences() {
        let ends = [
            (7, 1_750_000_000_000_000_000),
            (-5, 1_750_000_000_000_000_001),
            (i64::MAX, 0),
            (i64::MIN, u64::MAX),
        ];
        let differences = differences(ends.into_iter());
        assert_eq!(differences[1], (-12, 1));
        assert!(summed(&differences).eq(ends));
    }
}
