//! bpf(2), as far as the bench needs it.

use std::ffi::c_long;
use std::os::fd::{FromRawFd, OwnedFd};

/// Commands (include/uapi/linux/bpf.h).
pub const PROG_LOAD: c_long = 5;
pub const RAW_TRACEPOINT_OPEN: c_long = 17;
pub const ENABLE_STATS: c_long = 32;

/// A command that returns a descriptor.
pub fn command<T>(command: c_long, attributes: &T) -> std::io::Result<OwnedFd> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes at `attributes` and what they point to, all of which the callers
    // keep alive.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    match i32::try_from(fd) {
        // SAFETY: a descriptor that the kernel has just made for us.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(std::io::Error::last_os_error()),
    }
}
