//! The vocabulary of the event schema: what an event type, a parameter and a flag table are.
//!
//! The rows themselves are data (`data/*.json`) turned into Rust by `cargo xtask tables`; see
//! [`super::tables`]. Names, numeric codes, parameters and encodings are those of the scap schema,
//! because filters, chisels and captures speak it.

use std::fmt;

/// Numeric code of an event type in the scap schema. Even codes are enter events, odd codes exits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(pub u16);

impl EventType {
    /// The first type that sysdig 0.29.3 (2022) does not know.
    pub const FIRST_AFTER_0_29: EventType = EventType(336);

    /// The row of this type, or `None` when the code is newer than this schema.
    #[inline]
    pub fn info(self) -> Option<&'static EventInfo> {
        super::tables::EVENTS.get(usize::from(self.0))
    }

    /// `>` events: a call begins.
    #[inline]
    pub const fn is_enter(self) -> bool {
        self.0 & 1 == 0
    }

    /// `<` events: a call returns. Events that are no call (switch, signal …) are enter events.
    #[inline]
    pub const fn is_exit(self) -> bool {
        self.0 & 1 == 1
    }

    /// The enter type of the pair this type belongs to.
    #[inline]
    pub const fn enter(self) -> EventType {
        EventType(self.0 & !1)
    }

    /// The exit type of the pair this type belongs to.
    #[inline]
    pub const fn exit(self) -> EventType {
        EventType(self.0 | 1)
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Some(info) => write!(f, "{}", info.id),
            None => write!(f, "EventType({})", self.0),
        }
    }
}

/// One row of the event table.
#[derive(Debug)]
pub struct EventInfo {
    /// Its own code (equal to its index).
    pub ty: EventType,
    /// Name in the schema without the `PPME_` prefix, such as `SYSCALL_OPENAT_2_X`.
    pub id: &'static str,
    /// What users call it: `openat`.
    pub name: &'static str,
    pub category: Category,
    pub class: Class,
    pub flags: EventFlags,
    pub params: &'static [ParamInfo],
    pub status: Status,
}

impl EventInfo {
    /// Index of the parameter that holds the fd which the event is about: the first of an enter event, of
    /// an exit event the first fd that is not the result.
    pub fn fd_param(&self) -> Option<usize> {
        // mmap came to be about an fd when only exit events were left.
        let is_old = matches!(self.ty, EventType::SYSCALL_MMAP_E | EventType::SYSCALL_MMAP2_E);
        if is_old || !self.flags.contains(EventFlags::USES_FD) {
            return None;
        }
        let is_fd = |param: &ParamInfo| matches!(param.ty, ParamType::Fd | ParamType::Fd32);
        let from = usize::from(self.ty.is_exit());
        self.params.iter().enumerate().skip(from).find(|(_, param)| is_fd(param)).map(|(i, _)| i)
    }
}

/// Whether probes still emit this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Current,
    /// Read from old captures only.
    Old,
    /// A hole in the code space.
    Unused,
}

/// What an event is about (`EC_*`, the low bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    Unknown,
    Other,
    File,
    Net,
    Ipc,
    Memory,
    Process,
    Sleep,
    System,
    Signal,
    User,
    Time,
    Processing,
    IoRead,
    IoWrite,
    IoOther,
    Wait,
    Scheduler,
    Internal,
}

/// Where an event comes from (`EC_*`, the high bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    None,
    Syscall,
    Tracepoint,
    Plugin,
    Meta,
    Iter,
}

bitflags::bitflags! {
    /// `EF_*`: how an event relates to state.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct EventFlags: u32 {
        const CREATES_FD = 1;
        const DESTROYS_FD = 2;
        const USES_FD = 4;
        const READS_FROM_FD = 8;
        const WRITES_TO_FD = 16;
        const MODIFIES_STATE = 32;
        const UNUSED = 64;
        const WAITS = 128;
        const SKIP_PARSER_RESET = 256;
        const OLD_VERSION = 512;
        const LARGE_PAYLOAD = 2048;
        const CONVERTER_MANAGED = 4096;
    }
}

/// One parameter of an event type.
#[derive(Debug)]
pub struct ParamInfo {
    pub name: &'static str,
    pub ty: ParamType,
    pub format: ParamFormat,
    /// Names of the values of flag and enumeration types.
    pub flags: Option<&'static FlagTable>,
    /// Alternatives of a [`ParamType::Dyn`] parameter; its first byte is an index into them.
    pub alternatives: &'static [ParamInfo],
    /// Of a relative path: the index of the parameter that holds its directory fd.
    pub dirfd: Option<u8>,
}

/// `PT_*`: how the bytes of a parameter are to be read. The discriminants are the scap codes.
///
/// Integers are little endian; `Charbuf` and paths are bytes with a final NUL that counts in the
/// length; a length of zero means "no value" for every type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ParamType {
    None = 0,
    Int8 = 1,
    Int16 = 2,
    Int32 = 3,
    Int64 = 4,
    Uint8 = 5,
    Uint16 = 6,
    Uint32 = 7,
    Uint64 = 8,
    Charbuf = 9,
    Bytebuf = 10,
    /// i64; negative values are `-errno`.
    Errno = 11,
    Sockaddr = 12,
    Socktuple = 13,
    /// i64; `-100` is `AT_FDCWD`.
    Fd = 14,
    Pid = 15,
    Fdlist = 16,
    Fspath = 17,
    /// u16 code in the schema's own system call numbering ([`super::tables::SYSCALL_NAMES`]).
    SyscallId = 18,
    Sigtype = 19,
    /// u64 nanoseconds; all ones means none.
    Reltime = 20,
    /// u64 nanoseconds since the epoch.
    Abstime = 21,
    Port = 22,
    L4proto = 23,
    Sockfamily = 24,
    Bool = 25,
    Ipv4addr = 26,
    Dyn = 27,
    Flags8 = 28,
    Flags16 = 29,
    Flags32 = 30,
    Uid = 31,
    Gid = 32,
    Double = 33,
    Sigset = 34,
    CharbufArray = 35,
    CharbufPairArray = 36,
    Ipv4net = 37,
    Ipv6addr = 38,
    Ipv6net = 39,
    Ipaddr = 40,
    Ipnet = 41,
    Mode = 42,
    Fsrelpath = 43,
    Enumflags8 = 44,
    Enumflags16 = 45,
    Enumflags32 = 46,
    /// i32, otherwise as [`ParamType::Fd`]; iterator events only.
    Fd32 = 47,
    /// i32, otherwise as [`ParamType::Pid`]; iterator events only.
    Pid32 = 48,
}

/// `PF_*`: how a number is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamFormat {
    Na,
    Dec,
    /// Upper case hexadecimal without prefix.
    Hex,
    /// Decimal, zero padded to nine digits.
    PaddedDec,
    Id,
    Dir,
    /// Octal with a leading zero.
    Oct,
}

/// Names of flag bits or enumeration values, in the order in which they are matched and printed.
#[derive(Debug)]
pub struct FlagTable {
    pub name: &'static str,
    pub entries: &'static [(&'static str, u32)],
}

/// What the schema knows of one system call of an architecture.
#[derive(Debug, Clone, Copy)]
pub struct SyscallInfo {
    /// Name in the kernel's table, such as `openat`.
    pub name: &'static str,
    /// Its number in the schema's own numbering (`PPM_SC_*`), shared by all architectures.
    pub code: u16,
    /// Enter event; [`EventType::GENERIC_E`] when the schema has no type of its own.
    pub enter: EventType,
    pub exit: EventType,
}
