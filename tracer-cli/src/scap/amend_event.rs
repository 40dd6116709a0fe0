//! Amendments in captures: events of a type of tracer's own, before the event that they belong to.
//! Other readers leave out events of types that they do not know.
//!
//! The one parameter is a row of entries, little endian: length (u32, itself included), kind (u8),
//! contents. Readers leave out entries that they do not know and the end of those that they know in
//! part.
//!
//! * Thread (1): type of its container u32 (all ones: it is on the host) and id (u16 length), bits of
//!   [`ThreadFlags`] u32, live threads of the process u32; times of clone, exec and last switch u64, CPU time u64; then as in the process list.
//! * Fd (2): as in the block of tracer's own.
//! * Closed fd (3): pid i64, fd i64.
//! * User (4): uid u32, gid u32, name, home, shell (u16 length each).
//! * Group (5): gid u32, name.
//! * Binding (6): whether the event is of a thread u8, its fd i64 (negative: none), latency u64 (all
//!   ones: none), CPU time of a switch u64.
//! * Thread that is not known (7): tid i64.
//! * Machine (8): its name.

use super::body::Body;
use super::damage::Fault;
use super::input::Input;
use super::write_block::{begin_entry, end_entry, put_i64, put_text, put_u32, put_u64};
use super::write_state::{self, Longest};
use super::{own_block, proc_list};
use crate::state::amendment::{AmendedBinding, AmendedThread, Amendment};
use crate::state::cgroup_id::ContainerType;
use crate::state::thread::ThreadFlags;
use crate::state::users::User;

/// Type of the event.
pub(super) const TYPE: u16 = 0xFFFE;

/// Amendments of more bytes are cut between two entries: parameters have 16 bits for their length.
const MAX: usize = u16::MAX as usize;

const THREAD: u8 = 1;
const FD: u8 = 2;
const CLOSED: u8 = 3;
const USER: u8 = 4;
const GROUP: u8 = 5;
const BINDING: u8 = 6;
const UNKNOWN: u8 = 7;
const MACHINE: u8 = 8;

const ON_HOST: u32 = u32::MAX;
const NO_LATENCY: u64 = u64::MAX;

/// Texts are longer than in the standard lists: nobody else reads these.
pub(super) const LONGEST: Longest =
    Longest { path: 4 << 10, strings: 8 << 10, fd_name: 4 << 10, user_text: 255 };

/// Appends the entries to `out`, with a call of `full` whenever there are enough of them for an event.
pub(super) fn append(out: &mut Vec<u8>, amendment: &Amendment, mut full: impl FnMut(&mut Vec<u8>)) {
    let mut entry = |kind: u8, put: &dyn Fn(&mut Vec<u8>)| {
        let start = out.len();
        let begun = begin_entry(out);
        out.push(kind);
        put(out);
        end_entry(out, begun);
        if out.len() > MAX {
            let entry = out.split_off(start);
            if !out.is_empty() {
                full(out);
                out.clear();
            }
            // No text that the kernel has makes one so long.
            if entry.len() <= MAX {
                out.extend_from_slice(&entry);
            }
        }
    };
    if let Some(hostname) = &amendment.hostname {
        entry(MACHINE, &|out| put_text(out, hostname.as_bytes(), u16::MAX));
    }
    for tid in &amendment.unknown {
        entry(UNKNOWN, &|out| put_i64(out, *tid));
    }
    for AmendedThread { thread, container } in &amendment.threads {
        entry(THREAD, &|out| {
            match container {
                None => {
                    put_u32(out, ON_HOST);
                    put_text(out, &[], u16::MAX);
                }
                Some((kind, id)) => {
                    put_u32(out, kind.index());
                    put_text(out, id, u16::MAX);
                }
            }
            put_u32(out, thread.flags.bits());
            put_u32(out, thread.live_threads);
            for time in [thread.clone_ts, thread.last_exec_ts, thread.last_switch_ts, thread.exec_time] {
                put_u64(out, time);
            }
            write_state::process(out, thread, &LONGEST);
        });
    }
    for (pid, number, info) in &amendment.fds {
        match info {
            Some(info) => entry(FD, &|out| own_block::put_fd(out, *pid, *number, info)),
            None => entry(CLOSED, &|out| {
                put_i64(out, *pid);
                put_i64(out, *number);
            }),
        }
    }
    for (uid, user) in &amendment.users {
        entry(USER, &|out| {
            put_u32(out, *uid);
            put_u32(out, user.gid);
            for text in [&user.name, &user.home, &user.shell] {
                put_text(out, text, u16::MAX);
            }
        });
    }
    for (gid, name) in &amendment.groups {
        entry(GROUP, &|out| {
            put_u32(out, *gid);
            put_text(out, name, u16::MAX);
        });
    }
    if let Some(AmendedBinding { has_thread, fd, latency, slice }) = amendment.binding {
        entry(BINDING, &|out| {
            out.push(u8::from(has_thread));
            put_i64(out, fd.unwrap_or(-1));
            put_u64(out, latency.unwrap_or(NO_LATENCY));
            put_u64(out, slice);
        });
    }
    if !out.is_empty() {
        full(out);
        out.clear();
    }
}

