//! A screen of lines that grows: what is read and written (echo), or the events themselves (dig).

use super::lines::{Line, Tone};
use crate::fields::table::BufferMode;
use std::collections::VecDeque;

/// Most lines that are kept.
const MAX_LINES: usize = 200_000;

/// What the lines are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    Echo,
    Dig,
}

/// The ways to show data, with their names in the menu.
pub const MODES: [(&str, BufferMode); 4] = [
    ("Printable ASCII", BufferMode::Ascii),
    ("Dotted ASCII", BufferMode::Printable),
    ("Hex", BufferMode::Hex),
    ("Hex and ASCII", BufferMode::HexAscii),
];

/// The lines and where in them the reader is.
pub struct TextScreen {
    pub about: About,
    pub mode: usize,
    pub lines: VecDeque<Line>,
    /// Lines that were dropped, here or on the way.
    pub dropped: u64,
    /// First line and first column on the screen.
    pub top: usize,
    pub shift: usize,
    /// New lines are scrolled into view.
    pub follow: bool,
    pub find: String,
    /// The line found last.
    pub found: Option<usize>,
}

impl TextScreen {
    pub fn new(about: About, follow: bool) -> Self {
        let mode = if about == About::Echo { 0 } else { 1 };
        Self {
            about,
            mode,
            lines: VecDeque::new(),
            dropped: 0,
            top: 0,
            shift: 0,
            follow,
            find: String::new(),
            found: None,
        }
    }

    pub fn buffer_mode(&self) -> BufferMode {
        MODES.get(self.mode).map_or(BufferMode::Ascii, |(_, mode)| *mode)
    }

    /// Adds lines; `height` is how many the screen has.
    pub fn extend(&mut self, lines: Vec<Line>, dropped: u64, height: usize) {
        self.dropped += dropped;
        self.lines.extend(lines);
        while self.lines.len() > MAX_LINES {
            self.lines.pop_front();
            self.dropped += 1;
            self.top = self.top.saturating_sub(1);
            self.found = self.found.and_then(|at| at.checked_sub(1));
        }
        if self.follow {
            self.top = self.last_top(height);
        }
    }

    fn last_top(&self, height: usize) -> usize {
        self.lines.len().saturating_sub(height)
    }

    /// Scrolls by so many lines. At the end it follows again.
    pub fn scroll(&mut self, by: isize, height: usize) {
        self.top = self.top.saturating_add_signed(by).min(self.last_top(height));
        self.follow = by > 0 && self.top == self.last_top(height);
    }

    pub fn clear(&mut self) {
        self.lines.clear();
        self.dropped = 0;
        self.top = 0;
        self.found = None;
    }

    /// Goes to the next line with the text that is looked for, from the line `from` on and then from the beginning.
    /// `false`: there is none.
    pub fn search(&mut self, from: usize, height: usize) -> bool {
        let needle = self.find.to_lowercase();
        if needle.is_empty() {
            return false;
        }
        let count = self.lines.len();
        let has = |at: &usize| self.lines.get(*at).is_some_and(|l| l.text.to_lowercase().contains(&needle));
        let found = (from..count).chain(0..from.min(count)).find(has);
        if let Some(at) = found {
            self.found = Some(at);
            self.follow = false;
            if at < self.top || at >= self.top + height {
                self.top = at.saturating_sub(height / 2).min(self.last_top(height));
            }
        }
        found.is_some()
    }

    /// The next line after the one found last.
    pub fn search_next(&mut self, height: usize) -> bool {
        let from = self.found.map_or(self.top, |at| at + 1);
        self.search(from, height)
    }

    /// Shows the line with this number, from 1.
    pub fn go_to(&mut self, number: usize, height: usize) {
        self.top = number.saturating_sub(1).min(self.last_top(height));
        self.follow = false;
    }

    pub fn is_error(line: &Line) -> bool {
        line.tone == Tone::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(count: usize) -> TextScreen {
        let mut screen = TextScreen::new(About::Dig, true);
        let line = |n| Line { text: format!("line {n}"), tone: Tone::Plain };
        screen.extend((1..=count).map(line).collect(), 0, 10);
        screen
    }

    #[test]
    fn it_follows_until_somebody_scrolls_back() {
        let mut screen = screen(100);
        assert_eq!(screen.top, 90);
        screen.scroll(-5, 10);
        screen.extend(vec![Line { text: "new".to_owned(), tone: Tone::Plain }], 0, 10);
        assert_eq!(screen.top, 85);
        screen.scroll(100, 10);
        assert!(screen.follow && screen.top == 91);
    }

    #[test]
    fn searching_goes_round() {
        let mut screen = screen(100);
        screen.find = "LINE 7".to_owned();
        assert!(screen.search(0, 10));
        assert_eq!(screen.found, Some(6));
        assert!(screen.search_next(10));
        assert_eq!(screen.found, Some(69));
        screen.find = "nowhere".to_owned();
        assert!(!screen.search(0, 10));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut screen = screen(MAX_LINES + 5);
        assert_eq!((screen.lines.len(), screen.dropped), (MAX_LINES, 5));
        screen.clear();
        assert_eq!((screen.lines.len(), screen.top), (0, 0));
    }
}
