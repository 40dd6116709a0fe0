//! Columns that are in many lines, written straight into them.
//!
//! Extraction hands a value to a closure, which prints it; text that is made up for it is built in
//! scratch memory and copied. For the fields that people ask for most, that detour is a good part of
//! the time a line takes. The test below keeps both ways the same.

use super::clock::write_time;
use super::evt::event_name;
use super::evt_args::write_info;
use super::evt_time::{latency_of, write_output_time};
use super::fd::{has_name, with_name};
use super::process::exe;
use super::table::Extraction;
use super::user::user_name;
use super::value::Value;
use super::write::{write_path, write_printable, write_signed, write_unsigned};
use crate::state::thread::Thread;

/// Appends the value of a field; `false` when the event has none.
pub type Straight = fn(&mut Vec<u8>, &Extraction<'_>) -> bool;

/// The straight way of a field without argument, when it has one.
pub fn straight(name: &str) -> Option<Straight> {
    Some(match name {
        "evt.num" => |out, x| {
            write_unsigned(out, x.context.event.num);
            true
        },
        "evt.outputtime" => |out, x| {
            write_output_time(out, x);
            true
        },
        "evt.time" => |out, x| {
            write_time(out, x.context.event.ts);
            true
        },
        "evt.cpu" => |out, x| {
            write_unsigned(out, u64::from(x.context.event.cpu));
            true
        },
        "evt.dir" => |out, x| {
            out.push(if x.context.event.ty.is_exit() { b'<' } else { b'>' });
            true
        },
        "evt.type" => |out, x| {
            write_printable(out, event_name(x.context.event));
            true
        },
        "evt.info" => |out, x| {
            write_info(out, x);
            true
        },
        "evt.latency" => |out, x| latency_of(x).map(|ns| write_unsigned(out, ns)).is_some(),
        "thread.tid" => |out, x| {
            write_signed(out, x.context.event.tid);
            true
        },
        "proc.name" => |out, x| of_thread(x, |thread| write_printable(out, thread.name())),
        "proc.pid" => |out, x| of_thread(x, |thread| write_signed(out, thread.pid)),
        "user.name" => |out, x| user_name(x).map(|name| write_printable(out, name)).is_some(),
        "fd.name" => |out, x| {
            let mut is_there = false;
            with_name(x, b"", &mut |name| {
                write_path(out, name);
                is_there = true;
            });
            is_there
        },
        _ => return None,
    })
}

/// Tells at a glance that an event has no value for a field, where many have none and that can be told.
pub fn lacks(name: &str) -> Option<fn(&Extraction<'_>) -> bool> {
    match name {
        "fd.name" => Some(|x| !has_name(x)),
        _ => None,
    }
}

/// The one value of a field that says something about a thread.
pub type ThreadValue = fn(&Thread) -> Value<'_>;

/// The value of a field without argument that says the same of all events of a thread, as long as that does not change,
/// and has no value for those of no known thread.
pub fn thread_value(name: &str) -> Option<ThreadValue> {
    Some(match name {
        "proc.name" => |thread| Value::Text(thread.name()),
        "proc.exe" => |thread| Value::Text(exe(thread)),
        "proc.exepath" => |thread| Value::Text(&thread.exepath),
        "proc.pid" => |thread| Value::Int(thread.pid),
        _ => return None,
    })
}

/// What the value of a field follows from: all events of a thread have the same one, if any, until that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// What is known of the thread ([`Thread::told`]).
    Thread,
    /// Its memory ([`Thread::vm_size`], [`Thread::vm_rss`]).
    Memory,
    /// Which threads there are ([`State::lives`](crate::state::State::lives)); the event with which a thread ends is
    /// one of its own.
    Threads,
}

/// What a field without argument follows from, when it is one of these.
pub fn follows(name: &str) -> Option<Follows> {
    Some(match name {
        "proc.args" | "proc.cmdline" | "proc.exe" | "proc.exeline" | "proc.exepath" | "proc.name"
        | "proc.pid" | "thread.tid" => Follows::Thread,
        "thread.vmrss" | "thread.vmrss.b" | "thread.vmsize" | "thread.vmsize.b" => Follows::Memory,
        "proc.nthreads" => Follows::Threads,
        _ => return None,
    })
}

fn of_thread(x: &Extraction<'_>, write: impl FnOnce(&Thread)) -> bool {
    x.context.thread().map(write).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventBits};
    use crate::fields::{ExtractOptions, find, write::write_value};
    use crate::schema::tables;
    use crate::state::fd::{FdInfo, FdKind};
    use crate::state::{Binding, Context, State};

    const NAMES: [&str; 13] = [
        "evt.num",
        "evt.outputtime",
        "evt.time",
        "evt.cpu",
        "evt.dir",
        "evt.type",
        "evt.info",
        "evt.latency",
        "thread.tid",
        "proc.name",
        "proc.pid",
        "user.name",
        "fd.name",
    ];

    /// A process with an fd that has a name and one that has none, and one of which nothing is known.
    fn state() -> State {
        let mut state = State::default();
        let mut thread = Thread::new(7, 7);
        thread.comm = "a\x1bb\u{e9}".into();
        thread.uid = 0;
        thread.fds.insert(3, FdInfo { name: "/a\x01b".into(), ..FdInfo::new(FdKind::File) });
        thread.fds.insert(4, FdInfo::new(FdKind::Ipv4));
        state.insert(thread);
        state.insert(Thread::unknown(8, 8));
        state
    }

    #[test]
    fn the_straight_way_leads_to_the_same_text() {
        let (state, options) = (state(), ExtractOptions::default());
        let params = [&[1, 0, 0, 0, 0, 0, 0, 0][..], b"<12>text\x1b\0", b"", &[7, 0, 0, 0]];
        let bindings = [
            Binding::default(),
            Binding { thread: state.find(7), fd: Some(3), latency: Some(602), ..Binding::default() },
            Binding { thread: state.find(7), fd: Some(4), ..Binding::default() },
            Binding { thread: state.find(8), fd: Some(5), ..Binding::default() },
        ];
        for (name, info) in NAMES.iter().flat_map(|name| tables::EVENTS.iter().map(move |info| (name, info)))
        {
            let field = find(name).unwrap();
            for binding in &bindings {
                let event = Event {
                    num: 9_876_543_210,
                    ts: 1_700_000_000_000_000_007,
                    tid: -1 - i64::from(info.ty.0),
                    pid: 1,
                    cpu: 300,
                    ty: info.ty,
                    bits: EventBits::empty(),
                    unreadable: 2,
                    params: params.get(..info.params.len().min(4)).unwrap().into(),
                };
                let context = Context { event: &event, state: &state, binding };
                let from = Extraction::new(context, &options, Vec::new());
                let (mut expected, mut got, mut count) = (Vec::new(), Vec::new(), 0);
                field.extract(&from, &mut |value| {
                    count += 1;
                    write_value(&value, &field, &options, &mut expected);
                });
                let is_there = straight(name).unwrap()(&mut got, &from);
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                assert_eq!((is_there, text(&got)), (count == 1, text(&expected)), "{name} {}", info.id);
                let thread = context.thread().filter(|thread| thread.tid == event.tid);
                if let Some((value, thread)) = thread_value(name).zip(thread) {
                    got.clear();
                    write_value(&value(thread), &field, &options, &mut got);
                    assert_eq!(text(&got), text(&expected), "{name} {}", info.id);
                }
                if let Some(lacks) = lacks(name) {
                    assert_eq!(lacks(&from), count == 0, "{name} {}", info.id);
                }
            }
        }
    }
}
