//! What a filter announces holds for whatever events come: fed through the inspector, no event
//! matches that was not announced.

use crate::event::{Event, EventBits};
use crate::fields::{self, Arg, ExtractOptions, FieldFlags};
use crate::filter::Filter;
use crate::filter::pushdown::can_have_fd;
use crate::schema::{Class, EventType, ParamType};
use crate::state::Context;
use crate::state::inspector::Inspector;
use crate::state::thread::Thread;
use proptest::prelude::*;

/// A check for each field that is true as often as the field has a value, and for truths one each
/// for true and false.
fn filters() -> Vec<Filter> {
    let mut texts = Vec::new();
    for field in fields::all().filter(|f| !f.flags.contains(FieldFlags::PRINT_ONLY) && f.name != "evt.around")
    {
        let argument = match field.name {
            "evt.arg" | "evt.rawarg" => ".fd",
            "evt.type.is" => ".open",
            _ if field.arg == Arg::Required => "[0]",
            _ => "",
        };
        texts.push(format!("{}{argument} exists", field.name));
        if field.name == "evt.latency" {
            texts.push("evt.latency > 0".to_owned());
        }
        if field.ty == ParamType::Bool {
            texts.push(format!("{} = true", field.name));
            texts.push(format!("{} != true", field.name));
        }
    }
    texts.iter().map(|text| Filter::compile(text).unwrap_or_else(|e| panic!("{}", e.render(text)))).collect()
}

/// Bytes that may pass for a parameter of the type.
fn param(ty: ParamType, pick: u8, raw: &[u8]) -> Vec<u8> {
    let small = i64::from(pick % 5);
    match ty {
        _ if pick > 240 => raw.to_vec(),
        ParamType::Charbuf | ParamType::Fspath | ParamType::Fsrelpath => b"/tmp/x\0".to_vec(),
        ParamType::Int8 | ParamType::Uint8 | ParamType::Flags8 | ParamType::Enumflags8 => vec![pick % 5],
        ParamType::Int16 | ParamType::Uint16 | ParamType::Flags16 | ParamType::SyscallId => vec![pick % 5, 0],
        ParamType::Int32 | ParamType::Uint32 | ParamType::Flags32 | ParamType::Uid | ParamType::Gid => {
            (small as i32).to_le_bytes().to_vec()
        }
        ParamType::Int64 | ParamType::Uint64 | ParamType::Errno | ParamType::Fd | ParamType::Pid => {
            (small - i64::from(pick > 200) * 9).to_le_bytes().to_vec()
        }
        _ => raw.to_vec(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_event_matches_that_was_not_announced(
        events in prop::collection::vec((0..456u16, any::<bool>(), any::<[u8; 32]>(), prop::collection::vec(any::<u8>(), 0..20)), 1..40)
    ) {
        let mut filters = filters();
        let mut inspector = Inspector::default();
        let options = ExtractOptions::default();
        for (num, (code, pairs, picks, raw)) in events.iter().enumerate() {
            let types = [EventType(*code).enter(), EventType(*code).exit()];
            for ty in types.into_iter().skip(usize::from(!pairs)) {
                let rows = ty.info().map_or(&[][..], |info| info.params);
                let params: Vec<_> = rows.iter().zip(picks).map(|(p, pick)| param(p.ty, *pick, raw)).collect();
                let params: Vec<&[u8]> = params.iter().map(Vec::as_slice).collect();
                let event = Event {
                    num: num as u64,
                    ts: num as u64 * 1000,
                    tid: 2,
                    pid: 2,
                    cpu: 0,
                    ty,
                    bits: EventBits::empty(),
                    unreadable: 0,
                    params: (&params).into(),
                };
                let binding = inspector.apply(&event, &mut |tid| Some(Box::new(Thread::new(tid, tid))));
                prop_assert!(binding.fd.is_none() || can_have_fd(ty), "{:?} is about an fd", ty);
                let context = Context { event: &event, state: &inspector.state, binding: &binding };
                for filter in &mut filters {
                    if filter.matches(context, &options) {
                        prop_assert!(filter.event_types().contains(&event), "{} on {:?}", filter.source(), ty);
                        let entered = ty.is_enter() && event.info().class == Class::Syscall;
                        prop_assert!(!entered || filter.needs_enter(), "{} on {:?}", filter.source(), ty);
                    }
                }
            }
        }
    }
}

#[test]
fn what_the_type_alone_decides() {
    use EventType as E;
    let types = [E::SYSCALL_READ_X, E::SYSCALL_OPEN_X, E::ASYNCEVENT_E];
    let (yes, no) = (Some(true), Some(false));
    for (text, expected) in [
        ("evt.dir=<", [yes, yes, no]),
        ("evt.type=open", [no, yes, None]),
        ("not evt.type=fstatfs", [yes, yes, None]),
        ("evt.type=open and proc.name=a", [no, None, None]),
        ("evt.type=open or proc.name=a", [None, yes, None]),
        ("proc.name=a", [None; 3]),
    ] {
        let filter = Filter::compile(text).unwrap_or_else(|e| panic!("{}", e.render(text)));
        assert_eq!(types.map(|ty| filter.decided_by_kind(&Event::sample(ty, &[]))), expected, "{text}");
    }
}

#[test]
fn a_call_that_begins_has_no_latency_yet() {
    let begin = Event::sample(EventType::SYSCALL_READ_E, &[]);
    let end = Event::sample(EventType::SYSCALL_READ_X, &[]);
    for (text, expected) in [
        ("evt.latency>0", Some(false)),
        ("evt.latency.s>=1 and evt.type!=switch", Some(false)),
        ("evt.latency=0", Some(true)),
        ("not evt.latency>5", Some(true)),
        ("evt.latency=0 and proc.name=a", None),
    ] {
        let filter = Filter::compile(text).unwrap_or_else(|e| panic!("{}", e.render(text)));
        assert_eq!(
            (filter.decided_by_kind(&begin), filter.decided_by_kind(&end)),
            (expected, None),
            "{text}"
        );
    }
}
