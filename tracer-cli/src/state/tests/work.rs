//! The work that an event makes does not grow with what a file has put into the tables.
//!
//! Threads that are looked at are counted, not seconds.

use super::*;
use crate::schema::EventType as E;

/// Threads looked at by `story` of a size.
fn visited(story: &impl Fn(&mut World, i64), size: i64) -> u64 {
    let mut world = World::with_limits(Limits { threads: 4096, ..Limits::default() });
    story(&mut world, size);
    world.state().counts.threads_visited
}

/// Ten times as much of everything is at most ten times the work, and a little.
#[track_caller]
fn is_linear(story: impl Fn(&mut World, i64)) {
    let (few, many) = (visited(&story, 400), visited(&story, 4000));
    assert!(many <= 10 * few + 4096, "{few} threads for 400 events, {many} for 4000");
}

const FIRST: i64 = 1_000_000;

#[test]
fn main_threads_that_come_after_their_threads() {
    is_linear(|world, size| {
        for n in 0..size {
            world.inspector.state.insert(Thread::new(2 * FIRST + n, FIRST + n));
        }
        for n in 0..size {
            world.inspector.state.insert(Thread::new(FIRST + n, FIRST + n));
            assert_eq!(world.thread(FIRST + n).live_threads, 2);
        }
        assert_eq!(world.state().counts.threads_visited, 0);
    });
}

#[test]
fn children_of_one_parent_that_end_one_by_one() {
    is_linear(|world, size| {
        for n in 0..size {
            world.apply(clone(FIRST + n));
        }
        for n in 0..size {
            world.apply(procexit(FIRST + n));
        }
    });
}

#[test]
fn crowds_of_children_that_are_handed_from_reaper_to_reaper() {
    is_linear(|world, size| {
        for n in 0..size {
            world.inspector.state.insert(Thread { ptid: FIRST, ..Thread::new(2 * FIRST + n, 2 * FIRST + n) });
        }
        for n in 0..size {
            world.inspector.state.insert(Thread::new(FIRST + n, FIRST + n));
            world.inspector.state.insert(Thread::new(FIRST + n + 1, FIRST + n + 1));
            world.apply(procexit(FIRST + n).int("reaper_tid", FIRST + n + 1));
        }
    });
}

#[test]
fn programs_executed_by_processes_with_threads() {
    is_linear(|world, size| {
        for n in 0..size {
            world.inspector.state.insert(Thread::new(FIRST + n, FIRST + n));
            world.inspector.state.insert(Thread::new(2 * FIRST + n, FIRST + n));
        }
        for n in 0..size {
            world.apply(exec("/bin/x").by(FIRST + n).int("pid", FIRST + n));
            assert_eq!(world.thread(FIRST + n).live_threads, 1);
        }
    });
}

#[test]
fn children_of_a_process_with_many_fds() {
    let mut world = World::new();
    for fd in 0..4096 {
        world.open(fd, "/x");
    }
    let own = std::ptr::from_ref(world.fd_of(100, 7).unwrap());
    for child in FIRST..FIRST + 100 {
        world.apply(clone(child));
        world.open(5, "/y");
        assert!(std::ptr::eq(own, world.fd_of(child, 7).unwrap()), "what nobody changed is there once");
    }
}

#[test]
fn a_full_table_in_which_main_threads_end() {
    is_linear(|world, size| {
        for n in 0..2048 {
            world.inspector.state.insert(Thread::new(FIRST + n, FIRST + n));
            world.inspector.state.insert(Thread::new(2 * FIRST + n, FIRST + n));
        }
        for n in 0..size {
            world.apply(procexit(FIRST + n % 2048));
            world.apply(made(E::SYSCALL_READ_X).by(3 * FIRST + n));
        }
    });
}
