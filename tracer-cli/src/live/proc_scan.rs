//! What `/proc` tells of processes, threads and fds that were there before the first event.
//!
//! Everything here races with the traced system: any file may be gone, or change between two
//! reads. A process that cannot be read is left out; what cannot be read of one stays unknown.

use super::proc_sockets::SocketTable;
use crate::schema::convert;
use crate::source::LookUp;
use crate::state::State;
use crate::state::fd::{FdInfo, FdKind, L4, Socket};
use crate::state::fd_table::FdTable;
use crate::state::thread::{Thread, ThreadFlags};
use crate::state::users::Users;
use bstr::ByteSlice;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};
use rustc_hash::FxHashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// ns in a clock tick of `/proc/<pid>/stat`; Linux shows every program 100 ticks per second.
const NS_PER_TICK: u64 = 10_000_000;

/// Most bytes kept of arguments and of an environment.
const MAX_LIST: usize = 64 * 1024;

/// For how long [`looker`] trusts the socket tables it has read.
const SOCKETS_FRESH: Duration = Duration::from_secs(1);

/// Fills the state with all processes, threads, fds and users of this machine, and with what is to
/// be known of the machine itself.
pub fn scan(state: &mut State) {
    state.machine = super::machine::describe();
    state.interfaces = super::machine::interfaces();
    state.users = Users::of_host();
    let mut reader = Reader::new();
    for pid in numbers_in(&reader.root) {
        reader.process(pid, state);
    }
    // Start of each pid namespace: of the process that is number 1 in it. All are known only now.
    for (tid, namespace) in std::mem::take(&mut reader.in_namespaces) {
        let start = reader.namespaces.get(&namespace).copied().unwrap_or(0);
        if let Some(thread) = state.find(tid).and_then(|key| state.thread_mut(key)) {
            thread.pidns_init_start_ts = start;
        }
    }
}

/// What is known of one thread, with the facts of its process when it is the main thread; `None`
/// when it is gone.
pub fn look_up(tid: i64) -> Option<Box<Thread>> {
    Reader::new().thread(tid)
}

/// [`look_up`] for many threads in a row: remembers socket tables for a moment.
pub fn looker() -> LookUp {
    let mut reader = Reader::new();
    Box::new(move |tid| {
        if reader.sockets_read.elapsed() > SOCKETS_FRESH {
            reader.sockets.clear();
            reader.sockets_read = Instant::now();
        }
        reader.thread(tid)
    })
}

/// Whether there is a thread with this tid.
pub fn is_alive(tid: i64) -> bool {
    proc_root().join(tid.to_string()).exists()
}

fn proc_root() -> PathBuf {
    let mut root = std::env::var_os("HOST_ROOT").unwrap_or_default();
    root.push("/proc");
    root.into()
}

struct Reader {
    root: PathBuf,
    boot_ts: u64,
    now: u64,
    /// Names for the one group that cgroup v2 has per process.
    controllers: Vec<Vec<u8>>,
    /// By inode of the network namespace.
    sockets: FxHashMap<u64, SocketTable>,
    sockets_read: Instant,
    /// Inode of a pid namespace → when its first process started.
    namespaces: FxHashMap<u64, u64>,
    /// (tid, inode of its pid namespace).
    in_namespaces: Vec<(i64, u64)>,
    text: Vec<u8>,
}

impl Reader {
    fn new() -> Self {
        let root = proc_root();
        let (boot_ts, now) = super::machine::clocks();
        let controllers = std::fs::read(root.join("../sys/fs/cgroup/cgroup.controllers"));
        let controllers = controllers.unwrap_or_default().fields().map(<[u8]>::to_vec).collect();
        Self {
            root,
            boot_ts,
            now,
            controllers,
            sockets: FxHashMap::default(),
            sockets_read: Instant::now(),
            namespaces: FxHashMap::default(),
            in_namespaces: Vec::new(),
            text: Vec::with_capacity(4096),
        }
    }

