//! The `sysdig` table: what a chisel asks of the run as a whole. It has the name that people's
//! chisels know; `tracer` is another name for it.

use super::library::refusal;
use super::requests::Run;
use super::thread_table::{Detail, container_table, thread_table};
use super::{api_files, current, histogram};
use crate::fields::table::BufferMode;
use crate::filter::Filter;
use bstr::BString;
use mlua::{Error, Lua, Result, Table, Value};
use std::cell::RefCell;
use std::net::UdpSocket;
use std::rc::Rc;

const SECOND: u64 = 1_000_000_000;

/// Makes the table.
///
/// # Errors
/// A lack of memory.
pub fn table(lua: &Lua, run: &Rc<Run>) -> Result<Table> {
    let table = lua.create_table()?;
    questions(lua, &table, run)?;
    wishes(lua, &table, run)?;
    times(lua, &table, run)?;
    tables(lua, &table, run)?;
    network(lua, &table, run)?;
    api_files::add(lua, &table, run)?;
    histogram::add(lua, &table)?;
    Ok(table)
}

fn questions(lua: &Lua, table: &Table, run: &Rc<Run>) -> Result<()> {
    let facts: [(&str, bool); 3] =
        [("is_live", run.is_live), ("is_tty", run.is_terminal), ("is_print_container_data", run.containers)];
    for (name, answer) in facts {
        table.raw_set(name, lua.create_function(move |_, ()| Ok(answer))?)?;
    }
    let format = if run.json { "json" } else { "normal" };
    table.raw_set("get_output_format", lua.create_function(move |_, ()| Ok(format))?)?;
    let r = Rc::clone(run);
    table.raw_set("get_filter", lua.create_function(move |_, ()| Ok(r.filter.borrow().clone()))?)?;
    let r = Rc::clone(run);
    table.raw_set("get_evtsource_name", lua.create_function(move |_, ()| Ok(r.source_name.clone()))?)?;
    let size = run.terminal_size;
    let terminal_info = lua.create_function(move |lua, ()| {
        let info = lua.create_table()?;
        info.raw_set("width", size.map_or(-1, |(width, _)| i64::from(width)))?;
        info.raw_set("height", size.map_or(-1, |(_, height)| i64::from(height)))?;
        Ok(info)
    })?;
    table.raw_set("get_terminal_info", terminal_info)?;
    let machine_info = lua.create_function(|lua, ()| {
        let info = lua.create_table()?;
        current::state(|state| -> Result<()> {
            let state = state.ok_or_else(|| Error::runtime("get_machine_info before on_capture_start"))?;
            info.raw_set("num_cpus", state.machine.cpus)?;
            info.raw_set("memory_size_bytes", state.machine.memory as f64)?;
            info.raw_set("max_pid", state.threads().map(|thread| thread.pid).max().unwrap_or(0))?;
            info.raw_set("hostname", state.machine.hostname.as_str())
        })?;
        Ok(info)
    })?;
    table.raw_set("get_machine_info", machine_info)?;
    // How far a file has been read is for progress bars, which draw themselves.
    table.raw_set("get_read_progress", lua.create_function(|_, ()| Ok(100.0))?)
}

