//! Values as text, the way `-p` prints them.

use super::buffer::write_buffer;
use super::table::{Class, ExtractOptions, FieldFlags, FieldRef};
use super::value::Value;
use crate::schema::ParamFormat;
use crate::state::tuple::write_ip;
use std::io::Write;

/// Appends a text that is mostly short: names, numbers, what stands between them. Up to 16 bytes go as two overlapping
/// moves in place of the call that `extend_from_slice` is; lines are made of little else.
#[inline]
pub fn append(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() > 16 {
        return out.extend_from_slice(text);
    }
    let end = out.len() + text.len();
    out.reserve(16);
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        out.extend_from_slice(first);
        out.truncate(end - 8);
        out.extend_from_slice(last);
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        out.extend_from_slice(first);
        out.truncate(end - 4);
        out.extend_from_slice(last);
    } else {
        for byte in text {
            out.push(*byte);
        }
    }
}

/// Writes a value as `-p` prints it: numbers in the field's format, times in ns, text without
/// characters that a terminal would act on, buffers by the mode chosen.
pub fn write_value(value: &Value<'_>, field: &FieldRef, options: &ExtractOptions, out: &mut Vec<u8>) {
    match *value {
        Value::Text(text) if field.field.flags.contains(FieldFlags::RENDERED) => append(out, text),
        Value::Text(text) => match field.field.class {
            Class::Fd | Class::FsPath | Class::Fdlist => write_path(out, text),
            _ => write_printable(out, text),
        },
        Value::Bool(b) => out.extend_from_slice(if b { b"true" } else { b"false" }),
        Value::Int(n) => write_number(out, n, 64, field.format),
        Value::Uint(n) | Value::Reltime(n) | Value::Abstime(n) => match field.format {
            ParamFormat::Hex | ParamFormat::Oct => write_number(out, n.cast_signed(), 64, field.format),
            ParamFormat::PaddedDec => write_padded(out, n, 9),
            _ => write_unsigned(out, n),
        },
        Value::Double(n) => {
            // Writing into memory cannot fail.
            let _ = write!(out, "{n:.1}");
        }
        Value::Buffer(bytes) => write_buffer(out, bytes, options),
        Value::Ip(ip) => write_ip(out, ip),
        Value::Port(port) => write_unsigned(out, u64::from(port)),
    }
}

/// Writes a text of a traced program without what a terminal would act on: control characters and
/// broken UTF-8 are dropped.
pub fn write_printable(out: &mut Vec<u8>, text: &[u8]) {
    write_safe(out, text, None);
}

/// As [`write_printable`], with a dot in the place of what is dropped, so that paths keep their shape.
pub fn write_path(out: &mut Vec<u8>, text: &[u8]) {
    write_safe(out, text, Some(b'.'));
}

fn write_safe(out: &mut Vec<u8>, text: &[u8], placeholder: Option<u8>) {
    // All bytes at once: to stop at the first that is not printable would take longer.
    if text.iter().fold(true, |all, b| all & is_printable(*b)) {
        return append(out, text);
    }
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                out.extend(placeholder);
            } else {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        out.extend(
            placeholder.map(|dot| std::iter::repeat_n(dot, chunk.invalid().len())).into_iter().flatten(),
        );
    }
}

/// Writes data as ASCII, with a dot in the place of each byte that has no character.
pub(super) fn write_dotted(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|b| if is_printable(*b) { *b } else { b'.' }));
}

#[inline]
pub(super) const fn is_printable(byte: u8) -> bool {
    byte >= 0x20 && byte < 0x7f
}

/// Decimal digits.
#[inline]
pub(super) fn write_unsigned(out: &mut Vec<u8>, n: u64) {
    // CPUs, fds, lengths: many numbers have one digit.
    if n < 10 {
        return out.push(b'0' + n as u8);
    }
    append(out, itoa::Buffer::new().format(n).as_bytes());
}

/// Decimal digits with a sign when negative.
#[inline]
pub(super) fn write_signed(out: &mut Vec<u8>, n: i64) {
    if let 0..10 = n {
        return out.push(b'0' + n as u8);
    }
    append(out, itoa::Buffer::new().format(n).as_bytes());
}

/// Decimal digits with zeros in front up to `width`.
pub(super) fn write_padded(out: &mut Vec<u8>, n: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(n).as_bytes();
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits);
}

