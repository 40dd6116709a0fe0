//! What is behind a file descriptor.

use crate::copy::{Outcome, aux, cursor, end_piece, forget, grow, open_piece, repeat, set_cursor, tail};
use crate::kernel::{current, field, offset, read};
use crate::maps::Scratch;
use aya_ebpf::helpers::generated as helper;
use tracer_common::record::{FileFacts, SocketFacts, file_flag, piece_status};

const S_IFMT: u16 = 0xf000;
const S_IFSOCK: u16 = 0xc000;
const OVERLAYFS_SUPER_MAGIC: u64 = 0x794c_7630;
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// Components of a path that are followed.
const DEPTH: u32 = 128;

/// `struct file` of the current task's fd.
#[inline(always)]
fn file_of(fd: i64) -> Option<u64> {
    if fd < 0 {
        return None;
    }
    let files: u64 = field(current(), offset!(task_files))?;
    let table: u64 = field(files, offset!(files_fdt))?;
    let size: u32 = field(table, offset!(fdtable_max_fds))?;
    if fd as u64 >= size as u64 {
        return None;
    }
    let array: u64 = field(table, offset!(fdtable_fd))?;
    let file: u64 = read(array + fd as u64 * 8)?;
    if file == 0 { None } else { Some(file) }
}

#[inline(always)]
fn mode_of(file: u64) -> Option<(u64, u16)> {
    let inode: u64 = field(file, offset!(file_inode))?;
    Some((inode, field(inode, offset!(inode_mode))?))
}

/// Which layer of an overlay file system an inode comes from.
#[inline(always)]
pub fn layer(inode: u64) -> u32 {
    let Some(sb) = field::<u64>(inode, offset!(inode_sb)) else { return 0 };
    if field::<u64>(sb, offset!(sb_magic)) != Some(OVERLAYFS_SUPER_MAGIC) {
        return 0;
    }
    // `struct ovl_inode` (in a module, so not in the kernel's BTF) is an inode followed by the
    // dentry of the upper layer.
    match field::<u64>(inode, offset!(inode_size)) {
        Some(0) | None => file_flag::LOWER_LAYER,
        Some(_) => file_flag::UPPER_LAYER,
    }
}

#[inline(always)]
fn read_facts(fd: i64) -> Option<FileFacts> {
    let file = file_of(fd)?;
    let (inode, mode) = mode_of(file)?;
    let sb: u64 = field(inode, offset!(inode_sb))?;
    Some(FileFacts {
        ino: field(inode, offset!(inode_ino))?,
        dev: field(sb, offset!(sb_dev)).unwrap_or(0),
        mode: mode as u32,
        f_mode: field(file, offset!(file_mode)).unwrap_or(0),
        flags: layer(inode),
    })
}

#[inline(always)]
pub fn facts(s: *mut Scratch, fd: i64) -> Outcome {
    let Some(facts) = read_facts(fd) else { return Outcome::ABSENT };
    // SAFETY: the auxiliary area is aligned and large enough.
    unsafe { (&raw mut (*s).aux).cast::<FileFacts>().write(facts) };
    aux(s, size_of::<FileFacts>())
}

/// Fills the auxiliary area with the facts of the socket; gives its family and the kernel address
/// and length of its path.
#[inline(always)]
fn read_socket(s: *mut Scratch, fd: i64) -> Option<(u16, u64, u32)> {
    let file = file_of(fd)?;
    let (_, mode) = mode_of(file)?;
    if mode & S_IFMT != S_IFSOCK {
        return None;
    }
    let socket: u64 = field(file, offset!(file_private_data))?;
    let sk: u64 = field(socket, offset!(socket_sk))?;
    let family: u16 = field(sk, offset!(sock_family))?;
    // SAFETY: the auxiliary area is aligned and large enough.
    let facts = unsafe { &mut *(&raw mut (*s).aux).cast::<SocketFacts>() };
    *facts = SocketFacts::default();
    facts.family = family;
    facts.kind = field(sk, offset!(sock_type)).unwrap_or(0);
    facts.protocol = field(sk, offset!(sock_protocol)).unwrap_or(0);
    facts.state = field(sk, offset!(sock_state)).unwrap_or(0);
    facts.backlog = field(sk, offset!(sock_ack_backlog)).unwrap_or(0);
    facts.max_backlog = field(sk, offset!(sock_max_ack_backlog)).unwrap_or(0);
    facts.sock = sk;
    let mut path = 0u64;
    let mut path_len = 0u32;
    if family == AF_INET {
        let local: [u8; 4] = field(sk, offset!(inet_saddr)).unwrap_or_default();
        let remote: [u8; 4] = field(sk, offset!(sock_daddr)).unwrap_or_default();
        facts.local[..4].copy_from_slice(&local);
        facts.remote[..4].copy_from_slice(&remote);
    } else if family == AF_INET6 {
        facts.local = field(sk, offset!(sock_v6_rcv_saddr)).unwrap_or_default();
        facts.remote = field(sk, offset!(sock_v6_daddr)).unwrap_or_default();
    }
    if family == AF_INET || family == AF_INET6 {
        facts.local_port = field::<u16>(sk, offset!(inet_sport)).unwrap_or(0).swap_bytes();
        facts.remote_port = field::<u16>(sk, offset!(sock_dport)).unwrap_or(0).swap_bytes();
    } else if family == AF_UNIX {
        facts.peer = field(sk, offset!(unix_peer)).unwrap_or(0);
        let mut address: u64 = field(sk, offset!(unix_addr)).unwrap_or(0);
        if address == 0 {
            address = field(facts.peer, offset!(unix_addr)).unwrap_or(0);
        }
        if address != 0 {
            path = address + offset!(unix_address_name) as u64 + 2;
            path_len = field::<u32>(address, offset!(unix_address_len)).unwrap_or(2).wrapping_sub(2);
        }
    }
    Some((family, path, path_len))
}

