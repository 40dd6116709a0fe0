//! Events that change and end threads and processes.

use super::State;
use super::apply_clone::clone_flags;
use super::cgroup_id::are_topmost;
use super::containers::Place;
use super::path;
use super::step::{Arg, NONE, Step, arg};
use super::thread::{CpuUse, NO_ID, Thread, ThreadFlags};
use crate::event::{Event, read_i64, read_text, read_u64};
use crate::schema::EventType;
use bstr::BString;
use std::rc::Rc;

/// All capabilities that Linux has.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// Bytes of an environment that an event has room for.
const MAX_ENVIRONMENT: usize = 4096;

/// How far up the tree of processes is looked for one that takes in orphans.
const MAX_DEPTH: usize = 1000;

pub(super) fn set_text(to: &mut BString, text: Option<&[u8]>) {
    if let Some(text) = text {
        to.clear();
        to.extend_from_slice(text);
    }
}

/// Lists are mostly those of the parent: then the memory is shared. Says whether it differs.
pub(super) fn set_list(to: &mut Rc<[u8]>, list: Option<&[u8]>) -> bool {
    let list = list.unwrap_or_default();
    let differs = **to != *list;
    if differs {
        *to = Rc::from(list);
    }
    differs
}

/// Page faults and memory sizes from five parameters in a row.
pub(super) fn set_usage(thread: &mut Thread, event: &Event<'_>, first: usize) {
    let at = |i: usize| event.u64(first.saturating_add(i));
    thread.major_faults = at(0).unwrap_or(thread.major_faults);
    thread.minor_faults = at(1).unwrap_or(thread.minor_faults);
    thread.vm_size = at(2).map_or(thread.vm_size, |kib| kib as u32);
    thread.vm_rss = at(3).map_or(thread.vm_rss, |kib| kib as u32);
    thread.vm_swap = at(4).map_or(thread.vm_swap, |kib| kib as u32);
}

/// The CPU time that a thread has used and, where a live source adds it, its memory.
pub(super) fn cpu_times(thread: &mut Thread, event: &Event<'_>) {
    let (Some(user), Some(system)) = (event.u64(0), event.u64(1)) else { return };
    if event.params.len() > 3
        && let Some((size, resident)) = event.u64(2).zip(event.u64(3))
    {
        (thread.vm_size, thread.vm_rss) = (size as u32, resident as u32);
    }
    let before = thread.cpu_use;
    let is_first = before.user == 0 && before.system == 0;
    let since = |now: u64, before: u64| if is_first { 0 } else { now.saturating_sub(before) };
    thread.cpu_use = CpuUse {
        user,
        system,
        user_delta: since(user, before.user),
        system_delta: since(system, before.system),
    };
}

/// execve of the first layouts, where the name of the program is all there is.
pub(super) fn exec_8(step: &mut Step<'_>) {
    exec_with(step, 1, NONE, NONE);
}

pub(super) fn exec_14(step: &mut Step<'_>) {
    exec_with(step, 1, NONE, 13);
}

pub(super) fn exec_15(step: &mut Step<'_>) {
    exec_with(step, 13, NONE, 14);
}

/// execve and execveat since their events have cgroups.
pub(super) fn exec(step: &mut Step<'_>) {
    exec_with(step, 13, 14, 15);
}

