//! The event in an event block.

use super::block::{self, EventKind};
use super::compat;
use super::damage::Fault;
use super::write_event::{COMPANION, STATE_ONLY};
use crate::event::EventBits;
use crate::param_slots::MAX_PARAMS;
use crate::row::Head;
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

impl Head {
    /// The event at the start of `bytes` with the length of its block, where all is well and the whole
    /// block is there: so it is with nearly every block. What is wrong with the others is found out step
    /// by step by those who read them.
    #[inline(always)]
    pub(super) fn at_start(bytes: &[u8]) -> Option<(u32, Self)> {
        let (code, len) = words(bytes);
        let kind = EventKind::of(code)?;
        let body_len = (len as usize).checked_sub(block::HEADER + block::TRAILER)?;
        let (body, rest) = bytes.get(block::HEADER..)?.split_at_checked(body_len)?;
        if len > kind.max_len() || rest.first_chunk() != Some(&len.to_le_bytes()) {
            return None;
        }
        Some((len, Self::read(body, kind).ok()??))
    }

    /// [`Head::at_start`] for what nearly all events are: without flags, with short lengths and all the parameters of
    /// the schema. `None` for others, and where anything is wrong.
    #[inline(always)]
    pub(super) fn usual(bytes: &[u8]) -> Option<(u32, Self)> {
        const START: usize = block::HEADER + 2;
        // All that is looked at of most events: up to four lengths.
        let first: &[u8; START + HEADER + 8] = bytes.first_chunk()?;
        let field = |at: usize| first.get(at..).unwrap_or_default();
        let is_counted = match u32_of(field(0)) {
            0x216 => true,
            0x204 => false,
            _ => return None,
        };
        let block_len = u32_of(field(4));
        let len = u32_of(field(START + 16));
        let ty = EventType(u16_of(field(START + 20)));
        let Shape { params, wide } = *SHAPES.get(usize::from(ty.0))?;
        let (lens, count) = match is_counted {
            true => (START + HEADER, u32_of(field(START + HEADER_V1))),
            false => (START + HEADER_V1, params.into()),
        };
        // Of numbers of 32 bits none of this is too large for 64.
        let data = lens as u64 + 2 * u64::from(count);
        let end = START as u64 + u64::from(len);
        let (Some(rest), Some(padding)) =
            (end.checked_sub(data), u64::from(block_len).checked_sub(end + block::TRAILER as u64))
        else {
            return None;
        };
        let is_usual = padding < compat::OPTION_LEN as u64
            && !wide
            && block_len <= EventKind::SMALL.max_len()
            && (is_counted || overcounted(ty) == 0);
        let trailer = bytes.get(block_len as usize - block::TRAILER..)?;
        if !is_usual || u32_of(trailer) != block_len {
            return None;
        }
        let four = if is_counted { u64_of(field(START + HEADER)) } else { u64_of(field(START + HEADER_V1)) };
        let mut lengths = Lengths::default();
        lengths.add_four(four, count as usize);
        if count > 4 {
            lengths.add_narrow(bytes.get(lens + 8..)?, count as usize - 4)?;
        }
        let fits = if is_counted { lengths.sum <= rest } else { lengths.sum == rest };
        if !fits {
            return None;
        }
        let hides_call = ty.0 <= EventType::GENERIC_X.0
            && compat::hides_call(ty, bytes.get(data as usize..end as usize).unwrap_or_default());
        let head = Self {
            is_for_old: lengths.has_no_text || hides_call,
            ts: u64_of(field(START)),
            tid: u64_of(field(START + 8)).cast_signed(),
            cpu: u16_of(field(block::HEADER)),
            ty,
            bits: EventBits::empty(),
            unreadable: 0,
            wide: false,
            count: count.min(params.into()).min(MAX_PARAMS as u32) as u8,
            lens: (lens - block::HEADER) as u8,
            data: data as u32 - block::HEADER as u32,
        };
        Some((block_len, head))
    }

