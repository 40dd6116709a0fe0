//! Parameters of events as text: the value, and what it stands for (`3(<f>/etc/passwd)`,
//! `-2(ENOENT)`), letter by letter as sysdig 0.29.3 prints them.

use super::buffer::write_buffer;
use super::clock;
use super::sockaddr::{until_nul, write_endpoint, write_ends, write_sockaddr, write_tuple};
use super::table::ExtractOptions;
use super::write::{
    LOWER, append, is_printable, write_general, write_hex, write_number, write_path, write_printable,
    write_signed,
};
use crate::event::{read_i64, read_u64};
use crate::schema::names::{errno_name, signal_name, syscall_name};
use crate::schema::{EventType, FlagTable, ParamFormat, ParamInfo, ParamType};
use crate::state::fd::{FdInfo, FdKind, L4, Role, Socket};
use crate::state::thread::{NO_ID, ThreadFlags};
use crate::state::tuple::write_ip;
use crate::state::{Context, path};
use std::net::{Ipv4Addr, Ipv6Addr};

pub(super) const AT_FDCWD: i64 = -100;

/// Shown for a parameter whose memory could not be read.
const UNREADABLE: &[u8] = b"<unreadable>";

/// Writes all parameters as `name=value(meaning)`, each followed by a space (`evt.args`).
pub fn write_args(out: &mut Vec<u8>, context: &Context<'_>, options: &ExtractOptions) {
    if is_generic(context.event.ty) {
        return;
    }
    let row = context.event.info().params;
    for (i, info) in row.iter().enumerate().take(context.event.params.len()) {
        append(out, info.name.as_bytes());
        out.push(b'=');
        let parameter = Parameter::new(context, info, i, options);
        parameter.write_value(out);
        let mark = out.len();
        out.push(b'(');
        parameter.write_meaning(out);
        if out.len() == mark + 1 {
            out.truncate(mark);
        } else {
            out.push(b')');
        }
        out.push(b' ');
    }
}

/// Writes what parameter `i` stands for, or its value when it stands for nothing else (`evt.arg`).
pub fn write_arg(out: &mut Vec<u8>, context: &Context<'_>, i: usize, options: &ExtractOptions) {
    let Some(info) = context.event.info().params.get(i) else { return };
    let parameter = Parameter::new(context, info, i, options);
    let start = out.len();
    parameter.write_meaning(out);
    if out.len() == start {
        parameter.write_value(out);
    }
}

/// Generic events carry the number of a call that the schema has no parameters for.
#[inline]
pub(super) fn is_generic(ty: EventType) -> bool {
    matches!(ty, EventType::GENERIC_E | EventType::GENERIC_X)
}

/// One parameter with what its text depends on.
struct Parameter<'c, 'a> {
    context: &'c Context<'a>,
    info: &'static ParamInfo,
    bytes: &'a [u8],
    readable: bool,
    options: &'c ExtractOptions,
}

