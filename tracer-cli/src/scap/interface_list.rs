//! Network interfaces.

use super::body::Body;
use super::damage::Fault;
use super::write_block::{begin_block, begin_entry, code, end_block, end_uncounted_entry, put_u16, put_u64};
use crate::state::interface::{Interface, unspecified};
use std::net::IpAddr;

/// Most addresses kept.
const MAX: usize = 65536;

/// Longest name of an interface.
const MAX_NAME: u16 = 1024;

/// Types of addresses; those with 2 added lack the speed.
const V4: u16 = 1;
const V6: u16 = 2;

/// Reads the body of an interface list.
pub(super) fn read(body: &mut Body<'_>, sized: bool, interfaces: &mut Vec<Interface>) -> Result<(), Fault> {
    interfaces.clear();
    // What is left at the end is padding.
    while body.left() >= 4 {
        let interface = if sized {
            // The one list whose lengths do not count themselves.
            let len = body.u32("length of an interface")?;
            let mut entry = body.entry(u64::from(len), "an interface")?;
            let interface = read_entry(&mut entry)?;
            entry.finish()?;
            interface
        } else {
            read_entry(body)?
        };
        if interfaces.len() < MAX {
            interfaces.push(interface);
        }
    }
    Ok(())
}

fn read_entry(body: &mut Body<'_>) -> Result<Interface, Fault> {
    let ty = body.u16("type of an interface")?;
    let name_len = body.u16("length of a name")?;
    if name_len >= MAX_NAME {
        return Err(Fault::Value { what: "the length of an interface's name", value: u64::from(name_len) });
    }
    let mut address = || {
        Ok(match ty {
            1 | 3 => IpAddr::from(body.array::<4>("IPv4 address")?),
            2 | 4 => IpAddr::from(body.array::<16>("IPv6 address")?),
            other => return Err(Fault::Value { what: "the type of an interface", value: u64::from(other) }),
        })
    };
    let (address, netmask, broadcast) = (address()?, address()?, address()?);
    let speed = if ty <= V6 { body.u64("link speed")? } else { 0 };
    let name = body.bytes(usize::from(name_len), "name of an interface")?.into();
    Ok(Interface { name, address, netmask, broadcast, speed })
}

/// Appends the block of the list.
pub(super) fn append(out: &mut Vec<u8>, interfaces: &[Interface]) {
    if interfaces.is_empty() {
        return;
    }
    let block = begin_block(out, code::INTERFACES);
    // All readers expect the IPv4 ones first.
    let of_v4 = |is_v4| interfaces.iter().filter(move |interface| interface.address.is_ipv4() == is_v4);
    for Interface { name, address, netmask, broadcast, speed } in of_v4(true).chain(of_v4(false)) {
        let name = name.get(..usize::from(MAX_NAME) - 1).unwrap_or(name);
        let entry = begin_entry(out);
        put_u16(out, if address.is_ipv4() { V4 } else { V6 });
        put_u16(out, name.len() as u16);
        for part in [address, netmask, broadcast] {
            // All of one kind, as the type says.
            match if part.is_ipv4() == address.is_ipv4() { *part } else { unspecified(*address) } {
                IpAddr::V4(v4) => out.extend_from_slice(&v4.octets()),
                IpAddr::V6(v6) => out.extend_from_slice(&v6.octets()),
            }
        }
        put_u64(out, *speed);
        out.extend_from_slice(name);
        end_uncounted_entry(out, entry);
    }
    end_block(out, block);
}
