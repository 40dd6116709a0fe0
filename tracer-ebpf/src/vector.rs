//! `struct iovec` arrays and `struct msghdr`.

use crate::copy::{
    Outcome, cursor, end_piece, forget, grow, is_compat, open_piece, repeat, set_cursor, tail, user_bytes, user_pair,
};
use crate::maps::{PIECE_MASK, Scratch};
use aya_ebpf::helpers::generated as helper;
use tracer_common::record::piece_status;

/// Entries of an iovec array from which data is gathered.
const GATHERED: u64 = 16;
/// Bytes of an iovec array that are copied (32 entries).
const IOV_BYTES: u64 = 512;

/// Bytes of a `struct msghdr`.
pub const MESSAGE_LEN: u64 = 56;
/// Where the pairs (pointer, length) are in `struct msghdr`, in words of the caller.
const NAME: u64 = 0;
const IOV: u64 = 2;
const CONTROL: u64 = 4;

/// Bytes of a word of the caller.
#[inline(always)]
fn word(s: *mut Scratch) -> u64 {
    if is_compat(s) { 4 } else { 8 }
}

/// Variables of the gathering loop.
const AT: usize = 0;
const LEFT: usize = 1;
const STATUS: usize = 2;

/// Gathers from one entry.
///
/// SAFETY: called by the kernel with the context given to `repeat`.
unsafe extern "C" fn gather(_: u64, scratch: *mut *mut Scratch) -> i64 {
    // SAFETY: see above.
    let s = unsafe { *scratch };
    let left = cursor(s, LEFT);
    if left == 0 {
        return 1;
    }
    let at = cursor(s, AT);
    let Some([base, len]) = user_pair(s, at) else {
        set_cursor(s, STATUS, piece_status::FAULT as u64);
        return 1;
    };
    let n = if len > left { left } else { len };
    let n = forget(s, if n > PIECE_MASK { PIECE_MASK } else { n }) & PIECE_MASK;
    let Some(to) = tail(s) else { return 1 };
    // SAFETY: `n` bytes fit after any start, see `copy`.
    let failed = unsafe { helper::bpf_probe_read_user(to.cast(), n as u32, base as *const _) };
    if failed != 0 {
        set_cursor(s, STATUS, piece_status::FAULT as u64);
        return 1;
    }
    grow(s, n);
    set_cursor(s, LEFT, left - n);
    set_cursor(s, AT, at + 2 * word(s));
    0
}

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
    set_cursor(s, AT, iov);
    set_cursor(s, LEFT, want);
    set_cursor(s, STATUS, piece_status::OK as u64);
    let mut context = s;
    repeat(if count > GATHERED { GATHERED } else { count } as u32, gather, &mut context);
    end_piece(s, cursor(s, STATUS) as u8)
}

#[inline(always)]
pub fn message_name(s: *mut Scratch, message: u64) -> Outcome {
    let Some([name, len]) = user_pair(s, message + NAME * word(s)) else {
        return Outcome::FAULT;
    };
    let len = len & 0xffff_ffff;
    user_bytes(s, name, if len > 128 { 128 } else { len })
}

#[inline(always)]
pub fn message_iov(s: *mut Scratch, message: u64) -> Outcome {
    let Some([iov, count]) = user_pair(s, message + IOV * word(s)) else {
        return Outcome::FAULT;
    };
    let n = (count & 0xffff) * 2 * word(s);
    user_bytes(s, iov, if n > IOV_BYTES { IOV_BYTES } else { n })
}

#[inline(always)]
pub fn message_data(s: *mut Scratch, message: u64, want: u64) -> Outcome {
    let Some([iov, count]) = user_pair(s, message + IOV * word(s)) else {
        return Outcome::FAULT;
    };
    data(s, iov, count, want)
}

#[inline(always)]
pub fn message_control(s: *mut Scratch, message: u64, limit: u64) -> Outcome {
    let Some([control, len]) = user_pair(s, message + CONTROL * word(s)) else {
        return Outcome::FAULT;
    };
    if control == 0 || len == 0 {
        return Outcome::SKIP;
    }
    user_bytes(s, control, if len > limit { limit } else { len })
}
