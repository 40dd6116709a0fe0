//! Parameters about sockets: addresses, pairs of addresses, options.

use super::scratch::Area;
use super::view::{View, bytes_at, u16_at, u32_at, u64_at};
use std::mem::offset_of;
use tracer_common::record::SocketFacts;

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// Most bytes of a path in an address, without its NUL.
const UNIX_PATH: usize = 108;

/// An address of a user program, `struct sockaddr_*`.
enum Address<'a> {
    V4([u8; 4], u16),
    V6([u8; 16], u16),
    Unix(&'a [u8]),
}

impl<'a> Address<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let port = || bytes_at(bytes, 2).map(u16::from_be_bytes);
        Some(match u16_at(bytes, 0)? {
            AF_INET => Address::V4(bytes_at(bytes, 4)?, port()?),
            AF_INET6 => Address::V6(bytes_at(bytes, 8)?, port()?),
            AF_UNIX => Address::Unix(unix_path(bytes.get(2..)?)),
            _ => return None,
        })
    }
}

/// A path without its NULs; an abstract name without the NUL it begins with.
fn unix_path(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(&[0]).unwrap_or(bytes);
    let path = bytes.split(|b| *b == 0).next().unwrap_or_default();
    path.get(..UNIX_PATH).unwrap_or(path)
}

/// `struct sockaddr` as the schema has it; empty for families it does not know.
pub fn sockaddr<'a>(view: &View<'a>, piece: u8, area: &mut Area<'a>) -> &'a [u8] {
    match Address::read(view.piece(piece).bytes) {
        None => return &[],
        Some(Address::V4(ip, port)) => {
            area.push(&[AF_INET as u8]);
            area.push(&ip);
            area.push(&port.to_le_bytes());
        }
        Some(Address::V6(ip, port)) => {
            area.push(&[AF_INET6 as u8]);
            area.push(&ip);
            area.push(&port.to_le_bytes());
        }
        Some(Address::Unix(path)) => {
            area.push(&[AF_UNIX as u8]);
            area.push(path);
            area.push(&[0]);
        }
    }
    area.finish()
}

/// Both ends of a socket, the sender first. The kernel knows the remote end of a connected socket
/// only; of others it is the address that the program gave.
pub fn tuple<'a>(
    view: &View<'a>,
    socket: u8,
    inbound: bool,
    address: Option<u8>,
    area: &mut Area<'a>,
) -> &'a [u8] {
    let facts = view.piece(socket).bytes;
    let address = address.and_then(|piece| Address::read(view.piece(piece).bytes));
    tuple_of(facts, inbound, address, area).unwrap_or_default()
}

fn tuple_of<'a>(
    facts: &[u8],
    inbound: bool,
    address: Option<Address<'_>>,
    area: &mut Area<'a>,
) -> Option<&'a [u8]> {
    const LOCAL: usize = offset_of!(SocketFacts, local);
    const REMOTE: usize = offset_of!(SocketFacts, remote);
    let family = u16_at(facts, offset_of!(SocketFacts, family))?;
    let local_port = u16_at(facts, offset_of!(SocketFacts, local_port))?;
    let mut remote_port = u16_at(facts, offset_of!(SocketFacts, remote_port))?;
    match family {
        AF_INET => {
            let local: [u8; 4] = bytes_at(facts, LOCAL)?;
            let mut remote: [u8; 4] = bytes_at(facts, REMOTE)?;
            if let (0, Some(Address::V4(ip, port))) = (remote_port, address) {
                (remote, remote_port) = (ip, port);
            }
            area.push(&[AF_INET as u8]);
            push_ends(area, inbound, (&local, local_port), (&remote, remote_port));
        }
        AF_INET6 => {
            let local: [u8; 16] = bytes_at(facts, LOCAL)?;
            let mut remote: [u8; 16] = bytes_at(facts, REMOTE)?;
            if remote_port == 0 {
                match address {
                    Some(Address::V6(ip, port)) => (remote, remote_port) = (ip, port),
                    Some(Address::V4(ip, port)) => {
                        // An IPv6 socket speaks to an IPv4 address through its mapped form.
                        remote = std::net::Ipv4Addr::from(ip).to_ipv6_mapped().octets();
                        remote_port = port;
                    }
                    _ => {}
                }
            }
            area.push(&[AF_INET6 as u8]);
            push_ends(area, inbound, (&local, local_port), (&remote, remote_port));
        }
        AF_UNIX => {
            let sock = u64_at(facts, offset_of!(SocketFacts, sock))?;
            let peer = u64_at(facts, offset_of!(SocketFacts, peer))?;
            let (source, destination) = if inbound { (peer, sock) } else { (sock, peer) };
            let mut path = unix_path(facts.get(size_of::<SocketFacts>()..).unwrap_or_default());
            if let (true, Some(Address::Unix(given))) = (path.is_empty(), address) {
                path = given;
            }
            area.push(&[AF_UNIX as u8]);
            area.push(&source.to_le_bytes());
            area.push(&destination.to_le_bytes());
            area.push(path);
            area.push(&[0]);
        }
        _ => return None,
    }
    Some(area.finish())
}

