//! A Lua state in which a file from anybody can run: limited memory and time, no files, no
//! processes, no network.

use super::catalog::Catalog;
use super::console::Console;
use super::error::ChiselError;
use super::library;
use super::limits::Limits;
use super::modules;
use super::watchdog::Call;
use mlua::chunk::ChunkMode;
use mlua::{Function, IntoLuaMulti, Lua, LuaOptions, MultiValue, StdLib, Table, Value, ffi};
use std::cell::RefCell;
use std::ffi::c_int;
use std::ptr;
use std::rc::Rc;

/// How deep a table may be nested that is taken out of a state.
const MAX_DEPTH: usize = 32;

/// A function that is called for every event, at a fixed place of the state.
#[derive(Debug, Clone, Copy)]
pub struct Callback {
    /// Place in the registry.
    function: c_int,
    /// Place for an error that it raises. It has one from the start: there may be no memory then.
    error: c_int,
}

/// A Lua state with limits.
pub struct Sandbox {
    name: String,
    lua: Lua,
    /// The main state, which lives as long as `lua`.
    state: *mut ffi::lua_State,
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
        // Without JIT there is no compiler, whose code would not look for the watchdog's hook; FFI is the whole of memory.
        let mut libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS | StdLib::BIT;
        if allow_io {
            libraries |= StdLib::IO;
        }
        let make = || -> mlua::Result<_> {
            let lua = Lua::new_with(libraries, LuaOptions::new())?;
            library::install(&lua, allow_io, console)?;
            limits.apply(&lua)?;
            let mut main = ptr::null_mut();
            // SAFETY: the address of the state is taken and nothing done with it.
            unsafe { lua.exec_raw::<()>((), |state| main = state) }?;
            Ok((lua, main))
        };
        let (lua, state) = make().map_err(|e| ChiselError::from_lua(name, "setup", &e))?;
        Ok(Self { name: name.to_owned(), lua, state, limits })
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
        let _call = self.watch();
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
        let _call = self.watch();
        function.call(args)
    }

    /// The global function `name`, to be called for every event; `None` when there is none.
    ///
    /// # Errors
    /// A lack of memory.
    pub fn callback(&self, name: &str) -> mlua::Result<Option<Callback>> {
        let Some(function) = self.function(name) else { return Ok(None) };
        let mut callback = Callback { function: 0, error: 0 };
        // SAFETY: the function is on the stack, and taken from there.
        unsafe {
            self.lua.exec_raw::<()>(function, |state| {
                callback.function = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
                ffi::lua_pushboolean(state, 0);
                callback.error = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            })
        }?;
        Ok(Some(callback))
    }

    /// Calls a function without arguments within the limits and says whether it returns what counts as true. As
    /// [`Sandbox::call`], at a third of the cost.
    ///
    /// # Errors
    /// Those that the function raises.
    #[inline]
    pub fn call_back(&self, callback: Callback) -> mlua::Result<bool> {
        let state = self.state;
        let _call = self.watch();
        // SAFETY: the places are those of `callback`, which has a value at each. The stack has room for a function: it
        // is empty between calls.
        unsafe {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, callback.function.into());
            let status = ffi::lua_pcall(state, 0, 1, 0);
            if status == ffi::LUA_OK {
                let is_true = ffi::lua_toboolean(state, -1) != 0;
                ffi::lua_settop(state, -2);
                return Ok(is_true);
            }
            ffi::lua_rawseti(state, ffi::LUA_REGISTRYINDEX, callback.error.into());
            // Raised once more, it becomes an error of mlua's like any other.
            self.lua.exec_raw::<bool>((), |state| {
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, callback.error.into());
                ffi::lua_error(state);
            })
        }
    }

    /// Watches a call until what is returned is dropped.
    #[inline]
    fn watch(&self) -> Call {
        // SAFETY: the state lives as long as `self`, which the caller borrows for the call.
        unsafe { Call::begin(self.state, self.limits.time) }
    }
}

/// A place for files that only describe something, such as views.
pub struct Descriptions(Sandbox);

impl Descriptions {
    /// A place for files that may require the modules of `catalog`.
    ///
    /// # Errors
    /// As [`Sandbox::new`].
    pub fn new(catalog: &Rc<Catalog>) -> Result<Self, ChiselError> {
        const NAME: &str = "views";
        let console = Rc::new(RefCell::new(Console::none()));
        let sandbox = Sandbox::new(NAME, Limits::default(), false, &console)?;
        modules::open(&sandbox.lua, &sandbox.lua.globals(), catalog)
            .map_err(|e| ChiselError::from_lua(NAME, "setup", &e))?;
        Ok(Self(sandbox))
    }

