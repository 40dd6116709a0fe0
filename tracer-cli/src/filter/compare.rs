//! Comparisons of one value with constants, prepared once.

use super::ast::Operator;
use super::literal::Network;
use crate::fields::Value;
use bstr::ByteSlice;
use memchr::memmem::{self, Finder};
use regex::bytes::Regex;
use rustc_hash::FxHashSet;
use std::cmp::Ordering;
use std::net::IpAddr;

/// Equality and order. `!=` is no member: it asks whether none of a field's values is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Order {
    pub(super) fn of(op: Operator) -> Option<Order> {
        Some(match op {
            Operator::Eq | Operator::Ne => Order::Eq,
            Operator::Lt => Order::Lt,
            Operator::Le => Order::Le,
            Operator::Gt => Order::Gt,
            Operator::Ge => Order::Ge,
            _ => return None,
        })
    }

    #[inline]
    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Order::Eq => ordering.is_eq(),
            Order::Lt => ordering.is_lt(),
            Order::Le => ordering.is_le(),
            Order::Gt => ordering.is_gt(),
            Order::Ge => ordering.is_ge(),
        }
    }
}

/// A question about one value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Exists,
    Number(Order, i128),
    /// Sorted.
    NumberIn(Box<[i128]>),
    Double(Order, f64),
    DoubleIn(Box<[f64]>),
    /// Which of `false` and `true` are wanted.
    Bool([bool; 2]),
    Ip(Box<[IpAddr]>),
    Net(Box<[Network]>),
    Text(Order, Box<[u8]>),
    TextIn(TextSet),
    Contains(Box<Finder<'static>>),
    /// In lower case.
    Icontains(Box<[u8]>),
    Startswith(Box<[u8]>),
    Endswith(Box<[u8]>),
    Glob(Box<[u8]>),
    Iglob(Box<[u8]>),
    Regex(Box<Regex>),
    /// Paths without final `/`.
    PathPrefix(Box<[Box<[u8]>]>),
}

impl Test {
    /// The answer, or `None` when the value is of another kind than the question.
    #[inline]
    pub(super) fn accepts(&self, value: &Value<'_>, scratch: &mut Vec<u8>) -> Option<bool> {
        Some(match self {
            Test::Exists => true,
            Test::Number(order, constant) => order.accepts(number(value)?.cmp(constant)),
            Test::NumberIn(constants) => constants.binary_search(&number(value)?).is_ok(),
            Test::Double(order, constant) => order.accepts(double(value)?.partial_cmp(constant)?),
            Test::DoubleIn(constants) => constants.contains(&double(value)?),
            Test::Bool(wanted) => match value {
                Value::Bool(b) => wanted[usize::from(*b)],
                _ => return None,
            },
            Test::Ip(wanted) => wanted.contains(&ip(value)?),
            Test::Net(networks) => {
                let ip = ip(value)?;
                networks.iter().any(|net| net.contains(ip))
            }
            Test::Text(Order::Eq, constant) => bytes(value)? == &**constant,
            Test::Text(order, constant) => order.accepts(bytes(value)?.cmp(constant)),
            Test::TextIn(set) => set.contains(bytes(value)?),
            Test::Contains(finder) => finder.find(bytes(value)?).is_some(),
            Test::Icontains(needle) => icontains(bytes(value)?, needle),
            Test::Startswith(prefix) => bytes(value)?.starts_with(prefix),
            Test::Endswith(suffix) => bytes(value)?.ends_with(suffix),
            Test::Glob(pattern) => glob(pattern, bytes(value)?, false),
            Test::Iglob(pattern) => glob(pattern, bytes(value)?, true),
            Test::Regex(regex) => match bytes(value)? {
                text if std::str::from_utf8(text).is_ok() => regex.is_match(text),
                text => {
                    scratch.clear();
                    for chunk in text.utf8_chunks() {
                        scratch.extend_from_slice(chunk.valid().as_bytes());
                        if !chunk.invalid().is_empty() {
                            scratch.extend_from_slice("\u{fffd}".as_bytes());
                        }
                    }
                    regex.is_match(scratch)
                }
            },
            Test::PathPrefix(paths) => {
                let value = bytes(value)?;
                paths.iter().any(|path| is_path_prefix(path, value))
            }
        })
    }
}

/// Compares two values of one event; `None` when they are of different kinds.
pub(super) fn pair(op: Operator, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    if let (Some(left), Some(right)) = (bytes(left), bytes(right)) {
        return Some(match op {
            Operator::Contains => memmem::find(left, right).is_some(),
            Operator::Icontains => icontains(left, right),
            Operator::Startswith => left.starts_with(right),
            Operator::Endswith => left.ends_with(right),
            Operator::Glob => glob(right, left, false),
            Operator::Iglob => glob(right, left, true),
            Operator::Pmatch => is_path_prefix(right.strip_suffix(b"/").unwrap_or(right), left),
            Operator::In | Operator::Intersects => left == right,
            _ => Order::of(op)?.accepts(left.cmp(right)),
        });
    }
    let order = match op {
        Operator::In | Operator::Intersects => Order::Eq,
        _ => Order::of(op)?,
    };
    let ordering = match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Ip(_), Value::Ip(_)) => ip(left)?.cmp(&ip(right)?),
        _ => match (number(left), number(right)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => double(left)?.partial_cmp(&double(right)?)?,
        },
    };
    Some(order.accepts(ordering))
}

