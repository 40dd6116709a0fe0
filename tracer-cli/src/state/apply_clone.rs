//! Events that make threads and processes: clone, clone3, fork and vfork.
//!
//! Both sides report: the caller gets the number of the child, the child gets 0. Whichever comes
//! first makes the child; each side knows something that the other does not.

use super::apply_process::{set_list, set_text, set_usage};
use super::cgroup_id::are_topmost;
use super::containers::Place;
use super::step::NONE;
use super::thread::{Thread, ThreadFlags};
use super::{State, ThreadKey};
use crate::event::Event;
use std::rc::Rc;

/// `CLONE_*` bits of the schema.
pub(super) mod clone_flags {
    pub const NEWPID: u32 = 64;
    pub const PARENT: u32 = 256;
    pub const THREAD: u32 = 8192;
    pub const NEWUSER: u32 = 0x0010_0000;
    pub const CHILD_IN_PIDNS: u32 = 0x2000_0000;
}

/// A child that made itself known less than this long ago (ns) is not stale.
const CLONE_STALE: u64 = 2_000_000_000;

/// Where a clone exit has its parameters; those before `vm_size` never moved.
pub(super) struct CloneLayout {
    /// First of page faults (2) and memory sizes (3).
    usage: usize,
    comm: usize,
    cgroups: usize,
    flags: usize,
    uid: usize,
    gid: usize,
    /// First of vtid, vpid, start of the pid namespace.
    ids: usize,
}

pub(super) static CLONE_11: CloneLayout =
    CloneLayout { usage: NONE, comm: 1, cgroups: NONE, flags: 8, uid: 9, gid: 10, ids: NONE };
pub(super) static CLONE_16: CloneLayout =
    CloneLayout { usage: 8, comm: 1, cgroups: NONE, flags: 13, uid: 14, gid: 15, ids: NONE };
pub(super) static CLONE_17: CloneLayout =
    CloneLayout { usage: 8, comm: 13, cgroups: NONE, flags: 14, uid: 15, gid: 16, ids: NONE };
pub(super) static CLONE_20: CloneLayout =
    CloneLayout { usage: 8, comm: 13, cgroups: 14, flags: 15, uid: 16, gid: 17, ids: 18 };

/// clone, clone3, fork and vfork return, in the caller or in the child.
pub(super) fn clone(
    state: &mut State,
    event: &Event<'_>,
    layout: &CloneLayout,
    caller: Option<ThreadKey>,
    look_up: &mut dyn FnMut(i64) -> Option<Box<Thread>>,
) {
    match event.i64(0) {
        Some(0) => clone_in_child(state, event, layout, look_up),
        Some(tid) if tid > 0 => {
            if let Some(caller) = caller {
                clone_in_caller(state, event, layout, caller, tid);
            }
        }
        _ => {}
    }
}

fn clone_in_caller(state: &mut State, event: &Event<'_>, layout: &CloneLayout, key: ThreadKey, tid: i64) {
    let flags = event.u64(layout.flags).unwrap_or(0) as u32;
    // The number that the caller got is not the host's: only the child's own event tells.
    if flags & (clone_flags::CHILD_IN_PIDNS | clone_flags::NEWPID) != 0 {
        return;
    }
    let Some(caller) = state.thread_mut(key) else { return };
    if caller.flags.contains(ThreadFlags::UNKNOWN) {
        repair(caller, event, layout);
        state.find_place(key);
    }
    let Some(caller) = state.thread(key) else { return };
    if caller.vtid >= 0 && caller.tid != caller.vtid {
        return;
    }
    // A short-lived child may be gone by the time its parent returns, above all after vfork.
    let began = match caller.last.ty {
        Some(ty) if ty == event.ty.enter() => caller.last.ts,
        _ => event.ts.saturating_sub(CLONE_STALE),
    };
    if state.ended_since(tid, began) {
        return;
    }
    let child = state.by_tid(tid);
    if child
        .is_some_and(|t| t.flags.contains(ThreadFlags::FROM_CHILD) && !t.flags.contains(ThreadFlags::DEAD))
    {
        return;
    }
    let Some(caller) = state.thread(key) else { return };
    let is_thread = flags & clone_flags::THREAD != 0;
    let mut child = Thread::new(tid, if is_thread { caller.pid } else { tid });
    let is_sibling = is_thread || flags & clone_flags::PARENT != 0;
    child.ptid = if is_sibling { state.process_of(caller).ptid } else { caller.pid };
    inherit(&mut child, caller, state.process_of(caller), is_thread);
    // A number in use belongs to a thread whose end was missed.
    add_child(state, event, layout, child);
}

