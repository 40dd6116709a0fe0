//! Globals, counters and names by which user space finds the parts of the probe.

/// Names of maps in the object.
pub mod map {
    pub const RINGS: &str = "RINGS";
    pub const SCRATCH: &str = "SCRATCH";
    pub const SLOTS: &str = "SLOTS";
    pub const CPUS: &str = "CPUS";
    pub const EXIT_PROGRAMS: &str = "EXIT_PROGRAMS";
    pub const EXIT_PROGRAMS_RAW: &str = "EXIT_PROGRAMS_RAW";
}

/// Names of globals in the object, which user space writes before the probe is loaded.
pub mod global {
    pub const PLANS: &str = "PLANS";
    pub const PLANS_COMPAT: &str = "PLANS_COMPAT";
    pub const SETTINGS: &str = "SETTINGS";
    pub const OFFSETS: &str = "OFFSETS";
}

/// Rings an object can hold: one per possible CPU, at most this many.
pub const MAX_CPUS: u32 = 1024;

/// Chosen by user space before the probe is loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// tgid of tracer, which never traces itself.
    pub self_tgid: u32,
    /// Bytes of a buffer that are copied.
    pub snaplen: u32,
    /// Wake the reader when a CPU has put this many bytes into its ring or a quarter of its slots has been written since
    /// the last wake.
    pub wake_bytes: u32,
    /// … or when this much time has passed since then, ns.
    pub wake_ns: u32,
    /// Slots of each CPU: a power of two, or 0 for none.
    pub slots: u32,
}

/// What one CPU has done beside writing to slots, which [`crate::slots::Cpu`] counts.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Records that should have gone to the ring: always `delivered` + the `lost_*`.
    pub attempted: u64,
    pub delivered: u64,
    /// The ring was full.
    pub lost_full: u64,
    /// There is no ring or scratch memory for this CPU.
    pub lost_no_ring: u64,
    /// Pieces of memory that could not be read (the records were delivered).
    pub faults: u64,
    /// Tail calls that failed: records delivered without the facts of that program.
    pub tail_failed: u64,
    /// Times the reader was woken.
    pub wakes: u64,
}

