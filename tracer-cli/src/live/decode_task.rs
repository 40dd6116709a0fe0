//! Parameters that describe a task: command line, paths, control groups, flags.

use super::scratch::Area;
use super::view::{View, u32_at};
use crate::schema::convert;
use memchr::memchr;
use std::mem::offset_of;
use tracer_common::record::{ExitFacts, TaskFacts, task_flag};

use super::ops::WaitPart;

/// `CLONE_CHILD_IN_PIDNS` of the schema.
const CHILD_IN_PIDNS: u32 = 1 << 29;
/// Flags of the schema's `execve_flags`.
const EXE_FLAGS: [(u32, u32); 4] = [
    (task_flag::EXE_WRITABLE, 1),
    (task_flag::EXE_UPPER_LAYER, 2),
    (task_flag::EXE_FROM_MEMFD, 4),
    (task_flag::EXE_LOWER_LAYER, 8),
];
/// The control groups that captures list of a process. There is one hierarchy for all of them.
const SUBSYSTEMS: [&[u8]; 5] = [b"cpuset=", b"cpu=", b"cpuacct=", b"io=", b"memory="];

/// `bytes` with a NUL at their end, empty when there are none.
#[inline]
pub fn terminated<'a>(bytes: &'a [u8], area: &mut Area<'a>) -> &'a [u8] {
    match bytes.last() {
        None | Some(0) => bytes,
        Some(_) => {
            area.push(bytes);
            area.push(&[0]);
            area.finish()
        }
    }
}

/// The first of the strings, and the others.
pub fn command_line<'a>(view: &View<'a>, piece: u8) -> (&'a [u8], &'a [u8]) {
    let strings = view.piece(piece).bytes;
    let end = memchr(0, strings).map_or(strings.len(), |i| i + 1);
    strings.split_at(end)
}

pub fn comm<'a>(view: &View<'a>, task: u8) -> &'a [u8] {
    let at = offset_of!(TaskFacts, comm);
    let comm = view.piece(task).bytes.get(at..at + 16).unwrap_or_default();
    comm.get(..memchr(0, comm).map_or(comm.len(), |i| i + 1)).unwrap_or_default()
}

fn task_flags(view: &View<'_>, task: u8) -> u32 {
    u32_at(view.piece(task).bytes, offset_of!(TaskFacts, flags)).unwrap_or(0)
}

pub fn exe_flags(view: &View<'_>, task: u8) -> u64 {
    let has = task_flags(view, task);
    EXE_FLAGS.iter().filter(|(bit, _)| has & bit != 0).map(|(_, flag)| u64::from(*flag)).sum()
}

pub fn clone_flags(view: &View<'_>, flags: u64, task: u8) -> u64 {
    let inside = task_flags(view, task) & task_flag::IN_PID_NS != 0;
    u64::from(convert::clone_flags(flags) | if inside { CHILD_IN_PIDNS } else { 0 })
}

/// Part of the wait status in piece 0.
pub fn wait_part(view: &View<'_>, part: WaitPart) -> u64 {
    let status = u32_at(view.piece(0).bytes, offset_of!(ExitFacts, status)).unwrap_or(0);
    let signal = status & 0x7f;
    u64::from(match part {
        WaitPart::Code => (status >> 8) & 0xff,
        WaitPart::Signal if signal == 0x7f => 0,
        WaitPart::Signal => signal,
        WaitPart::Core => (status >> 7) & 1,
    })
}

/// Appends the absolute path of components that come leaf first, each with its NUL.
fn push_path(components: &[u8], area: &mut Area<'_>) {
    let before = area.len();
    // A component that is a slash is the root itself.
    for name in components.rsplit(|b| *b == 0).filter(|n| !n.is_empty() && *n != b"/") {
        area.push(b"/");
        area.push(name);
    }
    if area.len() == before {
        area.push(b"/");
    }
}

pub fn path<'a>(view: &View<'a>, piece: u8, area: &mut Area<'a>) -> &'a [u8] {
    let components = view.piece(piece).bytes;
    if components.is_empty() {
        return &[];
    }
    push_path(components, area);
    area.push(&[0]);
    area.finish()
}

pub fn cgroups<'a>(view: &View<'a>, piece: u8, present: bool, area: &mut Area<'a>) -> &'a [u8] {
    if !present {
        return &[];
    }
    let components = view.piece(piece).bytes;
    for subsystem in SUBSYSTEMS {
        area.push(subsystem);
        push_path(components, area);
        area.push(&[0]);
    }
    area.finish()
}
