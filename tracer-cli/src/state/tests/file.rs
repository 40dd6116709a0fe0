use super::super::fd::{FdKind, O_CLOEXEC};
use super::*;
use EventType as E;

#[test]
fn an_open_names_its_fd_and_a_close_still_shows_it() {
    let mut world = World::new();
    let binding = world.open(3, "a/../b");
    assert_eq!(binding.fd, Some(3));
    assert_eq!(world.name(3).as_deref(), Some("/home/b"));
    let info = world.fd_of(100, 3).unwrap();
    assert_eq!((info.kind, info.ino, info.name_raw.as_slice()), (FdKind::File, 5, &b"a/../b"[..]));

    let binding = world.apply(made(E::SYSCALL_CLOSE_X).int("res", 0).int("fd", 3));
    assert_eq!(binding.fd, Some(3));
    assert_eq!(world.name(3).as_deref(), Some("/home/b"));
    world.settle();
    assert_eq!(world.name(3), None);
}

#[test]
fn failed_calls_change_nothing() {
    let mut world = World::new();
    world.open(3, "/a");
    assert_eq!(world.open(-2, "/b").fd, None);
    world.apply(made(E::SYSCALL_CLOSE_X).int("res", -9).int("fd", 3));
    world.apply(made(E::SYSCALL_DUP_1_X).int("res", -9).int("oldfd", 3));
    world.settle();
    assert_eq!(world.thread(100).fds.len(), 1);
    // An interrupted close closes.
    world.apply(made(E::SYSCALL_CLOSE_X).int("res", -4).int("fd", 3));
    world.settle();
    assert_eq!(world.name(3), None);
}

#[test]
fn a_number_that_is_used_again_means_the_new_file() {
    let mut world = World::new();
    world.open(3, "/a");
    world.apply(made(E::SYSCALL_CLOSE_X).int("res", 0).int("fd", 3));
    world.open(3, "/b");
    world.settle();
    assert_eq!(world.name(3).as_deref(), Some("/b"));
}

#[test]
fn a_close_reported_after_the_number_was_used_again_does_not_end_the_new_file() {
    let mut world = World::new();
    world.apply(clone_thread(101));
    world.open(3, "/a");
    world.apply(made(E::SYSCALL_CLOSE_E).int("fd", 3));
    world.apply(open(3, "/b").by(101));
    world.apply(made(E::SYSCALL_CLOSE_X).int("res", 0).int("fd", 3));
    world.settle();
    assert_eq!(world.name(3).as_deref(), Some("/b"));
}

#[test]
fn relative_paths_follow_the_current_directory() {
    let mut world = World::new();
    world.apply(made(E::SYSCALL_CHDIR_X).int("res", 0).text("path", "../srv"));
    assert_eq!(world.thread(100).cwd, "/srv/");
    world.open(3, "x");
    assert_eq!(world.name(3).as_deref(), Some("/srv/x"));
    world.apply(made(E::SYSCALL_CHDIR_X).int("res", -2).text("path", "/no"));
    assert_eq!(world.thread(100).cwd, "/srv/");
    world.open(4, "/var/log");
    world.apply(made(E::SYSCALL_FCHDIR_X).int("res", 0).int("fd", 4));
    assert_eq!(world.thread(100).cwd, "/var/log/");
    world.apply(made(E::SYSCALL_GETCWD_X).int("res", 5).text("path", "/real"));
    assert_eq!(world.thread(100).cwd, "/real/");
    world.apply(made(E::SYSCALL_CHROOT_X).int("res", 0).text("path", "jail"));
    assert_eq!(world.thread(100).root, "/real/jail");
}

#[test]
fn paths_can_be_relative_to_a_directory_fd() {
    let mut world = World::new();
    world.open(3, "/etc");
    world.apply(open(4, "hosts").int("dirfd", 3));
    assert_eq!(world.name(4).as_deref(), Some("/etc/hosts"));
    world.apply(open(5, "hosts").int("dirfd", 77));
    assert_eq!(world.name(5).as_deref(), Some("<UNKNOWN>/hosts"));
    world.apply(open(6, "/abs").int("dirfd", 77));
    assert_eq!(world.name(6).as_deref(), Some("/abs"));
}

