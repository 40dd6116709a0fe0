//! Output templates: `-p '%evt.num %12proc.name %fd.name'`.
//!
//! A template is text with fields in it. A field is `%`, an optional width in characters to which
//! the value is cut or filled up, and the longest field name that fits. `\n`, `\t`, `\e` and `\\`
//! in the text stand for a line break, a tab, an escape character and a backslash. A template that
//! starts with `*` shows every event, with `<NA>` where a field has no value; without it events that
//! lack one of the fields are left out.

use super::printable::{self, Lines};
use crate::fields::table::{BufferMode, TimeMode};
use crate::fields::write::write_value;
use crate::fields::{self, Extraction, FieldFlags, FieldRef, Value};

/// What is shown where a field has no value.
pub const NO_VALUE: &[u8] = b"<NA>";

/// A parsed template.
pub struct Template {
    pieces: Vec<Piece>,
    shows_all: bool,
}

enum Piece {
    /// Typed by the user, so shown as it is, escape sequences included.
    Literal(Vec<u8>),
    Field(Column),
}

/// One field of a template.
pub struct Column {
    /// As it was typed, with its argument: `evt.arg.fd`.
    pub name: String,
    pub field: FieldRef,
    /// Characters.
    pub width: Option<usize>,
    is_output_time: bool,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong and, where there is one, the nearest field.
    pub message: String,
    /// Byte offset into the template.
    pub position: usize,
}

/// Widths beyond this are mistakes, and would fill the memory.
const MAX_WIDTH: usize = 4096;

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Unknown fields, fields that need an argument, `%` without a field; with their position.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let shows_all = text.starts_with('*');
        let mut pieces = Vec::new();
        let mut literal = Vec::new();
        let mut at = usize::from(shows_all);
        while let Some(c) = text[at..].chars().next() {
            match c {
                '%' => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    let (column, end) = parse_column(text, at)?;
                    pieces.push(Piece::Field(column));
                    at = end;
                }
                '\\' => {
                    let (byte, length) = match text[at + 1..].chars().next() {
                        Some('n') => (b'\n', 2),
                        Some('t') => (b'\t', 2),
                        Some('e') => (0x1b, 2),
                        Some('\\') => (b'\\', 2),
                        _ => (b'\\', 1),
                    };
                    literal.push(byte);
                    at += length;
                }
                _ => {
                    literal.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    at += c.len_utf8();
                }
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        if pieces.is_empty() {
            return Err(error(at, "the template is empty"));
        }
        Ok(Self { pieces, shows_all })
    }

    /// The fields in the order in which they stand.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(column) => Some(column),
            Piece::Literal(_) => None,
        })
    }

    /// Whether events are shown that lack some of the fields.
    pub fn shows_all(&self) -> bool {
        self.shows_all
    }

    /// Whether the text switches colours, which are to be switched off at the end.
    pub fn has_escape(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Literal(text) if text.contains(&0x1b)))
    }

    /// Appends one event, without a final line break. `previous` is the time of the event shown
    /// before, in ns since the epoch, or 0 for the first (`-t D`).
    ///
    /// `false`: the event lacks a field and is not to be shown; nothing was appended.
    pub fn write(&self, from: &Extraction<'_>, previous: u64, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Field(column) => {
                    if !column.write(from, previous, out) && !self.shows_all {
                        out.truncate(start);
                        return false;
                    }
                }
            }
        }
        true
    }
}

impl Column {
    /// Appends the value or `<NA>`; `false` when there was no value.
    pub fn write(&self, from: &Extraction<'_>, previous: u64, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let found = if self.is_output_time && from.options.time == TimeMode::PreviousDelta {
            write_interval(out, from.context.event.ts, previous);
            true
        } else {
            self.write_value(from, out)
        };
        if !found {
            out.extend_from_slice(NO_VALUE);
        }
        if let Some(width) = self.width {
            printable::fit(out, start, width);
        }
        found
    }

    fn write_value(&self, from: &Extraction<'_>, out: &mut Vec<u8>) -> bool {
        let is_list = self.field.field.flags.contains(FieldFlags::LIST);
        let start = out.len();
        let mut count = 0;
        // Numbers are safe, and so is text that tracer itself made up from the event's parameters.
        let mut is_foreign = false;
        let mut lines = Lines::One;
        self.field.extract(from, &mut |value| {
            if count > 0 && !is_list {
                // Of fields that match any of several values, the first is the one to show.
                return;
            }
            if is_list {
                out.push(if count == 0 { b'(' } else { b',' });
            }
            count += 1;
            match value {
                Value::Text(_) => is_foreign = !self.field.field.flags.contains(FieldFlags::RENDERED),
                Value::Buffer(_) => (is_foreign, lines) = (true, lines_of(from.options.buffer)),
                _ => {}
            }
            write_value(&value, &self.field, from.options, out);
        });
        if is_list && count > 0 {
            out.push(b')');
        }
        if is_foreign {
            printable::make_safe(out, start, lines);
        }
        count > 0
    }
}

