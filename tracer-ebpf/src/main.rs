//! The probe: copies, and understands nothing.
//!
//! `sys_enter` and `sys_exit` are driven by the capture plan (`maps::PLANS`), a few tracepoints have
//! a fixed record. Every program stands alone: one that the kernel refuses does not stop the rest.
//! The two ways to attach to the system call tracepoints differ only in how registers are read
//! ([`regs`]); BTF-typed ones load them directly, plain ones go through a helper.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod call;
mod copy;
mod emit;
mod file;
mod kernel;
mod maps;
mod regs;
mod task;
mod tracepoints;
mod vector;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// Helpers that read kernel and user memory are for GPL-compatible programs.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
