//! What is wrong with a filter, where, and what was probably meant.

use super::ast::Span;
use crate::caret;
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
        Self { message: caret::shorten(message.into()), span, suggestion: None }
    }

    pub(super) fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// Several lines: the message, the line of the filter with the fault, carets under it.
    pub fn render(&self, source: &str) -> String {
        let fault = caret::point(source, self.span.start..self.span.end);
        let mut out = format!("filter error: {}\n{fault}", self.message);
        if let Some(suggestion) = &self.suggestion {
            let _ = write!(out, " did you mean {suggestion}?");
        }
        out
    }
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
    fn far_words_are_not_suggested() {
        assert_eq!(nearest("contians", ["contains", "in"]), Some("contains"));
        assert_eq!(nearest("zzz", ["contains", "in"]), None);
        assert_eq!(nearest("", ["in"]), None);
    }
}
