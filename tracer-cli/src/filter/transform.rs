//! Operands: fields and functions of fields, and their values for an event.

use super::ast::Transformer;
use crate::fields::{Extraction, FieldRef, Value};
use std::ops::Range;

/// What has values for an event, looked up and checked.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Field(FieldRef),
    Call(Box<Call>),
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub function: Transformer,
    pub args: Vec<Argument>,
    /// Of `getopt`: the option whose value is asked for.
    pub option: Option<u8>,
    /// Of `len`: counts the values of a list, not the bytes of a text.
    pub counts_values: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Argument {
    Operand(Operand),
    Text(Box<[u8]>),
    List(Vec<Argument>),
}

impl Operand {
    /// Calls `visit` for every field in it.
    pub(super) fn visit_fields<'a>(&'a self, visit: &mut dyn FnMut(&'a FieldRef)) {
        fn argument<'a>(arg: &'a Argument, visit: &mut dyn FnMut(&'a FieldRef)) {
            match arg {
                Argument::Operand(operand) => operand.visit_fields(visit),
                Argument::Text(_) => {}
                Argument::List(items) => items.iter().for_each(|item| argument(item, visit)),
            }
        }
        match self {
            Operand::Field(field) => visit(field),
            Operand::Call(call) => call.args.iter().for_each(|arg| argument(arg, visit)),
        }
    }
}

/// Values of operands in reused memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

#[derive(Debug, Clone)]
enum Item {
    Plain(Value<'static>),
    Text(Range<usize>),
    Buffer(Range<usize>),
}

impl Values {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'_>> {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or(&[]);
        self.items.iter().map(move |item| match item {
            Item::Plain(value) => *value,
            Item::Text(range) => Value::Text(bytes(range)),
            Item::Buffer(range) => Value::Buffer(bytes(range)),
        })
    }

