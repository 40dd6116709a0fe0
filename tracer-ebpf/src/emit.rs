//! Handing records to user space, and counting.

use crate::kernel::setting;
use crate::maps::{CPUS, RINGS, SLOTS};
use aya_ebpf::{btf_maps::RingBuf, helpers::generated as helper};
use tracer_common::slots::{Cpu, SLOT_LEN, Slot};

const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;

#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no arguments.
    unsafe { helper::bpf_ktime_get_ns() }
}

/// The CPU that the program runs on.
#[derive(Clone, Copy)]
pub struct Here {
    pub number: u32,
    cpu: *mut Cpu,
}

#[inline(always)]
pub fn here() -> Option<Here> {
    // SAFETY: no arguments.
    let number = unsafe { helper::bpf_get_smp_processor_id() } as u32;
    Some(Here { number, cpu: CPUS.get_ptr_mut(number)? })
}

impl Here {
    /// What is known of this CPU.
    #[inline(always)]
    pub fn state(&self) -> &'static mut Cpu {
        // SAFETY: the entry of this CPU; programs on it that count may nest only in a page fault, which can at worst
        // lose a count of its own.
        unsafe { &mut *self.cpu }
    }

    /// A slot for a record of this time, `None` when none is free or the record is to wake the reader. It may be left
    /// unused. Only for programs that do not nest.
    #[inline(always)]
    pub fn slot(&self, time: u64) -> Option<*mut Slot> {
        let slots = setting!(slots) as u64;
        // SAFETY: `taken` is a word that user space writes at once, the others are this CPU's own.
        let (written, taken, woken_at, last_wake) = unsafe {
            let cpu = self.cpu;
            (
                (&raw const (*cpu).written).read_volatile(),
                (&raw const (*cpu).taken).read_volatile(),
                (&raw const (*cpu).woken_at).read_volatile(),
                (&raw const (*cpu).last_wake).read_volatile(),
            )
        };
        let full = written.wrapping_sub(taken) >= slots;
        let wakes = written.wrapping_sub(woken_at) > slots / 4
            || time.wrapping_sub(last_wake) >= setting!(wake_ns) as u64;
        if full || wakes {
            return None;
        }
        SLOTS.get_ptr_mut(self.number * slots as u32 + (written as u32 & (slots as u32 - 1)))
    }

    /// Counts the slot last given out as written. User space does not look at it before; stores are seen in the order in
    /// which they are made (x86).
    #[inline(always)]
    pub fn publish(&self) {
        // SAFETY: this CPU's own word.
        unsafe {
            let written = &raw mut (*self.cpu).written;
            written.write_volatile(written.read_volatile() + 1);
        }
    }

    /// Copies `len` bytes at `record` into this CPU's ring.
    ///
    /// Waking the reader is the dearest thing a probe can do, so it is done by amount and by time: when this CPU has put
    /// `wake_bytes` into its ring or written a quarter of its slots, or `wake_ns` after the last time it woke the reader.
    #[inline(always)]
    pub fn send(&self, record: *const u8, len: u64, time: u64) {
        let cpu = self.state();
        cpu.counters.attempted += 1;
        let Some(ring) = RINGS.get(self.number) else {
            cpu.counters.lost_no_ring += 1;
            return;
        };
        cpu.unwoken_bytes += len;
        let wake = cpu.unwoken_bytes >= setting!(wake_bytes) as u64
            || cpu.written.wrapping_sub(cpu.woken_at) > setting!(slots) as u64 / 4
            || time.wrapping_sub(cpu.last_wake) >= setting!(wake_ns) as u64;
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
        if failed != 0 {
            cpu.counters.lost_full += 1;
            return;
        }
        cpu.counters.delivered += 1;
        if wake {
            cpu.counters.wakes += 1;
            cpu.unwoken_bytes = 0;
            cpu.woken_at = cpu.written;
            cpu.last_wake = time;
        }
    }
}

/// Copies a record that is no longer than a slot, the rest of which may be anything.
///
/// SAFETY: both are valid.
#[inline(always)]
pub unsafe fn copy_to_slot(from: *const Slot, to: *mut Slot, len: u64) {
    const HALF: usize = SLOT_LEN / 16;
    let (from, to) = (from.cast::<u64>(), to.cast::<u64>());
    // SAFETY: see above.
    unsafe {
        copy_words::<HALF>(from, to);
        if len > 8 * HALF as u64 {
            copy_words::<HALF>(from.add(HALF), to.add(HALF));
        }
    }
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
