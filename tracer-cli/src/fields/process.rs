//! `proc.*` about the process of the event.

use super::render::write_fd_name;
use super::table::{Class, Extract, Extraction, Field, FieldArg, FieldFlags};
use super::value::Value;
use crate::schema::{EventType, ParamFormat as F, ParamType as T};
use crate::state::fd::FdInfo;
use crate::state::thread::{Thread, ThreadFlags};

const fn field(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Process, name, ty, format, doc, extract)
}

pub(super) type Emit<'e> = &'e mut dyn FnMut(Value<'_>);

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    field("proc.exe", T::Charbuf, F::Na, "How the program was called: its first argument.", |x, _, emit| {
        text(x, emit, |t| exe(t));
    }),
    field("proc.exepath", T::Charbuf, F::Na, "Absolute path of the executable.", |x, _, emit| {
        text(x, emit, |t| &t.exepath);
    }),
    field(
        "proc.name",
        T::Charbuf,
        F::Na,
        "Name of the program, as the kernel keeps it (15 bytes at most).",
        |x, _, emit| {
            text(x, emit, |t| t.name());
        },
    ),
    field(
        "proc.args",
        T::Charbuf,
        F::Na,
        "Arguments after the first, or one of them: `proc.args[0]`.",
        |x, arg, emit| {
            if let Some(thread) = x.context.thread() {
                emit_args(x, thread, arg, emit);
            }
        },
    )
    .optional(),
    field("proc.cmdline", T::Charbuf, F::Na, "Name of the program and its arguments.", |x, _, emit| {
        if let Some(thread) = x.context.thread() {
            x.text(|out| write_cmdline(out, thread), |text| emit(Value::Text(text)));
        }
    }),
    field("proc.cmdnargs", T::Uint64, F::Dec, "Number of arguments after the first.", |x, _, emit| {
        number(x, emit, |t| items(&t.args).count() as u64);
    }),
    field(
        "proc.cmdlenargs",
        T::Uint64,
        F::Dec,
        "Bytes of all arguments after the first together.",
        |x, _, emit| {
            number(x, emit, |t| items(&t.args).map(<[u8]>::len).sum::<usize>() as u64);
        },
    ),
    field("proc.exeline", T::Charbuf, F::Na, "First argument and the ones after it.", |x, _, emit| {
        if let Some(thread) = x.context.thread() {
            let build = |out: &mut Vec<u8>| {
                out.extend_from_slice(exe(thread));
                out.push(b' ');
                write_joined(out, &thread.args);
            };
            x.text(build, |text| emit(Value::Text(text)));
        }
    }),
    field(
        "proc.env",
        T::Charbuf,
        F::Na,
        "Environment of the process, or one variable of it: `proc.env[PATH]`.",
        |x, arg, emit| {
            if let Some(process) = x.context.process() {
                emit_env(x, process, arg.map(|arg| arg.text.as_str()), emit);
            }
        },
    )
    .optional(),
    field("proc.cwd", T::Charbuf, F::Na, "Working directory, with a final slash.", |x, _, emit| {
        if let Some(process) = x.context.process() {
            emit(Value::Text(&process.cwd));
        }
    }),
    field(
        "proc.tty",
        T::Uint32,
        F::Id,
        "Number of the terminal that controls the process, 0 when there is none.",
        |x, _, emit| {
            number(x, emit, |t| u64::from(t.tty));
        },
    ),
    field("proc.pid", T::Int64, F::Id, "Process id.", |x, _, emit| signed(x, emit, |t| t.pid)),
    field(
        "proc.vpid",
        T::Int64,
        F::Id,
        "Process id inside the process's own pid namespace.",
        |x, _, emit| {
            known(x, emit, |t| t.vpid);
        },
    ),
    field("proc.sid", T::Int64, F::Id, "Session id.", |x, _, emit| signed(x, emit, |t| t.sid)),
    field(
        "proc.vpgid",
        T::Int64,
        F::Id,
        "Process group id inside the process's own pid namespace.",
        |x, _, emit| {
            signed(x, emit, |t| t.vpgid);
        },
    ),
    field("proc.pgid", T::Int64, F::Id, "Process group id.", |x, _, emit| signed(x, emit, |t| t.host_pgid())),
    field("proc.duration", T::Reltime, F::Dec, "Time in ns since the process was started.", |x, _, emit| {
        if let Some(thread) = x.context.thread().filter(|t| t.clone_ts > 0) {
            emit(Value::Reltime(x.context.event.ts.saturating_sub(thread.clone_ts)));
        }
    }),
    field(
        "proc.pid.ts",
        T::Reltime,
        F::Dec,
        "When the process was started, in ns since the epoch.",
        |x, _, emit| {
            if let Some(thread) = x.context.thread().filter(|t| t.clone_ts > 0) {
                emit(Value::Reltime(thread.clone_ts));
            }
        },
    ),
    field(
        "proc.is_exe_writable",
        T::Bool,
        F::Na,
        "Whether the user of the process may write to its executable.",
        |x, _, emit| {
            flag(x, emit, ThreadFlags::EXE_WRITABLE);
        },
    ),
    field(
        "proc.is_exe_upper_layer",
        T::Bool,
        F::Na,
        "Whether the executable is in the upper, writable layer of an overlay.",
        |x, _, emit| {
            flag(x, emit, ThreadFlags::EXE_UPPER_LAYER);
        },
    ),
    field(
        "proc.is_exe_lower_layer",
        T::Bool,
        F::Na,
        "Whether the executable is in the lower layer of an overlay.",
        |x, _, emit| {
            flag(x, emit, ThreadFlags::EXE_LOWER_LAYER);
        },
    ),
    field(
        "proc.is_exe_from_memfd",
        T::Bool,
        F::Na,
        "Whether the executable exists in memory only (memfd).",
        |x, _, emit| {
            flag(x, emit, ThreadFlags::EXE_FROM_MEMFD);
        },
    ),
    field("proc.is_sid_leader", T::Bool, F::Na, "Whether the process leads its session.", |x, _, emit| {
        truth(x, emit, |t| t.sid == t.own_pid());
    }),
    field(
        "proc.is_vpgid_leader",
        T::Bool,
        F::Na,
        "Whether the process leads its process group, by the ids of its pid namespace.",
        |x, _, emit| {
            truth(x, emit, |t| t.vpgid == t.own_pid());
        },
    ),
    field(
        "proc.is_pgid_leader",
        T::Bool,
        F::Na,
        "Whether the process leads its process group.",
        |x, _, emit| {
            truth(x, emit, |t| t.host_pgid() == t.pid);
        },
    ),
    field("proc.exe_ino", T::Int64, F::Dec, "Inode number of the executable.", |x, _, emit| {
        nonzero(x, Value::Uint, emit, |t| t.exe_ino);
    }),
    field(
        "proc.exe_ino.ctime",
        T::Abstime,
        F::Dec,
        "Last status change of the executable, in ns since the epoch.",
        |x, _, emit| {
            nonzero(x, Value::Abstime, emit, |t| t.exe_ino_ctime);
        },
    ),
    field(
        "proc.exe_ino.mtime",
        T::Abstime,
        F::Dec,
        "Last modification of the executable, in ns since the epoch.",
        |x, _, emit| {
            nonzero(x, Value::Abstime, emit, |t| t.exe_ino_mtime);
        },
    ),
    field(
        "proc.exe_ino.ctime_duration_proc_start",
        T::Abstime,
        F::Dec,
        "Time in ns from the last status change of the executable to the start of the process.",
        |x, _, emit| {
            nonzero(x, Value::Abstime, emit, |t| between(t.exe_ino_ctime, t.clone_ts));
        },
    ),
    field(
        "proc.exe_ino.ctime_duration_pidns_start",
        T::Abstime,
        F::Dec,
        "Time in ns from the start of the pid namespace to the last status change of the executable.",
        |x, _, emit| {
            nonzero(x, Value::Abstime, emit, |t| between(t.pidns_init_start_ts, t.exe_ino_ctime));
        },
    ),
    field(
        "proc.pidns_init_start_ts",
        T::Uint64,
        F::Dec,
        "When the pid namespace was started, in ns since the epoch.",
        |x, _, emit| {
            nonzero(x, Value::Uint, emit, |t| t.pidns_init_start_ts);
        },
    ),
    field("proc.fdopencount", T::Uint64, F::Dec, "How many fds the process has open.", |x, _, emit| {
        of_process(x, emit, |p| Value::Uint(p.fds.len() as u64));
    }),
    field("proc.fdlimit", T::Int64, F::Dec, "How many fds the process may have open.", |x, _, emit| {
        of_process(x, emit, |p| Value::Int(p.fd_limit));
    }),
    field("proc.fdusage", T::Double, F::Na, "Open fds as a percentage of the limit.", |x, _, emit| {
        let percent =
            |p: &Thread| if p.fd_limit > 0 { p.fds.len() as f64 * 100.0 / p.fd_limit as f64 } else { 0.0 };
        of_process(x, emit, |p| Value::Double(percent(p)));
    }),
    field("proc.vmsize", T::Uint64, F::Dec, "Virtual memory of the process in KiB.", |x, _, emit| {
        memory(x, emit, |t| t.vm_size);
    })
    .flag(FieldFlags::USAGE),
    field("proc.vmrss", T::Uint64, F::Dec, "Resident memory of the process in KiB.", |x, _, emit| {
        memory(x, emit, |t| t.vm_rss);
    })
    .flag(FieldFlags::USAGE),
    field("proc.vmswap", T::Uint64, F::Dec, "Swapped memory of the process in KiB.", |x, _, emit| {
        memory(x, emit, |t| t.vm_swap);
    })
    .flag(FieldFlags::USAGE),
    field(
        "proc.nthreads",
        T::Uint64,
        F::Dec,
        "How many threads the process has, the main one included.",
        |x, _, emit| {
            // One that ends with this very event still counts.
            let ends = matches!(x.context.event.ty, EventType::PROCEXIT_E | EventType::PROCEXIT_1_E);
            of_process(x, emit, |p| Value::Uint(u64::from(p.live_threads) + u64::from(ends)));
        },
    ),
    field(
        "proc.nchilds",
        T::Uint64,
        F::Dec,
        "How many threads the main thread has beside itself; 0 for other threads.",
        |x, _, emit| {
            number(x, emit, |t| if t.is_main() { u64::from(t.live_threads.saturating_sub(1)) } else { 0 });
        },
    ),
    field("proc.stdin.type", T::Charbuf, F::Na, "What kind of fd the standard input is.", |x, _, emit| {
        std_type(x, 0, emit)
    }),
    field("proc.stdout.type", T::Charbuf, F::Na, "What kind of fd the standard output is.", |x, _, emit| {
        std_type(x, 1, emit)
    }),
    field("proc.stderr.type", T::Charbuf, F::Na, "What kind of fd the standard error is.", |x, _, emit| {
        std_type(x, 2, emit)
    }),
    field("proc.stdin.name", T::Charbuf, F::Na, "Where the standard input comes from.", |x, _, emit| {
        std_name(x, 0, emit)
    }),
    field("proc.stdout.name", T::Charbuf, F::Na, "Where the standard output goes.", |x, _, emit| {
        std_name(x, 1, emit)
    }),
    field("proc.stderr.name", T::Charbuf, F::Na, "Where the standard error goes.", |x, _, emit| {
        std_name(x, 2, emit)
    }),
    field(
        "proc.is_container_healthcheck",
        T::Bool,
        F::Na,
        "Whether the process checks the health of its container.",
        |x, _, emit| {
            truth(x, emit, |_| false);
        },
    ),
    field(
        "proc.is_container_liveness_probe",
        T::Bool,
        F::Na,
        "Whether the process is a liveness probe of its container.",
        |x, _, emit| {
            truth(x, emit, |_| false);
        },
    ),
    field(
        "proc.is_container_readiness_probe",
        T::Bool,
        F::Na,
        "Whether the process is a readiness probe of its container.",
        |x, _, emit| {
            truth(x, emit, |_| false);
        },
    ),
];

