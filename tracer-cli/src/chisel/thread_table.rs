//! Snapshots of the state as Lua tables: `sysdig.get_thread_table` and its like.
//!
//! What a thread or an fd is called comes from the field table, read for an event that did not
//! happen: a read that the thread has just finished on that fd. The filter of a snapshot sees the
//! same event.

use super::api_evt::{LuaValue, read_field};
use crate::event::{Event, EventBits};
use crate::fields::{self, ExtractOptions, Extraction, FieldRef};
use crate::filter::Filter;
use crate::schema::EventType;
use crate::state::cgroup_id::ContainerType;
use crate::state::thread::Thread;
use crate::state::{Binding, Context, State};
use mlua::{Error, Lua, Result, Table};

/// How much of a thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Full,
    /// Only its ids and the sockets among its fds.
    Sockets,
}

/// Members of an fd and the fields that they are.
const SOCKET_MEMBERS: [(&str, &str); 6] = [
    ("cip", "fd.cip"),
    ("cport", "fd.cport"),
    ("sip", "fd.sip"),
    ("sport", "fd.sport"),
    ("is_server", "fd.is_server"),
    ("l4proto", "fd.l4proto"),
];
const FILE_MEMBERS: [(&str, &str); 2] = [("name", "fd.name"), ("type", "fd.type")];

/// The fields that are read, looked up once.
struct Members {
    user: FieldRef,
    file: Vec<(&'static str, FieldRef)>,
    socket: Vec<(&'static str, FieldRef)>,
}

impl Members {
    fn new() -> Result<Self> {
        let find = |name: &str| fields::find(name).map_err(|e| Error::runtime(e.to_string()));
        let all = |members: &'static [(&'static str, &'static str)]| {
            members.iter().map(|(key, name)| Ok((*key, find(name)?))).collect::<Result<Vec<_>>>()
        };
        Ok(Self { user: find("user.name")?, file: all(&FILE_MEMBERS)?, socket: all(&SOCKET_MEMBERS)? })
    }
}

/// Threads by tid. A filter leaves out fds that do not match, and threads none of whose fds match.
///
/// # Errors
/// A lack of memory.
pub fn thread_table(
    lua: &Lua,
    state: &State,
    last_ts: u64,
    filter: Option<Filter>,
    detail: Detail,
    with_fds: bool,
) -> Result<Table> {
    let table = lua.create_table()?;
    let mut snapshot = Snapshot {
        lua,
        state,
        filter,
        detail,
        with_fds,
        last_ts,
        members: Members::new()?,
        options: ExtractOptions::default(),
        text: Vec::new(),
    };
    let mut threads: Vec<&Thread> = state.threads().collect();
    threads.sort_unstable_by_key(|thread| thread.tid);
    for thread in threads {
        if let Some(row) = snapshot.thread(thread)? {
            table.raw_set(thread.tid, row)?;
        }
    }
    Ok(table)
}

struct Snapshot<'a> {
    lua: &'a Lua,
    state: &'a State,
    filter: Option<Filter>,
    detail: Detail,
    with_fds: bool,
    last_ts: u64,
    members: Members,
    options: ExtractOptions,
    text: Vec<u8>,
}

