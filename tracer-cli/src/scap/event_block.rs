//! The event in an event block.

use super::block::{self, EventKind};
use super::compat;
use super::damage::Fault;
use super::write_event::{COMPANION, STATE_ONLY};
use crate::event::EventBits;
use crate::param_slots::MAX_PARAMS;
use crate::params::{Packed, Params};
use crate::schema::{EventFlags, EventType, tables};

/// Bytes before the lengths of the parameters, in version 1 without the number of parameters.
const HEADER: usize = 26;
const HEADER_V1: usize = 22;

/// What the lengths of an event depend on. The rows of the schema are far larger, and every event
/// would fetch another one.
#[derive(Clone, Copy)]
struct Shape {
    /// Parameters that the schema has.
    params: u8,
    /// Their lengths have four bytes.
    wide: bool,
}

/// By code of the type.
static SHAPES: [Shape; tables::EVENTS.len()] = {
    let mut shapes = [Shape { params: 0, wide: false }; tables::EVENTS.len()];
    let mut code = 0;
    while code < shapes.len() {
        let info = &tables::EVENTS[code];
        assert!(info.params.len() <= MAX_PARAMS);
        let wide = info.flags.contains(EventFlags::LARGE_PAYLOAD);
        shapes[code] = Shape { params: info.params.len() as u8, wide };
        code += 1;
    }
    shapes
};

/// An event whose lengths were all checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parsed {
    pub ts: u64,
    pub tid: i64,
    pub cpu: u16,
    pub ty: EventType,
    pub bits: EventBits,
    /// Bit *i*: parameter *i* could not be read when the event was recorded.
    pub unreadable: u32,
    /// Some parameter may have a value for the sake of [older readers](compat::restore).
    pub is_for_old: bool,
    /// Lengths of parameters have four bytes.
    wide: bool,
    /// Parameters that are wanted: at most those of the schema.
    count: u8,
    /// Where the lengths of the parameters begin in the body.
    lens: u8,
    /// Where the first parameter begins in the body.
    data: u32,
}

/// The two numbers at the start of a block, its code and its length; zeros where there is none.
#[inline]
pub(super) fn words(window: &[u8]) -> (u32, u32) {
    match *window {
        [a, b, c, d, e, f, g, h, ..] => (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])),
        _ => (0, 0),
    }
}

/// The one parameter of an event of type `wanted`, which is none of the schema; `None` when the event in the body of a
/// block is another one.
#[cold]
pub(super) fn own_param(body: &[u8], kind: EventKind, wanted: u16) -> Option<&[u8]> {
    let event = body.get(2 + if kind.flags { 4 } else { 0 }..)?;
    let (header, rest) = event.split_first_chunk::<HEADER>()?;
    if u16_of(header.get(20..)?) != wanted || !kind.counted {
        return None;
    }
    let (len, rest) = rest.split_first_chunk()?;
    rest.get(..usize::from(u16::from_le_bytes(*len)))
}

/// Whether the event in the body of a block repeats another one for older readers.
#[cold]
pub(super) fn is_companion(body: &[u8], kind: EventKind) -> bool {
    let flags = body.get(2..).and_then(|flags| flags.first_chunk());
    kind.flags && flags.is_some_and(|flags| u32::from_le_bytes(*flags) & COMPANION != 0)
}

impl Parsed {
    /// The event at the start of `bytes` with the length of its block, where all is well and the whole
    /// block is there: so it is with nearly every block. What is wrong with the others is found out step
    /// by step by those who read them.
    #[inline(always)]
    pub fn at_start(bytes: &[u8]) -> Option<(u32, Self)> {
        let (code, len) = words(bytes);
        let kind = EventKind::of(code)?;
        let body_len = (len as usize).checked_sub(block::HEADER + block::TRAILER)?;
        let (body, rest) = bytes.get(block::HEADER..)?.split_at_checked(body_len)?;
        if len > kind.max_len() || rest.first_chunk() != Some(&len.to_le_bytes()) {
            return None;
        }
        Some((len, Self::read(body, kind).ok()??))
    }

