use super::super::fd::{FdKind, L4, Role, Socket};
use super::*;
use EventType as E;

/// An IPv4 tuple `1.1.1.<a>:<port>` → `1.1.1.<b>:<port>`.
fn tuple(a: (u8, u16), b: (u8, u16)) -> Vec<u8> {
    let mut bytes = vec![2];
    for (host, port) in [a, b] {
        bytes.extend([1, 1, 1, host]);
        bytes.extend(port.to_le_bytes());
    }
    bytes
}

fn address(a: (u8, u16)) -> Vec<u8> {
    tuple(a, a)[..7].to_vec()
}

fn unix(path: &str) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend(0xabcd_u64.to_le_bytes());
    bytes.extend(0x1234_u64.to_le_bytes());
    bytes.extend(path.bytes());
    bytes.push(0);
    bytes
}

impl World {
    /// Thread 100 makes a socket: family, type.
    fn socket(&mut self, fd: i64, family: i64, ty: i64) {
        self.apply(
            made(E::SOCKET_SOCKET_X).int("fd", fd).int("domain", family).int("type", ty).int("proto", 0),
        );
    }

    fn socket_of(&self, fd: i64) -> &Socket {
        self.fd_of(100, fd).unwrap().socket.as_deref().unwrap()
    }
}

#[test]
fn a_client() {
    let mut world = World::new();
    world.socket(3, 2, 1 | 0o2_000_000);
    let info = world.fd_of(100, 3).unwrap();
    assert_eq!((info.kind, info.open_flags, world.socket_of(3).l4), (FdKind::Ipv4, 4096, L4::Tcp));
    let binding = world.apply(
        made(E::SOCKET_CONNECT_X)
            .int("res", -i64::from(libc::EINPROGRESS))
            .bytes("tuple", &tuple((1, 4000), (2, 80)))
            .int("fd", 3),
    );
    assert_eq!(binding.fd, Some(3));
    let info = world.fd_of(100, 3).unwrap();
    assert!(info.name_changed);
    assert_eq!(info.name, "1.1.1.1:4000->1.1.1.2:80");
    assert_eq!((world.socket_of(3).role, world.socket_of(3).connected), (Role::Client, true));
    world.settle();
    assert!(!world.fd_of(100, 3).unwrap().name_changed);
}

#[test]
fn a_connection_that_fails_has_no_name() {
    let mut world = World::new();
    world.socket(3, 2, 1);
    world.apply(made(E::SOCKET_CONNECT_E).int("fd", 3).bytes("addr", &address((2, 80))));
    assert_eq!(world.socket_of(3).dest.map(|d| d.port), Some(80));
    world.apply(made(E::SOCKET_CONNECT_X).int("res", -111).int("fd", 3).bytes("addr", &address((2, 80))));
    assert_eq!(world.name(3).as_deref(), Some(""));
    assert!(!world.socket_of(3).connected);
}

#[test]
fn a_server() {
    let mut world = World::new();
    world.socket(3, 2, 1);
    world.apply(made(E::SOCKET_BIND_X).int("res", 0).int("fd", 3).bytes("addr", &address((1, 80))));
    let info = world.fd_of(100, 3).unwrap();
    assert_eq!((info.kind, info.name.as_slice()), (FdKind::Ipv4Server, &b"1.1.1.1:80"[..]));
    assert_eq!(world.socket_of(3).role, Role::Server);
    let accepted = made(E::SOCKET_ACCEPT4_6_X)
        .int("fd", 4)
        .bytes("tuple", &tuple((2, 4000), (1, 80)))
        .int("flags", 4096);
    assert_eq!(world.apply(accepted).fd, Some(4));
    let info = world.fd_of(100, 4).unwrap();
    assert_eq!((info.name.as_slice(), info.open_flags), (&b"1.1.1.2:4000->1.1.1.1:80"[..], 4096));
    assert_eq!((world.socket_of(4).role, world.socket_of(4).l4), (Role::Server, L4::Tcp));
    world.socket(5, 2, 2);
    world.apply(made(E::SOCKET_BIND_X).int("res", 0).int("fd", 5).bytes("addr", &address((1, 0))));
    let info = world.fd_of(100, 5).unwrap();
    assert_eq!((info.kind, info.name.as_slice()), (FdKind::Ipv4, &b"1.1.1.1:0"[..]));
    assert_eq!(world.socket_of(5).role, Role::Unknown, "port 0 is any port");
}

