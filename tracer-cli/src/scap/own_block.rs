//! A block of tracer's own: what the standard lists have no place for.
//!
//! It stands between the lists and the first event, where readers leave out blocks that they do not
//! know. With it a file goes on exactly where the one before it ended: the first events of a file
//! know when their calls began, and sockets, roles and kinds of fds are those that were known.
//!
//! Layout, little endian: version (u16), then entries with their length (u32, itself included) and
//! what they are (u8). Readers leave out entries that they do not know and the end of those that
//! they know in part; whatever else changes is a new version.
//!
//! * Thread (1): tid i64, bits of [`ThreadFlags`] u32; times of clone, exec and last switch u64, CPU
//!   time u64, last access u64; last event: type u16 (all ones: none), time u64, CPU u16, fd i64
//!   (negative: none), latency u64; parameters of an enter event that waits for its exit: type
//!   u16 (all ones: none), number u8, each with its length u16.
//! * Fd (2): tid i64, fd i64, inode u64, kind u8 and transport protocol u8 in scap codes, role u8,
//!   bits u8, open flags u32, device u32, since u64, pid of a pidfd i64, name and name as given (u16
//!   length each), kernel addresses of both ends u64, then the ends that the bits say are there:
//!   4 or 6 (u8), address, port u16.
//! * Texts (3): tid i64, then name, first argument, path of the program, current directory and root directory, arguments, environment and control
//!   groups (u16 length each), of threads that have longer ones than the standard lists may have.
//! * Switches (4): time of the last switch on each CPU u64, 0 where none is known.
//! * CPU use (5): tid i64; user and system time of its life, and of the last second, as in [`CpuUse`], u64 each. Of threads
//!   that were reported to have used any.

use super::body::Body;
use super::damage::Fault;
use super::fd_list;
use super::redact::Redaction;
use super::write_block::{
    begin_block, begin_entry, end_block, end_entry, put_i64, put_strings, put_text, put_u16, put_u32, put_u64,
};
use super::write_state::{self, BLOCK, fd_code, l4_code};
use crate::event::{Event, EventBits};
use crate::schema::EventType;
use crate::state::State;
use crate::state::fd::{Endpoint, FdInfo, FdKind, Role, Socket};
use crate::state::thread::{CpuUse, LastEvent, Thread, ThreadFlags};
use std::net::IpAddr;

/// Code of the block. Codes with the highest bit are for private use.
pub(super) const CODE: u32 = 0x8054_5243;

const VERSION: u16 = 1;
const THREAD: u8 = 1;
const FD: u8 = 2;
const TEXTS: u8 = 3;
const SWITCHES: u8 = 4;
const CPU_USE: u8 = 5;
const NO_TYPE: u16 = u16::MAX;

/// Flags that the standard list has.
const LISTED: ThreadFlags = ThreadFlags::NAME_CHANGED
    .union(ThreadFlags::PIPE_SOURCE)
    .union(ThreadFlags::PIPE_TARGET)
    .union(ThreadFlags::IN_PID_NS)
    .union(ThreadFlags::EXE_WRITABLE)
    .union(ThreadFlags::EXE_UPPER_LAYER)
    .union(ThreadFlags::EXE_LOWER_LAYER)
    .union(ThreadFlags::EXE_FROM_MEMFD);

/// Bits of an fd entry.
mod bit {
    // 1 was once written for fds of a parent.
    pub const UPPER_LAYER: u8 = 2;
    pub const LOWER_LAYER: u8 = 4;
    pub const CONNECTED: u8 = 8;
    pub const SOCKET: u8 = 16;
    pub const SOURCE: u8 = 32;
    pub const DEST: u8 = 64;
    /// Its name is new with the event that an amendment belongs to.
    pub const RENAMED: u8 = 128;
}

