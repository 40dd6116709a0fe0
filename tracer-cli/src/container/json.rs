//! Reading JSON that others made: what is missing or of another type is empty.

use bstr::BString;
use serde_json::Value;
use std::collections::BTreeMap;

/// The text at a path of keys.
pub(super) fn text<'a>(from: &'a Value, path: &[&str]) -> &'a str {
    at(from, path).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a path of keys, 0 when there is none.
pub(super) fn number(from: &Value, path: &[&str]) -> i64 {
    at(from, path).and_then(Value::as_i64).unwrap_or(0)
}

/// Whether the value at a path of keys is `true`.
pub(super) fn truth(from: &Value, path: &[&str]) -> bool {
    at(from, path).and_then(Value::as_bool).unwrap_or(false)
}

/// The items of the list at a path of keys.
pub(super) fn items<'a>(from: &'a Value, path: &[&str]) -> impl Iterator<Item = &'a Value> {
    at(from, path).and_then(Value::as_array).into_iter().flatten()
}

/// The texts of the list at a path of keys.
pub(super) fn texts(from: &Value, path: &[&str]) -> Vec<BString> {
    items(from, path).filter_map(Value::as_str).map(BString::from).collect()
}

/// The entries of the object at a path of keys.
pub(super) fn entries<'a>(from: &'a Value, path: &[&str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    at(from, path).and_then(Value::as_object).into_iter().flatten()
}

/// The entries whose values are texts.
pub(super) fn labels(from: &Value, path: &[&str]) -> BTreeMap<BString, BString> {
    entries(from, path)
        .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
        .collect()
}

/// s since the epoch of the time at a path of keys, such as `2026-11-23T00:36:34.796Z`.
pub(super) fn time(from: &Value, path: &[&str]) -> i64 {
    text(from, path).parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second)
}

fn at<'a>(from: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(from, |value, key| value.get(key))
}
