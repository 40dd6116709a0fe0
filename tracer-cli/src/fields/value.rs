//! The value of a field.

use std::net::IpAddr;

/// A borrowed value. Text is raw bytes of the traced system: sinks make it safe to show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// ns.
    Reltime(u64),
    /// ns since the epoch.
    Abstime(u64),
    Double(f64),
    Text(&'a [u8]),
    /// A data buffer: printed by the buffer mode chosen with -A, -x, -X, -b.
    Buffer(&'a [u8]),
    Ip(IpAddr),
    Port(u16),
}