#[inline]
fn number(value: &Value<'_>) -> Option<i128> {
    Some(match *value {
        Value::Int(n) => i128::from(n),
        Value::Uint(n) | Value::Reltime(n) | Value::Abstime(n) => i128::from(n),
        Value::Port(n) => i128::from(n),
        _ => return None,
    })
}

fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Double(d) => Some(*d),
        other => number(other).map(|n| n as f64),
    }
}

fn ip(value: &Value<'_>) -> Option<IpAddr> {
    match value {
        Value::Ip(ip) => Some(ip.to_canonical()),
        _ => None,
    }
}

#[inline]
fn bytes<'v>(value: &Value<'v>) -> Option<&'v [u8]> {
    match value {
        Value::Text(bytes) | Value::Buffer(bytes) => Some(bytes),
        _ => None,
    }
}

/// Texts to be found among; most values are ruled out by their length alone.
#[derive(Debug, Clone)]
pub(super) struct TextSet {
    /// Bit *n* is set when some text has *n* bytes; bit 63 stands for all longer ones.
    lengths: u64,
    texts: Texts,
}

#[derive(Debug, Clone)]
enum Texts {
    Few(Box<[Box<[u8]>]>),
    Many(FxHashSet<Box<[u8]>>),
}

impl TextSet {
    pub(super) fn new(texts: impl IntoIterator<Item = Box<[u8]>>) -> Self {
        let texts: FxHashSet<_> = texts.into_iter().collect();
        let lengths = texts.iter().fold(0, |bits, text| bits | length_bit(text));
        let texts =
            if texts.len() <= 8 { Texts::Few(texts.into_iter().collect()) } else { Texts::Many(texts) };
        Self { lengths, texts }
    }

    #[inline]
    fn contains(&self, text: &[u8]) -> bool {
        self.lengths & length_bit(text) != 0
            && match &self.texts {
                Texts::Few(texts) => texts.iter().any(|t| **t == *text),
                Texts::Many(texts) => texts.contains(text),
            }
    }
}

fn length_bit(text: &[u8]) -> u64 {
    1 << text.len().min(63)
}

/// Substring search that ignores the case of ASCII letters in `text`, and in `needle` too.
fn icontains(text: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else {
        return true;
    };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, text)
        .filter_map(|at| text.get(at + 1..at + 1 + rest.len()))
        .any(|tail| tail.eq_ignore_ascii_case(rest))
}

/// Whether `path` (without final `/`) is `value` or one of the directories above it.
fn is_path_prefix(path: &[u8], value: &[u8]) -> bool {
    value.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

/// fnmatch(3) without flags: `*` and `?` match `/` and leading dots too; `fold` ignores the case of
/// ASCII letters. Bytes, not characters.
pub(super) fn glob(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when a match fails: after the last star, one byte of text further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
                continue;
            }
            None if t == text.len() => return true,
            None => None,
            Some(_) => text.get(t).and_then(|byte| element(pattern.get(p..)?, *byte, fold)),
        };
        match (step, &mut retry) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((after_star, from))) if *from < text.len() => {
                *from += 1;
                p = *after_star;
                t = *from;
            }
            _ => return false,
        }
    }
}

/// Length of the first element of the pattern if it matches the byte.
fn element(pattern: &[u8], byte: u8, fold: bool) -> Option<usize> {
    let same = |a: u8, b: u8| a == b || fold && a.eq_ignore_ascii_case(&b);
    match *pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => same(escaped, byte).then_some(2),
        // A lone backslash at the end matches nothing, as in glibc.
        [b'\\'] => None,
        [b'[', ref class @ ..] => match bracket(class, byte, fold) {
            Some((true, length)) => Some(length + 1),
            Some((false, _)) => None,
            // Never closed: the bracket stands for itself.
            None => same(b'[', byte).then_some(1),
        },
        [literal, ..] => same(literal, byte).then_some(1),
        [] => None,
    }
}