fn wishes(lua: &Lua, table: &Table, run: &Rc<Run>) -> Result<()> {
    let r = Rc::clone(run);
    let set_snaplen = lua.create_function(move |_, bytes: f64| {
        let bytes = bytes.clamp(0.0, f64::from(u32::MAX)) as u32;
        r.snaplen.set(Some(r.snaplen.get().map_or(bytes, |before| before.max(bytes))));
        Ok(())
    })?;
    table.raw_set("set_snaplen", set_snaplen)?;
    let r = Rc::clone(run);
    let set_filter = lua.create_function(move |_, text: String| {
        Filter::compile(&text).map_err(|e| Error::runtime(format!("{e}, in filter {text}")))?;
        *r.extra_filter.borrow_mut() = Some(text);
        Ok(())
    })?;
    table.raw_set("set_filter", set_filter)?;
    let r = Rc::clone(run);
    let set_output_format = lua.create_function(move |_, name: String| {
        r.buffer_mode.set(Some(match name.as_str() {
            "normal" | "json" | "simple" => BufferMode::Printable,
            "hex" => BufferMode::Hex,
            "hexascii" => BufferMode::HexAscii,
            "ascii" => BufferMode::Ascii,
            "base64" | "jsonbase64" => BufferMode::Base64,
            other => return Err(Error::runtime(format!("no output format {other}"))),
        }));
        Ok(())
    })?;
    table.raw_set("set_output_format", set_output_format)?;
    let r = Rc::clone(run);
    let end_capture = lua.create_function(move |_, ()| {
        r.ended.set(true);
        Ok(())
    })?;
    table.raw_set("end_capture", end_capture)?;
    let r = Rc::clone(run);
    let run_app = lua.create_function(move |_, args: Value| {
        let words = match args {
            Value::Table(args) => args.sequence_values::<String>().collect::<Result<Vec<_>>>()?,
            Value::String(line) => super::arguments::words(&line.to_string_lossy()),
            other => return Err(Error::runtime(format!("run_app of a {}", other.type_name()))),
        };
        if !r.allow_io && !is_harmless(&words, &r.typed.borrow()) {
            return Err(Error::runtime("run_app with these options needs --allow-chisel-io"));
        }
        *r.run_again.borrow_mut() = Some(words.into_iter().map(BString::from).collect());
        Ok(())
    })?;
    table.raw_set("run_app", run_app)?;
    // Captures are written by -w; its options are the command line's to choose.
    table.raw_set("set_fatfile_dump_mode", lua.create_function(|_, _: bool| Ok(()))?)?;
    table.raw_set("push_metric", lua.create_function(|_, _: mlua::MultiValue| Ok(()))?)?;
    let log = lua.create_function(|_, (message, severity): (String, Option<String>)| {
        let clean: String = message.chars().filter(|c| !c.is_control()).collect();
        if matches!(severity.as_deref(), None | Some("warning" | "error" | "critical")) {
            eprintln!("tracer: {clean}");
        }
        Ok(())
    })?;
    table.raw_set("log", log)
}

/// Whether a run with these words reads a capture, and writes at most a file that the user named as
/// an argument of the chisel.
fn is_harmless(words: &[String], typed: &[String]) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix('-') else { continue };
        // `-Fr FILE` is `-F -r FILE`.
        let option = option.strip_prefix('F').unwrap_or(option);
        let mut letters = option.chars();
        let value = match letters.next() {
            None => continue,
            Some(letter @ ('r' | 'w' | 'c')) => {
                let glued = letters.as_str();
                let value = if glued.is_empty() { words.next().map(String::as_str) } else { Some(glued) };
                value.map(|value| (letter, value))
            }
            Some(_) => None,
        };
        match value {
            Some(('w', file)) if !typed.iter().any(|argument| argument == file) => return false,
            Some(_) => {}
            None => return false,
        }
    }
    true
}

/// Times are ns since the epoch, as decimal text: Lua's numbers are not wide enough.
fn times(lua: &Lua, table: &Table, run: &Rc<Run>) -> Result<()> {
    let r = Rc::clone(run);
    table
        .raw_set("get_firstevent_ts", lua.create_function(move |_, ()| Ok(r.first_ts.get().to_string()))?)?;
    let r = Rc::clone(run);
    table.raw_set("get_lastevent_ts", lua.create_function(move |_, ()| Ok(r.last_ts.get().to_string()))?)?;
    let make = lua.create_function(|_, (seconds, ns): (f64, f64)| {
        Ok((seconds as u64).wrapping_mul(SECOND).wrapping_add(ns as u64).to_string())
    })?;
    table.raw_set("make_ts", make)?;
    let number =
        |text: &str| text.trim().parse::<u64>().map_err(|_| Error::runtime(format!("no time: {text}")));
    let add = lua.create_function(move |_, (a, b): (String, String)| {
        Ok(number(&a)?.wrapping_add(number(&b)?).to_string())
    })?;
    table.raw_set("add_ts", add)?;
    let subtract = lua.create_function(move |_, (a, b): (String, String)| {
        Ok(number(&a)?.wrapping_sub(number(&b)?).to_string())
    })?;
    table.raw_set("subtract_ts", subtract)
}

