//! Maps and globals.

use crate::kernel::opaque;
use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    btf_maps::{ArrayOfMaps, RingBuf},
    macros::{btf_map, map},
    maps::{Array, ProgramArray},
};
use core::cell::UnsafeCell;
use tracer_common::{
    config::{MAX_CPUS, Offsets, Settings},
    plan::{CallPlan, PLAN_ENTRIES},
    record::{HEADER_LEN, RecordHeader},
    slots::{Cpu, Slot},
};

/// A piece starts at most here in the body of a record …
pub const LAST_START: u64 = 0xffff;
/// … and is at most this long.
pub const PIECE_MASK: u64 = 0xffff;
const BODY: usize = 0x2_0100;

/// Where a CPU builds a record. Only the system call programs use it: they do not nest.
#[repr(C)]
pub struct Scratch {
    pub header: RecordHeader,
    pub body: [u8; BODY],
    /// Structures are made here and then copied, since the body is not aligned.
    pub aux: [u64; 24],
    /// Variables of loops.
    pub cursor: [u64; 4],
    /// For [`crate::copy::forget`].
    pub forgotten: u64,
    /// Start of the piece being built, kept in memory for the verifier's sake (see [`crate::copy`]).
    pub piece_start: u32,
    /// When the record is being made: one of `plan::when`.
    pub now: u32,
}
const _: () = assert!(core::mem::offset_of!(Scratch, body) == HEADER_LEN);

#[map]
pub static SCRATCH: Array<Scratch> = Array::with_max_entries(1, 0);
/// The slots of all CPUs, one row after the other.
#[map]
pub static SLOTS: Array<Slot> = Array::with_max_entries(1, BPF_F_MMAPABLE);
/// One entry for each CPU. No per-CPU map, so that user space can map it and no kernel needs a call to find it.
#[map]
pub static CPUS: Array<Cpu> = Array::with_max_entries(1, BPF_F_MMAPABLE);
/// Programs that make special exit records; one array for each way to attach, since a program array
/// belongs to one kind of hook.
#[map]
pub static EXIT_PROGRAMS: ProgramArray = ProgramArray::with_max_entries(4, 0);
#[map]
pub static EXIT_PROGRAMS_RAW: ProgramArray = ProgramArray::with_max_entries(4, 0);
/// One ring per CPU, put in by user space. The inner size is a template only.
#[btf_map]
pub static RINGS: ArrayOfMaps<RingBuf<u8, 262144>, { MAX_CPUS as usize }> = ArrayOfMaps::new();

/// Plans by number. Globals and no maps: a look into a map goes by way of the stack.
#[repr(transparent)]
pub struct Plans(UnsafeCell<[CallPlan; PLAN_ENTRIES as usize]>);

// SAFETY: user space writes them before any program is loaded, nobody does later.
unsafe impl Sync for Plans {}

impl Plans {
    /// The plan of a number that is in the table.
    #[inline(always)]
    pub fn of(&'static self, number: u32) -> &'static CallPlan {
        const { assert!(PLAN_ENTRIES.is_power_of_two()) };
        let place = opaque(number as u64) & (PLAN_ENTRIES as u64 - 1);
        // SAFETY: inside the table. The compiler does not know where the address comes from, and so not what it saw there.
        unsafe { &*(opaque(self.0.get() as u64) as *const CallPlan).add(place as usize) }
    }
}

#[unsafe(no_mangle)]
pub static PLANS: Plans = Plans(UnsafeCell::new([CallPlan::NONE; PLAN_ENTRIES as usize]));
#[unsafe(no_mangle)]
pub static PLANS_COMPAT: Plans = Plans(UnsafeCell::new([CallPlan::NONE; PLAN_ENTRIES as usize]));

/// Written by user space before loading; the verifier treats them as constants.
#[unsafe(no_mangle)]
pub static SETTINGS: Settings = Settings { self_tgid: 0, snaplen: 80, wake_bytes: 1 << 20, wake_ns: 10_000_000, slots: 0 };
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::NONE;
