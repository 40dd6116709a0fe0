//! `sys_enter` and `sys_exit`.

use crate::copy::{
    Outcome, SHORT, arg, body_len, close, forget, forget_at, length, repeat, store, user_bytes, user_string, wanted, word,
};
use crate::emit::{self, Here};
use crate::file;
use crate::kernel::{opaque, read_user, setting};
use crate::maps::{EXIT_PROGRAMS, EXIT_PROGRAMS_RAW, PLANS, PLANS_COMPAT, Plans, SCRATCH, Scratch};
use crate::regs::{Caller, RawRegs, Regs, TypedRegs};
use crate::task;
use crate::vector;
use aya_ebpf::{
    EbpfContext,
    helpers::generated as helper,
    macros::{btf_tracepoint, raw_tracepoint},
    maps::ProgramArray,
    programs::{BtfTracePointContext, RawTracePointContext},
};
use core::mem::MaybeUninit;
use tracer_common::{
    plan::{CallPlan, FD_POINTED, FD_RESULT, MAX_PIECES, PLAN_ENTRIES, PiecePlan, SOCKETCALL, piece, program, socket_call, want, when},
    record::{HEADER_LEN, PIECE_HEADER_LEN, flag, kind, piece_status, shape},
    slots::{SLOT_LEN, Slot},
};

/// `rt_sigreturn` and `sigreturn` restore the registers of the interrupted program, with -1 in place
/// of the number.
const NR_RT_SIGRETURN: u32 = 15;
const NR_SIGRETURN_COMPAT: u32 = 173;

/// Which pieces a program can make.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    Plain,
    Task,
    Vector,
}

struct Call {
    plan: &'static CallPlan,
    number: u16,
    /// Arguments that are in an array of the caller, as those of `socketcall` are.
    packed: u8,
    caller: Caller,
}

/// The number of the last plan.
const LAST: u32 = PLAN_ENTRIES - 1;

/// Set in the numbers of the x32 interface (arch/x86/include/uapi/asm/unistd.h), which are those of the 64-bit one.
const X32_BIT: u32 = 1 << 30;

/// The plan of the call in `regs` if records in this direction are wanted of it. Most calls that nobody wants to see end
/// at the first look at their plan.
#[inline(always)]
fn wanted_call<R: Regs>(regs: &R, nr: u64, direction: u16) -> Option<Call> {
    let nr = nr as u32;
    let native = if nr == u32::MAX { NR_RT_SIGRETURN } else { nr & !X32_BIT };
    let mut plan = if nr & !X32_BIT <= LAST { PLANS.of(nr) } else { rare_plan(&PLANS, native)? };
    // The two numbers of sigreturn are not each other's; they are rare.
    if plan.flags & direction << want::EITHER == 0 && nr != u32::MAX {
        return None;
    }
    let caller = regs.caller();
    if caller.tgid == setting!(self_tgid) {
        return None;
    }
    let mut number = native;
    let mut packed = 0;
    if caller.compat {
        number = if nr == u32::MAX { NR_SIGRETURN_COMPAT } else { nr };
        if number == SOCKETCALL as u32
            && let Some((meant, args)) = socket_call(regs.compat_word(0) as usize)
        {
            (number, packed) = (meant as u32, args);
        }
        plan = rare_plan(&PLANS_COMPAT, number)?;
    }
    if plan.flags & direction == 0 {
        return None;
    }
    let number = if number > u16::MAX as u32 { u16::MAX } else { number as u16 };
    Some(Call { plan, number, packed, caller })
}

