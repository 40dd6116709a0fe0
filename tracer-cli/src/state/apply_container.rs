//! Notes about containers.
//!
//! They come from the recorder, not from a thread. Readers of captures expect a name all the same,
//! so such an event has a thread of its own: number -1, called after the container and inside it.

use super::container_note;
use super::containers::Place;
use super::thread::Thread;
use super::{State, ThreadKey};
use crate::event::Event;
use crate::schema::EventType;
use bstr::BString;

/// Takes over what a note says of a container and makes its thread; `None` when it is about none.
pub(super) fn note(state: &mut State, event: &Event<'_>) -> Option<ThreadKey> {
    let container = match event.ty {
        EventType::CONTAINER_E => container_note::from_params(event)?,
        EventType::ASYNCEVENT_E => {
            state.containers.learn(container_note::from_plugin(event)?);
            return None;
        }
        _ => container_note::from_json(event.text(0)?)?,
    };
    let mut comm = BString::from("container:");
    comm.extend_from_slice(&container.id);
    let place = Place::In(state.containers.learn(container));
    let (vtid, vpid) = (-2, -2);
    let of_root = Thread { uid: 0, gid: 0, loginuid: 0, ptid: 0, live_threads: 1, ..Thread::new(-1, -1) };
    Some(state.set_stand_in(Thread { comm, place, vtid, vpid, ..of_root }))
}
