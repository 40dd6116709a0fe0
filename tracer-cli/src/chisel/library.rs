//! Lua's own library as chisels get it: what reaches outside is left out, what could run without end
//! or exhaust the stack is guarded, and what chisels written for LuaJIT take for granted is added.

use super::console::Console;
use mlua::{Lua, MultiValue, Table, Value, ffi};
use std::cell::RefCell;
use std::ffi::{CStr, c_int};
use std::rc::Rc;
use std::sync::OnceLock;

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
    install_string(lua, &globals.raw_get("string")?)?;
    install_os(lua, &globals.raw_get("os")?, allow_io)?;
    install_output(lua, &globals, allow_io, console)?;
    globals.raw_set("bit", bit_library(lua)?)
}

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

/// The native functions of the string library that [`guarded`] ones hand on to; the same in all states.
struct Natives {
    find: ffi::lua_CFunction,
    matches: ffi::lua_CFunction,
    gmatch: ffi::lua_CFunction,
    gsub: ffi::lua_CFunction,
    rep: ffi::lua_CFunction,
    format: ffi::lua_CFunction,
}

static NATIVES: OnceLock<Natives> = OnceLock::new();

/// Longest pattern: matching takes a stack frame for each item of one.
const MAX_PATTERN: usize = 4096;

fn install_string(lua: &Lua, string: &Table) -> mlua::Result<()> {
    string.raw_remove("dump")?;
    let native = |name: &str| -> mlua::Result<ffi::lua_CFunction> {
        let function: mlua::Function = string.raw_get(name)?;
        // SAFETY: the closure only looks at the one value on the stack.
        let address = unsafe {
            let mut found = None;
            lua.exec_raw::<()>(function, |state| found = ffi::lua_tocfunction(state, -1))?;
            found
        };
        address.ok_or_else(|| mlua::Error::runtime("string library without native functions"))
    };
    if NATIVES.get().is_none() {
        let natives = Natives {
            find: native("find")?,
            matches: native("match")?,
            gmatch: native("gmatch")?,
            gsub: native("gsub")?,
            rep: native("rep")?,
            format: native("format")?,
        };
        // Another thread found the same.
        let _ = NATIVES.set(natives);
    }
    let functions: [(&str, ffi::lua_CFunction); 7] = [
        ("find", find),
        ("match", matches),
        ("gmatch", gmatch),
        ("gfind", gmatch),
        ("gsub", gsub),
        ("rep", rep),
        ("format", format),
    ];
    for (name, function) in functions {
        // SAFETY: these functions follow the protocol of Lua's C functions.
        string.raw_set(name, unsafe { lua.create_c_function(function)? })?;
    }
    Ok(())
}

/// Prepares the pattern of a call: raises an error when matching it would take too much stack, and
/// puts `[%w%p]` in the place of `%g`, which LuaJIT has and Lua 5.1 does not.
///
/// # Safety
/// `state` is a running state; the caller has no destructors pending, as an error skips them.
unsafe fn prepare_pattern(state: *mut ffi::lua_State) {
    // SAFETY: as the caller promises; the pattern lives on Lua's stack until it is replaced.
    unsafe {
        let mut length = 0;
        let start = ffi::lua_tolstring(state, 2, &raw mut length);
        if start.is_null() {
            return;
        }
        if length > MAX_PATTERN {
            ffi::luaL_error(state, c"pattern too long".as_ptr());
        }
        let mut expanded = Expanded { bytes: [0; MAX_EXPANDED], length: 0 };
        if expanded.expand(std::slice::from_raw_parts(start.cast(), length)) {
            ffi::lua_pushlstring_(state, expanded.bytes.as_ptr().cast(), expanded.length);
            ffi::lua_replace(state, 2);
        }
    }
}

/// A pattern that may have `%g` in it is at most so long when `[%w%p]` has taken its place.
const MAX_EXPANDED: usize = 1024;

/// A pattern in memory that needs no destructor.
struct Expanded {
    bytes: [u8; MAX_EXPANDED],
    length: usize,
}

impl Expanded {
    /// Copies a pattern without `%g`; `false` when it has none, or would be too long.
    fn expand(&mut self, pattern: &[u8]) -> bool {
        if memchr::memmem::find(pattern, b"%g").is_none() && memchr::memmem::find(pattern, b"%G").is_none() {
            return false;
        }
        let mut in_set = false;
        let mut rest = pattern;
        loop {
            let (piece, taken): (&[u8], usize) = match rest {
                [b'%', b'g', ..] if in_set => (b"%w%p", 2),
                [b'%', b'g', ..] => (b"[%w%p]", 2),
                [b'%', b'G', ..] if !in_set => (b"[^%w%p]", 2),
                [b'%', _, ..] => (&rest[..2], 2),
                [c, ..] => {
                    in_set = match c {
                        b'[' => true,
                        b']' => false,
                        _ => in_set,
                    };
                    (&rest[..1], 1)
                }
                [] => return true,
            };
            let Some(room) = self.bytes.get_mut(self.length..self.length + piece.len()) else { return false };
            room.copy_from_slice(piece);
            self.length += piece.len();
            rest = &rest[taken..];
        }
    }
}

macro_rules! guarded {
    ($name:ident) => {
        unsafe extern "C-unwind" fn $name(state: *mut ffi::lua_State) -> c_int {
            // SAFETY: called by Lua with a running state; the native function sees the same stack.
            unsafe {
                prepare_pattern(state);
                NATIVES.get().map_or(0, |natives| (natives.$name)(state))
            }
        }
    };
}

guarded!(find);
guarded!(matches);
guarded!(gmatch);
guarded!(gsub);

