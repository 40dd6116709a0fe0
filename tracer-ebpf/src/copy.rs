//! Appending pieces to the record under construction.
//!
//! The length of the body so far lives in the record's header, in map memory, and is read anew
//! before each piece: the verifier then knows nothing of it between two pieces, finds the states of
//! the many paths equal and prunes them. With it in a register the same program takes a hundred
//! times as many verified instructions.

use crate::emit::here;
use crate::kernel::{opaque, read_user, setting};
use crate::maps::{LAST_START, PIECE_MASK, Scratch};
use aya_ebpf::helpers::generated as helper;
use core::mem::MaybeUninit;
use tracer_common::{
    plan::{PiecePlan, len},
    record::{PIECE_HEADER_LEN, flag, piece_status, shape},
};

/// The same value, of which the verifier knows nothing any more: paths that differ only in its
/// bounds then meet again instead of being followed one by one.
#[inline(always)]
pub fn forget(s: *mut Scratch, value: u64) -> u64 {
    // SAFETY: `s` is a valid scratch entry.
    unsafe { forget_at(&raw mut (*s).forgotten, value) }
}

/// As [`forget`], with the place in map memory given.
///
/// SAFETY: `place` is valid.
#[inline(always)]
pub unsafe fn forget_at(place: *mut u64, value: u64) -> u64 {
    // SAFETY: see above.
    unsafe {
        place.write_volatile(value);
        place.read_volatile()
    }
}

/// A variable of a loop, kept in map memory for the same reason.
#[inline(always)]
pub fn cursor(s: *mut Scratch, i: usize) -> u64 {
    // SAFETY: callers use constant indices below four.
    unsafe { (&raw const (*s).cursor).cast::<u64>().add(i).read_volatile() }
}

#[inline(always)]
pub fn set_cursor(s: *mut Scratch, i: usize, value: u64) {
    // SAFETY: as above.
    unsafe { (&raw mut (*s).cursor).cast::<u64>().add(i).write_volatile(value) }
}

/// Runs `step` at most `times` times, until it returns 1. The kernel verifies the step once, not
/// once per round.
#[inline(always)]
pub fn repeat<T>(times: u32, step: unsafe extern "C" fn(u64, *mut T) -> i64, context: &mut T) {
    // SAFETY: the step gets its own context, which outlives the call.
    unsafe {
        helper::bpf_loop(times, step as *mut core::ffi::c_void, (&raw mut *context).cast(), 0);
    }
}

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

/// What came of one piece: bytes at its destination and a status, in one register so that every
/// way to make a piece ends in the same few instructions.
#[derive(Clone, Copy)]
pub struct Outcome(u64);

impl Outcome {
    /// No piece at all.
    pub const SKIP: Outcome = Outcome(u64::MAX);
    pub const FAULT: Outcome = Outcome::without_bytes(piece_status::FAULT);
    pub const NULL: Outcome = Outcome::without_bytes(piece_status::NULL);
    pub const ABSENT: Outcome = Outcome::without_bytes(piece_status::ABSENT);
    pub const NO_ROOM: Outcome = Outcome::without_bytes(piece_status::NO_ROOM);

    const fn without_bytes(status: u8) -> Outcome {
        Outcome((status as u64) << 32)
    }

    #[inline(always)]
    pub fn bytes(n: u64) -> Outcome {
        Outcome(n & PIECE_MASK)
    }

    #[inline(always)]
    pub fn bytes_with(n: u64, status: u8) -> Outcome {
        Outcome(n & PIECE_MASK | (status as u64) << 32)
    }
}

/// Writes the header of a piece whose bytes stand at its destination.
#[inline(always)]
pub fn close(s: *mut Scratch, slot: u8, outcome: Outcome) {
    let outcome = Outcome(forget(s, outcome.0));
    if outcome.0 == Outcome::SKIP.0 {
        return;
    }
    let at = body_len(s);
    if at > LAST_START {
        return;
    }
    let n = opaque(outcome.0) & PIECE_MASK;
    let status = (outcome.0 >> 32) as u8;
    // SAFETY: inside the body, see `destination`.
    unsafe {
        let base = (&raw mut (*s).body).cast::<u8>().add(at as usize);
        *base = n as u8;
        *base.add(1) = (n >> 8) as u8;
        *base.add(2) = slot;
        *base.add(3) = status;
        (*s).header.shape += shape::PIECE;
        if status == piece_status::FAULT {
            (*s).header.kind |= flag::FAULT;
            if let Some(here) = here() {
                here.state().counters.faults += 1;
            }
        }
    }
    set_body_len(s, at + PIECE_HEADER_LEN as u64 + n);
}

/// A NUL-terminated string of user memory; the NUL is copied.
#[inline(always)]
pub fn user_string(s: *mut Scratch, address: u64, limit: u64) -> Outcome {
    if address == 0 {
        return Outcome::NULL;
    }
    let Some(to) = destination(s) else { return Outcome::NO_ROOM };
    let limit = opaque(limit) & 0x1fff;
    // SAFETY: `limit` bytes fit, see `destination`.
    let n = unsafe { helper::bpf_probe_read_user_str(to.cast(), limit as u32, address as *const _) };
    if n < 0 { Outcome::FAULT } else { Outcome::bytes(n as u64) }
}

/// Bytes that fit on the stack on their way.
pub const SHORT: u64 = 80;

