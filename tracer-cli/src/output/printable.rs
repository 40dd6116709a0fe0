//! Makes text of traced programs safe to show.
//!
//! File names, arguments and buffers are chosen by the programs that are watched. Sent to a terminal
//! as they are they could move the cursor, change its title or hide lines; a newline in a file name
//! could fake an event. So no control character is ever shown: each becomes a dot, as in data
//! buffers. Bytes that are not UTF-8 become U+FFFD, one for each broken sequence. All other text,
//! of any script, stays as it is.

use bstr::ByteSlice;

/// Whether line breaks and tabs belong to the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// They are control characters like any other: a value must not end its line.
    One,
    /// They stay: a hex dump, or a buffer whose lines were asked for.
    Many,
}

/// Makes everything in `out` from `start` on safe to show.
pub fn make_safe(out: &mut Vec<u8>, start: usize, lines: Lines) {
    let Some(text) = out.get_mut(start..) else { return };
    // Nearly all text is plain: one pass that the compiler turns into vector instructions.
    if !text.iter().fold(false, |odd, b| odd | !(0x20..0x7f).contains(b)) {
        return;
    }
    for byte in text.iter_mut() {
        let kept = lines == Lines::Many && matches!(*byte, b'\n' | b'\t');
        if !kept && (*byte < 0x20 || *byte == 0x7f) {
            *byte = b'.';
        }
    }
    if text.is_ascii() || is_clean_utf8(text) {
        return;
    }
    let odd = text.to_vec();
    out.truncate(start);
    for chunk in odd.utf8_chunks() {
        for c in chunk.valid().chars() {
            let shown = if is_control(c) && c > '\u{7f}' { '.' } else { c };
            out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Cuts what is in `out` from `start` on to `width` characters, or fills it up with blanks.
///
/// Characters count, not bytes, so that no character is cut in the middle.
pub fn fit(out: &mut Vec<u8>, start: usize, width: usize) {
    let Some(text) = out.get(start..) else { return };
    let mut count = 0;
    let mut end = None;
    for (at, _, _) in text.char_indices() {
        if count == width {
            end = Some(start + at);
            break;
        }
        count += 1;
    }
    match end {
        Some(end) => out.truncate(end),
        None => out.resize(out.len() + (width - count), b' '),
    }
}

/// Whether a character would be obeyed by a terminal rather than shown: the control characters and
/// those that reverse or isolate the direction of the text after them.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_clean_utf8(text: &[u8]) -> bool {
    // C1 controls and the direction characters start with these bytes; all else needs no look.
    text.to_str().is_ok_and(|t| !text.iter().any(|b| matches!(b, 0xc2 | 0xe2)) || !t.chars().any(|c| c > '\u{7f}' && is_control(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(text: &[u8], lines: Lines) -> String {
        let mut out = b"\x1b|".to_vec();
        out.extend_from_slice(text);
        make_safe(&mut out, 2, lines);
        assert_eq!(&out[..2], b"\x1b|", "what was there before stays");
        String::from_utf8(out[2..].to_vec()).unwrap()
    }

    #[test]
    fn plain_text_stays() {
        assert_eq!(safe(b"/usr/bin/cat a b", Lines::One), "/usr/bin/cat a b");
        assert_eq!(safe("Grüße 日本 © €".as_bytes(), Lines::One), "Grüße 日本 © €");
        assert_eq!(safe(b"", Lines::One), "");
    }

    #[test]
    fn escape_sequences_lose_their_escape() {
        assert_eq!(safe(b"a\x1b[2J\x07b\x7f", Lines::One), "a.[2J.b.");
        // U+009B starts an escape sequence in one character.
        assert_eq!(safe("a\u{9b}31mé".as_bytes(), Lines::One), "a.31mé");
        assert_eq!(safe("ab\u{202e}gpj.exe".as_bytes(), Lines::One), "ab.gpj.exe");
    }

    #[test]
    fn a_value_cannot_end_its_line_unless_lines_were_asked_for() {
        assert_eq!(safe(b"x\n1 12:00:00 fake\r\t", Lines::One), "x.1 12:00:00 fake..");
        assert_eq!(safe(b"\n\t0x0000: 41\r\x1b", Lines::Many), "\n\t0x0000: 41..");
    }

    #[test]
    fn broken_utf8_becomes_one_replacement_a_sequence() {
        assert_eq!(safe(b"a\xff\xfeb\xe2\x82", Lines::One), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(safe(b"\x9b31m\x01", Lines::One), "\u{fffd}31m.");
    }

    #[test]
    fn widths_count_characters() {
        let fitted = |text: &str, width| {
            let mut out = b"__".to_vec();
            out.extend_from_slice(text.as_bytes());
            fit(&mut out, 2, width);
            String::from_utf8(out[2..].to_vec()).unwrap()
        };
        assert_eq!(fitted("abc", 5), "abc  ");
        assert_eq!(fitted("abc", 3), "abc");
        assert_eq!(fitted("abcdef", 3), "abc");
        assert_eq!(fitted("日本語", 2), "日本");
        assert_eq!(fitted("é", 3), "é  ");
        assert_eq!(fitted("abc", 0), "");
        assert_eq!(fitted("", 0), "");
    }
}
