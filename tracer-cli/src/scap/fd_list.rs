//! Open fds of one thread, as they were before the first event.

use super::body::Body;
use super::damage::Fault;
use super::input::Input;
use crate::state::fd::{Endpoint, FdInfo, FdKind, L4, Role, Socket};
use crate::state::fd_table::{MAX_UNREAD, Unread};
use crate::state::tuple;
use bstr::BString;
use smallvec::SmallVec;
use std::net::IpAddr;

/// Reads the entries of an fd list, behind the tid that begins it. `sized` entries have their length
/// before them.
pub(super) fn read(
    body: &mut Body<'_>,
    sized: bool,
    mut found: impl FnMut(i64, FdInfo),
) -> Result<(), Fault> {
    // What is left at the end is padding.
    while body.left() >= 4 {
        let (fd, info) = if sized {
            let len = u64::from(body.u32("length of an fd")?);
            let rest = len.checked_sub(4).ok_or(Fault::Value { what: "the length of an fd", value: len })?;
            let mut entry = body.entry(rest, "an fd")?;
            let found = read_entry(&mut entry, true)?;
            entry.finish()?;
            found
        } else {
            read_entry(body, false)?
        };
        found(fd, info);
    }
    Ok(())
}

/// What is left of a list, to be read later: if it is all here, no longer than it may be, and sound. Says how many fds
/// there are, too.
pub(super) fn leave_unread(body: &mut Body<'_>, sized: bool) -> Option<(usize, Unread)> {
    let bytes = body.at_hand()?;
    let Glance { fds, listening } = glance(bytes, sized)?;
    if !(1..=MAX_UNREAD).contains(&fds) {
        return None;
    }
    let read = if sized { read_later::<true> } else { read_later::<false> };
    let unread = Unread { bytes: bytes.into(), listening, read };
    body.bytes(unread.bytes.len(), "an fd").ok()?;
    Some((fds, unread))
}

fn read_later<const SIZED: bool>(bytes: &[u8], found: &mut dyn FnMut(i64, FdInfo)) {
    let mut input = Input::of_bytes(bytes.to_vec());
    // It is sound, or it would not have been left.
    let _ = read(&mut Body::new(&mut input, bytes.len() as u64), SIZED, found);
}

/// What is to be known of a list that is not read.
#[derive(Default)]
struct Glance {
    fds: usize,
    /// TCP ports of servers.
    listening: SmallVec<[u16; 2]>,
}

/// Looks at the lengths in a list; `None` where something may be wrong.
fn glance(mut left: &[u8], sized: bool) -> Option<Glance> {
    /// Bytes before what depends on the type: number, inode and type.
    const HEAD: usize = 17;
    let mut seen = Glance::default();
    while left.len() >= 4 {
        let mut entry = left;
        if sized {
            let len = u32::from_le_bytes(*left.first_chunk()?) as usize;
            (entry, left) = left.split_at_checked(len)?;
            entry = entry.get(4..)?;
        }
        let (head, rest) = entry.split_at_checked(HEAD)?;
        let (fixed, is_named) = match head.last()? {
            0 => (0, false),
            3 => (13, false),
            4 => (37, false),
            5 => (7, false),
            6 => (19, false),
            8 => (16, true),
            16 => (4, true),
            1 | 2 | 7 | 9..=21 => (0, true),
            _ => return None,
        };
        let (fields, mut rest) = rest.split_at_checked(fixed)?;
        if is_named {
            let (len, name) = rest.split_first_chunk()?;
            rest = name.get(usize::from(u16::from_le_bytes(*len))..)?;
        }
        if let (5 | 6, [.., low, high, code]) = (head.last()?, fields)
            && l4(*code) == L4::Tcp
        {
            seen.listening.push(u16::from_le_bytes([*low, *high]));
        }
        if !sized {
            left = rest;
        }
        seen.fds += 1;
    }
    Some(seen)
}