impl<'c, 'a> Parameter<'c, 'a> {
    fn new(
        context: &'c Context<'a>,
        info: &'static ParamInfo,
        i: usize,
        options: &'c ExtractOptions,
    ) -> Self {
        let bytes = context.event.params.get(i).unwrap_or_default();
        let (info, bytes) = chosen(info, bytes);
        Self { context, info, bytes, readable: !context.event.is_unreadable(i), options }
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        use ParamType as T;
        let bytes = self.bytes;
        if !self.readable {
            return out.extend_from_slice(UNREADABLE);
        }
        if bytes.is_empty() {
            return match self.info.ty {
                T::Bytebuf => {}
                T::Charbuf | T::Fspath | T::Fsrelpath => out.extend_from_slice(b"<NA>"),
                _ => out.extend_from_slice(b"NULL"),
            };
        }
        match self.info.ty {
            T::Charbuf | T::Fspath | T::Fsrelpath => write_printable(out, until_nul(bytes)),
            T::Bytebuf => write_buffer(out, bytes, self.options),
            T::Sockaddr => write_sockaddr(out, bytes, self.options.resolve_names),
            T::Socktuple => write_tuple(out, bytes, self.options.resolve_names),
            T::Fdlist => self.write_fdlist(out),
            T::Uid | T::Gid if self.number() == i64::from(NO_ID) => out.extend_from_slice(b"-1"),
            T::Reltime if self.number() == -1 => out.extend_from_slice(b"none"),
            T::Abstime => clock::write_datetime(out, self.number().cast_unsigned()),
            T::Bool => out.extend_from_slice(if self.number() == 0 { b"false" } else { b"true" }),
            T::Double => write_general(out, f64::from_bits(self.number().cast_unsigned())),
            T::Sigset => write_sigset(out, self.number()),
            T::CharbufArray => write_list(out, bytes, [b'.', b'.']),
            T::CharbufPairArray => write_list(out, bytes, [b'=', b',']),
            T::Ipv4addr | T::Ipv4net | T::Ipv6addr | T::Ipv6net | T::Ipaddr | T::Ipnet => {
                write_address(out, bytes)
            }
            T::None | T::Dyn => write_buffer(out, bytes, self.options),
            T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Uint8 | T::Uint16 | T::Uint32 | T::Uint64 => {
                self.write_formatted(out, self.info.format);
            }
            T::Mode => self.write_formatted(out, ParamFormat::Oct),
            // Of these the schema's format is for the field's listing; they show as decimal numbers.
            T::Errno
            | T::Fd
            | T::Fd32
            | T::Pid
            | T::Pid32
            | T::SyscallId
            | T::Sigtype
            | T::Reltime
            | T::Port
            | T::L4proto
            | T::Sockfamily
            | T::Flags8
            | T::Flags16
            | T::Flags32
            | T::Enumflags8
            | T::Enumflags16
            | T::Enumflags32
            | T::Uid
            | T::Gid => write_signed(out, self.number()),
        }
    }

    fn write_formatted(&self, out: &mut Vec<u8>, format: ParamFormat) {
        let bits = u32::try_from(self.bytes.len() * 8).unwrap_or(64);
        write_number(out, self.number(), bits, format);
    }

    /// Writes nothing when the value says all.
    fn write_meaning(&self, out: &mut Vec<u8>) {
        use ParamType as T;
        if self.bytes.is_empty() || !self.readable {
            return;
        }
        match self.info.ty {
            T::Fd | T::Fd32 => write_fd(out, self.context, self.number(), self.options),
            T::Pid | T::Pid32 => self.write_comm(out),
            T::Errno => write_errno(out, self.number()),
            T::Flags8 | T::Flags16 | T::Flags32 | T::Mode => {
                if let Some(table) = self.info.flags {
                    write_flags(out, table, self.number() as u32);
                }
            }
            T::Enumflags8 | T::Enumflags16 | T::Enumflags32 => {
                let name = self.info.flags.and_then(|table| table.name_of(self.number() as u32));
                append(out, name.unwrap_or("").as_bytes());
            }
            T::Uid => self.write_user(out, |id| self.context.state.users.users.get(&id).map(|u| &u.name[..])),
            T::Gid => self.write_user(out, |id| self.context.state.users.groups.get(&id).map(|g| &g[..])),
            T::Sigtype => {
                let name = u32::try_from(self.number()).ok().and_then(signal_name);
                append(out, name.unwrap_or("").as_bytes());
            }
            T::SyscallId => {
                let name = u16::try_from(self.number()).ok().and_then(syscall_name);
                append(out, name.unwrap_or("").as_bytes());
            }
            T::Reltime if self.number() != -1 => {
                write_general(out, self.number().cast_unsigned() as f64 / 1e9);
                out.push(b's');
            }
            T::Fspath | T::Fsrelpath => write_absolute(out, self.context, self.info, until_nul(self.bytes)),
            _ => {}
        }
    }

    fn number(&self) -> i64 {
        number(self.info.ty, self.bytes)
    }

    fn write_comm(&self, out: &mut Vec<u8>) {
        let thread = self.context.state.by_tid(self.number());
        if let Some(thread) = thread.filter(|t| !t.flags.contains(ThreadFlags::UNKNOWN)) {
            write_printable(out, &thread.comm);
        }
    }