    fn push(&mut self, value: Value<'_>) {
        let item = match value {
            Value::Text(text) => Item::Text(self.append(text)),
            Value::Buffer(buffer) => Item::Buffer(self.append(buffer)),
            Value::Bool(v) => Item::Plain(Value::Bool(v)),
            Value::Int(v) => Item::Plain(Value::Int(v)),
            Value::Uint(v) => Item::Plain(Value::Uint(v)),
            Value::Reltime(v) => Item::Plain(Value::Reltime(v)),
            Value::Abstime(v) => Item::Plain(Value::Abstime(v)),
            Value::Double(v) => Item::Plain(Value::Double(v)),
            Value::Ip(v) => Item::Plain(Value::Ip(v)),
            Value::Port(v) => Item::Plain(Value::Port(v)),
        };
        self.items.push(item);
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn range(&self, item: usize) -> Range<usize> {
        match self.items.get(item) {
            Some(Item::Text(range) | Item::Buffer(range)) => range.clone(),
            _ => 0..0,
        }
    }

    /// Adds the values of an operand behind those already there.
    pub(super) fn add(&mut self, operand: &Operand, from: &Extraction<'_>) {
        match operand {
            Operand::Field(field) => field.extract(from, &mut |value| self.push(value)),
            Operand::Call(call) => self.add_call(call, from),
        }
    }

    fn add_argument(&mut self, arg: &Argument, from: &Extraction<'_>) {
        match arg {
            Argument::Operand(operand) => self.add(operand, from),
            Argument::Text(text) => self.push(Value::Text(text)),
            Argument::List(items) => items.iter().for_each(|item| self.add_argument(item, from)),
        }
    }

    fn add_call(&mut self, call: &Call, from: &Extraction<'_>) {
        let base = self.items.len();
        let mut complete = true;
        for arg in &call.args {
            let before = self.items.len();
            self.add_argument(arg, from);
            complete &= self.items.len() > before;
        }
        match call.function {
            Transformer::Tolower => self.rewrite(base, <[u8]>::make_ascii_lowercase),
            Transformer::Toupper => self.rewrite(base, <[u8]>::make_ascii_uppercase),
            Transformer::Basename => self.basename(base),
            Transformer::B64 => self.decode(base),
            Transformer::Len => {
                let length: usize = match call.counts_values {
                    true => self.items.len() - base,
                    false => (base..self.items.len()).map(|i| self.range(i).len()).sum(),
                };
                self.items.truncate(base);
                self.items.push(Item::Plain(Value::Uint(length as u64)));
            }
            // Without all of its parts a text is not what was asked for.
            Transformer::Concat | Transformer::Join if !complete => self.items.truncate(base),
            Transformer::Concat => self.glue(base, base, None),
            Transformer::Join => self.glue(base, base + 1, Some(base)),
            Transformer::Getopt => self.getopt(base, call.option, complete),
        }
    }

    fn rewrite(&mut self, base: usize, change: fn(&mut [u8])) {
        for i in base..self.items.len() {
            let range = self.range(i);
            if let Some(text) = self.bytes.get_mut(range) {
                change(text);
            }
        }
    }

    fn basename(&mut self, base: usize) {
        for i in base..self.items.len() {
            let range = self.range(i);
            let text = self.bytes.get(range.clone()).unwrap_or(&[]);
            let start = range.start + memchr::memrchr(b'/', text).map_or(0, |at| at + 1);
            if let Some(item) = self.items.get_mut(i) {
                *item = Item::Text(start..range.end);
            }
        }
    }

    fn decode(&mut self, base: usize) {
        let mut kept = base;
        for i in base..self.items.len() {
            let range = self.range(i);
            let start = self.bytes.len();
            if decode_base64(&mut self.bytes, range) {
                let decoded = Item::Text(start..self.bytes.len());
                if let Some(slot) = self.items.get_mut(kept) {
                    *slot = decoded;
                    kept += 1;
                }
            } else {
                self.bytes.truncate(start);
            }
        }
        self.items.truncate(kept);
    }

    /// Replaces the values from `base` on by one text: those from `first` on with `separator` between.
    fn glue(&mut self, base: usize, first: usize, separator: Option<usize>) {
        let start = self.bytes.len();
        for i in first..self.items.len() {
            if let Some(separator) = separator.filter(|_| i > first) {
                let range = self.range(separator);
                self.bytes.extend_from_within(range);
            }
            let range = self.range(i);
            self.bytes.extend_from_within(range);
        }
        self.items.truncate(base);
        self.items.push(Item::Text(start..self.bytes.len()));
    }

    /// The last of the values from `base` on is the option string, those before it are arguments;
    /// a single one is taken apart at blanks.
    fn getopt(&mut self, base: usize, option: Option<u8>, complete: bool) {
        if !complete {
            self.items.truncate(base);
            return;
        }
        let options = self.range(self.items.len() - 1);
        self.items.pop();
        if self.items.len() == base + 1 {
            let whole = self.range(base);
            self.items.truncate(base);
            let mut at = whole.start;
            while at < whole.end {
                let text = self.bytes.get(at..whole.end).unwrap_or(&[]);
                let end = at + memchr::memchr(b' ', text).unwrap_or(text.len());
                if end > at {
                    self.items.push(Item::Text(at..end));
                }
                at = end + 1;
            }
        }
        let arguments = self.items.len();
        let mut next = base;
        while next < arguments {
            let word = self.range(next);
            next += 1;
            let byte = |at: usize| self.bytes.get(at).copied();
            if word.len() < 2 || byte(word.start) != Some(b'-') {
                continue;
            }
            if word.len() == 2 && byte(word.start + 1) == Some(b'-') {
                break;
            }
            let mut at = word.start + 1;
            while at < word.end {
                let Some(letter) = self.bytes.get(at).copied() else { break };
                at += 1;
                let takes = takes_value(self.bytes.get(options.clone()).unwrap_or(&[]), letter);
                let Some(takes) = takes else { continue };
                let letter_range = at - 1..at;
                let value = match takes {
                    Takes::Nothing => None,
                    _ if at < word.end => Some(std::mem::replace(&mut at, word.end)..word.end),
                    Takes::Optional => None,
                    Takes::Value if next < arguments => {
                        next += 1;
                        Some(self.range(next - 1))
                    }
                    // The value is missing: the option does not count.
                    Takes::Value => continue,
                };
                match option {
                    Some(wanted) if wanted == letter => {
                        self.items.truncate(arguments);
                        self.items.push(Item::Text(value.unwrap_or(at..at)));
                    }
                    Some(_) => {}
                    None => {
                        self.items.push(Item::Text(letter_range));
                        self.items.extend(value.map(Item::Text));
                    }
                }
            }
        }
        self.items.drain(base..arguments);
    }
}

enum Takes {
    Nothing,
    Value,
    Optional,
}

fn takes_value(options: &[u8], letter: u8) -> Option<Takes> {
    if letter == b':' {
        return None;
    }
    let at = memchr::memchr(letter, options)?;
    Some(match options.get(at + 1..) {
        Some([b':', b':', ..]) => Takes::Optional,
        Some([b':', ..]) => Takes::Value,
        _ => Takes::Nothing,
    })
}

/// Appends what `range` of the bytes decodes to; `false` when it is no base64.
fn decode_base64(bytes: &mut Vec<u8>, range: Range<usize>) -> bool {
    let (mut group, mut bits, mut digits, mut padding) = (0u32, 0, 0usize, 0usize);
    for at in range {
        let digit = match bytes.get(at).copied() {
            Some(b @ b'A'..=b'Z') => b - b'A',
            Some(b @ b'a'..=b'z') => b - b'a' + 26,
            Some(b @ b'0'..=b'9') => b - b'0' + 52,
            Some(b'+') => 62,
            Some(b'/') => 63,
            Some(b'=') => {
                padding += 1;
                continue;
            }
            _ => return false,
        };
        if padding > 0 {
            return false;
        }
        digits += 1;
        group = group << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits) as u8);
        }
    }
    digits % 4 != 1 && (padding == 0 || padding <= 2 && (digits + padding).is_multiple_of(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &Values) -> Vec<String> {
        let text = |v: Value<'_>| match v {
            Value::Text(t) => String::from_utf8_lossy(t).into_owned(),
            other => format!("{other:?}"),
        };
        values.iter().map(text).collect()
    }

    fn with(items: &[&str]) -> Values {
        let mut values = Values::default();
        values.push(Value::Text(b"before"));
        items.iter().for_each(|i| values.push(Value::Text(i.as_bytes())));
        values
    }

    #[test]
    fn base64() {
        let decode = |text: &str| {
            let mut values = with(&[text]);
            values.decode(1);
            texts(&values).get(1).cloned()
        };
        assert_eq!(decode("aGVsbG8=").as_deref(), Some("hello"));
        assert_eq!(decode("aGVsbG8").as_deref(), Some("hello"));
        assert_eq!(decode("aGVsbG8h").as_deref(), Some("hello!"));
        assert_eq!(decode("").as_deref(), Some(""));
        for bad in ["a", "aGVsbG8==", "aGV=bG8=", "aGV sbG8", "===="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn options() {
        let run = |args: &[&str], options: &str, option: Option<u8>| {
            let mut values = with(args);
            values.push(Value::Text(options.as_bytes()));
            values.getopt(1, option, true);
            texts(&values)[1..].join(" ")
        };
        assert_eq!(run(&["-a -b value rest -cx"], "ab:c::", None), "a b value c x");
        assert_eq!(run(&["-abvalue", "-c"], "ab:c::", None), "a b value c");
        assert_eq!(run(&["-b one -b two"], "b:", Some(b'b')), "two");
        assert_eq!(run(&["-a", "--", "-b", "x"], "ab:", Some(b'b')), "");
        assert_eq!(run(&["-b"], "b:", None), "");
        assert_eq!(run(&["-z: -"], "a:", None), "");
    }

    #[test]
    fn gluing() {
        let mut values = with(&[",", "a", "", "c"]);
        values.glue(1, 2, Some(1));
        assert_eq!(texts(&values), ["before", "a,,c"]);
        let mut values = with(&["/a/b", "c", "/d/"]);
        values.basename(1);
        assert_eq!(texts(&values), ["before", "b", "c", ""]);
    }
}
