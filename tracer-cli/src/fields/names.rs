//! Names of ports and addresses, read once from the system's own files: nothing here waits for a
//! name server.

use super::write::write_unsigned;
use crate::state::fd::L4;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::sync::OnceLock;

/// Names by number; true stands for TCP.
type Services = FxHashMap<(u16, bool), Box<str>>;

/// Writes a port, by its service name when one is known and wanted.
pub(super) fn write_port(out: &mut Vec<u8>, port: u16, l4: L4, by_name: bool) {
    match by_name.then(|| service(port, l4)).flatten() {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => write_unsigned(out, u64::from(port)),
    }
}

fn service(port: u16, l4: L4) -> Option<&'static str> {
    static SERVICES: OnceLock<Services> = OnceLock::new();
    let services = SERVICES.get_or_init(|| {
        let mut services = Services::default();
        parse_services(&std::fs::read("/etc/services").unwrap_or_default(), &mut services);
        services
    });
    services.get(&(port, l4 != L4::Udp)).map(|name| &**name)
}

fn parse_services(file: &[u8], services: &mut Services) {
    for mut words in lines(file) {
        let Some((name, number)) = words.next().zip(words.next()) else { continue };
        let Some((port, protocol)) = number.split_once('/') else { continue };
        if let (Ok(port), "tcp" | "udp") = (port.parse(), protocol) {
            services.entry((port, protocol == "tcp")).or_insert_with(|| name.into());
        }
    }
}

/// The name of an address, when the hosts file has one.
pub(super) fn host(ip: IpAddr) -> Option<&'static str> {
    static HOSTS: OnceLock<FxHashMap<IpAddr, Box<str>>> = OnceLock::new();
    let hosts = HOSTS.get_or_init(|| {
        let file = std::fs::read("/etc/hosts").unwrap_or_default();
        let mut hosts = FxHashMap::default();
        for mut words in lines(&file) {
            if let Some((Ok(ip), name)) = words.next().map(str::parse).zip(words.next()) {
                hosts.entry(ip).or_insert_with(|| name.into());
            }
        }
        hosts
    });
    hosts.get(&ip).map(|name| &**name)
}

/// The words of each line up to a comment.
fn lines(file: &[u8]) -> impl Iterator<Item = std::str::SplitAsciiWhitespace<'_>> {
    file.split(|b| *b == b'\n').map(|line| {
        let text = line.split(|b| *b == b'#').next().unwrap_or(line);
        std::str::from_utf8(text).unwrap_or("").split_ascii_whitespace()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_read_by_protocol() {
        let mut services = Services::default();
        parse_services(b"# comment\nhttp\t80/tcp\twww # x\ndomain 53/udp\nbad line\n", &mut services);
        assert_eq!(services.get(&(80, true)).map(|n| &**n), Some("http"));
        assert_eq!(services.get(&(53, false)).map(|n| &**n), Some("domain"));
        assert_eq!(services.len(), 2);
    }
}
