//! What readers of a capture cannot know from its events, because the events that tell it were not
//! written.
//!
//! An amendment belongs to one event: it says what was known when that event was recorded, as far as
//! a reader would know something else, and is made after the event was applied.

use super::cgroup_id::ContainerType;
use super::containers::Place;
use super::fd::FdInfo;
use super::step::Deferred;
use super::thread::{Thread, ThreadFlags};
use super::users::User;
use super::{Binding, State};
use bstr::BString;

/// Flags that a field can show.
const SHOWN: ThreadFlags = ThreadFlags::FROM_CHILD.union(ThreadFlags::REAPER).complement();

/// What is to be put right after an event.
#[derive(Debug, Default)]
pub struct Amendment {
    /// Name of the machine.
    pub hostname: Option<String>,
    /// Threads that are not known.
    pub unknown: Vec<i64>,
    pub threads: Vec<AmendedThread>,
    /// Process, number, and what it is; `None` when it is not open.
    pub fds: Vec<(i64, i64, Option<FdInfo>)>,
    pub users: Vec<(u32, User)>,
    pub groups: Vec<(u32, BString)>,
    pub binding: Option<AmendedBinding>,
}

/// A thread without its fds.
#[derive(Debug)]
pub struct AmendedThread {
    pub thread: Thread,
    /// The container that it runs in, and its type; `None` on the host.
    pub container: Option<(ContainerType, BString)>,
}

/// What the event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmendedBinding {
    /// It is of the thread whose number it has.
    pub has_thread: bool,
    pub fd: Option<i64>,
    pub latency: Option<u64>,
    pub slice: u64,
}

impl From<&Binding> for AmendedBinding {
    fn from(binding: &Binding) -> Self {
        let Binding { thread, fd, latency, slice, .. } = *binding;
        Self { has_thread: thread.is_some(), fd, latency, slice }
    }
}

impl Amendment {
    /// Whether there is nothing to be put right.
    pub fn is_empty(&self) -> bool {
        self.hostname.is_none()
            && self.unknown.is_empty()
            && self.threads.is_empty()
            && self.fds.is_empty()
            && self.users.is_empty()
            && self.groups.is_empty()
            && self.binding.is_none()
    }

    /// Adds what another one says.
    pub fn extend(&mut self, mut other: Amendment) {
        self.hostname = other.hostname.or(self.hostname.take());
        self.unknown.append(&mut other.unknown);
        self.threads.append(&mut other.threads);
        self.fds.append(&mut other.fds);
        self.users.append(&mut other.users);
        self.groups.append(&mut other.groups);
        self.binding = other.binding.or(self.binding);
    }

    /// Puts right what is known after the event of thread `tid`; what ends with it is added to `deferred`.
    pub(super) fn apply(self, state: &mut State, tid: i64, binding: &mut Binding, deferred: &mut Deferred) {
        if let Some(hostname) = self.hostname {
            state.machine.hostname = hostname;
        }
        for tid in self.unknown {
            state.remove(tid);
        }
        for amended in self.threads {
            amended.apply(state);
        }
        for (pid, number, info) in self.fds {
            let Some(process) = state.find(pid).and_then(|key| state.thread_mut(key)) else { continue };
            match info {
                None => _ = process.fds.remove(number),
                Some(info) => {
                    if info.name_changed {
                        deferred.rename(pid, number);
                    }
                    process.fds.insert(number, info);
                }
            }
        }
        state.users.users.extend(self.users);
        state.users.groups.extend(self.groups);
        if let Some(AmendedBinding { has_thread, fd, latency, slice }) = self.binding {
            (binding.fd, binding.latency, binding.slice) = (fd, latency, slice);
            binding.thread = if has_thread { state.find(tid) } else { None };
        }
    }
}

impl AmendedThread {
    fn apply(self, state: &mut State) {
        let Self { mut thread, container } = self;
        state.lives = state.changes.next();
        thread.place = match container {
            None => Place::Host,
            Some((kind, id)) => Place::In(state.containers.meet(kind, &id)),
        };
        let is_dead = thread.flags.contains(ThreadFlags::DEAD);
        let live_threads = thread.live_threads;
        let is_known =
            |known: &Thread| known.pid == thread.pid && (is_dead || !known.flags.contains(ThreadFlags::DEAD));
        let known = state.find(thread.tid).filter(|key| state.thread(*key).is_some_and(is_known));
        let Some(key) = known else {
            // One with the same number and another process ended long ago.
            let key = state.insert(thread);
            if let Some(thread) = state.thread_mut(key) {
                thread.live_threads = live_threads;
            }
            return;
        };
        if thread.is_main() {
            state.set_parent(thread.tid, thread.ptid);
        }
        if let Some(known) = state.thread_mut(key) {
            thread.fds = std::mem::take(&mut known.fds);
            thread.enter = std::mem::take(&mut known.enter);
            thread.last = known.last;
            thread.last_access = known.last_access;
            thread.flags =
                (thread.flags & (SHOWN - ThreadFlags::DEAD)) | (known.flags - (SHOWN - ThreadFlags::DEAD));
            *known = thread;
        }
        if is_dead {
            state.mark_dead(key);
        }
        if let Some(thread) = state.thread_mut(key) {
            thread.live_threads = live_threads;
        }
    }
}