    /// Reads the body of an event block; `None` for an event of a type that the schema does not know, and for
    /// [companions](is_companion).
    #[inline(always)]
    pub fn read(body: &[u8], kind: EventKind) -> Result<Option<Self>, Fault> {
        let (cpu, rest) = body.split_first_chunk::<2>().ok_or(CUT_HEADER)?;
        let mut bits = EventBits::empty();
        let event = if kind.flags {
            let (flags, rest) = rest.split_first_chunk::<4>().ok_or(CUT_HEADER)?;
            let flags = u32::from_le_bytes(*flags);
            if flags & COMPANION != 0 {
                return Ok(None);
            }
            bits.set(EventBits::STATE_ONLY, flags & STATE_ONLY != 0);
            rest
        } else {
            rest
        };
        let start = body.len() - event.len();
        let (header, _) = event.split_first_chunk::<HEADER_V1>().ok_or(CUT_HEADER)?;
        let field = |at: usize| header.get(at..).unwrap_or_default();
        let ts = u64_of(field(0));
        let tid = u64_of(field(8)).cast_signed();
        let len = u32_of(field(16)) as usize;
        let ty = EventType(u16_of(field(20)));
        let Some(Shape { params, wide }) = SHAPES.get(usize::from(ty.0)).copied() else { return Ok(None) };
        let params = usize::from(params);
        let width = if wide { 4 } else { 2 };

        let header_len = if kind.counted { HEADER } else { HEADER_V1 };
        let len = if kind.counted { len } else { len.saturating_sub(overcounted(ty)) };
        if len < header_len {
            return Err(Fault::Event { what: "shorter than its header" });
        }
        // Padding reckons with the header of the block.
        let behind = (block::HEADER + start + len).next_multiple_of(4) - block::HEADER;
        let unreadable = compat::unreadable(body.get(behind..).unwrap_or_default());
        let event = event.get(..len).ok_or(Fault::Event { what: "longer than its block" })?;
        let after = event.get(header_len..).unwrap_or_default();
        let (count, lengths) = if kind.counted {
            let count = u32_of(event.get(HEADER_V1..).unwrap_or_default()) as usize;
            let lens = count.checked_mul(width).and_then(|n| after.get(..n));
            let lens = lens.ok_or(Fault::Event { what: "more parameters than there is room for" })?;
            let lengths = Lengths::of(lens, wide);
            if lengths.sum > (after.len() - lens.len()) as u64 {
                return Err(Fault::Event { what: "parameters longer than the event" });
            }
            (count, lengths)
        } else {
            // Only one number of parameters makes the lengths add up to that of the event.
            let mut count = params;
            loop {
                if let Some(lens) = after.get(..count * width) {
                    let lengths = Lengths::of(lens, wide);
                    if lens.len() as u64 + lengths.sum == after.len() as u64 {
                        break (count, lengths);
                    }
                }
                count = count
                    .checked_sub(1)
                    .ok_or(Fault::Event { what: "its lengths fit no number of parameters" })?;
            }
        };
        let lens = start + header_len;
        let data = lens + count * width;
        Ok(Some(Self {
            is_for_old: lengths.has_no_text || compat::hides_call(ty, body.get(data..).unwrap_or_default()),
            ts,
            tid,
            cpu: u16::from_le_bytes(*cpu),
            ty,
            bits,
            unreadable,
            wide,
            count: count.min(params).min(MAX_PARAMS) as u8,
            // A few dozen bytes, and at most the length of the block.
            lens: lens as u8,
            data: data as u32,
        }))
    }

    /// The parameters in the body.
    #[inline]
    pub fn params<'a>(&self, body: &'a [u8]) -> Params<'a> {
        let Self { data, lens, count, wide, .. } = *self;
        Packed { bytes: body, data, lens, count, wide }.into()
    }
}

const CUT_HEADER: Fault = Fault::Event { what: "shorter than its header" };

/// Some old recorders counted three bytes too many for these types: tracers in their first version.
fn overcounted(ty: EventType) -> usize {
    match ty.0 {
        280 | 286 => 3,
        _ => 0,
    }
}

/// What the lengths of parameters say of all.
#[derive(Clone, Copy, Default)]
struct Lengths {
    sum: u64,
    /// One is as long as [`compat::NO_TEXT`].
    has_no_text: bool,
}

impl Lengths {
    #[inline(always)]
    fn of(lens: &[u8], wide: bool) -> Self {
        let mut all = Lengths::default();
        let mut add = |len: u64| {
            all.sum += len;
            all.has_no_text |= len == compat::NO_TEXT.len() as u64;
        };
        if wide {
            lens.as_chunks().0.iter().for_each(|len| add(u32::from_le_bytes(*len).into()));
        } else {
            lens.as_chunks().0.iter().for_each(|len| add(u16::from_le_bytes(*len).into()));
        }
        all
    }
}

#[inline]
fn u16_of(bytes: &[u8]) -> u16 {
    bytes.first_chunk().copied().map_or(0, u16::from_le_bytes)
}

#[inline]
fn u32_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_le_bytes)
}

#[inline]
fn u64_of(bytes: &[u8]) -> u64 {
    bytes.first_chunk().copied().map_or(0, u64::from_le_bytes)
}
