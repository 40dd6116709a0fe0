//! How the parameters of live events are made: the vocabulary of `data/live.tsv` as Rust values.
//!
//! `cargo xtask tables` turns each row of that file into a list of [`Param`], finds out which pieces
//! of memory the rows of a call need, and numbers them. So the capture plan ([`super::plan`]) and the
//! decoder ([`super::decode`]) cannot disagree about what a piece of a record is.

use crate::schema::convert::Conversion;
use tracer_common::plan::PiecePlan;

/// Everything known of one call, or of one other tracepoint.
#[derive(Debug)]
pub struct CallSource {
    /// Argument words the decoder looks at, at most 6.
    pub args: u8,
    pub pieces: &'static [PieceSource],
    /// Sources of the parameters of the enter event.
    pub enter: &'static [Param],
    /// Sources of the parameters of the exit event.
    pub exit: &'static [Param],
}

/// One piece of memory that a call's record carries.
#[derive(Debug)]
pub struct PieceSource {
    pub plan: PiecePlan,
    pub compat: Compat,
}

/// What becomes of a piece in the 32-bit interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compat {
    /// The memory looks the same.
    Same,
    /// It is an array of longs, half as long there.
    Longs,
    /// It holds pointers of the wrong size: not captured.
    Never,
}

/// Source of one parameter.
#[derive(Debug)]
pub struct Param {
    pub op: Op,
    /// Bytes of a number: 1, 2, 4 or 8; 0 when the parameter is not a number.
    pub width: u8,
}

/// How a parameter is made. Operands called `piece`, `socket`, `file` and `task` are numbers of pieces.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// No value.
    Empty,
    Number(Word),
    /// A translation; the second number is 0 where only one is needed.
    Convert(Conversion, Word, Word),
    /// A kernel device number as user space knows it.
    Device(Word),
    /// Open flags with what only the file itself knows: whether it was created, its overlay layer.
    OpenFlags {
        flags: Word,
        file: u8,
    },
    CreatFlags {
        file: u8,
    },
    CloneFlags {
        flags: Word,
        task: u8,
    },
    ExeFlags {
        task: u8,
    },
    /// ns of a `struct timespec`.
    Timespec {
        piece: u8,
    },
    /// Sum of the lengths of an iovec array.
    IovSize {
        piece: u8,
    },
    /// Fill of the queue of a listening socket, percent.
    QueuePercent {
        socket: u8,
    },
    /// Part of a wait status, piece 0 being `ExitFacts`.
    Wait(WaitPart),
    /// The bytes of a piece.
    Bytes {
        piece: u8,
    },
    /// The bytes of a piece as a string, ended by a NUL.
    Text {
        piece: u8,
    },
    Sockaddr {
        piece: u8,
    },
    Tuple {
        socket: u8,
        inbound: bool,
        address: Option<u8>,
    },
    FdList {
        piece: u8,
        returned: bool,
    },
    /// A socket option, whose type depends on arguments 1 and 2.
    Sockopt {
        piece: u8,
    },
    /// A number in one of several types, `index` telling which.
    Dyn {
        index: u8,
        width: u8,
        number: Word,
    },
    DynText {
        index: u8,
        piece: u8,
    },
    /// First of the strings in the argument area.
    Exe {
        piece: u8,
    },
    /// The others.
    Args {
        piece: u8,
    },
    Comm {
        task: u8,
    },
    /// An absolute path from its components, leaf first.
    Path {
        piece: u8,
    },
    /// Control groups as a list of `subsystem=path`.
    Cgroups {
        piece: u8,
    },
    If(Condition, &'static Op, &'static Op),
}

/// A number of a record.
#[derive(Debug, Clone, Copy)]
pub enum Word {
    Constant(i64),
    Result,
    /// The result, 0 of a failed call.
    Positive,
    Arg(u8),
    /// An argument that is a C `int`.
    Int(u8),
    /// High and low half.
    Pair(u8, u8),
    /// In the memory of a piece; `default` when the memory is not there.
    At {
        piece: u8,
        offset: u16,
        ty: Int,
        default: i8,
    },
    /// The `index`th long of a piece.
    Long {
        piece: u8,
        index: u8,
        default: i8,
    },
}

/// Width and sign of a number in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Int {
    U16,
    U32,
    I32,
    U64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitPart {
    Code,
    Signal,
    Core,
}

/// Which of two sources to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The call failed.
    Failed,
    /// A connection is there or under way.
    Connected,
    /// `fsconfig`: the value is a string or path; bytes.
    FsconfigText,
    FsconfigBytes,
    /// `keyctl`: argument 1, 2, 3 is a string.
    KeyctlText1,
    KeyctlText2,
    KeyctlText3,
    /// `prctl`: the argument is a name; an address of an integer.
    PrctlName,
    PrctlReaper,
    /// `ptrace`: the argument is a signal; an address the kernel writes a word to.
    PtraceSignal,
    PtracePeek,
    /// `quotactl`: what the call is about.
    QuotaOn,
    QuotaBlock,
    QuotaInfo,
    QuotaFormat,
    QuotaId,
    /// `semctl`: the argument is a value.
    SemSetval,
}

/// Names that the generated table is written in.
pub(super) mod table {
    pub use super::Compat::{Longs, Never, Same};
    pub use super::{CallSource, Compat, Condition as If, Op, Param, PieceSource, Word};
    pub use crate::schema::convert::Conversion as C;
    pub use std::mem::offset_of;
    pub use tracer_common::plan::{FD_POINTED, FD_RESULT, PiecePlan, len, piece};
    pub use tracer_common::record::{ExitFacts, FileFacts, MemoryFacts, SocketFacts, TaskFacts};

    pub const fn p(op: Op, width: u8) -> Param {
        Param { op, width }
    }

    /// A piece: kind, argument, length and its argument, when, limit.
    pub const fn m(
        kind: u8,
        arg: u8,
        len: u8,
        len_arg: u8,
        when: u8,
        limit: u16,
        compat: Compat,
    ) -> PieceSource {
        PieceSource { plan: PiecePlan { kind, arg, len, len_arg, when, _pad: 0, limit }, compat }
    }

    pub const fn at(piece: u8, offset: usize, ty: super::Int, default: i8) -> Word {
        Word::At { piece, offset: offset as u16, ty, default }
    }
}
