//! What is known of one open file descriptor.

use bstr::BString;
use std::net::IpAddr;

/// Close on exec, in [`FdInfo::open_flags`].
pub const O_CLOEXEC: u32 = 4096;

/// What kind of thing an fd refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FdKind {
    Unknown,
    File,
    Directory,
    Ipv4,
    Ipv6,
    /// A listening or bound socket.
    Ipv4Server,
    Ipv6Server,
    Fifo,
    Unix,
    Event,
    Unsupported,
    Signal,
    Eventpoll,
    Inotify,
    Timer,
    Netlink,
    Bpf,
    Userfault,
    IoUring,
    Memfd,
    Pidfd,
}

/// Transport protocol of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum L4 {
    #[default]
    Unknown,
    /// Not an internet socket.
    None,
    Tcp,
    Udp,
    Icmp,
    Raw,
}

/// Which end of a connection this fd is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    #[default]
    Unknown,
    Client,
    Server,
}

/// Address and port of one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    pub ip: IpAddr,
    /// Host byte order.
    pub port: u16,
}

/// The socket part of an fd.
#[derive(Debug, Clone, Default)]
pub struct Socket {
    pub l4: L4,
    pub role: Role,
    /// Client end, or of a connectionless socket the sender.
    pub source: Option<Endpoint>,
    /// Server end; of a listening or bound socket its own address.
    pub dest: Option<Endpoint>,
    /// Unix sockets: kernel addresses of both ends.
    pub source_ptr: u64,
    pub dest_ptr: u64,
    pub connected: bool,
}

/// One open file descriptor.
#[derive(Debug, Clone)]
pub struct FdInfo {
    pub kind: FdKind,
    /// Absolute path, tuple text, or empty for nameless kinds.
    pub name: BString,
    /// The path as the program gave it.
    pub name_raw: BString,
    /// Open flags in scap encoding.
    pub open_flags: u32,
    /// Device number as the schema encodes it; 0 when unknown.
    pub dev: u32,
    pub ino: u64,
    pub upper_layer: bool,
    pub lower_layer: bool,
    /// Present for sockets.
    pub socket: Option<Box<Socket>>,
    /// The current event gave this fd its present name.
    pub name_changed: bool,
    /// Of a pidfd: the process.
    pub pidfd_pid: i64,
    /// When the number came to mean this, ns since the epoch; 0 when unknown.
    pub since: u64,
}

impl FdInfo {
    /// An fd of this kind about which nothing else is known.
    pub fn new(kind: FdKind) -> Self {
        Self {
            kind,
            name: BString::default(),
            name_raw: BString::default(),
            open_flags: 0,
            dev: 0,
            ino: 0,
            upper_layer: false,
            lower_layer: false,
            socket: None,
            name_changed: false,
            pidfd_pid: 0,
            since: 0,
        }
    }
}

impl FdKind {
    /// Each kind, in the order of their numbers.
    pub const ALL: [FdKind; 21] = [
        FdKind::Unknown,
        FdKind::File,
        FdKind::Directory,
        FdKind::Ipv4,
        FdKind::Ipv6,
        FdKind::Ipv4Server,
        FdKind::Ipv6Server,
        FdKind::Fifo,
        FdKind::Unix,
        FdKind::Event,
        FdKind::Unsupported,
        FdKind::Signal,
        FdKind::Eventpoll,
        FdKind::Inotify,
        FdKind::Timer,
        FdKind::Netlink,
        FdKind::Bpf,
        FdKind::Userfault,
        FdKind::IoUring,
        FdKind::Memfd,
        FdKind::Pidfd,
    ];

    /// The letter users see in `<f>` (`fd.typechar`).
    pub const fn letter(self) -> char {
        match self {
            FdKind::File => 'f',
            FdKind::Directory => 'd',
            FdKind::Ipv4 | FdKind::Ipv4Server => '4',
            FdKind::Ipv6 | FdKind::Ipv6Server => '6',
            FdKind::Unix | FdKind::Userfault => 'u',
            FdKind::Fifo => 'p',
            FdKind::Event => 'e',
            FdKind::Signal => 's',
            FdKind::Eventpoll => 'l',
            FdKind::Inotify => 'i',
            FdKind::Timer => 't',
            FdKind::Netlink => 'n',
            FdKind::Bpf => 'b',
            FdKind::IoUring => 'r',
            FdKind::Memfd => 'm',
            FdKind::Pidfd => 'P',
            FdKind::Unknown => 'o',
            FdKind::Unsupported => 'X',
        }
    }

    /// `fd.type`; `None` for kinds that have no word.
    pub const fn word(self) -> Option<&'static str> {
        Some(match self {
            FdKind::File => "file",
            FdKind::Directory => "directory",
            FdKind::Ipv4 | FdKind::Ipv4Server => "ipv4",
            FdKind::Ipv6 | FdKind::Ipv6Server => "ipv6",
            FdKind::Unix => "unix",
            FdKind::Fifo => "pipe",
            FdKind::Event => "event",
            FdKind::Signal => "signalfd",
            FdKind::Eventpoll => "eventpoll",
            FdKind::Inotify => "inotify",
            FdKind::Timer => "timerfd",
            FdKind::Netlink => "netlink",
            FdKind::Bpf => "bpf",
            FdKind::Userfault => "userfaultfd",
            FdKind::IoUring => "io_uring",
            FdKind::Memfd => "memfd",
            FdKind::Pidfd => "pidfd",
            FdKind::Unknown | FdKind::Unsupported => return None,
        })
    }
}
