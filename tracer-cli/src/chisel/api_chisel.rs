//! The `chisel` table: what a chisel asks of the engine for itself.

use super::counter::{self, Counter};
use super::last_values::{self, LastValues};
use super::requests::{Interval, LineFormat, Requests, Run};
use crate::fields::{self, FieldRef};
use crate::filter::Filter;
use crate::output::json::JsonObject;
use crate::output::template::Template;
use bstr::BString;
use mlua::{Error, LightUserData, Lua, Result, Table, Variadic};
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;

const SECOND: f64 = 1e9;

/// Makes the table.
///
/// # Errors
/// A lack of memory.
pub fn table(lua: &Lua, requests: &Rc<Requests>, run: &Rc<Run>) -> Result<Table> {
    let table = lua.create_table()?;
    let r = Rc::clone(requests);
    let request_field = lua.create_function(move |_, name: String| {
        let field = find(&name)?;
        let mut fields = r.fields.borrow_mut();
        fields.push(field);
        Ok(LightUserData(ptr::without_provenance_mut::<c_void>(fields.len())))
    })?;
    table.raw_set("request_field", request_field)?;

    let r = Rc::clone(requests);
    let set_filter = lua.create_function(move |_, text: String| {
        *r.filter.borrow_mut() = Some(compile(&text)?);
        Ok(())
    })?;
    table.raw_set("set_filter", set_filter)?;

    let (r, shared) = (Rc::clone(requests), Rc::clone(run));
    let set_formatter = lua.create_function(move |_, text: String| {
        let template = Template::parse(&text).map_err(|e| Error::runtime(e.to_string()))?;
        *r.format.borrow_mut() = Some(match shared.json {
            true => LineFormat::Json(JsonObject::new(&template)),
            false => LineFormat::Text(template),
        });
        Ok(())
    })?;
    table.raw_set("set_event_formatter", set_formatter)?;

    for (name, unit, precise) in [
        ("set_interval_ns", 1.0, false),
        ("set_interval_s", SECOND, false),
        ("set_precise_interval_ns", 1.0, true),
    ] {
        let r = Rc::clone(requests);
        let set = lua.create_function(move |_, length: f64| {
            let length = (length * unit) as u64;
            if length == 0 {
                return Err(Error::runtime(format!("{name} needs a length above 0")));
            }
            r.interval.set(Some(Interval { length, precise }));
            Ok(())
        })?;
        table.raw_set(name, set)?;
    }

    let r = Rc::clone(requests);
    let count = lua.create_function(move |_, (name, bounds, modulo): (String, Vec<f64>, Option<f64>)| {
        let field = find(&name)?;
        r.fields.borrow_mut().push(field.clone());
        let counter = Rc::new(RefCell::new(Counter::new(field, bounds, modulo)?));
        let handle = counter::Handle::new(&counter);
        r.counters.borrow_mut().push(counter);
        Ok(handle)
    })?;
    table.raw_set("count", count)?;

    let r = Rc::clone(requests);
    let remember = lua.create_function(move |_, (key, names, filter): (String, Vec<String>, String)| {
        let key = find(&key)?;
        let fields = names.iter().map(|name| find(name)).collect::<Result<Vec<_>>>()?;
        r.fields.borrow_mut().extend(fields.iter().chain([&key]).cloned());
        let values = Rc::new(RefCell::new(LastValues::new(key, fields, compile(&filter)?)));
        let handle = last_values::Handle::new(&values);
        r.memories.borrow_mut().push(values);
        Ok(handle)
    })?;
    table.raw_set("remember", remember)?;

    let r = Rc::clone(requests);
    let exec = lua.create_function(move |_, (name, args): (String, Variadic<mlua::LuaString>)| {
        let args = args.iter().map(|arg| BString::from(&arg.as_bytes()[..])).collect();
        *r.exec.borrow_mut() = Some((name, args));
        Ok(())
    })?;
    table.raw_set("exec", exec)?;
    Ok(table)
}

fn find(name: &str) -> Result<FieldRef> {
    fields::find(name.trim()).map_err(|e| {
        let meant = e.nearest.map(|nearest| format!(", did you mean {nearest}?")).unwrap_or_default();
        Error::runtime(format!("{e}{meant}"))
    })
}

fn compile(filter: &str) -> Result<Filter> {
    Filter::compile(filter).map_err(|e| Error::runtime(format!("{e}, in filter {filter}")))
}
