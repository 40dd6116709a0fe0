use super::super::thread::{NO_ID, ThreadFlags};
use super::*;
use EventType as E;

#[test]
fn a_life_from_clone_to_exit() {
    let mut world = World::new();
    world.open(3, "/kept");
    world.apply(open(4, "/closed on exec").int("flags", 4097));
    world.apply(clone(200));
    let child = world.thread(200);
    assert_eq!((child.pid, child.ptid, child.uid, child.gid), (200, 100, 7, 8));
    assert_eq!((child.cwd.as_slice(), &*child.args), (&b"/home/"[..], &b"-c\0x\0"[..]));
    assert!(child.fds.get(3).is_some());
    assert_eq!(child.clone_ts, world.ts);

    world.apply(exec("/bin/ls").by(200).int("pid", 200).text("env", "A=1").int("uid", 9));
    let child = world.thread(200);
    assert_eq!((child.comm.as_slice(), child.exepath.as_slice()), (&b"ls"[..], &b"/bin/ls"[..]));
    assert_eq!((child.uid, child.fds.len(), child.last_exec_ts), (9, 1, world.ts));
    assert!(world.thread(100).fds.get(4).is_some());

    let binding = world.apply(procexit(200));
    assert_eq!(binding.thread, world.state().find(200));
    assert!(world.thread(200).flags.contains(ThreadFlags::DEAD));
    world.settle();
    assert!(world.state().by_tid(200).is_none());
    assert!(world.state().children_of(100).next().is_none());
}

#[test]
fn threads_share_the_facts_of_their_process() {
    let mut world = World::new();
    world.apply(clone_thread(101));
    let thread = world.thread(101);
    assert_eq!((thread.pid, thread.ptid), (100, 1));
    assert_eq!(world.thread(100).live_threads, 2);
    world.apply(open(3, "x").by(101));
    assert_eq!(world.name(3).as_deref(), Some("/home/x"));
    world.apply(made(E::SYSCALL_CHDIR_X).by(101).int("res", 0).text("path", "/t"));
    assert_eq!(world.thread(100).cwd, "/t/");
    // Children of a thread are children of its process.
    world.apply(clone(200).by(101).int("vtid", 101));
    assert_eq!(world.thread(200).ptid, 100);
    assert!(world.fd_of(200, 3).is_some());

    world.apply(procexit(101));
    world.settle();
    assert!(world.state().by_tid(101).is_none());
    assert_eq!(world.thread(100).live_threads, 1);
}

#[test]
fn a_process_stays_until_its_last_thread_ends() {
    let mut world = World::new();
    world.apply(clone_thread(101));
    world.apply(procexit(100));
    world.settle();
    assert!(world.thread(100).flags.contains(ThreadFlags::DEAD));
    world.open(3, "/late");
    world.apply(procexit(101));
    assert!(world.state().by_tid(101).is_some());
    world.settle();
    assert!(world.state().by_tid(101).is_none() && world.state().by_tid(100).is_none());
}

#[test]
fn the_thread_that_executes_becomes_the_process() {
    let mut world = World::new();
    for tid in 101..104 {
        world.apply(clone_thread(tid));
    }
    // The kernel gives the thread that called execve the number of the process.
    world.apply(made(E::SYSCALL_EXECVE_19_E).by(102).text("filename", "/bin/x"));
    world.apply(exec("/bin/x"));
    assert_eq!(world.state().len(), 2);
    assert_eq!((world.thread(100).live_threads, world.thread(100).comm.as_slice()), (1, &b"x"[..]));
    world.apply(procexit(100));
    world.settle();
    assert!(world.state().by_tid(100).is_none());
}

#[test]
fn the_child_may_be_seen_first() {
    let mut world = World::new();
    world.open(3, "/a");
    let in_child = clone(0).by(200).int("pid", 200).int("ptid", 100).int("vtid", 200).int("vpid", 200);
    let binding = world.apply(in_child.clone());
    assert_eq!(binding.thread, world.state().find(200));
    assert_eq!(world.thread(200).ptid, 100);
    world.apply(exec("/bin/ls").by(200).int("pid", 200));
    world.apply(clone(200));
    assert_eq!(world.thread(200).comm, "ls", "the parent's event comes too late to make it anew");
    // And the other way round.
    world.apply(clone(300));
    world.apply(open(9, "/b").by(300));
    world.apply(in_child.by(300).int("pid", 300));
    assert!(world.fd_of(300, 9).is_some());
}

#[test]
fn a_child_that_ended_before_its_parent_returns_is_not_made_again() {
    let mut world = World::new();
    world.apply(made(E::SYSCALL_VFORK_20_E));
    world.apply(clone(0).by(200).int("pid", 200).int("ptid", 100).int("vtid", 200));
    world.apply(procexit(200));
    world.apply(clone(200));
    assert!(world.state().by_tid(200).is_none());
}

