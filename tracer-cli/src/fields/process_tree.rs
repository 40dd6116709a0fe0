//! `proc.*` about other processes: parents, ancestors, leaders of sessions and groups.

use super::process::{emit_args, emit_env, exe, write_cmdline};
use super::table::{Class, Extract, Extraction, Field, FieldArg, FieldFlags};
use super::value::Value;
use crate::schema::{ParamFormat as F, ParamType as T};
use crate::state::thread::{Thread, ThreadFlags};

const fn field(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Process, name, ty, format, doc, extract)
}

/// A field of one ancestor, or of all of them when no index is given.
const fn ancestor(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    let flags = FieldFlags::ANY.union(FieldFlags::NO_RHS).union(FieldFlags::NO_TRANSFORMER);
    field(name, ty, format, doc, extract).optional().flag(flags)
}

type Emit<'e> = &'e mut dyn FnMut(Value<'_>);

/// Ancestors looked at: more than any real tree has, and an end to loops in damaged recordings.
const DEEPEST: usize = 512;

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    field("proc.pexe", T::Charbuf, F::Na, "First argument of the parent process.", |x, _, emit| {
        parent(x, emit, |p| Value::Text(exe(p)));
    }),
    ancestor(
        "proc.aexe",
        T::Charbuf,
        F::Na,
        "First argument of an ancestor: 0 is the process itself, 1 its parent. Without an index any ancestor.",
        |x, arg, emit| {
            ancestors(x, arg, &mut |p| emit(Value::Text(exe(p))));
        },
    ),
    field("proc.pexepath", T::Charbuf, F::Na, "Path of the parent's executable.", |x, _, emit| {
        parent(x, emit, |p| Value::Text(&p.exepath));
    }),
    ancestor(
        "proc.aexepath",
        T::Charbuf,
        F::Na,
        "Path of an ancestor's executable, or without an index of any ancestor's.",
        |x, arg, emit| {
            ancestors(x, arg, &mut |p| emit(Value::Text(&p.exepath)));
        },
    ),
    field("proc.pname", T::Charbuf, F::Na, "Name of the parent process.", |x, _, emit| {
        parent(x, emit, |p| Value::Text(p.name()));
    }),
    ancestor(
        "proc.aname",
        T::Charbuf,
        F::Na,
        "Name of an ancestor: `proc.aname[2]` is the grandparent. Without an index any ancestor.",
        |x, arg, emit| {
            ancestors(x, arg, &mut |p| emit(Value::Text(p.name())));
        },
    ),
    ancestor(
        "proc.aargs",
        T::Charbuf,
        F::Na,
        "Arguments of an ancestor, or without an index of any ancestor.",
        |x, arg, emit| {
            ancestors(x, arg, &mut |p| emit_args(x, p, None, emit));
        },
    ),
    field("proc.pcmdline", T::Charbuf, F::Na, "Name and arguments of the parent process.", |x, _, emit| {
        if let Some(parent) = parent_of(x) {
            x.text(|out| write_cmdline(out, parent), |text| emit(Value::Text(text)));
        }
    }),
    ancestor(
        "proc.acmdline",
        T::Charbuf,
        F::Na,
        "Name and arguments of an ancestor, or without an index of any ancestor.",
        |x, arg, emit| {
            ancestors(x, arg, &mut |p| x.text(|out| write_cmdline(out, p), |text| emit(Value::Text(text))));
        },
    ),
    ancestor(
        "proc.aenv",
        T::Charbuf,
        F::Na,
        "Environment of an ancestor (`proc.aenv[2]`), or one variable of any ancestor (`proc.aenv[PATH]`).",
        |x, arg, emit| {
            let (index, name) = match arg {
                Some(FieldArg { index: None, text, .. }) => (None, Some(text.as_str())),
                by_index => (by_index, None),
            };
            ancestors(x, index, &mut |p| emit_env(x, p, name, emit));
        },
    ),
    field("proc.ppid", T::Int64, F::Id, "Id of the parent process.", |x, _, emit| {
        if let Some(process) = x.context.process() {
            emit(Value::Int(process.ptid));
        }
    }),
    ancestor(
        "proc.apid",
        T::Int64,
        F::Id,
        "Id of an ancestor, or without an index of any ancestor.",
        |x, arg, emit| {
            ancestors(x, arg, &mut |p| emit(Value::Int(p.pid)));
        },
    ),
    field(
        "proc.pvpid",
        T::Int64,
        F::Id,
        "Id of the parent process inside its pid namespace.",
        |x, _, emit| {
            if let Some(parent) = parent_of(x).filter(|p| p.vpid != -1) {
                emit(Value::Int(parent.vpid));
            }
        },
    ),
    field(
        "proc.loginshellid",
        T::Int64,
        F::Id,
        "Id of the oldest shell among the process and its ancestors: processes of one login share it.",
        |x, _, emit| {
            let mut oldest = None;
            each_ancestor(x, true, &mut |p| {
                if p.comm.ends_with(b"sh") {
                    oldest = Some(p.pid);
                }
            });
            if let Some(pid) = oldest {
                emit(Value::Int(pid));
            }
        },
    ),
    field("proc.sname", T::Charbuf, F::Na, "Name of the process that leads the session.", |x, _, emit| {
        leader(x, emit, |t| t.sid, |p| Value::Text(p.name()));
    }),
    field(
        "proc.sid.exe",
        T::Charbuf,
        F::Na,
        "First argument of the process that leads the session.",
        |x, _, emit| {
            leader(x, emit, |t| t.sid, |p| Value::Text(exe(p)));
        },
    ),
    field(
        "proc.sid.exepath",
        T::Charbuf,
        F::Na,
        "Executable of the process that leads the session.",
        |x, _, emit| {
            leader(x, emit, |t| t.sid, |p| Value::Text(&p.exepath));
        },
    ),
    field(
        "proc.vpgid.name",
        T::Charbuf,
        F::Na,
        "Name of the process that leads the process group, by the ids of its pid namespace.",
        |x, _, emit| {
            leader(x, emit, |t| t.vpgid, |p| Value::Text(p.name()));
        },
    ),
    field(
        "proc.vpgid.exe",
        T::Charbuf,
        F::Na,
        "First argument of the process that leads the process group, by the ids of its pid namespace.",
        |x, _, emit| {
            leader(x, emit, |t| t.vpgid, |p| Value::Text(exe(p)));
        },
    ),
    field(
        "proc.vpgid.exepath",
        T::Charbuf,
        F::Na,
        "Executable of the process that leads the process group, by the ids of its pid namespace.",
        |x, _, emit| {
            leader(x, emit, |t| t.vpgid, |p| Value::Text(&p.exepath));
        },
    ),
    field(
        "proc.pgid.name",
        T::Charbuf,
        F::Na,
        "Name of the process that leads the process group.",
        |x, _, emit| {
            group_leader(x, emit, |p| Value::Text(p.name()));
        },
    ),
    field(
        "proc.pgid.exe",
        T::Charbuf,
        F::Na,
        "First argument of the process that leads the process group.",
        |x, _, emit| {
            group_leader(x, emit, |p| Value::Text(exe(p)));
        },
    ),
    field(
        "proc.pgid.exepath",
        T::Charbuf,
        F::Na,
        "Executable of the process that leads the process group.",
        |x, _, emit| {
            group_leader(x, emit, |p| Value::Text(&p.exepath));
        },
    ),
    field(
        "proc.ppid.duration",
        T::Reltime,
        F::Dec,
        "Time in ns since the parent process was started.",
        |x, _, emit| {
            if let Some(parent) = parent_of(x).filter(|p| p.clone_ts > 0) {
                emit(Value::Reltime(x.context.event.ts.saturating_sub(parent.clone_ts)));
            }
        },
    ),
    field(
        "proc.ppid.ts",
        T::Reltime,
        F::Dec,
        "When the parent process was started, in ns since the epoch.",
        |x, _, emit| {
            if let Some(parent) = parent_of(x).filter(|p| p.clone_ts > 0) {
                emit(Value::Reltime(parent.clone_ts));
            }
        },
    ),
];

