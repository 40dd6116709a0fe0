//! Everything tracer knows about the traced system. The inspector is the only writer; fields,
//! filters and sinks read [`State`] through a [`Context`].

pub mod amendment;
mod apply_clone;
mod apply_container;
mod apply_file;
mod apply_process;
mod apply_socket;
mod apply_user;
pub mod cgroup_id;
mod changes;
mod container_monitor;
pub mod container_note;
pub mod containers;
pub mod enter_params;
pub mod fd;
pub mod fd_table;
pub mod inspector;
pub mod interface;
mod members;
mod orient;
pub mod path;
mod plan;
mod recent;
mod step;
#[cfg(test)]
mod tests;
pub mod thread;
pub mod tuple;
mod unite;
pub mod users;

use crate::event::Event;
use changes::Changes;
use containers::{Container, Place};
use fd::FdInfo;
use members::Members;
use recent::Recent;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use thread::Thread;

/// The tables.
#[derive(Debug, Default)]
pub struct State {
    threads: Vec<Option<Box<Thread>>>,
    free: Vec<u32>,
    /// For [`Thread::changed`].
    changes: Changes,
    /// The number of the last change of which threads there are.
    lives: u64,
    by_tid: FxHashMap<i64, u32>,
    recent: Recent,
    /// The thread of an event that no thread made.
    stand_in: Option<Box<Thread>>,
    /// Parent process → its child processes.
    children: Members,
    /// Process → its threads in the table but the main one, which may be missing.
    others: Members,
    /// (tid, time) of threads that ended lately, a ring.
    ended: Vec<(i64, u64)>,
    ended_next: usize,
    pub users: users::Users,
    pub containers: containers::Containers,
    pub machine: Machine,
    pub counts: StateCounts,
    pub interfaces: Vec<interface::Interface>,
    /// Time of the last switch on each CPU, ns since the epoch; 0 where none is known.
    pub switches: Vec<u64>,
}

/// The machine that events come from.
#[derive(Debug, Default, Clone)]
pub struct Machine {
    pub hostname: String,
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// ns since the epoch.
    pub boot_ts: u64,
    /// tracer runs on it, so that its files may be asked.
    pub is_this: bool,
    /// They are asked about environments that are too long for an event.
    pub large_environments: bool,
}

/// What the tables had to do without.
#[derive(Debug, Default, Clone, Copy)]
pub struct StateCounts {
    pub threads_evicted: u64,
    pub fds_not_kept: u64,
    /// Threads that nothing could be learnt about.
    pub threads_unknown: u64,
    /// Look-ups of a thread in /proc.
    pub proc_lookups: u64,
    /// Threads looked at where more than one had to be: grows no faster than the number of events,
    /// whatever is in the tables.
    pub threads_visited: u64,
}

/// A thread's place in the table; good until the next event is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadKey(u32);

impl ThreadKey {
    /// Of the thread that is in no table.
    const STAND_IN: ThreadKey = ThreadKey(u32::MAX);
    /// Of no thread.
    pub const ABSENT: ThreadKey = ThreadKey(u32::MAX - 1);
}