#[inline(always)]
pub fn socket(s: *mut Scratch, fd: i64) -> Outcome {
    let Some((family, path, path_len)) = read_socket(s, fd) else {
        return Outcome::ABSENT;
    };
    if family != AF_UNIX || path == 0 || path_len == 0 {
        return aux(s, size_of::<SocketFacts>());
    }
    if !open_piece(s) {
        return Outcome::NO_ROOM;
    }
    if let Some(to) = tail(s) {
        // SAFETY: both ends are inside the scratch entry.
        unsafe {
            helper::bpf_probe_read_kernel(
                to.cast(),
                size_of::<SocketFacts>() as u32,
                (&raw const (*s).aux).cast(),
            )
        };
        grow(s, size_of::<SocketFacts>() as u64);
    }
    if let Some(to) = tail(s) {
        let n = forget(s, if path_len > 108 { 108 } else { path_len } as u64) & 127;
        // SAFETY: at most 127 bytes, which fit.
        let failed = unsafe { helper::bpf_probe_read_kernel(to.cast(), n as u32, path as *const _) };
        if failed == 0 {
            grow(s, n);
        }
    }
    end_piece(s, piece_status::OK)
}

/// Variables of the walk to the root.
const MOUNT: usize = 0;
const DENTRY: usize = 1;

/// Appends one name and goes on to its parent.
///
/// SAFETY: called by the kernel with the context given to `repeat`.
unsafe extern "C" fn climb(_: u64, scratch: *mut *mut Scratch) -> i64 {
    // SAFETY: see above.
    let s = unsafe { *scratch };
    let (mount_at, name_at) = (offset!(mount_mnt), offset!(dentry_name));
    let (mnt, dentry) = (cursor(s, MOUNT), cursor(s, DENTRY));
    if Some(dentry) == field::<u64>(mnt, offset!(vfsmount_root)) {
        let mount = mnt - mount_at as u64;
        let Some(parent) = field::<u64>(mount, offset!(mount_parent)) else { return 1 };
        if parent == mount {
            return 1;
        }
        let Some(point) = field::<u64>(mount, offset!(mount_mountpoint)) else { return 1 };
        set_cursor(s, DENTRY, point);
        set_cursor(s, MOUNT, parent + mount_at as u64);
        return 0;
    }
    let Some(parent) = field::<u64>(dentry, offset!(dentry_parent)) else { return 1 };
    let Some(name) = field::<u64>(dentry, name_at) else { return 1 };
    let Some(to) = tail(s) else { return 1 };
    // SAFETY: at most 256 bytes, which fit.
    let n = unsafe { helper::bpf_probe_read_kernel_str(to.cast(), 256, name as *const _) };
    if n > 0 {
        grow(s, n as u64 & 0x1ff);
    }
    set_cursor(s, DENTRY, parent);
    (parent == dentry) as i64
}

/// Appends the names from the path of `file` up to the root of its mount namespace, each with its
/// NUL, as one piece.
#[inline(always)]
pub fn path(s: *mut Scratch, file: u64) -> Outcome {
    let at = offset!(file_path);
    let absent = tracer_common::config::ABSENT;
    if file == 0 || at == absent || offset!(mount_mnt) == absent {
        return Outcome::ABSENT;
    }
    let (Some(mnt), Some(dentry)) = (
        field::<u64>(file + at as u64, offset!(path_mnt)),
        field::<u64>(file + at as u64, offset!(path_dentry)),
    ) else {
        return Outcome::ABSENT;
    };
    if !open_piece(s) {
        return Outcome::NO_ROOM;
    }
    set_cursor(s, MOUNT, mnt);
    set_cursor(s, DENTRY, dentry);
    let mut context = s;
    repeat(DEPTH, climb, &mut context);
    end_piece(s, piece_status::OK)
}

#[inline(always)]
pub fn path_of_fd(s: *mut Scratch, fd: i64) -> Outcome {
    match file_of(fd) {
        Some(file) => path(s, file),
        None => Outcome::ABSENT,
    }
}
