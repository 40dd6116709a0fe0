//! Records made by hand, as the probe makes them.

use super::*;
use crate::schema::{ParamType, convert};
use proptest::prelude::*;
use tracer_common::plan::MAX_PIECES;
use tracer_common::record::{HEADER_LEN, SocketFacts, TaskFacts, piece_status, shape, task_flag};

/// A record under construction.
#[derive(Clone)]
struct Record {
    header: RecordHeader,
    body: Vec<u8>,
}

impl Record {
    fn new(kind: u8, number: usize, result: i64, args: &[u64]) -> Self {
        let header = RecordHeader {
            time: 100,
            result,
            tid: 12,
            tgid: 11,
            number: number as u16,
            kind,
            shape: args.len() as u8,
            ..Default::default()
        };
        Record { header, body: args.iter().flat_map(|a| a.to_ne_bytes()).collect() }
    }

    fn exit(name: &str, result: i64, args: &[u64]) -> Self {
        Self::new(kind::EXIT, number(tables::SYSCALLS_X86_64, name), result, args)
    }

    fn enter(name: &str, args: &[u64]) -> Self {
        Self::new(kind::ENTER, number(tables::SYSCALLS_X86_64, name), 0, args)
    }

    fn compat(name: &str, result: i64, args: &[u64]) -> Self {
        let mut record = Self::new(kind::EXIT, number(tables::SYSCALLS_IA32, name), result, args);
        record.header.kind |= flag::COMPAT;
        record
    }

    /// Adds the piece that the plan of this call has for `kind` and `arg`.
    fn piece(mut self, kind: u8, arg: u8, bytes: impl AsRef<[u8]>) -> Self {
        let slot = self.slot(kind, arg);
        self.push(slot, piece_status::OK, bytes.as_ref());
        self
    }

    fn missing(mut self, kind: u8, arg: u8, status: u8) -> Self {
        let slot = self.slot(kind, arg);
        self.push(slot, status, &[]);
        self
    }

    fn slot(&self, kind: u8, arg: u8) -> u8 {
        let compat = self.header.flags() & flag::COMPAT != 0;
        let table = if compat { tables::SYSCALLS_IA32 } else { tables::SYSCALLS_X86_64 };
        let call = table[usize::from(self.header.number)].unwrap();
        let pieces = source_of(call.exit).unwrap().pieces;
        let at = pieces.iter().position(|p| (p.plan.kind, p.plan.arg) == (kind, arg));
        at.unwrap_or_else(|| panic!("{} has no piece {kind} of {arg}", call.name)) as u8
    }

    fn push(&mut self, slot: u8, status: u8, bytes: &[u8]) {
        self.body.extend((bytes.len() as u16).to_ne_bytes());
        self.body.extend([slot, status]);
        self.body.extend(bytes);
        self.header.shape += shape::PIECE;
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = as_bytes(&RecordHeader { len: self.body.len() as u32, ..self.header });
        bytes.extend(&self.body);
        bytes
    }

    fn check(&self, test: impl FnOnce(&Event<'_>)) {
        let bytes = self.bytes();
        test(&Decoder::new().decode(3, &bytes, 1000).expect("a whole record"));
    }
}

fn number(table: &[Option<SyscallInfo>], name: &str) -> usize {
    table.iter().position(|s| s.is_some_and(|s| s.name == name)).expect(name)
}

fn as_bytes<T: Copy>(value: &T) -> Vec<u8> {
    // SAFETY: used with the structures of records only, which have no padding that is not a field.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) }.to_vec()
}

fn arg(event: &Event<'_>, name: &str) -> i64 {
    let i = event.index_of(name).expect(name);
    event.i64(i).unwrap_or_else(|| panic!("{name} is empty"))
}

fn bytes<'a>(event: &Event<'a>, name: &str) -> Option<&'a [u8]> {
    event.param(event.index_of(name).expect(name))
}

fn lossy(event: &Event<'_>, name: &str) -> String {
    String::from_utf8_lossy(bytes(event, name).unwrap_or(b"-")).replace('\0', "|")
}

