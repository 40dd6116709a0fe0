//! Faults in a text that somebody typed, such as a filter: the text with carets under the fault.
//!
//! Texts may be as long as a command line can be, so that only the surroundings of the fault are shown.

use std::ops::Range;

/// Most characters of the text that are shown.
const WINDOW: usize = 160;

/// Characters shown before the fault when not all are.
const BEFORE: usize = 60;

/// Most characters of a message; longer ones repeat something long that was typed.
const MESSAGE: usize = 400;

/// Two lines: the line of `text` with the bytes `fault`, and carets below those.
///
/// Offsets beyond the text or inside of a character do no harm.
pub fn point(text: &str, fault: Range<usize>) -> String {
    let start = text.floor_char_boundary(fault.start);
    let end = text.floor_char_boundary(fault.end).max(start);
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let mut before = text[line_start..start].chars().count();
    let mut under = text[start..end.min(line_end)].chars().count().max(1);
    let mut rest = text[line_start..line_end].chars();
    let mut shown = String::new();
    if rest.clone().nth(WINDOW).is_some() && before > BEFORE {
        rest.nth(before - BEFORE - 1);
        shown.push('…');
        before = BEFORE + 1;
    }
    // One column per character, whatever it is, so that the carets stay below their text.
    shown.extend(rest.by_ref().take(WINDOW).map(|c| if c.is_control() { ' ' } else { c }));
    if rest.next().is_some() {
        under = under.min(shown.chars().count().saturating_sub(before).max(1));
        shown.push('…');
    }
    format!("  {shown}\n  {}{}", " ".repeat(before), "^".repeat(under))
}

/// The message without its middle when it is very long.
pub fn shorten(message: String) -> String {
    let count = message.chars().count();
    if count <= MESSAGE {
        return message;
    }
    let side = |keep: usize| message.char_indices().nth(keep).map_or(message.len(), |(at, _)| at);
    let (head, tail) = (side(MESSAGE / 2), side(count - MESSAGE / 4));
    format!("{}…{}", &message[..head], &message[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_shown_whole() {
        assert_eq!(point("abc dng = 1", 4..7), "  abc dng = 1\n      ^^^");
        assert_eq!(point("abc\nd\té x\nlast", 6..8), "  d é x\n    ^");
        assert_eq!(point("ab", 2..2), "  ab\n    ^");
    }

    #[test]
    fn offsets_outside_the_text_do_no_harm() {
        assert_eq!(point("é", 50..70), "  é\n   ^");
        assert_eq!(point("é", 1..1), "  é\n  ^");
        assert_eq!(point("", 0..9), "  \n  ^");
    }

    #[test]
    fn of_long_texts_the_surroundings_are_shown() {
        let text = format!("{}fault{}", "é".repeat(70_000), "z".repeat(70_000));
        let shown = point(&text, 140_000..140_005);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], format!("  …{}fault{}…", "é".repeat(60), "z".repeat(95)));
        assert_eq!(lines[1], format!("  {}^^^^^", " ".repeat(61)));
    }

    #[test]
    fn a_fault_longer_than_the_window_ends_with_it() {
        let text = "a".repeat(1_000_000);
        let shown = point(&text, 0..text.len());
        assert_eq!(shown, format!("  {}…\n  {}", "a".repeat(160), "^".repeat(160)));
        let shown = point(&text, 1000..text.len());
        assert_eq!(shown.lines().next_back().map(str::len), Some(2 + 61 + 100));
    }

    #[test]
    fn long_messages_lose_their_middle() {
        assert_eq!(shorten("unknown field x".to_owned()), "unknown field x");
        let long = shorten(format!("unknown field {} is too long", "é".repeat(100_000)));
        assert!(long.starts_with("unknown field é") && long.ends_with("é is too long"), "{long}");
        assert_eq!(long.chars().count(), 301);
    }
}
