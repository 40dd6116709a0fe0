//! Socket addresses and tuples: reading their encoding and writing them as text.

use super::fd::{Endpoint, L4};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Address families of the schema (and of Linux).
pub const AF_UNIX: u8 = 1;
pub const AF_INET: u8 = 2;
pub const AF_INET6: u8 = 10;
pub const AF_NETLINK: u8 = 16;

/// A `Sockaddr` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<'a> {
    Inet(Endpoint),
    /// Path without its final NUL; of an abstract name without the first NUL.
    Unix(&'a [u8]),
    /// Of a family whose addresses are not recorded.
    Other(u8),
}

/// A `Socktuple` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tuple<'a> {
    Inet {
        source: Endpoint,
        dest: Endpoint,
    },
    Unix {
        /// Kernel addresses of both ends.
        source: u64,
        dest: u64,
        path: &'a [u8],
    },
    Other(u8),
}

/// Reads a `Sockaddr` parameter; `None` when it is cut short.
pub fn read_address(bytes: &[u8]) -> Option<Address<'_>> {
    let (&family, rest) = bytes.split_first()?;
    Some(match family {
        AF_INET => Address::Inet(read_v4(rest)?.0),
        AF_INET6 => Address::Inet(read_v6(rest)?.0),
        AF_UNIX => Address::Unix(until_nul(rest)),
        other => Address::Other(other),
    })
}

/// Reads a `Socktuple` parameter; `None` when it is cut short.
pub fn read_tuple(bytes: &[u8]) -> Option<Tuple<'_>> {
    let (&family, rest) = bytes.split_first()?;
    Some(match family {
        AF_INET => {
            let (source, rest) = read_v4(rest)?;
            Tuple::Inet { source, dest: read_v4(rest)?.0 }
        }
        AF_INET6 => {
            let (source, rest) = read_v6(rest)?;
            Tuple::Inet { source, dest: read_v6(rest)?.0 }
        }
        AF_UNIX => {
            let (source, rest) = rest.split_first_chunk::<8>()?;
            let (dest, path) = rest.split_first_chunk::<8>()?;
            Tuple::Unix {
                source: u64::from_le_bytes(*source),
                dest: u64::from_le_bytes(*dest),
                path: until_nul(path),
            }
        }
        other => Tuple::Other(other),
    })
}

fn read_v4(bytes: &[u8]) -> Option<(Endpoint, &[u8])> {
    let (ip, rest) = bytes.split_first_chunk::<4>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    Some((Endpoint { ip: IpAddr::V4(Ipv4Addr::from(*ip)), port: u16::from_le_bytes(*port) }, rest))
}

fn read_v6(bytes: &[u8]) -> Option<(Endpoint, &[u8])> {
    let (ip, rest) = bytes.split_first_chunk::<16>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    Some((Endpoint { ip: IpAddr::V6(Ipv6Addr::from(*ip)), port: u16::from_le_bytes(*port) }, rest))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or(bytes)
}

/// Both ends as IPv4 when both are IPv4 addresses mapped into IPv6, as on dual stack sockets; the
/// address of a socket that is bound to all of them goes with either.
pub fn unmap(source: Endpoint, dest: Endpoint) -> (Endpoint, Endpoint) {
    let any = |end: Endpoint| (end.ip == Ipv6Addr::UNSPECIFIED).then_some(Ipv4Addr::UNSPECIFIED.into());
    let (a, b) = match (v4_of(source.ip), v4_of(dest.ip)) {
        (Some(a), b) => (Some(a), b.or(any(dest))),
        (None, b) => (any(source), b),
    };
    match (a, b) {
        (Some(a), Some(b)) => (Endpoint { ip: a, ..source }, Endpoint { ip: b, ..dest }),
        _ => (source, dest),
    }
}

fn v4_of(ip: IpAddr) -> Option<IpAddr> {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map(IpAddr::V4),
        IpAddr::V4(_) => None,
    }
}

/// Appends `a.b.c.d:port` or `v6:port` (no brackets).
pub fn write_endpoint(out: &mut Vec<u8>, end: Endpoint) {
    write_ip(out, end.ip);
    out.push(b':');
    out.extend_from_slice(itoa::Buffer::new().format(end.port).as_bytes());
}

