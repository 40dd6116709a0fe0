//! What a reader of the file knows: the state that comes of what was written so far.
//!
//! When a filter keeps events from being written, a reader does not learn what those told. So the
//! writer follows its own file like a reader, compares what a reader would know at each event with
//! what is known, and writes the difference as an amendment. What no event ever mentions costs
//! nothing; what is compared once and does not change is not written again.

use super::amend_event::{self, LONGEST};
use super::damage::Fault;
use super::input::Input;
use super::reader::CaptureSource;
use super::redact::Redaction;
use crate::event::{Event, EventBits};
use crate::schema::{ParamInfo, ParamType};
use crate::source::{Next, Source, SourceError};
use crate::state::amendment::{AmendedBinding, AmendedThread, Amendment};
use crate::state::fd::{FdInfo, Socket};
use crate::state::inspector::Inspector;
use crate::state::thread::{Thread, ThreadFlags};
use crate::state::{Context, State};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Ancestors looked at, and an end to loops.
const DEEPEST: usize = 64;

/// The state of a reader.
#[derive(Default)]
pub(super) struct Replica {
    reader: Inspector,
    /// Stamps of a process' table of fds and of the reader's, when both had the same contents.
    same_fds: FxHashMap<i64, (u64, u64)>,
    /// The same of threads: their [`Thread::changed`].
    same_threads: FxHashMap<i64, (u64, u64)>,
    /// The same of all that an event of a thread shows: [`State::changed`].
    same_all: FxHashMap<i64, (u64, u64)>,
    /// Threads that the event mentions, by number.
    mentioned: Vec<i64>,
    entries: Vec<u8>,
    exit_only: bool,
}

impl Replica {
    /// A reader that has just read these blocks, a section before its first event. With `exit_only` nobody asks how
    /// long calls take.
    ///
    /// # Errors
    /// The blocks are not whole.
    pub fn read(blocks: Vec<u8>, exit_only: bool) -> Result<Self, SourceError> {
        let mut reader = Inspector::default();
        let mut source = CaptureSource::of(Input::of_bytes(blocks));
        source.load_state(&mut reader.state)?;
        while let Next::Event(note) = source.next()? {
            reader.apply(&note, &mut |_| None);
        }
        Ok(Self { reader, exit_only, ..Self::default() })
    }

    /// The state that the reader knows.
    pub fn into_state(mut self) -> State {
        self.reader.settle();
        self.reader.state
    }

    /// Whether the reader knows a thread of this number.
    pub fn knows(&self, tid: i64) -> bool {
        self.reader.state.find(tid).is_some()
    }

    /// Follows an event that is written. Calls `write` with each parameter of an amendment that is to be written
    /// before it.
    pub fn follow(&mut self, context: &Context<'_>, redaction: &Redaction, mut write: impl FnMut(&[u8])) {
        // Recorders' notes at the start are for the state only; so are all others that a reader hides. Of which process
        // a thread is no event in a file says.
        let event = Event { bits: EventBits::empty(), pid: 0, ..*context.event };
        let mut binding = self.reader.apply(&event, &mut |_| None);
        let mut amendment = Amendment::default();
        let hostname = &context.state.machine.hostname;
        if self.reader.state.machine.hostname != *hostname {
            amendment.hostname = Some(hostname.clone());
        }
        if !self.is_same_all(context) {
            self.compare_all(context, redaction, &mut amendment);
        }
        if let Some(thread) = context.thread() {
            self.compare_users(context.state, thread, &mut amendment);
        }
        let mut wanted = AmendedBinding::from(context.binding);
        if self.exit_only {
            wanted.latency = binding.latency;
        }
        if AmendedBinding::from(&binding) != wanted {
            amendment.binding = Some(wanted);
        }
        if amendment.is_empty() {
            return;
        }
        let mut read = Amendment::default();
        let mut fault: Option<Fault> = None;
        amend_event::append(&mut self.entries, &amendment, |param| {
            write(param);
            match amend_event::read(param) {
                Ok(part) => read.extend(part),
                Err(e) => fault = Some(e),
            }
        });
        debug_assert_eq!(fault, None);
        self.reader.amend(read, &event, &mut binding);
        if let Some(process) = context.process() {
            self.note_same_fds(process);
        }
    }