fn push_ends(area: &mut Area<'_>, inbound: bool, local: (&[u8], u16), remote: (&[u8], u16)) {
    let (first, second) = if inbound { (remote, local) } else { (local, remote) };
    for (ip, port) in [first, second] {
        area.push(ip);
        area.push(&port.to_le_bytes());
    }
}

/// Fill of a listening socket's queue in percent.
pub fn queue_percent(view: &View<'_>, socket: u8) -> u64 {
    let facts = view.piece(socket).bytes;
    let backlog = u32_at(facts, offset_of!(SocketFacts, backlog)).unwrap_or(0);
    let most = u32_at(facts, offset_of!(SocketFacts, max_backlog)).unwrap_or(0);
    if most == 0 { 0 } else { u64::from(backlog) * 100 / u64::from(most) }
}

/// Alternatives of the `val` of a socket option.
mod option {
    pub const BYTES: u8 = 0;
    pub const ERRNO: u8 = 1;
    pub const UINT32: u8 = 2;
    pub const UINT64: u8 = 3;
    pub const RELTIME: u8 = 4;
}

/// The value of a socket option in the type that it has. Numbers are those of
/// include/uapi/asm-generic/socket.h.
pub fn sockopt<'a>(view: &View<'a>, piece: u8, area: &mut Area<'a>) -> &'a [u8] {
    const SOL_SOCKET: u32 = 1;
    let bytes = view.piece(piece).bytes;
    let int = u32_at(bytes, 0);
    let known = (view.arg(1) as u32 == SOL_SOCKET).then_some(view.arg(2) as u32);
    match (known, int) {
        // SO_ERROR
        (Some(4), Some(errno)) => {
            area.push(&[option::ERRNO]);
            area.push(&i64::from(errno as i32).wrapping_neg().to_le_bytes());
        }
        // SO_RCVTIMEO and SO_SNDTIMEO, both of old and new kind: struct timeval
        (Some(20 | 21 | 66 | 67), Some(_)) => {
            let long = if matches!(known, Some(66 | 67)) { 8 } else { view.long };
            let read = |at| match long {
                4 => u32_at(bytes, at).map(u64::from),
                _ => u64_at(bytes, at),
            };
            let ns = (read(0).unwrap_or(0).wrapping_mul(1_000_000_000))
                .wrapping_add(read(long).unwrap_or(0).wrapping_mul(1000));
            area.push(&[option::RELTIME]);
            area.push(&ns.to_le_bytes());
        }
        // SO_COOKIE
        (Some(57), Some(_)) => {
            area.push(&[option::UINT64]);
            area.push(&u64_at(bytes, 0).unwrap_or(0).to_le_bytes());
        }
        // Those whose value is one int: DEBUG … PRIORITY, BSDCOMPAT … PASSCRED, the low-water marks …
        (
            Some(
                1..=3
                | 5..=12
                | 14..=16
                | 18
                | 19
                | 22..=24
                | 29
                | 30
                | 32..=47
                | 48
                | 49
                | 60
                | 63..=65
                | 69,
            ),
            Some(n),
        ) => {
            area.push(&[option::UINT32]);
            area.push(&n.to_le_bytes());
        }
        _ => {
            area.push(&[option::BYTES]);
            area.push(bytes);
        }
    }
    area.finish()
}

/// An array of `struct pollfd` as a list of fds with the events asked for or found.
pub fn fd_list<'a>(view: &View<'a>, piece: u8, returned: bool, area: &mut Area<'a>) -> &'a [u8] {
    let (entries, _) = view.piece(piece).bytes.as_chunks::<8>();
    area.push(&(entries.len() as u16).to_le_bytes());
    for [a, b, c, d, events @ ..] in entries {
        let fd = i32::from_ne_bytes([*a, *b, *c, *d]);
        let [e, f, g, h] = *events;
        let flags = u16::from_ne_bytes(if returned { [g, h] } else { [e, f] });
        area.push(&i64::from(fd).to_le_bytes());
        area.push(&crate::schema::convert::poll_events(u64::from(flags)).to_le_bytes());
    }
    area.finish()
}
