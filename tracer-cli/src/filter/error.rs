//! What is wrong with a filter, where, and what was probably meant.

use super::ast::Span;
use std::fmt::Write as _;

/// A filter that cannot be used.
///
/// `Display` is one line; [`FilterError::render`] shows the filter with a caret under the fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter error at position {}: {message}{}", .span.start + 1, did_you_mean(.suggestion))]
pub struct FilterError {
    /// What is wrong and what was expected, without final stop.
    pub message: String,
    /// The offending bytes of the filter; empty at the end of the text when something is missing.
    pub span: Span,
    /// What stands nearest to the offending text: a field, operator, event or function name.
    pub suggestion: Option<String>,
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or_else(String::new, |s| format!("; did you mean {s}?"))
}

impl FilterError {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, suggestion: None }
    }

    pub(super) fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// Several lines: the message, the line of the filter with the fault, carets under it.
    pub fn render(&self, source: &str) -> String {
        let start = floor(source, self.span.start);
        let end = floor(source, self.span.end).max(start);
        let line_start = source[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |i| start + i);
        let before = source[line_start..start].chars().count();
        let under = source[start..end.min(line_end).max(start)].chars().count().max(1);
        // One column per character, whatever it is, so that the carets stay below their text.
        let shown: String =
            source[line_start..line_end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut out = format!("filter error: {}\n  {shown}\n  ", self.message);
        out.extend(std::iter::repeat_n(' ', before).chain(std::iter::repeat_n('^', under)));
        if let Some(suggestion) = &self.suggestion {
            let _ = write!(out, " did you mean {suggestion}?");
        }
        out
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The candidate that `word` is most likely a misspelling of, if any comes near.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(64).collect::<String>().to_ascii_lowercase();
    let best = candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&word, c), c))
        .min_by_key(|(distance, _)| *distance)?;
    (best.0 <= 1 + word.chars().count() / 3 && best.0 < word.chars().count()).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_below_the_fault() {
        let error = FilterError::new(Span::new(4, 7), "no such thing").suggest(Some("ding"));
        assert_eq!(
            error.render("abc dng = 1"),
            "filter error: no such thing\n  abc dng = 1\n      ^^^ did you mean ding?"
        );
        assert_eq!(error.to_string(), "filter error at position 5: no such thing; did you mean ding?");
    }

    #[test]
    fn only_the_line_with_the_fault_is_shown() {
        let error = FilterError::new(Span::new(6, 8), "bad");
        assert_eq!(error.render("abc\nd\té x\nlast"), "filter error: bad\n  d é x\n    ^");
    }

    #[test]
    fn spans_outside_the_text_do_no_harm() {
        let error = FilterError::new(Span::new(50, 70), "bad");
        assert_eq!(error.render("é"), "filter error: bad\n  é\n   ^");
        assert_eq!(FilterError::new(Span::new(1, 1), "bad").render("é"), "filter error: bad\n  é\n  ^");
    }

    #[test]
    fn far_words_are_not_suggested() {
        assert_eq!(nearest("contians", ["contains", "in"]), Some("contains"));
        assert_eq!(nearest("zzz", ["contains", "in"]), None);
        assert_eq!(nearest("", ["in"]), None);
    }
}