    /// Adds a process: its main thread, then the others. Nothing when it is gone.
    fn process(&mut self, pid: i64, state: &mut State) {
        let path = self.root.join(pid.to_string());
        let Some(main) = self.main_thread(pid, &mut state.counts.fds_not_kept) else { return };
        let tasks = path.join("task");
        // Most processes have one thread; the number of links tells without listing them.
        let entries = tasks.metadata().map_or(0, |meta| std::os::unix::fs::MetadataExt::nlink(&meta));
        let key = state.insert_boxed(main);
        if entries <= 3 {
            return;
        }
        for tid in numbers_in(&tasks).filter(|tid| *tid != pid) {
            let Some(dir) = open_dir(&tasks.join(tid.to_string())) else { continue };
            let Some(main) = state.thread(key) else { return };
            let mut thread = Box::new(sibling(main, tid));
            if self.read_ids(&dir, &mut thread).is_some() {
                state.insert_boxed(thread);
            }
        }
    }

    fn thread(&mut self, tid: i64) -> Option<Box<Thread>> {
        (_, self.now) = super::machine::clocks();
        let dir = open_dir(&self.root.join(tid.to_string()))?;
        let mut thread = Box::new(Thread::new(tid, tid));
        self.read_ids(&dir, &mut thread)?;
        if thread.is_main() {
            return self.main_thread(tid, &mut 0);
        }
        self.read_files(&dir, &mut thread);
        Some(thread)
    }

    fn main_thread(&mut self, pid: i64, fds_not_kept: &mut u64) -> Option<Box<Thread>> {
        let path = self.root.join(pid.to_string());
        let dir = open_dir(&path)?;
        let mut thread = Box::new(Thread::new(pid, pid));
        self.read_ids(&dir, &mut thread)?;
        self.read_files(&dir, &mut thread);
        if !thread.exepath.is_empty() || !is_kernel(&thread) {
            self.read_process(&dir, &mut thread);
            *fds_not_kept += self.read_fds(&path, &dir, &mut thread.fds);
        }
        Some(thread)
    }

    /// Ids, name, times and memory: from `stat` and `status`. `None` when the thread is gone.
    fn read_ids(&mut self, dir: &OwnedFd, thread: &mut Thread) -> Option<()> {
        self.read(dir, "stat")?;
        // The name is in brackets and may hold any byte, also brackets.
        let end = self.text.rfind_byte(b')')?;
        let start = self.text.find_byte(b'(')?;
        thread.comm = self.text.get(start + 1..end)?.into();
        let mut fields = self.text.get(end + 1..)?.fields();
        let mut number = |skip: usize| fields.nth(skip).and_then(parse::<i64>);
        thread.ptid = number(1)?;
        thread.pgid = number(0)?;
        thread.sid = number(0)?;
        thread.tty = number(0)? as u32;
        thread.minor_faults = number(2)? as u64;
        thread.major_faults = number(1)? as u64;
        let started = number(9)? as u64;
        thread.clone_ts = self.boot_ts.saturating_add(started.saturating_mul(NS_PER_TICK));
        thread.vpgid = thread.pgid;
        thread.last_access = self.now;

        self.read(dir, "status")?;
        for line in self.text.lines() {
            let Some((key, value)) = line.split_once_str(b":") else { continue };
            let last = || value.fields().last().and_then(parse::<i64>);
            let first = || value.fields().next().and_then(parse::<u64>).unwrap_or(0);
            let effective = || value.fields().nth(1).and_then(parse::<u32>);
            let bits = || value.trim().to_str().ok().and_then(|hex| u64::from_str_radix(hex, 16).ok());
            match key {
                b"Tgid" => thread.pid = last()?,
                b"Uid" => thread.uid = effective()?,
                b"Gid" => thread.gid = effective()?,
                b"NStgid" => thread.vpid = last()?,
                b"NSpid" => thread.vtid = last()?,
                b"NSpgid" => thread.vpgid = last()?,
                b"VmSize" => thread.vm_size = first() as u32,
                b"VmRSS" => thread.vm_rss = first() as u32,
                b"VmSwap" => thread.vm_swap = first() as u32,
                b"CapInh" => thread.cap_inheritable = bits()?,
                b"CapPrm" => thread.cap_permitted = bits()?,
                b"CapEff" => thread.cap_effective = bits()?,
                _ => {}
            }
        }
        thread.flags.set(ThreadFlags::IN_PID_NS, thread.vtid != thread.tid);
        thread.pidns_init_start_ts = self.boot_ts;
        if thread.flags.contains(ThreadFlags::IN_PID_NS)
            && let Some(namespace) = link(dir, "ns/pid").as_deref().and_then(inode_of)
        {
            if thread.vtid == 1 {
                self.namespaces.insert(namespace, thread.clone_ts);
            }
            thread.pidns_init_start_ts = self.namespaces.get(&namespace).copied().unwrap_or(0);
            self.in_namespaces.push((thread.tid, namespace));
        }
        Some(())
    }

