//! `proc.*` and `thread.*` about the process and thread of the event.

use super::render::write_fd_name;
use super::table::{Class, Extract, Extraction, Field, FieldArg, FieldFlags};
use super::value::Value;
use super::write::write_signed;
use crate::schema::{EventType, ParamFormat as F, ParamType as T};
use crate::state::fd::FdInfo;
use crate::state::thread::{Thread, ThreadFlags};

const fn field(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Process, name, ty, format, doc, extract)
}

type Emit<'e> = &'e mut dyn FnMut(Value<'_>);

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
            text(x, emit, |t| comm(t));
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
    field("proc.pgid", T::Int64, F::Id, "Process group id.", |x, _, emit| signed(x, emit, |t| t.pgid)),
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
        truth(x, emit, |t| t.sid == t.vpid);
    }),
    field(
        "proc.is_vpgid_leader",
        T::Bool,
        F::Na,
        "Whether the process leads its process group, by the ids of its pid namespace.",
        |x, _, emit| {
            truth(x, emit, |t| t.vpgid == t.vpid);
        },
    ),
    field(
        "proc.is_pgid_leader",
        T::Bool,
        F::Na,
        "Whether the process leads its process group.",
        |x, _, emit| {
            truth(x, emit, |t| t.pgid == t.pid);
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
    field("thread.cap_permitted", T::Charbuf, F::Na, "Names of the permitted capabilities.", |x, _, emit| {
        capabilities(x, emit, |t| t.cap_permitted);
    }),
    field(
        "thread.cap_inheritable",
        T::Charbuf,
        F::Na,
        "Names of the inheritable capabilities.",
        |x, _, emit| {
            capabilities(x, emit, |t| t.cap_inheritable);
        },
    ),
    field("thread.cap_effective", T::Charbuf, F::Na, "Names of the effective capabilities.", |x, _, emit| {
        capabilities(x, emit, |t| t.cap_effective);
    }),
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
        of_process(x, emit, |p| Value::Uint(u64::from(p.vm_size)));
    }),
    field("proc.vmrss", T::Uint64, F::Dec, "Resident memory of the process in KiB.", |x, _, emit| {
        of_process(x, emit, |p| Value::Uint(u64::from(p.vm_rss)));
    }),
    field("proc.vmswap", T::Uint64, F::Dec, "Swapped memory of the process in KiB.", |x, _, emit| {
        of_process(x, emit, |p| Value::Uint(u64::from(p.vm_swap)));
    }),
    field(
        "thread.pfmajor",
        T::Uint64,
        F::Dec,
        "Page faults that had to read from disk, since the thread began.",
        |x, _, emit| {
            number(x, emit, |t| t.major_faults);
        },
    ),
    field(
        "thread.pfminor",
        T::Uint64,
        F::Dec,
        "Page faults that needed no disk, since the thread began.",
        |x, _, emit| {
            number(x, emit, |t| t.minor_faults);
        },
    ),
    field("thread.tid", T::Int64, F::Id, "Thread id.", |x, _, emit| emit(Value::Int(x.context.event.tid))),
    field(
        "thread.ismain",
        T::Bool,
        F::Na,
        "Whether the thread is the main one of its process.",
        |x, _, emit| {
            truth(x, emit, |t| t.tid == t.pid);
        },
    ),
    field(
        "thread.vtid",
        T::Int64,
        F::Id,
        "Thread id inside the thread's own pid namespace.",
        |x, _, emit| {
            known(x, emit, |t| t.vtid);
        },
    ),
    field("thread.nametid", T::Charbuf, F::Na, "Name and id of the thread in one word.", |x, _, emit| {
        if let Some(thread) = x.context.thread() {
            let build = |out: &mut Vec<u8>| {
                out.extend_from_slice(comm(thread));
                write_signed(out, thread.tid);
            };
            x.text(build, |text| emit(Value::Text(text)));
        }
    })
    .flag(FieldFlags::TABLE_ONLY),
    field(
        "thread.exectime",
        T::Reltime,
        F::Dec,
        "CPU time in ns that the thread got before this switch event; 0 for other events.",
        |x, _, emit| {
            if let Some(thread) = x.context.thread() {
                let switch =
                    matches!(x.context.event.ty, EventType::SCHEDSWITCH_1_E | EventType::SCHEDSWITCH_6_E);
                emit(Value::Reltime(if switch { thread.exec_slice } else { 0 }));
            }
        },
    ),
    field(
        "thread.totexectime",
        T::Reltime,
        F::Dec,
        "CPU time in ns that the thread got since the recording began.",
        |x, _, emit| {
            if let Some(thread) = x.context.thread() {
                emit(Value::Reltime(thread.exec_time));
            }
        },
    ),
    field(
        "thread.cgroups",
        T::Charbuf,
        F::Na,
        "All control groups of the thread as `subsystem=path`.",
        |x, _, emit| {
            if let Some(thread) = x.context.thread().filter(|t| !t.cgroups.is_empty()) {
                x.text(|out| write_joined(out, &thread.cgroups), |text| emit(Value::Text(text)));
            }
        },
    ),
    field(
        "thread.cgroup",
        T::Charbuf,
        F::Na,
        "Control group of one subsystem: `thread.cgroup.cpuacct`.",
        |x, arg, emit| {
            let Some((thread, arg)) = x.context.thread().zip(arg) else { return };
            let of_subsystem = |item: &'_ &[u8]| {
                item.starts_with(arg.text.as_bytes()) && item.get(arg.text.len()) == Some(&b'=')
            };
            if let Some(item) = items(&thread.cgroups).find(of_subsystem) {
                emit(Value::Text(item.get(arg.text.len() + 1..).unwrap_or(b"")));
            }
        },
    )
    .required(),
    field(
        "proc.nthreads",
        T::Uint64,
        F::Dec,
        "How many threads the process has, the main one included.",
        |x, _, emit| {
            of_process(x, emit, |p| Value::Uint(u64::from(p.live_threads)));
        },
    ),
    field(
        "proc.nchilds",
        T::Uint64,
        F::Dec,
        "How many threads the process has beside the main one.",
        |x, _, emit| {
            of_process(x, emit, |p| Value::Uint(u64::from(p.live_threads.saturating_sub(1))));
        },
    ),
    field(
        "thread.cpu",
        T::Double,
        F::Na,
        "CPU use of the thread in the last second, in percent.",
        |_, _, _| {},
    ),
    field(
        "thread.cpu.user",
        T::Double,
        F::Na,
        "CPU use of the thread outside the kernel in the last second, in percent.",
        |_, _, _| {},
    ),
    field(
        "thread.cpu.system",
        T::Double,
        F::Na,
        "CPU use of the thread inside the kernel in the last second, in percent.",
        |_, _, _| {},
    ),
    field(
        "thread.vmsize",
        T::Uint64,
        F::Dec,
        "Virtual memory in KiB, counted on the main thread only so that sums over threads are right.",
        |x, _, emit| {
            number(x, emit, |t| on_main(t, t.vm_size));
        },
    ),
    field(
        "thread.vmrss",
        T::Uint64,
        F::Dec,
        "Resident memory in KiB, counted on the main thread only.",
        |x, _, emit| {
            number(x, emit, |t| on_main(t, t.vm_rss));
        },
    ),
    field(
        "thread.vmsize.b",
        T::Uint64,
        F::Dec,
        "Virtual memory in bytes, counted on the main thread only.",
        |x, _, emit| {
            number(x, emit, |t| on_main(t, t.vm_size) * 1024);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    field(
        "thread.vmrss.b",
        T::Uint64,
        F::Dec,
        "Resident memory in bytes, counted on the main thread only.",
        |x, _, emit| {
            number(x, emit, |t| on_main(t, t.vm_rss) * 1024);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
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

/// Name of the program; of a thread that nothing is known about a placeholder that can be compared
/// with.
pub(super) fn comm(thread: &Thread) -> &[u8] {
    if thread.flags.contains(ThreadFlags::UNKNOWN) { b"<NA>" } else { &thread.comm }
}

/// First argument, with the same placeholder.
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
    for (i, item) in items(list).enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(item);
    }
}

/// Name and arguments.
pub(super) fn write_cmdline(out: &mut Vec<u8>, thread: &Thread) {
    out.extend_from_slice(comm(thread));
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
        None => x.text(|out| write_joined(out, &process.env), |text| emit(Value::Text(text))),
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

fn text(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> &[u8]) {
    if let Some(thread) = x.context.thread() {
        emit(Value::Text(part(thread)));
    }
}

fn number(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> u64) {
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
fn known(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> i64) {
    if let Some(thread) = x.context.thread().filter(|t| !t.flags.contains(ThreadFlags::UNKNOWN)) {
        emit(Value::Int(part(thread)));
    }
}

fn truth(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> bool) {
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

fn on_main(thread: &Thread, n: u32) -> u64 {
    if thread.tid == thread.pid { u64::from(n) } else { 0 }
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

/// Names of the capability bits, from bit 0 (linux/capability.h).
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

fn capabilities(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Thread) -> u64) {
    let Some(set) = x.context.thread().map(part) else { return };
    let build = |out: &mut Vec<u8>| {
        for (_, name) in CAPABILITIES.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0) {
            if !out.is_empty() {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
        }
    };
    x.text(build, |text| emit(Value::Text(text)));
}