/// Appends an IP address as text.
pub fn write_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            for (i, octet) in v4.octets().into_iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
        }
        // Writing to memory cannot fail.
        IpAddr::V6(v6) => _ = write!(out, "{v6}"),
    }
}

/// Appends `source->dest`; ICMP and raw sockets have no ports.
pub fn write_connection(out: &mut Vec<u8>, source: Endpoint, dest: Endpoint, l4: L4) {
    let (source, dest) = unmap(source, dest);
    if matches!(l4, L4::Icmp | L4::Raw) {
        write_ip(out, source.ip);
        out.extend_from_slice(b"->");
        write_ip(out, dest.ip);
    } else {
        write_endpoint(out, source);
        out.extend_from_slice(b"->");
        write_endpoint(out, dest);
    }
}

/// Appends the text of a `Sockaddr`.
pub fn write_address(out: &mut Vec<u8>, address: &Address<'_>) {
    match address {
        Address::Inet(end) => write_endpoint(out, *end),
        Address::Unix(path) => out.extend_from_slice(path),
        Address::Other(family) => _ = write!(out, "family {family}"),
    }
}

/// Appends the text of a `Socktuple`.
pub fn write_tuple(out: &mut Vec<u8>, tuple: &Tuple<'_>) {
    match tuple {
        Tuple::Inet { source, dest } => write_connection(out, *source, *dest, L4::Unknown),
        Tuple::Unix { source, dest, path } => {
            // The blank is there without a path too.
            _ = write!(out, "{source:x}->{dest:x} ");
            out.extend_from_slice(path);
        }
        Tuple::Other(family) => _ = write!(out, "family {family}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_tuple(&mut out, &read_tuple(bytes).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ipv4_tuples() {
        assert_eq!(text(&[2, 127, 0, 0, 1, 0x39, 0x30, 10, 0, 0, 2, 80, 0]), "127.0.0.1:12345->10.0.0.2:80");
        assert_eq!(read_tuple(&[2, 127, 0, 0, 1, 0x39]), None);
        assert_eq!(read_tuple(&[]), None);
    }

    #[test]
    fn ipv6_tuples_and_mapped_ones() {
        let mut bytes = vec![10];
        bytes.extend(Ipv6Addr::LOCALHOST.octets());
        bytes.extend([1, 0]);
        bytes.extend("fe80::1".parse::<Ipv6Addr>().unwrap().octets());
        bytes.extend([2, 0]);
        assert_eq!(text(&bytes), "::1:1->fe80::1:2");
        bytes.truncate(1);
        for last in [1, 2] {
            bytes.extend(Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped().octets());
            bytes.extend([last, 0]);
        }
        assert_eq!(text(&bytes), "10.0.0.1:1->10.0.0.2:2");
        bytes[1..17].fill(0);
        assert_eq!(text(&bytes), "0.0.0.0:1->10.0.0.2:2");
        bytes[19..35].fill(0);
        assert_eq!(text(&bytes), ":::1->:::2");
    }

    #[test]
    fn unix_tuples() {
        let mut bytes = vec![1];
        bytes.extend(0xffff_8880u64.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        assert_eq!(text(&bytes), "ffff8880->0 ");
        bytes.extend(b"/run/x\0junk");
        assert_eq!(text(&bytes), "ffff8880->0 /run/x");
    }

    #[test]
    fn addresses() {
        let of = |bytes: &[u8]| {
            let mut out = Vec::new();
            write_address(&mut out, &read_address(bytes).unwrap());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(of(&[2, 8, 8, 8, 8, 53, 0]), "8.8.8.8:53");
        assert_eq!(of(b"\x01/run/x\0"), "/run/x");
        assert_eq!(of(&[16, 1, 2]), "family 16");
        assert_eq!(read_address(&[2, 8]), None);
    }

    #[test]
    fn no_ports_without_a_transport() {
        let end = |last| Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port: 7 };
        let mut out = Vec::new();
        write_connection(&mut out, end(1), end(2), L4::Icmp);
        assert_eq!(out, b"10.0.0.1->10.0.0.2");
    }
}
