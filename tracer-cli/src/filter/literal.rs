//! Values as typed in a filter: quotes and escapes, and what the text means for a type.

use super::ast::{Literal, Span};
use super::error::{FilterError, nearest};
use crate::schema::{ParamType, tables};
use bstr::ByteSlice;
use std::net::IpAddr;

/// Reads a quoted text at the start of `input`: its bytes and its length with both quotes.
/// `None` when the input does not begin with a quote. Spans of errors count from the quote.
pub(super) fn quoted(input: &str) -> Option<Result<(Vec<u8>, usize), FilterError>> {
    let quote = input.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut bytes = Vec::new();
    let mut chars = input.char_indices().skip(1);
    let mut utf8 = [0; 4];
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some(Ok((bytes, at + 1)));
        }
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            continue;
        }
        let Some((escape_at, escaped)) = chars.next() else { break };
        bytes.push(match escaped {
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            // An old spelling of the backslash that rule files still use.
            '\\' | ' ' => b'\\',
            '/' => b'/',
            c if c == quote => c as u8,
            'x' => {
                let digits = input.get(escape_at + 1..escape_at + 3).filter(|d| is_hex(d));
                match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
                    Some(0) => {
                        let span = Span::new(at, escape_at + 3);
                        return Some(Err(FilterError::new(span, "a value cannot hold a zero byte")));
                    }
                    Some(byte) => {
                        chars.nth(1);
                        byte
                    }
                    None => {
                        let span = Span::new(at, escape_at + 1);
                        return Some(Err(FilterError::new(span, "expected two hex digits after \\x")));
                    }
                }
            }
            other => {
                let span = Span::new(at, escape_at + other.len_utf8());
                let message =
                    "unknown escape: expected one of \\b \\f \\n \\r \\t \\\\ \\/ \\xHH or the escaped quote";
                return Some(Err(FilterError::new(span, message)));
            }
        });
    }
    Some(Err(FilterError::new(Span::new(0, input.len()), "this quote is not closed")))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What someone may have meant who wrote a word where a check belongs.
pub(super) fn meant_by_bare_word(word: &str) -> Option<String> {
    if is_event_name(word) {
        return Some(format!("evt.type = {word}"));
    }
    let name = |f: &'static crate::fields::Field| f.name;
    let names = || crate::fields::all().map(name);
    let last_part = names().find(|n| n.rsplit('.').next() == Some(word) && n.starts_with("proc."));
    last_part
        .or_else(|| names().find(|n| n.rsplit('.').next() == Some(word)))
        .or_else(|| nearest(word, names()))
        .map(str::to_owned)
}

/// Whether some event or system call has this name.
pub(super) fn is_event_name(name: &str) -> bool {
    tables::EVENTS.iter().any(|e| e.name == name)
        || tables::SYSCALL_NAMES.iter().flatten().any(|n| *n == name)
}

/// Refuses a name that no event has.
pub(super) fn event_name(value: &Literal) -> Result<(), FilterError> {
    let text = value.bytes.to_str_lossy();
    if is_event_name(&text) {
        return Ok(());
    }
    let names = tables::EVENTS.iter().map(|e| e.name).chain(tables::SYSCALL_NAMES.iter().flatten().copied());
    Err(FilterError::new(value.span, format!("no event is called {text}")).suggest(nearest(&text, names)))
}

fn text(value: &Literal) -> Result<&str, FilterError> {
    value.bytes.to_str().map_err(|_| FilterError::new(value.span, "expected text, not raw bytes"))
}

/// A whole number, decimal or with `0x`, that fits the type, or without one 64 bits of either sign.
/// As in 0.29.3 a negative number stands for the unsigned one with the same bits: `user.uid = -1`.
pub(super) fn number(value: &Literal, ty: Option<ParamType>) -> Result<i128, FilterError> {
    let text = text(value)?;
    let fault = |message: String| Err(FilterError::new(value.span, message));
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if !hex.is_empty() && is_hex(hex) => i128::from_str_radix(hex, 16).ok(),
        None if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
        _ => return fault(format!("{text} is no whole number")),
    };
    let value = magnitude.map(|m: i128| if negative { -m } else { m });
    let Some((bits, signed)) = ty.map(integer_type) else {
        let fits = value.filter(|v| *v <= i128::from(u64::MAX) && *v >= i128::from(i64::MIN));
        return fits.map_or_else(|| fault(format!("{text} is too big")), Ok);
    };
    let value = value.filter(|v| *v < 1 << bits && *v >= -(1 << (bits - 1)));
    match value {
        Some(v) if v < 0 && !signed => Ok(v + (1 << bits)),
        Some(v) if signed && v >= 1 << (bits - 1) => fault(format!("{text} is too big")),
        Some(v) => Ok(v),
        None => fault(format!("{text} is too big")),
    }
}

