//! Addresses and tuples of sockets as they are shown: with names of ports when these are wanted.

use super::names::write_port;
use super::write::{LOWER, write_hex, write_path, write_unsigned};
use crate::state::fd::{Endpoint, L4};
use crate::state::tuple::{Address, Tuple, read_address, read_tuple, unmap, write_ip};

/// Shown for an encoding that is cut short.
const INVALID: &[u8] = b"INVALID";

/// Writes an address parameter: `ip:port`, a path, or the number of another family.
pub(super) fn write_sockaddr(out: &mut Vec<u8>, bytes: &[u8], by_name: bool) {
    match read_address(bytes) {
        Some(Address::Unix(path)) => write_path(out, path),
        Some(Address::Inet(end)) => write_endpoint(out, end, L4::Tcp, by_name),
        Some(Address::Other(family)) => write_family(out, family),
        None => out.extend_from_slice(INVALID),
    }
}

/// Writes a tuple parameter: `ip:port->ip:port`, or of unix sockets `pointer->pointer path`.
pub(super) fn write_tuple(out: &mut Vec<u8>, bytes: &[u8], by_name: bool) {
    match read_tuple(bytes) {
        Some(Tuple::Unix { source, dest, path }) => {
            write_hex(out, source, LOWER);
            out.extend_from_slice(b"->");
            write_hex(out, dest, LOWER);
            // The blank is there without a path too.
            out.push(b' ');
            write_path(out, path);
        }
        Some(Tuple::Inet { source, dest }) => write_ends(out, source, dest, L4::Tcp, by_name),
        Some(Tuple::Other(family)) => write_family(out, family),
        None => out.extend_from_slice(INVALID),
    }
}

fn write_family(out: &mut Vec<u8>, family: u8) {
    out.extend_from_slice(b"family ");
    write_unsigned(out, u64::from(family));
}

/// `ip:port->ip:port`; addresses alone for protocols without ports.
pub(super) fn write_ends(out: &mut Vec<u8>, source: Endpoint, dest: Endpoint, l4: L4, by_name: bool) {
    let (source, dest) = unmap(source, dest);
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

/// The path in a unix tuple.
pub(super) fn unix_path(bytes: &[u8]) -> Option<&[u8]> {
    match read_tuple(bytes) {
        Some(Tuple::Unix { path, .. }) => Some(path),
        _ => None,
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
