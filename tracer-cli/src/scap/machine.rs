//! The block about the machine that the events come from.

use super::body::Body;
use super::damage::Fault;
use crate::state::Machine;
use bstr::ByteSlice;

/// Bytes of the host's name, padded with NUL.
const HOSTNAME: usize = 128;

/// Reads the body of a machine block.
pub(super) fn read(body: &mut Body<'_>) -> Result<Machine, Fault> {
    let cpus = body.u32("number of CPUs")?;
    let memory = body.u64("size of memory")?;
    body.u64("largest process number")?;
    let hostname: [u8; HOSTNAME] = body.array("host name")?;
    let hostname = hostname.split(|b| *b == 0).next().unwrap_or_default().to_str_lossy().into_owned();
    // 0 in old files, which kept the place for later.
    let boot_ts = body.u64("time of boot")?;
    Ok(Machine { hostname, cpus, memory, boot_ts, ..Machine::default() })
}
