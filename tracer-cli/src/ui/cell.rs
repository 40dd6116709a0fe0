//! What stands in one place of a table: a value that can be added to, compared and read by people.

use crate::fields::write::{write_path, write_printable};
use crate::fields::{Extraction, FieldRef, Value};
use crate::schema::{ParamFormat, ParamType};
use std::cmp::Ordering;
use std::fmt::Write;
use std::net::IpAddr;

/// A value that is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cell {
    /// There is none.
    #[default]
    Nothing,
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// ns.
    Reltime(u64),
    /// ns since the epoch.
    Abstime(u64),
    Double(f64),
    /// Raw bytes of the traced system.
    Text(Box<[u8]>),
    Ip(IpAddr),
    Port(u16),
}

impl Cell {
    /// Copies a value out of the event that it is borrowed from.
    pub fn of(value: &Value<'_>) -> Self {
        match *value {
            Value::Bool(b) => Cell::Bool(b),
            Value::Int(n) => Cell::Int(n),
            Value::Uint(n) => Cell::Uint(n),
            Value::Reltime(n) => Cell::Reltime(n),
            Value::Abstime(n) => Cell::Abstime(n),
            Value::Double(n) => Cell::Double(n),
            Value::Text(text) | Value::Buffer(text) => Cell::Text(text.into()),
            Value::Ip(ip) => Cell::Ip(ip),
            Value::Port(port) => Cell::Port(port),
        }
    }

    /// What stands for a number that an event does not have.
    pub fn zero(ty: ParamType) -> Self {
        match ty {
            ParamType::Reltime => Cell::Reltime(0),
            ParamType::Abstime => Cell::Abstime(0),
            ParamType::Double => Cell::Double(0.0),
            ParamType::Int8 | ParamType::Int16 | ParamType::Int32 | ParamType::Int64 => Cell::Int(0),
            ParamType::Uint8 | ParamType::Uint16 | ParamType::Uint32 | ParamType::Uint64 => Cell::Uint(0),
            _ => Cell::Nothing,
        }
    }

    /// Adds another value; texts stay as they are.
    pub fn add(&mut self, other: &Cell) {
        match (self, other) {
            (Cell::Int(a), Cell::Int(b)) => *a = a.saturating_add(*b),
            (Cell::Uint(a), Cell::Uint(b))
            | (Cell::Reltime(a), Cell::Reltime(b))
            | (Cell::Abstime(a), Cell::Abstime(b)) => *a = a.saturating_add(*b),
            (Cell::Double(a), Cell::Double(b)) => *a += b,
            (this @ Cell::Nothing, other) => *this = other.clone(),
            // An average beside a whole number.
            (
                this @ (Cell::Int(_) | Cell::Uint(_) | Cell::Double(_)),
                Cell::Int(_) | Cell::Uint(_) | Cell::Double(_),
            ) => {
                *this = Cell::Double(this.as_f64() + other.as_f64());
            }
            _ => {}
        }
    }