use tracer_common::plan::{FD_RESULT, piece};

#[test]
fn sources_fit_the_schema() {
    for (half, source) in SOURCES.iter().enumerate() {
        let Some(source) = source else { continue };
        for (ty, params) in [(half * 2, source.enter), (half * 2 + 1, source.exit)] {
            let info = EventType(ty as u16).info().unwrap();
            if params.is_empty() && half % 2 == 0 && info.class != crate::schema::Class::Syscall {
                continue;
            }
            assert_eq!(params.len(), info.params.len(), "{}", info.id);
            for (param, schema) in params.iter().zip(info.params) {
                use ParamType::*;
                let variable = matches!(
                    schema.ty,
                    Charbuf | Bytebuf | Fspath | Fsrelpath | Sockaddr | Socktuple | Fdlist | Dyn
                );
                assert_eq!(param.width == 0, variable, "{}.{}", info.id, schema.name);
            }
        }
        assert!(source.args <= 6 && source.pieces.len() <= MAX_PIECES);
    }
}

#[test]
fn every_call_with_events_of_its_own_has_sources() {
    for call in tables::SYSCALLS_X86_64.iter().chain(tables::SYSCALLS_IA32).flatten() {
        let generic = call.exit == EventType::GENERIC_X;
        assert_eq!(source_of(call.exit).is_none(), generic, "{}", call.name);
    }
}

#[test]
fn read_and_its_header() {
    let read = Record::exit("read", 5, &[3, 0xdead, 1024]).piece(piece::BUF, 1, "hello");
    read.check(|e| {
        assert_eq!(e.ty, EventType::SYSCALL_READ_X);
        assert_eq!((e.ts, e.tid, e.pid, e.cpu), (1100, 12, 11, 3));
        assert_eq!((arg(e, "res"), arg(e, "fd"), arg(e, "size")), (5, 3, 1024));
        assert_eq!(bytes(e, "data"), Some(&b"hello"[..]));
        assert_eq!((e.unreadable, e.bits), (0, EventBits::empty()));
    });
    Record::exit("read", -11, &[3, 0xdead, 1024]).check(|e| {
        assert_eq!(arg(e, "res"), -11);
        assert_eq!(bytes(e, "data"), None);
    });
    Record::enter("read", &[u64::MAX, 0, 7]).check(|e| {
        assert_eq!(e.ty, EventType::SYSCALL_READ_E);
        assert_eq!((arg(e, "fd"), arg(e, "size")), (-1, 7));
    });
}

#[test]
fn a_decoder_forgets_the_event_before() {
    let mut decoder = Decoder::new();
    let long = Record::exit("mmap", 4096, &[0, 1, 2, 3, 4, 5]).bytes();
    assert_eq!(decoder.decode(0, &long, 0).unwrap().params.len(), 10);
    let short = Record::exit("close", 0, &[4]).bytes();
    let close = decoder.decode(0, &short, 0).unwrap();
    assert!(close.params.iter().eq([&0u64.to_le_bytes()[..], &4u64.to_le_bytes()[..]]));
}

#[test]
fn openat_knows_the_file() {
    let file = FileFacts {
        ino: 77,
        dev: 8 << 20 | 1,
        f_mode: FMODE_CREATED,
        flags: file_flag::UPPER_LAYER,
        ..Default::default()
    };
    let flags = (libc::O_RDWR | libc::O_CREAT) as u64;
    let open = Record::exit("openat", 9, &[libc::AT_FDCWD as u32 as u64, 1, flags, 0o644])
        .piece(piece::STR, 1, "/tmp/x\0")
        .piece(piece::FD_FILE, FD_RESULT, as_bytes(&file));
    open.check(|e| {
        assert_eq!((arg(e, "fd"), arg(e, "dirfd")), (9, -100));
        assert_eq!(bytes(e, "name"), Some(&b"/tmp/x\0"[..]));
        let schema = convert::open_flags(flags);
        assert_eq!(arg(e, "flags") as u32, schema | O_F_CREATED | FD_UPPER_LAYER);
        assert_eq!(arg(e, "mode") as u32, convert::open_modes(flags, 0o644));
        assert_eq!((arg(e, "dev"), arg(e, "ino")), (0x801, 77));
    });
}

