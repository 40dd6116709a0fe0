//! Event blocks, encoded from borrowed events: nothing is allocated but room in the buffer.

use super::compat;
use super::write_block::code;
use crate::event::Event;
use crate::schema::EventFlags;

/// Bytes of an event before the lengths of its parameters.
const HEADER: usize = 26;
/// Longest block that may have a code that is not for large events.
const MAX_SMALL: usize = 65536 + 8;
/// Flag of a block: the event is for the state only.
pub(super) const STATE_ONLY: u32 = 1;
/// … and says for others once more what tracer knows already. No other reader looks at this bit.
pub(super) const COMPANION: u32 = 1 << 31;
/// No reader knows events of this type; all leave them out.
const NO_TYPE: u16 = u16::MAX;

/// Appends the block of an event; one that is `state_only` is not shown by readers.
#[inline]
pub(super) fn append(out: &mut Vec<u8>, event: &Event<'_>, state_only: bool) {
    append_flagged(out, event, if state_only { STATE_ONLY } else { 0 });
}

/// As [`append`], with the flags of the block.
#[inline]
pub(super) fn append_flagged(out: &mut Vec<u8>, event: &Event<'_>, flags: u32) {
    let has_flags = flags != 0;
    let is_wide = event.info().flags.contains(EventFlags::LARGE_PAYLOAD);
    let most = if is_wide { u32::MAX as usize } else { usize::from(u16::MAX) };
    let width = if is_wide { 4 } else { 2 };
    let data: usize = event.params.iter().map(|param| param.len().min(most)).sum();
    let len = HEADER + event.params.len() * width + data;

    let flags_len = if has_flags { 4 } else { 0 };
    let padded = (8 + 2 + flags_len + len).next_multiple_of(4);
    let option = if event.unreadable == 0 { 0 } else { compat::OPTION_LEN };
    let total = padded + option + 4;
    let code = match (has_flags, is_wide || total > MAX_SMALL) {
        (false, false) => code::EVENT,
        (true, false) => code::EVENT_FLAGS,
        (false, true) => code::EVENT_LARGE,
        (true, true) => code::EVENT_FLAGS_LARGE,
    };
    let start = out.len();
    out.reserve(total);
    // Each is put there in one go: to append them one by one is most of the work.
    let front = front(code, total as u32, event.cpu);
    let header = header(event.ts, event.tid, len, event.ty.0, event.params.len());
    if has_flags {
        out.extend_from_slice(&front);
        out.extend_from_slice(&flags.to_le_bytes());
        out.extend_from_slice(&header);
    } else {
        let mut both = [0; FRONT + HEADER];
        let (first, second) = both.split_at_mut(FRONT);
        first.copy_from_slice(&front);
        second.copy_from_slice(&header);
        out.extend_from_slice(&both);
    }
    for param in event.params {
        let len = param.len().min(most);
        if is_wide {
            out.extend_from_slice(&(len as u32).to_le_bytes());
        } else {
            out.extend_from_slice(&(len as u16).to_le_bytes());
        }
    }
    for param in event.params {
        match <&[u8; 8]>::try_from(param) {
            // A number, mostly.
            Ok(number) => out.extend_from_slice(number),
            Err(_) => out.extend_from_slice(param.get(..most).unwrap_or(param)),
        }
    }
    out.resize(start + padded, 0);
    if event.unreadable != 0 {
        out.extend_from_slice(&compat::option(event.unreadable));
    }
    out.extend_from_slice(&(total as u32).to_le_bytes());
}

/// Appends an event of a type of tracer's own with one parameter, of at most 64 KiB; others leave it out.
pub(super) fn append_own(out: &mut Vec<u8>, ty: u16, ts: u64, tid: i64, param: &[u8]) {
    let len = HEADER + 2 + param.len();
    let padded = (8 + 2 + len).next_multiple_of(4);
    let total = (padded + 4) as u32;
    let start = out.len();
    out.extend_from_slice(&code::EVENT.to_le_bytes());
    out.extend_from_slice(&total.to_le_bytes());
    out.extend_from_slice(&0_u16.to_le_bytes());
    out.extend_from_slice(&header(ts, tid, len, ty, 1));
    out.extend_from_slice(&(param.len() as u16).to_le_bytes());
    out.extend_from_slice(param);
    out.resize(start + padded, 0);
    out.extend_from_slice(&total.to_le_bytes());
}

/// Appends an event that all readers leave out: some refuse sections without any event.
pub(super) fn append_nothing(out: &mut Vec<u8>, ts: u64) {
    const TOTAL: u32 = (8 + 2 + HEADER as u32).next_multiple_of(4) + 4;
    out.extend_from_slice(&code::EVENT.to_le_bytes());
    out.extend_from_slice(&TOTAL.to_le_bytes());
    out.extend_from_slice(&0_u16.to_le_bytes());
    out.extend_from_slice(&header(ts, 0, HEADER, NO_TYPE, 0));
    out.extend_from_slice(&TOTAL.to_le_bytes());
}