    /// Runs a file and gives the table that it returns or, when it returns nothing, the one that it assigns to the
    /// global `global`. Tables whose keys are 1, 2, 3 … become arrays, an empty table an empty array; text that is not
    /// UTF-8 gets replacement characters. Other globals that the file assigns are there for the next one.
    ///
    /// # Errors
    /// As [`Sandbox::run`], and files that give no table or one with a function in it.
    pub fn table(
        &mut self,
        name: &str,
        source: &[u8],
        global: &str,
    ) -> Result<serde_json::Value, ChiselError> {
        let Self(sandbox) = self;
        name.clone_into(&mut sandbox.name);
        let globals = sandbox.lua.globals();
        let none = || ChiselError::new(name, format!("gives no table {global}"));
        globals.raw_set(global, Value::Nil).map_err(|_| none())?;
        let table = match sandbox.run(source)?.into_iter().next() {
            Some(Value::Table(table)) => table,
            _ => globals.raw_get::<Table>(global).map_err(|_| none())?,
        };
        to_json(&Value::Table(table), 0).map_err(|what| ChiselError::new(name, format!("{global}: {what}")))
    }
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

    fn table_of(source: &[u8]) -> Result<serde_json::Value, ChiselError> {
        Descriptions::new(&Rc::default())?.table("v", source, "view_info")
    }

    #[test]
    fn tables_come_out() {
        let source = b"view_info = { id = 'x', tags = {'a', 'b'}, columns = {{ name = 'N', size = 12, key = true }}, no = {} }";
        let expected = json!({"id": "x", "tags": ["a", "b"], "columns": [{"name": "N", "size": 12, "key": true}], "no": []});
        assert_eq!(table_of(source).unwrap(), expected);
        assert_eq!(table_of(b"return { a = 1.5 }").unwrap(), json!({"a": 1.5}));
    }