impl State {
    /// Whether an interface of the machine has this address.
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.interfaces.iter().any(|interface| interface.address == address)
    }

    #[inline]
    pub fn find(&self, tid: i64) -> Option<ThreadKey> {
        let place = self.recent.place(tid);
        match self.threads.get(place) {
            Some(Some(thread)) if thread.tid == tid => Some(ThreadKey(place as u32)),
            _ => self.look_up(tid),
        }
    }

    fn look_up(&self, tid: i64) -> Option<ThreadKey> {
        let place = *self.by_tid.get(&tid)?;
        self.recent.note(tid, place);
        Some(ThreadKey(place))
    }

    #[inline]
    pub fn thread(&self, key: ThreadKey) -> Option<&Thread> {
        match self.threads.get(key.0 as usize) {
            Some(thread) => thread.as_deref(),
            None => self.stand_in.as_deref(),
        }
    }

    /// To change what is known of a thread.
    #[inline]
    pub fn thread_mut(&mut self, key: ThreadKey) -> Option<&mut Thread> {
        let thread = self.threads.get_mut(key.0 as usize)?.as_deref_mut()?;
        thread.changed = self.changes.next();
        thread.told = thread.changed;
        Some(thread)
    }

    /// To change the fds of a process; [`Thread::told`] stays.
    #[inline]
    fn fds_mut(&mut self, key: ThreadKey) -> Option<&mut fd_table::FdTable> {
        self.thread_in_use(key).map(|process| &mut process.fds)
    }

    /// To note what a thread uses of CPUs and memory.
    #[inline]
    fn thread_in_use(&mut self, key: ThreadKey) -> Option<&mut Thread> {
        let thread = self.threads.get_mut(key.0 as usize)?.as_deref_mut()?;
        thread.changed = self.changes.next();
        Some(thread)
    }

    /// Another number after each change of any thread, its fds and containers too.
    #[inline]
    pub fn changed(&self) -> u64 {
        self.changes.last()
    }

    /// Another number after each thread that is added, ends or goes.
    #[inline]
    pub fn lives(&self) -> u64 {
        self.lives
    }

    /// To note that a thread makes an event ([`Thread::last`] and the like), which is no change.
    #[inline]
    fn thread_at_work(&mut self, key: ThreadKey) -> Option<&mut Thread> {
        self.threads.get_mut(key.0 as usize)?.as_deref_mut()
    }

    #[inline]
    pub fn by_tid(&self, tid: i64) -> Option<&Thread> {
        self.thread(self.find(tid)?)
    }

    /// Whether the thread at `key` is the one that once had this number of a [change](Thread::changed), and has not
    /// changed since; of [no thread](ThreadKey::ABSENT) whether none came since the number was that of
    /// [`State::lives`].
    #[inline]
    pub fn is_unchanged(&self, key: ThreadKey, changed: u64) -> bool {
        match self.threads.get(key.0 as usize) {
            Some(Some(thread)) => thread.changed == changed,
            Some(None) => false,
            None => self.lives == changed,
        }
    }

    /// As [`State::is_unchanged`], but that the thread with this number may have changed.
    #[inline]
    pub fn is_there(&self, key: ThreadKey, tid: i64, changed: u64) -> bool {
        match self.threads.get(key.0 as usize) {
            Some(thread) => thread.as_ref().is_some_and(|thread| thread.tid == tid),
            None => self.lives == changed,
        }
    }

    /// The main thread of the group `thread` belongs to; the thread itself when it is not known.
    #[inline]
    pub fn process_of<'a>(&'a self, thread: &'a Thread) -> &'a Thread {
        if thread.tid == thread.pid { thread } else { self.by_tid(thread.pid).unwrap_or(thread) }
    }

    /// The parent process of the group `thread` belongs to.
    pub fn parent_of<'a>(&'a self, thread: &'a Thread) -> Option<&'a Thread> {
        let parent = self.by_tid(self.process_of(thread).ptid)?;
        Some(self.process_of(parent))
    }

    /// The key of [`State::process_of`].
    #[inline]
    pub fn process_key(&self, key: ThreadKey) -> ThreadKey {
        match self.thread(key) {
            Some(thread) if !thread.is_main() => self.find(thread.pid).unwrap_or(key),
            _ => key,
        }
    }

    /// Processes that were children of process `pid` when they were added or given that parent.
    pub fn children_of(&self, pid: i64) -> impl Iterator<Item = i64> {
        self.children.of(pid)
    }

    /// Makes `parent` the parent of process `pid`.
    pub fn set_parent(&mut self, pid: i64, parent: i64) {
        let Some(thread) = self.find(pid).and_then(|key| self.thread_mut(key)) else { return };
        let before = std::mem::replace(&mut thread.ptid, parent);
        self.children.remove(before, pid);
        self.children.insert(parent, pid);
    }

    /// Gives the children of process `pid` to process `to`.
    ///
    /// A child that has changed hands more often than processes do keeps the parent it has, so that a
    /// made-up file cannot hand crowds round for ever.
    fn give_children(&mut self, pid: i64, to: i64) {
        /// Most times that a child changes hands: more than subreapers are nested.
        const MOST: u8 = 64;
        for child in self.children.take(pid) {
            self.counts.threads_visited += 1;
            let Some(thread) = self.find(child).and_then(|key| self.thread_mut(key)) else { continue };
            if thread.adoptions < MOST {
                thread.adoptions += 1;
                thread.ptid = to;
                self.children.insert(to, child);
            }
        }
    }

    /// Adds or replaces the thread with this tid.
    pub fn insert(&mut self, thread: Thread) -> ThreadKey {
        self.insert_boxed(Box::new(thread))
    }

    /// [`State::insert`] without moving the thread.
    pub fn insert_boxed(&mut self, mut thread: Box<Thread>) -> ThreadKey {
        self.remove(thread.tid);
        if thread.place == Place::Unknown {
            thread.place = self.place_of(&thread);
        }
        thread.changed = self.changes.next();
        thread.told = thread.changed;
        self.lives = thread.changed;
        let tid = thread.tid;
        let lives = u32::from(!thread.flags.contains(thread::ThreadFlags::DEAD));
        if thread.is_main() {
            thread.live_threads = lives + self.others.count(tid) as u32;
            self.children.insert(thread.ptid, tid);
        } else {
            self.others.insert(thread.pid, tid);
            if let Some(main) = self.find(thread.pid).and_then(|key| self.thread_mut(key)) {
                main.live_threads += lives;
            }
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.threads.push(None);
            (self.threads.len() - 1) as u32
        });
        self.threads[index as usize] = Some(thread);
        self.by_tid.insert(tid, index);
        ThreadKey(index)
    }

    /// Keeps `thread` as the one of an event that no thread made; it cannot be found by its number.
    fn set_stand_in(&mut self, thread: Thread) -> ThreadKey {
        self.stand_in = Some(Box::new(thread));
        ThreadKey::STAND_IN
    }

    /// Forgets the thread with this tid; other threads of its process stay.
    pub fn remove(&mut self, tid: i64) -> Option<Box<Thread>> {
        let index = self.by_tid.remove(&tid)?;
        self.free.push(index);
        self.lives = self.changes.next();
        let thread = self.threads.get_mut(index as usize)?.take()?;
        let lives = u32::from(!thread.flags.contains(thread::ThreadFlags::DEAD));
        if thread.is_main() {
            self.children.remove(thread.ptid, tid);
        } else {
            self.others.remove(thread.pid, tid);
            if let Some(main) = self.find(thread.pid).and_then(|key| self.thread_mut(key)) {
                main.live_threads = main.live_threads.saturating_sub(lives);
            }
        }
        Some(thread)
    }

    /// The thread ended: it no longer counts among the live ones of its process.
    pub fn mark_dead(&mut self, key: ThreadKey) {
        let Some(thread) = self.thread_mut(key) else { return };
        if thread.flags.contains(thread::ThreadFlags::DEAD) {
            return;
        }
        thread.flags |= thread::ThreadFlags::DEAD;
        self.lives = self.changes.next();
        let process = self.process_key(key);
        if let Some(main) = self.thread_mut(process) {
            main.live_threads = main.live_threads.saturating_sub(1);
        }
    }

    /// Remembers for a while that the thread `tid` ended at `ts`.
    fn note_end(&mut self, tid: i64, ts: u64) {
        /// How many ends are remembered.
        const REMEMBERED: usize = 256;
        if self.ended.len() < REMEMBERED {
            self.ended.push((tid, ts));
        } else if let Some(oldest) = self.ended.get_mut(self.ended_next) {
            *oldest = (tid, ts);
        }
        self.ended_next = (self.ended_next + 1) % REMEMBERED;
    }

    /// The ends that are remembered, oldest first: threads with the time, ns since the epoch.
    pub fn ended(&self) -> impl Iterator<Item = (i64, u64)> {
        let (newer, older) = self.ended.split_at(self.ended_next.min(self.ended.len()));
        older.iter().chain(newer).copied()
    }

    /// Remembers these ends, oldest first, and no others.
    pub fn set_ended(&mut self, ended: impl IntoIterator<Item = (i64, u64)>) {
        self.ended.clear();
        self.ended_next = 0;
        ended.into_iter().for_each(|(tid, ts)| self.note_end(tid, ts));
    }

    /// Whether a thread `tid` is remembered to have ended at `ts` or later.
    fn ended_since(&self, tid: i64, ts: u64) -> bool {
        self.ended.iter().any(|(ended, at)| *ended == tid && *at >= ts)
    }

    /// Forgets the names of users and groups, those of containers too.
    pub fn forget_users(&mut self) {
        self.users = users::Users::default();
        self.containers.forget_users();
    }

    /// Finds out anew where the thread runs, as its control groups may have changed.
    pub(super) fn find_place(&mut self, key: ThreadKey) {
        let Some(mut thread) = self.threads.get_mut(key.0 as usize).and_then(Option::take) else { return };
        thread.place = self.place_of(&thread);
        thread.changed = self.changes.next();
        thread.told = thread.changed;
        if let Some(slot) = self.threads.get_mut(key.0 as usize) {
            *slot = Some(thread);
        }
    }

    /// Where a thread runs that is not in the table.
    fn place_of(&mut self, thread: &Thread) -> Place {
        match self.containers.place_of(thread) {
            Place::Host => match container_monitor::testimony(self, thread) {
                Some(said) => self.containers.enter(&said.found, thread, said.owner),
                None => Place::Host,
            },
            place => place,
        }
    }

    /// The thread has begun a program: what is not known of its container may be asked now.
    pub(super) fn ask_about_container(&mut self, key: ThreadKey) {
        if let Some(thread) = self.threads.get(key.0 as usize).and_then(Option::as_deref)
            && let Place::In(container) = thread.place
        {
            self.containers.ask_about(container, thread, cgroup_id::owner_of(&thread.cgroups));
        }
    }

    /// Forgets the containers that no thread is in any more.
    pub(super) fn forget_containers(&mut self) {
        self.containers.keep_those_of(self.threads.iter().filter_map(Option::as_deref));
    }

    /// The container that a thread runs in, `None` on the host.
    #[inline]
    pub fn container_of(&self, thread: &Thread) -> Option<&Container> {
        match thread.place {
            Place::In(key) => self.containers.get(key),
            Place::Unknown | Place::Host => None,
        }
    }

    /// Removes the threads of process `pid` but its main thread and `keep`.
    fn remove_others(&mut self, pid: i64, keep: i64) {
        let others: Vec<i64> = self.others.of(pid).filter(|tid| *tid != keep).collect();
        self.counts.threads_visited += others.len() as u64;
        for tid in others {
            self.remove(tid);
        }
    }

    /// Removes the threads for which `goes` says so; returns how many.
    pub fn remove_where(&mut self, mut goes: impl FnMut(&Thread) -> bool) -> usize {
        self.counts.threads_visited += self.threads.len() as u64;
        let tids: Vec<i64> = self.threads().filter(|t| goes(t)).map(|t| t.tid).collect();
        for tid in &tids {
            self.remove(*tid);
        }
        tids.len()
    }

    /// When the `n`-th least recently seen thread (from 1) was last seen.
    fn nth_oldest_access(&self, n: usize) -> u64 {
        let mut times: Vec<u64> = self.threads().map(|t| t.last_access).collect();
        let Some(last) = times.len().checked_sub(1) else { return 0 };
        *times.select_nth_unstable(n.saturating_sub(1).min(last)).1
    }

    pub fn threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.iter().filter_map(|t| t.as_deref())
    }

    pub fn len(&self) -> usize {
        self.by_tid.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_tid.is_empty()
    }
}

