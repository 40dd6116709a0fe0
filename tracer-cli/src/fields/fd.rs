//! `fd.*` about the fd of the event: number, kind, name, file.

use super::evt::has;
use super::evt_io::{failed, opens_file};
use super::fd_net::serves_here;
use super::render::{AT_FDCWD, join_at, l4, write_fd_name};
use super::sockaddr::{unix_path, write_sockaddr, write_tuple};
use super::table::{Class, Extract, Extraction, Field, FieldArg, FieldFlags};
use super::value::Value;
use super::write::write_signed;
use crate::event::Event;
use crate::schema::{EventFlags, EventType, ParamFormat as F, ParamInfo, ParamType as T};
use crate::state::fd::{FdInfo, FdKind, L4};

const fn field(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Fd, name, ty, format, doc, extract)
}

type Emit<'e> = &'e mut dyn FnMut(Value<'_>);

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    field(
        "fd.num",
        T::Int64,
        F::Id,
        "Number of the fd, -1 as long as the call has not made it, -100 for the current directory.",
        |x, _, emit| {
            if is_about_fd(x) && x.context.binding.thread.is_some() {
                emit(Value::Int(number(x)));
            }
        },
    ),
    field(
        "fd.type",
        T::Charbuf,
        F::Dec,
        "Kind of the fd: file, directory, ipv4, ipv6, unix, pipe, event, signalfd, eventpoll, inotify, timerfd, netlink, bpf and the like.",
        |x, _, emit| {
            if let Some(word) = x.fd().and_then(|fd| fd.kind.word()) {
                emit(Value::Text(word.as_bytes()));
            }
        },
    ),
    field(
        "fd.typechar",
        T::Charbuf,
        F::Dec,
        "Kind of the fd in one letter: f file, d directory, 4 and 6 internet, u unix, p pipe, e event, s signalfd, l eventpoll, i inotify, t timerfd, n netlink, o other.",
        |x, _, emit| {
            if let Some(letter) = letter(x) {
                emit(Value::Text(&[letter]));
            }
        },
    ),
    field(
        "fd.name",
        T::Charbuf,
        F::Na,
        "Name of the fd: the absolute path of a file, both ends of a connection.",
        |x, _, emit| {
            with_name(x, b"", &mut |name| emit(Value::Text(name)));
        },
    ),
    field("fd.directory", T::Charbuf, F::Na, "Directory of the file.", |x, _, emit| {
        with_directory(x, &mut |directory| emit(Value::Text(directory)));
    }),
    field("fd.filename", T::Charbuf, F::Na, "Name of the file without its directory.", |x, _, emit| {
        if x.fd().is_some_and(|fd| fd.kind == FdKind::File) {
            with_name(x, b"", &mut |name| emit(Value::Text(last_part(name))));
        }
    }),
    field(
        "fd.l4proto",
        T::Charbuf,
        F::Na,
        "Transport protocol of the socket: tcp, udp, icmp or raw.",
        |x, _, emit| {
            if let Some(fd) = x.fd() {
                emit(Value::Text(match l4(fd) {
                    Some(L4::Tcp) => b"tcp",
                    Some(L4::Udp) => b"udp",
                    Some(L4::Icmp) => b"icmp",
                    Some(L4::Raw) => b"raw",
                    _ => b"<NA>",
                }));
            }
        },
    ),
    field("fd.sockfamily", T::Charbuf, F::Na, "`ip` or `unix`.", |x, _, emit| {
        match x.fd().map(|fd| fd.kind) {
            Some(FdKind::Ipv4 | FdKind::Ipv6 | FdKind::Ipv4Server | FdKind::Ipv6Server) => {
                emit(Value::Text(b"ip"))
            }
            Some(FdKind::Unix) => emit(Value::Text(b"unix")),
            _ => {}
        }
    }),
    field(
        "fd.is_server",
        T::Bool,
        F::Na,
        "Whether the server of this connection is on this machine, or in this container.",
        |x, _, emit| {
            let serves = |fd: &FdInfo| match fd.kind {
                FdKind::Ipv4Server | FdKind::Ipv6Server => true,
                FdKind::Ipv4 | FdKind::Ipv6 => serves_here(x, fd),
                _ => false,
            };
            truth(x, emit, serves);
        },
    ),
    field(
        "fd.uid",
        T::Charbuf,
        F::Na,
        "The thread id and the number of the fd in one word, to tell fds of processes apart.",
        |x, _, emit| {
            if let Some(thread) = x.context.thread().filter(|_| is_about_fd(x)) {
                let fd = number(x);
                let build = |out: &mut Vec<u8>| {
                    write_signed(out, thread.tid);
                    write_signed(out, fd);
                };
                x.text(build, |text| emit(Value::Text(text)));
            }
        },
    ),
    field(
        "fd.containername",
        T::Charbuf,
        F::Na,
        "Container id and name of the fd with a colon between them.",
        |x, _, emit| {
            with_name(x, &container_prefix(x), &mut |name| emit(Value::Text(name)));
        },
    ),
    field(
        "fd.containerdirectory",
        T::Charbuf,
        F::Na,
        "Container id and directory of the file with a colon between them.",
        |x, _, emit| {
            with_directory(x, &mut |directory| {
                let build = |out: &mut Vec<u8>| {
                    out.extend_from_slice(&container_prefix(x));
                    out.extend_from_slice(directory);
                };
                x.text(build, |text| emit(Value::Text(text)));
            });
        },
    ),
    field("fd.connected", T::Bool, F::Na, "Whether the socket is connected.", |x, _, emit| {
        truth(x, emit, |fd| fd.socket.as_deref().is_some_and(|s| s.connected));
    }),
    field("fd.name_changed", T::Bool, F::Na, "Whether this event gave the fd its name.", |x, _, emit| {
        if let Some(fd) = x.fd() {
            emit(Value::Bool(fd.name_changed || names_new_fd(x, fd)));
        }
    }),
    field("fd.dev", T::Int32, F::Hex, "Number of the device that the file is on.", |x, _, emit| {
        device(x, emit, |dev| dev);
    }),
    field(
        "fd.dev.major",
        T::Int32,
        F::Dec,
        "Major number of the device that the file is on.",
        |x, _, emit| {
            device(x, emit, |dev| (dev >> 8) & 0xfff);
        },
    ),
    field(
        "fd.dev.minor",
        T::Int32,
        F::Dec,
        "Minor number of the device that the file is on.",
        |x, _, emit| {
            device(x, emit, |dev| (dev & 0xff) | ((dev >> 12) & 0xf_ff00));
        },
    ),
    field("fd.ino", T::Int64, F::Dec, "Inode number of the file.", |x, _, emit| {
        if let Some(fd) = x.fd() {
            emit(Value::Uint(fd.ino));
        }
    }),
    field("fd.nameraw", T::Charbuf, F::Na, "Name of the file as the program gave it.", |x, _, emit| {
        match x.fd() {
            Some(fd) => emit(Value::Text(&fd.name_raw)),
            None if opens_file(x.context.event) && x.context.event.ty.is_exit() => {
                if let Some((i, _)) = path_param(x.context.event) {
                    emit(Value::Text(x.context.event.text(i).unwrap_or_default()));
                }
            }
            None => with_name(x, b"", &mut |name| emit(Value::Text(name))),
        }
    }),
    field(
        "fd.types",
        T::Charbuf,
        F::Dec,
        "Of events about an fd the kinds of all fds that the process has open, each once, or of the one in the argument.",
        kinds,
    )
    .optional()
    .flag(FieldFlags::LIST.union(FieldFlags::NO_RHS)),
    field(
        "fd.is_upper_layer",
        T::Bool,
        F::Na,
        "Whether the file is in the upper, writable layer of an overlay.",
        |x, _, emit| {
            truth(x, emit, |fd| fd.upper_layer);
        },
    ),
    field(
        "fd.is_lower_layer",
        T::Bool,
        F::Na,
        "Whether the file is in the lower layer of an overlay.",
        |x, _, emit| {
            truth(x, emit, |fd| fd.lower_layer);
        },
    ),
];

