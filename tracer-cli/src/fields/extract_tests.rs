//! Values that fields take from an event and the state around it.

use super::*;
use crate::event::Event;
use crate::schema::EventType;
use crate::state::fd::{Endpoint, FdInfo, FdKind, L4, Role, Socket};
use crate::state::interface::Interface;
use crate::state::thread::{Thread, ThreadFlags};
use crate::state::{Binding, Context, State};

const SHELL: i64 = 10;
const MAKE: i64 = 20;
const CC: i64 = 30;

fn process(pid: i64, ptid: i64, comm: &str, args: &[u8]) -> Thread {
    let mut thread = Thread::new(pid, pid);
    thread.ptid = ptid;
    thread.vpid = pid;
    thread.sid = SHELL;
    thread.comm = comm.into();
    thread.exe = format!("/bin/{comm}").into();
    thread.exepath = format!("/usr/bin/{comm}").into();
    thread.args = args.into();
    thread.cwd = "/work/".into();
    thread.clone_ts = 1000 + pid as u64;
    thread
}

fn socket(role: Role) -> FdInfo {
    let end = |ip: [u8; 4], port| Some(Endpoint { ip: ip.into(), port });
    let mut fd = FdInfo::new(FdKind::Ipv4);
    fd.name = "10.0.0.1:40000->10.0.0.2:80".into();
    fd.socket = Some(Box::new(Socket {
        l4: L4::Tcp,
        role,
        source: end([10, 0, 0, 1], 40000),
        dest: end([10, 0, 0, 2], 80),
        connected: true,
        ..Socket::default()
    }));
    fd
}

/// A shell that runs make, which runs cc with a few fds open.
fn state() -> State {
    let mut state = State::default();
    state.insert(process(SHELL, 1, "bash", b""));
    state.insert(process(MAKE, SHELL, "make", b"-j\0all\0"));
    let mut cc = process(CC, MAKE, "cc", b"-c\0a b.c\0");
    cc.env = (&b"PATH=/bin\0PATHX=no\0HOME=/root\0"[..]).into();
    cc.cgroups = (&b"cpuset=/a\0mem_cgroup=/b\0io=/c\0"[..]).into();
    cc.uid = 501;
    cc.fd_limit = 1000;
    cc.cap_effective = 0b101;
    let mut file = FdInfo::new(FdKind::File);
    file.name = "/etc/passwd".into();
    file.dev = 0xfe01;
    let mut directory = FdInfo::new(FdKind::Directory);
    directory.name = "/tmp".into();
    for (fd, info) in [(3, file), (4, directory), (5, socket(Role::Client)), (6, socket(Role::Unknown))] {
        cc.fds.insert(fd, info);
    }
    state.insert(cc);
    state.users.users.entry(501).or_default().name = "faraujo".into();
    state.interfaces.push(Interface::of_address([10, 0, 0, 1].into()));
    state
}

struct Case<'a> {
    ty: EventType,
    tid: i64,
    fd: Option<i64>,
    params: &'a [&'a [u8]],
}

impl Case<'_> {
    /// The values as `-p` prints them, with blanks between.
    fn values(&self, field: &str) -> String {
        let state = state();
        let event = Event {
            num: 7,
            ts: 5_000,
            tid: self.tid,
            pid: self.tid,
            cpu: 1,
            ty: self.ty,
            bits: Default::default(),
            unreadable: 0,
            params: self.params.into(),
        };
        let thread = state.find(self.tid);
        let binding =
            Binding { thread, fd: self.fd, latency: Some(602), slice: 0, delta: Some(3), first_ts: 4_000 };
        let options = ExtractOptions::default();
        let context = Context { event: &event, state: &state, binding: &binding };
        let from = Extraction::new(context, &options, Vec::new());
        let field = find(field).unwrap();
        let mut shown = Vec::new();
        field.extract(&from, &mut |value| {
            let mut out = Vec::new();
            write::write_value(&value, &field, &options, &mut out);
            shown.push(String::from_utf8(out).unwrap());
        });
        shown.join(" ")
    }
}

fn read(fd: i64) -> Case<'static> {
    Case {
        ty: EventType::SYSCALL_READ_X,
        tid: CC,
        fd: Some(fd),
        params: &[&[5, 0, 0, 0, 0, 0, 0, 0], b"<34>hello"],
    }
}

fn check(case: &Case<'_>, expected: &[(&str, &str)]) {
    for (field, value) in expected {
        assert_eq!(case.values(field), *value, "{field}");
    }
}

