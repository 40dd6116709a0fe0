//! A record taken apart: header, argument words and pieces, without a copy.

use super::ops::{Condition, Int, Word};
use std::mem::offset_of;
use tracer_common::plan::MAX_PIECES;
use tracer_common::record::{HEADER_LEN, PIECE_HEADER_LEN, PieceHeader, RecordHeader, piece_status};

/// The piece is not in the record.
const MISSING: u8 = u8::MAX;
/// Errors are results between -4095 and -1 (include/linux/err.h).
const MAX_ERRNO: i64 = 4095;
const EINPROGRESS: i64 = 115;

/// `N` bytes at `at`.
#[inline]
pub fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[inline]
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes_at(bytes, at).map(u16::from_ne_bytes)
}

#[inline]
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes_at(bytes, at).map(u32::from_ne_bytes)
}

#[inline]
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes_at(bytes, at).map(u64::from_ne_bytes)
}

/// The header of a record, `None` when it is too short.
pub fn header(record: &[u8]) -> Option<RecordHeader> {
    let h: &[u8; HEADER_LEN] = record.first_chunk()?;
    macro_rules! field {
        ($name:ident) => {{
            const AT: usize = offset_of!(RecordHeader, $name);
            bytes_at(h, AT)?
        }};
    }
    Some(RecordHeader {
        time: u64::from_ne_bytes(field!(time)),
        result: i64::from_ne_bytes(field!(result)),
        tid: u32::from_ne_bytes(field!(tid)),
        tgid: u32::from_ne_bytes(field!(tgid)),
        len: u32::from_ne_bytes(field!(len)),
        number: u16::from_ne_bytes(field!(number)),
        kind: u8::from_ne_bytes(field!(kind)),
        shape: u8::from_ne_bytes(field!(shape)),
    })
}

/// One piece of memory.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    pub bytes: &'a [u8],
    status: u8,
}

impl Piece<'_> {
    /// It was copied, though it may have no bytes.
    #[inline]
    pub fn is_ok(&self) -> bool {
        self.status == piece_status::OK
    }

    /// The memory was wanted and could not be copied.
    #[inline]
    pub fn unreadable(&self) -> bool {
        matches!(self.status, piece_status::FAULT | piece_status::NO_ROOM)
    }
}

/// What a record says besides its header.
pub struct View<'a> {
    pub result: i64,
    args: &'a [u8],
    pieces: [Piece<'a>; MAX_PIECES],
    /// Bytes of a long in the memory of the caller: 4 or 8.
    pub long: usize,
}

impl<'a> View<'a> {
    /// `None` when the lengths in the record do not fit together.
    #[inline]
    pub fn new(header: &RecordHeader, record: &'a [u8], long: usize) -> Option<Self> {
        let body = record.get(HEADER_LEN..)?.get(..usize::try_from(header.len).ok()?)?;
        let (args, mut rest) = body.split_at_checked(header.args() * 8)?;
        let mut pieces = [Piece { bytes: &[], status: MISSING }; MAX_PIECES];
        for _ in 0..header.pieces() {
            let (head, after) = rest.split_first_chunk::<PIECE_HEADER_LEN>()?;
            let len = u16_at(head, offset_of!(PieceHeader, len))?;
            let (bytes, after) = after.split_at_checked(usize::from(len))?;
            rest = after;
            let [slot, status] = bytes_at(head, offset_of!(PieceHeader, slot))?;
            *pieces.get_mut(usize::from(slot))? = Piece { bytes, status };
        }
        Some(View { result: header.result, args, pieces, long })
    }

    #[inline]
    pub fn failed(&self) -> bool {
        (-MAX_ERRNO..0).contains(&self.result)
    }

    /// An argument word; 0 when the record does not carry it.
    #[inline]
    pub fn arg(&self, i: u8) -> u64 {
        u64_at(self.args, usize::from(i) * 8).unwrap_or(0)
    }