fn truth(x: &Extraction<'_>, emit: Emit<'_>, part: impl Fn(&FdInfo) -> bool) {
    if let Some(fd) = x.fd() {
        emit(Value::Bool(part(fd)));
    }
}

/// The id of the container, nothing on the host, and a colon.
fn container_prefix(x: &Extraction<'_>) -> smallvec::SmallVec<[u8; 64]> {
    let mut prefix = smallvec::SmallVec::new();
    if let Some(container) = x.context.container() {
        prefix.extend_from_slice(&container.id);
    }
    prefix.push(b':');
    prefix
}

/// Where the exit of an mmap has its fd.
const MMAP_FD: usize = 8;

/// Calls that make, use or close an fd. Those of mmap name it in the exit event, and old ones not at all.
fn is_about_fd(x: &Extraction<'_>) -> bool {
    use crate::schema::EventType as E;
    let ty = x.context.event.ty;
    if matches!(ty.enter(), E::SYSCALL_MMAP_E | E::SYSCALL_MMAP2_E) {
        return x.context.event.ty.is_exit() && x.context.event.params.len() > MMAP_FD;
    }
    has(x.context.event, EventFlags::CREATES_FD.union(EventFlags::USES_FD).union(EventFlags::DESTROYS_FD))
        && !is_at_current_directory(x.context.event)
}

