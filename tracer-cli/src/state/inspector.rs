//! Applies events to the state: the only writer of [`State`] while events flow.
//!
//! For each event it finds the thread and the fd, pairs enter with exit, and updates the tables.
//! All of that happens before filters and sinks look, so that an open shows the name of its fd.
//! What an event *ends* is removed when the next one arrives: a close still shows what it closed.

use super::amendment::Amendment;
use super::enter_params::EnterParams;
use super::plan::{Action, Bind, Glance, Plan};
use super::step::{Deferred, Step};
use super::thread::{LastEvent, Thread, ThreadFlags};
use super::{Binding, State, ThreadKey, apply_clone, apply_container, apply_user};
use crate::event::{Event, EventBits};
use crate::schema::EventType;
use crate::source::{Source, SourceError};

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most threads kept; the least recently seen ones make room for new ones.
    pub threads: usize,
    /// Names of users and groups are kept.
    pub users: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { threads: 262_144, users: true }
    }
}

/// What an event that nobody looks at leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trace {
    /// Nothing, and it is not one of the system.
    None,
    /// The time at which its thread was seen last.
    Seen,
    /// The same, and a note that the thread began a call, in place of all that was noted of the call before.
    Begin,
    /// The same, and a note that the thread ended a call.
    End,
    /// Something about its thread, or the process that this is of.
    Own,
    /// Anything.
    #[default]
    More,
}

/// Threads that have not been seen for this long are candidates of [`Inspector::sweep`], in ns.
const IDLE: u64 = 1_800_000_000_000;

/// The state and what is needed to apply events to it.
pub struct Inspector {
    /// What is known; fill it with what the source knows before the first event.
    pub state: State,
    limits: Limits,
    plans: &'static [Plan],
    deferred: Deferred,
    /// What is to be put right after the next event.
    amendment: Option<Box<Amendment>>,
    scratch: Vec<u8>,
    clock: Clock,
}

/// Times that the inspector keeps from event to event, ns since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clock {
    /// Of the first event of the recording.
    pub first_ts: Option<u64>,
    /// Of the event before.
    pub previous_ts: Option<u64>,
}

