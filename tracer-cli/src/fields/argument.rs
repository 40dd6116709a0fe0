//! Arguments of fields: `proc.aname[2]`, `proc.env[PATH]`, `evt.arg.name`.

use super::table::{Arg, Field, FieldArg, NO_MATCH};
use super::{FieldError, closest};
use crate::schema::{EventType, ParamFormat, ParamType, names, tables};

/// What is wrong with the text of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    #[error("unknown field {0}")]
    Unknown(String),
    #[error("{0} needs an argument, as in {0}[…]")]
    ArgumentMissing(&'static str),
    #[error("{0} takes no argument")]
    ArgumentNotAllowed(&'static str),
    #[error("no event has an argument {0}")]
    UnknownEventArgument(String),
    #[error("no event is called {0}")]
    UnknownEventType(String),
    #[error("{field} needs a number between its brackets, not {found}")]
    NotANumber { field: &'static str, found: String },
    #[error("{0}[ has no closing bracket")]
    Unclosed(&'static str),
}

/// Reads the argument at the start of what follows a field's name; also says how long it is.
pub(super) fn parse(field: &'static Field, rest: &str) -> Result<(Option<FieldArg>, usize), FieldError> {
    let error = |kind| Err(FieldError { kind, nearest: None });
    if field.arg == Arg::None {
        return Ok((None, 0));
    }
    let (text, used) = if let Some(inner) = rest.strip_prefix('[') {
        let Some(end) = inner.find(']') else {
            return error(ErrorKind::Unclosed(field.name));
        };
        (inner.get(..end).unwrap_or(""), end + 2)
    } else if let Some(inner) = rest.strip_prefix('.') {
        let end = dotted_length(field, inner);
        (inner.get(..end).unwrap_or(""), end + 1)
    } else {
        ("", 0)
    };
    if text.is_empty() {
        return match field.arg {
            Arg::Required => error(ErrorKind::ArgumentMissing(field.name)),
            _ => Ok((None, 0)),
        };
    }
    resolve(field, text).map(|arg| (Some(arg), used))
}

/// How many bytes after a dot are the argument. Event arguments end at the longest known name,
/// because templates put text right behind them.
fn dotted_length(field: &Field, text: &str) -> usize {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let end = text.find(|c| !word(c)).unwrap_or(text.len());
    let known = match field.name {
        "evt.arg" | "evt.rawarg" => parameter_names().filter(|n| text.starts_with(n)).map(str::len).max(),
        _ => None,
    };
    known.unwrap_or(end)
}

/// The names of the parameters of all events.
fn parameter_names() -> impl Iterator<Item = &'static str> {
    tables::EVENTS.iter().flat_map(|e| e.params).map(|p| p.name)
}

fn resolve(field: &'static Field, text: &str) -> Result<FieldArg, FieldError> {
    let mut arg = FieldArg { text: text.to_owned(), index: text.parse().ok(), per_event: Vec::new() };
    match field.name {
        "evt.arg" | "evt.rawarg" => {
            arg.per_event = match arg.index {
                Some(index) => by_index(index),
                None => by_name(text),
            };
            if arg.per_event.iter().all(|i| *i == NO_MATCH) {
                return Err(unknown_parameter(text));
            }
        }
        "evt.type.is" => {
            arg.per_event = vec![NO_MATCH; tables::EVENTS.len()];
            // A number is an event's code, with which begin and return of a call are told apart.
            let code = arg.index.and_then(|code| u16::try_from(code).ok()).map(EventType);
            for ty in names::events_named(text).map(|event| event.ty).chain(code) {
                if let Some(slot) = arg.per_event.get_mut(usize::from(ty.0)) {
                    *slot = 1;
                }
            }
            let known = arg.per_event.contains(&1) || names::syscall_by_name(text).is_some();
            if !known {
                let nearest = closest(text, tables::EVENTS.iter().map(|e| e.name));
                return Err(FieldError { kind: ErrorKind::UnknownEventType(text.to_owned()), nearest });
            }
        }
        "proc.aname" | "proc.aexe" | "proc.aexepath" | "proc.acmdline" | "proc.apid" | "proc.aargs"
            if arg.index.is_none() =>
        {
            let kind = ErrorKind::NotANumber { field: field.name, found: text.to_owned() };
            return Err(FieldError { kind, nearest: None });
        }
        _ => {}
    }
    Ok(arg)
}

/// No event has a parameter of this name.
pub(super) fn unknown_parameter(text: &str) -> FieldError {
    let nearest = closest(text, parameter_names());
    FieldError { kind: ErrorKind::UnknownEventArgument(text.to_owned()), nearest }
}

fn by_index(index: u32) -> Vec<u8> {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let slot = |count: usize| if index < count { index as u8 } else { NO_MATCH };
    tables::EVENTS.iter().map(|e| slot(e.params.len())).collect()
}

fn by_name(name: &str) -> Vec<u8> {
    let slot = |i: Option<usize>| i.and_then(|i| u8::try_from(i).ok()).unwrap_or(NO_MATCH);
    tables::EVENTS.iter().map(|e| slot(e.params.iter().position(|p| p.name == name))).collect()
}

/// Type and format of the values: those of the parameter for `evt.rawarg.x`.
pub(super) fn value_type(field: &Field, arg: Option<&FieldArg>) -> (ParamType, ParamFormat) {
    let named = arg.filter(|_| field.name == "evt.rawarg").and_then(|arg| {
        let params = tables::EVENTS.iter().flat_map(|e| e.params);
        params.into_iter().find(|p| p.name == arg.text)
    });
    named.map_or((field.ty, field.format), |p| (p.ty, p.format))
}
