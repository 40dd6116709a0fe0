//! Everything tracer knows about the traced system. The inspector is the only writer; fields,
//! filters and sinks read [`State`] through a [`Context`].

pub mod enter_params;
pub mod fd;
pub mod fd_table;
pub mod thread;
pub mod users;

use crate::event::Event;
use fd::FdInfo;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use thread::Thread;

/// The tables.
#[derive(Debug, Default)]
pub struct State {
    threads: Vec<Option<Box<Thread>>>,
    free: Vec<u32>,
    by_tid: FxHashMap<i64, u32>,
    pub users: users::Users,
    pub machine: Machine,
    pub counts: StateCounts,
    /// Local addresses, to tell the local end of a connection from the remote one.
    pub local_addresses: Vec<IpAddr>,
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
}

/// A thread's place in the table; good until the next event is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadKey(u32);

impl State {
    #[inline]
    pub fn find(&self, tid: i64) -> Option<ThreadKey> {
        self.by_tid.get(&tid).map(|i| ThreadKey(*i))
    }

    #[inline]
    pub fn thread(&self, key: ThreadKey) -> Option<&Thread> {
        self.threads.get(key.0 as usize)?.as_deref()
    }

    #[inline]
    pub fn thread_mut(&mut self, key: ThreadKey) -> Option<&mut Thread> {
        self.threads.get_mut(key.0 as usize)?.as_deref_mut()
    }

    #[inline]
    pub fn by_tid(&self, tid: i64) -> Option<&Thread> {
        self.thread(self.find(tid)?)
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

    /// Adds or replaces the thread with this tid.
    pub fn insert(&mut self, thread: Thread) -> ThreadKey {
        let tid = thread.tid;
        let index = match self.find(tid) {
            Some(key) => key.0,
            None => self.free.pop().unwrap_or_else(|| {
                self.threads.push(None);
                (self.threads.len() - 1) as u32
            }),
        };
        self.threads[index as usize] = Some(Box::new(thread));
        self.by_tid.insert(tid, index);
        ThreadKey(index)
    }

    pub fn remove(&mut self, tid: i64) -> Option<Box<Thread>> {
        let index = self.by_tid.remove(&tid)?;
        self.free.push(index);
        self.threads.get_mut(index as usize)?.take()
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

    /// The fd of the event as the state knows it.
    #[inline]
    pub fn fd(&self) -> Option<&'a FdInfo> {
        self.fd_at(self.binding.fd?)
    }

    /// Any fd of the event's process.
    #[inline]
    pub fn fd_at(&self, fd: i64) -> Option<&'a FdInfo> {
        self.process()?.fds.get(fd)
    }
}
