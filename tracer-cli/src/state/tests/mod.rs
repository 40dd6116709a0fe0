//! The inspector fed with hand-made events.

mod container;
mod file;
mod process;
mod socket;
mod soup;
mod work;

use super::fd::FdInfo;
use super::inspector::{Inspector, Limits};
use super::thread::Thread;
use super::{Binding, State};
use crate::event::{Event, EventBits};
use crate::schema::{EventType, ParamType};

/// An event whose parameters are set by name and encoded as its schema row says; those that are
/// not set have no value.
#[derive(Debug, Clone)]
pub struct Made {
    ty: EventType,
    tid: i64,
    params: Vec<Vec<u8>>,
}

/// Makes an event of thread 100.
pub fn made(ty: EventType) -> Made {
    Made { ty, tid: 100, params: vec![Vec::new(); ty.info().unwrap().params.len()] }
}

impl Made {
    pub fn by(mut self, tid: i64) -> Self {
        self.tid = tid;
        self
    }

    fn index(&self, name: &str) -> usize {
        let info = self.ty.info().unwrap();
        info.params.iter().position(|p| p.name == name).unwrap_or_else(|| panic!("{} has no {name}", info.id))
    }

    /// A number, in as many bytes as the type of the parameter has.
    pub fn int(self, name: &str, value: i64) -> Self {
        let at = self.index(name);
        self.int_at(at, value)
    }

    pub fn int_at(mut self, at: usize, value: i64) -> Self {
        use ParamType as T;
        let width = match self.ty.info().unwrap().params[at].ty {
            T::Int8 | T::Uint8 | T::Flags8 | T::Enumflags8 | T::Sigtype => 1,
            T::Int16 | T::Uint16 | T::Flags16 | T::Enumflags16 => 2,
            T::Int32 | T::Uint32 | T::Flags32 | T::Enumflags32 | T::Uid | T::Gid | T::Mode => 4,
            _ => 8,
        };
        self.params[at] = value.to_le_bytes()[..width].to_vec();
        self
    }

    /// Text with its final NUL.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let at = self.index(name);
        self.params[at] = [value.as_bytes(), b"\0"].concat();
        self
    }

    pub fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        let at = self.index(name);
        self.params[at] = value.to_vec();
        self
    }

    /// As in a capture of a time when the type had only its first `count` parameters.
    pub fn cut(mut self, count: usize) -> Self {
        self.params.truncate(count);
        self
    }
}

/// An inspector, a clock and a pretended /proc.
pub struct World {
    pub inspector: Inspector,
    pub ts: u64,
    pub known: Vec<Thread>,
    /// tids that were looked up.
    pub looked_up: Vec<i64>,
}

impl World {
    /// A world with process 100, child of 1, in /home.
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        let mut inspector = Inspector::new(limits);
        let init = Thread { ptid: 0, comm: "init".into(), ..Thread::new(1, 1) };
        inspector.state.insert(init);
        inspector.state.insert(Thread {
            ptid: 1,
            comm: "sh".into(),
            cwd: "/home/".into(),
            uid: 7,
            ..Thread::new(100, 100)
        });
        Self { inspector, ts: 1_000_000_000_000, known: Vec::new(), looked_up: Vec::new() }
    }

    /// Applies the event a microsecond after the one before.
    pub fn apply(&mut self, made: Made) -> Binding {
        self.ts += 1000;
        let params: Vec<&[u8]> = made.params.iter().map(Vec::as_slice).collect();
        let event = Event {
            num: 1,
            ts: self.ts,
            tid: made.tid,
            pid: 0,
            cpu: 0,
            ty: made.ty,
            bits: EventBits::empty(),
            unreadable: 0,
            params: (&params).into(),
        };
        let (known, looked_up) = (&self.known, &mut self.looked_up);
        self.inspector.apply(&event, &mut |tid| {
            looked_up.push(tid);
            known.iter().find(|t| t.tid == tid).cloned().map(Box::new)
        })
    }

    /// Applies an event that ends what the one before left to be ended, and does nothing else.
    pub fn settle(&mut self) {
        self.apply(made(EventType::CPU_HOTPLUG_E).by(-1));
    }

    pub fn state(&self) -> &State {
        &self.inspector.state
    }

    pub fn thread(&self, tid: i64) -> &Thread {
        self.state().by_tid(tid).unwrap_or_else(|| panic!("no thread {tid}"))
    }

    /// An fd of the process of thread `tid`.
    pub fn fd_of(&self, tid: i64, fd: i64) -> Option<&FdInfo> {
        self.state().process_of(self.thread(tid)).fds.get(fd)
    }

    /// The name of an fd of process 100, `None` when it has no such fd.
    pub fn name(&self, fd: i64) -> Option<String> {
        self.fd_of(100, fd).map(|info| info.name.to_string())
    }

    /// Thread 100 opens `path` as `fd`.
    pub fn open(&mut self, fd: i64, path: &str) -> Binding {
        self.apply(open(fd, path))
    }
}

/// openat returns, relative to the current directory.
pub fn open(fd: i64, path: &str) -> Made {
    made(EventType::SYSCALL_OPENAT_2_X)
        .int("fd", fd)
        .int("dirfd", -100)
        .text("name", path)
        .int("flags", 1)
        .int("ino", 5)
}

/// clone returns in process 100.
pub fn clone(child: i64) -> Made {
    made(EventType::SYSCALL_CLONE_20_X)
        .int("res", child)
        .text("exe", "sh")
        .bytes("args", b"-c\0x\0")
        .text("comm", "sh")
        .int("flags", 0)
        .int("uid", 7)
        .int("gid", 8)
        .int("pid", 100)
        .int("ptid", 1)
        .int("vtid", 100)
        .int("vpid", 100)
}

/// clone of a thread returns in process 100.
pub fn clone_thread(child: i64) -> Made {
    clone(child).int("flags", 8192)
}

/// A successful exec of process 100.
pub fn exec(path: &str) -> Made {
    made(EventType::SYSCALL_EXECVE_19_X)
        .int("res", 0)
        .text("exe", path)
        .text("comm", path.rsplit('/').next().unwrap())
        .int("pid", 100)
        .text("trusted_exepath", path)
}

pub fn procexit(tid: i64) -> Made {
    made(EventType::PROCEXIT_1_E).by(tid).int("status", 0)
}