/// Appends the blocks about CPUs and `threads`, all or those that need it, with a call of `full` between two
/// blocks.
pub(super) fn append<E>(
    out: &mut Vec<u8>,
    state: &State,
    threads: &[&Thread],
    all: bool,
    redaction: &Redaction,
    mut full: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    if !state.switches.is_empty() {
        let block = begin_block(out, CODE);
        put_u16(out, VERSION);
        let entry = begin_entry(out);
        out.push(SWITCHES);
        for time in &state.switches {
            put_u64(out, *time);
        }
        end_entry(out, entry);
        end_block(out, block);
    }
    let mut left = threads
        .iter()
        .filter(|thread| {
            let has_fds = || thread.fds.iter().any(|fd| fd_needs(&fd));
            all || thread_needs(thread) || has_used_cpu(thread) || texts_need(thread) || has_fds()
        })
        .peekable();
    while left.peek().is_some() {
        let block = begin_block(out, CODE);
        let start = out.len();
        put_u16(out, VERSION);
        while out.len() - start < BLOCK
            && let Some(thread) = left.next()
        {
            put_thread(out, thread);
            if has_used_cpu(thread) {
                put_cpu_use(out, thread);
            }
            if texts_need(thread) {
                put_texts(out, thread, redaction);
            }
            for (number, info) in thread.fds.iter().filter(fd_needs) {
                let entry = begin_entry(out);
                out.push(FD);
                put_fd(out, thread.tid, number, info);
                end_entry(out, entry);
            }
        }
        end_block(out, block);
        full(out)?;
    }
    Ok(())
}

fn thread_needs(thread: &Thread) -> bool {
    !LISTED.contains(thread.flags)
        || thread.clone_ts != 0
        || thread.last_exec_ts != 0
        || thread.last.ty.is_some()
        || thread.exec_time != 0
        || thread.last_switch_ts != 0
}

fn has_used_cpu(thread: &Thread) -> bool {
    thread.cpu_use.user != 0 || thread.cpu_use.system != 0
}

fn texts_need(thread: &Thread) -> bool {
    let paths = [&thread.comm, &thread.exe, &thread.exepath, &thread.cwd, &thread.root];
    let lists = [&thread.args, &thread.env, &thread.cgroups];
    paths.iter().any(|text| text.len() > usize::from(write_state::LISTED.path))
        || lists.iter().any(|list| list.len() > usize::from(write_state::LISTED.strings))
}

fn fd_needs((_, info): &(i64, &FdInfo)) -> bool {
    let is_file = info.kind == FdKind::File;
    info.socket.is_some()
        || fd_code(info.kind) > 15 && !is_file
        || info.kind == FdKind::Unknown
        || !is_file && (info.open_flags != 0 || info.dev != 0)
        || info.since != 0
        || info.upper_layer
        || info.lower_layer
        || !info.name_raw.is_empty()
        || info.name.len() > usize::from(write_state::LISTED.fd_name)
}

fn put_thread(out: &mut Vec<u8>, thread: &Thread) {
    let entry = begin_entry(out);
    out.push(THREAD);
    put_i64(out, thread.tid);
    put_u32(out, thread.flags.bits());
    for time in
        [thread.clone_ts, thread.last_exec_ts, thread.last_switch_ts, thread.exec_time, thread.last_access]
    {
        put_u64(out, time);
    }
    put_u16(out, thread.last.ty.map_or(NO_TYPE, |ty| ty.0));
    put_u64(out, thread.last.ts);
    put_u16(out, thread.last.cpu);
    put_i64(out, thread.last.fd.unwrap_or(-1));
    put_u64(out, thread.last.latency);
    let count = if thread.enter.ty().is_some() { thread.enter.count() } else { 0 };
    put_u16(out, thread.enter.ty().map_or(NO_TYPE, |ty| ty.0));
    out.push(count as u8);
    for i in 0..count {
        put_text(out, thread.enter.param(i).unwrap_or_default(), u16::MAX);
    }
    end_entry(out, entry);
}

fn put_cpu_use(out: &mut Vec<u8>, thread: &Thread) {
    let CpuUse { user, system, user_delta, system_delta } = thread.cpu_use;
    let entry = begin_entry(out);
    out.push(CPU_USE);
    put_i64(out, thread.tid);
    for ticks in [user, system, user_delta, system_delta] {
        put_u64(out, ticks);
    }
    end_entry(out, entry);
}

fn put_texts(out: &mut Vec<u8>, thread: &Thread, redaction: &Redaction) {
    let entry = begin_entry(out);
    out.push(TEXTS);
    put_i64(out, thread.tid);
    for text in [&thread.comm, &thread.exe, &thread.exepath, &thread.cwd, &thread.root] {
        put_text(out, text, u16::MAX);
    }
    for list in [&redaction.args(&thread.args), &redaction.env(&thread.env), &thread.cgroups] {
        put_strings(out, list, u16::MAX);
    }
    end_entry(out, entry);
}

