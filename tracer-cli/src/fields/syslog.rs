//! `syslog.*`: messages that programs send to the system log.

use super::evt_io::{DATA, is_syslog};
use super::table::{Class, Extract, Extraction, Field};
use super::value::Value;
use crate::schema::{ParamFormat as F, ParamType as T};

const fn field(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Syslog, name, ty, format, doc, extract)
}

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    field(
        "syslog.facility.str",
        T::Charbuf,
        F::Na,
        "What kind of program sent the message: `daemon`.",
        |x, _, emit| {
            if let Some(name) = message(x).and_then(|m| FACILITIES.get(m.facility as usize)) {
                emit(Value::Text(name.as_bytes()));
            }
        },
    ),
    field("syslog.facility", T::Uint32, F::Dec, "The facility as a number, 0 to 23.", |x, _, emit| {
        if let Some(message) = message(x) {
            emit(Value::Uint(u64::from(message.facility)));
        }
    }),
    field("syslog.severity.str", T::Charbuf, F::Na, "How bad it is: `emerg` to `debug`.", |x, _, emit| {
        if let Some(message) = message(x) {
            emit(Value::Text(message.severity_name().as_bytes()));
        }
    }),
    field(
        "syslog.severity",
        T::Uint32,
        F::Dec,
        "The severity as a number, 0 for the worst to 7.",
        |x, _, emit| {
            if let Some(message) = message(x) {
                emit(Value::Uint(u64::from(message.severity)));
            }
        },
    ),
    field("syslog.message", T::Charbuf, F::Na, "The text of the message.", |x, _, emit| {
        if let Some(message) = message(x) {
            emit(Value::Text(message.text));
        }
    }),
];

const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "clock", "authpriv", "ftp",
    "ntp", "logaudit", "logalert", "cron", "local0", "local1", "local2", "local3", "local4", "local5",
    "local6", "local7",
];

/// A message to the system log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub facility: u32,
    pub severity: u32,
    pub text: &'a [u8],
}

impl Message<'_> {
    pub fn severity_name(&self) -> &'static str {
        SEVERITIES.get(self.severity as usize).copied().unwrap_or("")
    }
}

/// The message that the event sent, when it is one that did.
pub(super) fn message<'a>(x: &Extraction<'a>) -> Option<Message<'a>> {
    let event = x.context.event;
    if !event.ty.is_exit() || !is_syslog(&x.context) {
        return None;
    }
    parse(event.param(DATA.get(event.ty)?)?)
}

/// `<PRI>text`, as the socket of the system log takes it (RFC 3164).
fn parse(message: &[u8]) -> Option<Message<'_>> {
    let inner = message.strip_prefix(b"<")?;
    let end = inner.iter().take(4).position(|b| *b == b'>')?;
    let priority: u32 = std::str::from_utf8(inner.get(..end)?).ok()?.parse().ok()?;
    Some(Message { facility: priority >> 3, severity: priority & 7, text: inner.get(end + 1..)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_in_front_is_facility_and_severity() {
        let message = parse(b"<85>Apr  5 sudo: x").unwrap();
        assert_eq!((message.facility, message.severity, message.text), (10, 5, &b"Apr  5 sudo: x"[..]));
        assert_eq!(message.severity_name(), "notice");
        for wrong in [&b"<1234>x"[..], b"GET /", b"<", b"<>x", b"<-1>x", b""] {
            assert_eq!(parse(wrong), None);
        }
    }
}
