//! One chisel: its Lua state, what its file says about it, and its callbacks.

use super::arguments::{self, Parameter};
use super::catalog::Catalog;
use super::console::Console;
use super::error::ChiselError;
use super::limits::Limits;
use super::requests::{Requests, Run};
use super::sandbox::{Callback, Sandbox};
use super::{api_chisel, api_evt, api_sysdig, modules};
use bstr::BString;
use mlua::{Function, Lua, Table, Value};
use std::cell::RefCell;
use std::rc::Rc;

/// What every chisel of a run is given.
#[derive(Clone)]
pub struct Surroundings {
    pub catalog: Rc<Catalog>,
    pub run: Rc<Run>,
    pub console: Rc<RefCell<Console>>,
    pub limits: Limits,
}

/// What a file says about its chisel.
#[derive(Debug, Clone, Default)]
pub struct Description {
    pub name: String,
    pub category: String,
    /// One line.
    pub short: String,
    pub long: String,
    pub hidden: bool,
    pub parameters: Vec<Parameter>,
}

/// A chisel whose file has run.
pub struct Script {
    pub description: Description,
    pub sandbox: Sandbox,
    pub requests: Rc<Requests>,
}

impl Script {
    /// Finds a chisel and runs its file.
    ///
    /// # Errors
    /// No such chisel; a file that cannot be read, that fails, or that is a module or a view.
    pub fn load(name: &str, surroundings: &Surroundings) -> Result<Self, ChiselError> {
        let source = surroundings.catalog.find(name).map_err(|e| ChiselError::new(name, e.to_string()))?;
        let Some(source) = source else {
            return Err(ChiselError::usage(name, "there is no chisel of this name (tracer -cl lists them)"));
        };
        let requests = Rc::new(Requests::new(&surroundings.run));
        let sandbox =
            Sandbox::new(name, surroundings.limits, surroundings.run.allow_io, &surroundings.console)?;
        open_api(sandbox.lua(), &requests, surroundings)
            .map_err(|e| ChiselError::from_lua(name, "setup", &e))?;
        sandbox.run(&source.text)?;
        let globals = sandbox.lua().globals();
        let Some(description) = describe(name, &globals) else {
            let what = "is not a chisel: no description, short_description and args in it";
            return Err(ChiselError::usage(name, what));
        };
        Ok(Self { description, sandbox, requests })
    }

    /// Hands over the arguments and calls `on_init`.
    ///
    /// # Errors
    /// Arguments that do not fit or are refused, an `on_init` that fails.
    pub fn init(&self, args: &[BString]) -> Result<(), ChiselError> {
        let name = &self.description.name;
        arguments::check(name, args.len(), &self.description.parameters)?;
        let set_arg = self.sandbox.function("on_set_arg");
        for (parameter, arg) in self.description.parameters.iter().zip(args) {
            let Some(set_arg) = &set_arg else {
                return Err(ChiselError::new(name, "has arguments and no function on_set_arg"));
            };
            let arg = self.lua_string(arg)?;
            let taken = self.call("on_set_arg", set_arg, (parameter.name.as_str(), arg))?;
            if !is_true(&taken) {
                return Err(ChiselError::usage(name, format!("does not take this {}", parameter.name)));
            }
        }
        let Some(on_init) = self.sandbox.function("on_init") else {
            return Err(ChiselError::new(name, "has no function on_init"));
        };
        let done = self.call("on_init", &on_init, ())?;
        if !is_true(&done) && self.requests.exec.borrow().is_none() {
            return Err(ChiselError::new(name, "on_init says that it cannot run"));
        }
        Ok(())
    }

    /// Calls a function of the chisel, which errors call `what`.
    ///
    /// # Errors
    /// Those that it raises.
    pub fn call(
        &self,
        what: &str,
        function: &Function,
        args: impl mlua::IntoLuaMulti,
    ) -> Result<Value, ChiselError> {
        self.sandbox.call(function, args).map_err(|e| ChiselError::from_lua(&self.description.name, what, &e))
    }

    /// Calls a function that is called for every event, which errors call `what`; whether it returns what counts as
    /// true.
    ///
    /// # Errors
    /// Those that it raises.
    #[inline]
    pub fn call_back(&self, what: &str, callback: Callback) -> Result<bool, ChiselError> {
        self.sandbox.call_back(callback).map_err(|e| ChiselError::from_lua(&self.description.name, what, &e))
    }

    fn lua_string(&self, text: &BString) -> Result<mlua::LuaString, ChiselError> {
        self.sandbox
            .lua()
            .create_string(text)
            .map_err(|e| ChiselError::from_lua(&self.description.name, "on_set_arg", &e))
    }
}

/// What counts as true in Lua.
pub fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Nil | Value::Boolean(false))
}

fn open_api(lua: &Lua, requests: &Rc<Requests>, surroundings: &Surroundings) -> mlua::Result<()> {
    let globals = lua.globals();
    globals.raw_set("chisel", api_chisel::table(lua, requests, &surroundings.run)?)?;
    globals.raw_set("evt", api_evt::table(lua)?)?;
    let sysdig = api_sysdig::table(lua, &surroundings.run)?;
    globals.raw_set("tracer", &sysdig)?;
    globals.raw_set("sysdig", sysdig)?;
    modules::open(lua, &globals, &surroundings.catalog)
}

/// What the globals of a file say; `None` when it is no chisel.
fn describe(name: &str, globals: &Table) -> Option<Description> {
    let text = |table: &Table, key: &str| table.raw_get::<Option<String>>(key).ok().flatten();
    let args: Table = globals.raw_get("args").ok()?;
    let parameters = args.sequence_values::<Table>().flatten().map(|arg| Parameter {
        name: text(&arg, "name").unwrap_or_default(),
        description: text(&arg, "description").unwrap_or_default(),
        kind: text(&arg, "argtype").unwrap_or_default(),
        optional: arg.raw_get::<Value>("optional").is_ok_and(|value| is_true(&value)),
    });
    // sysdig's own name for the description of a chisel that runs and is not listed.
    let unlisted = text(globals, "disabled_description");
    Some(Description {
        name: name.to_owned(),
        category: text(globals, "category").unwrap_or_default(),
        short: text(globals, "short_description")?,
        hidden: unlisted.is_some() || globals.raw_get::<Value>("hidden").is_ok_and(|value| is_true(&value)),
        long: text(globals, "description").or(unlisted)?,
        parameters: parameters.collect(),
    })
}