#[test]
fn other_ways_to_open() {
    let mut world = World::new();
    world.apply(made(E::SYSCALL_OPEN_X).int("fd", 3).text("name", "d").int("flags", 1024 | 1));
    assert_eq!(world.fd_of(100, 3).map(|i| i.kind), Some(FdKind::Directory));
    world.apply(made(E::SYSCALL_CREAT_X).int("fd", 4).text("name", "c").int("creat_flags", 1));
    let info = world.fd_of(100, 4).unwrap();
    assert_eq!(
        (info.name.as_slice(), info.open_flags, info.upper_layer),
        (&b"/home/c"[..], 4 | 2 | 256, true)
    );
    world.apply(made(E::SYSCALL_OPENAT2_X).int("fd", 5).int("dirfd", -100).text("name", "e").int("ino", 9));
    assert_eq!(world.fd_of(100, 5).map(|i| i.ino), Some(9));
    world.apply(made(E::SYSCALL_OPEN_BY_HANDLE_AT_X).int("fd", 6).text("path", "/h"));
    assert_eq!(world.name(6).as_deref(), Some("/h"));
}

#[test]
fn old_captures_have_the_path_in_the_enter_event() {
    let mut world = World::new();
    world.apply(
        made(E::SYSCALL_OPENAT_E).int("dirfd", -100).text("name", "old").int("flags", 1).int("mode", 0),
    );
    let binding = world.apply(made(E::SYSCALL_OPENAT_X).int("fd", 3));
    assert_eq!((binding.fd, binding.latency), (Some(3), Some(1000)));
    assert_eq!(world.name(3).as_deref(), Some("/home/old"));
    world.apply(made(E::SYSCALL_CLOSE_E).int("fd", 3));
    let binding = world.apply(made(E::SYSCALL_CLOSE_X).int("res", 0).cut(1));
    assert_eq!(binding.fd, Some(3));
    world.settle();
    assert_eq!(world.name(3), None);
    // Parameters of another call's enter event are not taken.
    world.apply(made(E::SYSCALL_OPENAT_E).text("name", "old"));
    world.apply(made(E::SYSCALL_READ_X).int("res", 0));
    world.apply(made(E::SYSCALL_OPENAT_X).int("fd", 3));
    assert_eq!(world.name(3).as_deref(), Some(""));
}

#[test]
fn enters_pair_with_exits() {
    let mut world = World::new();
    assert_eq!(world.apply(made(E::SYSCALL_READ_X).int("res", 0).int("fd", 3)).latency, None);
    let enter = world.apply(made(E::SYSCALL_READ_E).int("fd", 3));
    assert_eq!((enter.fd, enter.latency), (Some(3), None));
    // Signals and switches come between and are no calls.
    world.apply(made(E::SIGNALDELIVER_E));
    world.apply(made(E::SCHEDSWITCH_6_E).int("next", 1));
    let exit = world.apply(made(E::SYSCALL_READ_X).int("res", 0).cut(2));
    assert_eq!((exit.fd, exit.latency, exit.delta), (Some(3), Some(3000), Some(1000)));
    assert_eq!(world.apply(made(E::SYSCALL_READ_X).int("res", 0)).latency, None);
    assert_eq!(exit.first_ts, 1_000_000_001_000);
}

#[test]
fn copies_of_fds() {
    let mut world = World::new();
    world.apply(open(3, "/a").int("flags", 4097));
    let binding = world.apply(made(E::SYSCALL_DUP2_X).int("res", 1).int("oldfd", 3).int("newfd", 1));
    assert_eq!(binding.fd, Some(1));
    let copy = world.fd_of(100, 1).unwrap();
    assert_eq!((copy.name.as_slice(), copy.open_flags), (&b"/a"[..], 1));
    assert!(world.thread(100).flags.contains(crate::state::thread::ThreadFlags::PIPE_SOURCE));
    world.apply(made(E::SYSCALL_DUP3_X).int("res", 5).int("oldfd", 1).int("flags", 4096));
    assert_eq!(world.fd_of(100, 5).map(|i| i.open_flags), Some(4097));
    let fcntl = made(E::SYSCALL_FCNTL_X).int("fd", 3);
    world.apply(fcntl.clone().int("res", 8).int("cmd", 26));
    assert_eq!(world.fd_of(100, 8).map(|i| i.open_flags), Some(4097));
    world.apply(fcntl.clone().int("res", 0).int("cmd", 3).int("arg", 0));
    assert_eq!(world.fd_of(100, 3).map(|i| i.open_flags), Some(1));
    world.apply(fcntl.int("res", 0).int("cmd", 5).int("arg", i64::from(libc::O_APPEND)));
    assert_eq!(world.fd_of(100, 3).map(|i| i.open_flags), Some(1 | 8));
    // A copy of what is not known makes the number unknown.
    world.apply(made(E::SYSCALL_DUP2_X).int("res", 3).int("oldfd", 77));
    assert_eq!(world.name(3), None);
}

