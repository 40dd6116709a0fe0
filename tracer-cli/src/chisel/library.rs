//! Lua's own library as chisels get it: what reaches outside is left out, and what could run without end is guarded.

use super::console::Console;
use super::{strings, watchdog};
use mlua::{Lua, MultiValue, Table, Value, ffi};
use std::cell::RefCell;
use std::ffi::c_int;
use std::rc::Rc;

/// Raised by `os.exit`: the chisel wants the run to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("os.exit was called")]
pub struct ExitRequest;

/// Sets up the globals of a state whose libraries have been loaded.
///
/// # Errors
/// A lack of memory.
pub fn install(lua: &Lua, allow_io: bool, console: &Rc<RefCell<Console>>) -> mlua::Result<()> {
    let globals = lua.globals();
    for name in ["dofile", "loadfile", "newproxy", "module"] {
        globals.raw_remove(name)?;
    }
    install_load(lua, &globals)?;
    let string: Table = globals.raw_get("string")?;
    string.raw_remove("dump")?;
    strings::install(lua, &string)?;
    guard(lua, &globals)?;
    install_os(lua, &globals.raw_get("os")?, allow_io)?;
    install_output(lua, &globals, allow_io, console)
}

/// Functions within which no hook runs, so that a call in them would never end. Of `xpcall` that is the handler of the
/// error that ends a call; `table.sort` compares numbers and texts natively, and can be made to do so for hours.
const GUARDS: &str = "
local xpcall, sort, is_condemned = ...
local function guarded(f, handler, ...)
  return xpcall(f, function(message)
    if is_condemned() then
      return message
    end
    return handler(message)
  end, ...)
end
local function less(a, b)
  return a < b
end
return guarded, function(list, is_less)
  return sort(list, is_less or less)
end";

fn guard(lua: &Lua, globals: &Table) -> mlua::Result<()> {
    let table: Table = globals.raw_get("table")?;
    let is_condemned = lua.create_function(|_, ()| Ok(watchdog::is_condemned()))?;
    let natives = (globals.raw_get::<Value>("xpcall")?, table.raw_get::<Value>("sort")?, is_condemned);
    let (xpcall, sort): (Value, Value) = lua.load(GUARDS).set_name("=guards").call(natives)?;
    globals.raw_set("xpcall", xpcall)?;
    table.raw_set("sort", sort)
}

/// Longest source that is put together from pieces, bytes: it is not in memory that the limit counts.
const MAX_SOURCE: usize = 16 << 20;

/// `load` and `loadstring` for text: the interpreter trusts compiled code.
fn install_load(lua: &Lua, globals: &Table) -> mlua::Result<()> {
    let compile = |lua: &Lua, source: Vec<u8>, name: Option<String>| {
        let name = name.unwrap_or_else(|| "=loaded".to_owned());
        let chunk = lua.load(source).set_name(name).set_mode(mlua::chunk::ChunkMode::Text);
        Ok(match chunk.into_function() {
            Ok(function) => (Value::Function(function), None),
            Err(e) => (Value::Nil, Some(e.to_string())),
        })
    };
    let load = lua.create_function(move |lua, (from, name): (Value, Option<String>)| {
        let mut source = Vec::new();
        match &from {
            Value::String(text) => source.extend_from_slice(&text.as_bytes()),
            Value::Function(reader) => {
                while let Some(piece) = reader.call::<Option<mlua::LuaString>>(())? {
                    if piece.as_bytes().is_empty() {
                        break;
                    }
                    if source.len() > MAX_SOURCE {
                        return Err(mlua::Error::runtime("source too large"));
                    }
                    source.extend_from_slice(&piece.as_bytes());
                }
            }
            other => return Err(mlua::Error::runtime(format!("load of a {}", other.type_name()))),
        }
        compile(lua, source, name)
    })?;
    globals.raw_set("loadstring", &load)?;
    globals.raw_set("load", load)
}

fn install_os(lua: &Lua, os: &Table, allow_io: bool) -> mlua::Result<()> {
    os.raw_set(
        "exit",
        lua.create_function(|_, ()| -> mlua::Result<()> { Err(mlua::Error::external(ExitRequest)) })?,
    )?;
    os.raw_remove("setlocale")?;
    if allow_io {
        return Ok(());
    }
    for name in ["execute", "remove", "rename", "tmpname"] {
        os.raw_set(name, refusal(lua, &format!("os.{name}"))?)?;
    }
    Ok(())
}

/// A function that says what it takes to have the real one.
pub fn refusal(lua: &Lua, name: &str) -> mlua::Result<mlua::Function> {
    let message = format!("{name} needs --allow-chisel-io");
    lua.create_function(move |_, _: MultiValue| -> mlua::Result<()> { Err(mlua::Error::runtime(&message)) })
}

