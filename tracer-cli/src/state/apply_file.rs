//! Events that open, copy and close fds, other than those of sockets.

use super::fd::{FdInfo, FdKind, O_CLOEXEC};
use super::step::{Arg, NONE, Step, arg};
use crate::schema::convert;
use std::io::Write;

/// `O_*` bits of the schema.
mod open_bits {
    pub const APPEND: u32 = 8;
    pub const CREAT: u32 = 4;
    pub const WRONLY: u32 = 2;
    pub const TRUNC: u32 = 256;
    pub const NONBLOCK: u32 = 64;
    pub const DIRECT: u32 = 512;
    pub const DIRECTORY: u32 = 1024;
    pub const CREATED: u32 = 16384;
    pub const UPPER_LAYER: u32 = 32768;
    pub const LOWER_LAYER: u32 = 65536;
    /// What `F_SETFL` can change.
    pub const SETTABLE: u32 = APPEND | NONBLOCK | DIRECT;
}

/// Where an open-like event has its parameters.
struct OpenLayout {
    /// `None`: relative to the current directory.
    dirfd: Option<Arg>,
    name: Arg,
    flags: Arg,
    dev: usize,
    ino: usize,
}

pub(super) fn open(step: &mut Step<'_>) {
    let layout = OpenLayout { dirfd: None, name: arg(1, 0), flags: arg(2, 1), dev: 4, ino: 5 };
    let flags = step.u64(layout.flags).unwrap_or(0) as u32;
    opened(step, &layout, flags);
}

pub(super) fn creat(step: &mut Step<'_>) {
    let layout = OpenLayout { dirfd: None, name: arg(1, 0), flags: arg(NONE, NONE), dev: 3, ino: 4 };
    let layers = step.event.u64(5).unwrap_or(0) as u32;
    let mut flags = open_bits::CREAT | open_bits::WRONLY | open_bits::TRUNC;
    if layers & 1 != 0 {
        flags |= open_bits::UPPER_LAYER;
    }
    if layers & 2 != 0 {
        flags |= open_bits::LOWER_LAYER;
    }
    opened(step, &layout, flags);
}

pub(super) fn openat_old(step: &mut Step<'_>) {
    let layout = OpenLayout {
        dirfd: Some(arg(NONE, 0)),
        name: arg(NONE, 1),
        flags: arg(NONE, 2),
        dev: NONE,
        ino: NONE,
    };
    let flags = step.u64(layout.flags).unwrap_or(0) as u32;
    opened(step, &layout, flags);
}

pub(super) fn openat(step: &mut Step<'_>) {
    let layout = OpenLayout { dirfd: Some(arg(1, 0)), name: arg(2, 1), flags: arg(3, 2), dev: 5, ino: 6 };
    let flags = step.u64(layout.flags).unwrap_or(0) as u32;
    opened(step, &layout, flags);
}

pub(super) fn openat2(step: &mut Step<'_>) {
    let layout = OpenLayout { dirfd: Some(arg(1, 0)), name: arg(2, 1), flags: arg(3, 2), dev: 6, ino: 7 };
    let flags = step.u64(layout.flags).unwrap_or(0) as u32;
    opened(step, &layout, flags);
}

pub(super) fn open_by_handle_at(step: &mut Step<'_>) {
    // The path comes from the kernel and is absolute.
    let layout = OpenLayout { dirfd: None, name: arg(3, NONE), flags: arg(2, NONE), dev: 4, ino: 5 };
    let flags = step.u64(layout.flags).unwrap_or(0) as u32;
    opened(step, &layout, flags);
}

fn opened(step: &mut Step<'_>, layout: &OpenLayout, flags: u32) {
    let Some(fd) = step.result().filter(|fd| *fd >= 0) else { return };
    let kind = if flags & open_bits::DIRECTORY != 0 { FdKind::Directory } else { FdKind::File };
    let mut info = FdInfo::new(kind);
    if let Some(name) = step.text(layout.name) {
        let dirfd = layout.dirfd.and_then(|dirfd| step.i64(dirfd));
        step.resolve(dirfd, name);
        info.name = step.scratch.as_slice().into();
        info.name_raw = name.into();
    }
    info.open_flags = flags & !(open_bits::CREATED | open_bits::UPPER_LAYER | open_bits::LOWER_LAYER);
    if flags & open_bits::CREATED != 0 {
        info.open_flags |= open_bits::CREATED;
    }
    info.upper_layer = flags & open_bits::UPPER_LAYER != 0;
    info.lower_layer = flags & open_bits::LOWER_LAYER != 0;
    info.dev = step.event.u64(layout.dev).unwrap_or(0) as u32;
    info.ino = step.event.u64(layout.ino).unwrap_or(0);
    step.add_fd(fd, info);
}

