//! What is known of the current task and its memory.

use crate::copy::{Outcome, aux, cursor, end_piece, grow, is_compat, open_piece, repeat, set_cursor, tail, user_bytes};
use crate::file;
use crate::kernel::{current, field, offset, read, read_user};
use crate::maps::Scratch;
use aya_ebpf::helpers::generated as helper;
use tracer_common::{
    config::ABSENT,
    record::{MemoryFacts, TaskFacts, file_flag, piece_status, task_flag},
};

/// Indices in `signal_struct.pids` (include/linux/pid_types.h).
const PIDTYPE_TGID: u64 = 1;
const PIDTYPE_PGID: u64 = 2;
const PIDTYPE_SID: u64 = 3;
/// Index in `signal_struct.rlim`; an entry is two words.
const RLIMIT_NOFILE: u64 = 7;
/// Counters of `mm_struct.rss_stat`: file pages, anonymous pages, swap entries, shared pages.
const MM_SWAPENTS: u64 = 2;
const PAGE_KIB: u64 = 4;
/// Strings of an argument array that are copied, and components of a control group's path.
const STRINGS: u32 = 64;
const DEPTH: u32 = 32;
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// `struct mm_struct` of the caller; 0 when it has none.
#[inline(always)]
fn own_memory() -> u64 {
    field(current(), offset!(task_mm)).unwrap_or(0)
}

#[inline(always)]
fn rss_counter(mm: u64, i: u64) -> u64 {
    let (base, size, value) = (offset!(mm_rss_stat), offset!(rss_counter_size), offset!(rss_counter_value));
    if base == ABSENT || size == ABSENT {
        return 0;
    }
    // One counter is a plain long, or a structure that holds one.
    let inner = if size == 8 { 0 } else { value };
    if inner == ABSENT {
        return 0;
    }
    let n: i64 = read(mm + base as u64 + i * size as u64 + inner as u64).unwrap_or(0);
    if n < 0 { 0 } else { n as u64 }
}

/// Memory of any task.
#[inline(always)]
pub fn memory_of(task: u64) -> MemoryFacts {
    let Some(mm) = field::<u64>(task, offset!(task_mm)) else { return MemoryFacts::default() };
    if mm == 0 {
        return MemoryFacts::default();
    }
    let resident = rss_counter(mm, 0) + rss_counter(mm, 1) + rss_counter(mm, 3);
    MemoryFacts {
        vm_size: (field::<u64>(mm, offset!(mm_total_vm)).unwrap_or(0) * PAGE_KIB) as u32,
        vm_rss: (resident * PAGE_KIB) as u32,
        vm_swap: (rss_counter(mm, MM_SWAPENTS) * PAGE_KIB) as u32,
        _pad: 0,
    }
}

#[inline(always)]
pub fn memory(s: *mut Scratch) -> Outcome {
    let facts = memory_of(current());
    // SAFETY: the auxiliary area is aligned and large enough.
    unsafe { (&raw mut (*s).aux).cast::<MemoryFacts>().write(facts) };
    aux(s, size_of::<MemoryFacts>())
}

/// The number of a `struct pid` in the initial namespace and in its own, and its level.
#[inline(always)]
fn numbers(pid: u64) -> (u32, u32, u32) {
    let (at, size, nr) = (offset!(pid_numbers), offset!(upid_size), offset!(upid_nr));
    if pid == 0 || at == ABSENT || size == ABSENT || nr == ABSENT {
        return (0, 0, 0);
    }
    let level = field::<u32>(pid, offset!(pid_level)).unwrap_or(0) & 31;
    let base = pid + at as u64 + nr as u64;
    let outer = read::<u32>(base).unwrap_or(0);
    let inner = if level == 0 { outer } else { read::<u32>(base + level as u64 * size as u64).unwrap_or(0) };
    (outer, inner, level)
}

