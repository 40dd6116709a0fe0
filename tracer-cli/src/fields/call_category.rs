//! Categories of system calls that have no event type of their own, as sysdig 0.29.3 gives them; some
//! of them surprise (`chroot` is IPC, `fsync` is nothing).

use crate::schema::{EventType, tables};
use std::sync::LazyLock;

/// By the schema's code of the call.
static BY_CODE: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| tables::SYSCALL_NAMES.iter().map(|name| of_name(name.unwrap_or(""))).collect());

/// The category of a generic event, `None` for events of other types.
pub(super) fn of_generic(event: &crate::event::Event<'_>) -> Option<&'static str> {
    if !matches!(event.ty, EventType::GENERIC_E | EventType::GENERIC_X) {
        return None;
    }
    let code = event.u64(0).and_then(|code| usize::try_from(code).ok());
    Some(code.and_then(|code| BY_CODE.get(code).copied()).unwrap_or("other"))
}

fn of_name(name: &str) -> &'static str {
    match name {
        "" | "unknown" | "<unknown>" => "other",
        "bdflush" | "bpf" | "clock_adjtime" | "perf_event_open" | "ptrace" | "rt_tgsigqueueinfo"
        | "seccomp" | "syscall" | "vhangup" => "other",
        "clock_nanosleep" | "nanosleep" | "sched_yield" => "sleep",
        "alarm" | "getitimer" | "gettimeofday" | "setitimer" | "settimeofday" | "stime" | "time"
        | "times" | "utime" => "time",
        "accept" | "accept4" | "bind" | "connect" | "getpeername" | "getsockname" | "getsockopt"
        | "listen" | "recvfrom" | "recvmmsg" | "recvmsg" | "sendmmsg" | "sendmsg" | "sendto"
        | "setsockopt" | "shutdown" | "socket" | "socketcall" | "socketpair" => "net",
        "chroot" | "eventfd" | "eventfd2" | "fanotify_init" | "futex" | "getdents64" | "ipc" | "kill"
        | "pipe" | "pipe2" | "splice" | "tee" | "vmsplice" => "IPC",
        "getegid" | "geteuid" | "getgid" | "getgroups" | "getresgid" | "getresuid" | "getuid"
        | "setfsgid" | "setfsuid" | "setgid" | "setgroups" | "setregid" | "setresgid" | "setresuid"
        | "setreuid" | "setuid" => "user",
        "sgetmask" | "signal" | "signalfd" | "signalfd4" | "sigpending" | "sigprocmask" | "sigreturn"
        | "ssetmask" | "tgkill" | "tkill" => "signal",
        "_newselect" | "fcntl" | "pause" | "poll" | "ppoll" | "pselect6" | "select" | "wait4" | "waitid"
        | "waitpid" => "wait",
        "brk" | "get_mempolicy" | "madvise" | "mbind" | "migrate_pages" | "mincore" | "mlock" | "mlock2"
        | "mlockall" | "move_pages" | "mprotect" | "munlock" | "munlockall" | "set_mempolicy" => "memory",
        "acct" | "arch_prctl" | "capget" | "capset" | "clone" | "clone3" | "exit" | "get_robust_list"
        | "get_thread_area" | "getcpu" | "getpgid" | "getpgrp" | "getpid" | "getppid" | "getpriority"
        | "getrlimit" | "getrusage" | "getsid" | "gettid" | "ioprio_get" | "ioprio_set" | "kcmp" | "nice"
        | "personality" | "pivot_root" | "prctl" | "prlimit64" | "set_robust_list" | "set_thread_area"
        | "set_tid_address" | "setns" | "setpgid" | "setpriority" | "setrlimit" | "setsid" | "swapon"
        | "ugetrlimit" | "umask" | "unshare" | "uselib" => "process",
        "add_key" | "adjtimex" | "delete_module" | "execve" | "execveat" | "finit_module" | "init_module"
        | "ioperm" | "iopl" | "kexec_load" | "keyctl" | "olduname" | "quotactl" | "reboot"
        | "request_key" | "restart_syscall" | "setdomainname" | "sethostname" | "swapoff" | "sysfs"
        | "sysinfo" | "syslog" | "uname" => "system",
        "_llseek" | "access" | "chdir" | "chmod" | "chown" | "close" | "copy_file_range" | "creat"
        | "faccessat" | "fchdir" | "fchmod" | "fchmodat" | "fchown" | "fchownat" | "fcntl64"
        | "fgetxattr" | "flistxattr" | "flock" | "fremovexattr" | "fsetxattr" | "fstat" | "fstat64"
        | "fstatat64" | "fstatfs" | "fstatfs64" | "ftruncate" | "futimesat" | "getcwd" | "getdents"
        | "getxattr" | "lchown" | "lgetxattr" | "link" | "linkat" | "listxattr" | "llistxattr"
        | "lremovexattr" | "lseek" | "lsetxattr" | "lstat" | "lstat64" | "mkdir" | "mkdirat" | "mknod"
        | "mknodat" | "mmap" | "mmap2" | "mount" | "mremap" | "munmap" | "name_to_handle_at" | "open"
        | "openat" | "openat2" | "pread64" | "pwrite64" | "readahead" | "readlink" | "readlinkat"
        | "remap_file_pages" | "removexattr" | "rename" | "renameat" | "renameat2" | "rmdir" | "sendfile"
        | "sendfile64" | "setxattr" | "stat" | "stat64" | "statfs" | "statfs64" | "symlink" | "symlinkat"
        | "sync_file_range" | "syncfs" | "truncate" | "umount" | "umount2" | "unlink" | "unlinkat"
        | "userfaultfd" | "ustat" | "utimensat" | "utimes" => "file",
        _ => of_family(name),
    }
}

/// Calls that come in families share a prefix.
fn of_family(name: &str) -> &'static str {
    const FAMILIES: [(&str, &str); 11] = [
        ("clock_", "time"),
        ("timer_", "time"),
        ("timerfd_", "time"),
        ("epoll_", "wait"),
        ("inotify_", "IPC"),
        ("mq_", "IPC"),
        ("msg", "IPC"),
        ("sem", "IPC"),
        ("shm", "IPC"),
        ("rt_", "signal"),
        ("sched_", "process"),
    ];
    FAMILIES.iter().find(|(prefix, _)| name.starts_with(prefix)).map_or("unknown", |(_, category)| category)
}

#[cfg(test)]
mod tests {
    use super::of_name;

    #[test]
    fn categories_are_those_of_sysdig() {
        for (name, category) in [
            ("clock_gettime", "time"),
            ("epoll_pwait", "wait"),
            ("rt_sigaction", "signal"),
            ("sched_getaffinity", "process"),
            ("sched_yield", "sleep"),
            ("getrandom", "unknown"),
            ("inotify_add_watch", "IPC"),
            ("setgroups", "user"),
            ("mprotect", "memory"),
            ("getpeername", "net"),
            ("sysinfo", "system"),
            ("statfs", "file"),
            ("fsync", "unknown"),
            ("chroot", "IPC"),
            ("getdents64", "IPC"),
            ("mremap", "file"),
        ] {
            assert_eq!(of_name(name), category, "{name}");
        }
    }
}