#[test]
fn of_the_event() {
    check(
        &read(3),
        &[
            ("evt.num", "7"),
            ("evt.type", "read"),
            ("evt.dir", "<"),
            ("evt.cpu", "1"),
            ("evt.category", "file"),
            ("syscall.type", "read"),
            ("evt.type.is.read", "1"),
            ("evt.type.is.open", "0"),
            ("evt.type.is.3", "0"),
            ("evt.is_io_read", "true"),
            ("evt.io_dir", "read"),
            ("evt.reltime", "000001000"),
            ("evt.latency", "602"),
            ("evt.latency.human", "602ns"),
            ("evt.deltatime", "3"),
            ("evt.res", "SUCCESS"),
            ("evt.rawres", "5"),
            ("evt.failed", "false"),
            ("evt.count", "1"),
            ("evt.count.error", ""),
            ("evt.buflen", "5"),
            ("evt.buflen.file.in", "5"),
            ("evt.buflen.net", ""),
            ("evt.buffer", "<34>hello"),
            ("evt.args", "res=5 data=<34>hello "),
            ("evt.arg.res", "5"),
            ("evt.arg[1]", "<34>hello"),
            ("evt.rawarg.res", "5"),
            ("evt.arg.flags", ""),
            ("evt.around[1000005000]", "1000"),
        ],
    );
    assert_eq!(read(5).values("evt.category"), "net");
    assert_eq!(read(99).values("evt.category"), "unknown");
}

#[test]
fn of_a_call_that_failed() {
    let res = (-2i64).to_le_bytes();
    let dirfd = 4i64.to_le_bytes();
    let params: [&[u8]; 5] = [&res, &dirfd, b"sub/../a.txt\0", &5u32.to_le_bytes(), &0u32.to_le_bytes()];
    let case = Case { ty: EventType::SYSCALL_OPENAT_2_X, tid: CC, fd: None, params: &params };
    check(
        &case,
        &[
            ("evt.res", "ENOENT"),
            ("evt.failed", "true"),
            ("evt.count.error.file", "1"),
            ("evt.is_open_read", "true"),
            ("evt.is_open_write", "false"),
            ("evt.abspath", "/tmp/a.txt"),
            ("fs.path.name", "/tmp/a.txt"),
            ("fs.path.nameraw", "sub/../a.txt"),
            ("fd.name", "/tmp/a.txt"),
            ("fd.filename", ""),
            ("fd.directory", "/tmp"),
            ("fd.containername", ":/tmp/a.txt"),
            ("fd.containerdirectory", ":/tmp"),
            ("fd.typechar", "f"),
            ("fd.type", ""),
            ("fd.num", "-1"),
            ("evt.arg.fd", "ENOENT"),
            ("evt.rawarg.fd", "-2"),
            ("evt.arg.dirfd", "<d>/tmp"),
        ],
    );
}

#[test]
fn of_the_process() {
    check(
        &read(3),
        &[
            ("proc.name", "cc"),
            ("proc.exe", "/bin/cc"),
            ("proc.args", "-c a b.c"),
            ("proc.args[1]", "a b.c"),
            ("proc.args[2]", ""),
            ("proc.cmdline", "cc -c a b.c"),
            ("proc.exeline", "/bin/cc -c a b.c"),
            ("proc.cmdnargs", "2"),
            ("proc.cmdlenargs", "7"),
            ("proc.env[PATH]", "/bin"),
            ("proc.env[HOM]", ""),
            ("proc.env", "PATH=/bin PATHX=no HOME=/root"),
            ("thread.cgroup.memory", "/b"),
            ("thread.cgroup.mem", ""),
            ("thread.cgroup.blkio", "/c"),
            ("thread.cgroups", "cpuset=/a memory=/b blkio=/c"),
            ("thread.cap_effective", "CAP_CHOWN CAP_DAC_READ_SEARCH"),
            ("proc.fdopencount", "4"),
            ("proc.fdusage", "0.4"),
            ("thread.nametid", "cc30"),
            ("thread.ismain", "true"),
            ("proc.duration", "3970"),
            ("user.name", "faraujo"),
            ("user.shell", ""),
            ("group.name", "<NA>"),
        ],
    );
}

#[test]
fn of_other_processes() {
    check(
        &read(3),
        &[
            ("proc.pname", "make"),
            ("proc.ppid", "20"),
            ("proc.pcmdline", "make -j all"),
            ("proc.aname[0]", "cc"),
            ("proc.aname[1]", "make"),
            ("proc.aname[2]", "bash"),
            ("proc.aname[3]", ""),
            ("proc.aname", "make bash"),
            ("proc.apid", "20 10"),
            ("proc.aenv[PATH]", ""),
            ("proc.sname", "bash"),
            ("proc.sid.exepath", "/usr/bin/bash"),
            ("proc.loginshellid", "10"),
        ],
    );
}