/// Hexadecimal digits without prefix.
pub(super) fn write_hex(out: &mut Vec<u8>, mut n: u64, digits: &[u8; 16]) {
    let mut text = [0u8; 16];
    let mut at = text.len();
    for slot in text.iter_mut().rev() {
        *slot = digits[(n & 15) as usize];
        at -= 1;
        n >>= 4;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}

pub(super) const UPPER: &[u8; 16] = b"0123456789ABCDEF";
pub(super) const LOWER: &[u8; 16] = b"0123456789abcdef";

/// A number of `bits` bits in a schema format. Decimal numbers are signed whatever their type:
/// the largest unsigned one shows as -1.
pub(super) fn write_number(out: &mut Vec<u8>, n: i64, bits: u32, format: ParamFormat) {
    let raw = n.cast_unsigned() & (u64::MAX >> (64 - bits.clamp(1, 64)));
    match format {
        ParamFormat::Hex => write_hex(out, raw, UPPER),
        ParamFormat::Oct => {
            if raw != 0 {
                out.push(b'0');
            }
            write_octal(out, raw);
        }
        ParamFormat::PaddedDec => {
            if n < 0 {
                out.push(b'-');
            }
            write_padded(out, n.unsigned_abs(), 9);
        }
        ParamFormat::Na | ParamFormat::Dec | ParamFormat::Id | ParamFormat::Dir => write_signed(out, n),
    }
}

fn write_octal(out: &mut Vec<u8>, n: u64) {
    let digits = (64 - n.leading_zeros()).div_ceil(3).max(1);
    out.extend((0..digits).rev().map(|i| b'0' + ((n >> (3 * i)) & 7) as u8));
}

/// A number with up to six significant digits, in scientific notation when very small or large:
/// how times in seconds are shown.
pub(super) fn write_general(out: &mut Vec<u8>, n: f64) {
    const DIGITS: i32 = 6;
    let mut scientific = Vec::with_capacity(24);
    let _ = write!(scientific, "{n:.*e}", (DIGITS - 1) as usize);
    let split = scientific.iter().position(|b| *b == b'e').unwrap_or(scientific.len());
    let (mantissa, exponent) = scientific.split_at(split);
    let exponent =
        std::str::from_utf8(exponent).ok().and_then(|e| e.get(1..)?.parse::<i32>().ok()).unwrap_or(0);
    let start = out.len();
    if (-4..DIGITS).contains(&exponent) {
        let _ = write!(out, "{n:.*}", (DIGITS - 1 - exponent).max(0) as usize);
        drop_final_zeros(out, start);
        return;
    }
    out.extend_from_slice(mantissa);
    drop_final_zeros(out, start);
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    write_padded(out, u64::from(exponent.unsigned_abs()), 2);
}

fn drop_final_zeros(out: &mut Vec<u8>, start: usize) {
    if out.get(start..).is_some_and(|text| text.contains(&b'.')) {
        while out.last() == Some(&b'0') {
            out.pop();
        }
        if out.last() == Some(&b'.') {
            out.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::find;

    fn shown(field: &str, value: Value<'_>) -> String {
        let mut out = Vec::new();
        write_value(&value, &find(field).unwrap(), &ExtractOptions::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_of_all_lengths_are_appended() {
        let text: Vec<u8> = (0..40).collect();
        for len in 0..text.len() {
            let mut out = b"before ".to_vec();
            append(&mut out, &text[..len]);
            append(&mut out, b" after");
            assert_eq!(out, [b"before ", &text[..len], b" after"].concat());
        }
    }

    #[test]
    fn values_are_printed_in_the_format_of_their_field() {
        assert_eq!(shown("evt.num", Value::Uint(7)), "7");
        assert_eq!(shown("user.uid", Value::Uint(u64::from(u32::MAX))), "4294967295");
        assert_eq!(shown("evt.rawtime.ns", Value::Abstime(17834289)), "017834289");
        assert_eq!(shown("evt.latency", Value::Reltime(602)), "602");
        assert_eq!(shown("fd.dev", Value::Uint(0xfe00)), "FE00");
        assert_eq!(shown("proc.fdusage", Value::Double(0.0488)), "0.0");
        assert_eq!(shown("evt.failed", Value::Bool(true)), "true");
        assert_eq!(shown("fd.sport", Value::Port(80)), "80");
        assert_eq!(shown("fd.sip", Value::Ip([127, 0, 0, 1].into())), "127.0.0.1");
        assert_eq!(shown("proc.name", Value::Text(b"a\x1b[1mb\xc3\xa9\xff\xc2\x9bc")), "a[1mb\u{e9}c");
        assert_eq!(shown("fd.name", Value::Text(b"/a\x01b\xff")), "/a.b.");
    }

    #[test]
    fn numbers_follow_the_schema_formats() {
        let number = |n, bits, format| {
            let mut out = Vec::new();
            write_number(&mut out, n, bits, format);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(number(-1, 64, ParamFormat::Dec), "-1");
        assert_eq!(number(0x7FEC_121A_2000, 64, ParamFormat::Hex), "7FEC121A2000");
        assert_eq!(number(-1, 32, ParamFormat::Hex), "FFFFFFFF");
        assert_eq!(number(0, 64, ParamFormat::Hex), "0");
        assert_eq!(number(0o600, 32, ParamFormat::Oct), "0600");
        assert_eq!(number(0, 32, ParamFormat::Oct), "0");
        assert_eq!(number(42, 64, ParamFormat::PaddedDec), "000000042");
    }

    #[test]
    fn seconds_have_six_digits() {
        let seconds = |ns: u64| {
            let mut out = Vec::new();
            write_general(&mut out, ns as f64 / 1e9);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(seconds(1_000_000_000), "1");
        assert_eq!(seconds(500_000_000), "0.5");
        assert_eq!(seconds(0), "0");
        assert_eq!(seconds(1_234_567_890), "1.23457");
        assert_eq!(seconds(10_000), "1e-05");
        assert_eq!(seconds(2_000_000_000_000_000), "2e+06");
    }
}