    #[inline]
    pub fn piece(&self, i: u8) -> Piece<'a> {
        self.pieces.get(usize::from(i)).copied().unwrap_or(Piece { bytes: &[], status: MISSING })
    }

    /// A number, sign extended where it is signed; `unreadable` is set when it is in memory that
    /// could not be copied.
    #[inline]
    pub fn number(&self, word: &Word, unreadable: &mut bool) -> u64 {
        match *word {
            Word::Constant(n) => n as u64,
            Word::Result => self.result as u64,
            Word::Positive => self.result.max(0) as u64,
            Word::Arg(i) => self.arg(i),
            Word::Int(i) => i64::from(self.arg(i) as i32) as u64,
            Word::Pair(high, low) => (self.arg(high) << 32) | (self.arg(low) & 0xffff_ffff),
            Word::At { piece, offset, ty, default } => {
                let piece = self.piece(piece);
                *unreadable |= piece.unreadable();
                let at = usize::from(offset);
                let number = match ty {
                    Int::U16 => u16_at(piece.bytes, at).map(u64::from),
                    Int::U32 => u32_at(piece.bytes, at).map(u64::from),
                    Int::I32 => u32_at(piece.bytes, at).map(|n| i64::from(n as i32) as u64),
                    Int::U64 => u64_at(piece.bytes, at),
                };
                number.unwrap_or(i64::from(default) as u64)
            }
            Word::Long { piece, index, default } => {
                *unreadable |= self.piece(piece).unreadable();
                self.long(piece, index).unwrap_or(i64::from(default) as u64)
            }
        }
    }

    /// The `index`th long of a piece, sign extended.
    pub fn long(&self, piece: u8, index: u8) -> Option<u64> {
        let bytes = self.piece(piece).bytes;
        let at = usize::from(index) * self.long;
        match self.long {
            4 => u32_at(bytes, at).map(|n| i64::from(n as i32) as u64),
            _ => u64_at(bytes, at),
        }
    }

    /// All words of a piece.
    pub fn words(&self, piece: u8) -> impl Iterator<Item = u64> + 'a {
        let (bytes, width) = (self.piece(piece).bytes, self.long);
        bytes.chunks_exact(width).map(|word| match word {
            &[a, b, c, d] => u64::from(u32::from_ne_bytes([a, b, c, d])),
            _ => word.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word)),
        })
    }

    /// Numbers are those of the Linux headers named.
    pub fn holds(&self, condition: Condition) -> bool {
        let (first, second) = (self.arg(0) as u32, self.arg(1) as u32);
        // include/uapi/linux/quota.h
        let quota = first >> 8;
        match condition {
            Condition::Failed => self.failed(),
            Condition::Connected => self.result == 0 || self.result == -EINPROGRESS,
            // include/uapi/linux/mount.h: SET_STRING, SET_PATH, SET_PATH_EMPTY; SET_BINARY
            Condition::FsconfigText => matches!(second, 1 | 3 | 4),
            Condition::FsconfigBytes => second == 2,
            // include/uapi/linux/keyctl.h: JOIN_SESSION_KEYRING; SEARCH, RESTRICT_KEYRING
            Condition::KeyctlText1 => first == 1,
            Condition::KeyctlText2 | Condition::KeyctlText3 => matches!(first, 10 | 29),
            // include/uapi/linux/prctl.h
            Condition::PrctlName => first == 15,
            Condition::PrctlReaper => first == 37,
            // include/uapi/linux/ptrace.h: CONT, SINGLESTEP, DETACH, SYSCALL; PEEKTEXT, PEEKDATA, PEEKUSR
            Condition::PtraceSignal => matches!(first, 7 | 9 | 17 | 24),
            Condition::PtracePeek => matches!(first, 1..=3),
            Condition::QuotaOn => quota == 0x80_0002,
            Condition::QuotaBlock => matches!(quota, 0x80_0007 | 0x80_0008),
            Condition::QuotaInfo => matches!(quota, 0x80_0005 | 0x80_0006),
            Condition::QuotaFormat => quota == 0x80_0004,
            // Q_GETQUOTA, Q_SETQUOTA, Q_XGETQUOTA, Q_XSETQLIM
            Condition::QuotaId => matches!(quota, 0x80_0007 | 0x80_0008 | 0x5803 | 0x5804),
            // include/uapi/linux/sem.h
            Condition::SemSetval => self.arg(2) as u32 & !0x100 == 16,
        }
    }
}
