//! One argument of a call as tracer prints it beside the same as strace prints it.

use crate::strace_log::{self, Call};

/// What of a call a parameter stands for.
pub struct Place {
    /// `None`: the result.
    pub argument: Option<usize>,
    /// A member of the argument, if not all of it.
    pub member: Option<String>,
}

/// Compares one value as tracer prints it with the piece of the call that it stands for.
pub fn compare(
    call: &Call,
    place: &Place,
    value: &str,
    kind: &str,
    format: &str,
    own_names: &[String],
) -> Result<(), String> {
    let Some(argument) = place.argument else {
        let Some(result) = call.result else { return Ok(()) };
        return same_number(value, kind, format, i128::from(result));
    };
    // Arguments that a call does not look at are not printed by strace (the mode of an open without O_CREAT).
    let Some(mut theirs) = call.arguments.get(argument).map(String::as_str) else { return Ok(()) };
    if let Some(member) = &place.member {
        // The structure could not be read: an address is shown instead.
        if !theirs.starts_with(['{', '[']) {
            return Ok(());
        }
        theirs = strace_log::member(theirs, member).unwrap_or("0");
    }
    match kind {
        "FSPATH" | "FSRELPATH" | "CHARBUF" => same_string(value, theirs),
        "BYTEBUF" => same_bytes(value, theirs, call.result),
        "SOCKADDR" => same_address(value, theirs),
        "RELTIME" => same_time(value, theirs),
        "FLAGS8" | "FLAGS16" | "FLAGS32" | "ENUMFLAGS8" | "ENUMFLAGS16" | "ENUMFLAGS32" => {
            same_names(value, theirs, own_names)
        }
        _ => {
            let Some(number) = strace_log::sum(theirs) else {
                return Err(format!("cannot read «{theirs}»"));
            };
            same_number(value, kind, format, number)
        }
    }
}

fn same_number(value: &str, kind: &str, format: &str, theirs: i128) -> Result<(), String> {
    let digits = value.split('(').next().unwrap_or("");
    let ours = match format {
        "HEX" => i128::from_str_radix(digits, 16).ok(),
        "OCT" => i128::from_str_radix(digits, 8).ok(),
        _ => digits.parse().ok(),
    };
    let Some(ours) = ours else { return Err(format!("«{value}» is not {theirs}")) };
    // What is shown has the width of the parameter's type, with or without a sign.
    let bits = match kind {
        "UINT8" | "INT8" | "SIGTYPE" => 8,
        "UINT16" | "INT16" => 16,
        "UINT32" | "INT32" | "MODE" | "UID" | "GID" => 32,
        _ => 64,
    };
    let mask = (1i128 << bits) - 1;
    // A descriptor is an int for the kernel whatever the register holds.
    let mask = if kind == "FD" || kind == "PID" { 0xffff_ffff } else { mask };
    if ours & mask == theirs & mask { Ok(()) } else { Err(format!("is {value}, not {theirs}")) }
}