fn exec_with(step: &mut Step<'_>, comm: usize, cgroups: usize, env: usize) {
    if !step.succeeded() {
        return;
    }
    let event = step.event;
    find_exepath(step);
    let pid = event.i64(4).filter(|pid| *pid > 0).unwrap_or(event.tid);
    drop_other_threads(step, pid);
    let exepath = std::mem::take(step.scratch);
    let Some(process) = step.process() else { return };
    set_text(&mut process.exe, event.text(1));
    set_text(&mut process.comm, event.text(comm));
    set_list(&mut process.args, event.param(2));
    let mut moved = false;
    if let Some(list) = event.param(cgroups) {
        moved = set_list(&mut process.cgroups, Some(list)) && !are_topmost(list);
    }
    if env != NONE {
        set_list(&mut process.env, event.param(env));
    }
    set_text(&mut process.exepath, Some(&exepath));
    process.fd_limit = event.i64(7).unwrap_or(process.fd_limit);
    set_usage(process, event, 8);
    process.tty = event.u64(16).map_or(process.tty, |tty| tty as u32);
    process.vpgid = event.i64(17).unwrap_or(process.vpgid);
    process.loginuid = event.u64(18).map_or(process.loginuid, |uid| uid as u32);
    process.cap_inheritable = event.u64(20).unwrap_or(process.cap_inheritable);
    process.cap_permitted = event.u64(21).unwrap_or(process.cap_permitted);
    process.cap_effective = event.u64(22).unwrap_or(process.cap_effective);
    process.exe_ino = event.u64(23).unwrap_or(0);
    process.exe_ino_ctime = event.u64(24).unwrap_or(0);
    process.exe_ino_mtime = event.u64(25).unwrap_or(0);
    process.uid = event.u64(26).map_or(process.uid, |uid| uid as u32);
    process.pgid = event.i64(28).unwrap_or(process.pgid);
    process.gid = event.u64(29).map_or(process.gid, |gid| gid as u32);
    process.last_exec_ts = event.ts;
    let bits = event.u64(19).unwrap_or(0);
    process.flags.remove(ThreadFlags::DEAD | ThreadFlags::UNKNOWN);
    process.flags |= ThreadFlags::NAME_CHANGED;
    process.flags.set(ThreadFlags::EXE_WRITABLE, bits & 1 != 0);
    process.flags.set(ThreadFlags::EXE_UPPER_LAYER, bits & 2 != 0);
    process.flags.set(ThreadFlags::EXE_FROM_MEMFD, bits & 4 != 0);
    process.flags.set(ThreadFlags::EXE_LOWER_LAYER, bits & 8 != 0);
    process.fds.remove_close_on_exec();
    let (uid, gid, ptid) = (process.uid, process.gid, process.ptid);
    // Some groups are those of a container only for processes in a namespace.
    let may_be_inside = process.place == Place::Host && process.flags.contains(ThreadFlags::IN_PID_NS);
    // The probe sees version 2 of control groups only, and the engine may use version 1.
    let is_inside = may_be_inside && event.param(cgroups).is_some_and(are_topmost);
    let is_cut = step.state.machine.large_environments
        && event.param(env).is_some_and(|list| list.len() + 1 >= MAX_ENVIRONMENT);
    if (is_inside || is_cut) && step.state.machine.is_this {
        let found = (step.look_up)(pid);
        if let (Some(process), Some(found)) = (step.process(), found) {
            if is_inside {
                process.cgroups = found.cgroups;
            }
            if is_cut && found.env.len() > process.env.len() {
                process.env = found.env;
            }
        }
    }
    if let Some(parent) = event.i64(5).filter(|parent| *parent > 0 && *parent != ptid) {
        step.state.set_parent(pid, parent);
    }
    if moved || may_be_inside {
        step.state.find_place(step.process);
    }
    step.state.ask_about_container(step.process);
    step.state.users.meet(uid, gid);
    *step.scratch = exepath;
}

