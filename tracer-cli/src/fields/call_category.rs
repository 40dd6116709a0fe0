//! Categories of system calls that have no event type of their own, as sysdig 0.29.3 gives them.

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
        "exit_group" | "fadvise64" | "getrandom" | "newfstatat" | "sigaltstack" => "unknown",
        "clock_nanosleep" | "nanosleep" | "sched_yield" => "sleep",
        "alarm" | "adjtimex" | "getitimer" | "setitimer" | "gettimeofday" | "settimeofday" | "stime"
        | "time" | "times" | "utime" => "time",
        "accept" | "accept4" | "bind" | "connect" | "getpeername" | "getsockname" | "getsockopt"
        | "listen" | "recvmmsg" | "sendmmsg" | "setsockopt" | "shutdown" | "socket" | "socketpair" => "net",
        "pipe" | "pipe2" | "ipc" => "IPC",
        "getegid" | "geteuid" | "getgid" | "getgroups" | "getresgid" | "getresuid" | "getuid"
        | "setfsgid" | "setfsuid" | "setgid" | "setgroups" | "setregid" | "setresgid" | "setresuid"
        | "setreuid" | "setuid" => "user",
        "kill" | "tkill" | "tgkill" | "sigreturn" | "signal" | "signalfd" | "signalfd4" => "signal",
        "pause" | "poll" | "ppoll" | "pselect6" | "select" | "wait4" | "waitid" | "waitpid" => "wait",
        "get_mempolicy" | "madvise" | "mbind" | "migrate_pages" | "mincore" | "mlock" | "mlock2"
        | "mlockall" | "move_pages" | "mprotect" | "mremap" | "msync" | "munlock" | "munlockall"
        | "remap_file_pages" | "set_mempolicy" => "memory",
        "arch_prctl" | "capget" | "capset" | "clone" | "execve" | "exit" | "fork" | "get_robust_list"
        | "getpgid" | "getpgrp" | "getpid" | "getppid" | "getpriority" | "getrlimit" | "getrusage"
        | "getsid" | "gettid" | "kcmp" | "personality" | "pivot_root" | "prctl" | "ptrace"
        | "set_robust_list" | "set_tid_address" | "setns" | "setpgid" | "setpriority" | "setrlimit"
        | "setsid" | "umask" | "unshare" | "vfork" => "process",
        "acct" | "add_key" | "delete_module" | "finit_module" | "init_module" | "ioperm" | "iopl"
        | "kexec_load" | "keyctl" | "perf_event_open" | "quotactl" | "reboot" | "request_key"
        | "setdomainname" | "sethostname" | "swapoff" | "swapon" | "sysfs" | "sysinfo" | "syslog"
        | "uname" => "system",
        "chdir" | "chmod" | "chown" | "chroot" | "faccessat" | "fallocate" | "fchdir" | "fchmod"
        | "fchmodat" | "fchown" | "fchownat" | "fdatasync" | "fgetxattr" | "flistxattr" | "fremovexattr"
        | "fsetxattr" | "fstatfs" | "fsync" | "ftruncate" | "futimesat" | "getcwd" | "getxattr"
        | "lchown" | "lgetxattr" | "link" | "linkat" | "listxattr" | "llistxattr" | "lremovexattr"
        | "lsetxattr" | "mknod" | "mknodat" | "name_to_handle_at" | "readahead" | "readlink"
        | "readlinkat" | "removexattr" | "rename" | "renameat" | "setxattr" | "stat" | "statfs"
        | "symlink" | "symlinkat" | "sync" | "sync_file_range" | "syncfs" | "truncate" | "unlink"
        | "unlinkat" | "ustat" | "utimensat" | "utimes" | "vhangup" => "file",
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
        ] {
            assert_eq!(of_name(name), category, "{name}");
        }
    }
}
