//! A BPF program that does nothing: what any probe on the same tracepoints costs at the least, and what the kernel's
//! statistics report for nothing, since they time each run with two readings of a clock.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};

use super::bpf::{self, PROG_LOAD, RAW_TRACEPOINT_OPEN};

/// The type of the program (include/uapi/linux/bpf.h).
const TYPE_RAW_TRACEPOINT: u32 = 17;

/// `r0 = 0; exit`
const INSTRUCTIONS: [u64; 2] = [0xb7, 0x95];

#[repr(C)]
struct Load {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    /// Verifier log, kernel version, flags: none.
    unused: [u64; 3],
    name: [u8; 16],
}

#[repr(C)]
struct Open {
    name: u64,
    program: u32,
    padding: u32,
}

/// Attached as long as the value lives.
pub struct EmptyProgram {
    _program: OwnedFd,
    _link: OwnedFd,
}

impl EmptyProgram {
    /// Its name in the statistics.
    pub const NAME: &str = "empty";

    /// Fails without root.
    pub fn attach(tracepoint: &CStr) -> Result<EmptyProgram> {
        let mut name = [0; 16];
        for (to, from) in name.iter_mut().zip(Self::NAME.bytes()) {
            *to = from;
        }
        let load = Load {
            kind: TYPE_RAW_TRACEPOINT,
            instruction_count: INSTRUCTIONS.len() as u32,
            instructions: INSTRUCTIONS.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            unused: [0; 3],
            name,
        };
        let program = bpf::command(PROG_LOAD, &load).context("load an empty BPF program")?;
        let open = Open { name: tracepoint.as_ptr() as u64, program: program.as_raw_fd() as u32, padding: 0 };
        let link =
            bpf::command(RAW_TRACEPOINT_OPEN, &open).with_context(|| format!("attach to {tracepoint:?}"))?;
        Ok(EmptyProgram { _program: program, _link: link })
    }
}
