//! `evt.*` about the event itself: number, type, direction, category, CPU.

use super::call_category;
use super::render::is_generic;
use super::table::{Class, Extract, Field, FieldFlags};
use super::value::Value;
use crate::event::Event;
use crate::schema::{
    Category, Class as EventClass, EventFlags, EventInfo, EventType, ParamFormat as F, ParamType as T,
};
use crate::state::Context;
use crate::state::fd::FdKind;

const fn any(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Evt, name, ty, format, doc, extract)
}

const fn call(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::EvtSyscall, name, ty, format, doc, extract)
}

/// Fields of events of every source.
pub(super) static ALL_SOURCES: &[Field] = &[
    any("evt.num", T::Uint64, F::Id, "Position of the event in the stream, counted from 1.", |x, _, emit| {
        emit(Value::Uint(x.context.event.num));
    })
    .flag(FieldFlags::PLACE),
    any("evt.pluginname", T::Charbuf, F::Na, "Name of the plugin that made the event.", |_, _, _| {}),
    any(
        "evt.plugininfo",
        T::Charbuf,
        F::Na,
        "Summary of the event by the plugin that made it.",
        |_, _, _| {},
    ),
    any(
        "evt.source",
        T::Charbuf,
        F::Na,
        "Where the event comes from: `syscall` for all that the kernel reports.",
        |_, _, emit| {
            emit(Value::Text(b"syscall"));
        },
    ),
    any(
        "evt.is_async",
        T::Bool,
        F::Na,
        "Whether the event was added by an observer, not by what the system did.",
        |x, _, emit| {
            emit(Value::Bool(x.context.event.ty == EventType::ASYNCEVENT_E));
        },
    ),
    any(
        "evt.asynctype",
        T::Charbuf,
        F::Na,
        "Kind of an event that was added by an observer.",
        |x, _, emit| {
            if let Some(name) = async_name(x.context.event) {
                emit(Value::Text(name));
            }
        },
    ),
    any("evt.hostname", T::Charbuf, F::Na, "Name of the machine the event comes from.", |x, _, emit| {
        emit(Value::Text(x.context.state.machine.hostname.as_bytes()));
    }),
];

