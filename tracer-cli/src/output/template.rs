//! Output templates: `-p '%evt.num %12proc.name %fd.name'`.
//!
//! A template is text with fields in it. A field is `%`, an optional width in characters to which
//! the value is cut or filled up, and the longest field name that fits. `\n`, `\t`, `\e` and `\\`
//! in the text stand for a line break, a tab, an escape character and a backslash. A template that
//! starts with `*` shows every event, with `<NA>` where a field has no value; without it events that
//! lack one of the fields are left out.

use crate::caret;
use crate::fields::write::{append, write_value};
use crate::fields::{self, ErrorKind, Extraction, FieldFlags, FieldRef, Straight};
use bstr::ByteSlice;
use std::fmt::{self, Write};

/// What is shown where a field has no value.
pub const NO_VALUE: &[u8] = b"<NA>";

/// A parsed template.
#[derive(Clone)]
pub struct Template {
    pieces: Vec<Piece>,
    shows_all: bool,
    /// Tell at a glance that an event is not to be shown.
    lacks: Vec<fn(&Extraction<'_>) -> bool>,
}

#[derive(Clone)]
enum Piece {
    /// Typed by the user, so shown as it is, escape sequences included.
    Literal(Vec<u8>),
    Field(Column),
}

/// One field of a template.
#[derive(Clone)]
pub struct Column {
    /// As it was typed, with its argument: `evt.arg.fd`.
    pub name: String,
    pub field: FieldRef,
    /// Characters.
    pub width: Option<usize>,
    straight: Option<Straight>,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("format error at position {}: {message}{}", .position + 1, did_you_mean(*.suggestion))]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Byte offset into the template.
    pub position: usize,
    /// The field that was probably meant.
    pub suggestion: Option<&'static str>,
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|field| format!("; did you mean {field}?")).unwrap_or_default()
}

impl TemplateError {
    /// Several lines: what is wrong, the template, a caret under the fault.
    pub fn render(&self, template: &str) -> String {
        let fault = caret::point(template, self.position..self.position);
        let suggestion = self.suggestion.map(|field| format!(" did you mean {field}?")).unwrap_or_default();
        format!("format error: {}\n{fault}{suggestion}", self.message)
    }
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
        let mut template = Self { pieces, shows_all, lacks: Vec::new() };
        // What this field shows depends on which events it was asked for before.
        if !shows_all && template.columns().all(|column| column.name != "evt.outputtime") {
            template.lacks = template.columns().filter_map(|column| fields::lacks(&column.name)).collect();
        }
        Ok(template)
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

    /// Appends one event, without a final line break.
    ///
    /// `false`: the event lacks a field and is not to be shown; nothing was appended.
    pub fn write(&self, from: &Extraction<'_>, out: &mut Vec<u8>) -> bool {
        if self.lacks.iter().any(|lacks| lacks(from)) {
            return false;
        }
        let start = out.len();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => append(out, text),
                Piece::Field(column) => {
                    if !column.write(from, out) && !self.shows_all {
                        out.truncate(start);
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// The text that means the same template.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shows_all {
            f.write_str("*")?;
        }
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => {
                    for c in text.to_str_lossy().chars() {
                        match c {
                            '\n' => f.write_str("\\n")?,
                            '\t' => f.write_str("\\t")?,
                            '\u{1b}' => f.write_str("\\e")?,
                            '\\' => f.write_str("\\\\")?,
                            c => f.write_char(c)?,
                        }
                    }
                }
                Piece::Field(Column { name, width, .. }) => {
                    f.write_str("%")?;
                    if let Some(width) = width {
                        write!(f, "{width}")?;
                    }
                    f.write_str(name)?;
                }
            }
        }
        Ok(())
    }
}

impl Column {
    /// Appends the value or `<NA>`; `false` when there was no value.
    pub fn write(&self, from: &Extraction<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let found = match self.straight {
            Some(write) => write(out, from),
            None => self.write_value(from, out),
        };
        if !found {
            out.extend_from_slice(NO_VALUE);
        }
        if let Some(width) = self.width {
            fit(out, start, width);
        }
        found
    }

