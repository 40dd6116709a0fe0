//! `span.*` and `evtin.span.*`: stretches of a program that it marked itself, by writing to
//! `/dev/null` in the notation of sysdig's tracers.
//!
//! Tracers were taken out of sysdig. The fields are there, so that filters and formats which name
//! them go on working, and have no value.

use super::table::{Class, Field, FieldFlags};
use crate::schema::{ParamFormat as F, ParamType as T};

const fn gone(class: Class, name: &'static str, ty: T, format: F, doc: &'static str) -> Field {
    Field::new(class, name, ty, format, doc, |_, _, _| {}).flag(FieldFlags::DEPRECATED)
}

/// The fields of the span that the event begins or ends.
pub(super) static FIELDS: &[Field] = &[
    gone(Class::Span, "span.id", T::Int64, F::Id, "Id of the span; no longer known."),
    gone(Class::Span, "span.time", T::Charbuf, F::Na, "Time of the span; no longer known."),
    gone(Class::Span, "span.ntags", T::Uint32, F::Dec, "Number of tags of the span; no longer known."),
    gone(Class::Span, "span.nargs", T::Uint32, F::Dec, "Number of arguments of the span; no longer known."),
    gone(Class::Span, "span.tags", T::Charbuf, F::Na, "All tags of the span; no longer known."),
    gone(Class::Span, "span.tag", T::Charbuf, F::Na, "One tag of the span; no longer known.").required(),
    gone(Class::Span, "span.args", T::Charbuf, F::Na, "All arguments of the span; no longer known."),
    gone(Class::Span, "span.arg", T::Charbuf, F::Na, "One argument of the span; no longer known.").required(),
    gone(
        Class::Span,
        "span.enterargs",
        T::Charbuf,
        F::Na,
        "All arguments at the beginning of the span; no longer known.",
    ),
    gone(
        Class::Span,
        "span.enterarg",
        T::Charbuf,
        F::Na,
        "One argument at the beginning of the span; no longer known.",
    )
    .required(),
    gone(Class::Span, "span.duration", T::Reltime, F::Dec, "Duration of the span; no longer known."),
    gone(
        Class::Span,
        "span.duration.quantized",
        T::Uint64,
        F::Dec,
        "Logarithmic bucket of the duration of the span; no longer known.",
    )
    .flag(FieldFlags::TABLE_ONLY),
    gone(
        Class::Span,
        "span.duration.human",
        T::Charbuf,
        F::Na,
        "Duration with its unit of the span; no longer known.",
    ),
    gone(
        Class::Span,
        "span.duration.fortag",
        T::Reltime,
        F::Dec,
        "Duration at one depth of tags of the span; no longer known.",
    )
    .required()
    .flag(FieldFlags::TABLE_ONLY),
    gone(Class::Span, "span.count", T::Uint64, F::Dec, "1 at the end of the span; no longer known.")
        .flag(FieldFlags::TABLE_ONLY),
    gone(
        Class::Span,
        "span.count.fortag",
        T::Uint64,
        F::Dec,
        "1 at one depth of tags of the span; no longer known.",
    )
    .required()
    .flag(FieldFlags::TABLE_ONLY),
    gone(
        Class::Span,
        "span.childcount.fortag",
        T::Uint64,
        F::Dec,
        "1 for children at one depth of tags of the span; no longer known.",
    )
    .required()
    .flag(FieldFlags::TABLE_ONLY),
    gone(Class::Span, "span.idtag", T::Charbuf, F::Na, "Id with one tag of the span; no longer known.")
        .required()
        .flag(FieldFlags::TABLE_ONLY),
    gone(Class::Span, "span.rawtime", T::Charbuf, F::Na, "Time in ns of the span; no longer known.")
        .flag(FieldFlags::TABLE_ONLY),
    gone(
        Class::Span,
        "span.rawparenttime",
        T::Charbuf,
        F::Na,
        "Time in ns of the parent of the span; no longer known.",
    )
    .flag(FieldFlags::TABLE_ONLY),
];