/// Whether a call that takes a directory fd was told to use the current directory instead. Types that came
/// after 0.29.3 count as about an fd then too, as in the libraries that brought them.
fn is_at_current_directory(event: &Event<'_>) -> bool {
    let fds = event.info().params.iter().enumerate().skip(usize::from(event.ty.is_exit()));
    let first = fds.into_iter().find(|(_, param)| matches!(param.ty, T::Fd | T::Fd32));
    event.ty < EventType::FIRST_AFTER_0_29
        && has(event, EventFlags::USES_FD)
        && first.is_some_and(|(i, _)| event.i64(i) == Some(AT_FDCWD))
}

/// The fd; of calls that have none the number in its place, such as `AT_FDCWD`.
fn number(x: &Extraction<'_>) -> i64 {
    let event = x.context.event;
    let given = || event.ty.is_exit().then(|| event.i64(event.info().fd_param()?)).flatten();
    x.context.binding.fd.or_else(given).unwrap_or(-1)
}

/// The kind, or what the call would have made.
fn letter(x: &Extraction<'_>) -> Option<u8> {
    if let Some(fd) = x.fd() {
        return Some(fd.kind.letter() as u8);
    }
    let event = x.context.event;
    (is_about_fd(x) && x.context.binding.thread.is_some()).then(|| match event.name() {
        "open" | "openat" | "openat2" | "creat" | "open_by_handle_at" => b'f',
        "socket" | "accept" | "accept4" => b'4',
        "pipe" | "pipe2" => b'p',
        "eventfd" | "eventfd2" => b'e',
        "signalfd" | "signalfd4" => b's',
        "epoll_create" | "epoll_create1" => b'l',
        "timerfd_create" => b't',
        "inotify_init" | "inotify_init1" => b'i',
        _ => b'o',
    })
}

/// Passes on the name of the fd behind a prefix. When a call failed to make one, the name comes
/// from its own parameters, because that is what people look for.
pub(super) fn with_name(x: &Extraction<'_>, prefix: &[u8], then: &mut dyn FnMut(&[u8])) {
    let event = x.context.event;
    let refused = |fd: &FdInfo| {
        fd.name.is_empty() && event.ty == crate::schema::EventType::SOCKET_CONNECT_X && failed(event)
    };
    match x.fd() {
        // What a connection that was refused would have been.
        Some(fd) if refused(fd) => {
            let tuple = event.param(1).unwrap_or_default();
            let build = |out: &mut Vec<u8>| {
                out.extend_from_slice(prefix);
                write_tuple(out, tuple, x.options.resolve_names);
            };
            x.text(build, |name| then(name));
        }
        Some(fd) if prefix.is_empty() && !x.options.resolve_names => then(&fd.name),
        Some(fd) => {
            let build = |out: &mut Vec<u8>| {
                out.extend_from_slice(prefix);
                write_fd_name(out, fd, x.options.resolve_names);
            };
            x.text(build, |name| then(name));
        }
        None if has_wanted_name(x) => {
            let build = |out: &mut Vec<u8>| {
                out.extend_from_slice(prefix);
                write_wanted_name(out, x);
            };
            x.text(build, |name| then(name));
        }
        None => {}
    }
}

/// Whether [`with_name`] has something to pass on.
pub(super) fn has_name(x: &Extraction<'_>) -> bool {
    x.fd().is_some() || has_wanted_name(x)
}

/// Whether the event was to be about an fd, or to make one.
fn has_wanted_name(x: &Extraction<'_>) -> bool {
    x.context.event.ty.is_exit() && is_about_fd(x) && x.context.binding.thread.is_some()
}

/// The parameter that says what to open.
fn path_param(event: &Event<'_>) -> Option<(usize, &'static ParamInfo)> {
    event.info().params.iter().enumerate().find(|(_, p)| matches!(p.ty, T::Fspath | T::Fsrelpath))
}