/// What stands before the header of an event without flags.
const FRONT: usize = 8 + 2;

#[inline]
fn front(code: u32, total: u32, cpu: u16) -> [u8; FRONT] {
    let mut front = [0; FRONT];
    front[..4].copy_from_slice(&code.to_le_bytes());
    front[4..8].copy_from_slice(&total.to_le_bytes());
    front[8..].copy_from_slice(&cpu.to_le_bytes());
    front
}

#[inline]
fn header(ts: u64, tid: i64, len: usize, ty: u16, params: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&ts.to_le_bytes());
    header[8..16].copy_from_slice(&tid.to_le_bytes());
    header[16..20].copy_from_slice(&(len as u32).to_le_bytes());
    header[20..22].copy_from_slice(&ty.to_le_bytes());
    header[22..].copy_from_slice(&(params as u32).to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::super::block::Kind;
    use super::*;
    use crate::event::EventBits;
    use crate::row::Head;
    use crate::schema::EventType;

    /// Reads the block back: its length, whether it is large, its parameters.
    fn read_back(event: &Event<'_>, state_only: bool) -> (usize, bool, Vec<Vec<u8>>) {
        let mut out = Vec::new();
        append(&mut out, event, state_only);
        let u32_at = |at: usize| u32::from_le_bytes(*out[at..].first_chunk().unwrap());
        assert_eq!((u32_at(4) as usize, u32_at(out.len() - 4) as usize), (out.len(), out.len()));
        let Kind::Event(kind) = Kind::of(u32_at(0)) else { panic!("no event") };
        assert!(u32_at(4) <= Kind::Event(kind).max_len());
        let body = &out[8..out.len() - 4];
        let parsed = Head::read(body, kind).unwrap().unwrap();
        assert_eq!((parsed.ts, parsed.tid, parsed.cpu, parsed.ty), (1234, -7, 3, event.ty));
        assert_eq!(parsed.unreadable, event.unreadable);
        assert_eq!(parsed.bits.contains(EventBits::STATE_ONLY), state_only);
        (out.len(), kind.large, parsed.params(body).iter().map(<[u8]>::to_vec).collect())
    }

    fn event<'a>(ty: EventType, params: &'a [&'a [u8]]) -> Event<'a> {
        Event { num: 1, ts: 1234, tid: -7, pid: 5, cpu: 3, ..Event::sample(ty, params) }
    }

    #[test]
    fn the_reader_finds_what_was_written() {
        let params: [&[u8]; 4] = [&5_i64.to_le_bytes(), b"hello", &[], &[1, 0, 0, 0]];
        for state_only in [false, true] {
            let (len, large, found) = read_back(&event(EventType::SYSCALL_READ_X, &params), state_only);
            assert!(len.is_multiple_of(4) && !large);
            assert_eq!(found, params);
        }
        for (state_only, data) in [(false, &b"1"[..]), (true, b"12"), (false, b"123"), (true, b"1234")] {
            let params: [&[u8]; 2] = [&[], data];
            let event = Event { unreadable: 2, ..event(EventType::SYSCALL_READ_X, &params) };
            assert_eq!(read_back(&event, state_only).2, params);
        }
        assert_eq!(read_back(&event(EventType::SYSCALL_READ_X, &[]), false).2, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn large_events_have_blocks_of_their_own() {
        let long = vec![b'x'; 70_000];
        let (_, large, found) =
            read_back(&event(EventType::SYSCALL_READ_X, &[&[], &long[..65_000], &[], &[]]), false);
        assert!(!large);
        assert_eq!(found[1].len(), 65_000);
        let (_, large, found) =
            read_back(&event(EventType::SYSCALL_READ_X, &[&long[..9000], &long, &[], &[]]), true);
        assert!(large);
        assert_eq!((found[0].len(), found[1].len()), (9000, 65_535));
        let (_, large, found) = read_back(&event(EventType::CONTAINER_JSON_2_E, &[&long]), false);
        assert!(large);
        assert_eq!(found, [long]);
    }

    #[test]
    fn nothing_is_a_block_that_the_schema_does_not_know() {
        let mut out = Vec::new();
        append_nothing(&mut out, 7);
        let Kind::Event(kind) = Kind::of(u32::from_le_bytes(*out.first_chunk().unwrap())) else {
            panic!("no event")
        };
        assert_eq!(out.len(), 40);
        assert_eq!(Head::read(&out[8..36], kind), Ok(None));
    }
}
