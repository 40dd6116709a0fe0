//! What was there before the first event: the blocks that begin a section.

use super::block::SECTION;
use super::redact::Redaction;
use super::write_block::{
    begin_block, begin_entry, code, end_block, end_entry, put_i64, put_strings, put_text, put_u16, put_u32,
    put_u64,
};
use super::write_container::{self, Notes};
use super::{interface_list, own_block};
use crate::state::fd::{Endpoint, FdInfo, FdKind, L4, Socket};
use crate::state::thread::{Thread, ThreadFlags};
use crate::state::users::Users;
use crate::state::{Machine, State};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};

/// Longest texts that all readers take.
pub(super) const LISTED: Longest = Longest { path: 1024, strings: 4096, fd_name: 1023, user_text: 255 };
/// Longest that there can be.
const WHOLE: Longest = Longest { path: u16::MAX, strings: u16::MAX, fd_name: u16::MAX, user_text: u16::MAX };
const HOSTNAME: usize = 128;

/// A list goes on in a new block after so many bytes.
pub(super) const BLOCK: usize = 128 * 1024;

/// Bytes that are kept of texts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Longest {
    pub path: u16,
    /// Of a list of strings.
    pub strings: u16,
    pub fd_name: u16,
    pub user_text: u16,
}

/// Flags of a thread in scap (`PPM_CL_*`).
mod flag {
    /// Shares its fds, its directories, its memory and its signal handlers with its process.
    pub const OF_A_THREAD: u32 = 1 | 2 | 2048 | 8192 | 32768;
    pub const NAME_CHANGED: u32 = 1 << 17;
    pub const CLOSED: u32 = 1 << 18;
    pub const PIPE_SRC: u32 = 1 << 21;
    pub const PIPE_DST: u32 = 1 << 22;
}

/// Says whether a thread is to be in the process list.
pub type ThreadTest = Box<dyn FnMut(&State, &Thread) -> bool>;

/// Appends the blocks of a section before an event of time `ts` so that tracer goes on as if it had read
/// all before: with threads of which no more than the last call is known, and texts of any length.
pub(super) fn append_exactly(out: &mut Vec<u8>, state: &State, ts: u64) {
    let whole = &Redaction::default();
    let Ok(()) = append_texts(out, state, ts, whole, &mut None, &WHOLE, |_| Ok::<(), Infallible>(()));
}

/// Appends the blocks of a section before its first event, of time `ts`: one call of `full` whenever enough bytes
/// are in the buffer, between two blocks.
pub(super) fn append<E>(
    out: &mut Vec<u8>,
    state: &State,
    ts: u64,
    redaction: &Redaction,
    listed: &mut Option<ThreadTest>,
    full: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    append_texts(out, state, ts, redaction, listed, &LISTED, full)
}

fn append_texts<E>(
    out: &mut Vec<u8>,
    state: &State,
    ts: u64,
    redaction: &Redaction,
    listed: &mut Option<ThreadTest>,
    longest: &Longest,
    mut full: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let is_exact = *longest == WHOLE;
    section_header(out);
    machine(out, &state.machine);
    interface_list::append(out, &state.interfaces);
    users(out, &state.users, longest);

    // In the order of their numbers, so that one state always makes one file. Nothing is known of
    // threads that were made up; that is what readers make of those that are not listed, too.
    let says_something = |t: &&Thread| !t.flags.contains(ThreadFlags::UNKNOWN) || !t.fds.is_empty();
    let mut threads: Vec<&Thread> = state.threads().filter(|t| is_exact || says_something(t)).collect();
    if let Some(listed) = listed {
        threads.retain(|thread| listed(state, thread));
    }
    threads.sort_unstable_by_key(|thread| (thread.pid, !thread.is_main(), thread.tid));

    let mut left = threads.iter().peekable();
    while left.peek().is_some() {
        let block = begin_block(out, code::PROCESSES);
        let start = out.len();
        while out.len() - start < BLOCK
            && let Some(thread) = left.next()
        {
            if redaction.is_empty() {
                process(out, thread, longest);
            } else {
                process(out, &redaction.thread(thread), longest);
            }
        }
        end_block(out, block);
        full(out)?;
    }
    for thread in threads.iter().filter(|thread| !thread.fds.is_empty()) {
        let mut fds: Vec<(i64, &FdInfo)> = thread.fds.iter().collect();
        fds.sort_unstable_by_key(|(fd, _)| *fd);
        let block = begin_block(out, code::FDS);
        put_i64(out, thread.tid);
        for (number, info) in fds {
            fd(out, number, info, longest);
        }
        end_block(out, block);
        full(out)?;
    }
    own_block::append(out, state, &threads, is_exact, redaction, &mut full)?;
    // Readers look for notes about containers behind the lists, all in a row.
    for container in state.containers.iter() {
        let which = if is_exact { Notes::All } else { Notes::Told };
        write_container::append(out, &redaction.container(container), ts, which);
        full(out)?;
    }
    Ok(())
}

