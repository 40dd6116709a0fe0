//! The sockets of a network namespace, from `/proc/<pid>/net/*`.
//!
//! A link in `/proc/<pid>/fd` says only `socket:[inode]`; these tables say what that inode is.

use crate::state::fd::{Endpoint, FdInfo, FdKind, L4, Role, Socket};
use crate::state::tuple;
use bstr::{BString, ByteSlice};
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// State of a listening TCP socket in `/proc/net/tcp`.
const LISTEN: u64 = 10;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Inet { l4: L4, local: Endpoint, remote: Endpoint },
    Unix { address: u64, path: BString },
    Netlink,
}

/// Sockets by inode.
#[derive(Debug, Default)]
pub(super) struct SocketTable {
    entries: FxHashMap<u64, Entry>,
    /// Ports that TCP sockets listen on.
    listening: FxHashSet<u16>,
}

impl SocketTable {
    /// Reads the tables through `read`, which yields the file `net/<name>` of some process of the
    /// namespace, or nothing.
    pub fn read(mut read: impl FnMut(&str) -> Vec<u8>) -> Self {
        let mut table = Self::default();
        for (name, l4) in [
            ("tcp", L4::Tcp),
            ("tcp6", L4::Tcp),
            ("udp", L4::Udp),
            ("udp6", L4::Udp),
            ("udplite", L4::Udp),
            ("icmp", L4::Icmp),
            ("icmp6", L4::Icmp),
            ("raw", L4::Raw),
            ("raw6", L4::Raw),
        ] {
            table.add_inet(&read(name), l4);
        }
        table.add_unix(&read("unix"));
        table.add_netlink(&read("netlink"));
        table
    }

    /// `sl local remote st queues timer retransmits uid timeout inode …`, after a line of titles.
    fn add_inet(&mut self, text: &[u8], l4: L4) {
        for line in text.lines().skip(1) {
            let mut fields = line.fields();
            let (Some(local), Some(remote), Some(state), Some(inode)) = (
                fields.nth(1).and_then(parse_endpoint),
                fields.next().and_then(parse_endpoint),
                fields.next().and_then(parse_hex),
                fields.nth(5).and_then(parse_decimal),
            ) else {
                continue;
            };
            if l4 == L4::Tcp && state == LISTEN {
                self.listening.insert(local.port);
            }
            // Connections that are being closed belong to no fd and have no inode.
            if inode != 0 {
                self.entries.insert(inode, Entry::Inet { l4, local, remote });
            }
        }
    }

    /// `address: references protocol flags type state inode path`.
    fn add_unix(&mut self, text: &[u8]) {
        for line in text.lines().skip(1) {
            let mut fields = line.fields();
            let (Some(address), Some(inode)) = (
                fields.next().and_then(|f| parse_hex(f.strip_suffix(b":").unwrap_or(f))),
                fields.nth(5).and_then(parse_decimal),
            ) else {
                continue;
            };
            // A path may hold blanks; it is the rest of the line.
            let path = fields.next().map_or(&b""[..], |first| {
                let at = first.as_ptr() as usize - line.as_ptr() as usize;
                line.get(at..).unwrap_or(first)
            });
            self.entries.insert(inode, Entry::Unix { address, path: path.into() });
        }
    }

    fn add_netlink(&mut self, text: &[u8]) {
        for line in text.lines().skip(1) {
            if let Some(inode) = line.fields().nth(9).and_then(parse_decimal) {
                self.entries.insert(inode, Entry::Netlink);
            }
        }
    }

    /// What an fd of the socket with this inode is; of sockets in no table only that it is one.
    pub fn describe(&self, inode: u64) -> FdInfo {
        let mut socket = Socket { l4: L4::None, ..Socket::default() };
        let mut name = Vec::new();
        let kind = match self.entries.get(&inode) {
            Some(Entry::Inet { l4, local, remote }) => {
                socket.l4 = *l4;
                self.describe_inet(&mut socket, &mut name, *local, *remote)
            }
            Some(Entry::Unix { address, path }) => {
                socket.source_ptr = *address;
                name.extend_from_slice(path);
                FdKind::Unix
            }
            Some(Entry::Netlink) => FdKind::Netlink,
            None => FdKind::Unknown,
        };
        let mut info = FdInfo::new(kind);
        info.ino = inode;
        info.name = name.into();
        info.socket = Some(Box::new(socket));
        info
    }

