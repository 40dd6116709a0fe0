//! The container of a process whose control groups do not tell.
//!
//! Engines that a user runs without rights may have no control groups to make: podman on machines with version 1, or
//! without systemd. Then two witnesses are left: the process has a pid namespace of its own, and among its ancestors is
//! the program that an engine leaves behind to wait for a container, whose arguments name it.

use super::State;
use super::cgroup_id::{ContainerType, Found, is_hex_id};
use super::containers::Place;
use super::thread::{Thread, ThreadFlags};

/// A program that waits for one container.
struct Monitor {
    /// Its `comm`.
    name: &'static str,
    kind: ContainerType,
    /// Options before the id, or joined to it with `=`.
    options: &'static [&'static str],
    /// Whether the id is one of 64 digits, or any name.
    is_hex: bool,
}

static MONITORS: &[Monitor] = &[
    Monitor { name: "conmon", kind: ContainerType::Podman, options: &["-c", "--cid"], is_hex: true },
    Monitor {
        name: "systemd-nspawn",
        kind: ContainerType::Nspawn,
        options: &["-M", "--machine"],
        is_hex: false,
    },
];

/// Most ancestors that are looked at.
const DEPTH: usize = 64;

/// What a monitor says of the container that it waits for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Testimony {
    pub found: Found,
    /// The user who runs the engine; `None` for the system's.
    pub owner: Option<u32>,
}

impl Monitor {
    /// The container that these arguments, each with a final NUL, are about.
    fn id_in<'a>(&self, arguments: &'a [u8]) -> Option<&'a [u8]> {
        let mut left = arguments.split(|b| *b == 0);
        let id = loop {
            let argument = left.next()?;
            let value = self.options.iter().find_map(|option| argument.strip_prefix(option.as_bytes()));
            match value {
                Some([]) => break left.next()?,
                Some([b'=', value @ ..]) => break value,
                _ => {}
            }
        };
        let fits = if self.is_hex { is_hex_id(id) } else { !id.is_empty() && !id.contains(&b'/') };
        fits.then_some(id)
    }
}

/// The container that an ancestor of the thread waits for.
pub(super) fn testimony(state: &State, thread: &Thread) -> Option<Testimony> {
    if !thread.flags.contains(ThreadFlags::IN_PID_NS) {
        return None;
    }
    let mut ancestor = state.parent_of(thread)?;
    for _ in 0..DEPTH {
        let monitor = MONITORS.iter().find(|monitor| ancestor.comm == monitor.name);
        if let Some(monitor) = monitor
            && let Some(id) = monitor.id_in(&ancestor.args)
        {
            let found = Found { kind: monitor.kind, full_id: id.into() };
            return Some(Testimony { found, owner: Some(ancestor.uid).filter(|uid| *uid != 0) });
        }
        ancestor = state.parent_of(ancestor)?;
    }
    None
}

impl State {
    /// Finds the containers of threads that came before their ancestors, in a list of processes.
    pub fn hear_monitors(&mut self) {
        let is_open = |t: &&Thread| t.place == Place::Host && t.flags.contains(ThreadFlags::IN_PID_NS);
        let tids: Vec<i64> = self.threads().filter(is_open).map(|thread| thread.tid).collect();
        for key in tids.into_iter().filter_map(|tid| self.find(tid)).collect::<Vec<_>>() {
            self.find_place(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "697956520d891b5cb0e215093970c733549a3f745f52263c05b37f8a488994f3";

    fn process(tid: i64, parent: i64, comm: &str, arguments: &str, vtid: i64) -> Thread {
        let mut thread = Thread::new(tid, tid);
        thread.ptid = parent;
        thread.comm = comm.into();
        thread.args = arguments.replace("ID", ID).replace(' ', "\0").into_bytes().into();
        (thread.vtid, thread.vpid) = (vtid, vtid);
        thread.flags.set(ThreadFlags::IN_PID_NS, vtid != tid);
        thread
    }

    fn container(state: &State, tid: i64) -> Option<(ContainerType, String)> {
        let container = state.container_of(state.by_tid(tid)?)?;
        Some((container.kind, container.id.to_string()))
    }

    #[test]
    fn the_program_that_waits_for_a_container_tells_of_it() {
        let mut state = State::default();
        state.insert(process(10, 1, "conmon", "--api-version 1 -c ID -u ID ", 10));
        state.insert(process(11, 10, "sh", "", 1));
        state.insert(process(12, 11, "cat", "", 2));
        assert_eq!(container(&state, 12), Some((ContainerType::Podman, ID[..12].to_owned())));
        assert_eq!(container(&state, 10), None, "the monitor itself");
        state.insert(process(20, 1, "systemd-nspawn", "-q --machine=shop ", 20));
        state.insert(process(21, 20, "sh", "", 1));
        assert_eq!(container(&state, 21), Some((ContainerType::Nspawn, "shop".to_owned())));
    }

    #[test]
    fn what_proves_nothing() {
        let mut state = State::default();
        state.insert(process(10, 1, "conmon", "-c short ", 10));
        state.insert(process(11, 10, "sh", "", 1));
        state.insert(process(20, 1, "conmon", "-c ID ", 20));
        state.insert(process(21, 20, "sh", "", 21));
        state.insert(process(30, 1, "bash", "-c ID ", 30));
        state.insert(process(31, 30, "sh", "", 1));
        for tid in [11, 21, 31] {
            assert_eq!(container(&state, tid), None, "{tid}");
        }
    }

    #[test]
    fn ancestors_may_come_later() {
        let mut state = State::default();
        state.insert(process(11, 10, "sh", "", 1));
        assert_eq!(container(&state, 11), None);
        state.insert(process(10, 1, "conmon", "--cid=ID ", 10));
        state.hear_monitors();
        assert_eq!(container(&state, 11).map(|found| found.0), Some(ContainerType::Podman));
    }

    #[test]
    fn circles_of_parents_end() {
        let mut state = State::default();
        state.insert(process(10, 11, "a", "", 1));
        state.insert(process(11, 10, "b", "", 2));
        assert_eq!(container(&state, 11), None);
    }
}
