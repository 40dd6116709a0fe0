//! Events of sockets: what they are, which ends they connect, which of the ends is the server.

use super::fd::{Endpoint, FdInfo, FdKind, L4, O_CLOEXEC, Role, Socket};
use super::step::{Arg, NONE, Step, arg};
use super::tuple::{
    AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, Address, Tuple, read_address, read_tuple, unmap, write_address,
    write_connection, write_endpoint, write_tuple,
};
use std::net::IpAddr;

/// `SOCK_*` and `IPPROTO_*` as programs give them.
mod linux {
    pub const SOCK_TYPE_MASK: u64 = 0xf;
    pub const SOCK_STREAM: u64 = 1;
    pub const SOCK_DGRAM: u64 = 2;
    pub const SOCK_RAW: u64 = 3;
    pub const SOCK_CLOEXEC: u64 = 0o2_000_000;
    pub const SOCK_NONBLOCK: u64 = 0o4_000;
    pub const IPPROTO_ICMP: u64 = 1;
    pub const IPPROTO_TCP: u64 = 6;
    pub const IPPROTO_UDP: u64 = 17;
    pub const IPPROTO_ICMPV6: u64 = 58;
    pub const IPPROTO_RAW: u64 = 255;
}

/// `O_NONBLOCK` of the schema.
const O_NONBLOCK: u32 = 64;

fn kind_of_family(family: u64) -> FdKind {
    match u8::try_from(family) {
        Ok(AF_UNIX) => FdKind::Unix,
        Ok(AF_INET) => FdKind::Ipv4,
        Ok(AF_INET6) => FdKind::Ipv6,
        Ok(AF_NETLINK) => FdKind::Netlink,
        _ => FdKind::Unknown,
    }
}

fn transport(kind: FdKind, ty: u64, protocol: u64) -> L4 {
    if !matches!(kind, FdKind::Ipv4 | FdKind::Ipv6) {
        return L4::None;
    }
    let ty = ty & linux::SOCK_TYPE_MASK;
    match (protocol, ty) {
        (linux::IPPROTO_RAW, _) | (_, linux::SOCK_RAW) => L4::Raw,
        (linux::IPPROTO_TCP, _) | (0, linux::SOCK_STREAM) => L4::Tcp,
        (linux::IPPROTO_UDP, _) | (0, linux::SOCK_DGRAM) => L4::Udp,
        (linux::IPPROTO_ICMP | linux::IPPROTO_ICMPV6, _) => L4::Icmp,
        _ => L4::Unknown,
    }
}

/// Open flags from the flags that share an argument with the type of a socket.
fn open_flags(ty: u64) -> u32 {
    let mut flags = 0;
    if ty & linux::SOCK_CLOEXEC != 0 {
        flags |= O_CLOEXEC;
    }
    if ty & linux::SOCK_NONBLOCK != 0 {
        flags |= O_NONBLOCK;
    }
    flags
}

fn new_socket(kind: FdKind, l4: L4, open_flags: u32) -> FdInfo {
    let mut info = FdInfo::new(kind);
    info.socket = Some(Box::new(Socket { l4, ..Socket::default() }));
    info.open_flags = open_flags;
    info
}

pub(super) fn socket(step: &mut Step<'_>) {
    let Some(fd) = step.result() else { return };
    let family = step.u64(arg(1, 0)).unwrap_or(0);
    let ty = step.u64(arg(2, 1)).unwrap_or(0);
    let protocol = step.u64(arg(3, 2)).unwrap_or(0);
    let kind = kind_of_family(family);
    // Old probes give the type without its flags.
    let flags = open_flags(ty) | step.event.u64(4).unwrap_or(0) as u32 & (O_CLOEXEC | O_NONBLOCK);
    step.add_fd(fd, new_socket(kind, transport(kind, ty, protocol), flags));
}

pub(super) fn socketpair(step: &mut Step<'_>) {
    if !step.succeeded() {
        return;
    }
    let event = step.event;
    let (source, peer) = (event.u64(3).unwrap_or(0), event.u64(4).unwrap_or(0));
    let flags = open_flags(step.u64(arg(6, 1)).unwrap_or(0));
    for (at, source_ptr, dest_ptr) in [(1, source, peer), (2, peer, source)] {
        let Some(fd) = event.i64(at) else { continue };
        let mut info = new_socket(FdKind::Unix, L4::None, flags);
        if let Some(socket) = &mut info.socket {
            (socket.source_ptr, socket.dest_ptr) = (source_ptr, dest_ptr);
        }
        step.add_fd(fd, info);
    }
}

