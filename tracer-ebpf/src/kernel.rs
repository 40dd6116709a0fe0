//! Reading kernel and user memory.

use aya_ebpf::helpers::generated as helper;
use core::mem::MaybeUninit;

/// An offset in a kernel structure. Volatile, since user space sets it after compilation.
macro_rules! offset {
    ($field:ident) => {
        // SAFETY: a field of a static.
        unsafe { (&raw const crate::maps::OFFSETS.$field).read_volatile() }
    };
}
pub(crate) use offset;

/// A setting of user space.
macro_rules! setting {
    ($field:ident) => {
        // SAFETY: a field of a static.
        unsafe { (&raw const crate::maps::SETTINGS.$field).read_volatile() }
    };
}
pub(crate) use setting;

/// `struct task_struct` of the caller.
#[inline(always)]
pub fn current() -> u64 {
    // SAFETY: no arguments.
    unsafe { helper::bpf_get_current_task() }
}

#[inline(always)]
pub fn read<T: Copy>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the address; on success it has filled all of `value`.
    unsafe {
        let failed =
            helper::bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        if failed == 0 { Some(value.assume_init()) } else { None }
    }
}

/// A field of a structure; `None` when the kernel does not have it.
#[inline(always)]
pub fn field<T: Copy>(base: u64, offset: u32) -> Option<T> {
    if offset == tracer_common::config::ABSENT || base == 0 {
        return None;
    }
    read(base + offset as u64)
}

#[inline(always)]
pub fn read_user<T: Copy>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: as in `read`.
    unsafe {
        let failed =
            helper::bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        if failed == 0 { Some(value.assume_init()) } else { None }
    }
}

/// A value the optimizer may not reason about, so that the bound check that follows stays.
#[inline(always)]
pub fn opaque(value: u64) -> u64 {
    let mut v = value;
    // SAFETY: an assignment of a register to itself.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) v, options(pure, nomem, nostack)) };
    v
}
