//! `require`: the modules beside the chisels and views, and those of Lua itself.

use super::catalog::Catalog;
use mlua::{Error, Lua, Table, Value};
use std::rc::Rc;

/// How deep `require` may be nested.
const MAX_REQUIRE: usize = 16;

/// Puts `require` and `package` into the globals.
///
/// # Errors
/// A lack of memory.
pub fn open(lua: &Lua, globals: &Table, catalog: &Rc<Catalog>) -> mlua::Result<()> {
    let loaded = lua.create_table()?;
    for name in ["string", "table", "math", "os", "io", "coroutine", "bit"] {
        loaded.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    let package = lua.create_table()?;
    package.raw_set("loaded", &loaded)?;
    // Chisels used to extend these; the folders are the catalog's.
    package.raw_set("path", "")?;
    package.raw_set("cpath", "")?;
    globals.raw_set("package", package)?;
    let catalog = Rc::clone(catalog);
    let depth = std::cell::Cell::new(0);
    let require = lua.create_function(move |lua, name: String| {
        let known: Value = loaded.raw_get(name.as_str())?;
        if !known.is_nil() {
            return Ok(known);
        }
        let source = catalog.find(&name).map_err(Error::external)?;
        let Some(source) = source else { return Err(Error::runtime(format!("no module {name}"))) };
        if depth.get() >= MAX_REQUIRE {
            return Err(Error::runtime(format!("module {name} requires itself")));
        }
        depth.set(depth.get() + 1);
        let chunk = lua.load(&*source.text).set_name(format!("={name}.lua"));
        let result = chunk.set_mode(mlua::chunk::ChunkMode::Text).call::<Value>(name.as_str());
        depth.set(depth.get() - 1);
        let module = match result? {
            Value::Nil => Value::Boolean(true),
            module => module,
        };
        loaded.raw_set(name, &module)?;
        Ok(module)
    })?;
    globals.raw_set("require", require)
}