    #[test]
    fn a_description_is_not_that_of_the_file_before() {
        let mut descriptions = Descriptions::new(&Rc::default()).unwrap();
        let mut table = |source: &[u8]| descriptions.table("v", source, "view_info");
        assert_eq!(table(b"view_info = { a = 1 }").unwrap(), json!({"a": 1}));
        assert!(table(b"").unwrap_err().to_string().contains("gives no table view_info"));
        assert_eq!(table(b"view_info = { a = 2 }").unwrap(), json!({"a": 2}));
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
            let error = table_of(source.as_bytes()).unwrap_err().to_string();
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
            "repeat until false",
            "::again:: goto again",
            "for i = 1, 1e18 do end",
            "for _ in function() return 1 end do end",
            "local function f() return f() end f()",
            "local function f() f() end while true do pcall(f) end",
            "local n = 0 while true do n = (n * 3 + 1) % 7 end",
            "while true do pcall(error) end",
            "while true do pcall(function() while true do end end) end",
            "xpcall(function() while true do end end, function() while true do end end)",
            "while true do xpcall(error, function() while true do end end) end",
            "local c = coroutine.wrap(function() while true do end end) while true do pcall(c) end",
            "while true do coroutine.wrap(function() coroutine.yield() end)() end",
            "setmetatable(_G, {__index = function() while true do end end}) local x = y",
            "error(setmetatable({}, {__tostring = function() while true do end end}))",
            "print(setmetatable({}, {__tostring = function() while true do end end}))",
            "table.sort({1, 2, 3}, function() while true do end end)",
            "('x'):gsub('x', function() while true do end end)",
            "load(function() while true do end end)",
            "load('while true do end')()",
            "return (('a'):rep(40)):find(('a?'):rep(40) .. 'b')",
            "return (('a'):rep(1e6)):find('.-.-b')",
            "for _ in (('a'):rep(1e6)):gmatch('a*a*b') do end",
            "return (('a'):rep(1e6)):gsub('a*a*b', '')",
            "while true do pcall(string.rep, 'x', 1e9) end",
            "while true do collectgarbage() end",
        ] {
            let message = message(source);
            let ended = ["took too long", "error in error handling"].iter().any(|why| message.contains(why));
            assert!(ended, "{source}: {message}");
        }
    }

    #[test]
    fn a_state_goes_on_after_a_call_that_took_too_long() {
        let sandbox = sandbox();
        for _ in 0..2 {
            let error = sandbox.run(b"while true do end").unwrap_err().to_string();
            assert!(error.contains("took too long"), "{error}");
            assert!(sandbox.run(b"local n = 0 for i = 1, 1e5 do n = n + i end").is_ok());
        }
    }

    #[test]
    fn memory_ends() {
        for source in [
            "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
            "local t = {} for i = 1, 1e9 do t[i] = i end",
            "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end",
            "local s = 'x' while true do s = s .. s end",
            "local s = 'x' while true do s = s:gsub('x', 'xx') end",
            "return ('x'):rep(1e9)",
            "load(function() return ('x'):rep(1e5) end)",
        ] {
            let message = message(source);
            assert!(
                ["not enough memory", "took too long", "too large"].iter().any(|why| message.contains(why)),
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
            "jit.on()",
            "ffi.C.getpid()",
            "require 'ffi'",
            "require 'string.buffer'",
            "package.preload.ffi()",
            "string.dump(print)",
            "newproxy(true)",
            "assert(loadstring('\\27LJ\\2'))()",
            "assert(load(function() local done = sent sent = true return not done and '\\27LJ\\2' or nil end))()",
            "assert(load(function() return nil end))() error('nothing loaded')",
        ] {
            let sandbox = sandbox();
            assert!(sandbox.run(source.as_bytes()).is_err(), "{source}");
        }
    }

    #[test]
    fn patterns_cannot_exhaust_the_stack() {
        let source = "return (('a'):rep(300000)):find(('a?'):rep(300000))";
        assert!(message(source).contains("pattern too complex"), "{}", message(source));
    }

    #[test]
    fn texts_are_searched_as_lua_does() {
        let source = b"
            local function is(expected, ...)
              local got = {}
              for i = 1, select('#', ...) do got[i] = tostring((select(i, ...))) end
              got = table.concat(got, ' ')
              assert(got == expected, got .. ' instead of ' .. expected)
            end
            is('3 4', ('hello'):find('l+'))
            is('nil', ('hello'):find('^l'))
            is('4 4', ('hello'):find('l', -2))
            is('1 0', ('hello'):find(''))
            is('6 5', ('hello'):find('', 6))
            is('6 5', ('hello'):find('', 7))
            is('2 2', ('a.b'):find('.', 2, true))
            is('1 7 key val', ('key=val'):find('(%w+)=(%w+)'))
            is('key val', ('key=val'):match('(%w+)=(%w+)'))
            is('=', ('key=val'):match('%p'))
            is('3', ('hello'):match('()ll'))
            is('nil', ('hello'):match('x'))
            is('2 2', string.find(52, '2'))
            local words = {}
            for k, v in ('a=1, b=2'):gmatch('(%w)=(%w)') do words[#words + 1] = k .. v end
            is('a1 b2', unpack(words))
            local n = 0
            for _ in ('abc'):gmatch('') do n = n + 1 end
            is('4', n)
            is('hexxo 2', ('hello'):gsub('l', 'x'))
            is('hexlo 1', ('hello'):gsub('l', 'x', 1))
            is('-a-b- 3', ('ab'):gsub('', '-'))
            is('<h>ello 1', ('hello'):gsub('^.', '<%0>'))
            is('b a% 1', ('a b'):gsub('(%w) (%w)', '%2 %1%%'))
            is('1 x 2', ('a b'):gsub('%w', { a = 1, b = 'x' }))
            is('A b 2', ('a b'):gsub('%w', function(w) return w == 'a' and 'A' end))
            is('12abc12 2', ('xabcx'):gsub('x', 12))
            is(('y'):rep(5000) .. ' 5000', (('x'):rep(5000)):gsub('x', 'y'))
            for _, wrong in ipairs({ '[a', '%', '(x', '%1' }) do assert(not pcall(string.find, 'x', wrong)) end
            assert(not pcall(string.gsub, 'x', 'x', '%2'))
            assert(not pcall(string.gsub, 'x', 'x', function() return {} end))
            assert(not pcall(string.gsub, 'x', 'x'))";
        let searched = sandbox().run(source);
        assert!(searched.is_ok(), "{searched:?}");
    }

    #[test]
    fn what_chisels_expect_of_luajit_is_there() {
        let sandbox = sandbox();
        let source = "return string.format('%s %s %d %.2f%% %.2f', nil, true, 3.7, 1.625, 2.675), bit.band(0xff, 0x1f), #('').rep('', 1e9), ('GET /a b'):match('^%u+ (%g+)'), ('a=b'):match('[%g]+')";
        let values = sandbox.run(source.as_bytes()).unwrap();
        let texts: Vec<String> = values.iter().map(|v| v.to_string().unwrap()).collect();
        assert_eq!(texts, ["nil true 3 1.63% 2.67", "31", "0", "/a", "a=b"]);
    }
}
