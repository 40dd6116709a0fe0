//! What goes wrong with chisels.

use super::library::ExitRequest;
use super::watchdog::TOO_LONG;

/// One line that names the chisel, the line in its file where Lua tells it, and the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("chisel {chisel}: {message}{}", at(*.event))]
pub struct ChiselError {
    pub chisel: String,
    pub message: String,
    /// The number of the event that it was looking at.
    pub event: Option<u64>,
    pub kind: ErrorKind,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The command line asks for what is not there.
    Usage,
    /// The chisel failed.
    Failure,
    /// No fault: it called `os.exit`.
    Exit,
}

fn at(event: Option<u64>) -> String {
    event.map(|num| format!(" (event {num})")).unwrap_or_default()
}

impl ChiselError {
    /// A message about a chisel.
    pub fn new(chisel: &str, message: impl Into<String>) -> Self {
        Self { chisel: chisel.to_owned(), message: message.into(), event: None, kind: ErrorKind::Failure }
    }

    /// A command line that the chisel cannot do anything with.
    pub fn usage(chisel: &str, message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Usage, ..Self::new(chisel, message) }
    }

    /// What Lua or a function called from it reports, `doing` something such as "on_event".
    pub fn from_lua(chisel: &str, doing: &str, error: &mlua::Error) -> Self {
        if error.downcast_ref::<ExitRequest>().is_some() {
            return Self { kind: ErrorKind::Exit, ..Self::new(chisel, ExitRequest.to_string()) };
        }
        let message = innermost(error);
        let message = match message.as_str() {
            text if text.ends_with(TOO_LONG) || text.contains("not enough memory") => {
                format!("{text}, stopped")
            }
            text => text.to_owned(),
        };
        Self::new(chisel, format!("{message}, in {doing}"))
    }
}

/// The message without the stack that stands below it, on one line.
fn innermost(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { cause, .. } => innermost(cause),
        mlua::Error::WithContext { context, cause } => format!("{context}: {}", innermost(cause)),
        mlua::Error::RuntimeError(message) => first_line(message),
        mlua::Error::SyntaxError { message, .. } => first_line(message),
        mlua::Error::MemoryError(_) => "not enough memory".to_owned(),
        mlua::Error::ExternalError(cause) => first_line(&cause.to_string()),
        other => first_line(&other.to_string()),
    }
}

/// The text up to its first line end, without characters that a terminal would act on.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect()
}