    /// Adds a value as [`Cell::add`] does, if it is of the same kind: otherwise `false`.
    #[inline]
    pub fn add_value(&mut self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Cell::Int(a), Value::Int(b)) => *a = a.saturating_add(*b),
            (Cell::Uint(a), Value::Uint(b))
            | (Cell::Reltime(a), Value::Reltime(b))
            | (Cell::Abstime(a), Value::Abstime(b)) => *a = a.saturating_add(*b),
            (Cell::Double(a), Value::Double(b)) => *a += b,
            (Cell::Text(_), Value::Text(_)) => {}
            _ => return false,
        }
        true
    }

    /// Becomes the larger of both, if it can be told at a glance which that is: otherwise `false`.
    #[inline]
    pub fn raise(&mut self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Cell::Int(a), Value::Int(b)) => *a = (*a).max(*b),
            (Cell::Uint(a), Value::Uint(b))
            | (Cell::Reltime(a), Value::Reltime(b))
            | (Cell::Abstime(a), Value::Abstime(b)) => *a = (*a).max(*b),
            (Cell::Text(a), Value::Text(b)) => return a.as_ref() == *b,
            _ => return false,
        }
        true
    }

    /// The value as a fraction, 0 for what is no number.
    pub fn as_f64(&self) -> f64 {
        match *self {
            Cell::Int(n) => n as f64,
            Cell::Uint(n) | Cell::Reltime(n) | Cell::Abstime(n) => n as f64,
            Cell::Double(n) => n,
            Cell::Port(n) => f64::from(n),
            Cell::Bool(b) => f64::from(u8::from(b)),
            Cell::Nothing | Cell::Text(_) | Cell::Ip(_) => 0.0,
        }
    }

    /// The value divided by a number; times stay times.
    pub fn divided(&self, by: f64) -> Self {
        match *self {
            Cell::Reltime(n) => Cell::Reltime((n as f64 / by) as u64),
            Cell::Int(_) | Cell::Uint(_) | Cell::Double(_) => Cell::Double(self.as_f64() / by),
            ref other => other.clone(),
        }
    }

    /// A number of the same kind.
    pub fn with_number(&self, n: u64) -> Self {
        match self {
            Cell::Reltime(_) => Cell::Reltime(n),
            Cell::Abstime(_) => Cell::Abstime(n),
            Cell::Int(_) => Cell::Int(i64::try_from(n).unwrap_or(i64::MAX)),
            Cell::Double(_) => Cell::Double(n as f64),
            _ => Cell::Uint(n),
        }
    }

    /// Whether large values are the interesting ones.
    pub fn is_number(&self) -> bool {
        !matches!(self, Cell::Nothing | Cell::Text(_) | Cell::Ip(_))
    }
}

impl Eq for Cell {}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cell {
    /// Numbers by size, text by letters regardless of case; what has no value comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Cell::Text(a), Cell::Text(b)) => {
                let lower = u8::to_ascii_lowercase;
                a.iter().map(lower).cmp(b.iter().map(lower)).then_with(|| a.cmp(b))
            }
            (Cell::Ip(a), Cell::Ip(b)) => a.cmp(b),
            (Cell::Uint(a), Cell::Uint(b))
            | (Cell::Reltime(a), Cell::Reltime(b))
            | (Cell::Abstime(a), Cell::Abstime(b)) => a.cmp(b),
            (Cell::Int(a), Cell::Int(b)) => a.cmp(b),
            (a, b) if a.is_number() && b.is_number() => a.as_f64().total_cmp(&b.as_f64()),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl Cell {
    /// The place of different kinds of values among each other.
    const fn rank(&self) -> u8 {
        match self {
            Cell::Nothing => 0,
            Cell::Text(_) => 2,
            Cell::Ip(_) => 3,
            _ => 1,
        }
    }
}

/// Writes a value for people: amounts with K, M, G, T, P (of 1024), times with their unit, numbers that are names as
/// they are, text without what a terminal would act on.
pub fn write(cell: &Cell, field: &FieldRef, out: &mut String) {
    // Writing into memory cannot fail.
    match *cell {
        Cell::Nothing => {}
        Cell::Bool(b) => out.push_str(if b { "true" } else { "false" }),
        Cell::Int(n) if is_name(field) => drop(write!(out, "{n}")),
        Cell::Uint(n) if is_name(field) => drop(write!(out, "{n}")),
        Cell::Int(n) if n < 0 => drop(write!(out, "{n}")),
        Cell::Int(n) => write_amount(n as f64, 0, out),
        Cell::Uint(n) => write_amount(n as f64, 0, out),
        Cell::Double(n) => write_amount(n, 2, out),
        Cell::Reltime(ns) => write_duration(ns, out),
        Cell::Abstime(ns) => drop(write!(out, "{ns}")),
        Cell::Text(ref text) => {
            let mut safe = Vec::with_capacity(text.len());
            match field.field.name.starts_with("fd.") {
                true => write_path(&mut safe, text),
                false => write_printable(&mut safe, text),
            }
            out.push_str(&String::from_utf8_lossy(&safe));
        }
        Cell::Ip(ip) => drop(write!(out, "{ip}")),
        Cell::Port(port) => drop(write!(out, "{port}")),
    }
}