#[test]
fn a_number_that_was_not_seen_to_end_is_taken_over() {
    let mut world = World::new();
    world.apply(clone(200));
    world.apply(exec("/bin/old").by(200).int("pid", 200));
    world.apply(clone(200));
    assert_eq!(world.thread(200).comm, "sh");
}

#[test]
fn children_in_a_pid_namespace_make_themselves_known() {
    let mut world = World::new();
    world.apply(clone(2).int("flags", 64));
    assert!(world.state().by_tid(2).is_none());
    world.apply(clone(0).by(200).int("pid", 200).int("ptid", 100).int("vtid", 1).int("vpid", 1));
    let child = world.thread(200);
    assert_eq!((child.vtid, child.vpid, child.pid), (1, 1, 200));
    assert!(child.flags.contains(ThreadFlags::IN_PID_NS));
    assert_eq!(child.cwd, "/home/");
    // Its own children have other numbers than it is told.
    world.apply(clone(3).by(200).int("vtid", 1));
    assert!(world.state().by_tid(3).is_none());
}

#[test]
fn orphans_get_a_new_parent() {
    let mut world = World::new();
    world.apply(clone(200));
    world.apply(clone(300).by(200).int("vtid", 200));
    world.apply(clone(400).by(300).int("vtid", 300));
    world.apply(made(E::SYSCALL_PRCTL_X).by(200).int("res", 0).int("option", 36).int("arg2_int", 1));
    world.apply(procexit(300));
    assert_eq!(world.thread(400).ptid, 200, "the nearest subreaper");
    world.apply(procexit(200));
    assert_eq!(world.thread(400).ptid, 1);
    world.apply(clone(500).by(400).int("vtid", 400));
    world.apply(procexit(400).int("reaper_tid", 100));
    world.settle();
    assert_eq!(world.thread(500).ptid, 100, "as the kernel says");
    let parent = world.state().parent_of(world.thread(500)).map(|p| p.pid);
    assert_eq!(parent, Some(100));
}

#[test]
fn programs_of_old_captures_are_found_by_their_enter_event() {
    let mut world = World::new();
    world.apply(made(E::SYSCALL_EXECVE_18_E).text("filename", "bin/x"));
    world
        .apply(made(E::SYSCALL_EXECVE_18_X).int("res", 0).text("exe", "x").text("comm", "x").int("pid", 100));
    assert_eq!(world.thread(100).exepath, "/home/bin/x");
    world.open(5, "/opt");
    world.apply(made(E::SYSCALL_EXECVEAT_E).int("dirfd", 5).text("pathname", "y"));
    let binding = world.apply(exec("").text("comm", "y"));
    assert!(binding.latency.is_some());
    assert_eq!(world.thread(100).exepath, "/opt/y");
    world.apply(made(E::SYSCALL_EXECVE_8_X).int("res", 0).text("exe", "ancient").int("pid", 100));
    assert_eq!((world.thread(100).comm.as_slice(), world.thread(100).exepath.len()), (&b"ancient"[..], 0));
    world.apply(made(E::SYSCALL_EXECVE_14_X).int("res", 0).text("exe", "e").text("env", "A=b"));
    assert_eq!(&*world.thread(100).env, b"A=b\0");
    world.apply(exec("/bin/no").int("res", -2));
    assert_eq!(world.thread(100).comm, "e");
}

#[test]
fn clones_of_old_captures() {
    let mut world = World::new();
    let old = made(E::SYSCALL_CLONE_11_X).int("res", 200).text("exe", "a").int("uid", 3).int("gid", 4);
    world.apply(old);
    let child = world.thread(200);
    assert_eq!((child.comm.as_slice(), child.uid, child.gid, child.vtid), (&b"a"[..], 3, 4, 200));
    world.apply(made(E::SYSCALL_FORK_X).int("res", 201).text("exe", "b").int("uid", 5));
    assert_eq!((world.thread(201).comm.as_slice(), world.thread(201).uid), (&b"b"[..], 5));
    world.apply(made(E::SYSCALL_VFORK_17_X).int("res", 202).text("exe", "b").text("comm", "c").int("gid", 6));
    assert_eq!((world.thread(202).comm.as_slice(), world.thread(202).gid), (&b"c"[..], 6));
}