/// Whether the byte is in the class, and how long the class is with its closing bracket.
fn bracket(class: &[u8], byte: u8, fold: bool) -> Option<(bool, usize)> {
    let mut at = 0;
    let negated = matches!(class.first(), Some(b'!' | b'^'));
    if negated {
        at += 1;
    }
    let first = at;
    let mut found = false;
    let folded = |b: u8| if fold { b.to_ascii_lowercase() } else { b };
    loop {
        let rest = class.get(at..)?;
        match *rest.first()? {
            b']' if at > first => return Some((found != negated, at + 1)),
            b'[' if rest.starts_with(b"[:") => {
                if let Some(end) = rest.find(b":]") {
                    let name = rest.get(2..end)?;
                    found |= is_of_class(name, byte);
                    at += end + 2;
                    continue;
                }
            }
            _ => {}
        }
        let (low, length) = member(rest)?;
        at += length;
        let range = class.get(at..)?;
        let mut high = low;
        if range.first() == Some(&b'-') && range.get(1).is_some_and(|b| *b != b']') {
            let (end, length) = member(range.get(1..)?)?;
            high = end;
            at += 1 + length;
        }
        found |= (folded(low)..=folded(high)).contains(&folded(byte));
    }
}

/// A byte of a class, perhaps escaped, and its length.
fn member(rest: &[u8]) -> Option<(u8, usize)> {
    match *rest {
        [b'\\', escaped, ..] => Some((escaped, 2)),
        [byte, ..] => Some((byte, 1)),
        [] => None,
    }
}

fn is_of_class(name: &[u8], byte: u8) -> bool {
    match name {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase(),
        b"lower" => byte.is_ascii_lowercase(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"blank" => byte == b' ' || byte == b'\t',
        b"punct" => byte.is_ascii_punctuation(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"graph" => byte.is_ascii_graphic(),
        b"cntrl" => byte.is_ascii_control(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::CString;

    /// What glibc says.
    fn fnmatch(pattern: &[u8], text: &[u8], fold: bool) -> bool {
        const FNM_CASEFOLD: libc::c_int = 1 << 4;
        let (pattern, text) = (CString::new(pattern).unwrap(), CString::new(text).unwrap());
        // SAFETY: both are NUL-terminated strings that live until the call returns.
        unsafe { libc::fnmatch(pattern.as_ptr(), text.as_ptr(), if fold { FNM_CASEFOLD } else { 0 }) == 0 }
    }

    #[test]
    fn globs_agree_with_glibc_on_known_patterns() {
        let patterns = [
            "*",
            "",
            "?",
            "*.so",
            "/etc/*",
            "/*/x",
            "a*b*c",
            "[abc]",
            "[!abc]",
            "[^a-c]",
            "[]a]",
            "[a-]",
            "[a",
            "a[",
            "\\*",
            "\\a",
            "[\\]]",
            "[[:alpha:]]*",
            "[[:upper:][:digit:]]",
            "**",
            "*?*",
            "a\\",
            "[!]a]",
            "[a-c-e]",
            "[z-a]",
        ];
        let texts = [
            "",
            "a",
            "b",
            "x.so",
            "/etc/passwd",
            "/a/b/x",
            "axbxc",
            "]",
            "-",
            "[",
            "*",
            "A",
            "9z",
            ".x",
            "[a",
            "a[",
        ];
        for pattern in patterns {
            for text in texts {
                for fold in [false, true] {
                    let (p, t) = (pattern.as_bytes(), text.as_bytes());
                    assert_eq!(glob(p, t, fold), fnmatch(p, t, fold), "{pattern:?} {text:?} {fold}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_glibc(pattern in r"([ab*?\\]|\[[!^]?[ab]-?[ab]?\]){0,8}", text in "[abAB/.]{0,8}", fold: bool) {
            prop_assert_eq!(glob(pattern.as_bytes(), text.as_bytes(), fold), fnmatch(pattern.as_bytes(), text.as_bytes(), fold));
        }

        #[test]
        fn globs_of_any_bytes_end(pattern: Vec<u8>, text: Vec<u8>, fold: bool) {
            glob(&pattern, &text, fold);
        }

        #[test]
        fn icontains_is_contains_of_lower_case(text in "[abAB]{0,9}", needle in "[abAB]{0,3}") {
            let lower = text.to_lowercase().contains(&needle.to_lowercase());
            prop_assert_eq!(icontains(text.as_bytes(), needle.as_bytes()), lower);
        }
    }

    #[test]
    fn path_prefixes_end_at_components() {
        let is = |path: &str, value: &str| {
            is_path_prefix(path.strip_suffix('/').unwrap_or(path).as_bytes(), value.as_bytes())
        };
        assert!(is("/tmp/hello", "/tmp/hello") && is("/tmp/hello/", "/tmp/hello/world") && is("/", "/x"));
        assert!(!is("/tmp/hello", "/tmp/hello_world") && !is("/tmp/hello", "/tmp") && !is("/", "x"));
        assert!(is("var", "var/log") && !is("var", "/var/log"));
    }

    #[test]
    fn sets_find_what_they_hold() {
        for count in [0usize, 1, 8, 9, 100] {
            let text = |i: usize| vec![b'x'; i].into_boxed_slice();
            let set = TextSet::new((0..count).map(text));
            for i in 0..count + 70 {
                assert_eq!(set.contains(&text(i)), i < count, "{i} of {count}");
            }
        }
    }
}
