//! Handing records to user space, and counting.

use crate::kernel::setting;
use crate::maps::{COUNTERS, RINGS};
use aya_ebpf::{btf_maps::RingBuf, helpers::generated as helper};
use tracer_common::config::Counters;

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
    counters.unwoken_bytes += len;
    let wake = counters.unwoken_bytes >= setting!(wake_bytes) as u64
        || time.wrapping_sub(counters.last_wake) >= setting!(wake_ns) as u64;
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