impl Default for Inspector {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Inspector {
    /// An inspector that knows nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            state: State::default(),
            limits,
            plans: Plan::of_types(true),
            deferred: Deferred::default(),
            amendment: None,
            scratch: Vec::with_capacity(super::path::MAX_PATH),
            clock: Clock::default(),
        }
    }

    /// An inspector with the same limits that knows nothing yet.
    pub fn another(&self) -> Self {
        Self { plans: self.plans, ..Self::new(self.limits) }
    }

    /// Nobody asks what threads use of CPUs and memory: from here on it is not counted.
    pub fn overlook_usage(&mut self) {
        self.plans = Plan::of_types(false);
    }

    /// Fills the state with what the source knows before its next event.
    ///
    /// # Errors
    /// What the source says about a list that is damaged.
    pub fn load(&mut self, source: &mut dyn Source) -> Result<(), SourceError> {
        source.load_state(&mut self.state)?;
        self.forget_unwanted();
        Ok(())
    }

    /// Removes from a state that was just filled what is not kept.
    pub fn forget_unwanted(&mut self) {
        if !self.limits.users {
            self.state.forget_users();
        }
    }

    /// Whether names of users and groups are kept.
    pub fn keeps_users(&self) -> bool {
        self.limits.users
    }

    /// Forgets everything but the time of the first event: what comes next is of another recording.
    pub fn begin_section(&mut self) {
        let before = std::mem::take(&mut self.state);
        self.state.containers.read_on(before.containers);
        self.deferred = Deferred::default();
        self.amendment = None;
    }

    /// Forgets everything: what comes next has nothing to do with what came before.
    pub fn begin_recording(&mut self) {
        self.begin_section();
        self.clock = Clock::default();
    }

    /// The times as they are between two events.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Goes on in the middle of a recording: [`Inspector::state`] is the state there already.
    pub fn resume(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// Removes from the state what the last event ended, for those who read the state between events.
    pub fn settle(&mut self) {
        self.deferred.finish(&mut self.state);
    }

    /// Remembers what the next event does not tell.
    pub fn amend_next(&mut self, mut amendment: Box<Amendment>) {
        if !self.limits.users {
            amendment.users.clear();
            amendment.groups.clear();
        }
        match &mut self.amendment {
            Some(before) => before.extend(*amendment),
            none => *none = Some(amendment),
        }
    }

    /// Puts right what is known after `event` was applied with the outcome `binding`.
    pub fn amend(&mut self, amendment: Amendment, event: &Event<'_>, binding: &mut Binding) {
        amendment.apply(&mut self.state, event.tid, binding, &mut self.deferred);
    }

    /// Updates the state with `event` and says what the event is about.
    ///
    /// `look_up` is asked about threads that are not known, with their tid; it may return `None`.
    #[inline]
    pub fn apply(
        &mut self,
        event: &Event<'_>,
        look_up: &mut dyn FnMut(i64) -> Option<Box<Thread>>,
    ) -> Binding {
        let mut binding = Binding::default();
        self.apply_event(event, look_up, &mut binding);
        if let Some(amendment) = self.amendment.take() {
            self.amend(*amendment, event, &mut binding);
        }
        binding
    }

    /// [`Inspector::apply`] without amendments. `binding` is the default one: what is said about the event stays where
    /// it is put.
    fn apply_event(
        &mut self,
        event: &Event<'_>,
        look_up: &mut dyn FnMut(i64) -> Option<Box<Thread>>,
        binding: &mut Binding,
    ) {
        self.deferred.finish(&mut self.state);
        let plan = self.plan(event.ty);
        binding.delta = self.clock.previous_ts.map(|before| event.ts.saturating_sub(before));
        binding.first_ts = self.clock.first_ts.unwrap_or(event.ts);
        // Notes about containers and users are no events of the system, and may have no time; early
        // events are no part of the stream.
        let is_meta = plan.is_meta || event.bits.contains(EventBits::EARLY);
        let is_of_stream = matches!(event.ty, EventType::PROCINFO_E | EventType::K8S_E | EventType::MESOS_E);
        if !is_meta || is_of_stream {
            self.clock.first_ts = Some(binding.first_ts);
        }
        if !is_meta {
            self.clock.previous_ts = Some(event.ts);
        }
        match plan.action {
            Action::Clone(layout) => return self.apply_clone(event, layout, plan, look_up, binding),
            Action::User(_) | Action::Group(_) if !self.limits.users => {}
            Action::User(added) => apply_user::user(&mut self.state, event, added),
            Action::Group(added) => apply_user::group(&mut self.state, event, added),
            Action::Container => binding.thread = apply_container::note(&mut self.state, event),
            Action::None | Action::Own(_) | Action::Thread(_) => {}
        }

        if plan.counts_time {
            binding.slice = self.slice(event);
        }
        let Some(key) = self.bind(event, plan, look_up) else { return };
        binding.thread = Some(key);
        let Some(thread) = thread_for(&mut self.state, key, plan) else { return };
        let Pair { latency, enter_fd } = note_call(thread, event, plan);
        binding.latency = latency;
        if plan.counts_time {
            thread.exec_time += binding.slice;
            thread.last_switch_ts = event.ts;
        }
        if plan.is_switch {
            binding.latency = Some(thread.last.latency);
        }
        binding.fd = fd_of(event, plan).or(enter_fd).filter(|fd| *fd >= 0);
        match plan.action {
            Action::Own(handler) => handler(thread, event),
            Action::Thread(handler) => self.run(handler, event, key, binding, look_up),
            _ => {}
        }
    }

    /// The fd that an event is going to be about that leaves behind no more than a [trace](Inspector::trace) of its call:
    /// `begin` is the event with which `thread` began its last call, if that has not been noted yet.
    #[inline]
    pub fn fd_of_next(&self, event: &Event<'_>, begin: Option<&Event<'_>>, thread: &Thread) -> Option<i64> {
        let plan = self.plan(event.ty);
        let of_begin = || match begin {
            _ if event.ty.is_enter() || !plan.is_call => None,
            Some(begin) if begin.ty == event.ty.enter() => {
                fd_of(begin, self.plan(begin.ty)).filter(|fd| *fd >= 0)
            }
            Some(_) => None,
            None => thread.last.fd.filter(|_| thread.last.ty == Some(event.ty.enter())),
        };
        fd_of(event, plan).or_else(of_begin).filter(|fd| *fd >= 0)
    }

    /// As [`Inspector::apply`], for an event that nobody looks at, without finding out what it is about; `key` is of its
    /// thread, where that is known already. Says `false` when that will not do: then nothing has happened.
    // By far most events of a filtered run go this way, and by no other.
    #[inline(always)]
    pub fn pass_by(&mut self, event: &Event<'_>, key: Option<ThreadKey>) -> bool {
        if self.amendment.is_some() || self.clock.first_ts.is_none() {
            return false;
        }
        let plan = self.plan(event.ty);
        match plan.glance {
            Glance::Nothing => self.settle(),
            Glance::Thread => {
                self.settle();
                match key.or_else(|| self.state.find(event.tid)) {
                    Some(key) => {
                        let Some(thread) = thread_for(&mut self.state, key, plan) else { return false };
                        thread.last_access = event.ts;
                        note_call(thread, event, plan);
                        if let Action::Own(handler) = plan.action {
                            handler(thread, event);
                        }
                    }
                    None if plan.bind == Bind::Always => return false,
                    None => {}
                }
            }
            Glance::Everything => return false,
        }
        if !plan.is_meta {
            self.clock.previous_ts = Some(event.ts);
        }
        true
    }

    /// What an event of this type that nobody looks at leaves behind.
    pub fn trace(&self, ty: EventType) -> Trace {
        let plan = self.plan(ty);
        match plan.glance {
            Glance::Nothing => Trace::None,
            Glance::Thread if matches!(plan.action, Action::None) => match (plan.is_call, ty.is_exit()) {
                (false, _) => Trace::Seen,
                (true, false) => Trace::Begin,
                (true, true) => Trace::End,
            },
            _ if plan.is_lone => Trace::Own,
            _ => Trace::More,
        }
    }

    /// Whether the parameters of events of this type may be kept with what they leave behind.
    pub fn keeps(&self, ty: EventType) -> bool {
        self.plan(ty).keep
    }

    /// Whether events of this type are of the system, and not notes of a recorder.
    pub fn is_of_system(&self, ty: EventType) -> bool {
        !self.plan(ty).is_meta
    }

    /// Whether events may be moved past as [`Inspector::trace`] says. What the last one ended is gone then.
    pub fn may_move_past(&mut self) -> bool {
        self.settle();
        self.amendment.is_none() && self.clock.first_ts.is_some()
    }

    /// Whether events of this type tell what their thread uses of CPUs and memory, if it is known, and nothing else.
    pub fn is_of_use(&self, ty: EventType) -> bool {
        let plan = self.plan(ty);
        plan.is_meta && plan.bind == Bind::Known && matches!(plan.action, Action::Own(_))
    }

    /// As [`Inspector::apply`], for an event of such a type; `key` is of its thread.
    #[inline]
    pub fn note_use(&mut self, event: &Event<'_>, key: ThreadKey) -> Option<&Thread> {
        let Action::Own(handler) = self.plan(event.ty).action else { return None };
        let thread = self.state.thread_in_use(key)?;
        handler(thread, event);
        Some(thread)
    }

    /// Makes up for events of a thread that were moved past and left behind no more than that a call began or ended; the
    /// thread was at `key` once.
    pub fn note<'e>(&mut self, tid: i64, key: ThreadKey, events: impl Iterator<Item = Event<'e>>) {
        let is_there = self.state.thread(key).is_some_and(|thread| thread.tid == tid);
        let key = if is_there { Some(key) } else { self.state.find(tid) };
        let Some(thread) = key.and_then(|key| self.state.thread_at_work(key)) else { return };
        for event in events {
            thread.last_access = event.ts;
            note_call(thread, &event, plan_of(self.plans, event.ty));
        }
    }

    /// The last event that was moved past and was one of the system was of this time, ns since the epoch.
    pub fn moved_to(&mut self, ts: u64) {
        self.clock.previous_ts = Some(ts);
    }

    /// What is to be done with events of a type.
    #[inline]
    fn plan(&self, ty: EventType) -> &'static Plan {
        plan_of(self.plans, ty)
    }

    #[inline(never)]
    fn apply_clone(
        &mut self,
        event: &Event<'_>,
        layout: &apply_clone::CloneLayout,
        plan: &Plan,
        look_up: &mut dyn FnMut(i64) -> Option<Box<Thread>>,
        binding: &mut Binding,
    ) {
        let caller = match event.i64(0) {
            Some(0) => self.state.find(event.tid),
            _ => self.bind(event, plan, look_up),
        };
        apply_clone::clone(&mut self.state, event, layout, caller, look_up);
        self.make_room(0, event.tid);
        binding.thread = self.state.find(event.tid);
        if let Some(thread) = binding.thread.and_then(|key| self.state.thread_at_work(key)) {
            binding.latency = pair(thread, event).latency;
        }
    }

    /// The thread of an event, as far as events of this kind have one.
    #[inline]
    fn bind(
        &mut self,
        event: &Event<'_>,
        plan: &Plan,
        look_up: &mut dyn FnMut(i64) -> Option<Box<Thread>>,
    ) -> Option<ThreadKey> {
        if plan.bind == Bind::Never {
            return None;
        }
        let key = match self.state.find(event.tid) {
            Some(key) => key,
            None if plan.bind == Bind::Always && event.tid > 0 => self.learn(event, look_up),
            None => return None,
        };
        // Notes of the recorder are nothing that the thread does.
        if !plan.is_meta
            && let Some(thread) = self.state.thread_at_work(key)
        {
            thread.last_access = event.ts;
        }
        Some(key)
    }

    /// Adds the thread of an event that is not in the table, with its process.
    #[cold]
    fn learn(&mut self, event: &Event<'_>, look_up: &mut dyn FnMut(i64) -> Option<Box<Thread>>) -> ThreadKey {
        self.make_room(1, event.tid);
        self.state.counts.proc_lookups += 1;
        let thread = look_up(event.tid).filter(|thread| thread.tid == event.tid).unwrap_or_else(|| {
            self.state.counts.threads_unknown += 1;
            let pid = if event.pid > 0 { event.pid } else { event.tid };
            Box::new(Thread::unknown(event.tid, pid))
        });
        let (pid, uid, gid) = (thread.pid, thread.uid, thread.gid);
        self.state.insert_boxed(thread);
        if pid != event.tid && self.state.find(pid).is_none() {
            self.state.counts.proc_lookups += 1;
            let process = look_up(pid).filter(|process| process.tid == pid).unwrap_or_else(|| {
                self.state.counts.threads_unknown += 1;
                Box::new(Thread::unknown(pid, pid))
            });
            let key = self.state.insert_boxed(process);
            if let Some(process) = self.state.thread_mut(key) {
                process.last_access = event.ts;
            }
        }
        self.state.users.meet(uid, gid);
        match self.state.find(event.tid) {
            Some(key) => key,
            // Not reachable: it was inserted above.
            None => self.state.insert(Thread::unknown(event.tid, event.tid)),
        }
    }

    fn run(
        &mut self,
        handler: fn(&mut Step<'_>),
        event: &Event<'_>,
        key: ThreadKey,
        binding: &mut Binding,
        look_up: &mut dyn FnMut(i64) -> Option<Box<Thread>>,
    ) {
        // Out of the thread while the handler runs, so that it can be read while the state changes.
        let enter = self.state.thread_at_work(key).map(|thread| &mut thread.enter);
        let kept = enter.filter(|enter| event.ty.is_exit() && enter.ty().is_some()).map(std::mem::take);
        let nothing = EnterParams::default();
        let mut step = Step {
            process: self.state.process_key(key),
            state: &mut self.state,
            event,
            enter: kept.as_ref().unwrap_or(&nothing),
            thread: key,
            began: binding.latency.map(|latency| event.ts.saturating_sub(latency)),
            fd: binding.fd,
            deferred: &mut self.deferred,
            scratch: &mut self.scratch,
            look_up,
        };
        handler(&mut step);
        binding.fd = step.fd;
        if let Some(kept) = kept
            && let Some(thread) = self.state.thread_at_work(key)
        {
            thread.enter = kept;
        }
    }

    /// CPU time of what a switch event takes off its CPU, since the switch before.
    fn slice(&mut self, event: &Event<'_>) -> u64 {
        let cpu = usize::from(event.cpu);
        if self.state.switches.len() <= cpu {
            self.state.switches.resize(cpu + 1, 0);
        }
        let before = self.state.switches.get_mut(cpu).map_or(0, |at| std::mem::replace(at, event.ts));
        if before == 0 { 0 } else { event.ts.saturating_sub(before) }
    }

    /// Makes the table keep to its limit with `more` threads added; `keep` is not evicted.
    fn make_room(&mut self, more: usize, keep: i64) {
        let limit = self.limits.threads.max(1);
        if self.state.len() + more <= limit {
            return;
        }
        let mut evicted = self.state.remove_where(|t| t.flags.contains(ThreadFlags::DEAD) && t.tid != keep);
        // Many at once, as finding them takes a look at all.
        let mut left = (limit / 16).max(self.state.len() + evicted + more - limit).saturating_sub(evicted);
        if left > 0 {
            let oldest = self.state.nth_oldest_access(left);
            evicted += self.state.remove_where(|t| {
                let goes = left > 0 && t.last_access <= oldest && t.tid != keep;
                left -= usize::from(goes);
                goes
            });
        }
        self.state.counts.threads_evicted += evicted as u64;
    }

    /// Removes threads that have not been seen for half an hour and are gone according to
    /// `is_alive`; for live sources, now and then, as the end of a thread may have been lost.
    ///
    /// `now` is in ns since the epoch. Returns how many were removed.
    pub fn sweep(&mut self, now: u64, is_alive: &mut dyn FnMut(i64) -> bool) -> usize {
        let removed = self
            .state
            .remove_where(|t| now.saturating_sub(t.last_access.max(t.clone_ts)) > IDLE && !is_alive(t.tid));
        self.state.counts.threads_evicted += removed as u64;
        self.state.forget_containers();
        removed
    }
}