fn read_entry(body: &mut Body<'_>, sized: bool) -> Result<(i64, FdInfo), Fault> {
    let fd = body.i64("number of an fd")?;
    let ino = body.u64("inode of an fd")?;
    let ty = body.u8("type of an fd")?;
    let mut info = FdInfo::new(kind(ty));
    match ty {
        0 => {}
        3 => {
            let ends: [[u8; 4]; 2] = [body.array("IPv4 address")?, body.array("IPv4 address")?];
            connection(body, &mut info, ends.map(IpAddr::from))?;
        }
        4 => {
            let ends: [[u8; 16]; 2] = [body.array("IPv6 address")?, body.array("IPv6 address")?];
            connection(body, &mut info, ends.map(IpAddr::from))?;
        }
        5 => {
            let ip: [u8; 4] = body.array("IPv4 address")?;
            server(body, &mut info, ip.into())?;
        }
        6 => {
            let ip: [u8; 16] = body.array("IPv6 address")?;
            server(body, &mut info, ip.into())?;
        }
        8 => {
            let source_ptr = body.u64("address of a socket")?;
            let dest_ptr = body.u64("address of a socket")?;
            info.socket = Some(Box::new(Socket { l4: L4::None, source_ptr, dest_ptr, ..Socket::default() }));
            info.name = name(body)?;
            // Names from /proc/net/unix come with the end of their line.
            if info.name.last() == Some(&b'\n') {
                info.name.pop();
            }
        }
        16 => {
            info.open_flags = body.u32("open flags")?;
            info.name = name(body)?;
            if sized && body.left() >= 4 {
                info.dev = body.u32("device")?;
            }
        }
        _ if sized || ty <= 21 => info.name = name(body)?,
        other => return Err(Fault::Value { what: "the type of an fd", value: u64::from(other) }),
    }
    info.ino = ino;
    Ok((fd, info))
}

/// Kind of a type code; those that are not known yet count as unsupported.
pub(super) fn kind(ty: u8) -> FdKind {
    match ty {
        0 => FdKind::Unknown,
        1 | 16 => FdKind::File,
        2 => FdKind::Directory,
        3 => FdKind::Ipv4,
        4 => FdKind::Ipv6,
        5 => FdKind::Ipv4Server,
        6 => FdKind::Ipv6Server,
        7 => FdKind::Fifo,
        8 => FdKind::Unix,
        9 => FdKind::Event,
        11 => FdKind::Signal,
        12 => FdKind::Eventpoll,
        13 => FdKind::Inotify,
        14 => FdKind::Timer,
        15 => FdKind::Netlink,
        17 => FdKind::Bpf,
        18 => FdKind::Userfault,
        19 => FdKind::IoUring,
        20 => FdKind::Memfd,
        21 => FdKind::Pidfd,
        _ => FdKind::Unsupported,
    }
}

pub(super) fn l4(code: u8) -> L4 {
    match code {
        1 => L4::None,
        2 => L4::Tcp,
        3 => L4::Udp,
        4 => L4::Icmp,
        5 => L4::Raw,
        _ => L4::Unknown,
    }
}

fn name(body: &mut Body<'_>) -> Result<BString, Fault> {
    let name = body.text("name of an fd")?;
    // Names of abstract sockets and garbage behind short ones end at the first NUL.
    Ok(name.get(..memchr::memchr(0, name).unwrap_or(name.len())).unwrap_or_default().into())
}

/// Local and remote end; which one is the server is found out when all fds are known.
fn connection(body: &mut Body<'_>, info: &mut FdInfo, ends: [IpAddr; 2]) -> Result<(), Fault> {
    let [source, dest] = ends;
    let source = Endpoint { ip: source, port: body.u16("port")? };
    let dest = Endpoint { ip: dest, port: body.u16("port")? };
    let l4 = l4(body.u8("transport protocol")?);
    // A dual stack socket with ends of IPv4 is one of IPv4, as it is when an event tells of it.
    let (source, dest) = tuple::unmap(source, dest);
    if source.ip.is_ipv4() {
        info.kind = FdKind::Ipv4;
    }
    tuple::write_connection(&mut info.name, source, dest, l4);
    info.socket = Some(Box::new(Socket { l4, source: Some(source), dest: Some(dest), ..Socket::default() }));
    Ok(())
}