/// Leaves the absolute path of the new program in the scratch, nothing when it is not known.
fn find_exepath(step: &mut Step<'_>) {
    if let Some(path) = step.event.text(27).filter(|path| !path.is_empty()) {
        step.scratch.clear();
        step.scratch.extend_from_slice(path);
        return;
    }
    let enter = step.enter;
    if enter.ty() == Some(EventType::SYSCALL_EXECVEAT_E) {
        let dirfd = enter.param(0).and_then(read_i64);
        let name = enter.param(1).map(read_text).filter(|name| *name != b"<NA>");
        let empty_path = enter.param(2).and_then(read_u64).is_some_and(|flags| flags & 1 != 0);
        match name {
            Some(name) if !name.is_empty() => step.resolve(dirfd, name),
            _ if empty_path => step.resolve(dirfd, b""),
            _ => step.scratch.clear(),
        }
        return;
    }
    let filename = match step.event.ty {
        EventType::SYSCALL_EXECVE_18_X | EventType::SYSCALL_EXECVE_19_X => arg(30, 0),
        _ => Arg { exit: NONE, enter: NONE },
    };
    match step.text(filename) {
        Some(name) if !name.is_empty() => step.resolve(None, name),
        _ => step.scratch.clear(),
    }
}

/// The thread that executes a program becomes the process; all its other threads end.
fn drop_other_threads(step: &mut Step<'_>, pid: i64) {
    let main = step.state.by_tid(pid);
    if main.is_none_or(|main| main.live_threads > 1 || main.flags.contains(ThreadFlags::DEAD)) {
        step.state.remove_others(pid, step.event.tid);
    }
    if let Some(key) = step.state.find(pid) {
        step.process = key;
        if let Some(main) = step.process() {
            main.live_threads = 1;
        }
    }
}

/// A thread ends. It is still there for this event.
pub(super) fn exit(step: &mut Step<'_>) {
    let reaper = step.event.i64(4).filter(|tid| *tid > 0);
    step.state.mark_dead(step.thread);
    step.state.note_end(step.event.tid, step.event.ts);
    step.deferred.end(step.event.tid);
    if let Some(process) = step.process()
        && process.is_main()
        && process.live_threads == 0
    {
        let pid = process.pid;
        reparent(step.state, pid, reaper);
    }
}

/// Gives the children of a process that ended to the one that takes in orphans.
fn reparent(state: &mut State, pid: i64, reaper: Option<i64>) {
    if state.children_of(pid).next().is_none() {
        return;
    }
    let reaper = match reaper {
        Some(tid) => state.by_tid(tid).map_or(tid, |thread| thread.pid),
        None => find_reaper(state, pid),
    };
    if reaper != pid {
        state.give_children(pid, reaper);
    }
}

fn find_reaper(state: &State, pid: i64) -> i64 {
    let mut process = state.by_tid(pid);
    let in_namespace = process.is_some_and(|p| p.flags.contains(ThreadFlags::IN_PID_NS));
    for _ in 0..MAX_DEPTH {
        process = process.and_then(|p| state.parent_of(p));
        let Some(p) = process else { break };
        let takes = p.flags.contains(ThreadFlags::REAPER) || p.vpid == 1 || p.pid == 1;
        if takes && p.flags.contains(ThreadFlags::IN_PID_NS) == in_namespace {
            return p.pid;
        }
    }
    1
}

/// Removes a thread that ended, and with its last thread the process.
pub(super) fn remove_ended(state: &mut State, tid: i64) {
    let Some(thread) = state.by_tid(tid) else { return };
    let pid = thread.pid;
    if !thread.is_main() {
        state.remove(tid);
    }
    let ended =
        |main: &Thread| main.is_main() && main.flags.contains(ThreadFlags::DEAD) && main.live_threads == 0;
    if state.by_tid(pid).is_some_and(ended) {
        state.remove(pid);
    }
}

pub(super) fn setsid(step: &mut Step<'_>) {
    let Some(sid) = step.result().filter(|sid| *sid > 0) else { return };
    if let Some(process) = step.process() {
        process.sid = sid;
        process.vpgid = process.own_pid();
        process.pgid = process.pid;
        process.tty = 0;
    }
}

