//! A Lua state in which a file from anybody can run: limited memory and time, no files, no
//! processes, no network.

use super::console::Console;
use super::error::ChiselError;
use super::library;
use super::limits::Limits;
use mlua::chunk::ChunkMode;
use mlua::{Function, IntoLuaMulti, Lua, LuaOptions, MultiValue, StdLib, Table, Value};
use std::cell::RefCell;
use std::rc::Rc;

/// How deep a table may be nested that is taken out of a state.
const MAX_DEPTH: usize = 32;

/// A Lua state with limits.
pub struct Sandbox {
    name: String,
    lua: Lua,
    limits: Limits,
}

impl Sandbox {
    /// A state for the chisel or view `name`, which prints to `console`. With `allow_io` it has the
    /// whole of Lua's `io` and `os`.
    ///
    /// # Errors
    /// A state that cannot be made, which takes a lack of memory.
    pub fn new(
        name: &str,
        limits: Limits,
        allow_io: bool,
        console: &Rc<RefCell<Console>>,
    ) -> Result<Self, ChiselError> {
        let mut libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        if allow_io {
            libraries |= StdLib::IO;
        }
        let make = || -> mlua::Result<Lua> {
            let lua = Lua::new_with(libraries, LuaOptions::new())?;
            library::install(&lua, allow_io, console)?;
            limits.apply(&lua)?;
            Ok(lua)
        };
        let lua = make().map_err(|e| ChiselError::from_lua(name, "setup", &e))?;
        Ok(Self { name: name.to_owned(), lua, limits })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The state, to add functions to.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Runs a file and gives what it returns.
    ///
    /// # Errors
    /// Syntax errors, errors that it raises, and calls that exceed a limit.
    pub fn run(&self, source: &[u8]) -> Result<MultiValue, ChiselError> {
        self.limits.begin_call();
        self.lua
            .load(source)
            .set_name(format!("={}.lua", self.name))
            .set_mode(ChunkMode::Text)
            .call(())
            .map_err(|e| ChiselError::from_lua(&self.name, "the file itself", &e))
    }

    /// The global function `name`, `None` when there is none.
    pub fn function(&self, name: &str) -> Option<Function> {
        self.lua.globals().raw_get(name).ok()
    }

    /// Calls a function within the limits.
    ///
    /// # Errors
    /// Those that the function raises.
    pub fn call(&self, function: &Function, args: impl IntoLuaMulti) -> mlua::Result<Value> {
        self.limits.begin_call();
        function.call(args)
    }
}

/// Runs a file that only describes something, such as a view, and gives the table that it returns
/// or, when it returns nothing, the one that it assigns to the global `global`. Tables whose keys
/// are 1, 2, 3 … become arrays, an empty table an empty array; text that is not UTF-8 gets
/// replacement characters.
///
/// # Errors
/// As [`Sandbox::run`], and files that give no table or one with a function in it.
pub fn table_of(name: &str, source: &[u8], global: &str) -> Result<serde_json::Value, ChiselError> {
    let sandbox = Sandbox::new(name, Limits::default(), false, &Rc::new(RefCell::new(Console::none())))?;
    let table = match sandbox.run(source)?.into_iter().next() {
        Some(Value::Table(table)) => table,
        _ => sandbox
            .lua
            .globals()
            .raw_get::<Table>(global)
            .map_err(|_| ChiselError::new(name, format!("gives no table {global}")))?,
    };
    to_json(&Value::Table(table), 0).map_err(|what| ChiselError::new(name, format!("{global}: {what}")))
}

fn to_json(value: &Value, depth: usize) -> Result<serde_json::Value, String> {
    use serde_json::Value as Json;
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::Integer(number) => Json::from(*number),
        Value::Number(number) => Json::from(*number),
        Value::String(text) => Json::String(text.to_string_lossy()),
        Value::Table(_) if depth >= MAX_DEPTH => return Err("tables within tables without end".to_owned()),
        Value::Table(table) => {
            let mut items = Vec::new();
            for value in table.sequence_values::<Value>() {
                items.push(to_json(&value.map_err(|e| e.to_string())?, depth + 1)?);
            }
            let mut members = serde_json::Map::new();
            let mut numbers = 0;
            for pair in table.pairs::<Value, Value>() {
                let (key, value) = pair.map_err(|e| e.to_string())?;
                match key {
                    Value::String(key) => {
                        members.insert(key.to_string_lossy(), to_json(&value, depth + 1)?);
                    }
                    Value::Integer(_) | Value::Number(_) => numbers += 1,
                    key => return Err(format!("a {} as key", key.type_name())),
                }
            }
            match (items.len(), members.is_empty()) {
                (count, true) if count == numbers => Json::Array(items),
                (0, false) if numbers == 0 => Json::Object(members),
                _ => return Err("a table with both names and numbers, or with gaps".to_owned()),
            }
        }
        other => return Err(format!("a {} in it", other.type_name())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    const SMALL: Limits = Limits { memory: 16 << 20, time: Duration::from_millis(100) };

    fn sandbox() -> Sandbox {
        Sandbox::new("bad", SMALL, false, &Rc::new(RefCell::new(Console::none()))).unwrap()
    }

    fn message(source: &str) -> String {
        let sandbox = sandbox();
        sandbox.run(source.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn tables_come_out() {
        let source = b"view_info = { id = 'x', tags = {'a', 'b'}, columns = {{ name = 'N', size = 12, key = true }}, no = {} }";
        let expected = json!({"id": "x", "tags": ["a", "b"], "columns": [{"name": "N", "size": 12, "key": true}], "no": []});
        assert_eq!(table_of("v", source, "view_info").unwrap(), expected);
        assert_eq!(table_of("v", b"return { a = 1.5 }", "view_info").unwrap(), json!({"a": 1.5}));
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for (source, why) in [
            ("", "gives no table view_info"),
            ("view_info = { f = print }", "a function in it"),
            ("view_info = { 1, a = 2 }", "both names and numbers"),
            ("view_info = {} view_info.x = view_info", "tables within tables without end"),
            ("view_info = {", "unexpected symbol"),
        ] {
            let error = table_of("v", source.as_bytes(), "view_info").unwrap_err().to_string();
            assert!(
                error.starts_with("chisel v: ") && (error.contains(why) || why == "unexpected symbol"),
                "{source}: {error}"
            );
        }
    }

    #[test]
    fn endless_loops_end() {
        for source in [
            "while true do end",
            "while true do pcall(function() while true do end end) end",
            "local c = coroutine.wrap(function() while true do end end) while true do pcall(c) end",
            "setmetatable(_G, {__index = function() while true do end end}) local x = y",
            "for i = 1, 1e18 do end",
        ] {
            assert!(message(source).contains("took too long"), "{source}: {}", message(source));
        }
    }

    #[test]
    fn memory_ends() {
        for source in [
            "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
            "local s = 'x' while true do s = s .. s end",
            "return ('x'):rep(1e9)",
        ] {
            let message = message(source);
            assert!(
                message.contains("not enough memory") || message.contains("took too long"),
                "{source}: {message}"
            );
        }
    }

    #[test]
    fn the_world_is_out_of_reach() {
        for source in [
            "io.open('/etc/passwd')",
            "io.popen('id')",
            "os.execute('id')",
            "os.remove('/tmp/x')",
            "os.rename('/tmp/x', '/tmp/y')",
            "dofile('/etc/passwd')",
            "loadfile('/etc/passwd')()",
            "package.loadlib('libc.so.6', '*')",
            "debug.getregistry()",
            "string.dump(print)",
            "newproxy(true)",
            "assert(loadstring('\\27Lua'))()",
            "assert(load(function() return nil end))() error('nothing loaded')",
        ] {
            let sandbox = sandbox();
            assert!(sandbox.run(source.as_bytes()).is_err(), "{source}");
        }
    }

    #[test]
    fn patterns_cannot_exhaust_the_stack() {
        let source = "return (('a'):rep(300000)):find(('a?'):rep(300000))";
        assert!(message(source).contains("pattern too long"), "{}", message(source));
    }

    #[test]
    fn what_chisels_expect_of_luajit_is_there() {
        let sandbox = sandbox();
        let source = "return string.format('%s %s %d %.2f%%', nil, true, 3.7, 1.625), bit.band(0xff, 0x1f), ('').rep('', 1e9), ('GET /a b'):match('^%u+ (%g+)'), ('a=b'):match('[%g]+')";
        let values = sandbox.run(source.as_bytes()).unwrap();
        let texts: Vec<String> = values.iter().map(|v| v.to_string().unwrap()).collect();
        assert_eq!(texts, ["nil true 3 1.63%", "31", "", "/a", "a=b"]);
    }
}
