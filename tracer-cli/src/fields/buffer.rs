//! Data buffers as text: `-A`, `-x`, `-X`, `-b`.

use super::table::{BufferMode, ExtractOptions};
use super::write::{LOWER, is_printable, write_dotted};

/// Longest buffer text of the normal mode, in characters.
const SHOWN: usize = 80;
/// Bytes in a row of the hexadecimal modes.
const ROW: usize = 16;

/// Writes a buffer in the mode that was asked for. An empty one is empty in all of them.
pub fn write_buffer(out: &mut Vec<u8>, bytes: &[u8], options: &ExtractOptions) {
    if bytes.is_empty() {
        return;
    }
    match options.buffer {
        BufferMode::Printable if options.whole_buffers || bytes.len() <= SHOWN => write_dotted(out, bytes),
        BufferMode::Printable => {
            write_dotted(out, bytes.get(..SHOWN - 3).unwrap_or(bytes));
            out.extend_from_slice(b"...");
        }
        BufferMode::Ascii => write_ascii(out, bytes),
        BufferMode::Hex => write_rows(out, bytes, false),
        BufferMode::HexAscii => write_rows(out, bytes, true),
        BufferMode::Base64 => write_base64(out, bytes),
    }
}

/// Printable characters and line ends, from a new line on, so that one at the very beginning is left
/// out; CR LF and CR are line ends too.
fn write_ascii(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'\n');
    let bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
    let mut before = 0;
    for &byte in bytes {
        match byte {
            b'\r' => out.push(b'\n'),
            b'\n' if before == b'\r' => {}
            b'\n' => out.push(b'\n'),
            _ if is_printable(byte) => out.push(byte),
            _ => {}
        }
        before = byte;
    }
}

fn write_rows(out: &mut Vec<u8>, bytes: &[u8], ascii: bool) {
    out.push(b'\n');
    for (i, row) in bytes.chunks(ROW).enumerate() {
        let offset = i * ROW;
        out.extend_from_slice(b"\t0x");
        for shift in [12, 8, 4, 0] {
            out.push(LOWER[(offset >> shift) & 15]);
        }
        out.push(b':');
        for pair in row.chunks(2) {
            out.push(b' ');
            for byte in pair {
                out.push(LOWER[usize::from(byte >> 4)]);
                out.push(LOWER[usize::from(byte & 15)]);
            }
        }
        if ascii {
            // A half-filled pair gets no padding, as in the original.
            let missing = ROW / 2 - row.len().div_ceil(2);
            out.extend(std::iter::repeat_n(b' ', missing * 5 + 2));
            write_dotted(out, row);
        }
        out.push(b'\n');
    }
}

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            out.push(if i > group.len() { b'=' } else { DIGITS[(bits >> (18 - 6 * i)) as usize & 63] });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], buffer: BufferMode, whole_buffers: bool) -> String {
        let mut out = Vec::new();
        write_buffer(&mut out, bytes, &ExtractOptions { buffer, whole_buffers, ..Default::default() });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn long_buffers_are_cut_at_80_characters() {
        assert_eq!(shown(&[b'a'; 80], BufferMode::Printable, false), "a".repeat(80));
        assert_eq!(shown(&[b'a'; 81], BufferMode::Printable, false), "a".repeat(77) + "...");
        assert_eq!(shown(&[b'a'; 81], BufferMode::Printable, true), "a".repeat(81));
        assert_eq!(shown(b"a\x01\n\xffb", BufferMode::Printable, false), "a...b");
    }

    #[test]
    fn text_keeps_line_ends() {
        assert_eq!(
            shown(b"GET / HTTP/1.1\r\nA: b\rc\n\n\x1b[x", BufferMode::Ascii, false),
            "\nGET / HTTP/1.1\nA: b\nc\n\n[x"
        );
        assert_eq!(shown(b"", BufferMode::Ascii, false), "");
        assert_eq!(shown(b"\n\nuser nginx;\n", BufferMode::Ascii, false), "\n\nuser nginx;\n");
    }

    #[test]
    fn rows_look_like_those_of_sysdig() {
        let row = b"-g\0daemon off;\0";
        assert_eq!(shown(row, BufferMode::Hex, false), "\n\t0x0000: 2d67 0064 6165 6d6f 6e20 6f66 663b 00\n");
        assert_eq!(
            shown(row, BufferMode::HexAscii, false),
            "\n\t0x0000: 2d67 0064 6165 6d6f 6e20 6f66 663b 00  -g.daemon off;.\n"
        );
        assert_eq!(
            shown(b"ccept: */*\r\n\r\n", BufferMode::HexAscii, false),
            "\n\t0x0000: 6363 6570 743a 202a 2f2a 0d0a 0d0a       ccept: */*....\n"
        );
        assert_eq!(shown(&[0; 17], BufferMode::Hex, false).lines().nth(2), Some("\t0x0010: 00"));
    }

    #[test]
    fn base64_is_padded() {
        assert_eq!(shown(b"\x7fELF", BufferMode::Base64, false), "f0VMRg==");
        assert_eq!(shown(b"abcde", BufferMode::Base64, false), "YWJjZGU=");
        assert_eq!(shown(b"abc", BufferMode::Base64, false), "YWJj");
    }
}