    /// Program, arguments, groups: what threads have in common with their process.
    fn read_files(&mut self, dir: &OwnedFd, thread: &mut Thread) {
        if let Some(path) = link(dir, "exe") {
            let path = path.strip_suffix(b" (deleted)").unwrap_or(&path);
            thread.exepath = path.into();
            thread.flags.set(ThreadFlags::EXE_FROM_MEMFD, path.starts_with(b"/memfd:"));
            if let Ok(meta) = fstatat(dir, "exe", AtFlags::empty()) {
                thread.exe_ino = meta.st_ino;
                thread.exe_ino_ctime = nanoseconds(meta.st_ctime, meta.st_ctime_nsec);
                thread.exe_ino_mtime = nanoseconds(meta.st_mtime, meta.st_mtime_nsec);
                thread.flags.set(ThreadFlags::EXE_WRITABLE, may_write(thread, &meta));
            }
        }
        self.read_list(dir, "cmdline");
        let (exe, args) = match self.text.find_byte(0) {
            Some(end) => (self.text.get(..end), self.text.get(end + 1..)),
            None => (Some(self.text.as_slice()), None),
        };
        thread.exe = exe.filter(|exe| !exe.is_empty()).unwrap_or(&thread.comm).into();
        thread.args = terminated(args.unwrap_or_default());
        if let Some(root) = link(dir, "root") {
            thread.root = root.into();
        }
        if self.read(dir, "loginuid").is_some()
            && let Some(uid) = parse(self.text.trim())
        {
            thread.loginuid = uid;
        }
        if self.read(dir, "cgroup").is_some() {
            thread.cgroups = cgroups(&self.text, &self.controllers).into();
        }
    }

    /// What only processes have: environment, current directory, limit of open files.
    fn read_process(&mut self, dir: &OwnedFd, thread: &mut Thread) {
        self.read_list(dir, "environ");
        thread.env = terminated(&self.text);
        if let Some(cwd) = link(dir, "cwd") {
            thread.cwd = cwd.into();
            if thread.cwd.last() != Some(&b'/') {
                thread.cwd.push(b'/');
            }
        }
        if self.read(dir, "limits").is_some() {
            let line = self.text.lines().find_map(|line| line.strip_prefix(b"Max open files"));
            thread.fd_limit = line.and_then(|l| l.fields().next()).and_then(parse).unwrap_or(-1);
        }
    }

    /// Returns how many fds there was no room for.
    fn read_fds(&mut self, path: &std::path::Path, dir: &OwnedFd, table: &mut FdTable) -> u64 {
        let mut not_kept = 0;
        let (Some(fds), Some(infos)) = (open_in(dir, "fd"), open_in(dir, "fdinfo")) else { return 0 };
        let mut namespace = None;
        for fd in numbers_in(&path.join("fd")) {
            let number = itoa::Buffer::new().format(fd).to_owned();
            let Some(target) = link(&fds, &number) else { continue };
            let mut info = match target.strip_prefix(b"socket:") {
                Some(inode) => {
                    let namespace =
                        *namespace.get_or_insert_with(|| link(dir, "ns/net").as_deref().and_then(inode_of));
                    self.describe_socket(dir, namespace.unwrap_or(0), inode_of(inode).unwrap_or(0))
                }
                None => describe(&fds, &number, &target),
            };
            if self.read(&infos, &number).is_some() {
                apply_fdinfo(&mut info, &self.text);
            }
            not_kept += u64::from(!table.insert(fd, info));
        }
        not_kept
    }