    fn write_user(&self, out: &mut Vec<u8>, find: impl Fn(u32) -> Option<&'a [u8]>) {
        let name = match u32::try_from(self.number()) {
            Ok(NO_ID) => Some(&b"<NONE>"[..]),
            Ok(id) => find(id).or((id == 0).then_some(b"root")),
            Err(_) => None,
        };
        write_printable(out, name.unwrap_or(b"<NA>"));
    }

    fn write_fdlist(&self, out: &mut Vec<u8>) {
        for (i, (fd, events)) in polled(self.bytes).enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            write_signed(out, fd);
            out.push(b':');
            out.push(self.context.fd_at(fd).map_or(b'?', |info| info.kind.letter() as u8));
            write_hex(out, u64::from(events), LOWER);
        }
    }
}

/// Of a parameter with alternatives the one that its first byte chooses.
pub(super) fn chosen<'a>(info: &'static ParamInfo, bytes: &'a [u8]) -> (&'static ParamInfo, &'a [u8]) {
    if info.ty == ParamType::Dyn
        && let Some((choice, rest)) = bytes.split_first()
        && let Some(alternative) = info.alternatives.get(usize::from(*choice))
    {
        return (alternative, rest);
    }
    (info, bytes)
}

/// A number of one to eight bytes; what is signed in its type keeps its sign.
pub(super) fn number(ty: ParamType, bytes: &[u8]) -> i64 {
    use ParamType as T;
    let signed = matches!(ty, T::Int8 | T::Int16 | T::Int32 | T::Fd32 | T::Pid32 | T::Errno | T::Fd | T::Pid);
    let usual = if signed { read_i64(bytes) } else { read_u64(bytes).map(u64::cast_signed) };
    usual.unwrap_or_else(|| odd_number(bytes, signed))
}

/// A number of a length that no integer has; of more than eight bytes the first eight.
#[cold]
fn odd_number(bytes: &[u8], signed: bool) -> i64 {
    let mut wide = [0u8; 8];
    let length = bytes.len().min(8);
    let (low, high) = wide.split_at_mut(length);
    low.copy_from_slice(bytes.get(..length).unwrap_or(&[]));
    if signed && low.last().is_some_and(|b| b & 0x80 != 0) {
        high.fill(0xff);
    }
    i64::from_le_bytes(wide)
}

/// The fds of a list parameter with the events asked for or found.
pub(super) fn polled(bytes: &[u8]) -> impl Iterator<Item = (i64, u16)> + '_ {
    let (count, items) =
        bytes.split_first_chunk::<2>().map_or((0, bytes), |(n, rest)| (u16::from_le_bytes(*n), rest));
    items.chunks_exact(10).take(usize::from(count)).filter_map(|item| {
        let (fd, events) = item.split_first_chunk::<8>()?;
        Some((i64::from_le_bytes(*fd), u16::from_le_bytes(*events.first_chunk::<2>()?)))
    })
}

/// Writes `<kind>name` of an fd of the event's process; the error when it is none.
fn write_fd(out: &mut Vec<u8>, context: &Context<'_>, fd: i64, options: &ExtractOptions) {
    if fd == AT_FDCWD {
        return out.extend_from_slice(b"AT_FDCWD");
    }
    if fd < 0 {
        return write_errno(out, fd);
    }
    let Some(info) = context.fd_at(fd) else { return };
    out.push(b'<');
    out.push(info.kind.letter() as u8);
    out.extend_from_slice(protocol_letter(info));
    out.push(b'>');
    write_fd_name(out, info, options.resolve_names);
}

fn protocol_letter(info: &FdInfo) -> &'static [u8] {
    match l4(info) {
        Some(L4::Tcp) => b"t",
        Some(L4::Udp) => b"u",
        Some(L4::Icmp) => b"i",
        Some(L4::Raw) => b"r",
        _ => b"",
    }
}