#[test]
fn memory_that_could_not_be_read_is_marked() {
    let open = Record::exit("openat", -14, &[3, 1, 0, 0]).missing(piece::STR, 1, piece_status::FAULT);
    open.check(|e| {
        assert!(e.is_unreadable(2) && e.unreadable.count_ones() == 1);
        assert_eq!(bytes(e, "name"), None);
        assert_eq!((arg(e, "dev"), arg(e, "ino")), (0, 0));
    });
    Record::exit("openat", -14, &[3, 0, 0, 0]).missing(piece::STR, 1, piece_status::NULL).check(|e| {
        assert_eq!((e.unreadable, bytes(e, "name")), (0, None));
    });
}

#[test]
fn strings_cut_by_the_limit_get_their_nul() {
    Record::exit("chdir", 0, &[1]).piece(piece::STR, 0, "/a").check(|e| {
        assert_eq!(bytes(e, "path"), Some(&b"/a\0"[..]));
    });
}

fn some_task() -> TaskFacts {
    let mut comm = [0; 16];
    comm[..2].copy_from_slice(b"ls");
    TaskFacts {
        tid: 12,
        tgid: 11,
        ppid: 10,
        vtid: 2,
        vpid: 1,
        pgid: 11,
        vpgid: 1,
        uid: 1000,
        gid: 1001,
        loginuid: u32::MAX,
        tty: 136 << 20 | 3,
        vm_size: 5,
        flags: task_flag::IN_PID_NS | task_flag::EXE_WRITABLE | task_flag::EXE_LOWER_LAYER,
        major_faults: 6,
        fd_limit: 1024,
        cap_effective: 1 << 63 | 7,
        exe_ino: 99,
        exe_mtime: 1 << 60,
        comm,
        ..Default::default()
    }
}

#[test]
fn execve_tells_all_about_the_program() {
    Record::exit("execve", 0, &[0, 0])
        .piece(piece::TASK, 0, as_bytes(&some_task()))
        .piece(piece::ARG_AREA, 0, "ls\0-l\0/tmp\0")
        .piece(piece::ENV_AREA, 0, "A=1\0")
        .piece(piece::EXE_PATH, 0, "ls\0bin\0usr\0")
        .piece(piece::CGROUP_PATH, 0, "x.scope\0user.slice\0")
        .check(|e| {
            assert_eq!(e.ty, EventType::SYSCALL_EXECVE_19_X);
            assert_eq!((lossy(e, "exe"), lossy(e, "args")), ("ls|".into(), "-l|/tmp|".into()));
            assert_eq!((lossy(e, "comm"), lossy(e, "env")), ("ls|".into(), "A=1|".into()));
            assert_eq!(lossy(e, "trusted_exepath"), "/usr/bin/ls|");
            let group = "/user.slice/x.scope";
            let groups: String =
                ["cpuset", "cpu", "cpuacct", "io", "memory"].map(|s| format!("{s}={group}|")).concat();
            assert_eq!(lossy(e, "cgroups"), groups);
            assert_eq!((arg(e, "tid"), arg(e, "ptid"), arg(e, "fdlimit")), (12, 10, 1024));
            assert_eq!((arg(e, "tty"), arg(e, "flags")), (136 << 8 | 3, 1 | 8));
            assert_eq!((arg(e, "loginuid"), arg(e, "uid"), arg(e, "gid")), (-1, 1000, 1001));
            assert_eq!((arg(e, "cap_effective"), arg(e, "exe_ino")), (7, 99));
            // The name `pgid` is also what `vpgid` is printed under.
            assert_eq!((arg(e, "exe_ino_mtime"), e.i64(17), e.i64(28)), (1 << 60, Some(1), Some(11)));
            assert_eq!(bytes(e, "cwd"), None);
        });
}