/// Reads the parameter of such an event.
pub(super) fn read(bytes: &[u8]) -> Result<Amendment, Fault> {
    let mut input = Input::of_bytes(bytes.to_vec());
    let mut body = Body::new(&mut input, bytes.len() as u64);
    let mut amendment = Amendment::default();
    while body.left() > 0 {
        let len = u64::from(body.u32("length of an entry")?);
        let rest = len.checked_sub(4).ok_or(Fault::Value { what: "the length of an entry", value: len })?;
        let mut entry = body.entry(rest, "an entry")?;
        read_entry(&mut entry, &mut amendment)?;
        entry.finish()?;
    }
    Ok(amendment)
}

fn read_entry(body: &mut Body<'_>, amendment: &mut Amendment) -> Result<(), Fault> {
    match body.u8("kind of an entry")? {
        THREAD => amendment.threads.push(read_thread(body)?),
        FD => {
            let (tid, number, info) = own_block::read_fd(body)?;
            amendment.fds.push((tid, number, Some(info)));
        }
        CLOSED => amendment.fds.push((body.i64("pid")?, body.i64("fd")?, None)),
        USER => {
            let uid = body.u32("uid")?;
            let user = User {
                gid: body.u32("gid")?,
                name: body.text("name of a user")?.into(),
                home: body.text("home of a user")?.into(),
                shell: body.text("shell of a user")?.into(),
            };
            amendment.users.push((uid, user));
        }
        GROUP => amendment.groups.push((body.u32("gid")?, body.text("name of a group")?.into())),
        BINDING => {
            amendment.binding = Some(AmendedBinding {
                has_thread: body.u8("thread of an event")? != 0,
                fd: Some(body.i64("fd")?).filter(|fd| *fd >= 0),
                latency: Some(body.u64("time")?).filter(|latency| *latency != NO_LATENCY),
                slice: body.u64("time")?,
            });
        }
        UNKNOWN => amendment.unknown.push(body.i64("tid")?),
        MACHINE => {
            let name = body.text("name of a machine")?;
            amendment.hostname = Some(String::from_utf8_lossy(name).into_owned());
        }
        _ => {}
    }
    Ok(())
}

fn read_thread(body: &mut Body<'_>) -> Result<AmendedThread, Fault> {
    let kind = body.u32("type of a container")?;
    let id = body.text("id of a container")?.into();
    let container = (kind != ON_HOST).then(|| (ContainerType::of_index(kind), id));
    let flags = ThreadFlags::from_bits_truncate(body.u32("flags")?);
    let live_threads = body.u32("number of threads")?;
    let mut times = [0; 4];
    for time in &mut times {
        *time = body.u64("time")?;
    }
    let mut thread = proc_list::read_newest(body, &mut proc_list::Lists::default())?;
    thread.flags = flags;
    thread.live_threads = live_threads;
    [thread.clone_ts, thread.last_exec_ts, thread.last_switch_ts, thread.exec_time] = times;
    Ok(AmendedThread { thread: *thread, container })
}