fn same_string(value: &str, theirs: &str) -> Result<(), String> {
    let Some(text) = strace_log::string(theirs) else {
        // Not readable, or no string at all.
        return if value.is_empty() || value.starts_with('<') || value == "NULL" {
            Ok(())
        } else {
            Err(format!("is «{value}» where there is no string"))
        };
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    // A relative path is followed by the absolute one in brackets.
    let plain = value == text
        || value.strip_prefix(&text).is_some_and(|rest| rest.starts_with('(') && rest.ends_with(')'));
    let empty = text.is_empty() && (value == "<NA>" || value == "NULL");
    if plain || empty { Ok(()) } else { Err(format!("is «{value}», not «{text}»")) }
}

fn same_bytes(value: &str, theirs: &str, result: Option<i64>) -> Result<(), String> {
    if result.is_none_or(|result| result < 0) || strace_log::string(theirs).is_none() {
        return Ok(());
    }
    let bytes = strace_log::string(theirs).unwrap_or_default();
    let printable = |byte: &u8| if (0x20..0x7f).contains(byte) { *byte as char } else { '.' };
    let text: String = bytes.iter().take(80).map(printable).collect();
    let shown: String = value.chars().take(text.chars().count()).collect();
    if shown == text || (text.is_empty() && value == "NULL") {
        Ok(())
    } else {
        Err(format!("is «{value}», not «{text}»"))
    }
}

fn same_address(value: &str, theirs: &str) -> Result<(), String> {
    if !theirs.starts_with('{') {
        return Ok(());
    }
    // strace -X verbose prints the bytes and, in a comment, the call that would make them.
    let inside =
        |start: &str, end: char| theirs.split_once(start).and_then(|(_, rest)| rest.split(end).next());
    let expected = if let Some(path) = inside("sun_path=\"", '"') {
        path.to_string()
    } else if let Some(port) = inside("htons(", ')') {
        let address = inside("inet_addr(\"", '"').or_else(|| inside("AF_INET6, \"", '"')).unwrap_or("?");
        format!("{address}:{port}")
    } else {
        return Err(format!("cannot read «{theirs}»"));
    };
    // tracer may say the family first.
    if value == expected || value.ends_with(&format!(" {expected}")) {
        Ok(())
    } else {
        Err(format!("is «{value}», not «{expected}»"))
    }
}

fn same_time(value: &str, theirs: &str) -> Result<(), String> {
    let part = |name: &str| strace_log::member(theirs, name).and_then(strace_log::integer);
    let (Some(seconds), Some(rest)) = (part("tv_sec"), part("tv_nsec")) else { return Ok(()) };
    same_number(value, "RELTIME", "DEC", seconds * 1_000_000_000 + rest)
}

fn same_names(value: &str, theirs: &str, own_names: &[String]) -> Result<(), String> {
    let inside = value.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let ours: Vec<&str> = inside
        .split('|')
        .filter(|name| !name.is_empty() && !own_names.iter().any(|own| own == name))
        .collect();
    let theirs_named = strace_log::names(theirs);
    let known: Vec<&str> = theirs_named.iter().map(String::as_str).collect();
    // `AF_???`: a number that has no name; the schema's tables then have one of their own for all such.
    if known.iter().any(|name| name.contains('?')) {
        return Ok(());
    }
    let missing = known.iter().any(|name| !ours.contains(name) && !known_by_other_name(name, &ours));
    let extra = ours.iter().any(|name| !known.contains(name) && !implied(name, &known));
    if missing || extra { Err(format!("is {value}, not {}", known.join("|"))) } else { Ok(()) }
}

/// strace's name, tracer's name: constants that the schema's tables call otherwise, or (an empty name) do not have.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("AF_UNIX", "AF_LOCAL"),
    ("EFD_CLOEXEC", "O_CLOEXEC"),
    ("IN_CLOEXEC", "O_CLOEXEC"),
    ("SFD_CLOEXEC", "O_CLOEXEC"),
    ("MNT_DETACH", "DETACH"),
    ("MAP_STACK", ""),
    ("O_NOFOLLOW", ""),
    ("F_OK", ""),
    ("PROT_NONE", ""),
];

fn known_by_other_name(name: &str, ours: &[&str]) -> bool {
    // `0x200`: bits that strace has no name for.
    name.starts_with("0x")
        || OTHER_NAMES
            .iter()
            .any(|(theirs, other)| name == *theirs && (other.is_empty() || ours.contains(other)))
}

/// Names that tracer shows because the schema's table gives one bit to two constants.
const IMPLIED: &[(&str, &str)] =
    &[("O_TMPFILE", "O_DIRECTORY"), ("O_SYNC", "O_DSYNC"), ("AF_LOCAL", "AF_UNIX"), ("AF_UNIX", "AF_LOCAL")];

fn implied(name: &str, known: &[&str]) -> bool {
    // strace prints a plain 0 where the schema has a name for it.
    (known.is_empty() && name.ends_with("_NONE"))
        || OTHER_NAMES.iter().any(|(theirs, other)| name == *other && known.contains(theirs))
        || IMPLIED.iter().any(|(shown, by)| name == *shown && known.contains(by))
}