#[test]
fn clone_in_parent_and_child() {
    let flags = (libc::CLONE_FILES | libc::CLONE_VM) as u64;
    let parent = Record::exit("clone", 40, &[flags])
        .piece(piece::TASK, 0, as_bytes(&TaskFacts { flags: 0, ..some_task() }))
        .piece(piece::CGROUP_PATH, 0, "");
    parent.check(|e| {
        assert_eq!((arg(e, "res"), arg(e, "vtid"), arg(e, "vpid")), (40, 2, 1));
        assert_eq!(arg(e, "flags") as u32, convert::clone_flags(flags));
        assert_eq!(lossy(e, "cgroups"), "cpuset=/|cpu=/|cpuacct=/|io=/|memory=/|");
    });
    let child = Record::exit("clone3", 0, &[1]).piece(piece::TASK, 0, as_bytes(&some_task())).piece(
        piece::BUF,
        0,
        flags.to_ne_bytes(),
    );
    child.check(|e| {
        assert_eq!(arg(e, "flags") as u32, convert::clone_flags(flags) | 1 << 29);
        assert_eq!((bytes(e, "exe"), bytes(e, "cgroups")), (None, None));
    });
}

fn v4(ip: [u8; 4], port: u16) -> Vec<u8> {
    let mut bytes = 2u16.to_ne_bytes().to_vec();
    bytes.extend(port.to_be_bytes());
    bytes.extend(ip);
    bytes.resize(16, 0);
    bytes
}

fn v4_socket(local: u16, remote: u16) -> SocketFacts {
    let mut facts = SocketFacts { family: 2, local_port: local, remote_port: remote, ..Default::default() };
    facts.local[..4].copy_from_slice(&[10, 0, 0, 1]);
    if remote != 0 {
        facts.remote[..4].copy_from_slice(&[10, 0, 0, 2]);
    }
    facts
}

#[test]
fn connect_has_both_ends_and_the_address() {
    let connect = Record::exit("connect", -115, &[5, 1, 16])
        .piece(piece::BUF, 1, v4([10, 0, 0, 9], 80))
        .piece(piece::FD_SOCKET, 0, as_bytes(&v4_socket(4000, 443)));
    connect.check(|e| {
        assert_eq!(bytes(e, "tuple").unwrap(), [2, 10, 0, 0, 1, 0xa0, 0x0f, 10, 0, 0, 2, 0xbb, 1]);
        assert_eq!(bytes(e, "addr").unwrap(), [2, 10, 0, 0, 9, 80, 0]);
    });
    let mut refused = connect.clone();
    refused.header.result = -111;
    refused.check(|e| assert_eq!(bytes(e, "tuple"), None));
}

#[test]
fn an_unconnected_socket_takes_the_address_given() {
    Record::exit("sendto", 3, &[5, 1, 3, 0, 1, 16])
        .piece(piece::BUF, 1, "abc")
        .piece(piece::BUF, 4, v4([8, 8, 8, 8], 53))
        .piece(piece::FD_SOCKET, 0, as_bytes(&v4_socket(4000, 0)))
        .check(|e| {
            assert_eq!(bytes(e, "tuple").unwrap(), [2, 10, 0, 0, 1, 0xa0, 0x0f, 8, 8, 8, 8, 53, 0]);
            assert_eq!(bytes(e, "data"), Some(&b"abc"[..]));
        });
}

