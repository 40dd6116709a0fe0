//! Tracepoints with a record of fixed size. They may interrupt the system call programs, so they
//! build their records on the stack.

use crate::emit;
use crate::kernel::{field, offset, setting};
use crate::task;
use aya_ebpf::{helpers::generated as helper, macros::raw_tracepoint, programs::RawTracePointContext};
use tracer_common::record::{ExitFacts, HEADER_LEN, PieceHeader, RecordHeader, kind, shape};

#[repr(C)]
struct Words<const N: usize> {
    header: RecordHeader,
    words: [u64; N],
}

#[repr(C)]
struct ProcExit {
    header: RecordHeader,
    piece: PieceHeader,
    facts: ExitFacts,
}

#[inline(always)]
fn header(what: u8, args: u8, pieces: u8, len: u32) -> Option<RecordHeader> {
    // SAFETY: no arguments.
    let id = unsafe { helper::bpf_get_current_pid_tgid() };
    let tgid = (id >> 32) as u32;
    if tgid == setting!(self_tgid) {
        return None;
    }
    Some(RecordHeader {
        time: emit::now(),
        tid: id as u32,
        tgid,
        len,
        kind: what,
        shape: args | pieces * shape::PIECE,
        ..RecordHeader::default()
    })
}

#[inline(always)]
fn send<T>(record: &T, time: u64) {
    if let Some(here) = emit::here() {
        here.send((&raw const *record).cast(), size_of::<T>() as u64, time);
    }
}

#[inline(always)]
fn send_words<const N: usize>(what: u8, words: [u64; N]) {
    let Some(header) = header(what, N as u8, 0, 8 * N as u32) else { return };
    let time = header.time;
    let record = Words { header, words };
    send(&record, time);
}

/// A thread ends.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit(ctx: RawTracePointContext) -> i32 {
    let task: u64 = ctx.arg(0);
    let len = size_of::<ProcExit>() - HEADER_LEN;
    let Some(header) = header(kind::PROC_EXIT, 0, 1, len as u32) else { return 0 };
    let time = header.time;
    let record = ProcExit {
        header,
        piece: PieceHeader { len: size_of::<ExitFacts>() as u16, slot: 0, status: 0 },
        facts: ExitFacts { status: field(task, offset!(task_exit_code)).unwrap_or(0), reaper: 0 },
    };
    send(&record, time);
    0
}

/// A signal reaches a handler or its default action: (sig, info, action).
#[raw_tracepoint(tracepoint = "signal_deliver")]
pub fn signal_deliver(ctx: RawTracePointContext) -> i32 {
    let signal: u32 = ctx.arg(0);
    let info: u64 = ctx.arg(1);
    const SIGKILL: u32 = 9;
    const SIGCHLD: u32 = 17;
    // The sender is in the same place for kill, queued and child signals; other causes (faults,
    // timers) have none.
    let code: i32 = field(info, offset!(kernel_siginfo_code)).unwrap_or(1);
    let sender: u32 = if code <= 0 || signal == SIGCHLD || signal == SIGKILL {
        field(info, offset!(kernel_siginfo_fields)).unwrap_or(0)
    } else {
        0
    };
    // SAFETY: no arguments.
    let receiver = unsafe { helper::bpf_get_current_pid_tgid() } as u32;
    send_words(kind::SIGNAL, [sender as u64, receiver as u64, signal as u64]);
    0
}

/// A CPU turns from one task to another: (preempt, prev, next, …).
#[raw_tracepoint(tracepoint = "sched_switch")]
pub fn sched_switch(ctx: RawTracePointContext) -> i32 {
    let previous: u64 = ctx.arg(1);
    let next: u64 = ctx.arg(2);
    let memory = task::memory_of(previous);
    send_words(
        kind::SWITCH,
        [
            field::<u32>(next, offset!(task_pid)).unwrap_or(0) as u64,
            field(previous, offset!(task_maj_flt)).unwrap_or(0),
            field(previous, offset!(task_min_flt)).unwrap_or(0),
            memory.vm_size as u64,
            memory.vm_rss as u64,
            memory.vm_swap as u64,
        ],
    );
    0
}

/// (address, regs, error code)
#[raw_tracepoint(tracepoint = "page_fault_user")]
pub fn page_fault_user(ctx: RawTracePointContext) -> i32 {
    send_words(kind::PAGE_FAULT, [ctx.arg(0), 0, ctx.arg(2)]);
    0
}

#[raw_tracepoint(tracepoint = "page_fault_kernel")]
pub fn page_fault_kernel(ctx: RawTracePointContext) -> i32 {
    send_words(kind::PAGE_FAULT, [ctx.arg(0), 0, ctx.arg(2)]);
    0
}
