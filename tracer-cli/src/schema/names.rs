//! Names of numbers that are not flags: errors, signals, system calls, event types.

use super::{EventInfo, FlagTable, tables};

/// `ENOENT` for 2. Knows the kernel's internal restart codes (512 and up) too.
pub fn errno_name(errno: u32) -> Option<&'static str> {
    lookup(tables::ERRNO_NAMES, errno as usize)
}

/// `SIGTERM` for 15; real-time signals have no name.
pub fn signal_name(signal: u32) -> Option<&'static str> {
    lookup(tables::SIGNAL_NAMES, signal as usize)
}

/// The number of a signal by name, with or without `SIG`, in any case.
pub fn signal_by_name(name: &str) -> Option<u32> {
    let bare = name.get(..3).filter(|p| p.eq_ignore_ascii_case("SIG")).map_or(name, |p| &name[p.len()..]);
    let is = |known: &str| known.strip_prefix("SIG").is_some_and(|k| k.eq_ignore_ascii_case(bare));
    tables::SIGNAL_NAMES.iter().position(|n| n.is_some_and(is)).map(|n| n as u32)
}

/// The name of a system call by the schema's own code (`evt.type` of generic events).
pub fn syscall_name(code: u16) -> Option<&'static str> {
    lookup(tables::SYSCALL_NAMES, usize::from(code))
}

/// The schema's own code of a system call by name.
pub fn syscall_by_name(name: &str) -> Option<u16> {
    tables::SYSCALL_NAMES.iter().position(|n| *n == Some(name)).map(|n| n as u16)
}

/// `AF_INET` for 2. Where two names share a value the first one of the table.
pub fn socket_family_name(family: u32) -> Option<&'static str> {
    tables::SOCKET_FAMILIES.name_of(family)
}

/// Every event type that users call `name`: enter and exit, current and old.
pub fn events_named(name: &str) -> impl Iterator<Item = &'static EventInfo> {
    tables::EVENTS.iter().filter(move |e| e.name == name)
}

impl FlagTable {
    /// The first name that stands for exactly this value.
    pub fn name_of(&self, value: u32) -> Option<&'static str> {
        self.entries.iter().find(|(_, v)| *v == value).map(|(name, _)| *name)
    }

    /// The value of a name.
    pub fn value_of(&self, name: &str) -> Option<u32> {
        self.entries.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }
}