#[test]
fn accept_tells_sender_first_and_the_queue() {
    let facts = SocketFacts {
        family: 10,
        local_port: 22,
        remote_port: 5555,
        local: [1; 16],
        remote: [2; 16],
        ..Default::default()
    };
    let listening = SocketFacts { family: 10, backlog: 3, max_backlog: 12, ..Default::default() };
    Record::exit("accept4", 7, &[4, 0, 0, 0o2000000])
        .piece(piece::FD_SOCKET, FD_RESULT, as_bytes(&facts))
        .piece(piece::FD_SOCKET, 0, as_bytes(&listening))
        .check(|e| {
            let tuple = bytes(e, "tuple").unwrap();
            assert_eq!((tuple[0], tuple.len()), (10, 37));
            assert_eq!((&tuple[1..17], &tuple[17..19]), (&[2; 16][..], &5555u16.to_le_bytes()[..]));
            assert_eq!(&tuple[35..], 22u16.to_le_bytes());
            assert_eq!((arg(e, "queuepct"), arg(e, "queuelen"), arg(e, "queuemax")), (25, 3, 12));
            assert_eq!(arg(e, "flags"), 4096);
        });
}

#[test]
fn unix_sockets_have_pointers_and_a_path() {
    let facts = SocketFacts { family: 1, sock: 0xa, peer: 0xb, ..Default::default() };
    let with = |path: &[u8]| [as_bytes(&facts), path.to_vec()].concat();
    let address = [&1u16.to_ne_bytes()[..], b"\0abstract"].concat();
    let connect = Record::exit("connect", 0, &[5, 1, 11]).piece(piece::BUF, 1, &address);
    connect.clone().piece(piece::FD_SOCKET, 0, with(b"/run/x\0\0")).check(|e| {
        assert_eq!(bytes(e, "addr").unwrap(), b"\x01abstract\0");
        assert_eq!(bytes(e, "tuple").unwrap(), b"\x01\x0a\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0/run/x\0");
    });
    connect.piece(piece::FD_SOCKET, 0, with(b"")).check(|e| {
        assert!(bytes(e, "tuple").unwrap().ends_with(b"\0abstract\0"));
    });
}

#[test]
fn other_families_have_no_address() {
    let netlink = [&16u16.to_ne_bytes()[..], &[0; 10]].concat();
    Record::exit("bind", 0, &[3, 1, 12]).piece(piece::BUF, 1, netlink).check(|e| {
        assert_eq!((bytes(e, "addr"), e.unreadable), (None, 0));
    });
}

#[test]
fn socket_options_have_their_type() {
    let option = |name: u64, value: &[u8], expected: &[u8]| {
        Record::exit("setsockopt", 0, &[3, libc::SOL_SOCKET as u64, name, 1, value.len() as u64])
            .piece(piece::BUF, 3, value)
            .check(|e| assert_eq!(bytes(e, "val").unwrap(), expected));
    };
    option(libc::SO_REUSEADDR as u64, &1u32.to_ne_bytes(), &[2, 1, 0, 0, 0]);
    option(libc::SO_LINGER as u64, &[1, 0], &[0, 1, 0]);
    let time = [2u64.to_ne_bytes(), 5u64.to_ne_bytes()].concat();
    option(libc::SO_RCVTIMEO as u64, &time, &[&[4][..], &2_000_005_000u64.to_le_bytes()].concat());
    Record::exit("getsockopt", 0, &[3, 1, libc::SO_ERROR as u64, 1, 1])
        .piece(piece::BUF, 3, 111u32.to_ne_bytes())
        .piece(piece::BUF, 4, 4u32.to_ne_bytes())
        .check(|e| {
            assert_eq!(bytes(e, "val").unwrap(), [&[1][..], &(-111i64).to_le_bytes()].concat());
            assert_eq!((arg(e, "optlen"), arg(e, "optname")), (4, 4));
        });
}