#[test]
fn datagrams_name_their_socket_from_client_to_server() {
    let mut world = World::new();
    world.socket(3, 2, 2);
    let sent = |to| made(E::SOCKET_SENDTO_X).int("res", 1).int("fd", 3).bytes("tuple", &tuple((1, 4000), to));
    let got =
        |from| made(E::SOCKET_RECVFROM_X).int("res", 1).int("fd", 3).bytes("tuple", &tuple(from, (1, 4000)));
    world.apply(sent((8, 53)));
    assert_eq!(world.name(3).as_deref(), Some("1.1.1.1:4000->1.1.1.8:53"));
    world.apply(got((8, 53)));
    let info = world.fd_of(100, 3).unwrap();
    assert_eq!((info.name.as_slice(), info.name_changed), (&b"1.1.1.1:4000->1.1.1.8:53"[..], false));
    world.apply(sent((9, 53)));
    assert_eq!(world.name(3).as_deref(), Some("1.1.1.1:4000->1.1.1.9:53"));
    assert_eq!(world.socket_of(3).role, Role::Client);

    world.socket(5, 2, 2);
    world.apply(made(E::SOCKET_BIND_X).int("res", 0).int("fd", 5).bytes("addr", &address((1, 53))));
    let (us, them) = ((1, 53), (7, 4000));
    world.apply(made(E::SOCKET_RECVMSG_X).int("res", 1).int("fd", 5).bytes("tuple", &tuple(them, us)));
    assert_eq!(world.name(5).as_deref(), Some("1.1.1.7:4000->1.1.1.1:53"));
    world.apply(made(E::SOCKET_SENDMSG_X).int("res", 1).int("fd", 5).bytes("tuple", &tuple(us, them)));
    assert_eq!(world.name(5).as_deref(), Some("1.1.1.7:4000->1.1.1.1:53"));
    assert_eq!(world.socket_of(5).role, Role::Server);
}

#[test]
fn messages_do_not_rename_connections() {
    let mut world = World::new();
    world.socket(3, 2, 1);
    world.apply(
        made(E::SOCKET_CONNECT_X).int("res", 0).int("fd", 3).bytes("tuple", &tuple((1, 4000), (2, 80))),
    );
    world.apply(made(E::SOCKET_RECVFROM_X).int("res", 1).int("fd", 3).bytes("tuple", &tuple((9, 9), (9, 9))));
    assert_eq!(world.name(3).as_deref(), Some("1.1.1.1:4000->1.1.1.2:80"));
}

#[test]
fn a_message_through_a_socket_that_was_said_to_listen_is_a_datagram() {
    let mut world = World::new();
    world.socket(3, 2, 1);
    world.apply(made(E::SOCKET_BIND_X).int("res", 0).int("fd", 3).bytes("addr", &address((1, 53))));
    world
        .inspector
        .state
        .thread_mut(world.state().find(100).unwrap())
        .unwrap()
        .fds
        .get_mut(3)
        .unwrap()
        .kind = FdKind::Ipv4Server;
    let (us, them) = ((1, 53), (7, 4000));
    world.apply(made(E::SOCKET_RECVMSG_X).int("res", 1).int("fd", 3).bytes("tuple", &tuple(them, us)));
    assert_eq!(world.name(3).as_deref(), Some("1.1.1.7:4000->1.1.1.1:53"));
    assert_eq!(world.socket_of(3).l4, L4::Udp);
}

#[test]
fn a_datagram_makes_an_unknown_socket_known() {
    let mut world = World::new();
    world.apply(made(E::SOCKET_SENDTO_E).int("fd", 6).bytes("tuple", &tuple((1, 4000), (8, 53))));
    assert_eq!(world.socket_of(6).l4, L4::Udp);
    world.apply(made(E::SOCKET_SENDTO_X).int("res", 9).cut(2));
    assert_eq!(world.name(6).as_deref(), Some("1.1.1.1:4000->1.1.1.8:53"));
}

