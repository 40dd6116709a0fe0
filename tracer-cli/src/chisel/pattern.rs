//! Lua's patterns, matched so that somebody can end it.
//!
//! A pattern of a few bytes can take longer than the universe lasts (`a?` thirty times), and no hook runs in the library
//! that comes with LuaJIT. This matcher goes by the same rules (section 5.4.1 of the Lua 5.1 manual, with `%g` and `%f`)
//! and asks now and then whether it is to stop.

use std::ffi::CStr;

/// Most captures of a pattern.
const MAX_CAPTURES: usize = 32;
/// How deep items are tried within each other: each takes stack.
const MAX_DEPTH: u32 = 200;
/// Steps between questions whether to stop: some hundred microseconds.
const STRIDE: u32 = 1 << 16;

/// Why there is no answer. The texts are Lua's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The pattern is wrong.
    Malformed(&'static CStr),
    /// It takes too much stack.
    TooComplex,
    /// The matcher was told to stop.
    Ended,
}

/// A part of the subject that a pattern captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// Begins here and has no end yet.
    Open(usize),
    /// From here, so long.
    Text(usize, usize),
    /// `()`: the place itself, from 0.
    Place(usize),
}

/// A pattern and what it is matched with. Has no destructor: errors of Lua skip them.
pub struct Matcher<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    captures: [Capture; MAX_CAPTURES],
    count: usize,
    depth: u32,
    steps: u32,
    is_ended: fn() -> bool,
}

type Answer = Result<Option<usize>, Fault>;

impl<'a> Matcher<'a> {
    /// `is_ended` says, when asked now and then, whether to stop.
    pub fn new(subject: &'a [u8], pattern: &'a [u8], is_ended: fn() -> bool) -> Self {
        let captures = [Capture::Place(0); MAX_CAPTURES];
        Self { subject, pattern, captures, count: 0, depth: 0, steps: 0, is_ended }
    }

