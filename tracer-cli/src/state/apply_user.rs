//! Notes about users and groups.

use super::State;
use super::cgroup_id::ContainerType;
use super::users::{User, Users};
use crate::event::Event;

/// What recorders call users and groups that have no name.
const NO_NAME: &[u8] = b"<NA>";

/// The users of the host, or those of a container: they have numbers of their own.
fn users_of<'a>(state: &'a mut State, container: Option<&[u8]>) -> Option<&'a mut Users> {
    match container.filter(|id| !id.is_empty()) {
        None => Some(&mut state.users),
        Some(id) => {
            let key = state.containers.meet(ContainerType::Unknown, id);
            state.containers.get_mut(key).map(|container| &mut container.users)
        }
    }
}

/// A user was added or deleted.
pub(super) fn user(state: &mut State, event: &Event<'_>, added: bool) {
    let Some(users) = users_of(state, event.text(5)) else { return };
    let Some(uid) = event.u64(0).and_then(|uid| u32::try_from(uid).ok()) else { return };
    if !added {
        users.users.remove(&uid);
        return;
    }
    let text = |i: usize| event.text(i).unwrap_or(NO_NAME).into();
    let gid = event.u64(1).unwrap_or(0) as u32;
    users.users.insert(uid, User { gid, name: text(2), home: text(3), shell: text(4) });
}

/// A group was added or deleted.
pub(super) fn group(state: &mut State, event: &Event<'_>, added: bool) {
    let Some(users) = users_of(state, event.text(2)) else { return };
    let Some(gid) = event.u64(0).and_then(|gid| u32::try_from(gid).ok()) else { return };
    if added {
        users.groups.insert(gid, event.text(1).unwrap_or(NO_NAME).into());
    } else {
        users.groups.remove(&gid);
    }
}
