//! The columns of the default line, written straight into it.
//!
//! Extraction hands a value to a closure, which prints it; text that is made up for it is built in
//! scratch memory and copied. For the few fields that nearly every line has, that detour is a good
//! part of the time a line takes. The test below keeps both ways the same.

use super::evt_args::write_info;
use super::evt_time::write_output_time;
use super::table::Extraction;
use super::write::{write_signed, write_unsigned};

/// Appends the value of a field that every event has.
pub type Straight = fn(&mut Vec<u8>, &Extraction<'_>);

/// The straight way of a field without argument, when it has one.
pub fn straight(name: &str) -> Option<Straight> {
    Some(match name {
        "evt.num" => |out, x| write_unsigned(out, x.context.event.num),
        "evt.outputtime" => write_output_time,
        "evt.cpu" => |out, x| write_unsigned(out, u64::from(x.context.event.cpu)),
        "thread.tid" => |out, x| write_signed(out, x.context.event.tid),
        "evt.dir" => |out, x| out.push(if x.context.event.ty.is_exit() { b'<' } else { b'>' }),
        "evt.info" => write_info,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventBits};
    use crate::fields::{ExtractOptions, find, write::write_value};
    use crate::schema::tables;
    use crate::state::{Binding, Context, State};

    #[test]
    fn the_straight_way_leads_to_the_same_text() {
        let (state, binding, options) = (State::default(), Binding::default(), ExtractOptions::default());
        let params = [&[1, 0, 0, 0, 0, 0, 0, 0][..], b"<12>text\x1b\0", b"", &[7, 0, 0, 0]];
        for name in ["evt.num", "evt.outputtime", "evt.cpu", "thread.tid", "evt.dir", "evt.info"] {
            let field = find(name).unwrap();
            for info in tables::EVENTS {
                let event = Event {
                    num: 9_876_543_210,
                    ts: 1_700_000_000_000_000_007,
                    tid: -1 - i64::from(info.ty.0),
                    pid: 1,
                    cpu: 300,
                    ty: info.ty,
                    bits: EventBits::empty(),
                    unreadable: 2,
                    params: params.get(..info.params.len().min(4)).unwrap(),
                };
                let context = Context { event: &event, state: &state, binding: &binding };
                let from = Extraction::new(context, &options, Vec::new());
                let (mut expected, mut got) = (Vec::new(), Vec::new());
                field.extract(&from, &mut |value| write_value(&value, &field, &options, &mut expected));
                straight(name).unwrap()(&mut got, &from);
                assert_eq!(
                    String::from_utf8_lossy(&got),
                    String::from_utf8_lossy(&expected),
                    "{name} {}",
                    info.id
                );
            }
        }
    }
}