/// Appends the contents of an entry about an fd of process `tid`.
pub(super) fn put_fd(out: &mut Vec<u8>, tid: i64, number: i64, info: &FdInfo) {
    let nothing = Socket::default();
    let socket = info.socket.as_deref().unwrap_or(&nothing);
    let bits = [
        (info.upper_layer, bit::UPPER_LAYER),
        (info.lower_layer, bit::LOWER_LAYER),
        (socket.connected, bit::CONNECTED),
        (info.socket.is_some(), bit::SOCKET),
        (socket.source.is_some(), bit::SOURCE),
        (socket.dest.is_some(), bit::DEST),
        (info.name_changed, bit::RENAMED),
    ];
    put_i64(out, tid);
    put_i64(out, number);
    put_u64(out, info.ino);
    out.push(fd_code(info.kind));
    out.push(l4_code(socket.l4));
    out.push(match socket.role {
        Role::Unknown => 0,
        Role::Client => 1,
        Role::Server => 2,
    });
    out.push(bits.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit));
    put_u32(out, info.open_flags);
    put_u32(out, info.dev);
    put_u64(out, info.since);
    put_i64(out, info.pidfd_pid);
    put_text(out, &info.name, u16::MAX);
    put_text(out, &info.name_raw, u16::MAX);
    put_u64(out, socket.source_ptr);
    put_u64(out, socket.dest_ptr);
    for end in [socket.source, socket.dest].into_iter().flatten() {
        match end.ip {
            IpAddr::V4(v4) => {
                out.push(4);
                out.extend_from_slice(&v4.octets());
            }
            IpAddr::V6(v6) => {
                out.push(6);
                out.extend_from_slice(&v6.octets());
            }
        }
        put_u16(out, end.port);
    }
}

/// Reads the body of such a block into `state`, which has the threads already.
pub(super) fn read(body: &mut Body<'_>, state: &mut State) -> Result<(), Fault> {
    if body.u16("version")? != VERSION {
        return Ok(());
    }
    // What is left at the end is padding.
    while body.left() >= 4 {
        let len = u64::from(body.u32("length of an entry")?);
        let rest = len.checked_sub(4).ok_or(Fault::Value { what: "the length of an entry", value: len })?;
        let mut entry = body.entry(rest, "an entry")?;
        match entry.u8("kind of an entry")? {
            THREAD => read_thread(&mut entry, state)?,
            TEXTS => read_texts(&mut entry, state)?,
            CPU_USE => read_cpu_use(&mut entry, state)?,
            SWITCHES => {
                state.switches.clear();
                while entry.left() >= 8 && state.switches.len() <= usize::from(u16::MAX) {
                    state.switches.push(entry.u64("time")?);
                }
            }
            FD => {
                let (tid, number, info) = read_fd(&mut entry)?;
                // One that the list of fds did not have is not added: the list knows how many are allowed.
                let thread = state.find(tid).and_then(|key| state.thread_mut(key));
                if let Some(known) = thread.and_then(|thread| thread.fds.get_mut(number)) {
                    *known = FdInfo { name_changed: false, ..info };
                }
            }
            _ => {}
        }
        entry.finish()?;
    }
    Ok(())
}

fn read_thread(body: &mut Body<'_>, state: &mut State) -> Result<(), Fault> {
    let tid = body.i64("tid")?;
    let flags = ThreadFlags::from_bits_truncate(body.u32("flags")?);
    let mut times = [0; 5];
    for time in &mut times {
        *time = body.u64("time")?;
    }
    let ty = body.u16("type of an event")?;
    let last = LastEvent {
        ty: (ty != NO_TYPE).then_some(EventType(ty)),
        ts: body.u64("time")?,
        cpu: body.u16("CPU")?,
        fd: Some(body.i64("fd")?).filter(|fd| *fd >= 0),
        latency: body.u64("time")?,
    };
    let enter = body.u16("type of an event")?;
    let count = usize::from(body.u8("number of parameters")?);
    let mut params = Vec::with_capacity(count);
    for _ in 0..count {
        params.push(body.text("parameter")?.to_vec());
    }

    let Some(key) = state.find(tid) else { return Ok(()) };
    if let Some(thread) = state.thread_mut(key) {
        thread.flags = flags - ThreadFlags::DEAD;
        [thread.clone_ts, thread.last_exec_ts, thread.last_switch_ts, thread.exec_time, thread.last_access] =
            times;
        thread.last = last;
        if enter != NO_TYPE {
            let params: Vec<&[u8]> = params.iter().map(Vec::as_slice).collect();
            thread.enter.keep(&Event {
                num: 0,
                ts: last.ts,
                tid,
                pid: 0,
                cpu: last.cpu,
                ty: EventType(enter),
                bits: EventBits::empty(),
                unreadable: 0,
                params: (&params).into(),
            });
        }
    }
    if flags.contains(ThreadFlags::DEAD) {
        state.mark_dead(key);
    }
    Ok(())
}

