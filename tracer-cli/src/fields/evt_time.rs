//! `evt.*` about time: of day, since the start, between enter and exit, since the event before.

use super::clock::{
    write_datetime, write_datetime_s, write_iso8601, write_seconds, write_time, write_time_s,
};
use super::table::{Class, Extract, Extraction, Field, FieldArg, FieldFlags, TimeMode};
use super::value::Value;
use super::write::write_unsigned;
use crate::schema::{EventFlags, EventType, ParamFormat as F, ParamType as T};
use crate::state::thread::Thread;
use std::cell::Cell;

const NS: u64 = 1_000_000_000;

const fn any(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Evt, name, ty, format, doc, extract)
}

const fn call(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::EvtSyscall, name, ty, format, doc, extract)
}

/// Fields of events of every source.
pub(super) static ALL_SOURCES: &[Field] = &[
    any("evt.time", T::Charbuf, F::Na, "Local time of day with nanoseconds.", |x, _, emit| {
        let ts = x.context.event.ts;
        x.text(|out| write_time(out, ts), |text| emit(Value::Text(text)));
    }),
    any(
        "evt.time.s",
        T::Charbuf,
        F::Na,
        "Local time of day without the fraction of a second.",
        |x, _, emit| {
            let ts = x.context.event.ts;
            x.text(|out| write_time_s(out, ts), |text| emit(Value::Text(text)));
        },
    ),
    any(
        "evt.time.iso8601",
        T::Charbuf,
        F::Na,
        "Date and time in UTC with nanoseconds, in ISO 8601 notation.",
        |x, _, emit| {
            let ts = x.context.event.ts;
            x.text(|out| write_iso8601(out, ts), |text| emit(Value::Text(text)));
        },
    ),
    any("evt.datetime", T::Charbuf, F::Na, "Local date and time with nanoseconds.", |x, _, emit| {
        let ts = x.context.event.ts;
        x.text(|out| write_datetime(out, ts), |text| emit(Value::Text(text)));
    }),
    any(
        "evt.datetime.s",
        T::Charbuf,
        F::Na,
        "Local date and time without the fraction of a second.",
        |x, _, emit| {
            let ts = x.context.event.ts;
            x.text(|out| write_datetime_s(out, ts), |text| emit(Value::Text(text)));
        },
    ),
    any("evt.rawtime", T::Abstime, F::Dec, "Time in ns since the epoch.", |x, _, emit| {
        emit(Value::Abstime(x.context.event.ts));
    }),
    any("evt.rawtime.s", T::Abstime, F::Dec, "Whole seconds since the epoch.", |x, _, emit| {
        emit(Value::Abstime(x.context.event.ts / NS));
    }),
    any("evt.rawtime.ns", T::Abstime, F::PaddedDec, "Nanoseconds after the whole second.", |x, _, emit| {
        emit(Value::Abstime(x.context.event.ts % NS));
    }),
    any("evt.reltime", T::Reltime, F::PaddedDec, "Time in ns since the first event.", |x, _, emit| {
        emit(Value::Reltime(since_start(x)));
    })
    .flag(FieldFlags::PLACE),
    any("evt.reltime.s", T::Reltime, F::Dec, "Whole seconds since the first event.", |x, _, emit| {
        emit(Value::Reltime(since_start(x) / NS));
    })
    .flag(FieldFlags::PLACE),
    any(
        "evt.reltime.ns",
        T::Reltime,
        F::PaddedDec,
        "Nanoseconds of the time since the first event.",
        |x, _, emit| {
            emit(Value::Reltime(since_start(x) % NS));
        },
    )
    .flag(FieldFlags::PLACE),
];

