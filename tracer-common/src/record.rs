//! Layout of the records in the ring buffers.
//!
//! A record is a [`RecordHeader`], then `args` 64-bit words (the raw argument registers of the
//! call), then `pieces` pieces. A piece is a [`PieceHeader`] followed by `len` bytes, not padded.
//! All integers are in host byte order.

/// What a record is about.
pub mod kind {
    pub const ENTER: u8 = 1;
    pub const EXIT: u8 = 2;
    /// A thread ended (`sched_process_exit`); carries [`super::ExitFacts`] as its only piece.
    pub const PROC_EXIT: u8 = 3;
    /// A signal was delivered; args: sending pid, receiving tid, signal number.
    pub const SIGNAL: u8 = 4;
    /// args: next tid, major faults, minor faults, vm size, rss, swap (KiB) of the previous task.
    pub const SWITCH: u8 = 5;
    /// args: address, instruction pointer, error code.
    pub const PAGE_FAULT: u8 = 6;
}

/// Bits of [`RecordHeader::kind`] beside the kind.
pub mod flag {
    /// The call came through the 32-bit interface: `number` counts in the i386 table.
    pub const COMPAT: u8 = 0x10;
    /// At least one piece could not be read.
    pub const FAULT: u8 = 0x20;
}

/// Parts of [`RecordHeader::shape`].
pub mod shape {
    /// The number of argument words.
    pub const ARGS: u8 = 7;
    /// One piece.
    pub const PIECE: u8 = 8;
}

/// Head of every record: half a cache line, so that a call with three arguments and nothing else fills one.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordHeader {
    /// `CLOCK_MONOTONIC`, ns: the cheapest clock for the probe. It stands still while the machine sleeps.
    pub time: u64,
    /// Return value of the call; 0 on enter.
    pub result: i64,
    pub tid: u32,
    pub tgid: u32,
    /// Bytes after this header.
    pub len: u32,
    /// System call number in the native table of the call (see [`flag::COMPAT`]).
    pub number: u16,
    /// One of [`kind`], and bits of [`flag`].
    pub kind: u8,
    /// How many 64-bit words follow the header and how many pieces follow them, see [`shape`].
    pub shape: u8,
}

impl RecordHeader {
    /// One of [`kind`].
    pub const fn kind(&self) -> u8 {
        self.kind & 0xf
    }

    /// Bits of [`flag`].
    pub const fn flags(&self) -> u8 {
        self.kind & 0xf0
    }

    /// 64-bit words that follow the header.
    pub const fn args(&self) -> usize {
        (self.shape & shape::ARGS) as usize
    }

    /// Pieces that follow those.
    pub const fn pieces(&self) -> usize {
        (self.shape / shape::PIECE) as usize
    }
}

pub const HEADER_LEN: usize = 32;
const _: () = assert!(size_of::<RecordHeader>() == HEADER_LEN);

/// Head of one piece of copied memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PieceHeader {
    /// Bytes that follow.
    pub len: u16,
    /// Index of the piece in the capture plan of its call.
    pub slot: u8,
    /// 0, or one of [`piece_status`].
    pub status: u8,
}

pub const PIECE_HEADER_LEN: usize = 4;
const _: () = assert!(size_of::<PieceHeader>() == PIECE_HEADER_LEN);

/// Why a piece is not whole.
pub mod piece_status {
    pub const OK: u8 = 0;
    /// The address could not be read (bad pointer, or the page was not present).
    pub const FAULT: u8 = 1;
    /// The record had no more room.
    pub const NO_ROOM: u8 = 2;
    /// The pointer was null.
    pub const NULL: u8 = 3;
    /// The kernel structure is not there (no such fd, not a socket, offset unknown …).
    pub const ABSENT: u8 = 4;
}

