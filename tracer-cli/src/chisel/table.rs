//! Tables of the largest sums: what `table_generator` shows, counted natively.
//!
//! A chisel such as topfiles_bytes asks for it with `chisel.exec("table_generator", keys, names of
//! the keys, value, name of the value, filter, rows, unit)`. The sum of the value is kept for each
//! combination of keys, and the largest are shown at the end of a file, or every second when live.

use super::api_evt::{LuaValue, read_field};
use super::error::ChiselError;
use super::requests::{Interval, Requests};
use super::rounding::half_away;
use super::script::Surroundings;
use super::thread_rows::ThreadRows;
use crate::fields::{self, Extraction, FieldRef};
use crate::filter::{EventSet, Filter, events_with};
use crate::output::json::write_string;
use crate::schema::EventType;
use crate::state::thread::Thread;
use bstr::{BStr, BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::io::Write;

const SECOND: u64 = 1_000_000_000;

/// Columns have this many bytes.
const WIDTH: usize = 20;
/// What separates keys in the table.
const SEPARATOR: u8 = 1;

const HOME: &[u8] = b"\x1b[0;0H";
const CLEAR: &[u8] = b"\x1b[2J";
const HIDE_CURSOR: &[u8] = b"\x1b[?25l";
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";

/// How a sum is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    None,
    Bytes,
    /// ns.
    Time,
    /// ns, of those that passed.
    TimePercent,
    /// Percents of a second, counted in ns and shown as [`Unit::TimePercent`]: what notes about CPU time say.
    Cpu,
}

impl Unit {
    /// What a value adds to a sum, if it counts.
    #[inline]
    fn counted(self, value: f64) -> Option<f64> {
        match self {
            // Who used no CPU time is shown as well.
            Unit::Cpu => Some(value * PERCENT),
            _ => (value > 0.0).then_some(value),
        }
    }
}

/// A percent of a second, ns.
const PERCENT: f64 = 1e7;
/// What readers know sums of CPU time as.
const CPU_TIME: &str = "thread.exectime";

/// The sums.
pub struct TopTable {
    keys: Vec<Column>,
    value: Column,
    unit: Unit,
    /// How many are shown; 0: all.
    shown: usize,
    events: EventSet,
    /// Places in the sums by key.
    rows: FxHashMap<Box<[u8]>, usize>,
    rows_of_threads: Option<ThreadRows>,
    /// The value, where it is what a thread uses of CPUs.
    noted_use: Option<fn(&Thread) -> Option<f64>>,
    sums: Vec<f64>,
    key: Vec<u8>,
    text: Vec<u8>,
    for_terminal: bool,
}

struct Column {
    name: String,
    title: BString,
    field: FieldRef,
}

impl TopTable {
    /// The name that chisels know it by.
    pub const NAME: &str = "table_generator";

    /// Reads the seven arguments; the filter becomes that of `requests`.
    ///
    /// # Errors
    /// A wrong number of arguments, unknown fields, a filter with mistakes.
    pub fn new(
        args: &[BString],
        requests: &Requests,
        surroundings: &Surroundings,
    ) -> Result<Self, ChiselError> {
        let fault = |message: String| ChiselError::new(Self::NAME, message);
        let [keys, titles, value, title, filter, rows, unit] = args else {
            return Err(ChiselError::usage(
                Self::NAME,
                "needs keys, keydescs, value, valuedesc, filter, top_number and value_units",
            ));
        };
        let find = |name: &BStr| {
            let name = name.to_str_lossy();
            let field = fields::find(&name).map_err(|e| fault(e.to_string()))?;
            Ok::<_, ChiselError>((name.into_owned(), field))
        };
        let titles: Vec<&[u8]> = titles.split_str(",").collect();
        let names: Vec<&[u8]> = keys.split_str(",").collect();
        if names.len() != titles.len() {
            return Err(fault(
                "error: number of entries in keys different from number entries in keydescs".into(),
            ));
        }
        let keys = names.iter().zip(&titles).map(|(name, title)| {
            let (name, field) = find(name.as_bstr())?;
            Ok(Column { name, title: BString::from(*title), field })
        });
        let keys = keys.collect::<Result<Vec<_>, ChiselError>>()?;
        let (name, field) = find(value.as_bstr())?;
        let unit = match unit.as_slice() {
            b"bytes" => Unit::Bytes,
            b"time" => Unit::Time,
            b"timepct" => Unit::TimePercent,
            b"cpu" => Unit::Cpu,
            _ => Unit::None,
        };
        let name = if unit == Unit::Cpu { CPU_TIME.to_owned() } else { name };
        let value = Column { name, title: title.clone(), field };
        let with_all = keys.iter().map(|key| events_with(&key.field));
        let mut events = with_all.fold(events_with(&value.field), |all, with| all.intersection(&with));
        if !filter.is_empty() {
            let filter = Filter::compile(&filter.to_str_lossy()).map_err(|e| fault(e.to_string()))?;
            events = events.intersection(filter.event_types());
            *requests.filter.borrow_mut() = Some(filter);
        }
        let mut used = requests.fields.borrow_mut();
        used.extend(keys.iter().map(|key| key.field.clone()));
        used.push(value.field.clone());
        Ok(Self {
            rows_of_threads: ThreadRows::new(keys.iter().map(|key| &key.field)),
            noted_use: fields::noted_use(value.field.field.name),
            keys,
            value,
            unit,
            shown: rows
                .to_str_lossy()
                .trim()
                .parse()
                .map_err(|_| fault(format!("{rows} is no number of rows")))?,
            events,
            rows: FxHashMap::default(),
            sums: Vec::new(),
            key: Vec::new(),
            text: Vec::new(),
            for_terminal: surroundings.run.is_terminal,
        })
    }