/// When the first process of the innermost pid namespace of a `struct pid` was started, ns since
/// boot.
#[inline(always)]
fn namespace_start(pid: u64, level: u32) -> u64 {
    let (at, size, ns) = (offset!(pid_numbers), offset!(upid_size), offset!(upid_ns));
    if pid == 0 || at == ABSENT || size == ABSENT || ns == ABSENT {
        return 0;
    }
    let namespace: u64 =
        read(pid + at as u64 + level as u64 * size as u64 + ns as u64).unwrap_or(0);
    let first: u64 = field(namespace, offset!(pidns_child_reaper)).unwrap_or(0);
    field(first, offset!(task_start_boottime)).unwrap_or(0)
}

#[inline(always)]
fn pid_of(signal: u64, ty: u64) -> u64 {
    let at = offset!(signal_pids);
    if signal == 0 || at == ABSENT {
        return 0;
    }
    read(signal + at as u64 + ty * 8).unwrap_or(0)
}

/// Device number of the controlling terminal.
#[inline(always)]
fn tty(signal: u64) -> u32 {
    let Some(tty) = field::<u64>(signal, offset!(signal_tty)) else { return 0 };
    let Some(driver) = field::<u64>(tty, offset!(tty_driver)) else { return 0 };
    let major: u32 = field(driver, offset!(tty_driver_major)).unwrap_or(0);
    let first: u32 = field(driver, offset!(tty_driver_minor_start)).unwrap_or(0);
    let index: u32 = field(tty, offset!(tty_index)).unwrap_or(0);
    (major << 20) | (first.wrapping_add(index) & 0xf_ffff)
}

#[inline(always)]
fn nanoseconds(inode: u64, seconds: u32, nanoseconds: u32) -> u64 {
    let s: u64 = field(inode, seconds).unwrap_or(0);
    let ns: u32 = field(inode, nanoseconds).unwrap_or(0);
    s.wrapping_mul(1_000_000_000).wrapping_add(ns as u64)
}