/// Gives the socket `fd` the name that is in the scratch.
fn set_name(step: &mut Step<'_>, fd: i64) {
    let name = std::mem::take(step.scratch);
    let changed = match step.fd_info(fd) {
        Some(info) if info.name != name => {
            info.name.clear();
            info.name.extend_from_slice(&name);
            true
        }
        _ => false,
    };
    *step.scratch = name;
    if changed {
        step.renamed(fd);
    }
}

pub(super) fn bind(step: &mut Step<'_>) {
    let Some(fd) = step.fd.filter(|_| step.succeeded()) else { return };
    let Some(address) = step.bytes(arg(1, NONE)).and_then(read_address) else { return };
    let Some(info) = step.fd_info(fd) else { return };
    match address {
        Address::Inet(end) => {
            // Port 0: the kernel chooses one, which is not recorded.
            if end.port != 0 {
                info.kind = server_kind(end);
                let socket = info.socket.get_or_insert_default();
                socket.dest = Some(end);
                socket.source = None;
                socket.role = Role::Server;
            }
            step.scratch.clear();
            write_endpoint(step.scratch, end);
        }
        Address::Unix(path) => {
            step.scratch.clear();
            step.scratch.extend_from_slice(path);
        }
        Address::Other(_) => return,
    }
    set_name(step, fd);
}

fn server_kind(end: Endpoint) -> FdKind {
    match end.ip {
        IpAddr::V4(_) => FdKind::Ipv4Server,
        IpAddr::V6(_) => FdKind::Ipv6Server,
    }
}

fn connection_kind(source: Endpoint, dest: Endpoint) -> FdKind {
    match unmap(source, dest).0.ip {
        IpAddr::V4(_) => FdKind::Ipv4,
        IpAddr::V6(_) => FdKind::Ipv6,
    }
}

/// The peer is known before the call is over, which may take long or fail.
pub(super) fn connect_begins(step: &mut Step<'_>) {
    let (Some(fd), Some(address)) = (step.fd, step.event.param(1).and_then(read_address)) else { return };
    towards(step, fd, address);
}

/// The socket `fd` is to be connected with `address`.
fn towards(step: &mut Step<'_>, fd: i64, address: Address<'_>) {
    let Some(info) = step.fd_info(fd) else { return };
    match address {
        Address::Inet(end) => info.socket.get_or_insert_default().dest = Some(end),
        Address::Unix(_) => {
            step.scratch.clear();
            write_address(step.scratch, &address);
            set_name(step, fd);
        }
        Address::Other(_) => {}
    }
}

pub(super) fn connect(step: &mut Step<'_>) {
    let Some(fd) = step.fd else { return };
    let accepted = |res: i64| res >= 0 || res == -i64::from(libc::EINPROGRESS);
    if !step.result().is_some_and(accepted) {
        // Where it was to go is known before it fails, as from the enter event of files that have one.
        let address = step.event.param(3).and_then(read_address);
        if let Some(address) = address.filter(|_| step.enter.ty().is_none()) {
            towards(step, fd, address);
        }
        return;
    }
    if let Some(tuple) = step.bytes(arg(1, NONE)).and_then(read_tuple) {
        connected(step, fd, tuple, Role::Client);
    } else if let Some(address) = step.bytes(arg(3, 1)).and_then(read_address) {
        towards(step, fd, address);
        if let Some(info) = step.fd_info(fd) {
            let socket = info.socket.get_or_insert_default();
            socket.connected = true;
            if socket.role == Role::Unknown {
                socket.role = Role::Client;
            }
        }
    }
}

/// The socket `fd` connects the two ends of `tuple`; it has `role` unless it has one already.
fn connected(step: &mut Step<'_>, fd: i64, tuple: Tuple<'_>, role: Role) {
    let Some(info) = step.fd_info(fd) else { return };
    let socket = info.socket.get_or_insert_default();
    socket.connected = true;
    if socket.role == Role::Unknown {
        socket.role = role;
    }
    let l4 = socket.l4;
    match tuple {
        Tuple::Inet { source, dest } => {
            let (source, dest) = unmap(source, dest);
            (socket.source, socket.dest) = (Some(source), Some(dest));
            info.kind = connection_kind(source, dest);
            step.scratch.clear();
            write_connection(step.scratch, source, dest, l4);
        }
        Tuple::Unix { source, dest, .. } => {
            (socket.source_ptr, socket.dest_ptr) = (source, dest);
            info.kind = FdKind::Unix;
            step.scratch.clear();
            write_tuple(step.scratch, &tuple);
        }
        Tuple::Other(_) => return,
    }
    set_name(step, fd);
}