    /// Where the match that begins at `at` ends.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn match_at(&mut self, at: usize) -> Answer {
        self.count = 0;
        self.depth = 0;
        self.try_rest(at, 0)
    }

    /// The captures of the last match.
    pub fn captures(&self) -> &[Capture] {
        self.captures.get(..self.count).unwrap_or_default()
    }

    /// Matches the pattern from `item` on with the subject from `at` on.
    fn try_rest(&mut self, at: usize, item: usize) -> Answer {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::TooComplex);
        }
        self.depth += 1;
        let answer = self.follow(at, item);
        self.depth -= 1;
        answer
    }

    fn follow(&mut self, mut at: usize, mut item: usize) -> Answer {
        loop {
            self.step(1)?;
            match self.rest(item) {
                [] => return Ok(Some(at)),
                [b'(', b')', ..] => return self.capture(Capture::Place(at), at, item + 2),
                [b'(', ..] => return self.capture(Capture::Open(at), at, item + 1),
                [b')', ..] => return self.close(at, item + 1),
                [b'$'] => return Ok((at == self.subject.len()).then_some(at)),
                [b'%', b'b', rest @ ..] => {
                    let [open, close, ..] = *rest else {
                        return Err(Fault::Malformed(c"unbalanced pattern"));
                    };
                    match self.balanced(at, open, close)? {
                        Some(end) => (at, item) = (end, item + 4),
                        None => return Ok(None),
                    }
                }
                [b'%', b'f', ..] => {
                    if self.rest(item + 2).first() != Some(&b'[') {
                        return Err(Fault::Malformed(c"missing '[' after '%f' in pattern"));
                    }
                    let end = self.item_end(item + 2)?;
                    let before = at.checked_sub(1).and_then(|i| self.subject.get(i)).copied().unwrap_or(0);
                    let after = self.subject.get(at).copied().unwrap_or(0);
                    let set = self.pattern.get(item + 2..end).unwrap_or_default();
                    if accepts(set, before) || !accepts(set, after) {
                        return Ok(None);
                    }
                    item = end;
                }
                [b'%', digit @ b'0'..=b'9', ..] => {
                    let captured =
                        match usize::from(digit - b'0').checked_sub(1).map(|i| self.captures().get(i)) {
                            Some(Some(Capture::Text(from, length))) => self.subject.get(*from..from + length),
                            _ => return Err(Fault::Malformed(c"invalid capture index")),
                        };
                    let captured = captured.unwrap_or_default();
                    self.step(captured.len())?;
                    if !self.subject.get(at..).unwrap_or_default().starts_with(captured) {
                        return Ok(None);
                    }
                    (at, item) = (at + captured.len(), item + 2);
                }
                _ => {
                    let end = self.item_end(item)?;
                    let class = self.pattern.get(item..end).unwrap_or_default();
                    match self.pattern.get(end) {
                        Some(b'*') => return self.longest(at, class, end + 1),
                        Some(b'+') if !self.accepted(class, at) => return Ok(None),
                        Some(b'+') => return self.longest(at + 1, class, end + 1),
                        Some(b'-') => return self.shortest(at, class, end + 1),
                        Some(b'?') => {
                            if self.accepted(class, at)
                                && let found @ Some(_) = self.try_rest(at + 1, end + 1)?
                            {
                                return Ok(found);
                            }
                            item = end + 1;
                        }
                        _ if !self.accepted(class, at) => return Ok(None),
                        _ => (at, item) = (at + 1, end),
                    }
                }
            }
        }
    }

    fn rest(&self, item: usize) -> &'a [u8] {
        self.pattern.get(item..).unwrap_or_default()
    }

    /// Counts steps, and asks now and then.
    fn step(&mut self, steps: usize) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(u32::try_from(steps).unwrap_or(u32::MAX));
        if self.steps < STRIDE {
            return Ok(());
        }
        self.steps = 0;
        if (self.is_ended)() { Err(Fault::Ended) } else { Ok(()) }
    }

    fn accepted(&self, class: &[u8], at: usize) -> bool {
        self.subject.get(at).is_some_and(|byte| accepts(class, *byte))
    }

    /// As many as there are, then fewer.
    fn longest(&mut self, at: usize, class: &[u8], next: usize) -> Answer {
        let subject = self.subject.get(at..).unwrap_or_default();
        let most = subject.iter().position(|byte| !accepts(class, *byte)).unwrap_or(subject.len());
        self.step(most)?;
        for end in (at..=at + most).rev() {
            if let found @ Some(_) = self.try_rest(end, next)? {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// None, then more.
    fn shortest(&mut self, mut at: usize, class: &[u8], next: usize) -> Answer {
        loop {
            if let found @ Some(_) = self.try_rest(at, next)? {
                return Ok(found);
            }
            if !self.accepted(class, at) {
                return Ok(None);
            }
            at += 1;
        }
    }

    fn capture(&mut self, capture: Capture, at: usize, next: usize) -> Answer {
        let place = self.captures.get_mut(self.count).ok_or(Fault::Malformed(c"too many captures"))?;
        *place = capture;
        self.count += 1;
        let found = self.try_rest(at, next)?;
        if found.is_none() {
            self.count -= 1;
        }
        Ok(found)
    }

    fn close(&mut self, at: usize, next: usize) -> Answer {
        let count = self.count;
        let last_open = |captures: &mut [Capture; MAX_CAPTURES]| -> Option<(usize, usize)> {
            let open =
                captures.iter().take(count).rposition(|capture| matches!(capture, Capture::Open(_)))?;
            match captures.get(open) {
                Some(Capture::Open(start)) => Some((open, *start)),
                _ => None,
            }
        };
        let (place, start) =
            last_open(&mut self.captures).ok_or(Fault::Malformed(c"invalid pattern capture"))?;
        self.captures[place] = Capture::Text(start, at - start);
        let found = self.try_rest(at, next)?;
        if found.is_none() {
            self.captures[place] = Capture::Open(start);
        }
        Ok(found)
    }

    /// `%b()`: where the text ends that begins with `open` and has as many `close`.
    fn balanced(&mut self, at: usize, open: u8, close: u8) -> Answer {
        let text = self.subject.get(at..).unwrap_or_default();
        if text.first() != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1;
        for (i, byte) in text.iter().enumerate().skip(1) {
            if *byte == close {
                depth -= 1;
                if depth == 0 {
                    self.step(i)?;
                    return Ok(Some(at + i + 1));
                }
            } else if *byte == open {
                depth += 1;
            }
        }
        self.step(text.len())?;
        Ok(None)
    }

    /// Where the single character class at `item` ends.
    fn item_end(&self, item: usize) -> Result<usize, Fault> {
        match self.rest(item) {
            [b'%'] => Err(Fault::Malformed(c"malformed pattern (ends with '%')")),
            [b'%', ..] => Ok(item + 2),
            [b'[', rest @ ..] => {
                let mut at = usize::from(rest.first() == Some(&b'^'));
                loop {
                    // The first character stands for itself also when it is `]`.
                    at += match rest.get(at..) {
                        Some([b'%', _, ..]) => 2,
                        Some([_, ..]) => 1,
                        _ => return Err(Fault::Malformed(c"malformed pattern (missing ']')")),
                    };
                    if rest.get(at) == Some(&b']') {
                        return Ok(item + at + 2);
                    }
                }
            }
            _ => Ok(item + 1),
        }
    }
}

/// Whether a pattern is only a text to look for.
pub fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

/// Whether a class such as `x`, `.`, `%d` or `[a-z_]` has this byte in it.
#[inline]
fn accepts(class: &[u8], byte: u8) -> bool {
    match class {
        [b'.'] => true,
        [literal] => *literal == byte,
        [b'%', letter] => is_of(*letter, byte),
        [b'[', b'^', set @ .., b']'] => !is_in(set, byte),
        [b'[', set @ .., b']'] => is_in(set, byte),
        _ => false,
    }
}

fn is_in(mut set: &[u8], byte: u8) -> bool {
    loop {
        let (is_in, rest) = match set {
            [b'%', letter, rest @ ..] => (is_of(*letter, byte), rest),
            [first, b'-', last, rest @ ..] => ((*first..=*last).contains(&byte), rest),
            [literal, rest @ ..] => (*literal == byte, rest),
            [] => return false,
        };
        if is_in {
            return true;
        }
        set = rest;
    }
}

/// `%a` and its kin; upper case means the opposite, and what is no letter itself.
fn is_of(letter: u8, byte: u8) -> bool {
    let is_of = match letter.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return letter == byte,
    };
    is_of != letter.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The match that begins at the start of the subject, and its captures.
    fn matched(subject: &str, pattern: &str) -> Result<Option<(usize, Vec<Capture>)>, Fault> {
        let mut matcher = Matcher::new(subject.as_bytes(), pattern.as_bytes(), || false);
        let end = matcher.match_at(0)?;
        Ok(end.map(|end| (end, matcher.captures().to_vec())))
    }

    #[test]
    fn items() {
        for (subject, pattern, end) in [
            ("hello", "h.l*o", Some(5)),
            ("hello", "h.l-", Some(2)),
            ("aab", "a+b?", Some(3)),
            ("b", "a+", None),
            ("a]b", "[]a]+", Some(2)),
            ("x-1", "[%a-]+", Some(2)),
            ("x-1", "[^%d]+", Some(2)),
            ("a-z", "[a-]+", Some(2)),
            ("f(a(b)c)d", "f%b()", Some(8)),
            ("THE end", "%u+%f[%A]", Some(3)),
            ("abab!", "(ab)%1", Some(4)),
            ("abac!", "(ab)%1", None),
            ("end", "end$", Some(3)),
            ("ends", "end$", None),
            ("a$b", "a$b", Some(3)),
            ("\x0b x", "%s+%S", Some(3)),
            ("é", "%g", None),
        ] {
            assert_eq!(matched(subject, pattern).unwrap().map(|(end, _)| end), end, "{subject} {pattern}");
        }
        let (_, captures) = matched("key=val", "(%w+)=()(%w*)").unwrap().unwrap();
        assert_eq!(captures, [Capture::Text(0, 3), Capture::Place(4), Capture::Text(4, 3)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for pattern in ["[a", "%", "[%", "(x", "x)", "%1", "%bx", "%fx"] {
            match matched("x", pattern) {
                // A capture without end is found out by whoever asks for it.
                Ok(Some((_, captures))) => assert_eq!(captures, [Capture::Open(0)], "{pattern}"),
                other => assert!(matches!(other, Err(Fault::Malformed(_))), "{pattern}: {other:?}"),
            }
        }
        assert_eq!(matched(&"a".repeat(500), &"a?".repeat(500)), Err(Fault::TooComplex));
    }

    #[test]
    fn it_can_be_told_to_stop() {
        let (subject, pattern) = ("a".repeat(60), format!("{}b", "a-".repeat(30)));
        assert_eq!(
            Matcher::new(subject.as_bytes(), pattern.as_bytes(), || true).match_at(0),
            Err(Fault::Ended)
        );
    }
}