#[test]
fn unix_sockets() {
    let mut world = World::new();
    world.socket(3, 1, 1);
    assert_eq!(world.fd_of(100, 3).unwrap().kind, FdKind::Unix);
    world.apply(made(E::SOCKET_CONNECT_E).int("fd", 3).bytes("addr", b"\x01/run/s\0"));
    assert_eq!(world.name(3).as_deref(), Some("/run/s"));
    world.apply(made(E::SOCKET_CONNECT_X).int("res", 0).int("fd", 3).bytes("tuple", &unix("/run/s")));
    assert_eq!(world.name(3).as_deref(), Some("abcd->1234 /run/s"));
    assert_eq!(world.socket_of(3).source_ptr, 0xabcd);
    world.apply(
        made(E::SOCKET_SOCKETPAIR_X)
            .int("res", 0)
            .int("fd1", 4)
            .int("fd2", 5)
            .int("source", 1)
            .int("peer", 2),
    );
    assert_eq!((world.socket_of(4).source_ptr, world.socket_of(5).source_ptr), (1, 2));
    world.apply(made(E::SOCKET_ACCEPT_5_X).int("fd", 6).bytes("tuple", &unix("")));
    assert_eq!((world.fd_of(100, 6).unwrap().kind, world.socket_of(6).l4), (FdKind::Unix, L4::None));
}

#[test]
fn datagrams_make_no_socket_of_another_kind() {
    let mut world = World::new();
    let bytes = tuple((1, 0), (2, 0));
    world.apply(made(E::SOCKET_SENDMSG_X).int("res", 1).int("fd", 6).bytes("tuple", &bytes));
    assert!(world.fd_of(100, 6).is_none(), "it may be a raw socket");
}

#[test]
fn other_families() {
    let mut world = World::new();
    world.socket(3, 16, 3);
    world.socket(4, 17, 3);
    assert_eq!(world.fd_of(100, 3).unwrap().kind, FdKind::Netlink);
    assert_eq!(world.fd_of(100, 4).unwrap().kind, FdKind::Unknown);
    world.apply(made(E::SOCKET_BIND_X).int("res", 0).int("fd", 3).bytes("addr", &[16]));
    assert_eq!(world.name(3).as_deref(), Some(""));
}

#[test]
fn fds_that_arrive_in_messages_are_looked_up() {
    let mut world = World::new();
    world.open(7, "/stale");
    world.open(8, "/stale too");
    let mut known = Thread::new(100, 100);
    let mut info = FdInfo::new(FdKind::File);
    info.name = "/received".into();
    known.fds.insert(7, info);
    world.known.push(known);
    let mut control = Vec::new();
    control.extend(24u64.to_le_bytes());
    control.extend([1, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0]);
    world.apply(made(E::SOCKET_RECVMSG_X).int("res", 1).int("fd", 3).bytes("msgcontrol", &control));
    assert_eq!(world.name(7).as_deref(), Some("/received"));
    assert_eq!(world.name(8), None);
}

#[test]
fn old_captures_have_the_kind_in_the_enter_event() {
    let mut world = World::new();
    world.apply(made(E::SOCKET_SOCKET_E).int("domain", 10).int("type", 2).int("proto", 17));
    world.apply(made(E::SOCKET_SOCKET_X).int("fd", 3).cut(1));
    assert_eq!((world.fd_of(100, 3).unwrap().kind, world.socket_of(3).l4), (FdKind::Ipv6, L4::Udp));
    world.apply(made(E::SOCKET_BIND_E).int("fd", 3));
    let binding = world.apply(made(E::SOCKET_BIND_X).int("res", 0).bytes("addr", &address((1, 53))).cut(2));
    assert_eq!(binding.fd, Some(3));
    assert_eq!(world.name(3).as_deref(), Some("1.1.1.1:53"));
}