    /// Whether nothing has changed since all that the event shows was the same.
    fn is_same_all(&self, context: &Context<'_>) -> bool {
        let changed = (context.state.changed(), self.reader.state.changed());
        self.same_all.get(&context.event.tid) == Some(&changed)
            && !context.event.info().params.iter().any(is_tid)
    }

    fn compare_all(&mut self, context: &Context<'_>, redaction: &Redaction, amendment: &mut Amendment) {
        self.mention(context);
        for i in 0..self.mentioned.len() {
            let Some(tid) = self.mentioned.get(i).copied() else { continue };
            match context.state.by_tid(tid) {
                Some(thread) => self.compare_thread(context.state, thread, redaction, amendment),
                // It ended, or is of another of several recordings.
                None if self.knows(tid) => amendment.unknown.push(tid),
                None => {}
            }
        }
        if let Some(process) = context.process() {
            self.compare_fds(process, amendment);
        }
        if amendment.is_empty() {
            let changed = (context.state.changed(), self.reader.state.changed());
            note(&mut self.same_all, &self.reader.state, context.event.tid, changed);
        }
    }

    /// Lists the threads that fields of the event can show something of.
    fn mention(&mut self, context: &Context<'_>) {
        self.mentioned.clear();
        let state = context.state;
        if let Some(thread) = context.thread() {
            self.mentioned.push(thread.tid);
            let process = state.process_of(thread);
            self.mentioned.extend([process.tid, process.sid, process.pgid, process.vpgid]);
            let mut at = process;
            for _ in 0..DEEPEST {
                match state.parent_of(at) {
                    Some(parent) if parent.pid != at.pid => {
                        self.mentioned.push(parent.tid);
                        at = parent;
                    }
                    _ => break,
                }
            }
        }
        for (i, param) in context.event.info().params.iter().enumerate() {
            if is_tid(param)
                && let Some(tid) = context.event.i64(i)
            {
                self.mentioned.push(tid);
            }
        }
        self.mentioned.dedup();
    }

    fn compare_thread(
        &mut self,
        state: &State,
        thread: &Thread,
        redaction: &Redaction,
        amendment: &mut Amendment,
    ) {
        let known = self.reader.state.by_tid(thread.tid);
        let changes = (thread.changed, known.map_or(0, |known| known.changed));
        if self.same_threads.get(&thread.tid) == Some(&changes) {
            return;
        }
        let container = state.container_of(thread);
        let is_same = known.is_some_and(|known| {
            let reads = self.reader.state.container_of(known);
            reads.map(|c| &c.id) == container.map(|c| &c.id) && same_thread(known, thread, redaction)
        });
        if is_same {
            note(&mut self.same_threads, &self.reader.state, thread.tid, changes);
            return;
        }
        if amendment.threads.iter().any(|other| other.thread.tid == thread.tid) {
            return;
        }
        let mut push = |thread: &Thread| {
            let container = state.container_of(thread).map(|container| {
                let id = if container.full_id.is_empty() { &container.id } else { &container.full_id };
                (container.kind, id.clone())
            });
            amendment.threads.push(AmendedThread { thread: redaction.thread(thread), container });
        };
        push(thread);
        // Adding or ending a thread changes the number of those of its process.
        let process = state.process_of(thread);
        if process.tid != thread.tid {
            push(process);
        }
    }

    fn compare_fds(&mut self, process: &Thread, amendment: &mut Amendment) {
        let nothing = crate::state::fd_table::FdTable::default();
        let known = self.reader.state.by_tid(process.tid).map_or(&nothing, |known| &known.fds);
        let stamps = (process.fds.stamp(), known.stamp());
        if stamps.0 == stamps.1 || self.same_fds.get(&process.tid) == Some(&stamps) {
            return;
        }
        for (number, info) in process.fds.iter() {
            if !known.get(number).is_some_and(|known| same_fd(known, info)) {
                amendment.fds.push((process.tid, number, Some(info.clone())));
            }
        }
        for (number, _) in known.iter() {
            if process.fds.get(number).is_none() {
                amendment.fds.push((process.tid, number, None));
            }
        }
        self.note_same_fds(process);
    }