#[test]
fn arrays_of_structures() {
    let fds = [&5u32.to_ne_bytes()[..], &[1, 0, 8, 0]].concat();
    Record::exit("poll", 1, &[1, 1, u64::from(u32::MAX)]).piece(piece::BUF, 0, &fds).check(|e| {
        assert_eq!(bytes(e, "fds").unwrap(), [1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 16, 0]);
        assert_eq!(arg(e, "timeout"), -1);
    });
    Record::enter("poll", &[1, 1, 0]).piece(piece::BUF, 0, &fds).check(|e| {
        assert_eq!(bytes(e, "fds").unwrap()[10..], [1, 0]);
    });
    let iov: Vec<u8> = [1u64, 100, 2, 28].iter().flat_map(|n| n.to_ne_bytes()).collect();
    Record::exit("writev", 128, &[1, 1, 2])
        .piece(piece::BUF, 1, iov)
        .piece(piece::IOVEC_DATA, 1, "data")
        .check(|e| {
            assert_eq!((arg(e, "size"), bytes(e, "data")), (128, Some(&b"data"[..])));
        });
    Record::exit("pipe2", 0, &[1, 0]).piece(piece::BUF, 0, [4, 0, 0, 0, 5, 0, 0, 0]).check(|e| {
        assert_eq!((arg(e, "fd1"), arg(e, "fd2")), (4, 5));
    });
    Record::exit("pipe2", -24, &[1, 0]).check(|e| assert_eq!((arg(e, "fd1"), arg(e, "fd2")), (-1, -1)));
}

#[test]
fn meaning_that_depends_on_another_argument() {
    let name = Record::exit("prctl", 0, &[15, 1]).piece(piece::STR, 1, "worker\0");
    name.check(|e| {
        assert_eq!((bytes(e, "arg2_str"), arg(e, "arg2_int")), (Some(&b"worker\0"[..]), 0));
    });
    let other = Record::exit("prctl", 0, &[1, 9]).missing(piece::STR, 1, piece_status::FAULT);
    other.check(|e| {
        assert_eq!((bytes(e, "arg2_str"), arg(e, "arg2_int"), e.unreadable), (None, 9, 0));
    });
    let peek = Record::exit("ptrace", 0, &[2, 5, 0x1000, 0x2000]).piece(piece::BUF, 3, 42u64.to_ne_bytes());
    peek.check(|e| assert_eq!(bytes(e, "data").unwrap(), [&[0][..], &42u64.to_le_bytes()].concat()));
    Record::exit("ptrace", 0, &[7, 5, 0, 9]).check(|e| assert_eq!(bytes(e, "data").unwrap(), [1, 9]));
    Record::exit("semctl", 0, &[1, 0, 16, 5]).check(|e| assert_eq!(arg(e, "val"), 5));
    Record::exit("semctl", 0, &[1, 0, 12, 5]).check(|e| assert_eq!(arg(e, "val"), 0));
}

#[test]
fn calls_of_the_32_bit_interface() {
    let half = [3u32.to_ne_bytes(), 7u32.to_ne_bytes()].concat();
    Record::compat("nanosleep", 0, &[1]).piece(piece::BUF, 0, half).check(|e| {
        assert_eq!(e.ty, EventType::SYSCALL_NANOSLEEP_X);
        assert_eq!((arg(e, "interval"), e.bits), (3_000_000_007, EventBits::COMPAT));
    });
    let whole = [3u64.to_ne_bytes(), 7u64.to_ne_bytes()].concat();
    Record::compat("ppoll_time64", 0, &[1, 0, 1, 0]).piece(piece::BUF, 2, whole).check(|e| {
        assert_eq!(arg(e, "timeout"), 3_000_000_007);
    });
    Record::compat("read", -9, &[u64::from(u32::MAX), 0, 1]).check(|e| assert_eq!(arg(e, "fd"), -1));
}

#[test]
fn calls_without_events_of_their_own() {
    let nr = number(tables::SYSCALLS_X86_64, "sched_yield");
    let code = tables::SYSCALLS_X86_64[nr].unwrap().code;
    Record::exit("sched_yield", 0, &[]).check(|e| {
        assert_eq!((e.ty, e.name()), (EventType::GENERIC_X, "sched_yield"));
        assert!(e.params.iter().eq([&code.to_le_bytes()[..], &(nr as u16).to_le_bytes()[..]]));
    });
    Record::compat("sched_yield", 0, &[]).check(|e| assert_eq!(arg(e, "nativeID"), nr as i64));
    Record::new(kind::ENTER, 511, 0, &[]).check(|e| {
        assert_eq!((e.ty, e.u64(0), e.u64(1)), (EventType::GENERIC_E, Some(0), Some(511)));
    });
}