/// First argument, with the placeholder of [`Thread::name`].
pub(super) fn exe(thread: &Thread) -> &[u8] {
    if thread.flags.contains(ThreadFlags::UNKNOWN) { b"<NA>" } else { &thread.exe }
}

/// The texts of a list in which each has a final NUL.
pub(super) fn items(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let list = list.strip_suffix(b"\0").unwrap_or(list);
    let count = if list.is_empty() { 0 } else { usize::MAX };
    list.split(|b| *b == 0).take(count)
}

/// The texts of a list with blanks between them.
pub(super) fn write_joined(out: &mut Vec<u8>, list: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(list.strip_suffix(b"\0").unwrap_or(list));
    // Many bytes at once, which a search for the zeros would not be.
    for byte in out.get_mut(begin..).unwrap_or_default() {
        *byte = if *byte == 0 { b' ' } else { *byte };
    }
}

/// Name and arguments.
pub(super) fn write_cmdline(out: &mut Vec<u8>, thread: &Thread) {
    out.extend_from_slice(thread.name());
    if !thread.args.is_empty() {
        out.push(b' ');
        write_joined(out, &thread.args);
    }
}

/// All arguments, or the one with the index in the field's argument.
pub(super) fn emit_args(x: &Extraction<'_>, thread: &Thread, arg: Option<&FieldArg>, emit: Emit<'_>) {
    match arg {
        None => x.text(|out| write_joined(out, &thread.args), |text| emit(Value::Text(text))),
        Some(arg) => {
            let index = arg.index.and_then(|i| usize::try_from(i).ok());
            if let Some(item) = index.and_then(|i| items(&thread.args).nth(i)) {
                emit(Value::Text(item));
            }
        }
    }
}

