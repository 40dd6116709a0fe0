//! The registers of a system call, `struct pt_regs` of x86_64 in 64-bit words:
//! r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax.

use crate::kernel::{current, field, offset, read};
use crate::maps::Scratch;
use aya_ebpf::helpers::generated as helper;

const ORIG_AX: usize = 15;
/// Argument registers of the 64-bit interface: di si dx r10 r8 r9.
const NATIVE: [usize; 6] = [14, 13, 12, 7, 9, 8];
/// Argument registers of the 32-bit interface: bx cx dx si di bp.
const COMPAT: [usize; 6] = [5, 11, 12, 13, 14, 4];
/// `TS_COMPAT` in `thread_info.status` (arch/x86/include/asm/thread_info.h).
const TS_COMPAT: u32 = 2;

/// Who makes the call, and through which interface.
#[derive(Clone, Copy)]
pub struct Caller {
    pub tid: u32,
    pub tgid: u32,
    pub compat: bool,
}

/// Registers, however the program got at them.
pub trait Regs {
    fn orig_ax(&self) -> u64;
    /// The argument registers of the 64-bit interface where they are at hand.
    fn words(&self) -> Option<[u64; 6]>;
    /// An argument register of the 32-bit interface.
    fn compat_word(&self, i: usize) -> u64;
    /// Writes the first argument registers to the start of the body.
    fn save_args(&self, s: *mut Scratch, compat: bool, count: usize);
    fn caller(&self) -> Caller;
}

/// SAFETY: `s` must be a valid scratch entry.
#[inline(always)]
unsafe fn save(s: *mut Scratch, order: &[usize; 6], count: usize, mask: u64, word: impl Fn(usize) -> u64) {
    // SAFETY: the body is aligned and longer than six words.
    unsafe {
        let body = (&raw mut (*s).body).cast::<u64>();
        let mut i = 0;
        while i < 6 && i < count {
            *body.add(i) = word(order[i]) & mask;
            i += 1;
        }
    }
}

/// Behind a plain raw tracepoint: an address.
pub struct RawRegs(pub u64);

impl Regs for RawRegs {
    #[inline(always)]
    fn orig_ax(&self) -> u64 {
        read(self.0 + 8 * ORIG_AX as u64).unwrap_or(u64::MAX)
    }

    #[inline(always)]
    fn words(&self) -> Option<[u64; 6]> {
        None
    }

    #[inline(always)]
    fn compat_word(&self, i: usize) -> u64 {
        read::<u32>(self.0 + 8 * COMPAT[i] as u64).unwrap_or(0) as u64
    }

    #[inline(always)]
    fn save_args(&self, s: *mut Scratch, compat: bool, count: usize) {
        // SAFETY: `s` is valid and its auxiliary area holds sixteen words.
        unsafe {
            let words = (&raw mut (*s).aux).cast::<u64>();
            helper::bpf_probe_read_kernel(words.cast(), 128, self.0 as *const _);
            if compat {
                save(s, &COMPAT, count, 0xffff_ffff, |i| words.add(i).read());
            } else {
                save(s, &NATIVE, count, u64::MAX, |i| words.add(i).read());
            }
        }
    }

    #[inline(always)]
    fn caller(&self) -> Caller {
        // SAFETY: no arguments.
        let id = unsafe { helper::bpf_get_current_pid_tgid() };
        let status: u32 = field(current(), offset!(task_status)).unwrap_or(0);
        Caller { tid: id as u32, tgid: (id >> 32) as u32, compat: status & TS_COMPAT != 0 }
    }
}

/// Behind a BTF-typed tracepoint: a pointer the verifier knows the type of.
pub struct TypedRegs(pub *const u64);

impl TypedRegs {
    #[inline(always)]
    fn word(&self, i: usize) -> u64 {
        // SAFETY: the verifier checks the access against the type of the pointer.
        unsafe { self.0.add(i).read_volatile() }
    }
}

/// A 32-bit field of a typed pointer; 0 when the kernel does not have it.
///
/// SAFETY: the verifier checks the access; `base` must come from a helper that gives a typed pointer.
#[inline(always)]
unsafe fn typed_u32(base: *const u8, offset: u32) -> u32 {
    if offset == tracer_common::config::ABSENT {
        return 0;
    }
    // SAFETY: see above.
    unsafe { base.add(offset as usize).cast::<u32>().read_volatile() }
}

impl Regs for TypedRegs {
    #[inline(always)]
    fn orig_ax(&self) -> u64 {
        self.word(ORIG_AX)
    }

    #[inline(always)]
    fn words(&self) -> Option<[u64; 6]> {
        Some(NATIVE.map(|i| self.word(i)))
    }

    #[inline(always)]
    fn compat_word(&self, i: usize) -> u64 {
        self.word(COMPAT[i]) & 0xffff_ffff
    }

    #[inline(always)]
    fn save_args(&self, s: *mut Scratch, compat: bool, count: usize) {
        // SAFETY: `s` is valid.
        unsafe {
            if compat {
                save(s, &COMPAT, count, 0xffff_ffff, |i| self.word(i));
            } else {
                save(s, &NATIVE, count, u64::MAX, |i| self.word(i));
            }
        }
    }

    #[inline(always)]
    fn caller(&self) -> Caller {
        let (pid, tgid, status) = (offset!(task_pid), offset!(task_tgid), offset!(task_status));
        // SAFETY: a trusted task pointer; the offsets are those of `int` fields.
        unsafe {
            let task = helper::bpf_get_current_task_btf().cast::<u8>().cast_const();
            Caller {
                tid: typed_u32(task, pid),
                tgid: typed_u32(task, tgid),
                compat: typed_u32(task, status) & TS_COMPAT != 0,
            }
        }
    }
}
