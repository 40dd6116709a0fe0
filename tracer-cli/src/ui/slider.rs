//! The time slider over a capture: which part of it the screen shows.

use super::span::Activity;
use crate::window::{Bound, Window};

/// All of a capture and the part of it that is looked at; times in ns since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slider {
    first: u64,
    last: u64,
    from: u64,
    to: u64,
    pub activity: Option<Activity>,
}

impl Slider {
    /// Over a capture from `first` to `last`, with all of it or the part `from` … `to` chosen.
    pub fn new(first: u64, last: u64, part: Option<(u64, u64)>, activity: Option<Activity>) -> Self {
        let last = last.max(first + 1);
        let (from, to) = part.unwrap_or((first, last));
        let from = from.clamp(first, last - 1);
        Self { first, last, from, to: to.clamp(from + 1, last), activity }
    }

    /// Times of the capture.
    pub const fn extent(&self) -> (u64, u64) {
        (self.first, self.last)
    }

    /// Times of the part.
    pub const fn part(&self) -> (u64, u64) {
        (self.from, self.to)
    }

    /// `None` when the part is all there is.
    pub fn window(&self) -> Option<Window> {
        let is_whole = self.part() == self.extent();
        (!is_whole).then_some(Window { from: Some(Bound::Time(self.from)), to: Some(Bound::Time(self.to)) })
    }

    const fn width(&self) -> u64 {
        self.to - self.from
    }

    /// Moves the part by so many quarters of its width; it stays within the capture.
    pub fn move_by(&mut self, quarters: i64) {
        let by = (self.width() / 4).max(1).saturating_mul(quarters.unsigned_abs());
        let from = if quarters < 0 { self.from.saturating_sub(by) } else { self.from.saturating_add(by) };
        self.begin_at(from);
    }

    fn begin_at(&mut self, from: u64) {
        let width = self.width();
        self.from = from.clamp(self.first, self.last - width);
        self.to = self.from + width;
    }

    /// Half as wide, or twice, around the middle.
    pub fn zoom(&mut self, closer: bool) {
        let whole = self.last - self.first;
        let width = if closer { self.width() / 2 } else { self.width().saturating_mul(2) };
        let width = width.clamp(1, whole);
        let middle = self.from + self.width() / 2;
        self.from = middle.saturating_sub(width / 2).clamp(self.first, self.last - width);
        self.to = self.from + width;
    }

    /// To the begin of the capture, or its end.
    pub fn go_to_end(&mut self, end: bool) {
        self.begin_at(if end { self.last } else { self.first });
    }

    /// The middle of the part goes to this part (0 to 1) of the capture.
    pub fn place(&mut self, share: f64) {
        let at = self.first + ((self.last - self.first) as f64 * share.clamp(0.0, 1.0)) as u64;
        self.begin_at(at.saturating_sub(self.width() / 2));
    }

    /// All of the capture.
    pub const fn show_all(&mut self) {
        (self.from, self.to) = (self.first, self.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_moves_and_zooms() {
        let mut slider = Slider::new(1000, 9000, None, None);
        assert_eq!(slider.window(), None);
        slider.zoom(true);
        assert_eq!(slider.part(), (3000, 7000));
        slider.move_by(1);
        assert_eq!(slider.part(), (4000, 8000));
        slider.go_to_end(true);
        assert_eq!(slider.part(), (5000, 9000));
        slider.place(0.0);
        assert_eq!(slider.part(), (1000, 5000));
        slider.zoom(false);
        assert_eq!(slider.window(), None);
    }

    proptest! {
        #[test]
        fn the_part_is_never_empty_and_within(
            first in 0u64..1 << 60,
            len in 0u64..1 << 40,
            steps in prop::collection::vec(0..6u8, 0..40),
        ) {
            let mut slider = Slider::new(first, first + len, Some((first / 2, first + 7)), None);
            for step in steps {
                match step {
                    0 => slider.move_by(1),
                    1 => slider.move_by(-9),
                    2 => slider.zoom(true),
                    3 => slider.zoom(false),
                    4 => slider.go_to_end(true),
                    _ => slider.place(0.7),
                }
                let ((from, to), (begin, end)) = (slider.part(), slider.extent());
                prop_assert!(begin <= from && from < to && to <= end, "{:?}", slider);
            }
        }
    }
}
