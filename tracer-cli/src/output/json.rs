//! `-j`: one JSON object a line for each event.
//!
//! The keys are the fields of the template, sorted, each once; the text between them is left out.
//! Numbers and truth values keep their type, a field without a value is `null`. JSON text is
//! Unicode, names in Linux are bytes: a broken UTF-8 sequence becomes U+FFFD. Control characters are
//! escaped, also those that JSON would allow, so that a terminal shows the object harmlessly.

use super::template::{Column, Template};
use crate::fields::{Extraction, FieldFlags, FieldRef, Value, write::write_value};
use crate::schema::{ParamFormat, ParamType};
use bstr::ByteSlice;
use std::io::Write;

/// Fields that show the time to people. Programs get ns since the epoch instead, whatever -t says.
const TIMES: [&str; 6] =
    ["evt.outputtime", "evt.time", "evt.time.s", "evt.time.iso8601", "evt.datetime", "evt.datetime.s"];

/// A template as JSON.
#[derive(Clone)]
pub struct JsonObject {
    members: Vec<Member>,
    shows_all: bool,
    /// Reused for values that are written as text first.
    scratch: Vec<u8>,
}

#[derive(Clone)]
struct Member {
    /// Quoted, with the colon and, but for the first, the comma before it.
    key: Vec<u8>,
    field: FieldRef,
    /// The time of the event, as a number.
    is_time: bool,
}

impl JsonObject {
    pub fn new(template: &Template) -> Self {
        let mut columns: Vec<&Column> = template.columns().collect();
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        columns.dedup_by(|a, b| a.name == b.name);
        let member = |(i, column): (usize, &Column)| {
            let mut key = if i == 0 { Vec::new() } else { b",".to_vec() };
            write_string(column.name.as_bytes(), &mut key);
            key.push(b':');
            let is_time = TIMES.contains(&column.name.as_str());
            Member { key, field: column.field.clone(), is_time }
        };
        let members = columns.into_iter().enumerate().map(member).collect();
        Self { members, shows_all: template.shows_all(), scratch: Vec::new() }
    }

    /// Those that are shown.
    pub fn fields(&self) -> impl Iterator<Item = &FieldRef> {
        self.members.iter().map(|member| &member.field)
    }

    /// Appends one event without a final line break; `false` when it lacks a field that it must have
    /// to be shown, and then appends nothing.
    pub fn write(&mut self, from: &Extraction<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.push(b'{');
        for member in &self.members {
            out.extend_from_slice(&member.key);
            let found = if member.is_time {
                push_integer(out, from.context.event.ts);
                true
            } else {
                write_field(&member.field, from, &mut self.scratch, out)
            };
            if !found {
                if !self.shows_all {
                    out.truncate(start);
                    return false;
                }
                out.extend_from_slice(b"null");
            }
        }
        out.push(b'}');
        true
    }
}

fn write_field(field: &FieldRef, from: &Extraction<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
    let is_list = field.field.flags.contains(FieldFlags::LIST);
    let mut count = 0;
    if field.field.flags.contains(FieldFlags::ANY) && !is_list && field.arg.is_none() {
        return write_joined(field, from, scratch, out);
    }
    field.extract(from, &mut |value| {
        if count > 0 && !is_list {
            return;
        }
        if is_list {
            out.push(if count == 0 { b'[' } else { b',' });
        }
        count += 1;
        write_json(value, field, from, scratch, out);
    });
    if is_list && count > 0 {
        out.push(b']');
    }
    count > 0
}

/// Writes the values of a field that has several as one text with blanks between them.
fn write_joined(field: &FieldRef, from: &Extraction<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
    scratch.clear();
    let mut count = 0;
    field.extract(from, &mut |value| {
        if count > 0 {
            scratch.push(b' ');
        }
        count += 1;
        write_value(&value, field, from.options, scratch);
    });
    if count > 0 {
        write_string(scratch, out);
    }
    count > 0
}

fn write_json(
    value: Value<'_>,
    field: &FieldRef,
    from: &Extraction<'_>,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    match value {
        Value::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
        Value::Double(number) if number.is_finite() => {
            // Writing to memory does not fail.
            let _ = write!(out, "{number:?}");
        }
        Value::Double(_) => out.extend_from_slice(b"null"),
        Value::Int(number) if is_number(field) => push_integer(out, number),
        Value::Uint(number) | Value::Reltime(number) | Value::Abstime(number) if is_number(field) => {
            push_integer(out, number);
        }
        Value::Port(port) if !from.options.resolve_names => push_integer(out, port),
        Value::Text(text) => write_string(text, out),
        _ => {
            scratch.clear();
            write_value(&value, field, from.options, scratch);
            write_string(scratch, out);
        }
    }
}

/// Numbers that people know in hexadecimal or octal are given as that text.
fn is_number(field: &FieldRef) -> bool {
    !matches!(field.format, ParamFormat::Hex | ParamFormat::Oct)
        && !matches!(field.ty, ParamType::Ipv4addr | ParamType::Ipv6addr | ParamType::Ipaddr)
}

fn push_integer(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends `text` as a JSON string.
pub fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if text.iter().all(|b| (0x20..0x7f).contains(b) && !matches!(b, b'"' | b'\\')) {
        out.extend_from_slice(text);
    } else {
        for chunk in ByteSlice::utf8_chunks(text) {
            for c in chunk.valid().chars() {
                write_char(c, out);
            }
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
    out.push(b'"');
}

fn write_char(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        c if is_control(c) => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u");
            let code = c as u32;
            out.extend([12, 8, 4, 0].map(|shift| HEX[(code >> shift) as usize & 15]));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Whether a terminal would obey a character rather than show it: the control characters and those
/// that turn the direction of the text after them.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &[u8]) -> String {
        let mut out = Vec::new();
        write_string(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(string(b"/etc/passwd"), r#""/etc/passwd""#);
        assert_eq!(string(b"a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(string(b"\n\r\t\x08\x0c\x00\x1b\x7f"), r#""\n\r\t\b\f\u0000\u001b\u007f""#);
        assert_eq!(string("é\u{9b}日\u{202e}".as_bytes()), "\"é\\u009b日\\u202e\"");
        assert_eq!(string(b"a\xff\xc3("), "\"a\u{fffd}\u{fffd}(\"");
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        for text in ["", "plain", "\u{0}\u{1}\"\\/\u{7f}\u{80}", "日本\n€"] {
            assert_eq!(serde_json::from_str::<String>(&string(text.as_bytes())).unwrap(), text);
        }
    }

    #[test]
    fn keys_are_sorted_and_stand_once() {
        let template = Template::parse("*%proc.name %evt.num %evt.num %evt.cpu").unwrap();
        let object = JsonObject::new(&template);
        let keys: Vec<_> = object.members.iter().map(|m| m.key.to_str_lossy().into_owned()).collect();
        assert_eq!(keys, ["\"evt.cpu\":", ",\"evt.num\":", ",\"proc.name\":"]);
    }
}