/// The plan of any number; those beyond the table have the last one. The verifier is made to forget the number, since it
/// would follow the paths of each that it knows.
#[inline(always)]
fn rare_plan(plans: &'static Plans, number: u32) -> Option<&'static CallPlan> {
    let number = if number > LAST { LAST } else { number };
    Some(plans.of(forget(scratch(emit::here()?)?, number as u64) as u32))
}

#[inline(always)]
fn scratch(here: Here) -> Option<*mut Scratch> {
    let entry = SCRATCH.get_ptr_mut(here.number);
    if entry.is_none() {
        let counters = &mut here.state().counters;
        counters.attempted += 1;
        counters.lost_no_ring += 1;
    }
    entry
}

/// One record of a call.
struct Draft {
    here: Here,
    /// ns
    time: u64,
    result: i64,
    /// One of [`kind`].
    what: u8,
    /// One of [`when`].
    now: u8,
}

/// The words of a header.
#[inline(always)]
fn header(call: &Call, draft: &Draft, len: u32, kind: u8, shape: u8) -> [u64; HEADER_LEN / 8] {
    [
        draft.time,
        draft.result as u64,
        call.caller.tid as u64 | (call.caller.tgid as u64) << 32,
        len as u64 | (call.number as u64) << 32 | (kind as u64) << 48 | (shape as u64) << 56,
    ]
}

/// Most records: arguments and at most one short buffer, built where the reader finds it. `false` when it takes more, or
/// when it has to go through the ring.
#[inline(always)]
fn quick<R: Regs>(call: &Call, regs: &R, draft: &Draft) -> bool {
    let plan = call.plan;
    let buffer = plan.due & draft.now != 0;
    let first = &plan.piece[0];
    if call.caller.compat || buffer && (plan.pieces != 1 || first.kind != piece::BUF) {
        return false;
    }
    let Some(slot) = draft.here.slot(draft.time) else { return false };
    let Some(words) = regs.words() else { return false };
    let slot = slot.cast::<u64>();
    const HEAD: usize = HEADER_LEN / 8;
    // SAFETY: a slot is longer than a header and six words.
    let args = unsafe { slot.add(HEAD) };
    let mut i = 0;
    while i < 6 {
        // SAFETY: as above.
        unsafe { args.add(i).write_volatile(words[i]) };
        i += 1;
    }
    let count = plan.args & 7;
    let mut len = opaque(count as u64) & 7;
    len *= 8;
    let (mut kind, mut shape) = (draft.what, count);
    if buffer {
        // SAFETY: eight words from the arguments on are in the slot, whose last word is not in use yet.
        let (address, n) = unsafe {
            let arg = |i| word(args, i);
            (arg(first.arg), forget_at(slot.add(SLOT_LEN / 8 - 1), length(first, draft.result, arg)))
        };
        if n != 0 {
            // SAFETY: the arguments and what follows them are in the slot.
            let Some(status) = (unsafe { short_piece(args.cast(), len, address, n) }) else { return false };
            len += PIECE_HEADER_LEN as u64;
            shape |= shape::PIECE;
            match status {
                piece_status::OK => len += n,
                piece_status::FAULT => {
                    kind |= flag::FAULT;
                    draft.here.state().counters.faults += 1;
                }
                _ => {}
            }
        }
    }
    let header = header(call, draft, len as u32, kind, shape);
    let mut i = 0;
    while i < HEAD {
        // SAFETY: inside the slot.
        unsafe { slot.add(i).write_volatile(header[i]) };
        i += 1;
    }
    draft.here.publish();
    true
}

/// Bytes of a slot after the header.
const ROOM: u64 = (SLOT_LEN - HEADER_LEN) as u64;

/// Writes a piece of `n` bytes of user memory, with its header, `at` bytes after `body`, which is as long as a slot after
/// its header. Its status, `None` when it does not fit.
///
/// By way of the stack, for the reason that [`crate::copy`] has, too.
///
/// SAFETY: `body` is valid.
#[inline(always)]
unsafe fn short_piece(body: *mut u8, at: u64, address: u64, n: u64) -> Option<u8> {
    const WORDS: usize = SHORT as usize / 8 + 1;
    if n > SHORT || at + PIECE_HEADER_LEN as u64 + n > ROOM {
        return None;
    }
    let n = opaque(n) & 0x7f;
    if n > SHORT {
        return None;
    }
    let mut words = MaybeUninit::<[u64; WORDS]>::uninit();
    let words = words.as_mut_ptr().cast::<u64>();
    // SAFETY: header and bytes fit in `words`, which is written before it is read.
    let (status, kept) = unsafe {
        let mut i = 0;
        while i < WORDS {
            words.add(i).write_volatile(0);
            i += 1;
        }
        let to = words.cast::<u8>().add(PIECE_HEADER_LEN);
        if address == 0 {
            (piece_status::NULL, 0)
        } else if helper::bpf_probe_read_user(to.cast(), n as u32, address as *const _) != 0 {
            (piece_status::FAULT, 0)
        } else {
            (piece_status::OK, n)
        }
    };
    // SAFETY: as above.
    unsafe { *words |= kept | (status as u64) << 24 };
    let mut i = 0;
    let mut at = at;
    while i < WORDS {
        at = opaque(at);
        if at > ROOM - 8 {
            break;
        }
        // SAFETY: inside the slot.
        unsafe { store(body.add(at as usize), words.add(i).read()) };
        at += 8;
        i += 1;
        if (8 * i) as u64 >= kept + PIECE_HEADER_LEN as u64 {
            break;
        }
    }
    Some(status)
}

/// Writes the arguments of a `socketcall` to the start of the body.
#[inline(always)]
fn save_packed(s: *mut Scratch, array: u64, count: u8) {
    let words: [u32; 6] = read_user(array).unwrap_or_default();
    let mut i = 0;
    while i < 6 {
        let word = if i < count as usize { words[i] as u64 } else { 0 };
        // SAFETY: the body is longer than six words.
        unsafe { (&raw mut (*s).body).cast::<u64>().add(i).write_volatile(word) };
        i += 1;
    }
}

/// Fills header and argument words.
#[inline(always)]
fn begin<R: Regs>(s: *mut Scratch, call: &Call, regs: &R, draft: &Draft) {
    let count = call.plan.args & 7;
    if call.packed == 0 {
        regs.save_args(s, call.caller.compat, count as usize);
    } else {
        save_packed(s, regs.compat_word(1), call.packed);
    }
    let kind = draft.what | if call.caller.compat { flag::COMPAT } else { 0 };
    let header = header(call, draft, count as u32 * 8, kind, count);
    let mut i = 0;
    while i < HEADER_LEN / 8 {
        // SAFETY: `s` is this CPU's scratch entry, which only this program uses now, and begins with the header.
        unsafe { s.cast::<u64>().add(i).write_volatile(header[i]) };
        i += 1;
    }
}

#[inline(always)]
fn finish(s: *mut Scratch, draft: &Draft) {
    let len = body_len(s) & 0x1_ffff;
    let total = opaque(HEADER_LEN as u64 + len);
    if total > 0x2_0000 {
        return;
    }
    if total <= SLOT_LEN as u64
        && let Some(slot) = draft.here.slot(draft.time)
    {
        // SAFETY: the scratch entry is longer than a slot.
        unsafe { emit::copy_to_slot(s.cast::<Slot>().cast_const(), slot, total) };
        draft.here.publish();
        return;
    }
    draft.here.send(s.cast::<u8>().cast_const(), total, draft.time);
}

/// Copies one piece if it is due.
#[inline(always)]
fn one_piece(s: *mut Scratch, p: &PiecePlan, now: u8, result: i64, reach: Reach) -> Outcome {
    if p.when & now == 0 {
        return Outcome::SKIP;
    }
    match p.kind {
        piece::STR | piece::EXEC_NAME => {
            let moved = reach == Reach::Task && p.kind == piece::EXEC_NAME && now == when::SUCCESS;
            let address = if moved { task::exec_name() } else { arg(s, p.arg) };
            user_string(s, address, p.limit as u64)
        }
        piece::BUF => buffer(s, p, result),
        piece::FD_FILE if reach != Reach::Vector => file::facts(s, fd_of(s, p, result)),
        piece::FD_SOCKET if reach != Reach::Task => file::socket(s, fd_of(s, p, result)),
        piece::MEMORY if reach == Reach::Plain => task::memory(s),
        piece::MSGHDR if reach != Reach::Task => user_bytes(s, arg(s, p.arg), vector::MESSAGE_LEN),
        piece::MSG_IOV if reach != Reach::Task => vector::message_iov(s, arg(s, p.arg)),
        piece::IOVEC_DATA if reach == Reach::Vector => {
            let base = arg(s, p.arg);
            let count = arg(s, p.arg + 1);
            vector::data(s, base, count, wanted(s, p, result))
        }
        piece::MSG_NAME if reach == Reach::Vector => vector::message_name(s, arg(s, p.arg)),
        piece::MSG_DATA if reach == Reach::Vector => {
            vector::message_data(s, arg(s, p.arg), wanted(s, p, result))
        }
        piece::MSG_CONTROL if reach == Reach::Vector => {
            vector::message_control(s, arg(s, p.arg), p.limit as u64)
        }
        piece::TASK if reach == Reach::Task => task::facts(s),
        piece::ARG_AREA if reach == Reach::Task => task::args(s, p.limit as u64),
        piece::ENV_AREA if reach == Reach::Task => task::env(s, p.limit as u64),
        piece::EXE_PATH if reach == Reach::Task => task::exe_path(s),
        piece::CGROUP_PATH if reach == Reach::Task => task::cgroup_path(s),
        piece::STR_ARRAY if reach == Reach::Task => task::string_array(s, arg(s, p.arg)),
        piece::FD_PATH if reach == Reach::Task => file::path_of_fd(s, fd_of(s, p, result)),
        _ => Outcome::ABSENT,
    }
}

#[inline(always)]
fn buffer(s: *mut Scratch, p: &PiecePlan, result: i64) -> Outcome {
    match wanted(s, p, result) {
        0 => Outcome::SKIP,
        n => user_bytes(s, arg(s, p.arg), n),
    }
}

#[inline(always)]
fn fd_of(s: *mut Scratch, p: &PiecePlan, result: i64) -> i64 {
    if p.arg == FD_RESULT {
        result
    } else if p.arg & FD_POINTED != 0 {
        read_user::<i32>(arg(s, p.arg)).unwrap_or(-1) as i64
    } else {
        arg(s, p.arg) as i32 as i64
    }
}

struct Job {
    scratch: *mut Scratch,
    plan: &'static CallPlan,
}

#[inline(always)]
fn step(i: u64, job: &Job, reach: Reach) -> i64 {
    let s = job.scratch;
    let i = i as usize;
    if i >= MAX_PIECES {
        return 1;
    }
    // SAFETY: `s` is a valid scratch entry.
    let (now, result) = unsafe { ((&raw const (*s).now).read_volatile() as u8, (*s).header.result) };
    let outcome = one_piece(s, &job.plan.piece[i], now, result, reach);
    close(s, i as u8, outcome);
    0
}

/// One round of the loop over pieces, for each program.
macro_rules! step_of {
    ($name:ident, $reach:expr) => {
        /// SAFETY: called by the kernel with the context given to `repeat`.
        unsafe extern "C" fn $name(i: u64, job: *mut Job) -> i64 {
            // SAFETY: see above; nothing else refers to the job meanwhile.
            step(i, unsafe { &*job }, $reach)
        }
    };
}

step_of!(plain_step, Reach::Plain);
step_of!(task_step, Reach::Task);
step_of!(vector_step, Reach::Vector);

#[inline(always)]
fn pieces(s: *mut Scratch, plan: &'static CallPlan, now: u8, reach: Reach) {
    if plan.pieces == 0 {
        return;
    }
    // Most calls have one buffer or none.
    let first = &plan.piece[0];
    if reach == Reach::Plain && plan.pieces == 1 && first.kind == piece::BUF {
        if first.when & now != 0 {
            // SAFETY: `s` is a valid scratch entry.
            let result = unsafe { (*s).header.result };
            close(s, 0, buffer(s, first, result));
        }
        return;
    }
    // SAFETY: `s` is a valid scratch entry.
    unsafe { (&raw mut (*s).now).write_volatile(now as u32) };
    let mut job = Job { scratch: s, plan };
    let step = match reach {
        Reach::Plain => plain_step,
        Reach::Task => task_step,
        Reach::Vector => vector_step,
    };
    repeat(plan.pieces as u32, step, &mut job);
}

/// A record of more than [`quick`] can.
#[inline(always)]
fn thorough<R: Regs>(call: &Call, regs: &R, draft: &Draft, reach: Reach) {
    let Some(s) = scratch(draft.here) else { return };
    begin(s, call, regs, draft);
    pieces(s, call.plan, draft.now, reach);
    finish(s, draft);
}

#[inline(always)]
fn enter<R: Regs>(regs: &R, nr: u64) {
    let Some(call) = wanted_call(regs, nr, want::ENTER) else { return };
    let Some(here) = emit::here() else { return };
    let draft = Draft { here, time: emit::now(), result: 0, what: kind::ENTER, now: when::ENTER };
    if !quick(&call, regs, &draft) {
        thorough(&call, regs, &draft, Reach::Plain);
    }
}

#[inline(always)]
fn due(result: i64) -> u8 {
    if result < 0 && result >= -4095 { when::FAILURE } else { when::SUCCESS }
}

#[inline(always)]
fn exit_of<R: Regs>(regs: &R, result: i64) -> Option<(Call, Draft)> {
    let call = wanted_call(regs, regs.orig_ax(), want::EXIT)?;
    let here = emit::here()?;
    Some((call, Draft { here, time: emit::now(), result, what: kind::EXIT, now: due(result) }))
}

#[inline(always)]
fn exit<C: EbpfContext, R: Regs>(ctx: &C, regs: &R, result: i64, programs: &ProgramArray) {
    let Some((call, draft)) = exit_of(regs, result) else { return };
    if quick(&call, regs, &draft) {
        return;
    }
    if call.plan.program != program::PLAIN {
        // SAFETY: does not return when it succeeds.
        let _ = unsafe { programs.tail_call(ctx, call.plan.program as u32) };
        draft.here.state().counters.tail_failed += 1;
    }
    thorough(&call, regs, &draft, Reach::Plain);
}

#[inline(always)]
fn special_exit<R: Regs>(regs: &R, result: i64, reach: Reach) {
    if let Some((call, draft)) = exit_of(regs, result) {
        thorough(&call, regs, &draft, reach);
    }
}

#[btf_tracepoint(function = "sys_enter")]
pub fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    enter(&TypedRegs(ctx.arg(0)), ctx.arg(1));
    0
}