fn clone_in_child(
    state: &mut State,
    event: &Event<'_>,
    layout: &CloneLayout,
    look_up: &mut dyn FnMut(i64) -> Option<Box<Thread>>,
) {
    let (tid, boot_ts) = (event.tid, state.machine.boot_ts);
    if let Some(child) = state.find(tid).and_then(|key| state.thread_mut(key)) {
        let fresh = child.clone_ts != 0 && event.ts.saturating_sub(child.clone_ts) < CLONE_STALE;
        if fresh && !child.flags.intersects(ThreadFlags::DEAD | ThreadFlags::UNKNOWN) {
            // When its namespace began is left as the caller's event left it, as in all versions of sysdig.
            let namespace_start = child.pidns_init_start_ts;
            set_namespace_ids(child, event, layout, boot_ts);
            if !child.flags.contains(ThreadFlags::IN_PID_NS) {
                child.pidns_init_start_ts = namespace_start;
            }
            return;
        }
    }
    let flags = event.u64(layout.flags).unwrap_or(0) as u32;
    let pid = event.i64(4).unwrap_or(tid);
    let ptid = event.i64(5).unwrap_or(-1);
    let is_thread = flags & clone_flags::THREAD != 0 || pid != tid;
    let mut child = Thread::new(tid, pid);
    child.ptid = ptid;
    let source = if is_thread { pid } else { ptid };
    if state.by_tid(source).is_none_or(|source| source.flags.contains(ThreadFlags::UNKNOWN)) {
        state.counts.proc_lookups += 1;
        match look_up(tid).filter(|known| known.tid == tid) {
            Some(known) => child = *known,
            None => learn_source(state, event, layout, source, is_thread),
        }
    }
    if let Some(source) = state.by_tid(source) {
        inherit(&mut child, source, state.process_of(source), is_thread);
    }
    child.flags |= ThreadFlags::FROM_CHILD;
    set_namespace_ids(&mut child, event, layout, boot_ts);
    add_child(state, event, layout, child);
}

/// What only the child's own event tells: its numbers in its own pid namespace.
fn set_namespace_ids(child: &mut Thread, event: &Event<'_>, layout: &CloneLayout, boot_ts: u64) {
    let Some(vtid) = event.i64(layout.ids) else { return };
    child.vtid = vtid;
    child.vpid = event.i64(layout.ids.saturating_add(1)).unwrap_or(child.pid);
    child.flags.set(ThreadFlags::IN_PID_NS, vtid != child.tid);
    let since_boot = event.u64(layout.ids.saturating_add(2)).unwrap_or(0);
    let in_namespace = if vtid == child.tid { 0 } else { since_boot };
    child.pidns_init_start_ts = boot_ts.saturating_add(in_namespace);
}

/// Nothing is known of the process that the child is a thread of, or of its parent; what the event
/// says of the child tells most of it.
fn learn_source(state: &mut State, event: &Event<'_>, layout: &CloneLayout, tid: i64, is_thread: bool) {
    if tid <= 0 {
        return;
    }
    let mut source = state.remove(tid).unwrap_or_else(|| Box::new(Thread::unknown(tid, tid)));
    describe(&mut source, event, layout);
    if is_thread {
        source.ptid = event.i64(5).unwrap_or(source.ptid);
        if let Some(vpid) = event.i64(layout.ids.saturating_add(1)) {
            (source.vtid, source.vpid) = (vpid, vpid);
            source.flags.set(ThreadFlags::IN_PID_NS, vpid != tid);
        }
    }
    source.fd_limit = -1;
    source.flags.remove(ThreadFlags::UNKNOWN);
    source.last_access = event.ts;
    state.insert_boxed(source);
}

