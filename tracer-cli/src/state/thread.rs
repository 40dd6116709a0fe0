//! What is known of one thread.
//!
//! Facts that belong to the process (cwd, environment, fd table, memory …) are kept on its main
//! thread (`tid == pid`); readers ask [`super::State::process_of`].

use super::containers::Place;
use super::enter_params::EnterParams;
use super::fd_table::FdTable;
use crate::schema::EventType;
use bstr::BString;
use std::rc::Rc;

/// Unset user or group id.
pub const NO_ID: u32 = u32::MAX;

bitflags::bitflags! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct ThreadFlags: u32 {
        /// The thread ended; it is kept while something may still ask for it.
        const DEAD = 1;
        /// Made up because nothing could be learnt about it: its text fields have no value.
        const UNKNOWN = 2;
        /// Its stdin or stdout was replaced by a dup: part of a pipeline.
        const PIPE_SOURCE = 4;
        const PIPE_TARGET = 8;
        /// Inherits orphaned children (`PR_SET_CHILD_SUBREAPER`).
        const REAPER = 16;
        /// Its ids in its own pid namespace differ from the host's.
        const IN_PID_NS = 32;
        /// Created from the child's own clone event before the parent's was seen.
        const FROM_CHILD = 64;
        const EXE_WRITABLE = 128;
        const EXE_UPPER_LAYER = 256;
        const EXE_LOWER_LAYER = 512;
        const EXE_FROM_MEMFD = 1024;
        /// Its name was changed since it started (exec or `PR_SET_NAME`).
        const NAME_CHANGED = 2048;
    }
}

thread_local! {
    static NOTHING: Rc<[u8]> = Rc::from([]);
}

/// CPU time as the kernel counts it, in ticks of 10 ms.
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuUse {
    /// Of the thread's whole life; 0 until it is told.
    pub user: u64,
    pub system: u64,
    /// Between the last two times that it was told: of a second, percent.
    pub user_delta: u64,
    pub system_delta: u64,
}

/// The last event of a thread, for pairing enter with exit.
#[derive(Debug, Clone, Copy, Default)]
pub struct LastEvent {
    pub ty: Option<EventType>,
    /// ns since the epoch.
    pub ts: u64,
    pub cpu: u16,
    /// fd that the enter event used.
    pub fd: Option<i64>,
    /// ns that the last call took, 0 while one lasts; switches have the latency of the call before them.
    pub latency: u64,
}

/// One thread; text fields are raw bytes of the traced system.
///
/// In the order of C: what nearly every event touches is at the start, in as few cache lines as can be.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Thread {
    pub tid: i64,
    pub pid: i64,
    /// Time of the last access, ns since the epoch, for eviction.
    pub last_access: u64,
    /// Another number after each change of what is known of it, which no other thread has or had.
    pub changed: u64,
    /// As [`Thread::changed`], but for what it uses of CPUs and memory, and for its fds.
    pub told: u64,
    pub last: LastEvent,
    pub cpu_use: CpuUse,
    /// ns of CPU time over all switch events seen (`thread.totexectime`).
    pub exec_time: u64,
    pub last_switch_ts: u64,
    pub flags: ThreadFlags,
    /// The container; [`super::State::insert`] finds it from the control groups.
    pub place: Place,
    /// Parameters of the enter event that is waiting for its exit, where the exit may need them.
    pub enter: EnterParams,
    /// Parent process.
    pub ptid: i64,
    /// Ids in the innermost pid namespace, -1 when unknown.
    pub vtid: i64,
    pub vpid: i64,
    pub sid: i64,
    pub pgid: i64,
    pub vpgid: i64,
    pub comm: BString,
    /// First argument, as the program was called.
    pub exe: BString,
    /// Absolute path of the executable.
    pub exepath: BString,
    /// Arguments after the first, each with a final NUL. Shared with forked children.
    pub args: Rc<[u8]>,
    /// `NAME=value` strings, each with a final NUL. Of the process.
    pub env: Rc<[u8]>,
    /// With a final `/`. Of the process.
    pub cwd: BString,
    pub root: BString,
    pub uid: u32,
    pub gid: u32,
    pub loginuid: u32,
    /// Device number of the controlling terminal, 0 when none.
    pub tty: u32,
    pub cap_inheritable: u64,
    pub cap_permitted: u64,
    pub cap_effective: u64,
    /// `subsystem=path` strings, each with a final NUL.
    pub cgroups: Rc<[u8]>,
    /// Soft limit of open files, negative when unknown.
    pub fd_limit: i64,
    /// KiB. Of the process.
    pub vm_size: u32,
    pub vm_rss: u32,
    pub vm_swap: u32,
    pub major_faults: u64,
    pub minor_faults: u64,
    pub exe_ino: u64,
    /// ns since the epoch.
    pub exe_ino_ctime: u64,
    pub exe_ino_mtime: u64,
    /// ns since the epoch, 0 when unknown.
    pub clone_ts: u64,
    pub last_exec_ts: u64,
    pub pidns_init_start_ts: u64,
    /// Threads of the group that are alive, counted on the main thread.
    pub live_threads: u32,
    /// Of the process: kept on the main thread.
    pub fds: FdTable,
    /// How often it got another parent because its parent ended.
    pub adoptions: u8,
}