fn read_cpu_use(body: &mut Body<'_>, state: &mut State) -> Result<(), Fault> {
    let tid = body.i64("tid")?;
    let mut ticks = || body.u64("CPU time");
    let cpu_use = CpuUse { user: ticks()?, system: ticks()?, user_delta: ticks()?, system_delta: ticks()? };
    if let Some(thread) = state.find(tid).and_then(|key| state.thread_mut(key)) {
        thread.cpu_use = cpu_use;
    }
    Ok(())
}

fn read_texts(body: &mut Body<'_>, state: &mut State) -> Result<(), Fault> {
    let tid = body.i64("tid")?;
    let mut unknown = Thread::new(tid, tid);
    let thread = match state.find(tid).and_then(|key| state.thread_mut(key)) {
        Some(thread) => thread,
        None => &mut unknown,
    };
    for text in [&mut thread.comm, &mut thread.exe, &mut thread.exepath, &mut thread.cwd, &mut thread.root] {
        *text = body.text("text of a thread")?.into();
    }
    for list in [&mut thread.args, &mut thread.env, &mut thread.cgroups] {
        *list = body.text("list of a thread")?.into();
    }
    Ok(())
}

/// Reads what [`put_fd`] writes: process, number and fd.
pub(super) fn read_fd(body: &mut Body<'_>) -> Result<(i64, i64, FdInfo), Fault> {
    let tid = body.i64("tid")?;
    let number = body.i64("fd")?;
    let ino = body.u64("inode of an fd")?;
    let mut info = FdInfo::new(fd_list::kind(body.u8("kind of an fd")?));
    info.ino = ino;
    let mut socket = Socket { l4: fd_list::l4(body.u8("transport protocol")?), ..Socket::default() };
    socket.role = match body.u8("role")? {
        1 => Role::Client,
        2 => Role::Server,
        _ => Role::Unknown,
    };
    let bits = body.u8("bits of an fd")?;
    info.upper_layer = bits & bit::UPPER_LAYER != 0;
    info.lower_layer = bits & bit::LOWER_LAYER != 0;
    info.name_changed = bits & bit::RENAMED != 0;
    socket.connected = bits & bit::CONNECTED != 0;
    info.open_flags = body.u32("open flags")?;
    info.dev = body.u32("device")?;
    info.since = body.u64("time")?;
    info.pidfd_pid = body.i64("pid")?;
    info.name = body.text("name of an fd")?.into();
    info.name_raw = body.text("name of an fd")?.into();
    socket.source_ptr = body.u64("address of a socket")?;
    socket.dest_ptr = body.u64("address of a socket")?;
    if bits & bit::SOURCE != 0 {
        socket.source = Some(endpoint(body)?);
    }
    if bits & bit::DEST != 0 {
        socket.dest = Some(endpoint(body)?);
    }
    if bits & bit::SOCKET != 0 {
        info.socket = Some(Box::new(socket));
    }
    Ok((tid, number, info))
}

fn endpoint(body: &mut Body<'_>) -> Result<Endpoint, Fault> {
    let ip = match body.u8("kind of an address")? {
        4 => IpAddr::from(body.array::<4>("IPv4 address")?),
        6 => IpAddr::from(body.array::<16>("IPv6 address")?),
        other => return Err(Fault::Value { what: "the kind of an address", value: u64::from(other) }),
    };
    Ok(Endpoint { ip, port: body.u16("port")? })
}
