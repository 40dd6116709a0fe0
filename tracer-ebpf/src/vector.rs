//! `struct iovec` arrays and `struct msghdr`.

use crate::copy::{Outcome, end_piece, grow, open_piece, tail, user_bytes};
use crate::kernel::{opaque, read_user};
use crate::maps::{PIECE_MASK, Scratch};
use aya_ebpf::helpers::generated as helper;
use tracer_common::record::piece_status;

/// Entries of an iovec array from which data is gathered.
const GATHERED: u64 = 16;
/// Bytes of an iovec array that are copied (32 entries).
const IOV_BYTES: u64 = 512;

/// Bytes of a `struct msghdr`.
pub const MESSAGE_LEN: u64 = 56;
/// Where the pairs (pointer, length) are in `struct msghdr` of the 64-bit interface.
const NAME: u64 = 0;
const IOV: u64 = 16;
const CONTROL: u64 = 32;

/// Up to `want` bytes gathered from `count` entries at `iov`, as one piece.
#[inline(always)]
pub fn data(s: *mut Scratch, iov: u64, count: u64, want: u64) -> Outcome {
    if want == 0 {
        return Outcome::SKIP;
    }
    if iov == 0 {
        return Outcome::NULL;
    }
    if !open_piece(s) {
        return Outcome::NO_ROOM;
    }
    let mut left = want;
    let mut status = piece_status::OK;
    let mut i = 0;
    while i < GATHERED {
        if i >= count || left == 0 {
            break;
        }
        let Some([base, len]) = read_user::<[u64; 2]>(iov + i * 16) else {
            status = piece_status::FAULT;
            break;
        };
        let n = if len > left { left } else { len };
        let n = opaque(if n > PIECE_MASK { PIECE_MASK } else { n }) & PIECE_MASK;
        let Some(to) = tail(s) else { break };
        // SAFETY: `n` bytes fit after any start, see `copy`.
        let failed = unsafe { helper::bpf_probe_read_user(to.cast(), n as u32, base as *const _) };
        if failed != 0 {
            status = piece_status::FAULT;
            break;
        }
        grow(s, n);
        left -= n;
        i = opaque(i + 1);
    }
    end_piece(s, status)
}

#[inline(always)]
pub fn message_name(s: *mut Scratch, message: u64) -> Outcome {
    let Some([name, len]) = read_user::<[u64; 2]>(message + NAME) else {
        return Outcome::FAULT;
    };
    let len = len & 0xffff_ffff;
    user_bytes(s, name, if len > 128 { 128 } else { len })
}

#[inline(always)]
pub fn message_iov(s: *mut Scratch, message: u64) -> Outcome {
    let Some([iov, count]) = read_user::<[u64; 2]>(message + IOV) else {
        return Outcome::FAULT;
    };
    let n = (count & 0xffff) * 16;
    user_bytes(s, iov, if n > IOV_BYTES { IOV_BYTES } else { n })
}

#[inline(always)]
pub fn message_data(s: *mut Scratch, message: u64, want: u64) -> Outcome {
    let Some([iov, count]) = read_user::<[u64; 2]>(message + IOV) else {
        return Outcome::FAULT;
    };
    data(s, iov, count, want)
}

#[inline(always)]
pub fn message_control(s: *mut Scratch, message: u64, limit: u64) -> Outcome {
    let Some([control, len]) = read_user::<[u64; 2]>(message + CONTROL) else {
        return Outcome::FAULT;
    };
    if control == 0 || len == 0 {
        return Outcome::SKIP;
    }
    user_bytes(s, control, if len > limit { limit } else { len })
}
