//! `sys_enter` and `sys_exit`.

use crate::copy::{Outcome, arg, body_len, close, repeat, user_bytes, user_string, wanted};
use crate::emit;
use crate::file;
use crate::kernel::{opaque, read_user, setting};
use crate::maps::{EXIT_PROGRAMS, EXIT_PROGRAMS_RAW, PLANS, PLANS_COMPAT, SCRATCH, Scratch};
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
use tracer_common::{
    plan::{CallPlan, FD_POINTED, FD_RESULT, MAX_PIECES, PiecePlan, piece, program, want, when},
    record::{HEADER_LEN, flag, kind},
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
    caller: Caller,
}

/// The plan of the call in `regs` if records in this direction are wanted of it.
#[inline(always)]
fn wanted_call<R: Regs>(regs: &R, nr: u64, direction: u16) -> Option<Call> {
    let caller = regs.caller();
    if caller.tgid == setting!(self_tgid) {
        return None;
    }
    let nr = nr as u32;
    let number = match (nr, caller.compat) {
        (u32::MAX, false) => NR_RT_SIGRETURN,
        (u32::MAX, true) => NR_SIGRETURN_COMPAT,
        _ => nr,
    };
    let plan = if caller.compat { PLANS_COMPAT.get(number) } else { PLANS.get(number) }?;
    if plan.flags & direction == 0 {
        return None;
    }
    Some(Call { plan, number: number as u16, caller })
}

#[inline(always)]
fn scratch() -> Option<*mut Scratch> {
    // SAFETY: no arguments.
    let cpu = unsafe { helper::bpf_get_smp_processor_id() };
    let entry = SCRATCH.get_ptr_mut(cpu as u32);
    if entry.is_none()
        && let Some(c) = emit::counters()
    {
        c.attempted += 1;
        c.lost_no_ring += 1;
    }
    entry
}

/// Fills header and argument words.
#[inline(always)]
fn begin<R: Regs>(s: *mut Scratch, call: &Call, regs: &R, result: i64, what: u8) {
    let count = call.plan.args & 7;
    regs.save_args(s, call.caller.compat, count as usize);
    // SAFETY: `s` is this CPU's scratch entry, which only this program uses now. Field by field, since
    // an assignment of the whole becomes a call of memset.
    unsafe {
        let h = &raw mut (*s).header;
        (*h).time = emit::now();
        (*h).result = result;
        (*h).tid = call.caller.tid;
        (*h).tgid = call.caller.tgid;
        (&raw mut (*h).len).write_volatile(count as u32 * 8);
        (*h).number = call.number;
        (*h).kind = what;
        (*h).flags = if call.caller.compat { flag::COMPAT } else { 0 };
        (*h).args = count;
        (*h).pieces = 0;
    }
}

#[inline(always)]
fn finish(s: *mut Scratch) {
    let len = body_len(s) & 0x1_ffff;
    let total = opaque(HEADER_LEN as u64 + len);
    if total > 0x2_0000 {
        return;
    }
    // SAFETY: `s` is valid.
    let time = unsafe { (*s).header.time };
    if total <= SLOT_LEN as u64 && emit::put(s.cast::<Slot>().cast_const(), total, time) {
        return;
    }
    emit::send(s.cast::<u8>().cast_const(), total, time);
}

/// Copies one piece if it is due.
#[inline(always)]
fn one_piece(s: *mut Scratch, p: &PiecePlan, now: u8, result: i64, reach: Reach) -> Outcome {
    if p.when & now == 0 {
        return Outcome::SKIP;
    }
    match p.kind {
        piece::STR => user_string(s, arg(s, p.arg), p.limit as u64),
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

#[inline(always)]
fn enter<R: Regs>(regs: &R, nr: u64) {
    let Some(call) = wanted_call(regs, nr, want::ENTER) else { return };
    let Some(s) = scratch() else { return };
    begin(s, &call, regs, 0, kind::ENTER);
    pieces(s, call.plan, when::ENTER, Reach::Plain);
    finish(s);
}

#[inline(always)]
fn due(result: i64) -> u8 {
    if result < 0 && result >= -4095 { when::FAILURE } else { when::SUCCESS }
}

#[inline(always)]
fn exit<C: EbpfContext, R: Regs>(ctx: &C, regs: &R, result: i64, programs: &ProgramArray) {
    let Some(call) = wanted_call(regs, regs.orig_ax(), want::EXIT) else { return };
    if call.plan.program != program::PLAIN {
        // SAFETY: does not return when it succeeds.
        let _ = unsafe { programs.tail_call(ctx, call.plan.program as u32) };
        if let Some(c) = emit::counters() {
            c.tail_failed += 1;
        }
    }
    let Some(s) = scratch() else { return };
    begin(s, &call, regs, result, kind::EXIT);
    pieces(s, call.plan, due(result), Reach::Plain);
    finish(s);
}

#[inline(always)]
fn special_exit<R: Regs>(regs: &R, result: i64, reach: Reach) {
    let Some(call) = wanted_call(regs, regs.orig_ax(), want::EXIT) else { return };
    let Some(s) = scratch() else { return };
    begin(s, &call, regs, result, kind::EXIT);
    pieces(s, call.plan, due(result), reach);
    finish(s);
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
