//! Notes about containers.
//!
//! They come from the recorder, not from a thread. Readers of captures expect a name all the same,
//! so such an event has a thread of its own, called after the container.

use super::thread::Thread;
use super::{State, ThreadKey};
use crate::event::Event;
use crate::schema::EventType;
use bstr::BString;

/// Makes the thread of a note about a container; `None` when the note does not name one.
pub(super) fn note(state: &mut State, event: &Event<'_>) -> Option<ThreadKey> {
    let id = match event.ty {
        EventType::CONTAINER_E => BString::from(event.text(0)?),
        _ => id_in(event.text(0)?)?,
    };
    let mut comm = BString::from("container:");
    comm.extend_from_slice(&id);
    Some(state.set_stand_in(Thread { comm, ..Thread::new(event.tid, event.tid) }))
}

/// The id in `{"container": {"id": …}}`.
fn id_in(json: &[u8]) -> Option<BString> {
    #[derive(serde::Deserialize)]
    struct Note {
        container: Container,
    }
    #[derive(serde::Deserialize)]
    struct Container {
        id: String,
    }
    serde_json::from_slice::<Note>(json).ok().map(|note| note.container.id.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_among_other_things() {
        assert_eq!(id_in(br#"{"container":{"Mounts":[],"id":"e7a8","name":""}}"#), Some("e7a8".into()));
        assert_eq!(id_in(br#"{"container":{"name":"x"}}"#), None);
        assert_eq!(id_in(b"{"), None);
    }
}