    /// Reads the body of an event block; `None` for an event of a type that the schema does not know, and for
    /// [companions](is_companion).
    #[inline(always)]
    pub(super) fn read(body: &[u8], kind: EventKind) -> Result<Option<Self>, Fault> {
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
    /// Adds the first `count` of four numbers of two bytes.
    #[inline(always)]
    fn add_four(&mut self, four: u64, count: usize) {
        const LANES: u64 = 0x0001_0001_0001_0001;
        const EVEN: u64 = 0x0000_FFFF_0000_FFFF;
        let four = match count {
            0 => 0,
            1..4 => four & ((1 << (16 * count)) - 1),
            _ => four,
        };
        let pairs = (four & EVEN) + (four >> 16 & EVEN);
        self.sum += (pairs & u64::from(u32::MAX)) + (pairs >> 32);
        // A lane is zero where the length is the one.
        let other = four ^ (LANES * compat::NO_TEXT.len() as u64);
        self.has_no_text |= other.wrapping_sub(LANES) & !other & (LANES << 15) != 0;
    }

    /// Adds the first `count` numbers of two bytes in `lens`, where there are eight bytes at each fourth of them.
    #[inline]
    fn add_narrow(&mut self, lens: &[u8], count: usize) -> Option<()> {
        for at in (0..count).step_by(4) {
            self.add_four(u64::from_le_bytes(*lens.get(2 * at..)?.first_chunk()?), count - at);
        }
        Some(())
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lengths_add_up_four_at_a_time(lens in prop::collection::vec(0..7_u16, 0..9), rest in 0..9_usize, big in any::<bool>()) {
            let lens: Vec<u16> = lens.iter().map(|len| if big { len.wrapping_sub(3) } else { *len }).collect();
            let mut bytes: Vec<u8> = lens.iter().flat_map(|len| len.to_le_bytes()).collect();
            let expected = Lengths::of(&bytes, false);
            bytes.resize(bytes.len() + rest, 5);
            let mut got = Lengths::default();
            match got.add_narrow(&bytes, lens.len()) {
                Some(()) => prop_assert_eq!((got.sum, got.has_no_text), (expected.sum, expected.has_no_text)),
                None => prop_assert!(rest < 8),
            }
        }

        #[test]
        fn what_is_usual_is_read_alike(
            counted in any::<bool>(), flagged in any::<bool>(), ty in 0..460_u16, len in 20..60_u32,
            count in 0..6_u32, lens in prop::collection::vec(0..8_u16, 8), padding in 0..24_usize,
        ) {
            let mut body = vec![1, 0];
            let code: u32 = match (counted, flagged) {
                (true, true) => 0x217,
                (true, false) => 0x216,
                (false, true) => 0x208,
                (false, false) => 0x204,
            };
            if flagged {
                body.extend_from_slice(&[0; 4]);
            }
            let begin = body.len();
            body.extend_from_slice(&7_u64.to_le_bytes());
            body.extend_from_slice(&8_u64.to_le_bytes());
            body.extend_from_slice(&len.to_le_bytes());
            body.extend_from_slice(&ty.to_le_bytes());
            if counted {
                body.extend_from_slice(&count.to_le_bytes());
            }
            lens.iter().for_each(|len| body.extend_from_slice(&len.to_le_bytes()));
            body.resize(begin + len as usize + padding, 0);
            let kind = EventKind::of(code).unwrap();
            let total = (body.len() + block::HEADER + block::TRAILER) as u32;
            let block = [&code.to_le_bytes()[..], &total.to_le_bytes(), &body, &total.to_le_bytes(), &[0; 8]].concat();
            let expected = Head::read(&body, kind).ok().flatten().map(|head| (total, head));
            prop_assert_eq!(Head::at_start(&block), expected);
            prop_assert!(Head::usual(&block).is_none_or(|usual| Some(usual) == expected));
        }
    }
}
