//! Addresses and tuples of sockets in scap encoding (fact sheet "param_types": SOCKADDR, SOCKTUPLE).

use super::names::write_port;
use super::write::{LOWER, write_hex, write_path, write_unsigned};
use crate::state::fd::{Endpoint, L4};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Writes an address parameter: `ip:port`, a path, or the number of another family.
pub(super) fn write_sockaddr(out: &mut Vec<u8>, bytes: &[u8], by_name: bool) {
    let Some((family, rest)) = bytes.split_first() else {
        return out.extend_from_slice(b"NULL");
    };
    match *family {
        AF_UNIX => write_path(out, until_nul(rest)),
        AF_INET | AF_INET6 => match endpoint(*family, rest) {
            Some((end, _)) => write_endpoint(out, end, L4::Tcp, by_name),
            None => out.extend_from_slice(b"INVALID"),
        },
        _ => {
            out.extend_from_slice(b"family ");
            write_unsigned(out, u64::from(*family));
        }
    }
}

/// Writes a tuple parameter: `ip:port->ip:port`, or of unix sockets `pointer->pointer path`.
pub(super) fn write_tuple(out: &mut Vec<u8>, bytes: &[u8], by_name: bool) {
    let Some((family, rest)) = bytes.split_first() else {
        return out.extend_from_slice(b"NULL");
    };
    match *family {
        AF_UNIX => match (rest.first_chunk::<8>(), rest.get(8..).and_then(|r| r.first_chunk::<8>())) {
            (Some(source), Some(dest)) => {
                write_hex(out, u64::from_le_bytes(*source), LOWER);
                out.extend_from_slice(b"->");
                write_hex(out, u64::from_le_bytes(*dest), LOWER);
                out.push(b' ');
                write_path(out, until_nul(rest.get(16..).unwrap_or(b"")));
            }
            _ => out.extend_from_slice(b"INVALID"),
        },
        AF_INET | AF_INET6 => match tuple_ends(bytes) {
            Some((source, dest)) => write_ends(out, source, dest, L4::Tcp, by_name),
            None => out.extend_from_slice(b"INVALID"),
        },
        _ => {
            out.extend_from_slice(b"family ");
            write_unsigned(out, u64::from(*family));
        }
    }
}

/// `ip:port->ip:port`; addresses alone for protocols without ports.
pub(super) fn write_ends(out: &mut Vec<u8>, source: Endpoint, dest: Endpoint, l4: L4, by_name: bool) {
    let (source, dest) = as_v4(source, dest);
    write_endpoint(out, source, l4, by_name);
    out.extend_from_slice(b"->");
    write_endpoint(out, dest, l4, by_name);
}

pub(super) fn write_endpoint(out: &mut Vec<u8>, end: Endpoint, l4: L4, by_name: bool) {
    write_ip(out, end.ip);
    if !matches!(l4, L4::Icmp | L4::Raw) {
        out.push(b':');
        write_port(out, end.port, l4, by_name);
    }
}

/// Two IPv4 addresses inside IPv6 ones are shown as what they are.
fn as_v4(source: Endpoint, dest: Endpoint) -> (Endpoint, Endpoint) {
    let mapped = |end: Endpoint| match end.ip {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map(|ip| Endpoint { ip: ip.into(), ..end }),
        IpAddr::V4(_) => None,
    };
    mapped(source).zip(mapped(dest)).unwrap_or((source, dest))
}

/// Both ends of an internet tuple.
pub(super) fn tuple_ends(bytes: &[u8]) -> Option<(Endpoint, Endpoint)> {
    let (family, rest) = bytes.split_first()?;
    let (source, rest) = endpoint(*family, rest)?;
    let (dest, _) = endpoint(*family, rest)?;
    Some((source, dest))
}

fn endpoint(family: u8, bytes: &[u8]) -> Option<(Endpoint, &[u8])> {
    let (ip, rest) = match family {
        AF_INET => {
            bytes.split_first_chunk::<4>().map(|(ip, rest)| (IpAddr::from(Ipv4Addr::from(*ip)), rest))?
        }
        AF_INET6 => {
            bytes.split_first_chunk::<16>().map(|(ip, rest)| (IpAddr::from(Ipv6Addr::from(*ip)), rest))?
        }
        _ => return None,
    };
    let (port, rest) = rest.split_first_chunk::<2>()?;
    Some((Endpoint { ip, port: u16::from_le_bytes(*port) }, rest))
}

/// The path in a unix tuple.
pub(super) fn unix_path(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.split_first()? {
        (&AF_UNIX, rest) => Some(until_nul(rest.get(16..)?)),
        _ => None,
    }
}

/// An address in the usual notation.
pub(super) fn write_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            for (i, byte) in ip.octets().into_iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                write_unsigned(out, u64::from(byte));
            }
        }
        IpAddr::V6(ip) => {
            // Writing into memory cannot fail.
            let _ = write!(out, "{ip}");
        }
    }
}

/// A text up to its NUL.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tuples_are_shown_as_source_and_destination() {
        let v4 = [2, 127, 0, 0, 1, 0xb8, 0xd9, 127, 0, 0, 1, 0x90, 0x1f];
        assert_eq!(text(|out| write_tuple(out, &v4, false)), "127.0.0.1:55736->127.0.0.1:8080");
        assert_eq!(text(|out| write_tuple(out, &[], false)), "NULL");
        assert_eq!(text(|out| write_tuple(out, &v4[..5], false)), "INVALID");
        let mut unix = vec![1];
        unix.extend_from_slice(&0u64.to_le_bytes());
        unix.extend_from_slice(&0xffff_8800_3d3d_d800u64.to_le_bytes());
        unix.extend_from_slice(b"/var/run/nscd/socket\0");
        assert_eq!(text(|out| write_tuple(out, &unix, false)), "0->ffff88003d3dd800 /var/run/nscd/socket");
        assert_eq!(unix_path(&unix), Some(&b"/var/run/nscd/socket"[..]));
    }

    #[test]
    fn mapped_addresses_are_shown_as_ipv4() {
        let end = |ip: &str, port| Endpoint { ip: ip.parse().unwrap(), port };
        let shown = text(|out| {
            write_ends(out, end("::ffff:0.0.0.0", 0), end("::ffff:127.0.0.1", 43805), L4::Udp, false)
        });
        assert_eq!(shown, "0.0.0.0:0->127.0.0.1:43805");
        let shown = text(|out| write_ends(out, end("2001:db8::3", 1234), end("::1", 1), L4::Tcp, false));
        assert_eq!(shown, "2001:db8::3:1234->::1:1");
        assert_eq!(
            text(|out| write_ends(out, end("1.2.3.4", 0), end("5.6.7.8", 0), L4::Icmp, false)),
            "1.2.3.4->5.6.7.8"
        );
    }

    #[test]
    fn addresses_are_shown_by_family() {
        assert_eq!(text(|out| write_sockaddr(out, b"\x01/run/x.sock\0", false)), "/run/x.sock");
        assert_eq!(text(|out| write_sockaddr(out, &[2, 0, 0, 0, 0, 0x90, 0x1f], false)), "0.0.0.0:8080");
        assert_eq!(text(|out| write_sockaddr(out, &[16], false)), "family 16");
    }
}