fn parent_of<'a>(x: &Extraction<'a>) -> Option<&'a Thread> {
    x.context.state.parent_of(x.context.thread()?)
}

fn parent(x: &Extraction<'_>, emit: Emit<'_>, value: fn(&Thread) -> Value<'_>) {
    if let Some(parent) = parent_of(x) {
        emit(value(parent));
    }
}

/// The ancestor with the index in the argument (0 is the process itself), or all of them.
fn ancestors(x: &Extraction<'_>, arg: Option<&FieldArg>, each: &mut dyn FnMut(&Thread)) {
    let Some(index) = arg.and_then(|arg| arg.index) else {
        return each_ancestor(x, false, each);
    };
    let mut at = 0;
    each_ancestor(x, true, &mut |p| {
        if at == index {
            each(p);
        }
        at += 1;
    });
}

fn each_ancestor(x: &Extraction<'_>, itself: bool, each: &mut dyn FnMut(&Thread)) {
    let Some(process) = x.context.process() else { return };
    if itself {
        each(process);
    }
    let mut at = process;
    for _ in 0..DEEPEST {
        match x.context.state.parent_of(at) {
            Some(parent) if parent.pid != at.pid => {
                each(parent);
                at = parent;
            }
            _ => return,
        }
    }
}

/// The process whose id is the group's or session's. In a pid namespace that id is of another
/// numbering, and when the leader is gone nothing has it: then the oldest ancestor of the same
/// group stands for it.
fn leader(x: &Extraction<'_>, emit: Emit<'_>, id: fn(&Thread) -> i64, value: fn(&Thread) -> Value<'_>) {
    if let Some(leader) = find_leader(x, id) {
        emit(value(leader));
    }
}

/// [`leader`] of the process group, empty where the process is the only one known of it and does not lead it.
fn group_leader(x: &Extraction<'_>, emit: Emit<'_>, value: fn(&Thread) -> Value<'_>) {
    let Some(leader) = find_leader(x, Thread::host_pgid) else { return };
    let stands_in = x.context.process().is_some_and(|process| process.tid == leader.tid);
    emit(if stands_in && leader.host_pgid() != leader.pid { Value::Text(b"") } else { value(leader) });
}

fn find_leader<'a>(x: &Extraction<'a>, id: fn(&Thread) -> i64) -> Option<&'a Thread> {
    let process = x.context.process()?;
    let wanted = id(process);
    let by_id = x.context.state.by_tid(wanted).filter(|_| !process.flags.contains(ThreadFlags::IN_PID_NS));
    let mut oldest = by_id.unwrap_or(process);
    for _ in 0..DEEPEST {
        match x.context.state.parent_of(oldest) {
            Some(parent) if by_id.is_none() && id(parent) == wanted && parent.pid != oldest.pid => {
                oldest = parent
            }
            _ => break,
        }
    }
    Some(oldest)
}
