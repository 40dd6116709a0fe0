//! `chisel.remember(key, fields, filter)`: the values of some fields at the last event that had a key, without Lua.
//!
//! A chisel that shows how something began when it turns out to be of interest would have to keep each beginning, most
//! of them for nothing. Here they are kept as bytes, in memory that the next one of the same key uses again.

use super::api_evt::{LuaValue, read_field};
use crate::event::Event;
use crate::fields::{Extraction, FieldRef};
use crate::filter::Filter;
use mlua::{IntoLua, Lua, MultiValue, Result, UserData, UserDataMethods, Value};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes that one memory may take: they are not in those that Lua counts.
const MAX_BYTES: usize = 64 << 20;
/// Bytes of a row beside its texts.
const ROW_BYTES: usize = 128;

/// Why an event cannot be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what it remembers takes too much memory")]
pub struct TooMuch;

/// Rows of values by key.
pub struct LastValues {
    key: FieldRef,
    fields: Vec<FieldRef>,
    filter: Filter,
    rows: FxHashMap<Box<[u8]>, Row>,
    bytes: usize,
    /// The key of the moment.
    searched: Vec<u8>,
}

/// The values of the fields, and where the text of each ends in `text`.
#[derive(Default)]
struct Row {
    values: Vec<(LuaValue, usize)>,
    text: Vec<u8>,
}

/// What Lua holds of it.
pub struct Handle(Rc<RefCell<LastValues>>);

impl LastValues {
    /// Nothing is remembered yet. Events that `filter` refuses never are.
    pub fn new(key: FieldRef, fields: Vec<FieldRef>, filter: Filter) -> Self {
        Self { key, fields, filter, rows: FxHashMap::default(), bytes: 0, searched: Vec::new() }
    }

    /// Which events are remembered.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether an event of this type may be remembered.
    #[inline]
    pub fn wants(&self, event: &Event<'_>) -> bool {
        self.filter.event_types().contains(event)
    }

    /// Remembers the event if the filter lets it pass and it has a key.
    ///
    /// # Errors
    /// No room for one more.
    #[inline]
    pub fn event(&mut self, from: &Extraction<'_>, for_terminal: bool) -> std::result::Result<(), TooMuch> {
        if !self.wants(from.context.event) || !self.filter.matches_in(from) {
            return Ok(());
        }
        self.searched.clear();
        match read_field(&self.key, from, for_terminal, &mut self.searched) {
            LuaValue::Nil => return Ok(()),
            LuaValue::Text => self.searched.push(TEXT),
            LuaValue::Number(number) => push_number(&mut self.searched, number),
            LuaValue::Bool(truth) => self.searched.push(u8::from(truth)),
        }
        if let Some(row) = self.rows.get_mut(self.searched.as_slice()) {
            self.bytes += row.fill(&self.fields, from, for_terminal);
        } else {
            let mut row = Row::default();
            self.bytes += row.fill(&self.fields, from, for_terminal) + self.searched.len() + ROW_BYTES;
            self.rows.insert(self.searched.as_slice().into(), row);
        }
        if self.bytes > MAX_BYTES { Err(TooMuch) } else { Ok(()) }
    }

    /// The values of the fields at the last event with this key; none where there was no such event.
    fn last(&self, key: &Value, lua: &Lua) -> Result<MultiValue> {
        let mut searched = Vec::new();
        match key {
            Value::Integer(number) => push_number(&mut searched, *number as f64),
            Value::Number(number) => push_number(&mut searched, *number),
            Value::Boolean(truth) => searched.push(u8::from(*truth)),
            Value::String(text) => {
                searched.extend_from_slice(&text.as_bytes());
                searched.push(TEXT);
            }
            _ => {}
        }
        let Some(row) = self.rows.get(searched.as_slice()) else { return Ok(MultiValue::new()) };
        let mut start = 0;
        let values = row.values.iter().map(|(value, end)| {
            let text = row.text.get(start..*end).unwrap_or_default();
            start = *end;
            match value {
                LuaValue::Nil => Ok(Value::Nil),
                LuaValue::Number(number) => number.into_lua(lua),
                LuaValue::Bool(truth) => truth.into_lua(lua),
                LuaValue::Text => lua.create_string(text)?.into_lua(lua),
            }
        });
        values.collect()
    }
}

/// Ends a key that is a text, so that it is none that is a number.
const TEXT: u8 = 2;
const NUMBER: u8 = 3;

fn push_number(key: &mut Vec<u8>, number: f64) {
    key.extend_from_slice(&number.to_bits().to_le_bytes());
    key.push(NUMBER);
}

impl Row {
    /// Takes the values of an event; returns how many bytes it has grown.
    fn fill(&mut self, fields: &[FieldRef], from: &Extraction<'_>, for_terminal: bool) -> usize {
        let before = self.bytes();
        self.values.clear();
        self.text.clear();
        for field in fields {
            let value = read_field(field, from, for_terminal, &mut self.text);
            self.values.push((value, self.text.len()));
        }
        self.bytes() - before
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<(LuaValue, usize)>() + self.text.capacity()
    }
}

impl Handle {
    pub fn new(values: &Rc<RefCell<LastValues>>) -> Self {
        Self(Rc::clone(values))
    }
}

impl UserData for Handle {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("last", |lua, this, key: Value| this.0.borrow().last(&key, lua));
    }
}
