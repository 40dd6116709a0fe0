//! Blocks in the making: bytes are appended to a buffer, lengths are filled in when they are known.

/// Codes of the blocks that are written: the newest version of each.
pub(super) mod code {
    pub const MACHINE: u32 = 0x201;
    pub const PROCESSES: u32 = 0x215;
    pub const FDS: u32 = 0x218;
    pub const INTERFACES: u32 = 0x219;
    pub const USERS: u32 = 0x220;
    pub const EVENT: u32 = 0x216;
    pub const EVENT_FLAGS: u32 = 0x217;
    pub const EVENT_LARGE: u32 = 0x221;
    pub const EVENT_FLAGS_LARGE: u32 = 0x222;
}

/// Where a block or an entry began.
#[must_use = "its length is still to be filled in"]
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun(usize);

/// Appends the head of a block; what is appended until [`end_block`] is its body.
pub(super) fn begin_block(out: &mut Vec<u8>, code: u32) -> Begun {
    let begun = Begun(out.len());
    put_u32(out, code);
    put_u32(out, 0);
    begun
}

/// Pads the block to a multiple of four bytes and fills in its length at both ends.
pub(super) fn end_block(out: &mut Vec<u8>, Begun(start): Begun) {
    let body = out.len() - start;
    out.resize(start + body.next_multiple_of(4), 0);
    // Lists are cut into blocks long before this number is too large.
    let len = u32::try_from(out.len() - start + 4).unwrap_or(u32::MAX);
    patch(out, start + 4, len);
    put_u32(out, len);
}

/// Begins an entry that has its length before it.
pub(super) fn begin_entry(out: &mut Vec<u8>) -> Begun {
    let begun = Begun(out.len());
    put_u32(out, 0);
    begun
}

/// Fills in the length of an entry, itself included.
pub(super) fn end_entry(out: &mut [u8], Begun(start): Begun) {
    let len = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    patch(out, start, len);
}

/// Fills in the length of an entry, without the length itself.
pub(super) fn end_uncounted_entry(out: &mut [u8], Begun(start): Begun) {
    let len = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    patch(out, start, len);
}

fn patch(out: &mut [u8], at: usize, value: u32) {
    if let Some(bytes) = out.get_mut(at..at + 4) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}

pub(super) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends text with its length (u16) before it, cut to `max` bytes: readers refuse longer ones.
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8], max: u16) {
    let text = text.get(..usize::from(max)).unwrap_or(text);
    put_u16(out, text.len() as u16);
    out.extend_from_slice(text);
}

/// Appends strings that each end with NUL, as many whole ones as fit in `max` bytes; of a first one
/// that is too long, its beginning.
pub(super) fn put_strings(out: &mut Vec<u8>, strings: &[u8], max: u16) {
    let Some(fits) = strings.get(..usize::from(max)) else { return put_text(out, strings, max) };
    match fits.iter().rposition(|b| *b == 0) {
        Some(end) => put_text(out, fits.get(..=end).unwrap_or(fits), max),
        None => {
            let cut = fits.split_last().map_or(fits, |(_, rest)| rest);
            put_u16(out, cut.len() as u16 + 1);
            out.extend_from_slice(cut);
            out.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_padded_and_have_their_length_at_both_ends() {
        let mut out = vec![9; 3];
        let block = begin_block(&mut out, 0x201);
        out.extend_from_slice(b"abcde");
        end_block(&mut out, block);
        assert_eq!(out[3..], *b"\x01\x02\0\0\x14\0\0\0abcde\0\0\0\x14\0\0\0");
    }

    #[test]
    fn strings_are_cut_between_two_of_them() {
        let put = |strings: &[u8], max| {
            let mut out = Vec::new();
            put_strings(&mut out, strings, max);
            out
        };
        assert_eq!(put(b"ab\0cd\0", 6), b"\x06\0ab\0cd\0");
        assert_eq!(put(b"ab\0cd\0", 5), b"\x03\0ab\0");
        assert_eq!(put(b"abcdef\0", 4), b"\x04\0abc\0");
        assert_eq!(put(b"", 4), b"\0\0");
    }
}