    pub fn start(&mut self, surroundings: &Surroundings, requests: &Requests) {
        let run = &surroundings.run;
        if run.is_live {
            requests.interval.set(Some(Interval { length: SECOND, precise: false }));
            if !run.json {
                let mut console = surroundings.console.borrow_mut();
                console.write(CLEAR);
                console.write(HIDE_CURSOR);
            }
        }
    }

    /// The events that may count: those that the filter may let pass and that can have a value and all keys.
    pub fn events(&self) -> &EventSet {
        &self.events
    }

    /// Adds the value of an event to the sum of its keys; events that lack one of them do not count.
    #[inline]
    pub fn event(&mut self, from: &Extraction<'_>) {
        let Some(value) = self.value(from) else { return };
        let known = self.rows_of_threads.as_mut().zip(from.context.thread());
        let row = match known.and_then(|(rows, thread)| rows.find(thread)) {
            Some(row) => row,
            None if self.write_key(from) => {
                let row = self.row();
                if let Some((rows, thread)) = self.rows_of_threads.as_mut().zip(from.context.thread()) {
                    rows.note(thread, row);
                }
                row
            }
            None => return,
        };
        if let Some(sum) = self.sums.get_mut(row) {
            *sum += value;
        }
    }

    /// Whether [`TopTable::count_use`] is for events of this type.
    pub fn counts_by_use(&self, ty: EventType) -> bool {
        ty == EventType::PROCINFO_E && self.noted_use.is_some() && self.rows_of_threads.is_some()
    }

    /// As [`TopTable::event`], for a note about CPU times that was applied to this thread; `false` when the row of the
    /// thread is not known.
    #[inline]
    pub fn count_use(&mut self, thread: &Thread) -> bool {
        let (Some(noted_use), Some(rows)) = (self.noted_use, &mut self.rows_of_threads) else { return false };
        let Some(value) = noted_use(thread).and_then(|value| self.unit.counted(value)) else { return true };
        let sum = rows.find(thread).and_then(|row| self.sums.get_mut(row));
        sum.map(|sum| *sum += value).is_some()
    }

    /// What an event adds to a sum.
    #[inline]
    fn value(&mut self, from: &Extraction<'_>) -> Option<f64> {
        self.text.clear();
        match read_field(&self.value.field, from, false, &mut self.text) {
            LuaValue::Number(value) => self.unit.counted(value),
            _ => None,
        }
    }

    /// Writes down the keys of an event; `false` when it lacks one.
    #[inline]
    fn write_key(&mut self, from: &Extraction<'_>) -> bool {
        self.key.clear();
        for (i, column) in self.keys.iter().enumerate() {
            if i > 0 {
                self.key.extend_from_slice(&[SEPARATOR, SEPARATOR]);
            }
            match read_field(&column.field, from, self.for_terminal, &mut self.key) {
                LuaValue::Nil => return false,
                LuaValue::Text => {}
                LuaValue::Number(number) => write_number(&mut self.key, number),
                LuaValue::Bool(truth) => self.key.extend_from_slice(if truth { b"true" } else { b"false" }),
            }
        }
        true
    }