fn section_header(out: &mut Vec<u8>) {
    let block = begin_block(out, SECTION);
    put_u32(out, 0x1A2B_3C4D);
    put_u16(out, 1);
    put_u16(out, 2);
    // The length of the section, which is not known.
    put_u64(out, u64::MAX);
    end_block(out, block);
}

fn machine(out: &mut Vec<u8>, machine: &Machine) {
    let block = begin_block(out, code::MACHINE);
    put_u32(out, machine.cpus);
    put_u64(out, machine.memory);
    // The largest process number: nobody writes it.
    put_u64(out, 0);
    let mut hostname = [0; HOSTNAME];
    // The last byte stays NUL.
    for (to, from) in hostname.iter_mut().zip(machine.hostname.as_bytes().iter().take(HOSTNAME - 1)) {
        *to = *from;
    }
    out.extend_from_slice(&hostname);
    put_u64(out, machine.boot_ts);
    for _reserved in 0..3 {
        put_u64(out, 0);
    }
    end_block(out, block);
}

fn users(out: &mut Vec<u8>, known: &Users, longest: &Longest) {
    const USER: u8 = 0;
    const GROUP: u8 = 1;
    if known.users.is_empty() && known.groups.is_empty() {
        return;
    }
    let mut users: Vec<_> = known.users.iter().collect();
    users.sort_unstable_by_key(|(uid, _)| **uid);
    let mut groups: Vec<_> = known.groups.iter().collect();
    groups.sort_unstable_by_key(|(gid, _)| **gid);

    let block = begin_block(out, code::USERS);
    for (uid, user) in users {
        let entry = begin_entry(out);
        out.push(USER);
        put_u32(out, *uid);
        put_u32(out, user.gid);
        for text in [&user.name, &user.home, &user.shell] {
            put_text(out, text, longest.user_text);
        }
        end_entry(out, entry);
    }
    for (gid, name) in groups {
        let entry = begin_entry(out);
        out.push(GROUP);
        put_u32(out, *gid);
        put_text(out, name, longest.user_text);
        end_entry(out, entry);
    }
    end_block(out, block);
}

/// Appends the entry of a thread in the newest version of the process list.
pub(super) fn process(out: &mut Vec<u8>, thread: &Thread, longest: &Longest) {
    let entry = begin_entry(out);
    for id in [thread.tid, thread.pid, thread.ptid, thread.sid, thread.vpgid] {
        put_i64(out, id);
    }
    for text in [&thread.comm, &thread.exe, &thread.exepath] {
        put_text(out, text, longest.path);
    }
    put_strings(out, &thread.args, longest.strings);
    put_text(out, &thread.cwd, longest.path);
    put_i64(out, thread.fd_limit);
    put_u32(out, flags(thread));
    put_u32(out, thread.uid);
    put_u32(out, thread.gid);
    for size in [thread.vm_size, thread.vm_rss, thread.vm_swap] {
        put_u32(out, size);
    }
    put_u64(out, thread.major_faults);
    put_u64(out, thread.minor_faults);
    put_strings(out, &thread.env, longest.strings);
    put_i64(out, thread.vtid);
    put_i64(out, thread.vpid);
    put_strings(out, &thread.cgroups, longest.strings);
    put_text(out, &thread.root, longest.path);
    // All of the fields that were appended over the years. Readers from before 2023 know two of them
    // and look for them where the first stands now: their login uid is wrong, the rest is right.
    put_u64(out, thread.pidns_init_start_ts);
    put_u32(out, thread.tty);
    put_u32(out, thread.loginuid);
    let program = |flag| u8::from(thread.flags.contains(flag));
    out.push(program(ThreadFlags::EXE_WRITABLE));
    for set in [thread.cap_inheritable, thread.cap_permitted, thread.cap_effective] {
        put_u64(out, set);
    }
    out.push(program(ThreadFlags::EXE_UPPER_LAYER));
    for value in [thread.exe_ino, thread.exe_ino_ctime, thread.exe_ino_mtime] {
        put_u64(out, value);
    }
    out.push(program(ThreadFlags::EXE_FROM_MEMFD));
    out.push(program(ThreadFlags::EXE_LOWER_LAYER));
    put_i64(out, thread.pgid);
    end_entry(out, entry);
}

