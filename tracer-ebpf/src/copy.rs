//! Appending pieces to the record under construction.
//!
//! The length of the body so far lives in the record's header, in map memory, and is read anew
//! before each piece: the verifier then knows nothing of it between two pieces, finds the states of
//! the many paths equal and prunes them. With it in a register the same program takes a hundred
//! times as many verified instructions.

use crate::emit::counters;
use crate::kernel::{opaque, read_user, setting};
use crate::maps::{LAST_START, PIECE_MASK, Scratch};
use aya_ebpf::helpers::generated as helper;
use tracer_common::{
    plan::{PiecePlan, len},
    record::{PIECE_HEADER_LEN, flag, piece_status},
};

/// Bytes of the body so far, as the verifier likes it.
#[inline(always)]
pub fn body_len(s: *mut Scratch) -> u64 {
    // SAFETY: `s` is a valid scratch entry.
    opaque(unsafe { (&raw const (*s).header.len).read_volatile() } as u64)
}

#[inline(always)]
pub fn set_body_len(s: *mut Scratch, len: u64) {
    // SAFETY: as above.
    unsafe { (&raw mut (*s).header.len).write_volatile(len as u32) }
}

/// Where the next piece's bytes go (after its header), or `None` when the record is full.
#[inline(always)]
fn destination(s: *mut Scratch) -> Option<*mut u8> {
    let at = body_len(s);
    if at > LAST_START {
        return None;
    }
    // SAFETY: `at` + header + the longest piece is inside the body.
    Some(unsafe { (&raw mut (*s).body).cast::<u8>().add(at as usize + PIECE_HEADER_LEN) })
}

/// Writes the header of the piece whose `n` bytes stand at its destination.
#[inline(always)]
fn close(s: *mut Scratch, slot: u8, n: u64, status: u8) {
    let at = body_len(s);
    if at > LAST_START {
        return;
    }
    let n = opaque(n) & PIECE_MASK;
    // SAFETY: inside the body, see `destination`.
    unsafe {
        let base = (&raw mut (*s).body).cast::<u8>().add(at as usize);
        *base = n as u8;
        *base.add(1) = (n >> 8) as u8;
        *base.add(2) = slot;
        *base.add(3) = status;
        (*s).header.pieces += 1;
        if status == piece_status::FAULT {
            (*s).header.flags |= flag::FAULT;
            if let Some(c) = counters() {
                c.faults += 1;
            }
        }
    }
    set_body_len(s, at + PIECE_HEADER_LEN as u64 + n);
}

/// A piece without bytes that says why.
#[inline(always)]
pub fn nothing(s: *mut Scratch, slot: u8, status: u8) {
    close(s, slot, 0, status);
}

/// A NUL-terminated string of user memory; the NUL is copied.
#[inline(always)]
pub fn user_string(s: *mut Scratch, slot: u8, address: u64, limit: u64) {
    if address == 0 {
        return nothing(s, slot, piece_status::NULL);
    }
    let Some(to) = destination(s) else { return };
    let limit = opaque(limit) & 0x1fff;
    // SAFETY: `limit` bytes fit, see `destination`.
    let n = unsafe { helper::bpf_probe_read_user_str(to.cast(), limit as u32, address as *const _) };
    if n < 0 {
        return nothing(s, slot, piece_status::FAULT);
    }
    close(s, slot, n as u64, piece_status::OK);
}

/// `n` bytes of user memory.
#[inline(always)]
pub fn user_bytes(s: *mut Scratch, slot: u8, address: u64, n: u64) {
    if address == 0 {
        return nothing(s, slot, piece_status::NULL);
    }
    let Some(to) = destination(s) else { return };
    let n = opaque(if n > PIECE_MASK { PIECE_MASK } else { n }) & PIECE_MASK;
    // SAFETY: `n` bytes fit.
    let failed = unsafe { helper::bpf_probe_read_user(to.cast(), n as u32, address as *const _) };
    if failed != 0 {
        return nothing(s, slot, piece_status::FAULT);
    }
    close(s, slot, n, piece_status::OK);
}

/// The first `N` bytes of the auxiliary area.
#[inline(always)]
pub fn aux<const N: u32>(s: *mut Scratch, slot: u8) {
    let Some(to) = destination(s) else { return };
    // SAFETY: both ends are inside the scratch entry.
    let failed = unsafe { helper::bpf_probe_read_kernel(to.cast(), N, (&raw const (*s).aux).cast()) };
    if failed != 0 {
        return nothing(s, slot, piece_status::FAULT);
    }
    close(s, slot, N as u64, piece_status::OK);
}

/// Begins a piece made of several reads.
#[inline(always)]
pub fn open_piece(s: *mut Scratch) -> bool {
    let at = body_len(s);
    if at > LAST_START {
        return false;
    }
    // SAFETY: `s` is a valid scratch entry.
    unsafe { (&raw mut (*s).piece_start).write_volatile(at as u32) };
    set_body_len(s, at + PIECE_HEADER_LEN as u64);
    true
}

/// Where the next bytes of the open piece go.
#[inline(always)]
pub fn tail(s: *mut Scratch) -> Option<*mut u8> {
    let at = body_len(s);
    if at > LAST_START {
        return None;
    }
    // SAFETY: inside the body.
    Some(unsafe { (&raw mut (*s).body).cast::<u8>().add(at as usize) })
}

/// Keeps the next `n` bytes of the open piece.
#[inline(always)]
pub fn grow(s: *mut Scratch, n: u64) {
    set_body_len(s, body_len(s) + (opaque(n) & PIECE_MASK));
}

/// Ends the open piece.
#[inline(always)]
pub fn close_piece(s: *mut Scratch, slot: u8, status: u8) {
    let end = body_len(s);
    // SAFETY: `s` is a valid scratch entry.
    let start = opaque(unsafe { (&raw const (*s).piece_start).read_volatile() } as u64);
    if start > LAST_START {
        return;
    }
    let n = end - start - PIECE_HEADER_LEN as u64;
    set_body_len(s, start);
    close(s, slot, n, status);
}

#[inline(always)]
pub fn arg(s: *mut Scratch, i: u8) -> u64 {
    // SAFETY: the index is masked.
    unsafe { (&raw const (*s).args).cast::<u64>().add((opaque(i as u64) & 7) as usize).read() }
}

/// The length of a `BUF` piece.
#[inline(always)]
pub fn wanted(s: *mut Scratch, p: &PiecePlan, result: i64) -> u64 {
    let given = arg(s, p.len_arg);
    let n = match p.len {
        len::RESULT if result > 0 => result as u64,
        len::RESULT => 0,
        len::ARG => given,
        len::RESULT_OR_ARG if result > 0 => result as u64,
        len::RESULT_OR_ARG => given,
        len::ARG_X8 => (given & 0xffff) * 8,
        len::ARG_X16 => (given & 0xffff) * 16,
        len::ARG_X6 => (given & 0xffff) * 6,
        len::ARG_POINTS => read_user::<u32>(given).unwrap_or(0) as u64,
        _ => p.limit as u64,
    };
    let most = if p.limit == 0 { setting!(snaplen) as u64 } else { p.limit as u64 };
    if n > most { most } else { n }
}