/// Writes a value for programs: numbers in full, times in ns, text without what a terminal would act on.
pub fn write_raw(cell: &Cell, out: &mut String) {
    // Writing into memory cannot fail.
    let _ = match *cell {
        Cell::Nothing => return,
        Cell::Bool(b) => write!(out, "{b}"),
        Cell::Int(n) => write!(out, "{n}"),
        Cell::Uint(n) | Cell::Reltime(n) | Cell::Abstime(n) => write!(out, "{n}"),
        Cell::Double(n) => write!(out, "{n}"),
        Cell::Text(ref text) => {
            let mut safe = Vec::with_capacity(text.len());
            write_path(&mut safe, text);
            return out.push_str(&String::from_utf8_lossy(&safe));
        }
        Cell::Ip(ip) => write!(out, "{ip}"),
        Cell::Port(port) => write!(out, "{port}"),
    };
}

/// Whether the numbers of a field name something (ids, ports), so that they are shown in full.
fn is_name(field: &FieldRef) -> bool {
    matches!(field.format, ParamFormat::Id)
}

/// An amount with up to `decimals` digits after the point and the letter of its power of 1024.
pub fn write_amount(n: f64, decimals: usize, out: &mut String) {
    const STEP: f64 = 1024.0;
    let mut scaled = n;
    let mut letters = ["", "K", "M", "G", "T", "P"].iter();
    let mut letter = letters.next();
    while scaled > STEP {
        let Some(next) = letters.next() else { break };
        scaled /= STEP;
        letter = Some(next);
    }
    let _ = write!(out, "{scaled:.decimals$}{}", letter.unwrap_or(&""));
}

/// A time in its largest unit: `820ns`, `1.82us`, `16ms`, `22.03s`, from a minute on `3:05`, `2:10:00`.
pub fn write_duration(ns: u64, out: &mut String) {
    const SECOND: u64 = 1_000_000_000;
    let small = |unit: u64, name: &str, out: &mut String| {
        let whole = ns / unit;
        let _ = match whole {
            0..10 => write!(out, "{whole}.{:02}{name}", ns % unit * 100 / unit),
            _ => write!(out, "{whole}{name}"),
        };
    };
    let _ = match ns {
        0..1_000 => write!(out, "{ns}ns"),
        1_000..1_000_000 => return small(1_000, "us", out),
        1_000_000..SECOND => return small(1_000_000, "ms", out),
        SECOND..60_000_000_000 => {
            write!(out, "{}.{:02}s", ns / SECOND, ns % SECOND / 10_000_000)
        }
        60_000_000_000..3_600_000_000_000 => {
            write!(out, "{}:{:02}", ns / (60 * SECOND), ns / SECOND % 60)
        }
        _ => {
            let (hours, rest) = (ns / (3600 * SECOND), ns / SECOND % 3600);
            write!(out, "{hours}:{:02}:{:02}", rest / 60, rest % 60)
        }
    };
}

/// The first value of the field and whether it was there; `None` when the event has to be left out.
pub fn extract(field: &FieldRef, from: &Extraction<'_>, use_defaults: bool) -> Option<(Cell, bool)> {
    let mut found = None;
    field.extract(from, &mut |value| {
        found.get_or_insert_with(|| Cell::of(&value));
    });
    match found {
        Some(value) => Some((value, true)),
        None if use_defaults || field.ty == ParamType::Charbuf => Some((Cell::zero(field.ty), false)),
        None => None,
    }
}