pub(super) fn close(step: &mut Step<'_>) {
    // Whatever else goes wrong, Linux has released the number.
    let failed = step.result().is_none_or(|res| res == -i64::from(libc::EBADF));
    let Some(fd) = step.fd.filter(|_| !failed) else { return };
    // The number may have been given out again between the close and this report of it.
    let began = step.began;
    let reused = |info: &FdInfo| began.is_some_and(|began| info.since > began);
    if step.known_fd(fd).is_some_and(reused) {
        return;
    }
    if let Some(process) = step.state.thread(step.process) {
        step.deferred.close(process.tid, fd, fd);
    }
}

pub(super) fn close_range(step: &mut Step<'_>) {
    const CLOSE_RANGE_CLOEXEC: u64 = 4;
    if step.result() != Some(0) {
        return;
    }
    let event = step.event;
    let (Some(first), Some(last)) = (event.u64(1), event.u64(2)) else { return };
    let (first, last) = (first as i64, last as i64);
    let flags = event.u64(3).unwrap_or(0);
    let Some(process) = step.process() else { return };
    if flags & CLOSE_RANGE_CLOEXEC != 0 {
        for (fd, info) in process.fds.iter_mut() {
            if (first..=last).contains(&fd) {
                info.open_flags |= O_CLOEXEC;
            }
        }
    } else {
        let pid = process.tid;
        step.deferred.close(pid, first, last);
    }
}

/// The new fd is what the old one is, but for its close-on-exec flag.
fn copied(step: &mut Step<'_>, old: Option<i64>, close_on_exec: bool) {
    let Some(new) = step.result().filter(|fd| *fd >= 0) else { return };
    if Some(new) == old {
        return;
    }
    let Some(mut info) = old.and_then(|old| step.known_fd(old)).cloned() else {
        // What the old one is is not known either, but the number no longer is what it was.
        if let Some(fds) = step.fds() {
            fds.remove(new);
        }
        return;
    };
    info.open_flags &= !O_CLOEXEC;
    if close_on_exec {
        info.open_flags |= O_CLOEXEC;
    }
    info.name_changed = false;
    step.add_fd(new, info);
}

/// Shells connect the ends of a pipeline by copying them to stdin and stdout.
fn note_pipeline(step: &mut Step<'_>) {
    use super::thread::ThreadFlags;
    let flag = match step.result() {
        Some(0) => ThreadFlags::PIPE_TARGET,
        Some(1) => ThreadFlags::PIPE_SOURCE,
        _ => return,
    };
    if let Some(thread) = step.thread() {
        thread.flags |= flag;
    }
}

/// dup and dup2, and dup3 of old captures.
pub(super) fn dup(step: &mut Step<'_>) {
    note_pipeline(step);
    let old = step.fd;
    copied(step, old, false);
}

pub(super) fn dup3(step: &mut Step<'_>) {
    note_pipeline(step);
    let old = step.fd;
    let close_on_exec = step.event.u64(3).unwrap_or(0) as u32 & O_CLOEXEC != 0;
    copied(step, old, close_on_exec);
}

pub(super) fn fcntl(step: &mut Step<'_>) {
    // Commands have numbers of their own in the schema.
    const DUPFD: u64 = 1;
    const SETFD: u64 = 3;
    const SETFL: u64 = 5;
    const DUPFD_CLOEXEC: u64 = 26;
    if !step.succeeded() {
        return;
    }
    let fd = step.fd;
    let argument = step.event.u64(3);
    match (step.u64(arg(2, 1)), fd, argument) {
        (Some(DUPFD), ..) => {
            note_pipeline(step);
            copied(step, fd, false);
        }
        (Some(DUPFD_CLOEXEC), ..) => {
            note_pipeline(step);
            copied(step, fd, true);
        }
        (Some(SETFD), Some(fd), Some(value)) => {
            if let Some(info) = step.fd_info(fd) {
                info.open_flags &= !O_CLOEXEC;
                if value & libc::FD_CLOEXEC as u64 != 0 {
                    info.open_flags |= O_CLOEXEC;
                }
            }
        }
        (Some(SETFL), Some(fd), Some(value)) => {
            let set = convert::open_flags(value) & open_bits::SETTABLE;
            if let Some(info) = step.fd_info(fd) {
                info.open_flags = info.open_flags & !open_bits::SETTABLE | set;
            }
        }
        _ => {}
    }
}

pub(super) fn pipe(step: &mut Step<'_>) {
    if !step.succeeded() {
        return;
    }
    let event = step.event;
    for end in [1, 2] {
        let Some(fd) = event.i64(end) else { continue };
        let mut info = FdInfo::new(FdKind::Fifo);
        info.ino = event.u64(3).unwrap_or(0);
        info.open_flags = event.u64(4).unwrap_or(0) as u32;
        step.add_fd(fd, info);
    }
}

