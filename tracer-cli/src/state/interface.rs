//! Network interfaces of the machine: their addresses tell the local end of a connection from the remote one.

use bstr::BString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address of an interface; one with several is listed as often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub name: BString,
    pub address: IpAddr,
    /// Of the kind of the address.
    pub netmask: IpAddr,
    /// Of the kind of the address, unspecified where there is none.
    pub broadcast: IpAddr,
    /// Bits a second, 0 where it is not known.
    pub speed: u64,
}

impl Interface {
    /// One of which nothing but the address is known, with a network of one machine.
    pub fn of_address(address: IpAddr) -> Self {
        let netmask = match address {
            IpAddr::V4(_) => Ipv4Addr::BROADCAST.into(),
            IpAddr::V6(_) => Ipv6Addr::from([0xff; 16]).into(),
        };
        Self { name: BString::default(), address, netmask, broadcast: unspecified(address), speed: 0 }
    }
}

/// The address of its kind that stands for none.
pub fn unspecified(kind: IpAddr) -> IpAddr {
    match kind {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