fn integer_type(ty: ParamType) -> (u32, bool) {
    match ty {
        ParamType::Int8 => (8, true),
        ParamType::Int16 => (16, true),
        ParamType::Int32 | ParamType::Fd32 | ParamType::Pid32 => (32, true),
        ParamType::Int64 | ParamType::Errno | ParamType::Fd | ParamType::Pid => (64, true),
        ParamType::Uint8
        | ParamType::Flags8
        | ParamType::Enumflags8
        | ParamType::L4proto
        | ParamType::Sockfamily
        | ParamType::Sigtype => (8, false),
        ParamType::Uint16
        | ParamType::Flags16
        | ParamType::Enumflags16
        | ParamType::SyscallId
        | ParamType::Port => (16, false),
        ParamType::Uint32
        | ParamType::Flags32
        | ParamType::Enumflags32
        | ParamType::Uid
        | ParamType::Gid
        | ParamType::Mode
        | ParamType::Sigset => (32, false),
        _ => (64, false),
    }
}

pub(super) fn double(value: &Literal) -> Result<f64, FilterError> {
    let text = text(value)?;
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text.parse::<f64>().ok().filter(|d| plain && d.is_finite()) {
        Some(number) => Ok(number),
        None => Err(FilterError::new(value.span, format!("{text} is no number"))),
    }
}

pub(super) fn boolean(value: &Literal) -> Result<bool, FilterError> {
    match text(value)? {
        "true" => Ok(true),
        "false" => Ok(false),
        other => {
            let suggestion = match other.to_ascii_lowercase().as_str() {
                "1" | "yes" | "on" | "t" | "true" => Some("true"),
                "0" | "no" | "off" | "f" | "false" => Some("false"),
                _ => None,
            };
            Err(FilterError::new(value.span, "expected true or false").suggest(suggestion))
        }
    }
}

/// A port number or the name of a service.
pub(super) fn port(value: &Literal) -> Result<i128, FilterError> {
    let text = text(value)?;
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let message = || FilterError::new(value.span, format!("no service is called {text}"));
        return service_port(text).map(i128::from).ok_or_else(message);
    }
    number(value, Some(ParamType::Port))
}

/// Services that are known even where `/etc/services` is missing, as in most containers.
const SERVICES: &[(&str, u16)] = &[
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap2", 143),
    ("snmp", 161),
    ("ldap", 389),
    ("https", 443),
    ("imaps", 993),
    ("mysql", 3306),
    ("postgresql", 5432),
];

fn service_port(name: &str) -> Option<u16> {
    let services = std::fs::read("/etc/services").unwrap_or_default();
    let listed = services.lines().find_map(|line| {
        let line = line.split_str("#").next()?;
        let mut words = line.fields();
        let (first, port) = (words.next()?, words.next()?);
        let named = first == name.as_bytes() || words.any(|alias| alias == name.as_bytes());
        let number = port.split_str("/").next()?.to_str().ok()?;
        named.then(|| number.parse().ok()).flatten()
    });
    listed.or_else(|| SERVICES.iter().find(|(n, _)| *n == name).map(|(_, port)| *port))
}

/// An address. Of IPv4 addresses mapped into IPv6 the IPv4 part.
pub(super) fn address(value: &Literal) -> Result<IpAddr, FilterError> {
    let text = text(value)?;
    match text.parse::<IpAddr>() {
        Ok(ip) => Ok(ip.to_canonical()),
        Err(_) if text.contains('/') => {
            let message = format!(
                "{text} is a network: compare networks with fd.net, fd.cnet, fd.snet, fd.lnet or fd.rnet"
            );
            Err(FilterError::new(value.span, message))
        }
        Err(_) => Err(FilterError::new(value.span, format!("{text} is no IP address"))),
    }
}

/// The addresses that share their first bits with one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    V4 { base: u32, mask: u32 },
    V6 { base: u128, mask: u128 },
}

impl Network {
    #[inline]
    pub(super) fn contains(self, ip: IpAddr) -> bool {
        match (self, ip.to_canonical()) {
            (Network::V4 { base, mask }, IpAddr::V4(ip)) => ip.to_bits() & mask == base,
            (Network::V6 { base, mask }, IpAddr::V6(ip)) => ip.to_bits() & mask == base,
            _ => false,
        }
    }
}

/// `10.0.0.0/8`, `fe80::/10`.
pub(super) fn network(value: &Literal) -> Result<Network, FilterError> {
    let text = text(value)?;
    let fault = |message: String| FilterError::new(value.span, message);
    let Some((ip, length)) = text.split_once('/') else {
        let suggestion =
            text.parse::<IpAddr>().ok().map(|ip| format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 }));
        return Err(fault(format!("{text} is no network: expected address/bits")).suggest(suggestion));
    };
    let ip: IpAddr = ip.parse().map_err(|_| fault(format!("{ip} is no IP address")))?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let length =
        length.parse::<u32>().ok().filter(|l| *l <= most && length.bytes().all(|b| b.is_ascii_digit()));
    let Some(length) = length else {
        return Err(fault(format!("expected a prefix length from 0 to {most} after /")));
    };
    Ok(match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            Network::V4 { base: ip.to_bits() & mask, mask }
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            Network::V6 { base: ip.to_bits() & mask, mask }
        }
    })
}