/// What the inspector found out about the current event; handed to filter and sinks beside it.
#[derive(Debug, Clone, Default)]
pub struct Binding {
    /// The thread that made the event.
    pub thread: Option<ThreadKey>,
    /// The fd the event is about, when it has one.
    pub fd: Option<i64>,
    /// ns between enter and exit; `None` when the enter was not seen.
    pub latency: Option<u64>,
    /// ns of CPU time that a switch event ended.
    pub slice: u64,
    /// ns since the event before.
    pub delta: Option<u64>,
    /// Time of the first event of the stream, ns since the epoch.
    pub first_ts: u64,
}

/// An event together with all that is known around it: what fields are extracted from.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub event: &'a Event<'a>,
    pub state: &'a State,
    pub binding: &'a Binding,
}

impl<'a> Context<'a> {
    #[inline]
    pub fn thread(&self) -> Option<&'a Thread> {
        self.state.thread(self.binding.thread?)
    }

    #[inline]
    pub fn process(&self) -> Option<&'a Thread> {
        Some(self.state.process_of(self.thread()?))
    }

    /// The container of the thread, `None` on the host.
    #[inline]
    pub fn container(&self) -> Option<&'a Container> {
        self.state.container_of(self.thread()?)
    }

    /// The fd of the event as the state knows it.
    #[inline]
    pub fn fd(&self) -> Option<&'a FdInfo> {
        self.fd_at(self.binding.fd?)
    }

    /// The fd of the event, known or not, and the table that it would be in.
    #[inline]
    pub fn fd_in_table(&self) -> Option<(&'a fd_table::FdTable, i64)> {
        let fd = self.binding.fd?;
        Some((&self.process()?.fds, fd))
    }

    /// Any fd of the event's process.
    #[inline]
    pub fn fd_at(&self, fd: i64) -> Option<&'a FdInfo> {
        self.process()?.fds.get(fd)
    }
}
