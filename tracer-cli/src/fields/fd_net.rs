//! `fd.*` about connections: addresses, ports, their names, networks.
//!
//! A connection has a client and a server end, known once its role is. Which end is the local one
//! is told by the addresses of the machine.

use super::names::{host, write_port};
use super::table::{Class, Extract, Extraction, Field, FieldFlags};
use super::value::Value;
use crate::schema::{ParamFormat as F, ParamType as T};
use crate::state::containers::Lookup;
use crate::state::fd::{Endpoint, FdInfo, FdKind, L4, Role};
use bstr::{BString, ByteSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn field(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Fd, name, ty, format, doc, extract)
}

/// Only for filters: a check of either end, or of a network.
const FILTER: FieldFlags =
    FieldFlags::FILTER_ONLY.union(FieldFlags::NO_RHS).union(FieldFlags::NO_TRANSFORMER);
const EITHER: FieldFlags = FILTER.union(FieldFlags::ANY);
const NAME: FieldFlags = FieldFlags::NO_RHS.union(FieldFlags::NO_TRANSFORMER);

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    field("fd.ip", T::Ipaddr, F::Na, "Address of either end.", |x, _, emit| either(x, emit, ip)).flag(EITHER),
    field("fd.cip", T::Ipaddr, F::Na, "Address of the client.", |x, _, emit| one(x, End::Client, emit, ip)),
    field("fd.sip", T::Ipaddr, F::Na, "Address of the server.", |x, _, emit| one(x, End::Server, emit, ip)),
    field("fd.lip", T::Ipaddr, F::Na, "Address of the local end.", |x, _, emit| one(x, End::Local, emit, ip)),
    field("fd.rip", T::Ipaddr, F::Na, "Address of the remote end.", |x, _, emit| {
        one(x, End::Remote, emit, ip)
    }),
    field("fd.port", T::Port, F::Dec, "Port of either end.", |x, _, emit| either(x, emit, port)).flag(EITHER),
    field("fd.cport", T::Port, F::Dec, "Port of the client.", |x, _, emit| one(x, End::Client, emit, port)),
    field("fd.sport", T::Port, F::Dec, "Port of the server.", |x, _, emit| one(x, End::Server, emit, port)),
    field("fd.lport", T::Port, F::Dec, "Port of the local end.", |x, _, emit| one(x, End::Local, emit, port)),
    field("fd.rport", T::Port, F::Dec, "Port of the remote end.", |x, _, emit| {
        one(x, End::Remote, emit, port)
    }),
    field(
        "fd.proto",
        T::Port,
        F::Na,
        "Service of either end, by number or by name: `fd.proto=http`.",
        |x, _, emit| {
            either(x, emit, port);
        },
    )
    .flag(EITHER),
    field(
        "fd.cproto",
        T::Charbuf,
        F::Na,
        "Port of the client, as the name of its service with -R.",
        |x, _, emit| {
            service(x, End::Client, emit);
        },
    ),
    field(
        "fd.sproto",
        T::Charbuf,
        F::Na,
        "Port of the server, as the name of its service with -R.",
        |x, _, emit| {
            service(x, End::Server, emit);
        },
    ),
    field(
        "fd.lproto",
        T::Charbuf,
        F::Na,
        "Port of the local end, as the name of its service with -R.",
        |x, _, emit| {
            service(x, End::Local, emit);
        },
    ),
    field(
        "fd.rproto",
        T::Charbuf,
        F::Na,
        "Port of the remote end, as the name of its service with -R.",
        |x, _, emit| {
            service(x, End::Remote, emit);
        },
    ),
    field(
        "fd.net",
        T::Ipnet,
        F::Na,
        "Whether the network holds either end: `fd.net=10.0.0.0/8`.",
        |x, _, emit| {
            either(x, emit, ip);
        },
    )
    .flag(EITHER),
    field("fd.cnet", T::Ipnet, F::Na, "Whether the network holds the client.", |x, _, emit| {
        one(x, End::Client, emit, ip);
    })
    .flag(FILTER),
    field("fd.snet", T::Ipnet, F::Na, "Whether the network holds the server.", |x, _, emit| {
        one(x, End::Server, emit, ip);
    })
    .flag(FILTER),
    field("fd.lnet", T::Ipnet, F::Na, "Whether the network holds the local end.", |x, _, emit| {
        one(x, End::Local, emit, ip);
    })
    .flag(FILTER),
    field("fd.rnet", T::Ipnet, F::Na, "Whether the network holds the remote end.", |x, _, emit| {
        one(x, End::Remote, emit, ip);
    })
    .flag(FILTER),
    field(
        "fd.cip.name",
        T::Charbuf,
        F::Na,
        "Host name of the client, when the hosts file has one.",
        |x, _, emit| {
            host_name(x, End::Client, emit);
        },
    )
    .flag(NAME),
    field(
        "fd.sip.name",
        T::Charbuf,
        F::Na,
        "Host name of the server, when the hosts file has one.",
        |x, _, emit| {
            host_name(x, End::Server, emit);
        },
    )
    .flag(NAME),
    field(
        "fd.lip.name",
        T::Charbuf,
        F::Na,
        "Host name of the local end, when the hosts file has one.",
        |x, _, emit| {
            host_name(x, End::Local, emit);
        },
    )
    .flag(NAME),
    field(
        "fd.rip.name",
        T::Charbuf,
        F::Na,
        "Host name of the remote end, when the hosts file has one.",
        |x, _, emit| {
            host_name(x, End::Remote, emit);
        },
    )
    .flag(NAME),
];