fn flags(thread: &Thread) -> u32 {
    [
        (!thread.is_main(), flag::OF_A_THREAD),
        (thread.flags.contains(ThreadFlags::NAME_CHANGED), flag::NAME_CHANGED),
        (thread.flags.contains(ThreadFlags::DEAD), flag::CLOSED),
        (thread.flags.contains(ThreadFlags::PIPE_SOURCE), flag::PIPE_SRC),
        (thread.flags.contains(ThreadFlags::PIPE_TARGET), flag::PIPE_DST),
    ]
    .into_iter()
    .filter(|(set, _)| *set)
    .fold(0, |all, (_, flag)| all | flag)
}

fn fd(out: &mut Vec<u8>, number: i64, info: &FdInfo, longest: &Longest) {
    let nothing = Socket::default();
    let socket = info.socket.as_deref().unwrap_or(&nothing);
    let entry = begin_entry(out);
    put_i64(out, number);
    put_u64(out, info.ino);
    match info.kind {
        FdKind::Ipv4 | FdKind::Ipv6 => connection(out, info.kind, socket),
        FdKind::Ipv4Server | FdKind::Ipv6Server => server(out, info.kind, socket),
        FdKind::Unix => {
            out.push(fd_code(FdKind::Unix));
            put_u64(out, socket.source_ptr);
            put_u64(out, socket.dest_ptr);
            put_text(out, &info.name, longest.fd_name);
        }
        FdKind::File => {
            out.push(fd_code(FdKind::File));
            put_u32(out, info.open_flags);
            put_text(out, &info.name, longest.fd_name);
            put_u32(out, info.dev);
        }
        kind => {
            // Codes above 16 exist for the newer kinds, but older readers refuse a file that has them.
            out.push(match fd_code(kind) {
                code @ 1..=15 => code,
                _ => 10,
            });
            put_text(out, &info.name, longest.fd_name);
        }
    }
    end_entry(out, entry);
}

/// Code of a kind of fd.
pub(super) fn fd_code(kind: FdKind) -> u8 {
    match kind {
        FdKind::Unknown => 0,
        FdKind::Directory => 2,
        FdKind::Ipv4 => 3,
        FdKind::Ipv6 => 4,
        FdKind::Ipv4Server => 5,
        FdKind::Ipv6Server => 6,
        FdKind::Fifo => 7,
        FdKind::Unix => 8,
        FdKind::Event => 9,
        FdKind::Unsupported => 10,
        FdKind::Signal => 11,
        FdKind::Eventpoll => 12,
        FdKind::Inotify => 13,
        FdKind::Timer => 14,
        FdKind::Netlink => 15,
        FdKind::File => 16,
        FdKind::Bpf => 17,
        FdKind::Userfault => 18,
        FdKind::IoUring => 19,
        FdKind::Memfd => 20,
        FdKind::Pidfd => 21,
    }
}

fn connection(out: &mut Vec<u8>, kind: FdKind, socket: &Socket) {
    let unset = Endpoint { ip: any(kind == FdKind::Ipv4), port: 0 };
    let (source, dest) = (socket.source.unwrap_or(unset), socket.dest.unwrap_or(unset));
    match (source.ip, dest.ip) {
        (IpAddr::V4(source), IpAddr::V4(dest)) => {
            out.push(3);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&dest.octets());
        }
        (source, dest) => {
            out.push(4);
            out.extend_from_slice(&as_v6(source).octets());
            out.extend_from_slice(&as_v6(dest).octets());
        }
    }
    put_u16(out, source.port);
    put_u16(out, dest.port);
    out.push(l4_code(socket.l4));
}

fn server(out: &mut Vec<u8>, kind: FdKind, socket: &Socket) {
    let own = socket.dest.unwrap_or(Endpoint { ip: any(kind == FdKind::Ipv4Server), port: 0 });
    match own.ip {
        IpAddr::V4(v4) => {
            out.push(5);
            out.extend_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            out.push(6);
            out.extend_from_slice(&v6.octets());
        }
    }
    put_u16(out, own.port);
    out.push(l4_code(socket.l4));
}

fn any(is_v4: bool) -> IpAddr {
    if is_v4 { [0; 4].into() } else { [0_u8; 16].into() }
}

fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Code of a transport protocol.
pub(super) fn l4_code(l4: L4) -> u8 {
    match l4 {
        L4::Unknown => 0,
        L4::None => 1,
        L4::Tcp => 2,
        L4::Udp => 3,
        L4::Icmp => 4,
        L4::Raw => 5,
    }
}