fn server(body: &mut Body<'_>, info: &mut FdInfo, ip: IpAddr) -> Result<(), Fault> {
    let own = Endpoint { ip, port: body.u16("port")? };
    let l4 = l4(body.u8("transport protocol")?);
    tuple::write_endpoint(&mut info.name, own);
    let role = if l4 == L4::Tcp { Role::Server } else { Role::Unknown };
    info.socket = Some(Box::new(Socket { l4, role, dest: Some(own), ..Socket::default() }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An fd of this type, whose fields have these bytes.
    fn entry(ty: u8, sized: bool, fd: i64, fields: &[u8], name: &[u8]) -> Vec<u8> {
        let (fixed, is_named) = match ty {
            0 => (0, false),
            3 => (13, false),
            4 => (37, false),
            5 => (7, false),
            6 => (19, false),
            8 => (16, true),
            16 => (4, true),
            _ => (0, true),
        };
        let mut out = [&fd.to_le_bytes()[..], &7u64.to_le_bytes(), &[ty]].concat();
        out.extend(fields.iter().cycle().take(fixed));
        if is_named {
            out.extend((name.len() as u16).to_le_bytes());
            out.extend(name);
        }
        if sized {
            let len = (out.len() as u32 + 4).to_le_bytes();
            out.splice(0..0, len);
        }
        out
    }

    fn read_all(bytes: &[u8], sized: bool) -> Result<Vec<String>, Fault> {
        let mut found = Vec::new();
        let mut input = Input::of_bytes(bytes.to_vec());
        read(&mut Body::new(&mut input, bytes.len() as u64), sized, |fd, info| {
            found.push(format!("{fd} {info:?}"));
        })?;
        Ok(found)
    }

    proptest! {
        #[test]
        fn what_is_read_later_is_what_would_have_been_read(
            sized: bool,
            fds in prop::collection::vec((0u8..=22, 0i64..9, prop::collection::vec(0u8..4, 1..9)), 1..6),
            cut in 0usize..9,
        ) {
            let entries = fds.iter().map(|(ty, fd, bytes)| entry(*ty, sized, *fd, bytes, bytes));
            let mut bytes = entries.collect::<Vec<_>>().concat();
            bytes.truncate(bytes.len().saturating_sub(cut));
            let expected = read_all(&bytes, sized);
            let mut input = Input::of_bytes(bytes.clone());
            let mut body = Body::new(&mut input, bytes.len() as u64);
            let left = leave_unread(&mut body, sized);
            if cut == 0 && fds.iter().all(|(ty, ..)| !matches!(ty, 10 | 22)) {
                prop_assert!(left.is_some(), "nothing is wrong with it");
            }
            if let Some((fds, unread)) = left {
                let mut found = Vec::new();
                let mut listening = Vec::new();
                (unread.read)(&unread.bytes, &mut |fd, info| {
                    let socket = info.socket.as_ref().filter(|socket| socket.l4 == L4::Tcp);
                    let is_server = matches!(info.kind, FdKind::Ipv4Server | FdKind::Ipv6Server);
                    listening.extend(socket.and_then(|socket| socket.dest).filter(|_| is_server).map(|end| end.port));
                    found.push(format!("{fd} {info:?}"));
                });
                prop_assert_eq!(fds, found.len());
                prop_assert_eq!(unread.listening.as_slice(), listening.as_slice());
                prop_assert_eq!(Ok(found), expected);
            }
        }
    }
}