/// `string.rep`: the native one counts to the end also when the text is empty.
unsafe extern "C-unwind" fn rep(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state; no destructors are pending in this frame.
    unsafe {
        let mut length = 0;
        if !ffi::lua_tolstring(state, 1, &raw mut length).is_null() && length == 0 {
            ffi::lua_settop(state, 1);
            return 1;
        }
        NATIVES.get().map_or(0, |natives| (natives.rep)(state))
    }
}

/// Digits after the point of each `%.Nf` in a format, with the place of its argument, from 2.
fn fixed_digits(format: &[u8], mut found: impl FnMut(c_int, i32)) {
    let mut place = 1;
    let mut rest = format;
    while let Some(at) = memchr::memchr(b'%', rest) {
        rest = &rest[at + 1..];
        if let [b'%', tail @ ..] = rest {
            rest = tail;
            continue;
        }
        place += 1;
        let Some(end) = rest.iter().position(u8::is_ascii_alphabetic) else { return };
        if rest[end] == b'f' {
            let digits = rest[..end].rsplit(|b| *b == b'.').next().filter(|digits| digits.len() < end);
            if let Some([digit @ b'0'..=b'9']) = digits {
                found(place, i32::from(digit - b'0'));
            }
        }
        rest = &rest[end + 1..];
    }
}

/// `string.format`: as LuaJIT's, `%s` takes any value and `%.2f` rounds halves up.
unsafe extern "C-unwind" fn format(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state; no destructors are pending in this frame.
    unsafe {
        for i in 2..=ffi::lua_gettop(state) {
            if !matches!(ffi::lua_type(state, i), ffi::LUA_TNUMBER | ffi::LUA_TSTRING) {
                ffi::luaL_checkstack(state, 2, c"format".as_ptr());
                push_text_of(state, i);
                ffi::lua_replace(state, i);
            }
        }
        let mut length = 0;
        let text = ffi::lua_tolstring(state, 1, &raw mut length);
        if !text.is_null() {
            fixed_digits(std::slice::from_raw_parts(text.cast(), length), |place, digits| {
                let number = ffi::lua_tonumber(state, place);
                if (number * 10f64.powi(digits)).fract().abs() == 0.5 {
                    ffi::lua_pushnumber(
                        state,
                        if number > 0.0 { number.next_up() } else { number.next_down() },
                    );
                    ffi::lua_replace(state, place);
                }
            });
        }
        NATIVES.get().map_or(0, |natives| (natives.format)(state))
    }
}

/// Pushes what `tostring` makes of the value at `i`.
///
/// # Safety
/// `state` is a running state with room for two more values.
pub unsafe fn push_text_of(state: *mut ffi::lua_State, i: c_int) {
    // SAFETY: as the caller promises; the pushed texts are static.
    unsafe {
        let text: &CStr = match ffi::lua_type(state, i) {
            ffi::LUA_TNIL => c"nil",
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, i) != 0 => c"true",
            ffi::LUA_TBOOLEAN => c"false",
            _ => {
                ffi::lua_getfield(state, ffi::LUA_GLOBALSINDEX, c"tostring".as_ptr());
                ffi::lua_pushvalue(state, i);
                ffi::lua_call(state, 1, 1);
                return;
            }
        };
        ffi::lua_pushstring(state, text.as_ptr());
    }
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
    globals.raw_set("print", print)?;

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

/// LuaJIT's library of bit operations on 32-bit numbers.
fn bit_library(lua: &Lua) -> mlua::Result<Table> {
    /// Numbers count modulo 2^32, also those above.
    fn bits(n: f64) -> u32 {
        n.rem_euclid(4_294_967_296.0) as u32
    }
    fn number(bits: u32) -> f64 {
        f64::from(bits.cast_signed())
    }
    fn fold(lua: &Lua, step: fn(u32, u32) -> u32) -> mlua::Result<mlua::Function> {
        lua.create_function(move |_, (first, rest): (f64, mlua::Variadic<f64>)| {
            Ok(number(rest.iter().fold(bits(first), |sum, n| step(sum, bits(*n)))))
        })
    }
    fn shift(lua: &Lua, step: fn(u32, u32) -> u32) -> mlua::Result<mlua::Function> {
        lua.create_function(move |_, (n, by): (f64, f64)| Ok(number(step(bits(n), bits(by) & 31))))
    }
    let bit = lua.create_table()?;
    bit.raw_set("tobit", lua.create_function(|_, n: f64| Ok(number(bits(n))))?)?;
    bit.raw_set("bnot", lua.create_function(|_, n: f64| Ok(number(!bits(n))))?)?;
    bit.raw_set("bswap", lua.create_function(|_, n: f64| Ok(number(bits(n).swap_bytes())))?)?;
    bit.raw_set("band", fold(lua, |a, b| a & b)?)?;
    bit.raw_set("bor", fold(lua, |a, b| a | b)?)?;
    bit.raw_set("bxor", fold(lua, |a, b| a ^ b)?)?;
    bit.raw_set("lshift", shift(lua, |n, by| n << by)?)?;
    bit.raw_set("rshift", shift(lua, |n, by| n >> by)?)?;
    bit.raw_set("arshift", shift(lua, |n, by| (n.cast_signed() >> by).cast_unsigned())?)?;
    bit.raw_set("rol", shift(lua, u32::rotate_left)?)?;
    bit.raw_set("ror", shift(lua, u32::rotate_right)?)?;
    let to_hex = lua.create_function(|_, (n, digits): (f64, Option<i32>)| {
        let digits = digits.unwrap_or(8).clamp(-8, 8);
        let text = if digits < 0 { format!("{:08X}", bits(n)) } else { format!("{:08x}", bits(n)) };
        Ok(text.get(8 - digits.unsigned_abs() as usize..).unwrap_or_default().to_owned())
    })?;
    bit.raw_set("tohex", to_hex)?;
    Ok(bit)
}