#[inline(always)]
pub fn facts(s: *mut Scratch) -> Outcome {
    let task = current();
    // SAFETY: the auxiliary area is aligned and large enough for `TaskFacts`.
    let f = unsafe { &mut *(&raw mut (*s).aux).cast::<TaskFacts>() };
    *f = TaskFacts::default();
    f.tid = field(task, offset!(task_pid)).unwrap_or(0);
    f.tgid = field(task, offset!(task_tgid)).unwrap_or(0);
    let parent: u64 = field(task, offset!(task_real_parent)).unwrap_or(0);
    f.ppid = field(parent, offset!(task_tgid)).unwrap_or(0);
    f.loginuid = field(task, offset!(task_loginuid)).unwrap_or(u32::MAX);
    f.comm = field(task, offset!(task_comm)).unwrap_or_default();
    f.major_faults = field(task, offset!(task_maj_flt)).unwrap_or(0);
    f.minor_faults = field(task, offset!(task_min_flt)).unwrap_or(0);

    let pid: u64 = field(task, offset!(task_thread_pid)).unwrap_or(0);
    let (_, vtid, level) = numbers(pid);
    f.vtid = vtid;
    f.pidns_start = namespace_start(pid, level);
    if level > 0 {
        f.flags |= task_flag::IN_PID_NS;
    }
    let signal: u64 = field(task, offset!(task_signal)).unwrap_or(0);
    f.vpid = numbers(pid_of(signal, PIDTYPE_TGID)).1;
    let (pgid, vpgid, _) = numbers(pid_of(signal, PIDTYPE_PGID));
    f.pgid = pgid;
    f.vpgid = vpgid;
    f.sid = numbers(pid_of(signal, PIDTYPE_SID)).1;
    f.tty = tty(signal);
    let limits = offset!(signal_rlim);
    if signal != 0 && limits != ABSENT {
        f.fd_limit = read(signal + limits as u64 + RLIMIT_NOFILE * 16).unwrap_or(0);
    }

    let cred: u64 = field(task, offset!(task_cred)).unwrap_or(0);
    f.uid = field(cred, offset!(cred_euid)).unwrap_or(u32::MAX);
    f.gid = field(cred, offset!(cred_egid)).unwrap_or(u32::MAX);
    f.cap_inheritable = field(cred, offset!(cred_cap_inheritable)).unwrap_or(0);
    f.cap_permitted = field(cred, offset!(cred_cap_permitted)).unwrap_or(0);
    f.cap_effective = field(cred, offset!(cred_cap_effective)).unwrap_or(0);

    let memory = memory_of(task);
    f.vm_size = memory.vm_size;
    f.vm_rss = memory.vm_rss;
    f.vm_swap = memory.vm_swap;

    let set: u64 = field(task, offset!(task_cgroups)).unwrap_or(0);
    let group: u64 = field(set, offset!(cset_dfl_cgrp)).unwrap_or(0);
    let node: u64 = field(group, offset!(cgroup_kn)).unwrap_or(0);
    f.cgroup_id = field(node, offset!(kn_id)).unwrap_or(0);

    let mm: u64 = field(task, offset!(task_mm)).unwrap_or(0);
    let exe: u64 = field(mm, offset!(mm_exe_file)).unwrap_or(0);
    let inode: u64 = field(exe, offset!(file_inode)).unwrap_or(0);
    if inode != 0 {
        f.exe_ino = field(inode, offset!(inode_ino)).unwrap_or(0);
        f.exe_ctime = nanoseconds(inode, offset!(inode_ctime_sec), offset!(inode_ctime_nsec));
        f.exe_mtime = nanoseconds(inode, offset!(inode_mtime_sec), offset!(inode_mtime_nsec));
        if field::<u32>(inode, offset!(inode_nlink)) == Some(0) {
            f.flags |= task_flag::EXE_DELETED;
        }
        let mode: u16 = field(inode, offset!(inode_mode)).unwrap_or(0);
        let owner: u32 = field(inode, offset!(inode_uid)).unwrap_or(u32::MAX);
        if mode & 0o002 != 0 || (mode & 0o200 != 0 && owner == f.uid) || f.uid == 0 {
            f.flags |= task_flag::EXE_WRITABLE;
        }
        let layer = file::layer(inode);
        if layer == file_flag::UPPER_LAYER {
            f.flags |= task_flag::EXE_UPPER_LAYER;
        } else if layer == file_flag::LOWER_LAYER {
            f.flags |= task_flag::EXE_LOWER_LAYER;
        }
        if is_memfd(exe, inode) {
            f.flags |= task_flag::EXE_FROM_MEMFD;
        }
    }
    aux(s, size_of::<TaskFacts>())
}

/// Memory files live on an internal tmpfs mount under a name that begins with `memfd:`.
#[inline(always)]
fn is_memfd(file: u64, inode: u64) -> bool {
    let sb: u64 = field(inode, offset!(inode_sb)).unwrap_or(0);
    if field::<u64>(sb, offset!(sb_magic)) != Some(TMPFS_MAGIC) {
        return false;
    }
    let at = offset!(file_path);
    if at == ABSENT {
        return false;
    }
    let dentry: u64 = field(file + at as u64, offset!(path_dentry)).unwrap_or(0);
    let name: u64 = field(dentry, offset!(dentry_name)).unwrap_or(0);
    read::<[u8; 6]>(name) == Some(*b"memfd:")
}

/// User memory between two addresses that `mm_struct` names.
#[inline(always)]
fn area(s: *mut Scratch, from: u32, to: u32, limit: u64) -> Outcome {
    let mm = own_memory();
    let (Some(start), Some(end)) = (field::<u64>(mm, from), field::<u64>(mm, to)) else {
        return Outcome::ABSENT;
    };
    let n = end.wrapping_sub(start);
    if n == 0 {
        return Outcome::SKIP;
    }
    user_bytes(s, start, if n > limit { limit } else { n })
}