#[test]
fn ids_and_names_change() {
    let mut world = World::new();
    let uid = |world: &World| world.thread(100).uid;
    world.apply(made(E::SYSCALL_SETUID_X).int("res", 0).int("uid", 1));
    assert_eq!(uid(&world), 1);
    world.apply(made(E::SYSCALL_SETUID_X).int("res", -1).int("uid", 2));
    assert_eq!(uid(&world), 1);
    world.apply(made(E::SYSCALL_SETRESUID_X).int("res", 0).int("ruid", 5).int("euid", 3).int("suid", 5));
    assert_eq!(uid(&world), 3);
    world.apply(made(E::SYSCALL_SETREUID_X).int("res", 0).int("ruid", 5).int("euid", -1));
    assert_eq!(uid(&world), 3);
    world.apply(made(E::SYSCALL_SETGID_E).int("gid", 12));
    world.apply(made(E::SYSCALL_SETGID_X).int("res", 0).cut(1));
    assert_eq!(world.thread(100).gid, 12);
    let long = "a name of more than fifteen bytes";
    world.apply(made(E::SYSCALL_PRCTL_X).int("res", 0).int("option", 15).text("arg2_str", long));
    assert_eq!(world.thread(100).comm, "a name of more ");
    world.apply(made(E::SYSCALL_CAPSET_X).int("res", 0).int("cap_effective", 9));
    assert_eq!(world.thread(100).cap_effective, 9);
    world.apply(made(E::SYSCALL_UNSHARE_X).int("res", 0).int("flags", 0x10_0000));
    assert_eq!(world.thread(100).cap_effective.count_ones(), 41);
}

#[test]
fn sessions_and_groups() {
    let mut world = World::new();
    world.apply(made(E::SYSCALL_SETSID_X).int("res", 100));
    let leader = world.thread(100);
    assert_eq!((leader.sid, leader.pgid, leader.vpgid), (100, 100, 100));
    world.apply(clone(200));
    assert_eq!(world.thread(200).sid, 100);
    world.apply(made(E::SYSCALL_SETPGID_X).int("res", 0).int("pid", 200).int("pgid", 0));
    assert_eq!(world.thread(200).pgid, 200);
    world.apply(made(E::SYSCALL_SETPGID_X).by(200).int("res", 0).int("pid", 0).int("pgid", 100));
    assert_eq!(world.thread(200).vpgid, 100);
}

#[test]
fn limits_memory_and_time() {
    let mut world = World::new();
    world.apply(made(E::SYSCALL_SETRLIMIT_X).int("res", 0).int("resource", 7).int("cur", 64));
    assert_eq!(world.thread(100).fd_limit, 64);
    world.apply(made(E::SYSCALL_SETRLIMIT_X).int("res", 0).int("resource", 3).int("cur", 1));
    assert_eq!(world.thread(100).fd_limit, 64);
    world.apply(
        made(E::SYSCALL_PRLIMIT_X).int("res", 0).int("resource", 7).int("newcur", -1).int("oldcur", 9),
    );
    assert_eq!(world.thread(100).fd_limit, 9);
    world.apply(made(E::SYSCALL_BRK_4_X).int("res", 0).int("vm_size", 1).int("vm_rss", 2).int("vm_swap", 3));
    let own = world.thread(100);
    assert_eq!((own.vm_size, own.vm_rss, own.vm_swap), (1, 2, 3));
    world.apply(made(E::SCHEDSWITCH_6_E).by(1).int("next", 100));
    world.apply(made(E::SCHEDSWITCH_6_E).int("next", 1).int("pgft_min", 4));
    let own = world.thread(100);
    assert_eq!((own.exec_time, own.minor_faults), (1000, 4));
}

#[test]
fn unknown_threads_are_looked_up_once_and_then_made_up() {
    let mut world = World::new();
    world.known.push(Thread { comm: "found".into(), ..Thread::new(500, 500) });
    world.known.push(Thread { comm: "worker".into(), ..Thread::new(501, 500) });
    let read = |tid| made(E::SYSCALL_READ_X).by(tid).int("res", 0).int("fd", 0);
    world.apply(read(501));
    assert_eq!(world.looked_up, [501, 500]);
    assert_eq!(world.state().process_of(world.thread(501)).comm, "found");
    assert_eq!(world.thread(500).live_threads, 2);
    let binding = world.apply(read(600));
    world.apply(read(600));
    assert_eq!(world.looked_up, [501, 500, 600]);
    let made_up = world.state().thread(binding.thread.unwrap()).unwrap();
    assert!(made_up.flags.contains(ThreadFlags::UNKNOWN));
    assert_eq!((made_up.pid, made_up.uid), (600, NO_ID));
    assert_eq!((world.state().counts.threads_unknown, world.state().counts.proc_lookups), (1, 3));
    // Nobody asks about a thread that ends, or is taken off its CPU.
    assert_eq!(world.apply(procexit(700)).thread, None);
    assert_eq!(world.apply(made(E::SCHEDSWITCH_6_E).by(700)).thread, None);
    assert_eq!(world.looked_up.len(), 3);
}