fn tables(lua: &Lua, table: &Table, run: &Rc<Run>) -> Result<()> {
    for (name, detail, fds) in [
        ("get_thread_table", Detail::Full, true),
        ("get_thread_table_nofds", Detail::Full, false),
        ("get_thread_table_barebone", Detail::Sockets, true),
        ("get_thread_table_barebone_nofds", Detail::Sockets, false),
    ] {
        let r = Rc::clone(run);
        let get = lua.create_function(move |lua, filter: Option<String>| {
            let filter = match filter.as_deref() {
                None | Some("") => None,
                Some(text) => Some(
                    Filter::compile(text).map_err(|e| Error::runtime(format!("{e}, in filter {text}")))?,
                ),
            };
            current::state(|state| match state {
                Some(state) => thread_table(lua, state, r.last_ts.get(), filter, detail, fds),
                None => Err(Error::runtime(format!("{name} before on_capture_start"))),
            })
        })?;
        table.raw_set(name, get)?;
    }
    let containers = lua.create_function(|lua, ()| {
        current::state(|state| match state {
            Some(state) => container_table(lua, state),
            None => Err(Error::runtime("get_container_table before on_capture_start")),
        })
    })?;
    table.raw_set("get_container_table", containers)
}

fn network(lua: &Lua, table: &Table, run: &Rc<Run>) -> Result<()> {
    if !run.allow_io {
        table.raw_set("udp_setpeername", refusal(lua, "udp_setpeername")?)?;
        return table.raw_set("udp_send", refusal(lua, "udp_send")?);
    }
    let peer: Rc<RefCell<Option<UdpSocket>>> = Rc::default();
    let socket = Rc::clone(&peer);
    let set_peer = lua.create_function(move |_, (address, port): (String, Value)| {
        let port = port.to_string()?;
        let connect = || -> std::io::Result<UdpSocket> {
            let socket = UdpSocket::bind(("0.0.0.0", 0))?;
            socket.connect(format!("{address}:{port}"))?;
            Ok(socket)
        };
        let made = connect().map_err(|e| Error::runtime(format!("udp_setpeername {address}:{port}: {e}")))?;
        *socket.borrow_mut() = Some(made);
        Ok(())
    })?;
    table.raw_set("udp_setpeername", set_peer)?;
    let send = lua.create_function(move |_, message: mlua::LuaString| match &*peer.borrow() {
        // Nobody has to listen.
        Some(socket) => Ok(socket.send(&message.as_bytes()).is_ok()),
        None => Err(Error::runtime("udp_send before udp_setpeername")),
    })?;
    table.raw_set("udp_send", send)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_may_write_what_the_user_named() {
        let harmless =
            |line: &str| is_harmless(&super::super::arguments::words(line), &["out.scap".to_owned()]);
        assert!(harmless("-F -rin.scap -wout.scap (evt.around[5]=10 and thread.tid=3)"));
        assert!(harmless("-Fr in.scap -w out.scap evt.num<5"));
        assert!(harmless("-r \"in.scap\" -c wsysdig_summary 5,6"));
        for wrong in
            ["-r in -w /etc/passwd", "-w", "-r in --overwrite", "--allow-chisel-io -c x", "-zw out.scap"]
        {
            assert!(!harmless(wrong), "{wrong}");
        }
    }
}
