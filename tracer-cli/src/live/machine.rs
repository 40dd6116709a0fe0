//! The machine that live events come from.

use crate::state::Machine;
use crate::state::interface::Interface;
use bstr::ByteSlice;
use nix::sys::socket::SockaddrStorage;
use nix::time::{ClockId, clock_gettime};
use std::net::IpAddr;

/// Name, CPUs, memory and boot time; what cannot be read is empty or 0.
pub(super) fn describe() -> Machine {
    let read = |path: &str| std::fs::read(path).unwrap_or_default();
    let memory = read("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix(b"MemTotal:"))
        .and_then(|line| line.fields().next())
        .and_then(|kib| kib.to_str().ok()?.parse::<u64>().ok())
        .unwrap_or(0)
        .saturating_mul(1024);
    Machine {
        hostname: read("/proc/sys/kernel/hostname").trim().to_str_lossy().into_owned(),
        cpus: count_cpus(&read("/sys/devices/system/cpu/online")),
        memory,
        boot_ts: clocks().0,
        is_this: true,
        large_environments: false,
    }
}

/// How many CPUs are in a list such as `0-3,8`.
fn count_cpus(list: &[u8]) -> u32 {
    let parse = |text: &[u8]| text.trim().to_str().ok()?.parse::<u32>().ok();
    list.split(|b| *b == b',')
        .filter_map(|range| match range.split_once_str(b"-") {
            Some((first, last)) => Some(parse(last)?.checked_sub(parse(first)?)?.saturating_add(1)),
            None => parse(range).map(|_| 1),
        })
        .fold(0, u32::saturating_add)
}

/// When the machine was started and what time it is, in ns since the epoch.
pub(super) fn clocks() -> (u64, u64) {
    let read = |id| {
        clock_gettime(id)
            .map_or(0, |t| (t.tv_sec() as u64).saturating_mul(1_000_000_000) + t.tv_nsec() as u64)
    };
    let now = read(ClockId::CLOCK_REALTIME);
    (now.saturating_sub(read(ClockId::CLOCK_BOOTTIME)), now)
}

/// This machine's interfaces that have IP addresses.
pub(super) fn interfaces() -> Vec<Interface> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    interfaces
        .filter_map(|found| {
            let mut interface = Interface::of_address(found.address.as_ref().and_then(ip)?);
            interface.name = found.interface_name.into();
            if let Some(netmask) = found.netmask.as_ref().and_then(ip) {
                interface.netmask = netmask;
            }
            if let Some(broadcast) = found.broadcast.as_ref().and_then(ip) {
                interface.broadcast = broadcast;
            }
            Some(interface)
        })
        .collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(count_cpus(b"0-3,8\n"), 5);
        assert_eq!(count_cpus(b"0\n"), 1);
        assert_eq!(count_cpus(b""), 0);
        assert_eq!(count_cpus(b"3-1,x"), 0);
    }

    #[test]
    fn this_machine_is_described() {
        let machine = describe();
        assert!(machine.cpus > 0 && machine.memory > 0 && machine.boot_ts > 0);
        let is_loopback = |i: &Interface| i.address.is_loopback() && i.name == "lo";
        assert!(interfaces().iter().any(is_loopback));
    }
}