/// All variables, or the value of one.
pub(super) fn emit_env(x: &Extraction<'_>, process: &Thread, name: Option<&str>, emit: Emit<'_>) {
    match name {
        None => {
            // A program that writes its title over its environment leaves zeros behind.
            let used = process.env.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
            let env = process.env.get(..used).unwrap_or_default();
            x.text(|out| write_joined(out, env), |text| emit(Value::Text(text)));
        }
        Some(name) => {
            let value = |item: &'_ [u8]| -> Option<usize> {
                let rest = item.strip_prefix(name.as_bytes())?;
                rest.starts_with(b"=").then_some(name.len() + 1)
            };
            let found = items(&process.env).find_map(|item| item.get(value(item)?..));
            if let Some(value) = found {
                emit(Value::Text(value));
            }
        }
    }
}

pub(super) fn text(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> &[u8]) {
    if let Some(thread) = x.context.thread() {
        emit(Value::Text(part(thread)));
    }
}

pub(super) fn number(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> u64) {
    if let Some(thread) = x.context.thread() {
        emit(Value::Uint(part(thread)));
    }
}

fn signed(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> i64) {
    if let Some(thread) = x.context.thread() {
        emit(Value::Int(part(thread)));
    }
}

/// As [`signed`], without a value for threads that nothing is known about.
pub(super) fn known(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> i64) {
    if let Some(thread) = x.context.thread().filter(|t| !t.flags.contains(ThreadFlags::UNKNOWN)) {
        let value = part(thread);
        if value != -1 {
            emit(Value::Int(value));
        }
    }
}

