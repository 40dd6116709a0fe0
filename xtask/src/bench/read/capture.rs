//! Captures joined to a long one: sections may follow each other.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Codes of blocks that hold an event.
const EVENT_BLOCKS: [u32; 6] = [0x204, 0x208, 0x216, 0x217, 0x221, 0x222];

/// Some captures one after the other, uncompressed.
pub struct Joined {
    bytes: Vec<u8>,
    events: u64,
}

impl Joined {
    /// Joins these files, plain or gzip.
    pub fn of(paths: &[PathBuf]) -> Result<Joined> {
        let mut bytes = Vec::new();
        for path in paths {
            let mut file = File::open(path).with_context(|| path.display().to_string())?;
            if path.extension().is_some_and(|extension| extension == "gz") {
                flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes)
            } else {
                file.read_to_end(&mut bytes)
            }
            .with_context(|| path.display().to_string())?;
        }
        let events = count(&bytes);
        ensure!(events > 0, "no events in {paths:?}");
        Ok(Joined { bytes, events })
    }

    /// Writes them over and over until there are at least `events`; returns how many there are.
    pub fn repeat(&self, out: &mut dyn Write, events: u64) -> Result<u64> {
        let times = events.div_ceil(self.events);
        for _ in 0..times {
            out.write_all(&self.bytes)?;
        }
        Ok(times * self.events)
    }

    /// [`Joined::repeat`] into a file.
    pub fn write(&self, path: &Path, events: u64) -> Result<u64> {
        let mut file = BufWriter::new(File::create(path)?);
        let events = self.repeat(&mut file, events)?;
        file.flush()?;
        Ok(events)
    }
}

/// The blocks that hold an event.
fn count(bytes: &[u8]) -> u64 {
    let (mut at, mut events) = (0, 0);
    while let Some(header) = bytes.get(at..at + 8) {
        let word =
            |i: usize| header.get(i..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes);
        events += u64::from(EVENT_BLOCKS.contains(&word(0)));
        at += (word(4) as usize).max(1);
    }
    events
}