    /// The tables of fds of `process` and of the reader are the same now.
    fn note_same_fds(&mut self, process: &Thread) {
        let known = self.reader.state.by_tid(process.tid).map_or(0, |known| known.fds.stamp());
        note(&mut self.same_fds, &self.reader.state, process.tid, (process.fds.stamp(), known));
    }

    fn compare_users(&self, state: &State, thread: &Thread, amendment: &mut Amendment) {
        let known = &self.reader.state.users;
        for uid in [thread.uid, thread.loginuid] {
            if let Some(user) = state.users.users.get(&uid)
                && !known.users.get(&uid).is_some_and(|known| known == user)
            {
                amendment.users.push((uid, user.clone()));
            }
        }
        if let Some(name) = state.users.groups.get(&thread.gid)
            && known.groups.get(&thread.gid) != Some(name)
        {
            amendment.groups.push((thread.gid, name.clone()));
        }
    }
}

/// Whether a parameter is the number of a thread.
fn is_tid(param: &ParamInfo) -> bool {
    matches!(param.ty, ParamType::Pid | ParamType::Pid32)
}

/// Notes of thread `tid` what was compared.
fn note(same: &mut FxHashMap<i64, (u64, u64)>, state: &State, tid: i64, compared: (u64, u64)) {
    same.insert(tid, compared);
    if same.len() > 2 * state.len() + 1024 {
        // Of those that ended.
        same.retain(|tid, _| state.find(*tid).is_some());
    }
}

/// Whether fields of two threads show the same.
fn same_thread(known: &Thread, thread: &Thread, redaction: &Redaction) -> bool {
    const UNSHOWN: ThreadFlags = ThreadFlags::FROM_CHILD.union(ThreadFlags::REAPER);
    let numbers = |t: &Thread| {
        (
            [t.tid, t.pid, t.ptid, t.vtid, t.vpid, t.sid, t.pgid, t.vpgid, t.fd_limit],
            [t.uid, t.gid, t.loginuid, t.tty, t.vm_size, t.vm_rss, t.vm_swap, t.live_threads],
            [t.cap_inheritable, t.cap_permitted, t.cap_effective, t.major_faults, t.minor_faults],
            [t.exe_ino, t.exe_ino_ctime, t.exe_ino_mtime, t.pidns_init_start_ts],
            [t.clone_ts, t.last_exec_ts, t.last_switch_ts, t.exec_time],
            t.flags - UNSHOWN,
        )
    };
    numbers(known) == numbers(thread)
        && same_text(&known.comm, &thread.comm)
        && same_text(&known.exe, &thread.exe)
        && same_text(&known.exepath, &thread.exepath)
        && same_text(&known.cwd, &thread.cwd)
        && same_text(&known.root, &thread.root)
        && same_list(&known.args, &redaction.args(&thread.args))
        && same_list(&known.env, &redaction.env(&thread.env))
        && same_list(&known.cgroups, &thread.cgroups)
}

/// Whether `known` is what a reader makes of `text`.
fn same_text(known: &[u8], text: &[u8]) -> bool {
    known == text.get(..usize::from(LONGEST.path)).unwrap_or(text)
}

/// Whether `known` is what a reader makes of `list`.
fn same_list(known: &Rc<[u8]>, list: &Rc<[u8]>) -> bool {
    let is_cut = list.len() > usize::from(LONGEST.strings);
    Rc::ptr_eq(known, list) || known == list || is_cut && list.starts_with(known)
}

fn same_fd(known: &FdInfo, info: &FdInfo) -> bool {
    let facts = |f: &FdInfo| {
        (
            [f.upper_layer, f.lower_layer, f.name_changed],
            [f.ino, f.since, u64::from(f.open_flags), u64::from(f.dev)],
            (f.kind, f.pidfd_pid),
        )
    };
    let ends = |s: &Socket| (s.l4, s.role, s.source, s.dest, s.source_ptr, s.dest_ptr, s.connected);
    facts(known) == facts(info)
        && known.name == info.name
        && known.name_raw == info.name_raw
        && known.socket.as_deref().map(ends) == info.socket.as_deref().map(ends)
}