/// Memory of the process as the thread's own events told it last, or else those of the main thread.
fn memory(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> u32) {
    let Some(thread) = x.context.thread() else { return };
    let told = if thread.vm_size == 0 { x.context.process().unwrap_or(thread) } else { thread };
    emit(Value::Uint(u64::from(part(told))));
}

pub(super) fn truth(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> bool) {
    if let Some(thread) = x.context.thread() {
        emit(Value::Bool(part(thread)));
    }
}

fn flag(x: &Extraction<'_>, emit: Emit<'_>, flag: ThreadFlags) {
    if let Some(thread) = x.context.thread() {
        emit(Value::Bool(thread.flags.contains(flag)));
    }
}

/// Zero means that the value was never learnt.
fn nonzero(x: &Extraction<'_>, wrap: fn(u64) -> Value<'static>, emit: Emit<'_>, part: fn(&Thread) -> u64) {
    if let Some(n) = x.context.thread().map(part).filter(|n| *n > 0) {
        emit(wrap(n));
    }
}

/// From the earlier to the later time; zero when one is unknown or the order is not this.
fn between(earlier: u64, later: u64) -> u64 {
    if earlier == 0 { 0 } else { later.saturating_sub(earlier) }
}

fn of_process(x: &Extraction<'_>, emit: Emit<'_>, value: impl Fn(&Thread) -> Value<'static>) {
    if let Some(process) = x.context.process() {
        emit(value(process));
    }
}

fn std_fd<'a>(x: &Extraction<'a>, fd: i64) -> Option<&'a FdInfo> {
    x.context.fd_at(fd)
}

fn std_type(x: &Extraction<'_>, fd: i64, emit: Emit<'_>) {
    if let Some(word) = std_fd(x, fd).and_then(|info| info.kind.word()) {
        emit(Value::Text(word.as_bytes()));
    }
}

fn std_name(x: &Extraction<'_>, fd: i64, emit: Emit<'_>) {
    if let Some(info) = std_fd(x, fd) {
        x.text(|out| write_fd_name(out, info, x.options.resolve_names), |text| emit(Value::Text(text)));
    }
}