    fn write_value(&self, from: &Extraction<'_>, out: &mut Vec<u8>) -> bool {
        let is_list = self.field.field.flags.contains(FieldFlags::LIST);
        let mut count = 0;
        self.field.extract(from, &mut |value| {
            if is_list {
                out.push(if count == 0 { b'(' } else { b',' });
            } else if count > 0 {
                out.push(b' ');
            }
            count += 1;
            write_value(&value, &self.field, from.options, out);
        });
        if is_list && count > 0 {
            out.push(b')');
        }
        count > 0
    }
}

/// Cuts what is in `out` from `start` on to `width` characters, or fills it up with blanks.
///
/// Characters count, not bytes, so that no character is cut in the middle.
fn fit(out: &mut Vec<u8>, start: usize, width: usize) {
    let text = out.get(start..).unwrap_or_default();
    let end = match text.is_ascii() {
        true => (text.len() > width).then_some(width),
        false => text.char_indices().nth(width).map(|(at, _, _)| at),
    };
    match end {
        Some(end) => out.truncate(start + end),
        None => {
            let missing = width.saturating_sub(text.chars().count());
            out.resize(out.len() + missing, b' ');
        }
    }
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
    let (field, length) = fields::find_prefix(name).map_err(|e| match e.kind {
        ErrorKind::Unknown(_) => unknown(name, name_at),
        kind => TemplateError { suggestion: e.nearest, ..error(name_at, &kind.to_string()) },
    })?;
    let name = name[..length].to_owned();
    if field.field.flags.contains(FieldFlags::FILTER_ONLY) {
        return Err(error(name_at, &format!("{name} can be used in filters only")));
    }
    let straight = fields::straight(&name);
    Ok((Column { name, field, width, straight }, name_at + length))
}

/// There is no field at the start of `text`: what looks like a name is named, not all that follows.
fn unknown(text: &str, position: usize) -> TemplateError {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let name = text.split(|c| !is_part(c)).next().unwrap_or_default();
    if name.is_empty() {
        return error(position, "'%' without the name of a field after it");
    }
    let suggestion = fields::nearest(name);
    TemplateError { suggestion, ..error(position, &format!("unknown field {name}")) }
}

fn error(position: usize, message: &str) -> TemplateError {
    TemplateError { message: caret::shorten(message.to_owned()), position, suggestion: None }
}

#[cfg(test)]
mod properties;

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
        assert_eq!(message, "unknown field proc.nmae");
        assert_eq!(fault("%evt.around[1]"), (1, "evt.around[1] can be used in filters only".to_owned()));
        assert_eq!(fault("%proc.nmae|%evt.num").1, "unknown field proc.nmae");
    }

    #[test]
    fn the_caret_stands_below_the_fault() {
        let template = "é %proc.nmae %evt.num";
        let error = Template::parse(template).err().unwrap();
        assert_eq!(
            error.render(template),
            "format error: unknown field proc.nmae\n  é %proc.nmae %evt.num\n     ^ did you mean proc.name?"
        );
        assert_eq!(
            error.to_string(),
            "format error at position 5: unknown field proc.nmae; did you mean proc.name?"
        );
    }

    #[test]
    fn faults_far_into_a_template_are_shown_with_their_surroundings() {
        let template = "%evt.num ".repeat(20_000) + "%proc.nmae";
        let shown = Template::parse(&template).err().unwrap().render(&template);
        assert!(shown.contains("%evt.num %proc.nmae\n") && shown.len() < 500, "{shown}");
        let template = format!("%{}", "x".repeat(100_000));
        let error = Template::parse(&template).err().unwrap();
        assert!(error.render(&template).len() < 1500 && error.suggestion.is_none());
    }

    #[test]
    fn widths_count_characters() {
        let fitted = |text: &[u8], width| {
            let mut out = b"__".to_vec();
            out.extend_from_slice(text);
            fit(&mut out, 2, width);
            out[2..].to_vec()
        };
        assert_eq!(fitted(b"abc", 5), b"abc  ");
        assert_eq!(fitted(b"abc", 3), b"abc");
        assert_eq!(fitted(b"abcdef", 3), b"abc");
        assert_eq!(fitted("日本語".as_bytes(), 2), "日本".as_bytes());
        assert_eq!(fitted("é".as_bytes(), 3), "é  ".as_bytes());
        assert_eq!(fitted(b"\xffa\xfe", 2), b"\xffa");
        assert_eq!(fitted(b"abc", 0), b"");
        assert_eq!(fitted(b"", 0), b"");
    }
}
