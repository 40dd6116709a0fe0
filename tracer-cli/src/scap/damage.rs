//! What can be wrong with a capture file, said with its place.

use super::block::Kind;
use std::{fmt, io};

/// Why a capture file cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    #[error("can't open file {file}: {cause}")]
    Open { file: String, cause: String },
    #[error("{file} is empty: there is no capture in it")]
    Empty { file: String },
    #[error("{file} is not a capture: {what}")]
    NotACapture { file: String, what: String },
    #[error("{file} is damaged at byte {at}{unit}: {what}")]
    Damaged { file: String, at: u64, unit: &'static str, what: Damage },
    #[error("error reading file {file} at byte {at}{unit}: {}{}", in_block(*.block), failure(.cause))]
    Read { file: String, at: u64, unit: &'static str, block: Place, cause: io::Error },
}

/// The block that is being read and where it begins; `None` between blocks.
pub(super) type Place = Option<(Kind, u64)>;

/// What is wrong in a block.
#[derive(Debug)]
pub(super) struct Damage {
    pub block: Place,
    pub fault: Fault,
}

fn in_block(block: Place) -> String {
    block.map(|(kind, at)| format!("in the {kind} block at byte {at}, ")).unwrap_or_default()
}

fn failure(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the compressed data end too early: is the file truncated?".to_owned()
        }
        _ => cause.to_string(),
    }
}

/// The fault itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file ends too early.
    Cut { missing: u64 },
    /// Bytes left after the last whole block: fewer than a block's header.
    NoHeader { left: u64 },
    /// A block that is shorter than its kind needs.
    TooShort { len: u32 },
    /// A block longer than its kind may be.
    TooLong { len: u32 },
    /// The length at the end of a block is not that at its start.
    Trailer { header: u32, trailer: u32 },
    /// Something reaches over the end of its block or entry.
    Overrun { what: &'static str },
    /// A number that has no meaning.
    Value { what: &'static str, value: u64 },
    /// An event whose lengths do not fit together.
    Event { what: &'static str },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_block(self.block))?;
        match self.fault {
            Fault::Cut { missing } => write!(f, "the file ends {missing} bytes too early: is it truncated?"),
            Fault::NoHeader { left } => {
                write!(f, "the file ends with {left} bytes that are no whole block: is it truncated?")
            }
            Fault::TooShort { len } => write!(f, "a length of {len} is too short"),
            Fault::TooLong { len } => write!(f, "a length of {len} is too long"),
            Fault::Trailer { header, trailer } => {
                write!(f, "wrong block total length, header={header}, trailer={trailer}")
            }
            Fault::Overrun { what } => write!(f, "{what} reaches over the end"),
            Fault::Value { what, value } => write!(f, "{what} cannot be {value}"),
            Fault::Event { what } => write!(f, "invalid event: {what}"),
        }
    }
}
