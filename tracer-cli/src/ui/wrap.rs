//! Text in less room than it needs.

/// Blanks before the rest of a line whose second column is too far to the right.
const INDENT: usize = 4;

/// Lines cut between words into lines of at most `width` characters. What continues a line stands below the text of its
/// last column; where that leaves too little room, the column begins a line of its own.
pub fn wrapped<'a>(lines: impl IntoIterator<Item = &'a str>, width: usize) -> Vec<String> {
    let mut out = Vec::new();
    for line in lines {
        if line.chars().count() <= width {
            out.push(line.to_owned());
            continue;
        }
        let text = last_column(line);
        match line.get(..text) {
            Some(before) if before.chars().count() > width / 2 => {
                out.push(before.trim_end().to_owned());
                fill(&" ".repeat(INDENT), line.get(text..).unwrap_or(""), INDENT, width, &mut out);
            }
            Some(before) => {
                let indent = before.chars().count();
                fill(before, line.get(text..).unwrap_or(""), indent, width, &mut out);
            }
            None => out.push(line.to_owned()),
        }
    }
    out
}

/// Where the text behind the last gap of several blanks begins, in bytes.
fn last_column(line: &str) -> usize {
    let body = line.len() - line.trim_start().len();
    line.rfind("  ").map_or(body, |gap| (gap + 2).max(body))
}

/// Fills lines with the words of `text`, the first after `before`, the others after so many blanks.
fn fill(before: &str, text: &str, indent: usize, width: usize, out: &mut Vec<String>) {
    let mut line = before.to_owned();
    let mut is_empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = usize::from(!is_empty) + word.chars().count();
        if !is_empty && line.chars().count() + needed > width {
            out.push(std::mem::replace(&mut line, " ".repeat(indent)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    out.push(line);
}

/// The end of a text, which tells more than its begin, with an ellipsis before it.
pub fn end_of(text: &str, room: usize) -> String {
    let count = text.chars().count();
    if count <= room {
        return text.to_owned();
    }
    let kept = room.saturating_sub(1);
    std::iter::once('…').chain(text.chars().skip(count - kept)).take(room).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_continues_a_line_stands_below_its_text() {
        let line = ["  F5  e   what the selection reads and writes"];
        assert_eq!(wrapped(line, 60), line);
        assert_eq!(wrapped(line, 30), ["  F5  e   what the selection", "          reads and writes"]);
        assert_eq!(
            wrapped(line, 18),
            ["  F5  e", "    what the", "    selection", "    reads and", "    writes"]
        );
        assert_eq!(wrapped(["one two three"], 8), ["one two", "three"]);
        assert_eq!(end_of("abcdef", 4), "…def");
        assert_eq!(end_of("abc", 3), "abc");
        assert_eq!(end_of("abc", 0), "");
    }

    proptest! {
        #[test]
        fn no_word_is_lost(line in "[a-zé ]{0,60}", width in 1usize..50) {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let lines = wrapped([line.as_str()], width);
            prop_assert_eq!(words(&lines.join(" ")), words(&line));
        }
    }
}
