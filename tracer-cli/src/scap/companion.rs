//! Companions: what older readers are told besides, so that they know which fds there are.
//!
//! sysdig 0.29.3 leaves out events of types that came after it: after `dup2`, `pipe2` or `accept4` it would show the
//! fd of a call without a name, or with that of another file. So such an event is followed by its companion, the pair
//! of the older types that says the same. Companions are for the state only: no reader shows them, newer ones apply
//! the same thing twice. A private flag tells them from other hidden events; tracer leaves them out.

use super::write_event;
use crate::event::{Event, EventBits, read_u64};
use crate::schema::EventType;

/// What a parameter of a companion is.
enum Part {
    /// The parameter of this number of the event.
    Param(usize),
    /// Always the same.
    Fixed(&'static [u8]),
}
use Part::{Fixed, Param};

/// The events that say in older words what one of a newer type says.
struct Companion {
    enter: EventType,
    begin: &'static [Part],
    exit: EventType,
    end: &'static [Part],
}

/// No user and no group.
const NOBODY: &[u8] = &[0xff; 4];

/// The row of a type.
const fn companion(ty: EventType) -> Option<Companion> {
    const DUP: Companion = Companion {
        enter: EventType::SYSCALL_DUP_E,
        begin: &[Param(1)],
        exit: EventType::SYSCALL_DUP_X,
        end: &[Param(0)],
    };
    Some(match ty {
        EventType::SYSCALL_DUP2_X | EventType::SYSCALL_DUP3_X | EventType::SYSCALL_DUP_1_X => DUP,
        EventType::SYSCALL_PIPE2_X => Companion {
            enter: EventType::SYSCALL_PIPE_E,
            begin: &[],
            exit: EventType::SYSCALL_PIPE_X,
            end: &[Param(0), Param(1), Param(2), Param(3)],
        },
        EventType::SOCKET_ACCEPT4_6_X => Companion {
            enter: EventType::SOCKET_ACCEPT4_5_E,
            begin: &[Param(5)],
            exit: EventType::SOCKET_ACCEPT4_5_X,
            end: &[Param(0), Param(1), Param(2), Param(3), Param(4)],
        },
        EventType::SYSCALL_EVENTFD2_X => Companion {
            enter: EventType::SYSCALL_EVENTFD_E,
            begin: &[Param(2), Fixed(&[0; 4])],
            exit: EventType::SYSCALL_EVENTFD_X,
            end: &[Param(0), Param(2), Fixed(&[0; 4])],
        },
        EventType::SYSCALL_SIGNALFD4_X => Companion {
            enter: EventType::SYSCALL_SIGNALFD_E,
            begin: &[Param(2), Param(3), Fixed(&[0])],
            exit: EventType::SYSCALL_SIGNALFD_X,
            end: &[Param(0), Param(2), Param(3), Fixed(&[0])],
        },
        EventType::SYSCALL_INOTIFY_INIT1_X => Companion {
            enter: EventType::SYSCALL_INOTIFY_INIT_E,
            begin: &[Fixed(&[0])],
            exit: EventType::SYSCALL_INOTIFY_INIT_X,
            end: &[Param(0), Fixed(&[0])],
        },
        EventType::SYSCALL_SETREUID_X => Companion {
            enter: EventType::SYSCALL_SETRESUID_E,
            begin: &[Param(1), Param(2), Fixed(NOBODY)],
            exit: EventType::SYSCALL_SETRESUID_X,
            end: &[Param(0), Param(1), Param(2), Fixed(NOBODY)],
        },
        EventType::SYSCALL_SETREGID_X => Companion {
            enter: EventType::SYSCALL_SETRESGID_E,
            begin: &[Param(1), Param(2), Fixed(NOBODY)],
            exit: EventType::SYSCALL_SETRESGID_X,
            end: &[Param(0), Param(1), Param(2), Fixed(NOBODY)],
        },
        _ => return None,
    })
}

/// Appends the blocks of the companion of an event, if it needs one.
#[inline]
pub(super) fn append(out: &mut Vec<u8>, event: &Event<'_>) {
    if event.ty >= EventType::FIRST_AFTER_0_29 && event.ty.is_exit() {
        append_newer(out, event);
    }
}

#[cold]
fn append_newer(out: &mut Vec<u8>, event: &Event<'_>) {
    let Some(Companion { enter, begin, exit, end }) = companion(event.ty) else { return };
    // A call that failed changed nothing.
    let result = event.params.get(0).and_then(read_u64);
    if result.is_none_or(|result| result.cast_signed() < 0) {
        return;
    }
    let mut params: [&[u8]; LONGEST] = [&[]; LONGEST];
    for (ty, parts) in [(enter, begin), (exit, end)] {
        for (to, part) in params.iter_mut().zip(parts) {
            *to = match part {
                Param(i) => event.params.get(*i).unwrap_or_default(),
                Fixed(bytes) => bytes,
            };
        }
        let params = params.get(..parts.len()).unwrap_or(&params).into();
        let event = Event { ty, params, bits: EventBits::empty(), unreadable: 0, ..*event };
        write_event::append_flagged(out, &event, write_event::STATE_ONLY | write_event::COMPANION);
    }
}

/// Parameters of the longest companion.
const LONGEST: usize = 5;

#[cfg(test)]
mod tests {
    use super::super::block::Kind;
    use super::super::event_block;
    use super::*;
    use crate::row::Head;
    use crate::schema::tables::EVENTS;