type Emit<'e> = &'e mut dyn FnMut(Value<'_>);

/// An end of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Server,
    Local,
    Remote,
}

/// Both ends of an internet socket. A listening socket has only its own end; a connection has
/// none before its role is known.
pub(super) fn ends(fd: &FdInfo) -> (Option<Endpoint>, Option<Endpoint>) {
    let Some(socket) = fd.socket.as_deref() else { return (None, None) };
    match fd.kind {
        FdKind::Ipv4Server | FdKind::Ipv6Server => (None, socket.dest),
        FdKind::Ipv4 | FdKind::Ipv6 if socket.role != Role::Unknown => (socket.source, socket.dest),
        _ => (None, None),
    }
}

fn find(x: &Extraction<'_>, end: End) -> Option<(Endpoint, L4)> {
    let fd = x.fd()?;
    let (client, server) = ends(fd);
    let l4 = fd.socket.as_deref().map_or(L4::Unknown, |s| s.l4);
    let wanted = match end {
        End::Client => client,
        End::Server => server,
        // Local and remote are told apart on connections only.
        End::Local | End::Remote if matches!(fd.kind, FdKind::Ipv4Server | FdKind::Ipv6Server) => None,
        End::Local | End::Remote => {
            // Where both ends are local the client counts as the local one.
            let client_is_local = client.is_some_and(|c| is_local(x, c.ip));
            if client_is_local == (end == End::Local) { client } else { server }
        }
    };
    wanted.map(|wanted| (wanted, l4))
}

fn is_local(x: &Extraction<'_>, ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || x.context.state.is_local(ip)
}

/// Whether the server end of a connection is an address of this machine, or of the container that the
/// thread is in. A socket that is not connected yet counts as connected to address 0.
pub(super) fn serves_here(x: &Extraction<'_>, fd: &FdInfo) -> bool {
    let dest = fd.socket.as_deref().and_then(|socket| socket.dest).map(|end| end.ip.to_canonical());
    let is_unset = dest.is_none_or(|ip| ip.is_unspecified());
    if let Some(ip) = dest.filter(IpAddr::is_loopback) {
        return fd.kind == FdKind::Ipv4 || ip.is_ipv6();
    }
    // Of a container that nobody told about the addresses are not known.
    let of_container = x.context.container().filter(|container| container.lookup != Lookup::Pending);
    let address = |ip: &BString| ip.to_str().ok().and_then(|ip| ip.parse::<Ipv4Addr>().ok());
    let own = of_container.and_then(|container| address(&container.ip)).filter(|ip| !ip.is_unspecified());
    match own {
        Some(own) => fd.kind == FdKind::Ipv4 && dest == Some(own.into()),
        None if is_unset => fd.kind == if of_container.is_some() { FdKind::Ipv4 } else { FdKind::Ipv6 },
        // A container without an address is in the network of the host.
        None => dest.is_some_and(|ip| x.context.state.is_local(ip)),
    }
}

fn ip(end: Endpoint) -> Value<'static> {
    Value::Ip(end.ip.to_canonical())
}

fn port(end: Endpoint) -> Value<'static> {
    Value::Port(end.port)
}

fn one(x: &Extraction<'_>, end: End, emit: Emit<'_>, part: fn(Endpoint) -> Value<'static>) {
    if let Some((end, _)) = find(x, end) {
        emit(part(end));
    }
}

/// Both ends; those of a socket that is not connected are address 0 and port 0.
fn either(x: &Extraction<'_>, emit: Emit<'_>, part: fn(Endpoint) -> Value<'static>) {
    let Some(fd) = x.fd() else { return };
    let unset = match fd.kind {
        FdKind::Ipv4 => Some(Endpoint { ip: Ipv4Addr::UNSPECIFIED.into(), port: 0 }),
        FdKind::Ipv6 => Some(Endpoint { ip: Ipv6Addr::UNSPECIFIED.into(), port: 0 }),
        _ => None,
    };
    let (client, server) = ends(fd);
    for end in [client.or(unset), server.or(unset)].into_iter().flatten() {
        emit(part(end));
    }
}

fn service(x: &Extraction<'_>, end: End, emit: Emit<'_>) {
    if let Some((end, l4)) = find(x, end) {
        x.text(|out| write_port(out, end.port, l4, x.options.resolve_names), |text| emit(Value::Text(text)));
    }
}

fn host_name(x: &Extraction<'_>, end: End, emit: Emit<'_>) {
    // Names that this machine gives to addresses say nothing about a recording.
    if !x.context.state.machine.is_this {
        return;
    }
    if let Some(name) = find(x, end).and_then(|(end, _)| host(end.ip.to_canonical())) {
        emit(Value::Text(name.as_bytes()));
    }
}
