//! One state out of two.

use super::State;
use super::containers::Place;
use super::thread::Thread;

impl State {
    /// Adds what `other` knows and this state does not: threads whose numbers nobody has, users, containers and
    /// interfaces.
    pub fn unite(&mut self, other: &State) {
        for container in other.containers.iter() {
            if self.containers.by_id(&container.id).is_none() {
                self.containers.learn(container.clone());
            }
        }
        for (uid, user) in &other.users.users {
            self.users.users.entry(*uid).or_insert_with(|| user.clone());
        }
        for (gid, name) in &other.users.groups {
            self.users.groups.entry(*gid).or_insert_with(|| name.clone());
        }
        for interface in &other.interfaces {
            if !self.interfaces.contains(interface) {
                self.interfaces.push(interface.clone());
            }
        }
        for thread in other.threads() {
            if self.find(thread.tid).is_some() {
                continue;
            }
            let place = match other.container_of(thread) {
                None => Place::Host,
                Some(container) => Place::In(self.containers.meet(container.kind, &container.id)),
            };
            self.insert(Thread { place, ..thread.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_stays_and_what_was_not_is_added() {
        let named = |tid, name: &str| Thread { comm: name.into(), ..Thread::unknown(tid, tid) };
        let (mut state, mut other) = (State::default(), State::default());
        state.insert(named(1, "first"));
        other.insert(named(1, "second"));
        other.insert(named(2, "third"));
        other.users.groups.insert(7, "group".into());
        state.unite(&other);
        let name = |tid| state.by_tid(tid).map(|thread| thread.comm.to_string());
        assert_eq!([name(1), name(2)], [Some("first".to_owned()), Some("third".to_owned())]);
        assert_eq!(state.users.group_name(7).map(ToString::to_string), Some("group".to_owned()));
    }
}