/// The bytes that pairs of hex digits stand for.
pub(super) fn hex(value: &Literal) -> Result<Vec<u8>, FilterError> {
    let text = text(value)?;
    let digit = |b: &u8| char::from(*b).to_digit(16).map(|d| d as u8);
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?))
        .collect();
    bytes.ok_or_else(|| FilterError::new(value.span, "expected an even number of hex digits, as cafe01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(text: &str) -> Literal {
        Literal { bytes: text.as_bytes().to_vec(), span: Span::default() }
    }

    #[test]
    fn escapes() {
        let read = |s| quoted(s).unwrap().unwrap();
        assert_eq!(read(r#""a\"b" rest"#), (b"a\"b".to_vec(), 6));
        assert_eq!(read(r"'\b\f\n\r\t\\\/\'\ x'").0, b"\x08\x0c\n\r\t\\/'\\x");
        assert_eq!(read(r"'\x41\xff'").0, b"A\xff");
        assert_eq!(read("'é\"'").0, "é\"".as_bytes());
        assert_eq!(quoted("abc"), None);
    }

    #[test]
    fn wrong_escapes_are_pointed_at() {
        let span = |s: &str| {
            let span = quoted(s).unwrap().unwrap_err().span;
            (span.start, span.end)
        };
        assert_eq!(span(r#""ab\'""#), (3, 5));
        assert_eq!(span(r#""\q""#), (1, 3));
        assert_eq!(span(r#""\x0""#), (1, 3));
        assert_eq!(span(r#""\x00""#), (1, 5));
        assert_eq!(span(r#""\é""#), (1, 4));
        assert_eq!(span(r#""abc"#), (0, 4));
        assert_eq!(span(r#""abc\"#), (0, 5));
    }

    #[test]
    fn numbers_fit_their_type() {
        use ParamType::{Int64, Port, Uint32, Uint64};
        let n = |s: &str, ty| number(&lit(s), Some(ty)).ok();
        assert_eq!(n("12", Int64), Some(12));
        assert_eq!(n("+12", Int64), Some(12));
        assert_eq!(n("-12", Int64), Some(-12));
        assert_eq!(n("0x1F", Uint32), Some(31));
        assert_eq!(n("-1", Uint32), Some(0xffff_ffff));
        assert_eq!(n("-1", Uint64), Some(i128::from(u64::MAX)));
        assert_eq!(n("9223372036854775808", Int64), None);
        assert_eq!(n("-9223372036854775808", Int64), Some(i128::from(i64::MIN)));
        assert_eq!(n("18446744073709551615", Uint64), Some(i128::from(u64::MAX)));
        assert_eq!(n("18446744073709551616", Uint64), None);
        assert_eq!(n(&"9".repeat(100), Uint64), None);
        assert_eq!(n("65536", Port), None);
        for bad in ["", "-", "0x", "1.5", "5and", "1e3", "--1", "0x-1", "+-1"] {
            assert_eq!(n(bad, Int64), None, "{bad}");
        }
    }

    #[test]
    fn networks_have_a_length() {
        let net = |s| network(&lit(s));
        let within = |s, ip: &str| net(s).unwrap().contains(ip.parse().unwrap());
        assert!(within("10.0.0.0/8", "10.1.2.3") && !within("10.0.0.0/8", "11.0.0.0"));
        assert!(within("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(within("0.0.0.0/0", "1.2.3.4") && !within("0.0.0.0/0", "::1"));
        assert!(within("10.1.2.3/32", "10.1.2.3") && !within("10.1.2.3/32", "10.1.2.2"));
        assert!(within("fe80::1/10", "febf::1") && !within("fe80::/10", "fec0::1"));
        assert!(within("::/0", "fec0::1") && within("::1/128", "::1"));
        for bad in ["10.0.0.1", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/", "10.0.0.0/+8"] {
            assert!(net(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_types() {
        assert_eq!(port(&lit("https")), Ok(443));
        assert!(port(&lit("nosuch")).is_err());
        assert_eq!(boolean(&lit("1")).unwrap_err().suggestion.as_deref(), Some("true"));
        assert_eq!(double(&lit("1.5")), Ok(1.5));
        assert!(double(&lit("inf")).is_err() && double(&lit("nan")).is_err());
        assert_eq!(hex(&lit("cafe01")), Ok(vec![0xca, 0xfe, 1]));
        assert!(hex(&lit("caf")).is_err() && hex(&lit("xx")).is_err());
        assert!(address(&lit("10.0.0.0/8")).unwrap_err().message.contains("fd.net"));
        assert_eq!(address(&lit("::ffff:10.0.0.1")), Ok("10.0.0.1".parse().unwrap()));
        assert_eq!(event_name(&lit("opeant")).unwrap_err().suggestion.as_deref(), Some("openat"));
        assert_eq!(meant_by_bare_word("openat").as_deref(), Some("evt.type = openat"));
    }
}