    fn describe_inet(
        &self,
        socket: &mut Socket,
        name: &mut Vec<u8>,
        local: Endpoint,
        remote: Endpoint,
    ) -> FdKind {
        if remote.ip.is_unspecified() && remote.port == 0 {
            socket.dest = Some(local);
            // A datagram socket with a port may be a client as well: its first message will tell.
            if socket.l4 == L4::Tcp && local.port != 0 {
                socket.role = Role::Server;
            }
            tuple::write_endpoint(name, local);
            return if local.ip.is_ipv4() { FdKind::Ipv4Server } else { FdKind::Ipv6Server };
        }
        let serves = socket.l4 == L4::Tcp && self.listening.contains(&local.port);
        let (client, server) = if serves { (remote, local) } else { (local, remote) };
        let (client, server) = tuple::unmap(client, server);
        socket.role = if serves { Role::Server } else { Role::Client };
        socket.connected = true;
        (socket.source, socket.dest) = (Some(client), Some(server));
        tuple::write_connection(name, client, server, socket.l4);
        if client.ip.is_ipv4() { FdKind::Ipv4 } else { FdKind::Ipv6 }
    }
}

/// `0100007F:0016`: the words of the address as the machine's integers, the port as a number.
fn parse_endpoint(text: &[u8]) -> Option<Endpoint> {
    let (ip, port) = text.split_once_str(b":")?;
    let word = |text: &[u8]| Some((parse_hex(text)? as u32).to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(ip)?)),
        32 => {
            let mut bytes = [0; 16];
            for (to, from) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(ip.chunks(8)) {
                *to = word(from)?;
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(Endpoint { ip, port: u16::try_from(parse_hex(port)?).ok()? })
}

fn parse_hex(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(text.to_str().ok()?, 16).ok()
}

fn parse_decimal(text: &[u8]) -> Option<u64> {
    text.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 118 1 0 100
   1: 0100007F:07E8 0200000A:9C40 01 00000000:00000000 00:00000000 00000000     0        0 119 1 0 100
   2: 0100007F:9C41 08080808:0035 01 00000000:00000000 00:00000000 00000000     0        0 120 1 0 100
   3: 0100007F:9C42 08080808:0035 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 100
 torn li";
    const TCP6: &str = "titles
   0: 00000000000000000000000001000000:0016 00000000000000000000000001000000:B000 01 0:0 0:0 0 0 0 130";
    const UNIX: &str = "\
Num       RefCount Protocol Flags    Type St Inode Path
00000000721dcad2: 00000003 00000000 00000000 0001 03  1577
00000000c0cdfa9f: 00000002 00000000 00010000 0001 01  1576 /run/with blank
";
    const NETLINK: &str = "\
sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
0000000022b26d4a 0   0          00000000 0        0        0     2        0        4
";

    fn table() -> SocketTable {
        SocketTable::read(|name| {
            match name {
                "tcp" => TCP,
                "tcp6" => TCP6,
                "unix" => UNIX,
                "netlink" => NETLINK,
                _ => "",
            }
            .into()
        })
    }

    #[test]
    fn inet_sockets_run_from_client_to_server() {
        let table = table();
        let listener = table.describe(118);
        assert_eq!((listener.kind, listener.name.as_slice()), (FdKind::Ipv4Server, &b"0.0.0.0:2024"[..]));
        let accepted = table.describe(119);
        assert_eq!(accepted.kind, FdKind::Ipv4);
        assert_eq!(accepted.name, "10.0.0.2:40000->127.0.0.1:2024");
        assert_eq!(accepted.socket.unwrap().role, Role::Server);
        let outgoing = table.describe(120);
        assert_eq!(outgoing.name, "127.0.0.1:40001->8.8.8.8:53");
        assert_eq!(outgoing.socket.unwrap().role, Role::Client);
        let v6 = table.describe(130);
        assert_eq!((v6.kind, v6.name.as_slice()), (FdKind::Ipv6, &b"::1:22->::1:45056"[..]));
    }

    #[test]
    fn other_sockets() {
        let table = table();
        assert_eq!(table.describe(1576).name, "/run/with blank");
        assert_eq!(table.describe(1577).kind, FdKind::Unix);
        assert_eq!(table.describe(1577).socket.unwrap().source_ptr, 0x721d_cad2);
        assert_eq!(table.describe(4).kind, FdKind::Netlink);
        assert_eq!(table.describe(5).kind, FdKind::Unknown);
    }
}