/// `print` and `io`, which write to the console.
fn install_output(
    lua: &Lua,
    globals: &Table,
    allow_io: bool,
    console: &Rc<RefCell<Console>>,
) -> mlua::Result<()> {
    let out = Rc::clone(console);
    let print = lua.create_function(move |lua, values: MultiValue| {
        let mut out = out.try_borrow_mut().map_err(mlua::Error::external)?;
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                out.write(b"\t");
            }
            write_value(lua, value, &mut out)?;
        }
        out.write(b"\n");
        Ok(())
    })?;
    globals.raw_set("print", print_of_texts(lua, print, console)?)?;

    let io: Table = if allow_io { globals.raw_get("io")? } else { lua.create_table()? };
    let out = Rc::clone(console);
    let write = lua.create_function(move |lua, values: MultiValue| {
        let mut out = out.try_borrow_mut().map_err(mlua::Error::external)?;
        for value in &values {
            match value {
                // The file of `io.stdout:write`.
                Value::Table(_) => {}
                value => write_value(lua, value, &mut out)?,
            }
        }
        Ok(true)
    })?;
    let stdout = lua.create_table()?;
    let out = Rc::clone(console);
    let flush = lua.create_function(move |_, _: MultiValue| {
        out.try_borrow_mut().map_err(mlua::Error::external)?.flush();
        Ok(true)
    })?;
    let nothing = lua.create_function(|_, _: MultiValue| Ok(true))?;
    stdout.raw_set("write", &write)?;
    stdout.raw_set("flush", &flush)?;
    stdout.raw_set("setvbuf", &nothing)?;
    stdout.raw_set("close", &nothing)?;
    io.raw_set("write", write)?;
    io.raw_set("flush", flush)?;
    io.raw_set("stdout", stdout)?;
    if !allow_io {
        for name in ["open", "popen", "lines", "input", "output", "read", "tmpfile", "close"] {
            io.raw_set(name, refusal(lua, &format!("io.{name}"))?)?;
        }
        let stderr = lua.create_table()?;
        let complain = lua.create_function(|_, values: MultiValue| {
            let texts: Vec<String> = values.iter().skip(1).filter_map(|v| v.to_string().ok()).collect();
            eprint!("{}", texts.concat());
            Ok(true)
        })?;
        stderr.raw_set("write", complain)?;
        stderr.raw_set("flush", nothing)?;
        io.raw_set("stderr", stderr)?;
    }
    globals.raw_set("io", io)
}

/// `print` for texts, which are nearly all that chisels print, without what a wrapped closure costs; the one given does
/// the rest.
fn print_of_texts(
    lua: &Lua,
    other: mlua::Function,
    console: &Rc<RefCell<Console>>,
) -> mlua::Result<mlua::Function> {
    let console = Rc::as_ptr(console);
    // SAFETY: the stack holds the other function, and the closure takes it as its second upvalue. The first points to the
    // console, which that function keeps: it lives as long as the closure.
    unsafe {
        lua.exec_raw(other, |state| {
            ffi::lua_pushlightuserdata(state, console.cast_mut().cast());
            ffi::lua_insert(state, 1);
            ffi::lua_pushcclosure(state, print_texts, 2);
        })
    }
}

unsafe extern "C-unwind" fn print_texts(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state and the upvalues of `print_of_texts`. Only the other function raises
    // errors, after the console has been given back: asking for a text that is one needs no memory.
    unsafe {
        let count = ffi::lua_gettop(state);
        if (1..=count).all(|i| ffi::lua_type(state, i) == ffi::LUA_TSTRING) {
            let console = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<RefCell<Console>>();
            if let Some(Ok(mut console)) = console.as_ref().map(RefCell::try_borrow_mut) {
                let out = console.buffer();
                for i in 1..=count {
                    if i > 1 {
                        out.push(b'\t');
                    }
                    let mut length = 0;
                    let text = ffi::lua_tolstring(state, i, &raw mut length);
                    if !text.is_null() {
                        out.extend_from_slice(std::slice::from_raw_parts(text.cast(), length));
                    }
                }
                out.push(b'\n');
                console.line_done();
                return 0;
            }
        }
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, count, 0);
    }
    0
}

fn write_value(lua: &Lua, value: &Value, out: &mut Console) -> mlua::Result<()> {
    match value {
        Value::String(text) => out.write(&text.as_bytes()),
        Value::Nil => out.write(b"nil"),
        Value::Boolean(truth) => out.write(if *truth { b"true" } else { b"false" }),
        Value::Number(_) | Value::Integer(_) => match lua.coerce_string(value.clone())? {
            Some(text) => out.write(&text.as_bytes()),
            None => out.write(b"nil"),
        },
        other => out.write(other.to_string()?.as_bytes()),
    }
    Ok(())
}