pub(super) fn setpgid(step: &mut Step<'_>) {
    if step.result() != Some(0) {
        return;
    }
    let (Some(pid), Some(pgid)) = (step.i64(arg(1, 0)), step.i64(arg(2, 1))) else { return };
    let Some(own) = step.process().map(|process| (process.own_pid(), process.flags)) else { return };
    // Numbers are those of the caller's namespace: of others only the host's are known.
    let key = match pid {
        0 => Some(step.process),
        pid if pid == own.0 => Some(step.process),
        pid if !own.1.contains(ThreadFlags::IN_PID_NS) => step.state.find(pid),
        _ => None,
    };
    let Some(target) = key.and_then(|key| step.state.thread_mut(key)) else { return };
    target.vpgid = if pgid == 0 { target.own_pid() } else { pgid };
    if !target.flags.contains(ThreadFlags::IN_PID_NS) {
        target.pgid = target.vpgid;
    }
}

fn set_uid(step: &mut Step<'_>, at: Arg) {
    if step.result() != Some(0) {
        return;
    }
    let Some(uid) = step.u64(at).map(|uid| uid as u32).filter(|uid| *uid != NO_ID) else { return };
    if let Some(thread) = step.thread() {
        thread.uid = uid;
    }
    step.state.users.meet(uid, NO_ID);
}

fn set_gid(step: &mut Step<'_>, at: Arg) {
    if step.result() != Some(0) {
        return;
    }
    let Some(gid) = step.u64(at).map(|gid| gid as u32).filter(|gid| *gid != NO_ID) else { return };
    if let Some(thread) = step.thread() {
        thread.gid = gid;
    }
    step.state.users.meet(NO_ID, gid);
}

pub(super) fn setuid(step: &mut Step<'_>) {
    set_uid(step, arg(1, 0));
}

pub(super) fn setgid(step: &mut Step<'_>) {
    set_gid(step, arg(1, 0));
}

/// setreuid and setresuid: the effective id counts.
pub(super) fn setreuid(step: &mut Step<'_>) {
    set_uid(step, arg(2, 1));
}

pub(super) fn setregid(step: &mut Step<'_>) {
    set_gid(step, arg(2, 1));
}

pub(super) fn prctl(step: &mut Step<'_>) {
    const SET_NAME: u64 = 15;
    const SET_CHILD_SUBREAPER: u64 = 36;
    const GET_CHILD_SUBREAPER: u64 = 37;
    /// Longest name of a thread.
    const MAX_COMM: usize = 15;
    if !step.succeeded() {
        return;
    }
    let event = step.event;
    match event.u64(1) {
        Some(SET_NAME) => {
            let Some(name) = event.text(2) else { return };
            if let Some(thread) = step.thread() {
                set_text(&mut thread.comm, Some(name.get(..MAX_COMM).unwrap_or(name)));
                thread.flags |= ThreadFlags::NAME_CHANGED;
            }
        }
        Some(SET_CHILD_SUBREAPER | GET_CHILD_SUBREAPER) => {
            let Some(value) = event.i64(3) else { return };
            if let Some(process) = step.process() {
                process.flags.set(ThreadFlags::REAPER, value != 0);
            }
        }
        _ => {}
    }
}

pub(super) fn capset(step: &mut Step<'_>) {
    if step.result() != Some(0) {
        return;
    }
    let event = step.event;
    if let Some(thread) = step.thread() {
        thread.cap_inheritable = event.u64(1).unwrap_or(thread.cap_inheritable);
        thread.cap_permitted = event.u64(2).unwrap_or(thread.cap_permitted);
        thread.cap_effective = event.u64(3).unwrap_or(thread.cap_effective);
    }
}

/// The first thread of a user namespace has all capabilities in it.
fn enter_namespaces(step: &mut Step<'_>, flags: Arg) {
    let flags = step.u64(flags).unwrap_or(0) as u32;
    if step.result() != Some(0) || flags & clone_flags::NEWUSER == 0 {
        return;
    }
    if let Some(thread) = step.thread() {
        thread.cap_permitted = ALL_CAPABILITIES;
        thread.cap_effective = ALL_CAPABILITIES;
    }
}

pub(super) fn unshare(step: &mut Step<'_>) {
    enter_namespaces(step, arg(1, 0));
}