/// A value as the bytes that tell it from others.
pub fn encode(value: &Value<'_>, out: &mut Vec<u8>) {
    match *value {
        Value::Bool(b) => out.push(u8::from(b)),
        Value::Int(n) => out.extend_from_slice(&n.to_le_bytes()),
        Value::Uint(n) | Value::Reltime(n) | Value::Abstime(n) => out.extend_from_slice(&n.to_le_bytes()),
        Value::Double(n) => out.extend_from_slice(&n.to_bits().to_le_bytes()),
        Value::Text(text) | Value::Buffer(text) => out.extend_from_slice(text),
        Value::Ip(IpAddr::V4(ip)) => out.extend_from_slice(&ip.octets()),
        Value::Ip(IpAddr::V6(ip)) => out.extend_from_slice(&ip.octets()),
        Value::Port(port) => out.extend_from_slice(&port.to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(n: f64, decimals: usize) -> String {
        let mut out = String::new();
        write_amount(n, decimals, &mut out);
        out
    }

    fn duration(ns: u64) -> String {
        let mut out = String::new();
        write_duration(ns, &mut out);
        out
    }

    #[test]
    fn amounts_have_letters() {
        assert_eq!(amount(0.0, 0), "0");
        assert_eq!(amount(1024.0, 0), "1024");
        assert_eq!(amount(1025.0, 0), "1K");
        assert_eq!(amount(1_048_576.0, 0), "1024K");
        assert_eq!(amount(1986.0, 2), "1.94K");
        assert_eq!(amount(770.616, 2), "770.62");
        assert_eq!(amount(3e18, 0), "2665P");
    }

    #[test]
    fn times_have_units() {
        for (ns, shown) in [
            (0, "0ns"),
            (820, "820ns"),
            (1_820, "1.82us"),
            (50_100, "50us"),
            (1_210_000, "1.21ms"),
            (999_999_999, "999ms"),
            (22_039_000_000, "22.03s"),
            (185_000_000_000, "3:05"),
            (7_800_000_000_000, "2:10:00"),
        ] {
            assert_eq!(duration(ns), shown);
        }
    }

    #[test]
    fn values_count_as_the_cells_of_them_do() {
        let values = [
            Value::Int(-3),
            Value::Int(5),
            Value::Uint(7),
            Value::Uint(u64::MAX),
            Value::Reltime(2),
            Value::Abstime(9),
            Value::Double(1.5),
            Value::Text(b"b"),
            Value::Text(b"A"),
            Value::Port(80),
        ];
        for first in &values {
            for other in &values {
                let (before, other_cell) = (Cell::of(first), Cell::of(other));
                let mut sum = before.clone();
                if sum.add_value(other) {
                    let mut slow = before.clone();
                    slow.add(&other_cell);
                    assert_eq!(sum, slow, "{first:?} {other:?}");
                } else {
                    assert_eq!(sum, before, "{first:?} {other:?}");
                }
                let mut largest = before.clone();
                let is_known = largest.raise(other);
                let expected = if is_known && other_cell > before { other_cell } else { before };
                assert_eq!(largest, expected, "{first:?} {other:?}");
            }
        }
    }

    #[test]
    fn cells_are_added_and_ordered() {
        let mut sum = Cell::Uint(u64::MAX);
        sum.add(&Cell::Uint(5));
        assert_eq!(sum, Cell::Uint(u64::MAX));
        let mut mixed = Cell::Uint(2);
        mixed.add(&Cell::Double(1.5));
        assert_eq!(mixed, Cell::Double(3.5));
        assert!(Cell::Text((*b"bash").into()) > Cell::Text((*b"Awk").into()));
        assert!(Cell::Nothing < Cell::Uint(0));
        assert!(Cell::Double(1.5) < Cell::Uint(2));
        assert_eq!(Cell::Uint(9).divided(2.0), Cell::Double(4.5));
        assert_eq!(Cell::Reltime(9).divided(2.0), Cell::Reltime(4));
    }
}
