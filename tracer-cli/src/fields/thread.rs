//! `thread.*`: the thread of the event.

use super::process::{Emit, items, known, number, truth};
use super::table::{Class, Extract, Extraction, Field, FieldFlags};
use super::value::Value;
use super::write::write_signed;
use crate::schema::EventType;
use crate::schema::{ParamFormat as F, ParamType as T};
use crate::state::thread::{CpuUse, Thread};

const fn field(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Process, name, ty, format, doc, extract)
}

/// The fields.
pub(super) static FIELDS: &[Field] = &[
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
    field(
        "thread.pfmajor",
        T::Uint64,
        F::Dec,
        "Page faults that had to read from disk, since the thread began.",
        |x, _, emit| {
            number(x, emit, |t| t.major_faults);
        },
    )
    .flag(FieldFlags::USAGE),
    field(
        "thread.pfminor",
        T::Uint64,
        F::Dec,
        "Page faults that needed no disk, since the thread began.",
        |x, _, emit| {
            number(x, emit, |t| t.minor_faults);
        },
    )
    .flag(FieldFlags::USAGE),
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
                out.extend_from_slice(thread.name());
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
            emit(Value::Reltime(x.context.binding.slice));
        },
    )
    .flag(FieldFlags::USAGE),
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
    )
    .flag(FieldFlags::USAGE),
    field(
        "thread.cgroups",
        T::Charbuf,
        F::Na,
        "All control groups of the thread as `subsystem=path`.",
        |x, _, emit| {
            if let Some(thread) = x.context.thread().filter(|t| !t.cgroups.is_empty()) {
                x.text(|out| write_cgroups(out, &thread.cgroups), |text| emit(Value::Text(text)));
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
            let mut groups = items(&thread.cgroups).filter_map(split_cgroup);
            if let Some((_, path)) = groups.find(|(subsystem, _)| *subsystem == arg.text.as_bytes()) {
                emit(Value::Text(path));
            }
        },
    )
    .required(),
    field(
        "thread.cpu",
        T::Double,
        F::Na,
        "CPU use of the thread in the last second, in percent.",
        |x, _, emit| cpu_use(x, emit, both_parts),
    )
    .flag(FieldFlags::USAGE),
    field(
        "thread.cpu.user",
        T::Double,
        F::Na,
        "CPU use of the thread outside the kernel in the last second, in percent.",
        |x, _, emit| cpu_use(x, emit, user_part),
    )
    .flag(FieldFlags::USAGE),
    field(
        "thread.cpu.system",
        T::Double,
        F::Na,
        "CPU use of the thread inside the kernel in the last second, in percent.",
        |x, _, emit| cpu_use(x, emit, system_part),
    )
    .flag(FieldFlags::USAGE),
    field(
        "thread.vmsize",
        T::Uint64,
        F::Dec,
        "Virtual memory in KiB, counted on the main thread only so that sums over threads are right.",
        |x, _, emit| {
            number(x, emit, |t| on_main(t, t.vm_size));
        },
    )
    .flag(FieldFlags::USAGE),
    field(
        "thread.vmrss",
        T::Uint64,
        F::Dec,
        "Resident memory in KiB, counted on the main thread only.",
        |x, _, emit| {
            number(x, emit, |t| on_main(t, t.vm_rss));
        },
    )
    .flag(FieldFlags::USAGE),
    field(
        "thread.vmsize.b",
        T::Uint64,
        F::Dec,
        "Virtual memory in bytes, counted on the main thread only.",
        |x, _, emit| {
            number(x, emit, |t| on_main(t, t.vm_size) * 1024);
        },
    )
    .flag(FieldFlags::USAGE)
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
    .flag(FieldFlags::USAGE)
    .flag(FieldFlags::TABLE_ONLY),
];

/// What a field without argument says of a thread at [notes about CPU times](EventType::PROCINFO_E) once they were
/// applied, and nothing at other events.
pub fn noted_use(name: &str) -> Option<fn(&Thread) -> Option<f64>> {
    Some(match name {
        "thread.cpu" => |thread| use_of(thread, both_parts),
        "thread.cpu.user" => |thread| use_of(thread, user_part),
        "thread.cpu.system" => |thread| use_of(thread, system_part),
        _ => return None,
    })
}

/// Of the notes about CPU times, which come once a second.
fn cpu_use(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&CpuUse) -> u64) {
    if x.context.event.ty == EventType::PROCINFO_E
        && let Some(share) = x.context.thread().and_then(|thread| use_of(thread, part))
    {
        emit(Value::Double(share));
    }
}

#[inline]
fn use_of(thread: &Thread, part: fn(&CpuUse) -> u64) -> Option<f64> {
    thread.is_known().then(|| part(&thread.cpu_use) as f64)
}

fn both_parts(now: &CpuUse) -> u64 {
    now.user_delta + now.system_delta
}

fn user_part(now: &CpuUse) -> u64 {
    now.user_delta
}

fn system_part(now: &CpuUse) -> u64 {
    now.system_delta
}

fn on_main(thread: &Thread, n: u32) -> u64 {
    if thread.tid == thread.pid { u64::from(n) } else { 0 }
}

/// Subsystem and path. The kernel's own names of subsystems become those of their mounts, under
/// which people know them.
fn split_cgroup(item: &[u8]) -> Option<(&[u8], &[u8])> {
    let split = item.iter().position(|b| *b == b'=')?;
    let name = item.get(..split)?;
    let subsystem: &[u8] = match name.strip_suffix(b"_cgroup").unwrap_or(name) {
        b"perf" => b"perf_event",
        b"mem" => b"memory",
        b"io" => b"blkio",
        other => other,
    };
    Some((subsystem, item.get(split + 1..)?))
}

fn write_cgroups(out: &mut Vec<u8>, cgroups: &[u8]) {
    for (subsystem, path) in items(cgroups).filter_map(split_cgroup) {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(subsystem);
        out.push(b'=');
        out.extend_from_slice(path);
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
