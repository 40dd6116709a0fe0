//! What the functions that chisels call may look at: the event and the state of the moment.
//!
//! Lua's functions live as long as the Lua state; events and state are borrowed for one step of the
//! pipeline. So the way to them is set when a callback is called and taken back when it returns.

use super::requests::Requests;
use crate::fields::Extraction;
use crate::state::State;
use std::cell::Cell;
use std::ptr;

#[derive(Clone, Copy)]
struct Current {
    state: *const State,
    extraction: *const Extraction<'static>,
    requests: *const Requests,
}

const NOTHING: Current = Current { state: ptr::null(), extraction: ptr::null(), requests: ptr::null() };

thread_local! {
    static CURRENT: Cell<Current> = const { Cell::new(NOTHING) };
}

/// Takes the way back, also when the call panics.
struct Restore(Current);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Runs `call` with the event open to the chisel's functions, and the state it belongs to.
#[inline]
pub fn during_event<R>(requests: &Requests, from: &Extraction<'_>, call: impl FnOnce() -> R) -> R {
    let _restore = Restore(CURRENT.replace(Current {
        state: from.context.state,
        extraction: ptr::from_ref(from).cast(),
        requests,
    }));
    call()
}

/// Runs `call` with the state open to the chisel's functions.
pub fn during_state<R>(requests: &Requests, state: &State, call: impl FnOnce() -> R) -> R {
    let _restore = Restore(CURRENT.replace(Current { state, extraction: ptr::null(), requests }));
    call()
}

/// Shows the event of the moment to `look`, which gets `None` outside of events.
#[inline]
pub fn event<R>(look: impl FnOnce(Option<(&Extraction<'_>, &Requests)>) -> R) -> R {
    let current = CURRENT.get();
    // SAFETY: the pointers are those of references that live until `during_event` takes them back,
    // which is after this function returns: both run on this thread.
    unsafe { look(current.extraction.as_ref().zip(current.requests.as_ref())) }
}

/// Shows the state of the moment to `look`, which gets `None` before there is one.
pub fn state<R>(look: impl FnOnce(Option<&State>) -> R) -> R {
    // SAFETY: as in `event`.
    unsafe { look(CURRENT.get().state.as_ref()) }
}