/// Fields of system call events.
pub(super) static FIELDS: &[Field] = &[
    call("evt.dir", T::Charbuf, F::Dir, "`>` when a call begins, `<` when it returns.", |x, _, emit| {
        emit(Value::Text(if x.context.event.ty.is_exit() { b"<" } else { b">" }));
    }),
    call("evt.type", T::Charbuf, F::Na, "Name of the event, such as `open`.", |x, _, emit| {
        emit(Value::Text(event_name(x.context.event)));
    }),
    call(
        "evt.type.is",
        T::Uint32,
        F::Na,
        "1 for events of the type in the argument, 0 for others: `evt.type.is.open`.",
        |x, arg, emit| {
            let event = x.context.event;
            let is = |arg: &super::FieldArg| match is_generic(event.ty) {
                true => event.name() == arg.text,
                false => arg.for_event(event.ty).is_some(),
            };
            emit(Value::Uint(u64::from(arg.is_some_and(is))));
        },
    )
    .required(),
    call(
        "syscall.type",
        T::Charbuf,
        F::Na,
        "Name of the system call, of the end of a thread or of a signal; other events have none.",
        |x, _, emit| {
            if has_syscall_type(x.context.event.info()) {
                emit(Value::Text(x.context.event.name().as_bytes()));
            }
        },
    ),
    call(
        "evt.category",
        T::Charbuf,
        F::Na,
        "What the event is about: file, net, memory, process, … Input, output and waiting are told apart by the fd.",
        |x, _, emit| emit(Value::Text(category(&x.context).as_bytes())),
    ),
    call("evt.cpu", T::Int16, F::Id, "Number of the CPU on which the event happened.", |x, _, emit| {
        emit(Value::Int(i64::from(x.context.event.cpu)));
    }),
    call("evt.is_io", T::Bool, F::Na, "Whether the event reads or writes an fd.", |x, _, emit| {
        emit(Value::Bool(has(x.context.event, EventFlags::READS_FROM_FD | EventFlags::WRITES_TO_FD)));
    }),
    call("evt.is_io_read", T::Bool, F::Na, "Whether the event reads from an fd.", |x, _, emit| {
        emit(Value::Bool(has(x.context.event, EventFlags::READS_FROM_FD)));
    }),
    call("evt.is_io_write", T::Bool, F::Na, "Whether the event writes to an fd.", |x, _, emit| {
        emit(Value::Bool(has(x.context.event, EventFlags::WRITES_TO_FD)));
    }),
    call("evt.io_dir", T::Charbuf, F::Na, "`read` or `write`; other events have none.", |x, _, emit| {
        if has(x.context.event, EventFlags::READS_FROM_FD) {
            emit(Value::Text(b"read"));
        } else if has(x.context.event, EventFlags::WRITES_TO_FD) {
            emit(Value::Text(b"write"));
        }
    }),
    call(
        "evt.is_wait",
        T::Bool,
        F::Na,
        "Whether the call waits for something, such as `poll` and `select`.",
        |x, _, emit| {
            emit(Value::Bool(has(x.context.event, EventFlags::WAITS)));
        },
    ),
    call(
        "evt.infra.docker.name",
        T::Charbuf,
        F::Na,
        "What a container engine reports: the name of its event.",
        |x, _, emit| {
            infra(x.context.event, 1, emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    call(
        "evt.infra.docker.container.id",
        T::Charbuf,
        F::Na,
        "Id of the container that an engine reports on.",
        |x, _, emit| {
            infra_scope(x.context.event, b"container.id", emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    call(
        "evt.infra.docker.container.name",
        T::Charbuf,
        F::Na,
        "Name of the container that an engine reports on.",
        |x, _, emit| {
            infra_scope(x.context.event, b"container.name", emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
    call(
        "evt.infra.docker.container.image",
        T::Charbuf,
        F::Na,
        "Image of the container that an engine reports on.",
        |x, _, emit| {
            infra_scope(x.context.event, b"container.image", emit);
        },
    )
    .flag(FieldFlags::TABLE_ONLY),
];

#[inline]
pub(super) fn has(event: &Event<'_>, flags: EventFlags) -> bool {
    event.info().flags.intersects(flags)
}

/// Whether events of this type have a `syscall.type`.
pub fn has_syscall_type(info: &EventInfo) -> bool {
    let is_switch = matches!(info.ty, EventType::SCHEDSWITCH_1_E | EventType::SCHEDSWITCH_6_E);
    info.class == EventClass::Syscall || info.class == EventClass::Tracepoint && !is_switch
}

/// Events of observers have a name of their own, as a parameter.
/// `evt.type`.
pub(super) fn event_name<'a>(event: &Event<'a>) -> &'a [u8] {
    async_name(event).unwrap_or(event.name().as_bytes())
}

fn async_name<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    if event.ty == EventType::ASYNCEVENT_E { event.text(1) } else { None }
}

fn infra(event: &Event<'_>, i: usize, emit: &mut dyn FnMut(Value<'_>)) {
    if event.ty == EventType::INFRASTRUCTURE_EVENT_E
        && let Some(text) = event.text(i)
    {
        emit(Value::Text(text));
    }
}

/// The scope of an engine's event is a text such as `container.id=1234 and container.name=web`.
fn infra_scope(event: &Event<'_>, key: &[u8], emit: &mut dyn FnMut(Value<'_>)) {
    if event.ty != EventType::INFRASTRUCTURE_EVENT_E {
        return;
    }
    let scope = event.text(3).unwrap_or(b"");
    for part in scope.split(|b| *b == b' ') {
        if let Some(value) = part.strip_prefix(key).and_then(|rest| rest.strip_prefix(b"=")) {
            return emit(Value::Text(value));
        }
    }
}

/// The word of an event's category; that of input, output and waiting depends on the fd.
fn category(context: &Context<'_>) -> &'static str {
    if let Some(category) = call_category::of_generic(context.event) {
        return category;
    }
    match context.event.info().category {
        Category::Unknown => "unknown",
        Category::Other => "other",
        Category::File => "file",
        Category::Net => "net",
        Category::Ipc => "IPC",
        Category::Memory => "memory",
        Category::Process => "process",
        Category::Sleep => "sleep",
        Category::System => "system",
        Category::Signal => "signal",
        Category::User => "user",
        Category::Time => "time",
        Category::Processing => "processing",
        Category::Scheduler => "scheduler",
        Category::Internal => "internal",
        Category::Wait => "wait",
        Category::IoRead | Category::IoWrite | Category::IoOther => kind_of_io(context),
    }
}

fn kind_of_io(context: &Context<'_>) -> &'static str {
    match context.fd().map(|fd| fd.kind) {
        Some(FdKind::File | FdKind::Directory) => "file",
        Some(FdKind::Ipv4 | FdKind::Ipv6 | FdKind::Ipv4Server | FdKind::Ipv6Server) => "net",
        Some(FdKind::Fifo | FdKind::Unix | FdKind::Event | FdKind::Signal | FdKind::Inotify) => "ipc",
        _ => "unknown",
    }
}