#[test]
fn of_files() {
    check(
        &read(3),
        &[
            ("fd.num", "3"),
            ("fd.type", "file"),
            ("fd.typechar", "f"),
            ("fd.name", "/etc/passwd"),
            ("fd.directory", "/etc"),
            ("fd.filename", "passwd"),
            ("fd.uid", "303"),
            ("fd.dev", "FE01"),
            ("fd.dev.major", "254"),
            ("fd.dev.minor", "1"),
            ("fd.sockfamily", ""),
            ("fd.l4proto", "<NA>"),
            ("fd.cip", ""),
        ],
    );
    assert_eq!(read(4).values("fd.dev"), "");
    let mut kinds: Vec<_> = read(3).values("fd.types").split(' ').map(str::to_owned).collect();
    kinds.sort();
    assert_eq!(kinds, ["directory", "file", "ipv4"]);
    assert_eq!(read(3).values("fd.types[4]"), "directory");
}

#[test]
fn of_connections() {
    check(
        &read(5),
        &[
            ("fd.ip", "10.0.0.1 10.0.0.2"),
            ("fd.cip", "10.0.0.1"),
            ("fd.sip", "10.0.0.2"),
            ("fd.lip", "10.0.0.1"),
            ("fd.rip", "10.0.0.2"),
            ("fd.port", "40000 80"),
            ("fd.lport", "40000"),
            ("fd.sport", "80"),
            ("fd.sproto", "80"),
            ("fd.l4proto", "tcp"),
            ("fd.sockfamily", "ip"),
            ("fd.is_server", "false"),
            ("fd.connected", "true"),
            ("fd.directory", ""),
        ],
    );
    check(
        &read(6),
        &[("fd.cip", ""), ("fd.ip", "0.0.0.0 0.0.0.0"), ("fd.l4proto", "<NA>"), ("fd.type", "ipv4")],
    );
}

#[test]
fn of_what_a_poll_waits_for() {
    let mut fds = 3u16.to_le_bytes().to_vec();
    for fd in [3i64, 5, 99] {
        fds.extend_from_slice(&fd.to_le_bytes());
        fds.extend_from_slice(&1u16.to_le_bytes());
    }
    let case = Case { ty: EventType::SYSCALL_POLL_E, tid: CC, fd: None, params: &[&fds, &[0; 8]] };
    check(
        &case,
        &[
            ("fdlist.nums", "3,5,99"),
            ("fdlist.names", "/etc/passwd,10.0.0.1:40000->10.0.0.2:80,<NA>"),
            ("fdlist.cips", "10.0.0.1"),
            ("fdlist.sports", "80"),
            ("evt.arg.fds", "3:f1 5:41 99:?1"),
            ("evt.dir", ">"),
            ("evt.res", ""),
        ],
    );
}

#[test]
fn of_the_fd_in_the_arguments() {
    let fd = 5i64.to_le_bytes();
    let case =
        Case { ty: EventType::SYSCALL_READ_E, tid: CC, fd: Some(5), params: &[&fd, &80u32.to_le_bytes()] };
    assert_eq!(case.values("evt.args"), "fd=5(<4t>10.0.0.1:40000->10.0.0.2:80) size=80 ");
    assert_eq!(case.values("evt.arg.fd"), "<4t>10.0.0.1:40000->10.0.0.2:80");
}

#[test]
fn generic_calls_have_a_name_and_no_arguments() {
    let code = crate::schema::names::syscall_by_name("getpid").unwrap().to_le_bytes();
    let case = Case { ty: EventType::GENERIC_E, tid: CC, fd: None, params: &[&code, &[39, 0]] };
    check(
        &case,
        &[
            ("evt.type", "getpid"),
            ("evt.args", ""),
            ("evt.type.is.getpid", "1"),
            ("evt.type.is.getppid", "0"),
        ],
    );
}

#[test]
fn of_a_thread_that_nothing_is_known_about() {
    let case = Case { ty: EventType::SYSCALL_READ_X, tid: 4711, fd: None, params: &[] };
    check(
        &case,
        &[("proc.name", ""), ("thread.tid", "4711"), ("user.name", ""), ("evt.res", ""), ("evt.args", "")],
    );
    let mut thread = Thread::new(1, 1);
    thread.flags |= ThreadFlags::UNKNOWN;
    assert_eq!(thread.name(), b"<NA>");
}
