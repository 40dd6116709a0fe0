//! `fdlist.*`: the fds that `poll` waits for, as lists with commas.

use super::fd_net::ends;
use super::render::{polled, write_fd_name};
use super::table::{Class, Extract, Extraction, Field};
use super::value::Value;
use super::write::{write_signed, write_unsigned};
use crate::schema::{EventType, ParamFormat as F, ParamType as T};
use crate::state::fd::{Endpoint, FdInfo};
use crate::state::tuple::write_ip;

const fn field(name: &'static str, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Fdlist, name, T::Charbuf, format, doc, extract)
}

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    field("fdlist.nums", F::Id, "Numbers of the fds that a poll waits for.", |x, _, emit| {
        list(x, emit, |out, fd, _| {
            write_signed(out, fd);
            true
        });
    }),
    field("fdlist.names", F::Na, "Names of the fds that a poll waits for.", |x, _, emit| {
        list(x, emit, |out, _, info| {
            match info {
                Some(info) if !info.name.is_empty() => write_fd_name(out, info, false),
                _ => out.extend_from_slice(b"<NA>"),
            }
            true
        });
    }),
    field(
        "fdlist.cips",
        F::Na,
        "Client addresses of the connections that a poll waits for.",
        |x, _, emit| {
            list(x, emit, |out, _, info| {
                part(out, info, |(client, _)| client, |out, end| write_ip(out, end.ip))
            });
        },
    ),
    field(
        "fdlist.sips",
        F::Na,
        "Server addresses of the connections that a poll waits for.",
        |x, _, emit| {
            list(x, emit, |out, _, info| {
                part(out, info, |(_, server)| server, |out, end| write_ip(out, end.ip))
            });
        },
    ),
    field("fdlist.cports", F::Dec, "Client ports of the connections that a poll waits for.", |x, _, emit| {
        list(x, emit, |out, _, info| {
            part(out, info, |(client, _)| client, |out, end| write_unsigned(out, u64::from(end.port)))
        });
    }),
    field("fdlist.sports", F::Dec, "Server ports of the connections that a poll waits for.", |x, _, emit| {
        list(x, emit, |out, _, info| {
            part(out, info, |(_, server)| server, |out, end| write_unsigned(out, u64::from(end.port)))
        });
    }),
];

/// Writes one item, or says that it has none.
type Item = fn(&mut Vec<u8>, i64, Option<&FdInfo>) -> bool;

fn list(x: &Extraction<'_>, emit: &mut dyn FnMut(Value<'_>), item: Item) {
    let event = x.context.event;
    let position = match event.ty {
        EventType::SYSCALL_POLL_E | EventType::SYSCALL_PPOLL_E => 0,
        EventType::SYSCALL_POLL_X | EventType::SYSCALL_PPOLL_X => 1,
        _ => return,
    };
    let Some(bytes) = event.param(position) else { return };
    let build = |out: &mut Vec<u8>| {
        for (fd, _) in polled(bytes) {
            let mark = out.len();
            if mark > 0 {
                out.push(b',');
            }
            if !item(out, fd, x.context.fd_at(fd)) {
                out.truncate(mark);
            }
        }
    };
    x.text(build, |text| {
        if !text.is_empty() {
            emit(Value::Text(text));
        }
    });
}

type Ends = (Option<Endpoint>, Option<Endpoint>);

fn part(
    out: &mut Vec<u8>,
    info: Option<&FdInfo>,
    choose: fn(Ends) -> Option<Endpoint>,
    write: fn(&mut Vec<u8>, Endpoint),
) -> bool {
    let end = info.map(ends).and_then(choose);
    if let Some(end) = end {
        write(out, end);
    }
    end.is_some()
}
