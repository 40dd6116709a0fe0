//! The fields of filters and output: one table, one file per class.
//!
//! A field is found once by its text ([`find`], [`find_prefix`]) and read for each event through
//! its [`Extract`] function; [`write_value`](write::write_value) prints what it yields.

mod argument;
mod buffer;
mod call_category;
mod clock;
mod container;
mod evt;
mod evt_args;
mod evt_io;
mod evt_time;
mod fd;
mod fd_net;
mod fdlist;
mod fs_path;
mod k8s;
mod mesos;
mod names;
mod process;
mod process_tree;
pub mod render;
mod sockaddr;
mod span;
mod straight;
mod syslog;
pub mod table;
mod thread;
mod user;
mod util;
pub mod value;
pub mod write;

pub use argument::ErrorKind;
pub use evt::has_syscall_type;
pub use evt_io::moves_nothing;
pub use straight::{Follows, Straight, ThreadValue, follows, lacks, straight, thread_value};
pub use table::{Arg, Class, Extract, ExtractOptions, Extraction, Field, FieldArg, FieldFlags, FieldRef};
pub use thread::noted_use;
pub use value::Value;

/// The tables in the order in which they are listed and searched.
static TABLES: [&[Field]; 21] = [
    evt_time::ALL_SOURCES,
    evt::ALL_SOURCES,
    evt_time::FIELDS,
    evt::FIELDS,
    evt_args::FIELDS,
    evt_io::FIELDS,
    process::FIELDS,
    process_tree::FIELDS,
    thread::FIELDS,
    user::FIELDS,
    container::FIELDS,
    fd::FIELDS,
    fd_net::FIELDS,
    fs_path::FIELDS,
    syslog::FIELDS,
    util::FIELDS,
    fdlist::FIELDS,
    k8s::FIELDS,
    mesos::FIELDS,
    span::FIELDS,
    span::INSIDE,
];

/// Why a text is no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct FieldError {
    pub kind: ErrorKind,
    /// What was probably meant.
    pub nearest: Option<&'static str>,
}

/// Every field, class by class.
pub fn all() -> impl Iterator<Item = &'static Field> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The field that the whole text names, argument included: `proc.aname[2]`, `evt.arg.fd`.
pub fn find(text: &str) -> Result<FieldRef, FieldError> {
    let (field, used) = find_prefix(text)?;
    match text.get(used..) {
        None | Some("") => Ok(field),
        Some(_) if field.arg.is_some() => {
            let dotted = text.get(field.field.name.len() + 1..).unwrap_or("");
            Err(argument::unknown_parameter(dotted))
        }
        Some(_) if longer_name_meant(text, field.field.name) => Err(unknown(text)),
        Some(_) => Err(FieldError { kind: ErrorKind::ArgumentNotAllowed(field.field.name), nearest: None }),
    }
}

/// The longest field at the start of the text and how many bytes of it name the field.
pub fn find_prefix(text: &str) -> Result<(FieldRef, usize), FieldError> {
    let field = all()
        .filter(|f| text.starts_with(f.name))
        .max_by_key(|f| f.name.len())
        .ok_or_else(|| unknown(text.split_whitespace().next().unwrap_or(text)))?;
    let rest = text.get(field.name.len()..).unwrap_or("");
    let (arg, used) = argument::parse(field, rest).map_err(|error| match error.kind {
        ErrorKind::ArgumentMissing(_) if !rest.is_empty() && longer_name_meant(text, field.name) => {
            unknown(text)
        }
        _ => error,
    })?;
    let (ty, format) = argument::value_type(field, arg.as_ref());
    Ok((FieldRef { field, arg, ty, format }, field.name.len() + used))
}

/// The field whose name is closest to a mistyped one.
pub fn nearest(text: &str) -> Option<&'static str> {
    closest(text, all().map(|f| f.name))
}

/// The candidate that differs least from the text, if any is close enough to have been meant.
fn closest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer than any name with its typing errors; comparing takes time by the product of the lengths.
    const LONGEST: usize = 64;
    if text.len() > LONGEST {
        return None;
    }
    candidates
        .map(|name| (strsim::damerau_levenshtein(text, name), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(2))
        .map(|(_, name)| name)
}

/// `proc.names` is a mistyped field, `proc.name[1]` and `proc.name.x` a field with an argument.
fn longer_name_meant(text: &str, name: &str) -> bool {
    !text.get(name.len()..).is_some_and(|rest| rest.starts_with(['.', '[']))
}

fn unknown(text: &str) -> FieldError {
    FieldError { kind: ErrorKind::Unknown(text.to_owned()), nearest: nearest(text) }
}

#[cfg(test)]
mod container_tests;
#[cfg(test)]
mod extract_tests;
#[cfg(test)]
mod table_tests;