pub(super) fn setns(step: &mut Step<'_>) {
    enter_namespaces(step, arg(2, 1));
}

/// Takes the scratch as the current directory.
fn set_cwd(step: &mut Step<'_>) {
    if step.scratch.last() != Some(&b'/') {
        step.scratch.push(b'/');
    }
    if let Some(process) = step.state.thread_mut(step.process) {
        set_text(&mut process.cwd, Some(step.scratch));
    }
}

pub(super) fn chdir(step: &mut Step<'_>) {
    if step.result() != Some(0) {
        return;
    }
    if let Some(path) = step.text(arg(1, NONE)) {
        step.resolve(None, path);
        set_cwd(step);
    }
}

pub(super) fn fchdir(step: &mut Step<'_>) {
    if step.result() != Some(0) {
        return;
    }
    if let Some(fd) = step.fd
        && step.known_fd(fd).is_some_and(|info| !info.name.is_empty())
    {
        step.resolve(Some(fd), b"");
        set_cwd(step);
    }
}

pub(super) fn getcwd(step: &mut Step<'_>) {
    if !step.succeeded() {
        return;
    }
    // A directory outside of the root is reported as "(unreachable)/…".
    if let Some(path) = step.text(arg(1, NONE)).filter(|path| path.first() == Some(&b'/')) {
        path::join(step.scratch, b"", path);
        set_cwd(step);
    }
}

pub(super) fn chroot(step: &mut Step<'_>) {
    if step.result() != Some(0) {
        return;
    }
    let Some(path) = step.text(arg(1, NONE)) else { return };
    step.resolve(None, path);
    if let Some(process) = step.state.thread_mut(step.process) {
        set_text(&mut process.root, Some(step.scratch));
    }
}

const RLIMIT_NOFILE: u64 = 7;

pub(super) fn rlimit(step: &mut Step<'_>) {
    if step.result() != Some(0) || step.u64(arg(3, 0)) != Some(RLIMIT_NOFILE) {
        return;
    }
    let Some(soft) = step.event.i64(1) else { return };
    if let Some(process) = step.process() {
        process.fd_limit = soft;
    }
}

pub(super) fn prlimit(step: &mut Step<'_>) {
    if step.result() != Some(0) || step.u64(arg(6, 1)) != Some(RLIMIT_NOFILE) {
        return;
    }
    // -1 stands for "no new limit given" too.
    let new = step.event.i64(1).filter(|soft| *soft >= 0);
    let Some(soft) = new.or(step.event.i64(3).filter(|soft| *soft >= 0)) else { return };
    let key = match step.i64(arg(5, 0)) {
        None | Some(0) => Some(step.process),
        Some(pid) => step.state.find(pid),
    };
    if let Some(process) = key.and_then(|key| step.state.thread_mut(key)) {
        process.fd_limit = soft;
    }
}

/// brk, mmap and munmap report the memory sizes of the process; they are kept with the thread that asked.
pub(super) fn memory(thread: &mut Thread, event: &Event<'_>) {
    set_memory(thread, event, 1);
}

fn set_memory(thread: &mut Thread, event: &Event<'_>, first: usize) {
    let (size, rss, swap) = (event.u64(first), event.u64(first + 1), event.u64(first + 2));
    let (Some(size), Some(rss), Some(swap)) = (size, rss, swap) else { return };
    (thread.vm_size, thread.vm_rss, thread.vm_swap) = (size as u32, rss as u32, swap as u32);
}

/// A thread leaves its CPU; its time is accounted by the inspector.
pub(super) fn switch(step: &mut Step<'_>) {
    let event = step.event;
    if let Some(thread) = step.thread() {
        thread.major_faults = event.u64(1).unwrap_or(thread.major_faults);
        thread.minor_faults = event.u64(2).unwrap_or(thread.minor_faults);
    }
    if let Some(process) = step.process() {
        set_memory(process, event, 3);
    }
}
