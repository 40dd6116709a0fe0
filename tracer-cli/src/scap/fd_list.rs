//! Open fds of one thread, as they were before the first event.

use super::body::Body;
use super::damage::Fault;
use crate::state::fd::{Endpoint, FdInfo, FdKind, L4, Role, Socket};
use crate::state::tuple;
use bstr::BString;
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