fn lines_of(buffer: BufferMode) -> Lines {
    match buffer {
        BufferMode::Printable | BufferMode::Base64 => Lines::One,
        BufferMode::Ascii | BufferMode::Hex | BufferMode::HexAscii => Lines::Many,
    }
}

/// Seconds and nanoseconds between two times; none before the first event.
fn write_interval(out: &mut Vec<u8>, ts: u64, previous: u64) {
    let ns = if previous == 0 { 0 } else { ts.saturating_sub(previous) };
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(ns / 1_000_000_000).as_bytes());
    out.push(b'.');
    let fraction = digits.format(ns % 1_000_000_000);
    out.resize(out.len() + (9 - fraction.len()), b'0');
    out.extend_from_slice(fraction.as_bytes());
}

/// Reads the field that starts with the `%` at `at`; also the offset behind it.
fn parse_column(text: &str, at: usize) -> Result<(Column, usize), TemplateError> {
    let rest = &text[at + 1..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let name_at = at + 1 + digits;
    let name = &text[name_at..];
    if name.is_empty() {
        let what = if digits == 0 { "'%'" } else { "a width" };
        return Err(error(at, &format!("{what} without a field at the end of the template")));
    }
    let width = match &rest[..digits] {
        "" => None,
        width => match width.parse() {
            Ok(width) if width <= MAX_WIDTH => Some(width),
            _ => return Err(error(at + 1, &format!("a width of more than {MAX_WIDTH}"))),
        },
    };
    let (field, length) = fields::find_prefix(name).map_err(|e| {
        let hint = e.nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
        error(name_at, &format!("{e}{hint}"))
    })?;
    let name = name[..length].to_owned();
    let is_output_time = name == "evt.outputtime";
    Ok((Column { name, field, width, is_output_time }, name_at + length))
}

fn error(position: usize, message: &str) -> TemplateError {
    TemplateError { message: message.to_owned(), position }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let template = Template::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        template.columns().map(|c| c.name.clone()).collect()
    }

    fn fault(text: &str) -> (usize, String) {
        match Template::parse(text) {
            Ok(_) => panic!("{text} was accepted"),
            Err(e) => (e.position, e.message),
        }
    }

    #[test]
    fn fields_end_at_the_longest_name() {
        assert_eq!(names("%evt.num%proc.namexx"), ["evt.num", "proc.name"]);
        assert_eq!(names("%evt.time.s %evt.times"), ["evt.time.s", "evt.time"]);
        assert_eq!(names("%proc.aname[2]x%proc.aname"), ["proc.aname[2]", "proc.aname"]);
        assert_eq!(names("no field"), Vec::<String>::new());
    }

    #[test]
    fn widths_stand_before_the_name() {
        let template = Template::parse("%12proc.name|%evt.num|%0evt.cpu").unwrap();
        let widths: Vec<_> = template.columns().map(|c| c.width).collect();
        assert_eq!(widths, [Some(12), None, Some(0)]);
    }

    #[test]
    fn the_star_is_no_text() {
        let template = Template::parse("*a%evt.num").unwrap();
        assert!(template.shows_all());
        assert!(matches!(&template.pieces[0], Piece::Literal(text) if text == b"a"));
        assert!(!Template::parse("a*%evt.num").unwrap().shows_all());
    }

    #[test]
    fn escapes() {
        let template = Template::parse(r"\n\t\e\\\q é\").unwrap();
        assert!(matches!(&template.pieces[0], Piece::Literal(t) if t == "\n\t\u{1b}\\\\q é\\".as_bytes()));
        assert!(template.has_escape());
        assert!(!Template::parse("%evt.num e").unwrap().has_escape());
    }

    #[test]
    fn faults_say_where_and_what() {
        assert_eq!(fault("").0, 0);
        assert_eq!(fault("*").0, 1);
        assert_eq!(fault("%evt.num %").0, 9);
        assert_eq!(fault("%evt.num %5").0, 9);
        assert_eq!(fault("%99999999999999999999evt.num").0, 1);
        assert_eq!(fault("%evt.num %% x").0, 10);
        let (position, message) = fault("%evt.num %-3evt.num");
        assert_eq!(position, 10, "{message}");
        let (position, message) = fault("%evt.num é %6proc.nmae");
        assert_eq!(position, 14);
        assert!(message.contains("proc.nmae") && message.contains("proc.name"), "{message}");
    }

    #[test]
    fn intervals_have_nine_digits_and_start_with_none() {
        let interval = |ts, previous| {
            let mut out = Vec::new();
            write_interval(&mut out, ts, previous);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(interval(1_470_000_000_000_000_000, 0), "0.000000000");
        assert_eq!(interval(5_000_000_653, 3_000_000_000), "2.000000653");
        assert_eq!(interval(1, 2), "0.000000000");
    }
}
