//! Network interfaces: their addresses tell the local end of a connection from the remote one.

use super::body::Body;
use super::damage::Fault;
use std::net::IpAddr;

/// Most addresses kept.
const MAX: usize = 65536;

/// Longest name of an interface.
const MAX_NAME: u16 = 1024;

/// Reads the body of an interface list into `addresses`.
pub(super) fn read(body: &mut Body<'_>, sized: bool, addresses: &mut Vec<IpAddr>) -> Result<(), Fault> {
    addresses.clear();
    // What is left at the end is padding.
    while body.left() >= 4 {
        let address = if sized {
            // The one list whose lengths do not count themselves.
            let len = body.u32("length of an interface")?;
            let mut entry = body.entry(u64::from(len), "an interface")?;
            let address = read_entry(&mut entry)?;
            entry.finish()?;
            address
        } else {
            read_entry(body)?
        };
        if addresses.len() < MAX {
            addresses.push(address);
        }
    }
    Ok(())
}

fn read_entry(body: &mut Body<'_>) -> Result<IpAddr, Fault> {
    let ty = body.u16("type of an interface")?;
    let name_len = body.u16("length of a name")?;
    if name_len >= MAX_NAME {
        return Err(Fault::Value { what: "the length of an interface's name", value: u64::from(name_len) });
    }
    let address: IpAddr = match ty {
        1 | 3 => {
            let address: [u8; 4] = body.array("IPv4 address")?;
            body.bytes(8, "mask and broadcast address")?;
            address.into()
        }
        2 | 4 => {
            let address: [u8; 16] = body.array("IPv6 address")?;
            body.bytes(32, "mask and broadcast address")?;
            address.into()
        }
        other => return Err(Fault::Value { what: "the type of an interface", value: u64::from(other) }),
    };
    if ty <= 2 {
        body.u64("link speed")?;
    }
    body.bytes(usize::from(name_len), "name of an interface")?;
    Ok(address)
}