#[inline]
fn plan_of(plans: &'static [Plan], ty: EventType) -> &'static Plan {
    plans.get(usize::from(ty.0)).unwrap_or(&Plan::UNKNOWN)
}

/// The thread of an event, to be changed as far as events of this kind change it by themselves.
#[inline]
fn thread_for<'a>(state: &'a mut State, key: ThreadKey, plan: &Plan) -> Option<&'a mut Thread> {
    match plan.counts_time || matches!(plan.action, Action::Own(_)) {
        true => state.thread_in_use(key),
        false => state.thread_at_work(key),
    }
}

/// What is known of a call that returns.
#[derive(Default)]
struct Pair {
    latency: Option<u64>,
    enter_fd: Option<i64>,
}

/// Pairs an exit with its enter and notes it as the thread's last call.
#[inline]
fn pair(thread: &mut Thread, event: &Event<'_>) -> Pair {
    if event.ty.is_enter() {
        return Pair::default();
    }
    let last = &mut thread.last;
    // A successful execveat returns as execve from old probes.
    let is_pair = last.ty == Some(event.ty.enter())
        || (last.ty == Some(EventType::SYSCALL_EXECVEAT_E) && event.ty == EventType::SYSCALL_EXECVE_19_X);
    last.ty = Some(event.ty);
    if !is_pair {
        thread.enter.clear();
        return Pair::default();
    }
    last.latency = event.ts.saturating_sub(last.ts);
    Pair { latency: Some(last.latency), enter_fd: last.fd }
}

/// Notes the beginning of a call.
#[inline]
fn begin(thread: &mut Thread, event: &Event<'_>, plan: &Plan) {
    let fd = fd_of(event, plan).filter(|fd| *fd >= 0);
    thread.last = LastEvent { ty: Some(event.ty), ts: event.ts, cpu: event.cpu, fd, latency: 0 };
    if plan.keep {
        thread.enter.keep(event);
    } else {
        thread.enter.clear();
    }
}

/// Notes the beginning or the end of a call.
#[inline]
fn note_call(thread: &mut Thread, event: &Event<'_>, plan: &Plan) -> Pair {
    match (plan.is_call, event.ty.is_exit()) {
        (true, true) => return pair(thread, event),
        (true, false) => begin(thread, event, plan),
        (false, _) => {}
    }
    Pair::default()
}

/// The number that stands in the event where events of its kind have their fd.
#[inline]
fn fd_of(event: &Event<'_>, plan: &Plan) -> Option<i64> {
    plan.fd.and_then(|i| event.i64(usize::from(i)))
}