#[btf_tracepoint(function = "sys_exit")]
pub fn sys_exit(ctx: BtfTracePointContext) -> i32 {
    exit(&ctx, &TypedRegs(ctx.arg(0)), ctx.arg(1), &EXIT_PROGRAMS);
    0
}

#[btf_tracepoint(function = "sys_exit")]
pub fn sys_exit_task(ctx: BtfTracePointContext) -> i32 {
    special_exit(&TypedRegs(ctx.arg(0)), ctx.arg(1), Reach::Task);
    0
}

#[btf_tracepoint(function = "sys_exit")]
pub fn sys_exit_vector(ctx: BtfTracePointContext) -> i32 {
    special_exit(&TypedRegs(ctx.arg(0)), ctx.arg(1), Reach::Vector);
    0
}

#[raw_tracepoint(tracepoint = "sys_enter")]
pub fn sys_enter_raw(ctx: RawTracePointContext) -> i32 {
    enter(&RawRegs(ctx.arg(0)), ctx.arg(1));
    0
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub fn sys_exit_raw(ctx: RawTracePointContext) -> i32 {
    exit(&ctx, &RawRegs(ctx.arg(0)), ctx.arg(1), &EXIT_PROGRAMS_RAW);
    0
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub fn sys_exit_task_raw(ctx: RawTracePointContext) -> i32 {
    special_exit(&RawRegs(ctx.arg(0)), ctx.arg(1), Reach::Task);
    0
}

#[raw_tracepoint(tracepoint = "sys_exit")]
pub fn sys_exit_vector_raw(ctx: RawTracePointContext) -> i32 {
    special_exit(&RawRegs(ctx.arg(0)), ctx.arg(1), Reach::Vector);
    0
}