pub(super) fn accept(step: &mut Step<'_>) {
    let Some(fd) = step.result().filter(|fd| *fd >= 0) else { return };
    let flags = step.u64(arg(5, 0)).unwrap_or(0);
    // In the schema's coding in exit events, in Linux' in the enter events of old captures.
    let flags = flags as u32 & (O_CLOEXEC | O_NONBLOCK) | open_flags(flags);
    let tuple = step.event.param(1).and_then(read_tuple);
    let (kind, l4) = match tuple {
        Some(Tuple::Inet { source, dest }) => (connection_kind(source, dest), L4::Tcp),
        Some(Tuple::Unix { .. }) => (FdKind::Unix, L4::None),
        Some(Tuple::Other(_)) | None => (FdKind::Unknown, L4::Unknown),
    };
    step.add_fd(fd, new_socket(kind, l4, flags));
    if let Some(tuple) = tuple {
        connected(step, fd, tuple, Role::Server);
    }
}

/// Datagrams can be sent through sockets whose creation was not seen.
pub(super) fn sendto_begins(step: &mut Step<'_>) {
    let (Some(fd), Some(tuple)) = (step.fd, step.event.param(2).and_then(read_tuple)) else { return };
    assume_udp(step, fd, tuple);
}

fn assume_udp(step: &mut Step<'_>, fd: i64, tuple: Tuple<'_>) {
    if let Tuple::Inet { source, dest } = tuple
        && step.known_fd(fd).is_none()
    {
        step.add_fd(fd, new_socket(connection_kind(source, dest), L4::Udp, 0));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// Source of the tuple is this end.
    Sent,
    /// Destination of the tuple is this end.
    Received,
}

pub(super) fn sendto(step: &mut Step<'_>) {
    if let (Some(fd), Some(tuple)) = (step.fd, step.bytes(arg(4, 2)).and_then(read_tuple)) {
        assume_udp(step, fd, tuple);
    }
    send(step);
}

/// sendmsg and sendmmsg.
pub(super) fn send(step: &mut Step<'_>) {
    transferred(step, arg(4, 2), Direction::Sent);
}

pub(super) fn recvfrom(step: &mut Step<'_>) {
    transferred(step, arg(2, NONE), Direction::Received);
}

pub(super) fn recvmsg(step: &mut Step<'_>) {
    transferred(step, arg(3, NONE), Direction::Received);
    receive_fds(step, 4);
}

pub(super) fn recvmmsg(step: &mut Step<'_>) {
    transferred(step, arg(4, NONE), Direction::Received);
    receive_fds(step, 5);
}

/// A message went through a socket: it says what ends a connectionless socket has.
fn transferred(step: &mut Step<'_>, tuple: Arg, direction: Direction) {
    let Some(fd) = step.fd.filter(|_| step.succeeded()) else { return };
    let Some(tuple) = step.bytes(tuple).and_then(read_tuple) else { return };
    let Some(info) = step.fd_info(fd) else { return };
    let named = !info.name.is_empty();
    let socket = info.socket.get_or_insert_default();
    match tuple {
        Tuple::Inet { source, dest } => {
            // Lists of fds may take a datagram socket for one that listens; messages go through no such.
            let listens = matches!(info.kind, FdKind::Ipv4Server | FdKind::Ipv6Server);
            let is_stream = socket.l4 == L4::Tcp;
            if named && is_stream && !listens {
                return;
            }
            if socket.l4 == L4::Unknown || is_stream && listens {
                socket.l4 = L4::Udp;
            }
            // With whom it last spoke.
            socket.connected = true;
            let (source, dest) = unmap(source, dest);
            if socket.role == Role::Unknown {
                socket.role = match direction {
                    Direction::Received => Role::Server,
                    Direction::Sent => Role::Client,
                };
            }
            // Names run from client to server.
            let from_client = (direction == Direction::Sent) == (socket.role == Role::Client);
            let (client, server) = if from_client { (source, dest) } else { (dest, source) };
            if named && socket.source == Some(client) && socket.dest == Some(server) {
                return;
            }
            (socket.source, socket.dest) = (Some(client), Some(server));
            let l4 = socket.l4;
            info.kind = connection_kind(client, server);
            step.scratch.clear();
            write_connection(step.scratch, client, server, l4);
        }
        Tuple::Unix { source, dest, .. } => {
            (socket.source_ptr, socket.dest_ptr) = (source, dest);
            info.kind = FdKind::Unix;
            step.scratch.clear();
            write_tuple(step.scratch, &tuple);
        }
        Tuple::Other(_) => return,
    }
    set_name(step, fd);
}

/// Fds can arrive in messages (`SCM_RIGHTS`). What they are only the live system can tell.
fn receive_fds(step: &mut Step<'_>, control: usize) {
    let Some(control) = step.event.param(control).filter(|_| step.succeeded()) else { return };
    let fds: smallvec::SmallVec<[i64; 8]> = received_fds(control).collect();
    if fds.is_empty() {
        return;
    }
    let Some(pid) = step.process().map(|process| process.tid) else { return };
    step.state.counts.proc_lookups += 1;
    let known = (step.look_up)(pid);
    let (own, ts) = (step.fd, step.event.ts);
    let Some(process) = step.process() else { return };
    let mut dropped = 0;
    for fd in fds {
        match known.as_ref().and_then(|known| known.fds.get(fd)) {
            Some(info) => {
                let info = FdInfo { since: ts, ..info.clone() };
                dropped += u64::from(!process.fds.insert(fd, info));
            }
            // It is not what it was, whatever it is.
            None if Some(fd) != own => _ = process.fds.remove(fd),
            None => {}
        }
    }
    step.state.counts.fds_not_kept += dropped;
}

/// The fds in the control data of a message: `cmsghdr`s of 16 bytes with their data, aligned to 8.
fn received_fds(control: &[u8]) -> impl Iterator<Item = i64> {
    const SOL_SOCKET: u32 = 1;
    const SCM_RIGHTS: u32 = 1;
    const HEADER: usize = 16;
    let mut rest = control;
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk::<8>()?;
        let (level, after) = after.split_first_chunk::<4>()?;
        let (ty, _) = after.split_first_chunk::<4>()?;
        let len = usize::try_from(u64::from_le_bytes(*len)).ok().filter(|len| *len >= HEADER)?;
        let data = rest.get(HEADER..len.min(rest.len()))?;
        rest = rest.get(len.checked_next_multiple_of(8)?..).unwrap_or_default();
        let rights = (u32::from_le_bytes(*level), u32::from_le_bytes(*ty)) == (SOL_SOCKET, SCM_RIGHTS);
        Some(if rights { data } else { &[] })
    })
    .flat_map(|data| data.as_chunks::<4>().0)
    .map(|fd| i64::from(i32::from_le_bytes(*fd)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_data_yields_its_fds() {
        let mut control = Vec::new();
        let mut push = |ty: u32, data: &[u8]| {
            control.extend((16 + data.len() as u64).to_le_bytes());
            control.extend(1u32.to_le_bytes());
            control.extend(ty.to_le_bytes());
            control.extend(data);
            control.resize(control.len().next_multiple_of(8), 0);
        };
        push(2, &[1, 2, 3, 4]);
        push(1, &[7, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0]);
        assert_eq!(received_fds(&control).collect::<Vec<_>>(), [7, 9, 5]);
        control.truncate(control.len() - 4);
        assert_eq!(received_fds(&control).count(), 3);
        assert_eq!(received_fds(&[0xff; 40]).count(), 0);
        assert_eq!(received_fds(&[0; 40]).count(), 0);
    }

    #[test]
    fn transports() {
        assert_eq!(transport(FdKind::Ipv4, 1 | linux::SOCK_CLOEXEC, 0), L4::Tcp);
        assert_eq!(transport(FdKind::Ipv6, 2, 0), L4::Udp);
        assert_eq!(transport(FdKind::Ipv4, 2, 1), L4::Icmp);
        assert_eq!(transport(FdKind::Ipv4, 3, 1), L4::Raw);
        assert_eq!(transport(FdKind::Unix, 1, 0), L4::None);
    }
}