/// The transport protocol of an internet socket, once it is connected or bound.
pub(super) fn l4(info: &FdInfo) -> Option<L4> {
    let socket = info.socket.as_deref()?;
    let known = match info.kind {
        FdKind::Ipv4 | FdKind::Ipv6 => socket.role != Role::Unknown,
        FdKind::Ipv4Server | FdKind::Ipv6Server => true,
        _ => false,
    };
    (known && !matches!(socket.l4, L4::Unknown | L4::None)).then_some(socket.l4)
}

/// Writes the name of an fd; of sockets with the names of ports when these are wanted.
pub(super) fn write_fd_name(out: &mut Vec<u8>, info: &FdInfo, by_name: bool) {
    match info.socket.as_deref().filter(|_| by_name) {
        Some(&Socket { source: Some(source), dest: Some(dest), l4, .. }) => {
            write_ends(out, source, dest, l4, true)
        }
        Some(&Socket { source: None, dest: Some(dest), l4, .. }) if !info.name.is_empty() => {
            write_endpoint(out, dest, l4, true);
        }
        _ => write_path(out, &info.name),
    }
}

/// Writes the name of a negative result.
pub(super) fn write_errno(out: &mut Vec<u8>, result: i64) {
    if result < 0 {
        let name = u32::try_from(result.unsigned_abs()).ok().and_then(errno_name);
        append(out, name.unwrap_or("").as_bytes());
    }
}

/// Writes the names of the bits of a value. An entry that stands for the whole value ends the
/// list, so that combined names can follow their parts.
fn write_flags(out: &mut Vec<u8>, table: &FlagTable, value: u32) {
    let start = out.len();
    let mut left = value;
    for (name, bits) in table.entries {
        let whole = *bits == value;
        if !whole && (left == 0 || *bits == 0 || left & bits != *bits) {
            continue;
        }
        if out.len() > start {
            out.push(b'|');
        }
        out.extend_from_slice(name.as_bytes());
        if whole {
            return;
        }
        left &= !bits;
    }
}

fn write_sigset(out: &mut Vec<u8>, set: i64) {
    let start = out.len();
    for name in (0..32).filter(|i| set & (1 << i) != 0).filter_map(|i| signal_name(i + 1)) {
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
}

/// NUL separated texts, joined by the two separators in turn.
fn write_list(out: &mut Vec<u8>, bytes: &[u8], separators: [u8; 2]) {
    let texts = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let mut separator = separators.into_iter().cycle();
    for (i, text) in texts.split(|b| *b == 0).enumerate() {
        if i > 0 {
            out.extend(separator.next());
        }
        write_printable(out, text);
    }
}

fn write_address(out: &mut Vec<u8>, bytes: &[u8]) {
    if let Ok(ip) = <[u8; 4]>::try_from(bytes) {
        write_ip(out, Ipv4Addr::from(ip).into());
    } else if let Ok(ip) = <[u8; 16]>::try_from(bytes) {
        write_ip(out, Ipv6Addr::from(ip).into());
    }
}

/// Writes the absolute path that a relative one stands for.
fn write_absolute(out: &mut Vec<u8>, context: &Context<'_>, info: &ParamInfo, text: &[u8]) {
    if text.is_empty() || text.starts_with(b"/") || text == b"<NA>" {
        return;
    }
    let start = out.len();
    match info.dirfd {
        Some(dirfd) => join_at(out, context, context.event.i64(usize::from(dirfd)), text),
        None => join_at(out, context, Some(AT_FDCWD), text),
    }
    if !out.iter().skip(start).all(|b| is_printable(*b)) {
        let path = out.split_off(start);
        write_path(out, &path);
    }
}

/// Writes a path seen from the directory that `dirfd` refers to.
pub(super) fn join_at(out: &mut Vec<u8>, context: &Context<'_>, dirfd: Option<i64>, text: &[u8]) {
    match dirfd {
        _ if text.starts_with(b"/") => path::append(out, b"", text),
        Some(AT_FDCWD) => path::append(out, context.process().map_or(b"", |p| &p.cwd), text),
        Some(fd) if context.fd_at(fd).is_some() => {
            path::append(out, context.fd_at(fd).map_or(b"", |info| &info.name), text);
        }
        _ => {
            out.extend_from_slice(path::UNKNOWN_DIRECTORY);
            path::append(out, b"", text);
        }
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