/// The name that the fd would have had.
fn write_wanted_name(out: &mut Vec<u8>, x: &Extraction<'_>) {
    let event = x.context.event;
    if opens_file(event) {
        if let Some((i, info)) = path_param(event)
            && let Some(text) = event.text(i)
        {
            let dirfd = match info.dirfd {
                Some(dirfd) => event.i64(usize::from(dirfd)),
                None => Some(AT_FDCWD),
            };
            join_at(out, &x.context, dirfd, text);
        }
        return;
    }
    if failed(event) && matches!(event.name(), "connect" | "accept" | "accept4") {
        for (i, info) in event.info().params.iter().enumerate() {
            match (info.ty, event.param(i)) {
                (T::Socktuple, Some(bytes)) => {
                    return match unix_path(bytes) {
                        Some(path) => out.extend_from_slice(path),
                        None => write_tuple(out, bytes, x.options.resolve_names),
                    };
                }
                // A connection that never came to be.
                (T::Socktuple, None) if event.name() != "connect" => return out.extend_from_slice(b"NULL"),
                (T::Sockaddr, Some(bytes)) => return write_sockaddr(out, bytes, x.options.resolve_names),
                _ => {}
            }
        }
    }
}

/// Opening and accepting make an fd together with its name.
fn names_new_fd(x: &Extraction<'_>, fd: &FdInfo) -> bool {
    let event = x.context.event;
    let names = opens_file(event) || matches!(event.name(), "accept" | "accept4");
    names && event.ty.is_exit() && !failed(event) && !fd.name.is_empty()
}

/// Files have a directory, and so has what failed to become one.
fn is_file(x: &Extraction<'_>) -> bool {
    match x.fd() {
        Some(fd) => matches!(fd.kind, FdKind::File | FdKind::Directory),
        None => is_about_fd(x) && x.context.event.ty.is_exit(),
    }
}

fn with_directory(x: &Extraction<'_>, then: &mut dyn FnMut(&[u8])) {
    if !is_file(x) {
        return;
    }
    let is_directory = x.fd().is_some_and(|fd| fd.kind == FdKind::Directory);
    // The name is copied to the stack so that the scratch memory is free for the caller.
    let mut directory = smallvec::SmallVec::<[u8; 256]>::new();
    let mut known = false;
    with_name(x, b"", &mut |name| {
        known = true;
        directory.extend_from_slice(if is_directory { name } else { directory_of(name) });
    });
    if known {
        then(&directory);
    }
}

fn directory_of(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|b| *b == b'/') {
        None | Some(0) => b"/",
        Some(end) => name.get(..end).unwrap_or(name),
    }
}

fn last_part(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|b| *b == b'/') {
        None => b"/",
        Some(end) => name.get(end + 1..).unwrap_or(b""),
    }
}

/// Without a value where the device was not recorded.
fn device(x: &Extraction<'_>, emit: Emit<'_>, part: fn(u32) -> u32) {
    if let Some(fd) = x.fd().filter(|fd| fd.dev != 0) {
        emit(Value::Uint(u64::from(part(fd.dev))));
    }
}

fn kinds(x: &Extraction<'_>, arg: Option<&FieldArg>, emit: Emit<'_>) {
    let Some(process) = x.context.process().filter(|_| is_about_fd(x)) else { return };
    if let Some(arg) = arg {
        let fd = arg.index.and_then(|fd| process.fds.get(i64::from(fd)));
        if let Some(word) = fd.and_then(|fd| fd.kind.word()) {
            emit(Value::Text(word.as_bytes()));
        }
        return;
    }
    // In the order of the kinds: that of the table is another one after each insertion.
    let mut words = [None; 32];
    for (_, fd) in process.fds.iter() {
        if let Some(word) = words.get_mut(fd.kind as usize) {
            *word = fd.kind.word();
        }
    }
    words.into_iter().flatten().for_each(|word| emit(Value::Text(word.as_bytes())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_into_directory_and_file() {
        assert_eq!((directory_of(b"/etc/passwd"), last_part(b"/etc/passwd")), (&b"/etc"[..], &b"passwd"[..]));
        assert_eq!((directory_of(b"/a"), last_part(b"/a")), (&b"/"[..], &b"a"[..]));
        assert_eq!((directory_of(b""), last_part(b"")), (&b"/"[..], &b"/"[..]));
    }
}