    fn describe_socket(&mut self, dir: &OwnedFd, namespace: u64, inode: u64) -> FdInfo {
        self.sockets
            .entry(namespace)
            .or_insert_with(|| {
                SocketTable::read(|name| {
                    let mut text = Vec::new();
                    if let Some(mut file) = open_file(dir, &format!("net/{name}")) {
                        // What was read before an error is still good.
                        _ = file.read_to_end(&mut text);
                    }
                    text
                })
            })
            .describe(inode)
    }

    /// Reads a small file of a process into `text`.
    fn read(&mut self, dir: &OwnedFd, name: &str) -> Option<()> {
        self.text.resize(4096, 0);
        let mut file = open_file(dir, name)?;
        let mut used = 0;
        loop {
            let read = file.read(self.text.get_mut(used..)?).ok()?;
            used += read;
            // These files are made in one go: a short read is the end.
            if used < self.text.len() {
                break;
            }
            self.text.resize(self.text.len() * 2, 0);
        }
        self.text.truncate(used);
        Some(())
    }

    /// Reads a list of strings into `text`: nothing when that is not allowed.
    fn read_list(&mut self, dir: &OwnedFd, name: &str) {
        self.text.clear();
        if let Some(file) = open_file(dir, name) {
            // What was read before an error is still good.
            _ = file.take(MAX_LIST as u64).read_to_end(&mut self.text);
        }
    }
}

/// Kernel threads are children of kthreadd, which is 2, or kthreadd itself.
fn is_kernel(thread: &Thread) -> bool {
    thread.pid == 2 || thread.ptid == 2
}

/// A thread of the process of `main`, before its own ids are read.
fn sibling(main: &Thread, tid: i64) -> Thread {
    let mut thread = Thread::new(tid, main.pid);
    thread.exe.clone_from(&main.exe);
    thread.exepath.clone_from(&main.exepath);
    thread.args = Rc::clone(&main.args);
    thread.cgroups = Rc::clone(&main.cgroups);
    thread.root.clone_from(&main.root);
    thread.loginuid = main.loginuid;
    thread.exe_ino = main.exe_ino;
    thread.exe_ino_ctime = main.exe_ino_ctime;
    thread.exe_ino_mtime = main.exe_ino_mtime;
    thread.flags = main.flags & (ThreadFlags::EXE_WRITABLE | ThreadFlags::EXE_FROM_MEMFD);
    thread
}

/// What an fd that is no socket is, by the text of its link.
fn describe(fds: &OwnedFd, number: &str, target: &[u8]) -> FdInfo {
    if let Some(inode) = target.strip_prefix(b"pipe:") {
        let mut info = FdInfo::new(FdKind::Fifo);
        info.ino = inode_of(inode).unwrap_or(0);
        info.name = target.into();
        return info;
    }
    if let Some(name) = target.strip_prefix(b"anon_inode:") {
        let mut info = FdInfo::new(kind_of_anonymous(name));
        info.name = target.into();
        return info;
    }
    let mut info = FdInfo::new(FdKind::File);
    if let Some(name) = target.strip_prefix(b"/memfd:") {
        info.kind = FdKind::Memfd;
        info.name = name.strip_suffix(b" (deleted)").unwrap_or(name).into();
    } else {
        info.name = target.into();
    }
    if let Ok(meta) = fstatat(fds, number, AtFlags::empty()) {
        // The C library and the schema have the same lower 32 bits of a device number.
        info.dev = meta.st_dev as u32;
        info.ino = meta.st_ino;
        match meta.st_mode & libc::S_IFMT {
            libc::S_IFDIR => info.kind = FdKind::Directory,
            libc::S_IFIFO => info.kind = FdKind::Fifo,
            libc::S_IFSOCK => {
                info.kind = FdKind::Unix;
                info.socket = Some(Box::new(Socket { l4: L4::None, ..Socket::default() }));
            }
            _ => {}
        }
    }
    info
}