/// What a child has in common with its parent, or a thread with its process.
fn inherit(child: &mut Thread, source: &Thread, process: &Thread, is_thread: bool) {
    child.exepath.clone_from(&source.exepath);
    child.root.clone_from(&source.root);
    child.comm.clone_from(&source.comm);
    child.exe.clone_from(&source.exe);
    child.args = Rc::clone(&source.args);
    child.cgroups = Rc::clone(&source.cgroups);
    child.place = source.place;
    (child.sid, child.pgid, child.vpgid) = (source.sid, source.pgid, source.vpgid);
    (child.uid, child.gid, child.loginuid) = (source.uid, source.gid, source.loginuid);
    child.tty = source.tty;
    child.cap_inheritable = source.cap_inheritable;
    child.cap_permitted = source.cap_permitted;
    child.cap_effective = source.cap_effective;
    child.exe_ino = source.exe_ino;
    child.exe_ino_ctime = source.exe_ino_ctime;
    child.exe_ino_mtime = source.exe_ino_mtime;
    child.pidns_init_start_ts = source.pidns_init_start_ts;
    child.flags |= source.flags
        & (ThreadFlags::EXE_WRITABLE
            | ThreadFlags::EXE_UPPER_LAYER
            | ThreadFlags::EXE_LOWER_LAYER
            | ThreadFlags::EXE_FROM_MEMFD);
    if is_thread {
        child.last_exec_ts = source.last_exec_ts;
        return;
    }
    // Processes that share their table of fds (CLONE_FILES) get a copy too: what one of them opens
    // later the other does not have here. vfork does copy.
    child.fds = process.fds.clone();
    child.cwd.clone_from(&process.cwd);
    child.env = Rc::clone(&process.env);
    child.fd_limit = process.fd_limit;
}

fn add_child(state: &mut State, event: &Event<'_>, layout: &CloneLayout, mut child: Thread) {
    describe(&mut child, event, layout);
    child.clone_ts = event.ts;
    child.last_access = event.ts;
    let (uid, gid) = (child.uid, child.gid);
    state.insert(child);
    state.users.meet(uid, gid);
}

/// Takes over what a clone event says of the thread; caller and child have it in common.
fn describe(thread: &mut Thread, event: &Event<'_>, layout: &CloneLayout) {
    set_text(&mut thread.exe, event.text(1));
    set_text(&mut thread.comm, event.text(layout.comm));
    set_list(&mut thread.args, event.param(2));
    let groups = event.param(layout.cgroups);
    if set_list(&mut thread.cgroups, groups) && !groups.is_some_and(are_topmost) {
        thread.place = Place::Unknown;
    }
    thread.fd_limit = event.i64(7).unwrap_or(thread.fd_limit);
    set_usage(thread, event, layout.usage);
    thread.uid = event.u64(layout.uid).map_or(thread.uid, |uid| uid as u32);
    thread.gid = event.u64(layout.gid).map_or(thread.gid, |gid| gid as u32);
}

/// Nothing was known of the caller; the event has what it and the child have in common.
fn repair(caller: &mut Thread, event: &Event<'_>, layout: &CloneLayout) {
    describe(caller, event, layout);
    if let Some(ptid) = event.i64(5) {
        caller.ptid = ptid;
    }
    if let Some(vtid) = event.i64(layout.ids) {
        caller.vtid = vtid;
        caller.vpid = event.i64(layout.ids.saturating_add(1)).unwrap_or(vtid);
        caller.flags.set(ThreadFlags::IN_PID_NS, vtid != caller.tid);
    }
    caller.flags.remove(ThreadFlags::UNKNOWN);
}