#[inline(always)]
pub fn args(s: *mut Scratch, limit: u64) -> Outcome {
    area(s, offset!(mm_arg_start), offset!(mm_arg_end), limit)
}

#[inline(always)]
pub fn env(s: *mut Scratch, limit: u64) -> Outcome {
    area(s, offset!(mm_env_start), offset!(mm_env_end), limit)
}

/// Where the name by which the program was started is: the first string that exec puts on the new
/// stack, and so the one above the environment (`bprm_execve`, fs/exec.c). 0 when not known.
#[inline(always)]
pub fn exec_name() -> u64 {
    field(own_memory(), offset!(mm_env_end)).unwrap_or(0)
}

#[inline(always)]
pub fn exe_path(s: *mut Scratch) -> Outcome {
    let exe: u64 = field(own_memory(), offset!(mm_exe_file)).unwrap_or(0);
    file::path(s, exe)
}

/// SAFETY: called by the kernel with the context given to `repeat`.
unsafe extern "C" fn climb_cgroup(_: u64, scratch: *mut *mut Scratch) -> i64 {
    // SAFETY: see above.
    let s = unsafe { *scratch };
    let node = cursor(s, 0);
    let parent = field::<u64>(node, offset!(kn_parent)).unwrap_or(0);
    if parent == 0 {
        return 1;
    }
    let Some(name) = field::<u64>(node, offset!(kn_name)) else { return 1 };
    let Some(to) = tail(s) else { return 1 };
    // SAFETY: at most 256 bytes, which fit.
    let n = unsafe { helper::bpf_probe_read_kernel_str(to.cast(), 256, name as *const _) };
    if n > 0 {
        grow(s, n as u64 & 0x1ff);
    }
    set_cursor(s, 0, parent);
    0
}

#[inline(always)]
pub fn cgroup_path(s: *mut Scratch) -> Outcome {
    let set: u64 = field(current(), offset!(task_cgroups)).unwrap_or(0);
    let group: u64 = field(set, offset!(cset_dfl_cgrp)).unwrap_or(0);
    let node: u64 = field(group, offset!(cgroup_kn)).unwrap_or(0);
    if node == 0 {
        return Outcome::ABSENT;
    }
    if !open_piece(s) {
        return Outcome::NO_ROOM;
    }
    set_cursor(s, 0, node);
    let mut context = s;
    repeat(DEPTH, climb_cgroup, &mut context);
    end_piece(s, piece_status::OK)
}

/// SAFETY: called by the kernel with the context given to `repeat`.
unsafe extern "C" fn one_string(_: u64, scratch: *mut *mut Scratch) -> i64 {
    // SAFETY: see above.
    let s = unsafe { *scratch };
    let at = cursor(s, 0);
    let compat = is_compat(s);
    let string = if compat { read_user::<u32>(at).map(u64::from) } else { read_user::<u64>(at) };
    let Some(string) = string else {
        set_cursor(s, 1, piece_status::FAULT as u64);
        return 1;
    };
    if string == 0 {
        return 1;
    }
    let Some(to) = tail(s) else { return 1 };
    // SAFETY: at most 4096 bytes, which fit.
    let n = unsafe { helper::bpf_probe_read_user_str(to.cast(), 4096, string as *const _) };
    if n < 0 {
        set_cursor(s, 1, piece_status::FAULT as u64);
        return 1;
    }
    grow(s, n as u64 & 0x1fff);
    set_cursor(s, 0, at + if compat { 4 } else { 8 });
    0
}

/// The strings of a NULL-terminated array of pointers in user memory.
#[inline(always)]
pub fn string_array(s: *mut Scratch, array: u64) -> Outcome {
    if array == 0 {
        return Outcome::NULL;
    }
    if !open_piece(s) {
        return Outcome::NO_ROOM;
    }
    set_cursor(s, 0, array);
    set_cursor(s, 1, piece_status::OK as u64);
    let mut context = s;
    repeat(STRINGS, one_string, &mut context);
    end_piece(s, cursor(s, 1) as u8)
}