#[test]
fn ranges_are_closed_or_marked() {
    let mut world = World::new();
    for fd in 3..7 {
        world.open(fd, "/x");
    }
    let range = made(E::SYSCALL_CLOSE_RANGE_X).int("res", 0);
    world.apply(range.clone().int("first", 6).int("last", 0xffff_ffff).int("flags", 4));
    assert_eq!(world.fd_of(100, 6).map(|i| i.open_flags & O_CLOEXEC), Some(O_CLOEXEC));
    world.apply(range.int("first", 4).int("last", 5).int("flags", 0));
    world.settle();
    assert_eq!([3, 4, 5, 6].map(|fd| world.name(fd).is_some()), [true, false, false, true]);
}

#[test]
fn fds_that_are_no_files() {
    let mut world = World::new();
    let binding = world.apply(
        made(E::SYSCALL_PIPE2_X).int("res", 0).int("fd1", 3).int("fd2", 4).int("ino", 42).int("flags", 4096),
    );
    assert_eq!(binding.fd, Some(4));
    let end = world.fd_of(100, 3).unwrap();
    assert_eq!((end.kind, end.ino, end.open_flags), (FdKind::Fifo, 42, 4096));
    for (ty, result, kind) in [
        (E::SYSCALL_EVENTFD2_X, "res", FdKind::Event),
        (E::SYSCALL_EVENTFD_X, "res", FdKind::Event),
        (E::SYSCALL_SIGNALFD4_X, "res", FdKind::Signal),
        (E::SYSCALL_TIMERFD_CREATE_X, "res", FdKind::Timer),
        (E::SYSCALL_INOTIFY_INIT1_X, "res", FdKind::Inotify),
        (E::SYSCALL_EPOLL_CREATE1_X, "res", FdKind::Eventpoll),
        (E::SYSCALL_USERFAULTFD_X, "res", FdKind::Userfault),
        (E::SYSCALL_IO_URING_SETUP_X, "res", FdKind::IoUring),
        (E::SYSCALL_MEMFD_CREATE_X, "fd", FdKind::Memfd),
    ] {
        let binding = world.apply(made(ty).int(result, 9));
        assert_eq!(binding.fd, Some(9), "{ty:?}");
        assert_eq!(world.fd_of(100, 9).map(|i| i.kind), Some(kind), "{ty:?}");
        assert_eq!(world.apply(made(ty).int(result, -1)).fd, None, "{ty:?}");
    }
    world.apply(made(E::SYSCALL_BPF_2_X).int("fd", 10).int("cmd", 5));
    assert_eq!(world.fd_of(100, 10).map(|i| i.kind), Some(FdKind::Bpf));
    world.apply(made(E::SYSCALL_BPF_2_X).int("fd", 0).int("cmd", 1));
    assert_eq!(world.name(0), None);
}

#[test]
fn fds_of_other_processes_can_be_copied() {
    let mut world = World::new();
    world.apply(clone(200));
    world.apply(open(7, "/theirs").by(200));
    world.apply(made(E::SYSCALL_PIDFD_OPEN_X).int("fd", 3).int("pid", 200));
    assert_eq!(world.name(3).as_deref(), Some("/proc/200"));
    world.apply(made(E::SYSCALL_PIDFD_GETFD_X).int("fd", 4).int("pid_fd", 3).int("target_fd", 7));
    assert_eq!(world.name(4).as_deref(), Some("/theirs"));
}

#[test]
fn a_full_table_is_counted() {
    let mut world = World::new();
    for fd in 0..crate::state::fd_table::MAX_FDS as i64 + 3 {
        world.open(fd, "/x");
    }
    assert_eq!(world.state().counts.fds_not_kept, 3);
}