/// At most [`SHORT`] bytes of user memory, by way of the stack: where the kernel checks what it copies to (hardened
/// usercopy), the stack is what it knows at once, and map memory is what it searches for longest.
#[inline(always)]
fn short_bytes(to: *mut u8, address: u64, n: u64) -> Outcome {
    const WORDS: usize = SHORT as usize / 8;
    let mut words = MaybeUninit::<[u64; WORDS]>::uninit();
    let words = words.as_mut_ptr().cast::<u64>();
    let n = opaque(n) & 0x7f;
    if n > SHORT {
        return Outcome::FAULT;
    }
    // SAFETY: `n` bytes fit in `words`, which is written before it is read, and all of `words` fits at `to`, see `destination`.
    unsafe {
        // One by one, since an assignment of the whole becomes a call of memset.
        let mut i = 0;
        while i < WORDS {
            words.add(i).write_volatile(0);
            i += 1;
        }
        if helper::bpf_probe_read_user(words.cast(), n as u32, address as *const _) != 0 {
            return Outcome::FAULT;
        }
        let mut i = 0;
        while i < WORDS {
            store(to.add(8 * i), words.add(i).read());
            i += 1;
        }
    }
    Outcome::bytes(n)
}

/// A word to where it need not be aligned; the compiler would take eight bytes one by one.
///
/// SAFETY: eight bytes at `to` are valid.
#[inline(always)]
pub unsafe fn store(to: *mut u8, word: u64) {
    // SAFETY: see above.
    unsafe { core::arch::asm!("*(u64 *)({0} + 0) = {1}", in(reg) to, in(reg) word, options(nostack)) }
}

/// `n` bytes of user memory.
#[inline(always)]
pub fn user_bytes(s: *mut Scratch, address: u64, n: u64) -> Outcome {
    if address == 0 {
        return Outcome::NULL;
    }
    let Some(to) = destination(s) else { return Outcome::NO_ROOM };
    if n <= SHORT {
        return short_bytes(to, address, n);
    }
    let n = opaque(if n > PIECE_MASK { PIECE_MASK } else { n }) & PIECE_MASK;
    // SAFETY: `n` bytes fit.
    let failed = unsafe { helper::bpf_probe_read_user(to.cast(), n as u32, address as *const _) };
    if failed != 0 { Outcome::FAULT } else { Outcome::bytes(n) }
}

/// The first `n` bytes of the auxiliary area.
#[inline(always)]
pub fn aux(s: *mut Scratch, n: usize) -> Outcome {
    let Some(to) = destination(s) else { return Outcome::NO_ROOM };
    // SAFETY: both ends are inside the scratch entry.
    let failed = unsafe { helper::bpf_probe_read_kernel(to.cast(), n as u32, (&raw const (*s).aux).cast()) };
    if failed != 0 { Outcome::FAULT } else { Outcome::bytes(n as u64) }
}

/// Begins a piece made of several reads; `false` when there is no room.
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
pub fn end_piece(s: *mut Scratch, status: u8) -> Outcome {
    let end = body_len(s);
    // SAFETY: `s` is a valid scratch entry.
    let start = unsafe { (&raw const (*s).piece_start).read_volatile() } as u64;
    set_body_len(s, start);
    Outcome::bytes_with(end - start - PIECE_HEADER_LEN as u64, status)
}

/// An argument register, from the start of the body: plans copy every argument that a piece needs.
#[inline(always)]
pub fn arg(s: *mut Scratch, i: u8) -> u64 {
    // SAFETY: the body is longer than eight words.
    unsafe { word((&raw const (*s).body).cast(), i) }
}

/// SAFETY: eight words at `words` are valid.
#[inline(always)]
pub unsafe fn word(words: *const u64, i: u8) -> u64 {
    // SAFETY: the index is masked.
    unsafe { words.add((opaque(i as u64) & 7) as usize).read() }
}

/// Whether the caller's memory is laid out as that of a 32-bit program.
#[inline(always)]
pub fn is_compat(s: *mut Scratch) -> bool {
    // SAFETY: `s` is a valid scratch entry.
    unsafe { (*s).header.kind & flag::COMPAT != 0 }
}

/// Two words of the caller, as wide as it has them.
#[inline(always)]
pub fn user_pair(s: *mut Scratch, address: u64) -> Option<[u64; 2]> {
    if is_compat(s) {
        let [a, b] = read_user::<[u32; 2]>(address)?;
        return Some([a as u64, b as u64]);
    }
    read_user(address)
}

/// The length of a `BUF` piece.
#[inline(always)]
pub fn wanted(s: *mut Scratch, p: &PiecePlan, result: i64) -> u64 {
    forget(s, length(p, result, |i| arg(s, i)))
}

/// The length of a `BUF` piece of a call with these arguments.
#[inline(always)]
pub fn length(p: &PiecePlan, result: i64, arg: impl Fn(u8) -> u64) -> u64 {
    let n = match p.len {
        len::RESULT if result > 0 => result as u64,
        len::RESULT => 0,
        len::RESULT_OR_ARG if result > 0 => result as u64,
        len::ARG | len::RESULT_OR_ARG => arg(p.len_arg),
        len::ARG_X8 => (arg(p.len_arg) & 0xffff) * 8,
        len::ARG_X16 => (arg(p.len_arg) & 0xffff) * 16,
        len::ARG_X6 => (arg(p.len_arg) & 0xffff) * 6,
        len::ARG_POINTS => read_user::<u32>(arg(p.len_arg)).unwrap_or(0) as u64,
        _ => p.limit as u64,
    };
    let most = if p.limit == 0 { setting!(snaplen) as u64 } else { p.limit as u64 };
    if n > most { most } else { n }
}
