//! Handing records to user space, and counting.

use crate::kernel::setting;
use crate::maps::{COUNTERS, RINGS, SLOT_COUNTS, SLOTS};
use aya_ebpf::{btf_maps::RingBuf, helpers::generated as helper};
use tracer_common::{config::Counters, slots::{SLOT_LEN, Slot}};

const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;

#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { helper::bpf_ktime_get_boot_ns() }
}

#[inline(always)]
pub fn counters() -> Option<&'static mut Counters> {
    // SAFETY: the entry of this CPU; programs on it that count may nest only in a page fault, which
    // can at worst lose a count of its own.
    COUNTERS.get_ptr_mut(0).map(|c| unsafe { &mut *c })
}

/// Whether the reader is to be woken with a record of this length and time.
#[inline(always)]
fn wakes(counters: &Counters, len: u64, time: u64) -> bool {
    counters.unwoken_bytes + len >= setting!(wake_bytes) as u64
        || time.wrapping_sub(counters.last_wake) >= setting!(wake_ns) as u64
}

/// Hands over a record that is no longer than a slot, the rest of which may be anything. `false` when it has to go
/// through the ring. Only for programs that do not nest.
#[inline(always)]
pub fn put(record: *const Slot, len: u64, time: u64) -> bool {
    let Some(counters) = counters() else { return false };
    let slots = setting!(slots);
    if slots == 0 || wakes(counters, len, time) {
        return false;
    }
    // SAFETY: no arguments.
    let cpu = unsafe { helper::bpf_get_smp_processor_id() } as u32;
    let Some(counts) = SLOT_COUNTS.get_ptr_mut(cpu) else { return false };
    // SAFETY: `written` is this CPU's own, `taken` is a word that user space writes at once.
    let (written, taken) =
        unsafe { ((&raw const (*counts).written).read_volatile(), (&raw const (*counts).taken).read_volatile()) };
    if written.wrapping_sub(taken) >= slots as u64 {
        return false;
    }
    let Some(slot) = SLOTS.get_ptr_mut(cpu * slots + (written as u32 & (slots - 1))) else { return false };
    let (from, to) = (record.cast::<u64>(), slot.cast::<u64>());
    const HALF: usize = SLOT_LEN / 16;
    // SAFETY: both are as long as a slot; user space does not look at it before it is counted. Stores are seen in the
    // order in which they are made (x86).
    unsafe {
        copy_words::<HALF>(from, to);
        if len > 8 * HALF as u64 {
            copy_words::<HALF>(from.add(HALF), to.add(HALF));
        }
        (&raw mut (*counts).written).write_volatile(written + 1);
    }
    counters.attempted += 1;
    counters.delivered += 1;
    counters.bytes += len;
    counters.unwoken_bytes += len;
    true
}

/// SAFETY: `N` words are valid at both ends.
#[inline(always)]
unsafe fn copy_words<const N: usize>(from: *const u64, to: *mut u64) {
    let mut i = 0;
    while i < N {
        // SAFETY: see above.
        unsafe { to.add(i).write_volatile(from.add(i).read()) };
        i += 1;
    }
}

/// Copies `len` bytes at `record` into this CPU's ring.
///
/// Waking the reader is the dearest thing a probe can do, so it is done by amount and by time: when
/// this CPU has written `wake_bytes`, or `wake_ns` after the last time it woke the reader.
#[inline(always)]
pub fn send(record: *const u8, len: u64, time: u64) {
    let Some(counters) = counters() else { return };
    counters.attempted += 1;
    // SAFETY: no arguments.
    let cpu = unsafe { helper::bpf_get_smp_processor_id() };
    let Some(ring) = RINGS.get(cpu as u32) else {
        counters.lost_no_ring += 1;
        return;
    };
    let wake = wakes(counters, len, time);
    counters.unwoken_bytes += len;
    let flags = if wake { FORCE_WAKEUP } else { NO_WAKEUP };
    // SAFETY: the verifier checks `record` and `len`.
    let failed = unsafe {
        helper::bpf_ringbuf_output(
            (ring as *const RingBuf<u8, 262144>).cast_mut().cast(),
            record.cast_mut().cast(),
            len,
            flags,
        )
    };
    if failed == 0 {
        counters.delivered += 1;
        counters.bytes += len;
        if wake {
            counters.wakes += 1;
            counters.unwoken_bytes = 0;
            counters.last_wake = time;
        }
    } else {
        counters.lost_full += 1;
    }
}