#[test]
fn what_was_made_up_is_repaired_by_a_clone() {
    let mut world = World::new();
    world.apply(clone(700).by(600).text("comm", "known").int("ptid", 1).int("vtid", 600));
    assert_eq!(world.thread(600).comm, "known");
    assert!(!world.thread(600).flags.contains(ThreadFlags::UNKNOWN));
    assert_eq!(world.thread(700).ptid, 600);
}

#[test]
fn an_exec_tells_the_parent_of_a_process_that_was_not_known() {
    let mut world = World::new();
    world.apply(exec("/bin/x").by(600).int("pid", 600).int("ptid", 100));
    assert_eq!(world.thread(600).ptid, 100);
    assert!(world.state().children_of(100).eq([600]));
}

#[test]
fn a_full_table_makes_room_for_new_threads() {
    let mut world = World::with_limits(Limits { threads: 16, ..Limits::default() });
    for tid in 200..300 {
        world.apply(clone(tid));
        assert!(world.state().len() <= 16);
        assert!(world.state().by_tid(tid).is_some());
    }
    assert_eq!(world.state().counts.threads_evicted, 100 + 2 - 16);
    assert!(world.state().by_tid(100).is_some(), "it is in use");
}

#[test]
fn threads_that_are_gone_are_swept_after_a_while() {
    let mut world = World::new();
    world.apply(clone(200));
    world.apply(clone(300));
    let later = world.ts + 3_600_000_000_000;
    assert_eq!(world.inspector.sweep(world.ts, &mut |_| false), 0);
    assert_eq!(world.inspector.sweep(later, &mut |tid| tid != 200), 1);
    assert!(world.state().by_tid(200).is_none() && world.state().by_tid(300).is_some());
}

#[test]
fn users_that_are_not_wanted_are_not_kept() {
    let mut world = World::with_limits(Limits { users: false, ..Limits::default() });
    let added = made(E::USER_ADDED_E).by(-1).int("uid", 5).text("name", "eve");
    world.apply(added.clone());
    world.apply(added.text("container_id", "abc"));
    assert!(world.state().users.is_empty() && world.state().containers.is_empty());
}

#[test]
fn environments_that_an_event_has_no_room_for_are_looked_up_when_that_is_wanted() {
    let long = "A=".to_owned() + &"x".repeat(5000);
    for wanted in [false, true] {
        let mut world = World::new();
        world.inspector.state.machine.is_this = true;
        world.inspector.state.machine.large_environments = wanted;
        world.known.push(Thread { env: long.as_bytes().into(), ..Thread::new(100, 100) });
        world.apply(exec("/bin/a").text("env", "A=1"));
        assert_eq!(&*world.thread(100).env, b"A=1\0");
        world.apply(exec("/bin/a").text("env", &long[..4095]));
        assert_eq!(world.thread(100).env.len(), if wanted { long.len() } else { 4096 });
        assert_eq!(world.looked_up.len(), usize::from(wanted));
    }
}

#[test]
fn users_come_and_go() {
    let mut world = World::new();
    let added = made(E::USER_ADDED_E).by(-1).int("uid", 5).text("name", "eve").text("home", "/e");
    assert_eq!(world.apply(added.clone()).thread, None);
    assert_eq!(world.state().users.user_name(5).map(|n| n.to_string()).as_deref(), Some("eve"));
    world.apply(added.int("uid", 6).text("container_id", "abc"));
    assert!(world.state().users.user_name(6).is_none());
    let users = &world.state().containers.by_id(b"abc").unwrap().users;
    assert!(users.user_name(6).is_some() && users.user_name(5).is_none());
    world.apply(made(E::USER_DELETED_E).by(-1).int("uid", 5));
    assert!(world.state().users.user_name(5).is_none());
    world.apply(made(E::GROUP_ADDED_E).by(-1).int("gid", 5).text("name", "g"));
    assert!(world.state().users.group_name(5).is_some());
}

#[test]
fn order_of_insertion_does_not_matter_for_counts() {
    let mut state = State::default();
    state.insert(Thread::new(11, 10));
    state.insert(Thread::new(12, 10));
    state.insert(Thread::new(10, 10));
    state.insert(Thread::new(13, 10));
    state.insert(Thread::new(13, 10));
    assert_eq!(state.by_tid(10).map(|t| t.live_threads), Some(4));
    state.remove(10);
    state.remove(12);
    state.insert(Thread::new(10, 10));
    assert_eq!(state.by_tid(10).map(|t| t.live_threads), Some(3));
}