/// What is known of a task; the piece `plan::TASK`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskFacts {
    pub tid: u32,
    pub tgid: u32,
    /// tgid of the real parent.
    pub ppid: u32,
    /// Ids as seen in the task's own pid namespace.
    pub vtid: u32,
    pub vpid: u32,
    pub pgid: u32,
    pub vpgid: u32,
    pub sid: u32,
    /// Effective ids.
    pub uid: u32,
    pub gid: u32,
    /// `u32::MAX` when unset.
    pub loginuid: u32,
    /// Device number of the controlling terminal (`major << 20 | minor`), 0 when there is none.
    pub tty: u32,
    /// KiB.
    pub vm_size: u32,
    pub vm_rss: u32,
    pub vm_swap: u32,
    /// Bits of [`task_flag`].
    pub flags: u32,
    pub major_faults: u64,
    pub minor_faults: u64,
    /// Soft limit of open files.
    pub fd_limit: u64,
    pub cap_inheritable: u64,
    pub cap_permitted: u64,
    pub cap_effective: u64,
    pub exe_ino: u64,
    /// ns since the epoch.
    pub exe_ctime: u64,
    pub exe_mtime: u64,
    /// Start of the first process of the task's pid namespace, ns since boot.
    pub pidns_start: u64,
    /// Inode of the control group in the default hierarchy.
    pub cgroup_id: u64,
    pub comm: [u8; 16],
}
const _: () = assert!(size_of::<TaskFacts>() == 168);

pub mod task_flag {
    /// The executable is on the upper layer of an overlay file system.
    pub const EXE_UPPER_LAYER: u32 = 1;
    /// The executable is an anonymous memory file.
    pub const EXE_FROM_MEMFD: u32 = 2;
    /// The task's pid namespace is not the initial one.
    pub const IN_PID_NS: u32 = 4;
    /// The executable may be written by the task.
    pub const EXE_WRITABLE: u32 = 8;
    /// The file of the executable has no name any more.
    pub const EXE_DELETED: u32 = 16;
    /// The executable is on the lower layer of an overlay file system.
    pub const EXE_LOWER_LAYER: u32 = 32;
}

/// The end of a thread; the piece of a `PROC_EXIT` record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ExitFacts {
    /// `task->exit_code`: wait status.
    pub status: u32,
    /// tid of the thread that inherits the children; 0 when not known.
    pub reaper: u32,
}
const _: () = assert!(size_of::<ExitFacts>() == 8);

/// The open file behind an fd; the piece `plan::FD_FILE`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FileFacts {
    pub ino: u64,
    /// Kernel `dev_t`: major << 20 | minor.
    pub dev: u32,
    /// `inode->i_mode`.
    pub mode: u32,
    /// `file->f_mode`.
    pub f_mode: u32,
    /// Bits of [`file_flag`].
    pub flags: u32,
}
const _: () = assert!(size_of::<FileFacts>() == 24);

pub mod file_flag {
    pub const UPPER_LAYER: u32 = 1;
    pub const LOWER_LAYER: u32 = 2;
}

/// The socket behind an fd; the piece `plan::FD_SOCKET`. Of a unix socket the piece goes on with
/// the path of whichever end has one (at most 108 bytes).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketFacts {
    /// `AF_*`.
    pub family: u16,
    /// `SOCK_*`.
    pub kind: u16,
    /// `IPPROTO_*`.
    pub protocol: u16,
    pub state: u8,
    pub _pad: u8,
    /// Host byte order.
    pub local_port: u16,
    pub remote_port: u16,
    pub backlog: u32,
    /// IPv4 in the first four bytes.
    pub local: [u8; 16],
    pub remote: [u8; 16],
    pub max_backlog: u32,
    pub _pad2: u32,
    /// Kernel address of the socket and, of a unix socket, of its peer.
    pub sock: u64,
    pub peer: u64,
}
const _: () = assert!(size_of::<SocketFacts>() == 72);

/// Memory of the calling process; the piece `plan::MEMORY`. KiB.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryFacts {
    pub vm_size: u32,
    pub vm_rss: u32,
    pub vm_swap: u32,
    pub _pad: u32,
}
const _: () = assert!(size_of::<MemoryFacts>() == 16);
