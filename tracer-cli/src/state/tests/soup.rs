//! Whatever a damaged capture or a hostile program brings, the inspector goes on.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// A parameter: random bytes, or a number as likely ones are.
fn param() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        (-3i64..12).prop_map(|n| n.to_le_bytes().to_vec()),
        (-3i32..12).prop_map(|n| n.to_le_bytes().to_vec()),
        any::<u64>().prop_map(|n| n.to_le_bytes().to_vec()),
        Just(b"/a/../b/\0".to_vec()),
        vec(any::<u8>(), 0..48),
    ]
}

fn event() -> impl Strategy<Value = Made> {
    (0u16..460, -2i64..12, vec(param(), 0..33)).prop_map(|(ty, tid, params)| Made {
        ty: EventType(ty),
        tid,
        params,
    })
}

proptest! {
    #[test]
    fn any_events_are_survived(events in vec(event(), 1..300)) {
        let mut world = World::with_limits(Limits { threads: 8, ..Limits::default() });
        for event in events {
            // Notes about containers have a thread of their own, number -1.
            let is_note = event.ty.info().is_some_and(|info| info.name == "container");
            let tid = event.tid;
            let binding = world.apply(event);
            let state = world.state();
            if let Some(key) = binding.thread {
                let of_thread = state.thread(key).map(|t| t.tid);
                prop_assert!(of_thread == Some(tid) || is_note && of_thread == Some(-1));
            }
            prop_assert!(binding.fd.is_none_or(|fd| fd >= 0));
            prop_assert!(state.threads().all(|t| state.by_tid(t.tid).is_some()));
            // A process that is looked up with its thread may exceed the limit for a moment.
            prop_assert!(state.len() <= 9);
            for main in state.threads().filter(|t| t.is_main()) {
                let alive = |t: &&Thread| !t.flags.contains(crate::state::thread::ThreadFlags::DEAD);
                let live = state.threads().filter(|t| t.pid == main.pid).filter(alive).count();
                prop_assert_eq!(main.live_threads as usize, live, "of {}", main.tid);
            }
        }
    }
}
