//! `evt.*` about results, data and counts.

use super::evt::has;
use super::fd::with_name;
use super::fs_path::path_of_call;
use super::render::write_errno;
use super::table::{Class, Extract, Extraction, Field, FieldFlags, NO_MATCH};
use super::value::Value;
use crate::event::Event;
use crate::schema::{Category, EventFlags, EventType, ParamFormat as F, ParamInfo, ParamType as T, tables};
use crate::state::Context;
use crate::state::fd::FdKind;
use std::sync::LazyLock;

const fn call(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::EvtSyscall, name, ty, format, doc, extract)
}

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    call(
        "evt.buffer",
        T::Bytebuf,
        F::Na,
        "The data that the call read or wrote, as far as it was recorded.",
        |x, _, emit| {
            if let Some(data) = DATA.get(x.context.event.ty).and_then(|i| x.context.event.params.get(i)) {
                emit(Value::Buffer(data));
            }
        },
    ),
    call("evt.buflen", T::Uint64, F::Dec, "How many bytes the call read or wrote.", |x, _, emit| {
        moved(x, ANY, |_| true, emit);
    }),
    call(
        "evt.res",
        T::Charbuf,
        F::Dec,
        "`SUCCESS` or the name of the error, such as `ENOENT`.",
        |x, _, emit| match result(x.context.event) {
            Some(res) if res < 0 => x.text(|out| write_errno(out, res), |text| emit(Value::Text(text))),
            Some(_) => emit(Value::Text(b"SUCCESS")),
            None => {}
        },
    ),
    call(
        "evt.rawres",
        T::Int64,
        F::Dec,
        "What the call returned, as a number: -2 rather than ENOENT.",
        |x, _, emit| {
            if let Some(res) = result(x.context.event) {
                emit(Value::Int(res));
            }
        },
    ),
    call("evt.failed", T::Bool, F::Na, "Whether the call returned an error.", |x, _, emit| {
        emit(Value::Bool(failed(x.context.event)));
    }),
    call("evt.is_syslog", T::Bool, F::Na, "Whether the event writes to the system log.", |x, _, emit| {
        emit(Value::Bool(is_syslog(&x.context)));
    }),
    call(
        "evt.subject",
        T::Charbuf,
        F::Na,
        "What the call is about: the name of its fd, or else the path that it was given, also when it failed.",
        |x, _, emit| {
            let mut named = false;
            with_name(x, b"", &mut |name| {
                named = true;
                emit(Value::Text(without_addresses(x, name)));
            });
            if !named {
                path_of_call(x, emit);
            }
        },
    ),
    call("evt.count", T::Uint32, F::Dec, "Always 1, to count events.", |_, _, emit| emit(Value::Uint(1))),
    call("evt.count.error", T::Uint32, F::Dec, "1 for events that returned an error.", |x, _, emit| {
        count(failed(x.context.event), emit);
    }),
    call("evt.count.error.file", T::Uint32, F::Dec, "1 for errors on files.", |x, _, emit| {
        count(failed(x.context.event) && subject(&x.context) == Subject::File, emit);
    }),
    call("evt.count.error.net", T::Uint32, F::Dec, "1 for errors on sockets.", |x, _, emit| {
        count(failed(x.context.event) && subject(&x.context) == Subject::Net, emit);
    }),
    call("evt.count.error.memory", T::Uint32, F::Dec, "1 for errors of memory calls.", |x, _, emit| {
        count(failed(x.context.event) && subject(&x.context) == Subject::Memory, emit);
    }),
    call(
        "evt.count.error.other",
        T::Uint32,
        F::Dec,
        "1 for errors on anything but files, sockets and memory.",
        |x, _, emit| {
            count(failed(x.context.event) && subject(&x.context) == Subject::Other, emit);
        },
    ),
    call("evt.count.exit", T::Uint32, F::Dec, "1 for events that are the return of a call.", |x, _, emit| {
        count(x.context.event.ty.is_exit(), emit);
    }),
    call(
        "evt.count.open",
        T::Uint32,
        F::Dec,
        "1 for the return of a call that opens a file: open, openat, openat2, creat, open_by_handle_at.",
        |x, _, emit| {
            let event = x.context.event;
            // The return of the first openat does not tell how the file was opened, but it is one.
            let opens = opens_file(event) || event.ty == EventType::SYSCALL_OPENAT_X;
            count(opens && event.ty.is_exit(), emit);
        },
    ),
    call(
        "evt.count.procinfo",
        T::Uint32,
        F::Dec,
        "1 for reports on the CPU use of a process.",
        |x, _, emit| {
            let is_process = x.context.thread().is_some_and(|t| t.tid == t.pid);
            count(x.context.event.ty == EventType::PROCINFO_E && is_process, emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    call(
        "evt.count.threadinfo",
        T::Uint32,
        F::Dec,
        "1 for reports on the CPU use of a thread.",
        |x, _, emit| {
            count(x.context.event.ty == EventType::PROCINFO_E, emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    call("evt.buflen.in", T::Uint64, F::Dec, "How many bytes were read.", |x, _, emit| {
        moved(x, READS, |_| true, emit);
    })
    .flag(FieldFlags::TABLE_ONLY),
    call("evt.buflen.out", T::Uint64, F::Dec, "How many bytes were written.", |x, _, emit| {
        moved(x, WRITES, |_| true, emit);
    })
    .flag(FieldFlags::TABLE_ONLY),
    call(
        "evt.buflen.file",
        T::Uint64,
        F::Dec,
        "How many bytes were read from or written to a file.",
        |x, _, emit| {
            moved(x, ANY, |kind| kind == FdKind::File, emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    call("evt.buflen.file.in", T::Uint64, F::Dec, "How many bytes were read from a file.", |x, _, emit| {
        moved(x, READS, |kind| kind == FdKind::File, emit);
    })
    .flag(FieldFlags::TABLE_ONLY),
    call("evt.buflen.file.out", T::Uint64, F::Dec, "How many bytes were written to a file.", |x, _, emit| {
        moved(x, WRITES, |kind| kind == FdKind::File, emit);
    })
    .flag(FieldFlags::TABLE_ONLY),
    call(
        "evt.buflen.net",
        T::Uint64,
        F::Dec,
        "How many bytes were received from or sent to a socket.",
        |x, _, emit| {
            moved(x, ANY, is_internet, emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    call(
        "evt.buflen.net.in",
        T::Uint64,
        F::Dec,
        "How many bytes were received from a socket.",
        |x, _, emit| {
            moved(x, READS, is_internet, emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    call("evt.buflen.net.out", T::Uint64, F::Dec, "How many bytes were sent to a socket.", |x, _, emit| {
        moved(x, WRITES, is_internet, emit);
    })
    .flag(FieldFlags::TABLE_ONLY),
    call("evt.is_open_read", T::Bool, F::Na, "Whether the event opened a file for reading.", |x, _, emit| {
        emit(Value::Bool(open_flags(x.context.event) & O_RDONLY != 0));
    }),
    call(
        "evt.is_open_write",
        T::Bool,
        F::Na,
        "Whether the event opened a file for writing.",
        |x, _, emit| {
            emit(Value::Bool(open_flags(x.context.event) & O_WRONLY != 0));
        },
    ),
    call(
        "evt.is_open_exec",
        T::Bool,
        F::Na,
        "Whether the event created a file that someone may execute.",
        |x, _, emit| {
            emit(Value::Bool(creates_executable(x.context.event)));
        },
    ),
    call(
        "evt.is_open_create",
        T::Bool,
        F::Na,
        "Whether the event opened a file that did not exist before.",
        |x, _, emit| {
            let event = x.context.event;
            emit(Value::Bool(open_flags(event) & O_F_CREATED != 0 || is_creat(event) && !failed(event)));
        },
    ),
];

/// Which way data moves, by the category of the event.
type Direction = fn(Category) -> bool;

const READS: Direction = |category| category == Category::IoRead;
const WRITES: Direction = |category| category == Category::IoWrite;
/// Calls on an fd that move nothing, such as `close`, count with what they return.
const ANY: Direction =
    |category| matches!(category, Category::IoRead | Category::IoWrite | Category::IoOther);

// Open flags of the schema (`file_flags`): a read-write open has both access bits.
const O_RDONLY: u64 = 1;
const O_WRONLY: u64 = 2;
const O_CREAT: u64 = 4;
const O_TMPFILE: u64 = 1 << 13;
const O_F_CREATED: u64 = 1 << 14;
/// Execute permission of owner, group or others.
const ANY_EXECUTE: u64 = 0o111;

/// For each event type the position of a parameter.
pub(super) struct Positions(Vec<u8>);

impl Positions {
    pub(super) fn of(matches: impl Fn(EventType, &ParamInfo) -> bool) -> Self {
        let position = |e: &crate::schema::EventInfo| e.params.iter().position(|p| matches(e.ty, p));
        let code = |i: Option<usize>| i.and_then(|i| u8::try_from(i).ok()).unwrap_or(NO_MATCH);
        Self(tables::EVENTS.iter().map(|e| code(position(e))).collect())
    }

    #[inline]
    pub(super) fn get(&self, ty: EventType) -> Option<usize> {
        self.0.get(usize::from(ty.0)).copied().filter(|i| *i != NO_MATCH).map(usize::from)
    }
}

/// The data of calls that read or write.
pub(super) static DATA: LazyLock<Positions> = LazyLock::new(|| Positions::of(|_, p| p.name == "data"));

/// What a call returned: `res`, or of calls that return an fd `fd`.
static RESULT: LazyLock<Positions> = LazyLock::new(|| {
    let has_res = |ty: EventType| ty.info().is_some_and(|e| e.params.iter().any(|p| p.name == "res"));
    Positions::of(|ty, p| ty.is_exit() && if has_res(ty) { p.name == "res" } else { p.name == "fd" })
});

static OPEN_FLAGS: LazyLock<Positions> =
    LazyLock::new(|| Positions::of(|ty, p| reports_open(ty) && p.name == "flags"));

static OPEN_MODE: LazyLock<Positions> = LazyLock::new(|| {
    Positions::of(|ty, p| (reports_open(ty) || ty == EventType::SYSCALL_CREAT_X) && p.name == "mode")
});

/// Events that tell how a file was opened; the first openat did so when it began.
fn reports_open(ty: EventType) -> bool {
    matches!(
        ty,
        EventType::SYSCALL_OPEN_X
            | EventType::SYSCALL_OPENAT_E
            | EventType::SYSCALL_OPENAT_2_X
            | EventType::SYSCALL_OPENAT2_X
            | EventType::SYSCALL_OPEN_BY_HANDLE_AT_X
    )
}

fn is_creat(event: &Event<'_>) -> bool {
    event.ty == EventType::SYSCALL_CREAT_X
}

/// Calls that make an fd of a file.
pub(super) fn opens_file(event: &Event<'_>) -> bool {
    reports_open(event.ty) || is_creat(event)
}

fn open_flags(event: &Event<'_>) -> u64 {
    OPEN_FLAGS.get(event.ty).and_then(|i| event.u64(i)).unwrap_or(0)
}

fn creates_executable(event: &Event<'_>) -> bool {
    let creates = is_creat(event) || open_flags(event) & (O_CREAT | O_TMPFILE) != 0;
    creates && OPEN_MODE.get(event.ty).and_then(|i| event.u64(i)).is_some_and(|mode| mode & ANY_EXECUTE != 0)
}

/// What the call returned; `None` when it has not returned yet or returns nothing.
#[inline]
pub(super) fn result(event: &Event<'_>) -> Option<i64> {
    event.i64(RESULT.get(event.ty)?)
}

/// Whether `evt.buflen` and the like are zero or no value, whatever the event is about.
#[inline]
pub fn moves_nothing(event: &Event<'_>) -> bool {
    result(event).is_none_or(|res| res <= 0)
}

#[inline]
pub(super) fn failed(event: &Event<'_>) -> bool {
    result(event).is_some_and(|res| res < 0)
}

/// Writing to the socket of the system log.
pub(super) fn is_syslog(context: &Context<'_>) -> bool {
    let to_log = |fd: &crate::state::fd::FdInfo| memchr::memmem::find(&fd.name, b"/dev/log").is_some();
    has(context.event, EventFlags::WRITES_TO_FD) && context.fd().is_some_and(to_log)
}

fn count(yes: bool, emit: &mut dyn FnMut(Value<'_>)) {
    if yes {
        emit(Value::Uint(1));
    }
}

/// Of a unix socket its path, if it has one: the addresses before it are new for each socket.
fn without_addresses<'a>(x: &Extraction<'_>, name: &'a [u8]) -> &'a [u8] {
    let is_unix = match x.fd() {
        Some(fd) => fd.kind == FdKind::Unix,
        None => x.context.event.name() == "connect",
    };
    let path = memchr::memmem::find(name, b" /").filter(|_| is_unix);
    path.and_then(|at| name.get(at + 1..)).unwrap_or(name)
}

/// Emits how many bytes a call moved, when it is one that moves them in this direction.
fn moved(
    x: &Extraction<'_>,
    direction: Direction,
    kind: fn(FdKind) -> bool,
    emit: &mut dyn FnMut(Value<'_>),
) {
    let event = x.context.event;
    if !event.ty.is_exit() || !direction(event.info().category) || !x.fd().is_some_and(|fd| kind(fd.kind)) {
        return;
    }
    if let Some(length) = result(event).and_then(|res| u64::try_from(res).ok()) {
        emit(Value::Uint(length));
    }
}

fn is_file(kind: FdKind) -> bool {
    matches!(kind, FdKind::File | FdKind::Directory)
}

fn is_internet(kind: FdKind) -> bool {
    matches!(kind, FdKind::Ipv4 | FdKind::Ipv6 | FdKind::Ipv4Server | FdKind::Ipv6Server)
}

fn is_net(kind: FdKind) -> bool {
    is_internet(kind) || kind == FdKind::Unix
}

/// What an error is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    File,
    Net,
    Memory,
    Other,
}

fn subject(context: &Context<'_>) -> Subject {
    let event = context.event;
    match context.fd().map(|fd| fd.kind) {
        Some(kind) if is_file(kind) => Subject::File,
        Some(kind) if is_net(kind) => Subject::Net,
        Some(_) => Subject::Other,
        None if opens_file(event) => Subject::File,
        None if matches!(event.name(), "accept" | "accept4" | "bind" | "connect") => Subject::Net,
        None if event.info().category == Category::Memory => Subject::Memory,
        None => Subject::Other,
    }
}
