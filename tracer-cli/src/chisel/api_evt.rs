//! The `evt` table: the event of the moment.
//!
//! These run for every event that a chisel sees. They are C functions of Lua's own protocol, which
//! costs a third of a wrapped closure.

use super::current;
use super::requests::Requests;
use crate::fields::table::Class;
use crate::fields::write::{write_path, write_printable, write_value};
use crate::fields::{Extraction, FieldFlags, FieldRef, Value};
use crate::schema::ParamType;
use mlua::{Lua, Result, Table, ffi};
use std::ffi::c_int;
use std::io::Write;

const SECOND: u64 = 1_000_000_000;

/// Makes the table.
///
/// # Errors
/// A lack of memory.
pub fn table(lua: &Lua) -> Result<Table> {
    let table = lua.create_table()?;
    let functions: [(&str, ffi::lua_CFunction); 5] = [
        ("field", field),
        ("get_num", get_num),
        ("get_ts", get_ts),
        ("get_type", get_type),
        ("get_cpuid", get_cpuid),
    ];
    for (name, function) in functions {
        // SAFETY: these functions follow the protocol of Lua's C functions.
        table.raw_set(name, unsafe { lua.create_c_function(function)? })?;
    }
    Ok(table)
}

/// The value of a field as Lua has it; of a text its place is the buffer it was written to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LuaValue {
    Nil,
    Number(f64),
    Bool(bool),
    Text,
}

/// Reads the first value of a field; a text is appended to `text`.
#[inline]
pub fn read_field(
    field: &FieldRef,
    from: &Extraction<'_>,
    for_terminal: bool,
    text: &mut Vec<u8>,
) -> LuaValue {
    let mut found = LuaValue::Nil;
    field.extract(from, &mut |value| {
        if found != LuaValue::Nil {
            return;
        }
        found = match value {
            Value::Bool(truth) => LuaValue::Bool(truth),
            Value::Int(number) => LuaValue::Number(number as f64),
            Value::Uint(number) | Value::Reltime(number) | Value::Abstime(number) => {
                LuaValue::Number(number as f64)
            }
            Value::Double(number) => LuaValue::Number(number),
            Value::Port(port) => LuaValue::Number(f64::from(port)),
            Value::Ip(ip) => {
                // Writing to memory does not fail.
                let _ = write!(text, "{ip}");
                LuaValue::Text
            }
            Value::Text(bytes) => {
                write_text(field, before_nul(bytes), for_terminal, text);
                LuaValue::Text
            }
            Value::Buffer(bytes) => {
                match is_raw(field) {
                    true => write_raw(bytes, for_terminal, text),
                    false => write_value(&value, field, from.options, text),
                }
                LuaValue::Text
            }
        };
    });
    if found == LuaValue::Nil && is_empty_buffer(field, from) {
        found = LuaValue::Text;
    }
    found
}

/// Parameters come as they are, other data in the form that `-A`, `-x` … choose.
fn is_raw(field: &FieldRef) -> bool {
    field.field.name == "evt.rawarg"
}

/// A buffer with nothing in it is a text for chisels.
fn is_empty_buffer(field: &FieldRef, from: &Extraction<'_>) -> bool {
    let event = from.context.event;
    is_raw(field)
        && field.ty == ParamType::Bytebuf
        && field
            .arg
            .as_ref()
            .and_then(|arg| arg.for_event(event.ty))
            .is_some_and(|i| event.params.get(i).is_some())
}

/// Chisels have always got texts up to the first NUL.
#[inline]
fn before_nul(bytes: &[u8]) -> &[u8] {
    memchr::memchr(0, bytes).and_then(|end| bytes.get(..end)).unwrap_or(bytes)
}

fn write_text(field: &FieldRef, bytes: &[u8], for_terminal: bool, text: &mut Vec<u8>) {
    match field.field.class {
        Class::Fd | Class::FsPath | Class::Fdlist => write_path(text, bytes),
        _ if for_terminal && !field.field.flags.contains(FieldFlags::RENDERED) => {
            write_printable(text, bytes)
        }
        _ => text.extend_from_slice(bytes),
    }
}

/// Data keeps its lines; on a terminal nothing else that is no character.
fn write_raw(bytes: &[u8], for_terminal: bool, text: &mut Vec<u8>) {
    if !for_terminal {
        return text.extend_from_slice(bytes);
    }
    for line in bytes.split_inclusive(|b| matches!(b, b'\n' | b'\t' | b'\r')) {
        match line.split_last() {
            Some((end @ (b'\n' | b'\t' | b'\r'), line)) => {
                write_path(text, line);
                text.push(*end);
            }
            _ => write_path(text, line),
        }
    }
}

/// `evt.field(handle)`: number, truth value, text or nil.
unsafe extern "C-unwind" fn field(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state. Pushing may raise an error, which skips
    // destructors: none are pending, as the borrow of the text ends before.
    unsafe {
        let handle = ffi::lua_touserdata(state, 1).addr();
        let (value, start, length) = current::event(|now| match now {
            Some((from, requests)) => look_up(handle, from, requests),
            None => (LuaValue::Nil, std::ptr::null(), 0),
        });
        match value {
            LuaValue::Nil => ffi::lua_pushnil(state),
            LuaValue::Number(number) => ffi::lua_pushnumber(state, number),
            LuaValue::Bool(truth) => ffi::lua_pushboolean(state, c_int::from(truth)),
            // Nobody writes to the text until this function is called again.
            LuaValue::Text => ffi::lua_pushlstring_(state, start.cast(), length),
        }
    }
    1
}

/// A value, and where the text stands that it may be.
#[inline]
fn look_up(handle: usize, from: &Extraction<'_>, requests: &Requests) -> (LuaValue, *const u8, usize) {
    let fields = requests.fields.borrow();
    let mut text = requests.text.borrow_mut();
    text.clear();
    let value = match handle.checked_sub(1).and_then(|i| fields.get(i)) {
        Some(field) => read_field(field, from, requests.for_terminal, &mut text),
        None => LuaValue::Nil,
    };
    (value, text.as_ptr(), text.len())
}

unsafe extern "C-unwind" fn get_num(state: *mut ffi::lua_State) -> c_int {
    let num = current::event(|now| now.map_or(0, |(from, _)| from.context.event.num));
    // SAFETY: called by Lua with a running state.
    unsafe { ffi::lua_pushnumber(state, num as f64) };
    1
}

/// Seconds and nanoseconds.
unsafe extern "C-unwind" fn get_ts(state: *mut ffi::lua_State) -> c_int {
    let ts = current::event(|now| now.map_or(0, |(from, _)| from.context.event.ts));
    // SAFETY: called by Lua with a running state.
    unsafe {
        ffi::lua_pushnumber(state, (ts / SECOND) as f64);
        ffi::lua_pushnumber(state, (ts % SECOND) as f64);
    }
    2
}

unsafe extern "C-unwind" fn get_type(state: *mut ffi::lua_State) -> c_int {
    let name = current::event(|now| now.map_or("", |(from, _)| from.context.event.name()));
    // SAFETY: called by Lua with a running state; the name is static.
    unsafe { ffi::lua_pushlstring_(state, name.as_ptr().cast(), name.len()) };
    1
}

unsafe extern "C-unwind" fn get_cpuid(state: *mut ffi::lua_State) -> c_int {
    let cpu = current::event(|now| now.map_or(0, |(from, _)| from.context.event.cpu));
    // SAFETY: called by Lua with a running state.
    unsafe { ffi::lua_pushnumber(state, f64::from(cpu)) };
    1
}