    /// The row of the keys that were written down.
    #[inline]
    fn row(&mut self) -> usize {
        if let Some(row) = self.rows.get(self.key.as_slice()) {
            return *row;
        }
        let row = self.sums.len();
        self.sums.push(0.0);
        self.rows.insert(self.key.as_slice().into(), row);
        row
    }

    /// Shows the sums of the interval that ended at `ts`, `delta` ns long, and begins anew.
    pub fn interval(&mut self, ts: u64, delta: u64, surroundings: &Surroundings) {
        let mut console = surroundings.console.borrow_mut();
        if !surroundings.run.json {
            console.write(CLEAR);
            console.write(HOME);
        }
        self.write(ts, delta, surroundings.run.json, console.buffer());
        console.line_done();
        self.sums.clear();
        self.rows.clear();
        if let Some(rows) = &mut self.rows_of_threads {
            rows.clear();
        }
    }

    /// Shows the sums of a whole file; of a live system the last interval has been shown.
    pub fn end(&mut self, ts: u64, delta: u64, surroundings: &Surroundings) {
        let run = &surroundings.run;
        let mut console = surroundings.console.borrow_mut();
        if run.is_live && !run.json {
            for sequence in [CLEAR, HOME, SHOW_CURSOR] {
                console.write(sequence);
            }
            return;
        }
        self.write(ts, delta, run.json, console.buffer());
        console.line_done();
    }

    fn write(&self, ts: u64, delta: u64, json: bool, out: &mut Vec<u8>) {
        let sum = |(key, row): (_, &usize)| Some((key, *self.sums.get(*row)?));
        let mut sums: Vec<(&[u8], f64)> =
            self.rows.iter().map(|(key, row)| (&**key, row)).filter_map(sum).collect();
        // Equal sums stand in the order of their keys, so that the same events give the same table.
        sums.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        if self.shown > 0 {
            sums.truncate(self.shown);
        }
        if json {
            self.write_json(ts, &sums, out);
        } else {
            self.write_text(delta, &sums, out);
        }
    }

    fn write_text(&self, delta: u64, sums: &[(&[u8], f64)], out: &mut Vec<u8>) {
        fill(out, &self.value.title);
        for key in &self.keys {
            fill(out, &key.title);
        }
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b'-', 80));
        out.push(b'\n');
        for (key, sum) in sums {
            let mut text = Vec::new();
            self.write_sum(*sum, delta, &mut text);
            fill(out, &text);
            let mut parts = key.split_str(&[SEPARATOR; 2]).peekable();
            while let Some(part) = parts.next() {
                match parts.peek() {
                    Some(_) => fill(out, part.get(..WIDTH).unwrap_or(part)),
                    None => out.extend_from_slice(part),
                }
            }
            out.push(b'\n');
        }
    }

    fn write_sum(&self, sum: f64, delta: u64, out: &mut Vec<u8>) {
        match self.unit {
            Unit::None => write_number(out, sum),
            Unit::Bytes => write_bytes(out, sum),
            Unit::Time => write_time(out, sum),
            Unit::TimePercent | Unit::Cpu => {
                let percent = if delta > 0 { sum / delta as f64 * 100.0 } else { 0.0 };
                // Writing to memory does not fail, here and below.
                let _ = write!(out, "{:.2}%", half_away(percent, 2));
            }
        }
    }

    /// One object: the time in ns as text, rows of keys and sum, and what the columns are.
    fn write_json(&self, ts: u64, sums: &[(&[u8], f64)], out: &mut Vec<u8>) {
        let _ = write!(out, "{{\n  \"ts\":\"{}\",\n  \"data\":[", ts / SECOND * SECOND);
        for (i, (key, sum)) in sums.iter().enumerate() {
            out.extend_from_slice(if i > 0 { b",[" } else { b"[" });
            for part in key.split_str(&[SEPARATOR; 2]) {
                write_string(part, out);
                out.push(b',');
            }
            write_number(out, *sum);
            out.push(b']');
        }
        out.extend_from_slice(b"],\n  \"info\":[");
        // The value stands third, whatever the number of keys: that is what readers of it know.
        let mut infos: Vec<Option<(&Column, bool)>> = self.keys.iter().map(|key| Some((key, true))).collect();
        infos.resize(infos.len().max(3), None);
        if let Some(third) = infos.get_mut(2) {
            *third = Some((&self.value, false));
        }
        for (i, info) in infos.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            match info {
                Some((column, is_key)) => {
                    out.extend_from_slice(b"{\"name\":");
                    write_string(column.name.as_bytes(), out);
                    out.extend_from_slice(b",\"desc\":");
                    write_string(&column.title, out);
                    let _ = write!(out, ",\"is_key\":{is_key}}}");
                }
                None => out.extend_from_slice(b"null"),
            }
        }
        out.extend_from_slice(b"]\n}\n");
    }
}

