//! Processes and threads that were there before the first event.
//!
//! Nine versions, each with more fields than the one before; from the ninth on every entry has its
//! length and fields are appended to it.

use super::body::Body;
use super::damage::Fault;
use crate::state::thread::{Thread, ThreadFlags};
use std::rc::Rc;

/// The version whose entries have their length.
const NEWEST: u8 = 9;

/// Of the flags of a thread in scap (`PPM_CL_*`).
const NAME_CHANGED: u32 = 1 << 17;
const PIPE_SRC: u32 = 1 << 21;
const PIPE_DST: u32 = 1 << 22;

/// Bytes behind the root directory at most, in entries of libraries before 0.10. Later ones have two
/// more fields, and not at the end but before the others.
const OLD_TAIL: u64 = 29;

/// Reads the body of a process list of `version`, a thread at a time.
pub(super) fn read(
    body: &mut Body<'_>,
    version: u8,
    mut found: impl FnMut(Box<Thread>),
) -> Result<(), Fault> {
    let mut before = Lists::default();
    // What is left at the end is padding.
    while body.left() >= 4 {
        found(match version {
            NEWEST.. => read_newest(body, &mut before)?,
            _ => read_entry(body, version, &mut before)?,
        });
    }
    Ok(())
}

/// Lists of strings of the entry before: they are mostly the same, as threads of a process follow each other, and
/// then their memory is shared.
#[derive(Default)]
pub(super) struct Lists {
    args: Rc<[u8]>,
    env: Rc<[u8]>,
    cgroups: Rc<[u8]>,
}

/// Reads one entry of the newest version.
pub(super) fn read_newest(body: &mut Body<'_>, before: &mut Lists) -> Result<Box<Thread>, Fault> {
    let len = u64::from(body.u32("length of a process")?);
    let rest = len.checked_sub(4).ok_or(Fault::Value { what: "the length of a process", value: len })?;
    let mut entry = body.entry(rest, "a process")?;
    let mut thread = read_entry(&mut entry, NEWEST, before)?;
    read_tail(&mut entry, &mut thread)?;
    entry.finish()?;
    Ok(thread)
}

fn read_entry(body: &mut Body<'_>, version: u8, before: &mut Lists) -> Result<Box<Thread>, Fault> {
    let tid = body.i64("tid")?;
    let pid = body.i64("pid")?;
    // In its place from the start: it is large.
    let mut thread = Box::new(Thread::new(tid, pid));
    thread.ptid = body.i64("ptid")?;
    if version >= 6 {
        thread.sid = body.i64("session")?;
    }
    if version >= 8 {
        thread.vpgid = body.i64("process group")?;
    }
    thread.comm = body.text("name")?.into();
    thread.exe = body.text("first argument")?.into();
    if version >= 7 {
        thread.exepath = body.text("path of the program")?.into();
    }
    thread.args = strings(body.text("arguments")?, &mut before.args);
    let cwd = body.text("current directory")?;
    thread.cwd.reserve_exact(cwd.len() + 1);
    thread.cwd.extend_from_slice(cwd);
    if cwd.last().is_some_and(|last| *last != b'/') {
        thread.cwd.push(b'/');
    }
    thread.fd_limit = body.i64("limit of open files")?;
    let flags = body.u32("flags")?;
    thread.flags.set(ThreadFlags::NAME_CHANGED, flags & NAME_CHANGED != 0);
    thread.flags.set(ThreadFlags::PIPE_SOURCE, flags & PIPE_SRC != 0);
    thread.flags.set(ThreadFlags::PIPE_TARGET, flags & PIPE_DST != 0);
    thread.uid = body.u32("uid")?;
    thread.gid = body.u32("gid")?;
    if version >= 2 {
        thread.vm_size = body.u32("size of memory")?;
        thread.vm_rss = body.u32("resident memory")?;
        thread.vm_swap = body.u32("swapped memory")?;
        thread.major_faults = body.u64("page faults")?;
        thread.minor_faults = body.u64("page faults")?;
    }
    if version >= 3 {
        thread.env = strings(body.text("environment")?, &mut before.env);
    }
    if version >= 4 {
        thread.vtid = body.i64("vtid")?;
        thread.vpid = body.i64("vpid")?;
        thread.cgroups = strings(body.text("control groups")?, &mut before.cgroups);
    }
    if version >= 5 {
        thread.root = body.text("root directory")?.into();
    }
    thread.flags.set(ThreadFlags::IN_PID_NS, thread.vtid != thread.tid);
    Ok(thread)
}

/// What libraries appended in the course of time; each field is there if there is room for it.
fn read_tail(body: &mut Body<'_>, thread: &mut Thread) -> Result<(), Fault> {
    if body.left() > OLD_TAIL {
        thread.pidns_init_start_ts = body.u64("start of the pid namespace")?;
        thread.tty = body.u32("terminal")?;
    }
    if body.left() >= 4 {
        thread.loginuid = body.u32("login uid")?;
    }
    flag(body, thread, ThreadFlags::EXE_WRITABLE)?;
    for set in [&mut thread.cap_inheritable, &mut thread.cap_permitted, &mut thread.cap_effective] {
        number(body, set)?;
    }
    flag(body, thread, ThreadFlags::EXE_UPPER_LAYER)?;
    for value in [&mut thread.exe_ino, &mut thread.exe_ino_ctime, &mut thread.exe_ino_mtime] {
        number(body, value)?;
    }
    flag(body, thread, ThreadFlags::EXE_FROM_MEMFD)?;
    flag(body, thread, ThreadFlags::EXE_LOWER_LAYER)?;
    if body.left() >= 8 {
        thread.pgid = body.i64("process group")?;
    }
    Ok(())
}

fn flag(body: &mut Body<'_>, thread: &mut Thread, flag: ThreadFlags) -> Result<(), Fault> {
    if body.left() >= 1 {
        let set = body.u8("flag of the program")? != 0;
        thread.flags.set(flag, set);
    }
    Ok(())
}

fn number(body: &mut Body<'_>, value: &mut u64) -> Result<(), Fault> {
    if body.left() >= 8 {
        *value = body.u64("capabilities and times")?;
    }
    Ok(())
}

/// Strings, each with a final NUL; the one of the last may be missing.
fn strings(bytes: &[u8], before: &mut Rc<[u8]>) -> Rc<[u8]> {
    if **before != *bytes {
        *before = match bytes.last() {
            None | Some(0) => bytes.into(),
            Some(_) => bytes.iter().copied().chain([0]).collect(),
        };
    }
    Rc::clone(before)
}