impl Thread {
    /// A thread of which only the ids are known; namespace ids are taken to be the same.
    pub fn new(tid: i64, pid: i64) -> Self {
        let nothing = NOTHING.with(Rc::clone);
        Self {
            tid,
            pid,
            ptid: -1,
            vtid: tid,
            vpid: pid,
            sid: -1,
            pgid: -1,
            vpgid: -1,
            comm: BString::default(),
            exe: BString::default(),
            exepath: BString::default(),
            args: Rc::clone(&nothing),
            env: Rc::clone(&nothing),
            cwd: BString::default(),
            root: BString::default(),
            uid: NO_ID,
            gid: NO_ID,
            loginuid: NO_ID,
            tty: 0,
            cap_inheritable: 0,
            cap_permitted: 0,
            cap_effective: 0,
            cgroups: nothing,
            place: Place::Unknown,
            fd_limit: -1,
            vm_size: 0,
            vm_rss: 0,
            vm_swap: 0,
            major_faults: 0,
            minor_faults: 0,
            exe_ino: 0,
            exe_ino_ctime: 0,
            exe_ino_mtime: 0,
            clone_ts: 0,
            last_exec_ts: 0,
            pidns_init_start_ts: 0,
            flags: ThreadFlags::empty(),
            last: LastEvent::default(),
            live_threads: 0,
            fds: FdTable::default(),
            exec_time: 0,
            last_switch_ts: 0,
            cpu_use: CpuUse::default(),
            adoptions: 0,
            last_access: 0,
            changed: 0,
            told: 0,
            enter: EnterParams::default(),
        }
    }

    /// A stand-in for a thread that nothing could be learnt about.
    pub fn unknown(tid: i64, pid: i64) -> Self {
        Self { flags: ThreadFlags::UNKNOWN, vtid: -1, vpid: -1, ..Self::new(tid, pid) }
    }

    /// Whether anything could be learnt about it.
    #[inline]
    pub fn is_known(&self) -> bool {
        !self.flags.contains(ThreadFlags::UNKNOWN)
    }

    /// Its name; of a thread that nothing is known about a placeholder that can be compared with.
    #[inline]
    pub fn name(&self) -> &[u8] {
        if self.flags.contains(ThreadFlags::UNKNOWN) { b"<NA>" } else { &self.comm }
    }

    /// The process id in its own pid namespace; where that is unknown, the host's.
    #[inline]
    pub fn own_pid(&self) -> i64 {
        if self.vpid < 0 { self.pid } else { self.vpid }
    }

    /// The process group as the host numbers it. Old recordings have only the number of the innermost
    /// pid namespace, which outside of all is the same.
    #[inline]
    pub fn host_pgid(&self) -> i64 {
        let is_other = self.pgid >= 0 || self.flags.contains(ThreadFlags::IN_PID_NS);
        if is_other { self.pgid } else { self.vpgid }
    }

    /// Whether this is the main thread of its process.
    #[inline]
    pub fn is_main(&self) -> bool {
        self.tid == self.pid
    }
}