    /// The blocks in `out`: type and parameters as an older reader finds them, and whether tracer leaves them out.
    fn blocks(mut out: &[u8]) -> Vec<(EventType, Vec<Vec<u8>>, bool)> {
        let mut found = Vec::new();
        while !out.is_empty() {
            let u32_at = |at: usize| u32::from_le_bytes(*out[at..].first_chunk().unwrap());
            let Kind::Event(kind) = Kind::of(u32_at(0)) else { panic!("no event") };
            let (block, rest) = out.split_at(u32_at(4) as usize);
            let mut body = block[8..block.len() - 4].to_vec();
            assert!(kind.flags);
            let is_companion = event_block::is_companion(&body, kind);
            assert_eq!(Head::read(&body, kind), Ok(None));
            // What others see of the flags.
            body[2..6].copy_from_slice(&1_u32.to_le_bytes());
            let parsed = Head::read(&body, kind).unwrap().unwrap();
            assert!(parsed.bits.contains(EventBits::STATE_ONLY));
            assert_eq!((parsed.ts, parsed.tid), (77, 5));
            let params: Vec<&[u8]> = parsed.params(&body).iter().collect();
            found.push((parsed.ty, params.into_iter().map(<[u8]>::to_vec).collect(), is_companion));
            out = rest;
        }
        found
    }

    fn event<'a>(ty: EventType, params: &'a [&'a [u8]]) -> Event<'a> {
        Event { num: 9, ts: 77, tid: 5, pid: 5, cpu: 1, ..Event::sample(ty, params) }
    }

    #[test]
    fn older_readers_are_told_of_new_fds() {
        let (seven, three) = (7_i64.to_le_bytes(), 3_i64.to_le_bytes());
        let mut out = Vec::new();
        append(&mut out, &event(EventType::SYSCALL_DUP2_X, &[&seven, &three, &seven]));
        assert_eq!(
            blocks(&out),
            [
                (EventType::SYSCALL_DUP_E, vec![three.to_vec()], true),
                (EventType::SYSCALL_DUP_X, vec![seven.to_vec()], true),
            ]
        );
    }

    #[test]
    fn calls_that_failed_and_older_types_have_none() {
        let (failed, three) = ((-9_i64).to_le_bytes(), 3_i64.to_le_bytes());
        let mut out = Vec::new();
        append(&mut out, &event(EventType::SYSCALL_DUP2_X, &[&failed, &three, &three]));
        append(&mut out, &event(EventType::SYSCALL_DUP2_X, &[]));
        append(&mut out, &event(EventType::SYSCALL_DUP2_E, &[&three]));
        append(&mut out, &event(EventType::SYSCALL_CLOSE_X, &[&three, &three]));
        append(&mut out, &event(EventType::SYSCALL_NEWFSTATAT_X, &[&three, &three]));
        assert!(out.is_empty());
    }

    /// The parts are of the types that the schema has for them.
    #[test]
    fn companions_fit_the_schema() {
        for ty in (0..EVENTS.len() as u16).map(EventType) {
            let Some(companion) = companion(ty) else { continue };
            assert!(ty >= EventType::FIRST_AFTER_0_29 && ty.is_exit());
            for (told, parts) in [(companion.enter, companion.begin), (companion.exit, companion.end)] {
                let (info, source) = (told.info().unwrap(), ty.info().unwrap());
                assert!(told < EventType::FIRST_AFTER_0_29 && parts.len() <= LONGEST);
                assert_eq!(info.params.len(), parts.len(), "{told:?}");
                for (param, part) in info.params.iter().zip(parts) {
                    if let Param(i) = part {
                        let is_id =
                            |ty| matches!(ty, crate::schema::ParamType::Uid | crate::schema::ParamType::Gid);
                        let from = source.params[*i].ty;
                        assert!(
                            from == param.ty || is_id(from) && is_id(param.ty),
                            "{told:?} {}",
                            param.name
                        );
                    }
                }
            }
        }
    }
}