/// A column: filled up with blanks, or cut so that a blank is left.
fn fill(out: &mut Vec<u8>, text: &[u8]) {
    let shown = if text.len() < WIDTH { text } else { text.get(..WIDTH - 1).unwrap_or(text) };
    out.extend_from_slice(shown);
    out.extend(std::iter::repeat_n(b' ', WIDTH - shown.len()));
}

/// A number as Lua prints it: up to 14 digits.
fn write_number(out: &mut Vec<u8>, number: f64) {
    const EXACT: f64 = 1e14;
    if number.fract() == 0.0 && number.abs() < EXACT {
        out.extend_from_slice(itoa::Buffer::new().format(number as i64).as_bytes());
    } else {
        let _ = write!(out, "{}", Shortest(number));
    }
}

/// `%.14g`.
struct Shortest(f64);

impl std::fmt::Display for Shortest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const DIGITS: i32 = 14;
        let scientific = format!("{:.*e}", DIGITS as usize - 1, self.0);
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let trim = |text: &str| match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text.to_owned(),
        };
        if (-4..DIGITS).contains(&exponent) {
            f.write_str(&trim(&format!("{:.*}", (DIGITS - 1 - exponent).max(0) as usize, self.0)))
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs())
        }
    }
}

/// Bytes with two digits behind the point from 1 KiB on.
fn write_bytes(out: &mut Vec<u8>, bytes: f64) {
    const UNITS: [(&str, i32); 5] = [("P", 5), ("T", 4), ("G", 3), ("M", 2), ("KB", 1)];
    let large =
        UNITS.iter().map(|(unit, power)| (unit, 1024f64.powi(*power))).find(|(_, size)| bytes > *size);
    let _ = match large {
        Some((unit, size)) => write!(out, "{:.2}{unit}", half_away(bytes / size, 2)),
        None => write!(out, "{}B", bytes as i64),
    };
}

/// A time of so many ns with the unit that leaves two or three digits before the point.
fn write_time(out: &mut Vec<u8>, ns: f64) {
    let whole = ns as u64;
    let _ = match whole {
        1_000_000_000.. => write!(out, "{}.{:02}s", whole / SECOND, whole % SECOND / 10_000_000),
        10_000_000.. => write!(out, "{}ms", whole / 1_000_000),
        1_000_000.. => write!(out, "{}.{:02}ms", whole / 1_000_000, whole % 1_000_000 / 10_000),
        10_000.. => write!(out, "{}us", whole / 1000),
        1000.. => write!(out, "{}.{:02}us", whole / 1000, whole % 1000 / 10),
        _ => write!(out, "{whole}ns"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn units() {
        let bytes = |n| text(|out| write_bytes(out, n));
        assert_eq!([bytes(1024.0), bytes(1664.0), bytes(2048.0 * 1024.0)], ["1024B", "1.63KB", "2.00M"]);
        let time = |n| text(|out| write_time(out, n));
        assert_eq!([time(999.0), time(1500.0), time(15_000.0)], ["999ns", "1.50us", "15us"]);
        assert_eq!([time(1_250_000.0), time(75e6), time(12_340_000_000.0)], ["1.25ms", "75ms", "12.34s"]);
    }

    #[test]
    fn numbers_are_lua_s() {
        let number = |n| text(|out| write_number(out, n));
        assert_eq!([number(5.0), number(-3.0), number(0.1), number(2.5)], ["5", "-3", "0.1", "2.5"]);
        assert_eq!([number(1e15), number(123_456_789_012_345.0)], ["1e+15", "1.2345678901234e+14"]);
        assert_eq!(number(0.00001), "1e-05");
    }

    #[test]
    fn columns_have_a_blank_at_their_end() {
        assert_eq!(text(|out| fill(out, b"abc")), "abc                 ");
        assert_eq!(text(|out| fill(out, &[b'x'; 25])), format!("{} ", "x".repeat(19)));
    }
}