/// An offset that the running kernel does not have.
pub const ABSENT: u32 = u32::MAX;

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident = $path:literal),* $(,)?) => {
        /// Offsets in kernel structures, in bytes, from the running kernel's BTF; [`ABSENT`] when
        /// it has no such field.
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub struct Offsets { $($(#[$doc])* pub $name: u32),* }

        impl Offsets {
            /// All absent.
            pub const NONE: Offsets = Offsets { $($name: ABSENT),* };

            /// Calls `resolve` with the path of each field (`struct.member.member`, alternatives
            /// separated by `|`, `sizeof struct` for a size) and keeps its answer.
            pub fn resolve(mut resolve: impl FnMut(&'static str) -> Option<u32>) -> Offsets {
                Offsets { $($name: match resolve($path) { Some(o) => o, None => ABSENT }),* }
            }

            /// Every field with its path, for reports.
            pub fn each(&self, mut f: impl FnMut(&'static str, u32)) {
                $(f($path, self.$name);)*
            }
        }
    };
}

offsets! {
    task_status = "task_struct.thread_info.status",
    task_pid = "task_struct.pid",
    task_tgid = "task_struct.tgid",
    task_comm = "task_struct.comm",
    task_real_parent = "task_struct.real_parent",
    task_thread_pid = "task_struct.thread_pid",
    task_signal = "task_struct.signal",
    task_mm = "task_struct.mm",
    task_files = "task_struct.files",
    task_cred = "task_struct.cred",
    task_cgroups = "task_struct.cgroups",
    task_loginuid = "task_struct.loginuid",
    task_maj_flt = "task_struct.maj_flt",
    task_min_flt = "task_struct.min_flt",
    task_exit_code = "task_struct.exit_code",
    signal_pids = "signal_struct.pids",
    signal_tty = "signal_struct.tty",
    signal_rlim = "signal_struct.rlim",
    tty_driver = "tty_struct.driver",
    tty_index = "tty_struct.index",
    tty_driver_major = "tty_driver.major",
    tty_driver_minor_start = "tty_driver.minor_start",
    pid_level = "pid.level",
    pid_numbers = "pid.numbers",
    upid_size = "sizeof upid",
    upid_nr = "upid.nr",
    upid_ns = "upid.ns",
    pidns_child_reaper = "pid_namespace.child_reaper",
    task_start_boottime = "task_struct.start_boottime|task_struct.real_start_time",
    cred_euid = "cred.euid",
    cred_egid = "cred.egid",
    cred_cap_inheritable = "cred.cap_inheritable",
    cred_cap_permitted = "cred.cap_permitted",
    cred_cap_effective = "cred.cap_effective",
    mm_arg_start = "mm_struct.arg_start",
    mm_arg_end = "mm_struct.arg_end",
    mm_env_start = "mm_struct.env_start",
    mm_env_end = "mm_struct.env_end",
    mm_exe_file = "mm_struct.exe_file",
    mm_total_vm = "mm_struct.total_vm",
    mm_rss_stat = "mm_struct.rss_stat",
    /// Size of one counter in `rss_stat` (per-CPU counters since 6.2, plain longs before).
    rss_counter_size = "sizeof mm_struct.rss_stat[]",
    rss_counter_value = "percpu_counter.count",
    files_fdt = "files_struct.fdt",
    fdtable_fd = "fdtable.fd",
    fdtable_max_fds = "fdtable.max_fds",
    file_inode = "file.f_inode",
    file_path = "file.f_path",
    file_mode = "file.f_mode",
    file_private_data = "file.private_data",
    path_mnt = "path.mnt",
    path_dentry = "path.dentry",
    dentry_parent = "dentry.d_parent",
    dentry_name = "dentry.d_name.name",
    vfsmount_root = "vfsmount.mnt_root",
    mount_mnt = "mount.mnt",
    mount_parent = "mount.mnt_parent",
    mount_mountpoint = "mount.mnt_mountpoint",
    inode_ino = "inode.i_ino",
    inode_mode = "inode.i_mode",
    inode_sb = "inode.i_sb",
    inode_nlink = "inode.i_nlink",
    inode_uid = "inode.i_uid",
    inode_size = "sizeof inode",
    inode_ctime_sec = "inode.i_ctime_sec|inode.__i_ctime.tv_sec|inode.i_ctime.tv_sec",
    inode_ctime_nsec = "inode.i_ctime_nsec|inode.__i_ctime.tv_nsec|inode.i_ctime.tv_nsec",
    inode_mtime_sec = "inode.i_mtime_sec|inode.__i_mtime.tv_sec|inode.i_mtime.tv_sec",
    inode_mtime_nsec = "inode.i_mtime_nsec|inode.__i_mtime.tv_nsec|inode.i_mtime.tv_nsec",
    sb_dev = "super_block.s_dev",
    sb_magic = "super_block.s_magic",
    cset_dfl_cgrp = "css_set.dfl_cgrp",
    cgroup_kn = "cgroup.kn",
    kn_id = "kernfs_node.id",
    kn_name = "kernfs_node.name",
    kn_parent = "kernfs_node.__parent|kernfs_node.parent",
    socket_sk = "socket.sk",
    sock_family = "sock.__sk_common.skc_family",
    sock_state = "sock.__sk_common.skc_state",
    sock_daddr = "sock.__sk_common.skc_daddr",
    sock_dport = "sock.__sk_common.skc_dport",
    sock_v6_daddr = "sock.__sk_common.skc_v6_daddr",
    sock_v6_rcv_saddr = "sock.__sk_common.skc_v6_rcv_saddr",
    sock_type = "sock.sk_type",
    sock_protocol = "sock.sk_protocol",
    sock_ack_backlog = "sock.sk_ack_backlog",
    sock_max_ack_backlog = "sock.sk_max_ack_backlog",
    inet_saddr = "inet_sock.inet_saddr",
    inet_sport = "inet_sock.inet_sport",
    unix_addr = "unix_sock.addr",
    unix_peer = "unix_sock.peer",
    unix_address_len = "unix_address.len",
    unix_address_name = "unix_address.name",
    kernel_siginfo_fields = "kernel_siginfo._sifields",
    kernel_siginfo_code = "kernel_siginfo.si_code",
}