/// Fields of system call events.
pub(super) static FIELDS: &[Field] = &[
    call(
        "evt.latency",
        T::Reltime,
        F::Dec,
        "Time in ns between the begin and the return of a call.",
        |x, _, emit| {
            latency(x, emit, |ns| ns);
        },
    )
    .flag(FieldFlags::DEPRECATED),
    call(
        "evt.latency.s",
        T::Reltime,
        F::Dec,
        "Whole seconds between the begin and the return of a call.",
        |x, _, emit| {
            latency(x, emit, |ns| ns / NS);
        },
    )
    .flag(FieldFlags::DEPRECATED),
    call(
        "evt.latency.ns",
        T::Reltime,
        F::PaddedDec,
        "Nanoseconds of the latency after its whole seconds.",
        |x, _, emit| {
            latency(x, emit, |ns| ns % NS);
        },
    )
    .flag(FieldFlags::DEPRECATED),
    call(
        "evt.latency.quantized",
        T::Uint64,
        F::Dec,
        "Bucket of the latency on a logarithmic scale over the width of the screen, from 1.",
        |x, _, emit| {
            if let Some(ns) = x.context.binding.latency.filter(|ns| *ns > 0) {
                // The scale ends at 10^11 ns, 100 seconds.
                const DECADES: f64 = 11.0;
                let at = (ns as f64).log10().min(DECADES) / DECADES;
                emit(Value::Uint((at * f64::from(x.options.screen_width)) as u64 + 1));
            }
        },
    )
    .flag(FieldFlags::TABLE_ONLY.union(FieldFlags::DEPRECATED)),
    call("evt.latency.human", T::Charbuf, F::Na, "The latency with a unit, such as 1.88us.", |x, _, emit| {
        let ns = x.context.binding.latency.unwrap_or(0);
        x.text(|out| write_human(out, ns), |text| emit(Value::Text(text)));
    })
    .flag(FieldFlags::DEPRECATED),
    call("evt.deltatime", T::Reltime, F::Dec, "Time in ns since the event before.", |x, _, emit| {
        emit(Value::Reltime(delta(x)));
    })
    .flag(FieldFlags::PLACE),
    call("evt.deltatime.s", T::Reltime, F::Dec, "Whole seconds since the event before.", |x, _, emit| {
        emit(Value::Reltime(delta(x) / NS));
    })
    .flag(FieldFlags::PLACE),
    call(
        "evt.deltatime.ns",
        T::Reltime,
        F::PaddedDec,
        "Nanoseconds of the time since the event before.",
        |x, _, emit| {
            emit(Value::Reltime(delta(x) % NS));
        },
    )
    .flag(FieldFlags::PLACE),
    call("evt.outputtime", T::Charbuf, F::Na, "Time in the form that -t chose.", |x, _, emit| {
        x.text(|out| write_output_time(out, x), |text| emit(Value::Text(text)));
    })
    .flag(FieldFlags::PRINT_ONLY.union(FieldFlags::PLACE)),
    call(
        "evt.wait_latency",
        T::Reltime,
        F::Dec,
        "Time in ns that a waiting call took, on its return.",
        |x, _, emit| {
            let event = x.context.event;
            if event.ty.is_exit() && super::evt::has(event, EventFlags::WAITS) {
                latency(x, emit, |ns| ns);
            }
        },
    )
    .flag(FieldFlags::DEPRECATED),
    call(
        "evt.around",
        T::Uint64,
        F::Dec,
        "Distance in ms, rounded up, of the event from the time in the argument (ns since the epoch); \
         `evt.around[T]=D` holds within D ms of T.",
        around,
    )
    .flag(FieldFlags::FILTER_ONLY.union(FieldFlags::NO_RHS).union(FieldFlags::NO_TRANSFORMER))
    .required(),
];

fn since_start(x: &Extraction<'_>) -> u64 {
    x.context.event.ts.saturating_sub(x.context.binding.first_ts)
}

fn delta(x: &Extraction<'_>) -> u64 {
    x.context.binding.delta.unwrap_or(0)
}

/// Every event has a latency, of 0 while a call lasts and for what is no call.
fn latency(x: &Extraction<'_>, emit: &mut dyn FnMut(Value<'_>), part: fn(u64) -> u64) {
    if let Some(ns) = latency_of(x) {
        emit(Value::Reltime(part(ns)));
    }
}

/// `evt.latency`, ns.
pub(super) fn latency_of(x: &Extraction<'_>) -> Option<u64> {
    // A note about a thread is no part of what the thread does.
    let is_note =
        x.context.event.ty == EventType::PROCINFO_E && x.context.thread().is_some_and(Thread::is_known);
    (!is_note).then(|| x.context.binding.latency.unwrap_or(0))
}

fn around(x: &Extraction<'_>, arg: Option<&FieldArg>, emit: &mut dyn FnMut(Value<'_>)) {
    if let Some(at) = arg.and_then(|arg| arg.text.parse::<u64>().ok()) {
        emit(Value::Uint(x.context.event.ts.abs_diff(at).div_ceil(1_000_000)));
    }
}

/// Three digits at most, never rounded up: 639ns, 1.88us, 17us, 3.32s.
fn write_human(out: &mut Vec<u8>, ns: u64) {
    let (unit, name) = match ns {
        0..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..NS => (1_000_000, "ms"),
        _ => (NS, "s"),
    };
    write_unsigned(out, ns / unit);
    if unit > 1 && ns / unit < 10 {
        out.push(b'.');
        super::write::write_padded(out, ns % unit / (unit / 100), 2);
    }
    out.extend_from_slice(name.as_bytes());
}

pub(super) fn write_output_time(out: &mut Vec<u8>, x: &Extraction<'_>) {
    thread_local! {
        /// Only printed events ask for this field, so the last time it was asked for is theirs.
        static LAST_PRINTED: Cell<u64> = const { Cell::new(0) };
    }
    let ts = x.context.event.ts;
    match x.options.time {
        TimeMode::Hour => write_time(out, ts),
        TimeMode::Absolute => write_seconds(out, ts),
        TimeMode::Relative => write_seconds(out, since_start(x)),
        TimeMode::Delta => write_seconds(out, x.context.binding.latency.unwrap_or(0)),
        TimeMode::PreviousDelta => {
            let last = LAST_PRINTED.replace(ts);
            write_seconds(out, if last == 0 { 0 } else { ts.saturating_sub(last) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_for_people_are_cut_not_rounded() {
        let human = |ns| {
            let mut out = Vec::new();
            write_human(&mut out, ns);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(human(0), "0ns");
        assert_eq!(human(993), "993ns");
        assert_eq!(human(2191), "2.19us");
        assert_eq!(human(20610), "20us");
        assert_eq!(human(999_203), "999us");
        assert_eq!(human(1_978_572), "1.97ms");
        assert_eq!(human(3_681_307_032), "3.68s");
    }
}