fn kind_of_anonymous(name: &[u8]) -> FdKind {
    match name.trim_with(|c| matches!(c, '[' | ']')) {
        b"eventfd" => FdKind::Event,
        b"eventpoll" => FdKind::Eventpoll,
        b"inotify" => FdKind::Inotify,
        b"signalfd" => FdKind::Signal,
        b"timerfd" => FdKind::Timer,
        b"io_uring" => FdKind::IoUring,
        b"userfaultfd" => FdKind::Userfault,
        b"pidfd" => FdKind::Pidfd,
        name if name.starts_with(b"bpf") || name == b"btf" => FdKind::Bpf,
        _ => FdKind::Unsupported,
    }
}

/// Takes over the lines of `/proc/<pid>/fdinfo/<fd>`.
fn apply_fdinfo(info: &mut FdInfo, text: &[u8]) {
    for line in text.lines() {
        let Some((key, value)) = line.split_once_str(b":") else { continue };
        let value = value.trim().to_str().unwrap_or_default();
        match key {
            b"flags" => {
                info.open_flags = u64::from_str_radix(value, 8).map_or(0, convert::open_flags);
            }
            b"ino" if info.ino == 0 => info.ino = value.parse().unwrap_or(0),
            b"Pid" if info.kind == FdKind::Pidfd => info.pidfd_pid = value.parse().unwrap_or(0),
            _ => {}
        }
    }
}

/// `hierarchy:subsystems:path` lines as `subsystem=path` strings; cgroup v2 has no subsystems in
/// the line, so its path is given for each controller.
fn cgroups(text: &[u8], controllers: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut push = |name: &[u8], path: &[u8]| {
        for part in [name, b"=", path, b"\0"] {
            out.extend_from_slice(part);
        }
    };
    for line in text.lines() {
        let mut parts = line.splitn(3, |b| *b == b':');
        let (Some(number), Some(names), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        match names {
            b"" if number == b"0" && controllers.is_empty() => push(b"unified", path),
            b"" if number == b"0" => controllers.iter().for_each(|name| push(name, path)),
            names => names.split(|b| *b == b',').for_each(|name| push(name, path)),
        }
    }
    out
}

/// A list of strings with the final NUL that the last one may lack.
fn terminated(list: &[u8]) -> Rc<[u8]> {
    match list.last() {
        None | Some(0) => Rc::from(list),
        Some(_) => {
            let mut list = list.to_vec();
            list.push(0);
            Rc::from(list)
        }
    }
}

/// Whether a thread may write to a file, judged by ids, mode and the capability to ignore both.
fn may_write(thread: &Thread, meta: &FileStat) -> bool {
    const CAP_DAC_OVERRIDE: u64 = 1 << 1;
    let mode = meta.st_mode;
    thread.cap_effective & CAP_DAC_OVERRIDE != 0
        || mode & libc::S_IWOTH != 0
        || (meta.st_uid == thread.uid && mode & libc::S_IWUSR != 0)
        || (meta.st_gid == thread.gid && mode & libc::S_IWGRP != 0)
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    (seconds as u64).saturating_mul(1_000_000_000).saturating_add(nanoseconds as u64)
}

/// The number in `pipe:[123]`, `net:[4026531840]` or `[123]`.
fn inode_of(text: &[u8]) -> Option<u64> {
    let (_, number) = text.split_once_str(b"[")?;
    parse(number.strip_suffix(b"]")?)
}

fn parse<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    text.to_str().ok()?.parse().ok()
}

/// The numbers among the names in a directory: processes, threads or fds.
fn numbers_in(path: &std::path::Path) -> impl Iterator<Item = i64> + use<> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn open_dir(path: &std::path::Path) -> Option<OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).ok()
}

fn open_in(dir: &OwnedFd, name: &str) -> Option<OwnedFd> {
    openat(dir, name, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).ok()
}

fn open_file(dir: &OwnedFd, name: &str) -> Option<File> {
    openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok().map(File::from)
}