/// The fields of the spans that are open at the time of the event.
pub(super) static INSIDE: &[Field] = &[
    gone(
        Class::Evtin,
        "evtin.span.id",
        T::Int64,
        F::Id,
        "Id of the span that is open in its thread; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.ntags",
        T::Uint32,
        F::Dec,
        "Number of tags of the span that is open in its thread; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.nargs",
        T::Uint32,
        F::Dec,
        "Number of arguments of the span that is open in its thread; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.tags",
        T::Charbuf,
        F::Na,
        "All tags of the span that is open in its thread; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.tag",
        T::Charbuf,
        F::Na,
        "One tag of the span that is open in its thread; no longer known.",
    )
    .required(),
    gone(
        Class::Evtin,
        "evtin.span.args",
        T::Charbuf,
        F::Na,
        "All arguments of the span that is open in its thread; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.arg",
        T::Charbuf,
        F::Na,
        "One argument of the span that is open in its thread; no longer known.",
    )
    .required(),
    gone(
        Class::Evtin,
        "evtin.span.p.id",
        T::Int64,
        F::Id,
        "Id of the span that is open in its process; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.p.ntags",
        T::Uint32,
        F::Dec,
        "Number of tags of the span that is open in its process; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.p.nargs",
        T::Uint32,
        F::Dec,
        "Number of arguments of the span that is open in its process; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.p.tags",
        T::Charbuf,
        F::Na,
        "All tags of the span that is open in its process; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.p.tag",
        T::Charbuf,
        F::Na,
        "One tag of the span that is open in its process; no longer known.",
    )
    .required(),
    gone(
        Class::Evtin,
        "evtin.span.p.args",
        T::Charbuf,
        F::Na,
        "All arguments of the span that is open in its process; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.p.arg",
        T::Charbuf,
        F::Na,
        "One argument of the span that is open in its process; no longer known.",
    )
    .required(),
    gone(
        Class::Evtin,
        "evtin.span.s.id",
        T::Int64,
        F::Id,
        "Id of the span that is open in its script; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.s.ntags",
        T::Uint32,
        F::Dec,
        "Number of tags of the span that is open in its script; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.s.nargs",
        T::Uint32,
        F::Dec,
        "Number of arguments of the span that is open in its script; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.s.tags",
        T::Charbuf,
        F::Na,
        "All tags of the span that is open in its script; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.s.tag",
        T::Charbuf,
        F::Na,
        "One tag of the span that is open in its script; no longer known.",
    )
    .required(),
    gone(
        Class::Evtin,
        "evtin.span.s.args",
        T::Charbuf,
        F::Na,
        "All arguments of the span that is open in its script; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.s.arg",
        T::Charbuf,
        F::Na,
        "One argument of the span that is open in its script; no longer known.",
    )
    .required(),
    gone(
        Class::Evtin,
        "evtin.span.m.id",
        T::Int64,
        F::Id,
        "Id of the span that is open on the machine; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.m.ntags",
        T::Uint32,
        F::Dec,
        "Number of tags of the span that is open on the machine; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.m.nargs",
        T::Uint32,
        F::Dec,
        "Number of arguments of the span that is open on the machine; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.m.tags",
        T::Charbuf,
        F::Na,
        "All tags of the span that is open on the machine; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.m.tag",
        T::Charbuf,
        F::Na,
        "One tag of the span that is open on the machine; no longer known.",
    )
    .required(),
    gone(
        Class::Evtin,
        "evtin.span.m.args",
        T::Charbuf,
        F::Na,
        "All arguments of the span that is open on the machine; no longer known.",
    ),
    gone(
        Class::Evtin,
        "evtin.span.m.arg",
        T::Charbuf,
        F::Na,
        "One argument of the span that is open on the machine; no longer known.",
    )
    .required(),
];