fn lookup(names: &'static [Option<&'static str>], index: usize) -> Option<&'static str> {
    names.get(index).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    #[test]
    fn every_row_stands_at_its_code() {
        assert_eq!(tables::EVENTS.len(), 454);
        for (i, event) in tables::EVENTS.iter().enumerate() {
            assert_eq!(usize::from(event.ty.0), i, "{}", event.id);
            let direction = if event.ty.is_enter() { "_E" } else { "_X" };
            assert!(event.id.ends_with(direction), "{}", event.id);
            assert!(!event.name.is_empty());
        }
    }

    #[test]
    fn codes_are_those_of_the_schema() {
        assert_eq!(EventType::GENERIC_E.0, 0);
        assert_eq!(EventType::SYSCALL_READ_X.0, 7);
        assert_eq!(EventType::SYSCALL_OPENAT_2_X.0, 307);
        assert_eq!(EventType::SYSCALL_EXECVE_19_X.0, 293);
        assert_eq!(EventType(307).info().map(|e| e.name), Some("openat"));
        assert!(EventType(454).info().is_none());
    }

    #[test]
    fn current_events_of_system_calls_return_something() {
        // Their results go to an address, which the schema never carried.
        let silent = ["getsockname", "getpeername"];
        for event in tables::EVENTS {
            if event.ty.is_exit() && event.class == Class::Syscall && event.status == Status::Current {
                assert!(!event.params.is_empty() || silent.contains(&event.name), "{}", event.id);
            }
        }
    }

    #[test]
    fn parameters_point_to_what_exists() {
        for event in tables::EVENTS {
            assert!(event.params.len() <= 32, "{}", event.id);
            for param in event.params {
                let at = || format!("{}.{}", event.id, param.name);
                if let Some(dirfd) = param.dirfd {
                    assert_eq!(event.params[usize::from(dirfd)].ty, ParamType::Fd, "{}", at());
                }
                assert_eq!(param.ty == ParamType::Dyn, !param.alternatives.is_empty(), "{}", at());
                if let Some(table) = param.flags {
                    assert!(!table.entries.is_empty(), "{}", at());
                }
            }
        }
    }

    #[test]
    fn what_is_printed_follows_0_29_3() {
        let mmap = EventType::SYSCALL_MMAP_X.info().unwrap();
        assert_eq!((mmap.params[0].ty, mmap.params[0].format), (ParamType::Uint64, ParamFormat::Hex));
        let execve = EventType::SYSCALL_EXECVE_19_X.info().unwrap();
        assert_eq!(execve.params[17].name, "pgid");
        assert_eq!(execve.params[18].ty, ParamType::Int32);
    }

    #[test]
    fn enter_events_that_the_probe_emits_are_current() {
        for ty in [EventType::SYSCALL_READ_E, EventType::SYSCALL_EXECVE_19_E, EventType::SOCKET_BIND_E] {
            let info = ty.info().unwrap();
            assert_eq!(info.status, Status::Current, "{}", info.id);
            assert!(!info.flags.contains(EventFlags::OLD_VERSION), "{}", info.id);
        }
        assert_eq!(EventType::SYSCALL_EXECVE_8_E.info().map(|e| e.status), Some(Status::Old));
    }

    #[test]
    fn system_calls_have_a_pair_of_events_and_a_code_with_a_name() {
        for table in [tables::SYSCALLS_X86_64, tables::SYSCALLS_IA32] {
            for call in table.iter().flatten() {
                assert_eq!(call.exit, call.enter.exit(), "{}", call.name);
                assert!(call.exit.info().is_some_and(|e| e.status == Status::Current), "{}", call.name);
                assert!(syscall_name(call.code).is_some(), "{}", call.name);
            }
        }
    }

    #[test]
    fn system_call_numbers_are_those_of_libc() {
        let name = |nr: libc::c_long| tables::SYSCALLS_X86_64[nr as usize].map(|s| s.name);
        assert_eq!(name(libc::SYS_read), Some("read"));
        assert_eq!(name(libc::SYS_openat2), Some("openat2"));
        assert_eq!(name(libc::SYS_futex_waitv), Some("futex_waitv"));
        assert!(tables::SYSCALLS_X86_64.len() > 471 && tables::SYSCALLS_IA32.len() > 471);
        let i386 = |nr: usize| tables::SYSCALLS_IA32[nr].map(|s| (s.name, s.exit));
        assert_eq!(i386(3), Some(("read", EventType::SYSCALL_READ_X)));
        assert_eq!(i386(192), Some(("mmap2", EventType::SYSCALL_MMAP2_X)));
        assert_eq!(i386(422), Some(("futex_time64", EventType::SYSCALL_FUTEX_X)));
        assert_eq!(i386(435), Some(("clone3", EventType::SYSCALL_CLONE3_X)));
    }

    #[test]
    fn numbers_have_names() {
        assert_eq!(errno_name(2), Some("ENOENT"));
        assert_eq!(errno_name(512), Some("ERESTARTSYS"));
        assert_eq!(errno_name(u32::MAX), None);
        assert_eq!(signal_name(15), Some("SIGTERM"));
        assert_eq!(signal_name(40), None);
        assert_eq!(signal_by_name("sigterm"), Some(15));
        assert_eq!(signal_by_name("KILL"), Some(9));
        assert_eq!(signal_by_name("é"), None);
        assert_eq!(socket_family_name(1), Some("AF_LOCAL"));
        assert_eq!(syscall_by_name("futex"), Some(154));
        assert_eq!(syscall_name(382), None);
        assert!(events_named("openat").count() >= 4);
    }
}