fn link(dir: &OwnedFd, name: &str) -> Option<Vec<u8>> {
    readlinkat(dir, name).ok().map(OsStringExt::into_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    #[test]
    fn this_process_is_found_with_its_fds() {
        let dir = std::env::temp_dir().join(format!("tracer-scan-{}", std::process::id()));
        let mut file = File::create(&dir).unwrap();
        file.write_all(b"x").unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();

        let mut state = State::default();
        scan(&mut state);
        let pid = i64::from(std::process::id());
        let own = state.by_tid(pid).unwrap();
        assert_eq!((own.pid, own.uid), (pid, nix::unistd::geteuid().as_raw()));
        assert!(own.exepath.ends_with(std::env::current_exe().unwrap().as_os_str().as_encoded_bytes()));
        assert!(own.cwd.ends_with(b"/") && !own.env.is_empty());
        // The test runner has arguments only when somebody asks for some of the tests.
        assert_eq!(own.args.is_empty(), std::env::args().len() == 1);
        assert!(own.live_threads > 1, "the test runner has threads");
        assert!(own.clone_ts > state.machine.boot_ts && own.clone_ts <= own.last_access);
        assert!(state.parent_of(own).is_some());
        assert!(!state.users.users.is_empty());

        let fd = |fd: i32| own.fds.get(i64::from(fd)).unwrap();
        let found = fd(file.as_raw_fd());
        assert_eq!(found.kind, FdKind::File);
        assert_eq!(found.name, dir.as_os_str().as_encoded_bytes());
        assert_eq!(found.open_flags & !2048, 2 | 4096, "O_WRONLY|O_CLOEXEC");
        assert_eq!(found.ino, std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap()));
        let found = fd(listener.as_raw_fd());
        assert_eq!(found.kind, FdKind::Ipv4Server);
        assert_eq!(found.name, format!("127.0.0.1:{port}").as_bytes());
        let name = format!("{}->127.0.0.1:{port}", client.local_addr().unwrap());
        assert_eq!(fd(client.as_raw_fd()).name, name.as_bytes());
        assert_eq!(fd(server.as_raw_fd()).name, name.as_bytes());
        assert_eq!(fd(reader.as_raw_fd()).kind, FdKind::Fifo);
        assert_eq!(fd(reader.as_raw_fd()).ino, fd(writer.as_raw_fd()).ino);
        std::fs::remove_file(&dir).unwrap();
    }

    #[test]
    fn one_thread_can_be_looked_up() {
        let tid = i64::from(nix::unistd::gettid().as_raw());
        let thread = look_up(tid).unwrap();
        assert_eq!((thread.tid, thread.pid), (tid, i64::from(std::process::id())));
        assert!(!thread.exepath.is_empty());
        assert_eq!(looker()(i64::from(std::process::id())).map(|p| p.fds.is_empty()), Some(false));
        assert!(look_up(0).is_none() && look_up(-1).is_none() && look_up(i64::MAX).is_none());
        assert!(is_alive(tid) && !is_alive(i64::MAX));
    }

    #[test]
    fn control_groups_of_both_versions() {
        let text = b"9:name=systemd:/a\n2:cpu,cpuacct:/b:c\n0::/u\nbroken\n";
        let both = [b"io".to_vec(), b"pids".to_vec()];
        assert_eq!(cgroups(text, &both), b"name=systemd=/a\0cpu=/b:c\0cpuacct=/b:c\0io=/u\0pids=/u\0");
        assert_eq!(cgroups(b"0::/u\n", &[]), b"unified=/u\0");
    }

    #[test]
    fn kinds_of_anonymous_inodes() {
        assert_eq!(kind_of_anonymous(b"[eventpoll]"), FdKind::Eventpoll);
        assert_eq!(kind_of_anonymous(b"inotify"), FdKind::Inotify);
        assert_eq!(kind_of_anonymous(b"bpf-prog"), FdKind::Bpf);
        assert_eq!(kind_of_anonymous(b"[perf_event]"), FdKind::Unsupported);
    }
}