impl Snapshot<'_> {
    fn thread(&mut self, thread: &Thread) -> Result<Option<Table>> {
        let process = self.state.process_of(thread);
        let fds = self.lua.create_table()?;
        let mut matches = self.filter.is_none();
        if self.filter.is_some() || self.with_fds {
            let mut numbers: Vec<i64> = process.fds.iter().map(|(fd, _)| fd).collect();
            numbers.sort_unstable();
            for fd in numbers {
                if let Some(row) = self.fd(thread, fd)? {
                    matches = true;
                    if self.with_fds {
                        fds.raw_set(fd, row)?;
                    }
                }
            }
        }
        if !matches {
            return Ok(None);
        }
        let row = self.lua.create_table()?;
        row.raw_set("tid", thread.tid)?;
        row.raw_set("pid", thread.pid)?;
        row.raw_set("fdtable", fds)?;
        if self.detail == Detail::Full {
            self.describe(thread, process, &row)?;
        }
        Ok(Some(row))
    }

    fn describe(&mut self, thread: &Thread, process: &Thread, row: &Table) -> Result<()> {
        // Unknown is the largest number that 32 bits hold: that is what chisels know.
        let fd_limit = if thread.fd_limit < 0 { process.fd_limit } else { thread.fd_limit };
        row.raw_set("ptid", thread.ptid)?;
        row.raw_set("comm", self.lua.create_string(&thread.comm)?)?;
        row.raw_set("exe", self.lua.create_string(&thread.exe)?)?;
        row.raw_set("flags", thread.flags.bits())?;
        row.raw_set("fdlimit", fd_limit as u32)?;
        row.raw_set("uid", thread.uid)?;
        row.raw_set("gid", thread.gid)?;
        row.raw_set("nchilds", process.live_threads.saturating_sub(1))?;
        // A thread may have been told of more lately than its process.
        let memory = if thread.vm_size > 0 { thread } else { process };
        row.raw_set("vmsize_kb", memory.vm_size)?;
        row.raw_set("vmrss_kb", memory.vm_rss)?;
        row.raw_set("vmswap_kb", memory.vm_swap)?;
        row.raw_set("pfmajor", thread.major_faults as f64)?;
        row.raw_set("pfminor", thread.minor_faults as f64)?;
        row.raw_set("clone_ts", thread.clone_ts.to_string())?;
        row.raw_set("args", self.list(&thread.args)?)?;
        row.raw_set("env", self.list(&process.env)?)?;
        let event = self.event(thread);
        let binding = Binding { thread: self.state.find(thread.tid), ..Binding::default() };
        let context = Context { event: &event, state: self.state, binding: &binding };
        let from = Extraction::new(context, &self.options, Vec::new());
        set_member(self.lua, row, "username", &self.members.user, &from, &mut self.text)
    }

    /// Texts that each end with a NUL.
    fn list(&self, texts: &[u8]) -> Result<Table> {
        let list = self.lua.create_table()?;
        for text in
            texts.strip_suffix(b"\0").unwrap_or(texts).split(|b| *b == 0).filter(|_| !texts.is_empty())
        {
            list.raw_push(self.lua.create_string(text)?)?;
        }
        Ok(list)
    }

    /// The fd, unless the filter refuses it or it is not of a kind that is told.
    fn fd(&mut self, thread: &Thread, fd: i64) -> Result<Option<Table>> {
        let event = self.event(thread);
        let binding = Binding { thread: self.state.find(thread.tid), fd: Some(fd), ..Binding::default() };
        let context = Context { event: &event, state: self.state, binding: &binding };
        let from = Extraction::new(context, &self.options, Vec::new());
        if self.filter.as_mut().is_some_and(|filter| !filter.matches_in(&from)) {
            return Ok(None);
        }
        let row = self.lua.create_table()?;
        if !self.with_fds {
            return Ok(Some(row));
        }
        if self.detail == Detail::Full {
            for (key, field) in &self.members.file {
                set_member(self.lua, &row, key, field, &from, &mut self.text)?;
            }
        }
        if context.fd().is_some_and(|info| info.socket.is_some()) {
            for (key, field) in &self.members.socket {
                set_member(self.lua, &row, key, field, &from, &mut self.text)?;
            }
        } else if self.detail == Detail::Sockets {
            return Ok(None);
        }
        Ok(Some(row))
    }

    fn event(&self, thread: &Thread) -> Event<'static> {
        Event {
            num: 0,
            ts: self.last_ts,
            tid: thread.tid,
            pid: thread.pid,
            cpu: 0,
            ty: EventType::SYSCALL_READ_X,
            bits: EventBits::empty(),
            unreadable: 0,
            params: crate::params::Params::NONE,
        }
    }
}

/// Sets a member of a thread or an fd; words that chisels join to others are always there.
fn set_member(
    lua: &Lua,
    row: &Table,
    key: &str,
    field: &FieldRef,
    from: &Extraction<'_>,
    text: &mut Vec<u8>,
) -> Result<()> {
    text.clear();
    match read_field(field, from, false, text) {
        LuaValue::Nil => match key {
            "type" | "l4proto" | "username" => row.raw_set(key, "<NA>"),
            "name" => row.raw_set(key, ""),
            _ => Ok(()),
        },
        LuaValue::Number(number) => row.raw_set(key, number),
        LuaValue::Bool(truth) => row.raw_set(key, truth),
        LuaValue::Text => row.raw_set(key, lua.create_string(&text)?),
    }
}

/// An array of the containers, by id.
///
/// # Errors
/// A lack of memory.
pub fn container_table(lua: &Lua, state: &State) -> Result<Table> {
    let table = lua.create_table()?;
    let mut containers: Vec<_> = state.containers.iter().collect();
    containers.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    for container in containers {
        let row = lua.create_table()?;
        row.raw_set("id", lua.create_string(&container.id)?)?;
        row.raw_set("name", lua.create_string(&container.name)?)?;
        row.raw_set("image", lua.create_string(&container.image)?)?;
        // One name differs from the field's.
        let kind = match container.kind {
            ContainerType::LibvirtLxc => "libvirt_lxc",
            kind => kind.name(),
        };
        row.raw_set("type", kind)?;
        table.raw_push(row)?;
    }
    Ok(table)
}
