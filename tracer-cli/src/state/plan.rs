//! What is to be done with each event type, decided once so that applying an event looks nothing up.

use super::step::Step;
use super::thread::Thread;
use super::{apply_clone, apply_file, apply_process, apply_socket};
use crate::event::Event;
use crate::schema::{Class, EventFlags, EventInfo, EventType, ParamType, tables};
use std::sync::LazyLock;

/// How an event finds its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bind {
    /// It is about no thread.
    Never,
    /// Only a thread that is known already.
    Known,
    /// A thread that is not known is learnt about, or made up.
    Always,
}

/// What an event does to the state.
#[derive(Clone, Copy)]
pub(super) enum Action {
    None,
    /// Something about the thread that made it, or its process.
    Thread(fn(&mut Step<'_>)),
    /// Something about the thread alone that made it.
    Own(fn(&mut Thread, &Event<'_>)),
    /// It makes a thread, perhaps the very one that made the event.
    Clone(&'static apply_clone::CloneLayout),
    /// A user or a group was added (`true`) or deleted.
    User(bool),
    Group(bool),
    /// A note about a container.
    Container,
}

/// What to do with the events of a type.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub bind: Bind,
    /// Parameter that holds the fd which the event is about.
    pub fd: Option<u8>,
    /// Enters and exits of calls make pairs; other events come in between.
    pub is_call: bool,
    /// Its exit may need the parameters of this enter event.
    pub keep: bool,
    /// A note of the recorder, not an event of the system.
    pub is_meta: bool,
    /// Another thread gets a CPU.
    pub is_switch: bool,
    /// The CPU time of the thread that had it is counted.
    pub counts_time: bool,
    pub action: Action,
    /// How little has to be done where nobody looks at the event.
    pub glance: Glance,
    /// No thread comes, goes or becomes another one with it, but for the one that made it.
    pub is_lone: bool,
}

/// What an event that nobody looks at changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glance {
    /// Nothing at all.
    Nothing,
    /// What is noted of a thread's calls, and what an [own](Action::Own) handler notes.
    Thread,
    /// More than that.
    Everything,
}

impl Plan {
    /// For types that the schema does not know.
    pub const UNKNOWN: Plan = Plan {
        bind: Bind::Known,
        fd: None,
        is_call: false,
        keep: false,
        is_meta: false,
        is_switch: false,
        counts_time: false,
        action: Action::None,
        glance: Glance::Everything,
        is_lone: false,
    };

    fn of(info: &EventInfo, counts_usage: bool) -> Plan {
        let action = match action_of(info.ty) {
            _ if !counts_usage && tells_usage(info.ty) => Action::None,
            action => action,
        };
        let is_switch = matches!(info.ty, EventType::SCHEDSWITCH_1_E | EventType::SCHEDSWITCH_6_E);
        let plan = Plan {
            bind: bind_of(info),
            fd: info.fd_param().and_then(|i| u8::try_from(i).ok()),
            is_call: info.class == Class::Syscall,
            keep: info.ty.is_enter() && (is_kept(info.ty) || has_path_alone(info)),
            is_meta: info.class == Class::Meta,
            is_switch,
            counts_time: is_switch && counts_usage,
            action,
            glance: Glance::Everything,
            is_lone: match action {
                Action::None | Action::Own(_) => true,
                Action::Thread(_) => !matches!(info.name, "execve" | "execveat" | "procexit"),
                _ => false,
            },
        };
        Plan { glance: plan.glance(), ..plan }
    }

    fn glance(&self) -> Glance {
        match self.action {
            Action::None if self.bind == Bind::Known && self.is_meta && !self.is_call => Glance::Nothing,
            Action::None | Action::Own(_) if self.bind != Bind::Never && !self.counts_time => Glance::Thread,
            _ => Glance::Everything,
        }
    }

    /// The plan of every type, by code; what threads use of CPUs and memory is counted or not.
    pub fn of_types(counts_usage: bool) -> &'static [Plan] {
        type Plans = LazyLock<[Box<[Plan]>; 2]>;
        static PLANS: Plans = LazyLock::new(|| {
            [false, true].map(|counts| tables::EVENTS.iter().map(|info| Plan::of(info, counts)).collect())
        });
        &PLANS[usize::from(counts_usage)]
    }
}

/// Whether nothing but what threads use of CPUs and memory is learnt from events of this type.
fn tells_usage(ty: EventType) -> bool {
    use EventType as E;
    matches!(
        ty,
        E::PROCINFO_E
            | E::SCHEDSWITCH_6_E
            | E::SYSCALL_BRK_4_X
            | E::SYSCALL_MMAP_X
            | E::SYSCALL_MMAP2_X
            | E::SYSCALL_MUNMAP_X
    )
}

fn bind_of(info: &EventInfo) -> Bind {
    use EventType as E;
    match info.ty {
        E::SCHEDSWITCH_1_E | E::SCHEDSWITCH_6_E | E::PROCEXIT_E | E::PROCEXIT_1_E => Bind::Known,
        _ if info.flags.contains(EventFlags::SKIP_PARSER_RESET) => Bind::Known,
        _ if matches!(info.class, Class::Meta | Class::Plugin | Class::None) => Bind::Never,
        _ => Bind::Always,
    }
}

/// Whether an enter event has the path of the call, and its exit event does not.
fn has_path_alone(info: &EventInfo) -> bool {
    let exit = info.ty.exit().info();
    let has_path = |info: &EventInfo| {
        info.params
            .iter()
            .any(|param| matches!(param.ty, ParamType::Fspath | ParamType::Fsrelpath | ParamType::Charbuf))
    };
    has_path(info) && exit.is_some_and(|exit| !has_path(exit))
}

fn is_kept(ty: EventType) -> bool {
    use EventType as E;
    matches!(
        ty,
        E::SYSCALL_OPEN_E
            | E::SYSCALL_CREAT_E
            | E::SYSCALL_OPENAT_E
            | E::SYSCALL_OPENAT_2_E
            | E::SYSCALL_OPENAT2_E
            | E::SOCKET_SOCKET_E
            | E::SOCKET_SOCKETPAIR_E
            | E::SOCKET_BIND_E
            | E::SOCKET_CONNECT_E
            | E::SOCKET_SENDTO_E
            | E::SOCKET_SENDMSG_E
            | E::SOCKET_ACCEPT4_E
            | E::SOCKET_ACCEPT4_5_E
            | E::SOCKET_ACCEPT4_6_E
            | E::SYSCALL_EVENTFD_E
            | E::SYSCALL_CHDIR_E
            | E::SYSCALL_FCHDIR_E
            | E::SYSCALL_SETRLIMIT_E
            | E::SYSCALL_GETRLIMIT_E
            | E::SYSCALL_PRLIMIT_E
            | E::SYSCALL_SETRESUID_E
            | E::SYSCALL_SETRESGID_E
            | E::SYSCALL_SETUID_E
            | E::SYSCALL_SETGID_E
            | E::SYSCALL_SETPGID_E
            | E::SYSCALL_EXECVE_18_E
            | E::SYSCALL_EXECVE_19_E
            | E::SYSCALL_EXECVEAT_E
            | E::SYSCALL_UNSHARE_E
            | E::SYSCALL_SETNS_E
            | E::SYSCALL_FCNTL_E
            | E::SYSCALL_DUP_E
            | E::SYSCALL_DUP2_E
            | E::SYSCALL_DUP3_E
            | E::SYSCALL_DUP_1_E
            | E::SYSCALL_TIMERFD_CREATE_E
            | E::SYSCALL_INOTIFY_INIT_E
            | E::SYSCALL_EPOLL_CREATE1_E
            | E::SYSCALL_BPF_E
    )
}

fn action_of(ty: EventType) -> Action {
    use EventType as E;
    use apply_process as process;
    let handler: fn(&mut Step<'_>) = match ty {
        E::PROCINFO_E => return Action::Own(process::cpu_times),
        E::SYSCALL_BRK_4_X | E::SYSCALL_MMAP_X | E::SYSCALL_MMAP2_X | E::SYSCALL_MUNMAP_X => {
            return Action::Own(process::memory);
        }
        E::SYSCALL_CLONE_11_X => return Action::Clone(&apply_clone::CLONE_11),
        E::SYSCALL_CLONE_16_X | E::SYSCALL_FORK_X | E::SYSCALL_VFORK_X => {
            return Action::Clone(&apply_clone::CLONE_16);
        }
        E::SYSCALL_CLONE_17_X | E::SYSCALL_FORK_17_X | E::SYSCALL_VFORK_17_X => {
            return Action::Clone(&apply_clone::CLONE_17);
        }
        E::SYSCALL_CLONE_20_X | E::SYSCALL_FORK_20_X | E::SYSCALL_VFORK_20_X | E::SYSCALL_CLONE3_X => {
            return Action::Clone(&apply_clone::CLONE_20);
        }
        E::USER_ADDED_E => return Action::User(true),
        E::USER_DELETED_E => return Action::User(false),
        E::GROUP_ADDED_E => return Action::Group(true),
        E::GROUP_DELETED_E => return Action::Group(false),
        E::CONTAINER_E | E::CONTAINER_JSON_E | E::CONTAINER_JSON_2_E | E::ASYNCEVENT_E => {
            return Action::Container;
        }

        E::SYSCALL_EXECVE_8_X | E::SYSCALL_EXECVE_13_X => process::exec_8,
        E::SYSCALL_EXECVE_14_X => process::exec_14,
        E::SYSCALL_EXECVE_15_X => process::exec_15,
        E::SYSCALL_EXECVE_16_X
        | E::SYSCALL_EXECVE_17_X
        | E::SYSCALL_EXECVE_18_X
        | E::SYSCALL_EXECVE_19_X
        | E::SYSCALL_EXECVEAT_X => process::exec,
        E::PROCEXIT_E | E::PROCEXIT_1_E => process::exit,
        E::SYSCALL_SETSID_X => process::setsid,
        E::SYSCALL_SETPGID_X => process::setpgid,
        E::SYSCALL_SETUID_X => process::setuid,
        E::SYSCALL_SETGID_X => process::setgid,
        E::SYSCALL_SETRESUID_X | E::SYSCALL_SETREUID_X => process::setreuid,
        E::SYSCALL_SETRESGID_X | E::SYSCALL_SETREGID_X => process::setregid,
        E::SYSCALL_PRCTL_X => process::prctl,
        E::SYSCALL_CAPSET_X => process::capset,
        E::SYSCALL_UNSHARE_X => process::unshare,
        E::SYSCALL_SETNS_X => process::setns,
        E::SYSCALL_CHDIR_X => process::chdir,
        E::SYSCALL_FCHDIR_X => process::fchdir,
        E::SYSCALL_GETCWD_X => process::getcwd,
        E::SYSCALL_CHROOT_X => process::chroot,
        E::SYSCALL_GETRLIMIT_X | E::SYSCALL_SETRLIMIT_X => process::rlimit,
        E::SYSCALL_PRLIMIT_X => process::prlimit,
        E::SCHEDSWITCH_6_E => process::switch,

        E::SYSCALL_OPEN_X => apply_file::open,
        E::SYSCALL_CREAT_X => apply_file::creat,
        E::SYSCALL_OPENAT_X => apply_file::openat_old,
        E::SYSCALL_OPENAT_2_X => apply_file::openat,
        E::SYSCALL_OPENAT2_X => apply_file::openat2,
        E::SYSCALL_OPEN_BY_HANDLE_AT_X => apply_file::open_by_handle_at,
        E::SYSCALL_CLOSE_X => apply_file::close,
        E::SYSCALL_CLOSE_RANGE_X => apply_file::close_range,
        E::SYSCALL_DUP_X | E::SYSCALL_DUP_1_X | E::SYSCALL_DUP2_X => apply_file::dup,
        E::SYSCALL_DUP3_X => apply_file::dup3,
        E::SYSCALL_FCNTL_X => apply_file::fcntl,
        E::SYSCALL_PIPE_X | E::SYSCALL_PIPE2_X => apply_file::pipe,
        E::SYSCALL_EVENTFD_X => apply_file::eventfd,
        E::SYSCALL_EVENTFD2_X => apply_file::eventfd2,
        E::SYSCALL_SIGNALFD_X => apply_file::signalfd,
        E::SYSCALL_SIGNALFD4_X => apply_file::signalfd4,
        E::SYSCALL_TIMERFD_CREATE_X => apply_file::timerfd_create,
        E::SYSCALL_INOTIFY_INIT_X | E::SYSCALL_INOTIFY_INIT1_X => apply_file::inotify_init,
        E::SYSCALL_EPOLL_CREATE_X => apply_file::epoll_create,
        E::SYSCALL_EPOLL_CREATE1_X => apply_file::epoll_create1,
        E::SYSCALL_USERFAULTFD_X => apply_file::userfaultfd,
        E::SYSCALL_BPF_X => apply_file::bpf_old,
        E::SYSCALL_BPF_2_X => apply_file::bpf,
        E::SYSCALL_IO_URING_SETUP_X => apply_file::io_uring_setup,
        E::SYSCALL_MEMFD_CREATE_X => apply_file::memfd_create,
        E::SYSCALL_PIDFD_OPEN_X => apply_file::pidfd_open,
        E::SYSCALL_PIDFD_GETFD_X => apply_file::pidfd_getfd,

        E::SOCKET_SOCKET_X => apply_socket::socket,
        E::SOCKET_SOCKETPAIR_X => apply_socket::socketpair,
        E::SOCKET_BIND_X => apply_socket::bind,
        E::SOCKET_CONNECT_E => apply_socket::connect_begins,
        E::SOCKET_CONNECT_X => apply_socket::connect,
        E::SOCKET_ACCEPT_X
        | E::SOCKET_ACCEPT_5_X
        | E::SOCKET_ACCEPT4_X
        | E::SOCKET_ACCEPT4_5_X
        | E::SOCKET_ACCEPT4_6_X => apply_socket::accept,
        E::SOCKET_SENDTO_E => apply_socket::sendto_begins,
        E::SOCKET_SENDTO_X => apply_socket::sendto,
        E::SOCKET_SENDMSG_X | E::SOCKET_SENDMMSG_X => apply_socket::send,
        E::SOCKET_RECVFROM_X => apply_socket::recvfrom,
        E::SOCKET_RECVMSG_X => apply_socket::recvmsg,
        E::SOCKET_RECVMMSG_X => apply_socket::recvmmsg,
        _ => return Action::None,
    };
    Action::Thread(handler)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fd_of(ty: EventType) -> Option<usize> {
        ty.info().and_then(EventInfo::fd_param)
    }

    #[test]
    fn the_fd_is_found_where_each_type_has_it() {
        use EventType as E;
        assert_eq!(fd_of(E::SYSCALL_READ_E), Some(0));
        for (ty, at) in [
            (E::SYSCALL_CLOSE_X, 1),
            (E::SYSCALL_FCNTL_X, 1),
            (E::SYSCALL_READ_X, 2),
            (E::SYSCALL_WRITEV_X, 2),
            (E::SOCKET_CONNECT_X, 2),
            (E::SOCKET_RECVFROM_X, 3),
            (E::SYSCALL_PREADV_X, 3),
            (E::SOCKET_RECVMSG_X, 5),
            (E::SYSCALL_MMAP_X, 8),
            (E::SYSCALL_SENDFILE_X, 2),
            (E::SYSCALL_DUP3_X, 1),
        ] {
            assert_eq!(fd_of(ty), Some(at), "{ty:?}");
        }
        assert_eq!(fd_of(E::SYSCALL_OPENAT_2_X), None);
    }

    #[test]
    fn paths_that_only_enter_events_have_are_kept() {
        use EventType as E;
        let keeps = |ty: EventType| ty.info().is_some_and(|info| Plan::of(info, true).keep);
        assert!(keeps(E::SYSCALL_MKDIR_E) && keeps(E::SYSCALL_UNLINKAT_E) && keeps(E::SYSCALL_LINK_E));
        assert!(!keeps(E::SYSCALL_READ_E) && !keeps(E::SYSCALL_MMAP_E) && !keeps(E::SYSCALL_CLOSE_E));
    }

    #[test]
    fn threads_are_not_made_up_for_events_about_none() {
        let bind = |ty: EventType| ty.info().map(bind_of);
        assert_eq!(bind(EventType::SYSCALL_READ_X), Some(Bind::Always));
        assert_eq!(bind(EventType::SCHEDSWITCH_6_E), Some(Bind::Known));
        assert_eq!(bind(EventType::PROCEXIT_1_E), Some(Bind::Known));
        assert_eq!(bind(EventType::CONTAINER_JSON_2_E), Some(Bind::Never));
        assert_eq!(bind(EventType::USER_ADDED_E), Some(Bind::Never));
        assert_eq!(bind(EventType::PAGE_FAULT_E), Some(Bind::Known));
        assert_eq!(bind(EventType::SIGNALDELIVER_E), Some(Bind::Always));
    }
}
