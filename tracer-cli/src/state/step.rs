//! What a handler sees and may change while one event is applied.

use super::enter_params::EnterParams;
use super::fd::FdInfo;
use super::fd_table::FdTable;
use super::path;
use super::thread::Thread;
use super::{State, ThreadKey, apply_process};
use crate::event::{Event, read_i64, read_text, read_u64};
use smallvec::SmallVec;

/// `AT_FDCWD` in the schema.
const AT_FDCWD: i64 = -100;

/// Where exit events carry an argument, and where old captures have it: in the enter event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arg {
    pub exit: usize,
    pub enter: usize,
}

/// Not in the enter (or exit) event.
pub(super) const NONE: usize = usize::MAX;

/// An argument at parameter `exit` of the exit event and `enter` of the enter event.
pub(super) const fn arg(exit: usize, enter: usize) -> Arg {
    Arg { exit, enter }
}

/// What is to be done before the next event, so that the present one still shows what it ends.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    /// There is something in it.
    is_due: bool,
    /// (process, first, last): fds that were closed.
    closed: SmallVec<[(i64, i64, i64); 1]>,
    /// A thread that ended.
    ended: Option<i64>,
    /// (process, fd): names that were new with this event.
    renamed: SmallVec<[(i64, i64); 2]>,
}

impl Deferred {
    /// The process' fds from `first` to `last` were closed.
    pub fn close(&mut self, pid: i64, first: i64, last: i64) {
        self.closed.push((pid, first, last));
        self.is_due = true;
    }

    /// The thread ended.
    pub fn end(&mut self, tid: i64) {
        self.ended = Some(tid);
        self.is_due = true;
    }

    /// The name of the process' fd is new with this event.
    pub fn rename(&mut self, pid: i64, fd: i64) {
        self.renamed.push((pid, fd));
        self.is_due = true;
    }

    /// Does it.
    #[inline]
    pub fn finish(&mut self, state: &mut State) {
        if std::mem::take(&mut self.is_due) {
            self.finish_all(state);
        }
    }

    fn finish_all(&mut self, state: &mut State) {
        for (pid, fd) in self.renamed.drain(..) {
            let fds = state.find(pid).and_then(|key| state.fds_mut(key));
            if let Some(info) = fds.and_then(|fds| fds.get_mut(fd)) {
                info.name_changed = false;
            }
        }
        for (pid, first, last) in self.closed.drain(..) {
            match state.find(pid).and_then(|key| state.fds_mut(key)) {
                Some(fds) if first == last => _ = fds.remove(first),
                Some(fds) => fds.remove_range(first, last),
                None => {}
            }
        }
        if let Some(tid) = self.ended.take() {
            apply_process::remove_ended(state, tid);
        }
    }
}

/// One event being applied.
pub(super) struct Step<'a> {
    pub state: &'a mut State,
    pub event: &'a Event<'a>,
    /// Parameters of the matching enter event, when they were kept.
    pub enter: &'a EnterParams,
    /// The thread that made the event.
    pub thread: ThreadKey,
    /// Its main thread, or itself when that is not known.
    pub process: ThreadKey,
    /// When the call began, where that is known.
    pub began: Option<u64>,
    /// The fd that the event is about; handlers that create fds set it.
    pub fd: Option<i64>,
    pub deferred: &'a mut Deferred,
    /// For building paths and names; handlers may find anything in it.
    pub scratch: &'a mut Vec<u8>,
    pub look_up: &'a mut dyn FnMut(i64) -> Option<Box<Thread>>,
}

impl<'a> Step<'a> {
    /// The bytes of an argument: of the exit event, or else of its enter event.
    pub fn bytes(&self, arg: Arg) -> Option<&'a [u8]> {
        let enter: &'a EnterParams = self.enter;
        self.event.param(arg.exit).or_else(|| enter.param(arg.enter))
    }

    pub fn u64(&self, arg: Arg) -> Option<u64> {
        read_u64(self.bytes(arg)?)
    }

    pub fn i64(&self, arg: Arg) -> Option<i64> {
        read_i64(self.bytes(arg)?)
    }

    /// An argument as text. What the kernel could not read, or old probes called so, is no text.
    pub fn text(&self, arg: Arg) -> Option<&'a [u8]> {
        let enter: &'a EnterParams = self.enter;
        let known = |bytes: &'a [u8]| Some(read_text(bytes)).filter(|text| *text != b"<NA>");
        self.event.param(arg.exit).and_then(known).or_else(|| enter.param(arg.enter).and_then(known))
    }

    /// What the call returned: parameter 0 of every exit event.
    pub fn result(&self) -> Option<i64> {
        self.event.i64(0)
    }

    /// Whether the call returned and did not fail.
    pub fn succeeded(&self) -> bool {
        self.result().is_some_and(|res| res >= 0)
    }

    pub fn thread(&mut self) -> Option<&mut Thread> {
        self.state.thread_mut(self.thread)
    }

    /// The main thread, where facts of the process are kept.
    pub fn process(&mut self) -> Option<&mut Thread> {
        self.state.thread_mut(self.process)
    }

    /// The fds of the process, to change them.
    pub fn fds(&mut self) -> Option<&mut FdTable> {
        self.state.fds_mut(self.process)
    }

    /// What the process' fd `fd` is.
    pub fn known_fd(&self, fd: i64) -> Option<&FdInfo> {
        self.state.thread(self.process)?.fds.get(fd)
    }

    /// The same, to change it.
    pub fn fd_info(&mut self, fd: i64) -> Option<&mut FdInfo> {
        self.fds()?.get_mut(fd)
    }

    /// The process now has `fd`; it becomes the fd of this event.
    pub fn add_fd(&mut self, fd: i64, mut info: FdInfo) {
        if fd < 0 {
            return;
        }
        self.fd = Some(fd);
        info.since = self.event.ts;
        let kept = self.fds().is_none_or(|fds| fds.insert(fd, info));
        if !kept {
            self.state.counts.fds_not_kept += 1;
        }
    }

    /// Notes that this event changed the name of `fd`.
    pub fn renamed(&mut self, fd: i64) {
        let Some(pid) = self.state.thread(self.process).map(|process| process.tid) else { return };
        if let Some(info) = self.fd_info(fd) {
            info.name_changed = true;
            self.deferred.rename(pid, fd);
        }
    }

    /// Builds in [`Step::scratch`] the absolute form of a path given to a call together with the
    /// directory fd it is relative to (`None`: to the current directory).
    pub fn resolve(&mut self, dirfd: Option<i64>, name: &[u8]) {
        let process = self.state.thread(self.process);
        let base: &[u8] = match (dirfd, process) {
            (None | Some(AT_FDCWD), Some(process)) => &process.cwd,
            (Some(dirfd), Some(process)) => {
                process.fds.get(dirfd).map_or(path::UNKNOWN_DIRECTORY, |info| &info.name)
            }
            (_, None) => path::UNKNOWN_DIRECTORY,
        };
        path::join(self.scratch, base, name);
    }
}