#[test]
fn tracepoints_that_are_no_calls() {
    let mut ended = Record::new(kind::PROC_EXIT, 0, 0, &[]);
    ended.push(0, 0, &[(11 | 128u32).to_ne_bytes(), 1u32.to_ne_bytes()].concat());
    ended.check(|e| {
        assert_eq!(e.ty, EventType::PROCEXIT_1_E);
        assert_eq!(["status", "ret", "sig", "core", "reaper_tid"].map(|n| arg(e, n)), [139, 0, 11, 1, 1]);
    });
    Record::new(kind::SIGNAL, 0, 0, &[7, 12, 15]).check(|e| {
        assert_eq!(["spid", "dpid", "sig"].map(|n| arg(e, n)), [7, 12, 15]);
    });
    Record::new(kind::SWITCH, 0, 0, &[9, 1, 2, 3, 4, 5]).check(|e| {
        assert_eq!(e.ty, EventType::SCHEDSWITCH_6_E);
        assert_eq!((arg(e, "next"), arg(e, "vm_swap")), (9, 5));
    });
    Record::new(kind::PAGE_FAULT, 0, 0, &[0x1000, 0, 6]).check(|e| {
        assert_eq!((e.ty, arg(e, "addr"), arg(e, "error")), (EventType::PAGE_FAULT_E, 0x1000, 2 | 4 | 16));
    });
}

#[test]
fn records_that_are_not_whole_are_refused() {
    let whole = Record::exit("read", 5, &[3, 0, 9]).piece(piece::BUF, 1, "hello").bytes();
    let mut decoder = Decoder::new();
    assert!(decoder.decode(0, &whole, 0).is_some());
    for cut in 0..whole.len() {
        assert!(decoder.decode(0, &whole[..cut], 0).is_none(), "{cut}");
    }
    let mut unknown = Record::new(15, 0, 0, &[]);
    assert!(decoder.decode(0, &unknown.bytes(), 0).is_none());
    unknown.header.kind = kind::EXIT;
    unknown.push(MAX_PIECES as u8, 0, b"");
    assert!(decoder.decode(0, &unknown.bytes(), 0).is_none());
}

/// Looks at everything an event has, as a sink would.
fn look_at(event: &Event<'_>) {
    let info = event.info();
    assert!(event.params.len() <= info.params.len());
    for (param, schema) in event.params.iter().zip(info.params) {
        let total: usize = param.iter().map(|b| usize::from(*b)).sum();
        assert!(total <= param.len() * 255);
        if schema.ty == ParamType::Fdlist && !param.is_empty() {
            assert_eq!((param.len() - 2) % 10, 0);
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Some(event) = Decoder::new().decode(0, &bytes, u64::MAX) {
            look_at(&event);
        }
    }

    #[test]
    fn no_record_makes_it_panic(
        number: u16, kind in 1u8..7, compat: bool, result in prop_oneof![-20i64..20, any::<i64>()],
        args in proptest::collection::vec(prop_oneof![0u64..40, any::<u64>()], 0..7),
        pieces in proptest::collection::vec(
            (0u8..6, 0u8..6, proptest::collection::vec(any::<u8>(), 0..200)), 0..7),
    ) {
        let mut record = Record::new(kind, usize::from(number), result, &args);
        if compat {
            record.header.kind |= flag::COMPAT;
        }
        for (slot, status, bytes) in &pieces {
            record.push(*slot, *status, bytes);
        }
        let bytes = record.bytes();
        prop_assert_eq!(bytes.len(), HEADER_LEN + record.body.len());
        let mut decoder = Decoder::new();
        let event = decoder.decode(0, &bytes, 5);
        prop_assert!(event.is_some());
        look_at(&event.unwrap());
    }
}