/// A kind of fd that has no name; `flags` are open flags.
fn nameless(step: &mut Step<'_>, kind: FdKind, flags: u32) {
    let Some(fd) = step.result() else { return };
    let mut info = FdInfo::new(kind);
    info.open_flags = flags;
    step.add_fd(fd, info);
}

pub(super) fn eventfd(step: &mut Step<'_>) {
    let flags = step.u64(arg(2, 1)).unwrap_or(0) as u32;
    nameless(step, FdKind::Event, flags);
}

pub(super) fn eventfd2(step: &mut Step<'_>) {
    let flags = step.event.u64(1).unwrap_or(0) as u32;
    nameless(step, FdKind::Event, flags);
}

pub(super) fn signalfd(step: &mut Step<'_>) {
    nameless(step, FdKind::Signal, 0);
}

pub(super) fn signalfd4(step: &mut Step<'_>) {
    let flags = step.event.u64(1).unwrap_or(0) as u32;
    nameless(step, FdKind::Signal, flags);
}

/// Recorded in eight bits, which have no room for close-on-exec.
pub(super) fn timerfd_create(step: &mut Step<'_>) {
    let flags = step.u64(arg(2, 1)).unwrap_or(0) as u32;
    nameless(step, FdKind::Timer, flags);
}

pub(super) fn inotify_init(step: &mut Step<'_>) {
    let flags = step.u64(arg(1, 0)).unwrap_or(0) as u32;
    nameless(step, FdKind::Inotify, flags);
}

pub(super) fn epoll_create(step: &mut Step<'_>) {
    nameless(step, FdKind::Eventpoll, 0);
}

pub(super) fn epoll_create1(step: &mut Step<'_>) {
    let close_on_exec = step.u64(arg(1, 0)).unwrap_or(0) & 1 != 0;
    nameless(step, FdKind::Eventpoll, if close_on_exec { O_CLOEXEC } else { 0 });
}

pub(super) fn userfaultfd(step: &mut Step<'_>) {
    let flags = step.event.u64(1).unwrap_or(0) as u32;
    nameless(step, FdKind::Userfault, flags);
}

pub(super) fn io_uring_setup(step: &mut Step<'_>) {
    nameless(step, FdKind::IoUring, O_CLOEXEC);
}

/// Commands of bpf(2) that return an fd: map create, program load, object get, program, map, BTF
/// and link by id, raw tracepoint open, BTF load, link create, enable stats, iterator create.
const BPF_MAKES_FD: [u64; 12] = [0, 5, 7, 13, 14, 17, 18, 19, 28, 30, 32, 33];

pub(super) fn bpf(step: &mut Step<'_>) {
    if step.event.u64(1).is_some_and(|cmd| BPF_MAKES_FD.contains(&cmd)) {
        nameless(step, FdKind::Bpf, O_CLOEXEC);
    }
}

/// The result of old captures is either an fd or an error, as its first byte tells.
pub(super) fn bpf_old(step: &mut Step<'_>) {
    let Some((0, fd)) = step.event.param(0).and_then(<[u8]>::split_first) else { return };
    if let Some(fd) = crate::event::read_i64(fd) {
        let mut info = FdInfo::new(FdKind::Bpf);
        info.open_flags = O_CLOEXEC;
        step.add_fd(fd, info);
    }
}

pub(super) fn memfd_create(step: &mut Step<'_>) {
    let Some(fd) = step.result() else { return };
    let mut info = FdInfo::new(FdKind::Memfd);
    if let Some(name) = step.event.text(1) {
        info.name = name.into();
        info.name_raw = name.into();
    }
    if step.event.u64(2).unwrap_or(0) & 1 != 0 {
        info.open_flags = O_CLOEXEC;
    }
    step.add_fd(fd, info);
}

pub(super) fn pidfd_open(step: &mut Step<'_>) {
    let (Some(fd), Some(pid)) = (step.result(), step.event.i64(1)) else { return };
    let nonblocking = step.event.u64(2).unwrap_or(0) & 1 != 0;
    let mut info = FdInfo::new(FdKind::Pidfd);
    // Writing to memory cannot fail.
    _ = write!(info.name, "/proc/{pid}");
    info.pidfd_pid = pid;
    info.open_flags = O_CLOEXEC | if nonblocking { open_bits::NONBLOCK } else { 0 };
    step.add_fd(fd, info);
}

/// Copies an fd of another process.
pub(super) fn pidfd_getfd(step: &mut Step<'_>) {
    let event = step.event;
    let (Some(fd), Some(pidfd), Some(target)) = (step.result(), event.i64(1), event.i64(2)) else { return };
    let pid = step.known_fd(pidfd).map_or(0, |info| info.pidfd_pid);
    let copy = step.state.by_tid(pid).and_then(|process| process.fds.get(target)).cloned();
    if let Some(mut info) = copy {
        info.open_flags |= O_CLOEXEC;
        info.name_changed = false;
        step.add_fd(fd, info);
    }
}
