//! `util.*`: not about the event.

use super::table::{Class, Field};
use super::value::Value;
use crate::schema::{ParamFormat as F, ParamType as T};

/// The fields.
pub(super) static FIELDS: &[Field] = &[Field::new(
    Class::Util,
    "util.cnt",
    T::Uint64,
    F::Id,
    "How often this field was asked for, from 1.",
    |x, _, emit| {
        let count = x.options.asked.get() + 1;
        x.options.asked.set(count);
        emit(Value::Uint(count));
    },
)];
