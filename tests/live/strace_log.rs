//! What strace wrote about one thread (`strace -ff -v -X verbose`), taken apart: calls, arguments, results.

/// One call as strace shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// The arguments as they were printed, comments with names of constants included.
    pub arguments: Vec<String>,
    /// The result; a negative error number for a failed call, `None` for one that never returns.
    pub result: Option<i64>,
    /// The line itself, for messages.
    pub line: String,
}

/// Reads the calls of one thread in order. Lines about signals and exits are left out.
pub fn calls(log: &str, errno: &dyn Fn(&str) -> Option<i64>) -> Vec<Call> {
    log.lines().filter_map(|line| call(line, errno)).collect()
}

fn call(line: &str, errno: &dyn Fn(&str) -> Option<i64>) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let (arguments, after) = arguments(rest);
    let result = after.trim_start().strip_prefix("= ").and_then(|text| {
        let mut words = text.split_whitespace();
        let number = integer(words.next()?)?;
        match words.next() {
            Some(error) if number == -1 && error.starts_with('E') => Some(-errno(error)?),
            _ => Some(number as i64),
        }
    });
    Some(Call { name: name.into(), arguments, result, line: line.into() })
}

/// Splits what follows the opening bracket at the commas of the outermost level; returns the rest of the line, too.
fn arguments(text: &str) -> (Vec<String>, &str) {
    let bytes = text.as_bytes();
    let (mut depth, mut start, mut at) = (0, 0, 0);
    let mut found = Vec::new();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => {
                at = text[at..].find("*/").map_or(bytes.len(), |length| at + length + 1);
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' if depth == 0 => {
                found.push(text[start..at].trim().to_string());
                found.retain(|argument| !argument.is_empty());
                return (found, &text[at + 1..]);
            }
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(text[start..at].trim().to_string());
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    (found, "")
}

/// The place of the quote that ends the string beginning at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// The sum of numbers joined with |, each with or without its name in a comment: `0x1 /* A */|0x80000 /* B */`.
pub fn sum(text: &str) -> Option<i128> {
    let mut total = 0;
    let mut rest = text;
    loop {
        total += integer(rest)?;
        rest = match rest.split_once("*/|") {
            Some((_, rest)) => rest,
            None => return Some(total),
        };
    }
}

/// The number at the start of a piece of text: decimal, 0x hexadecimal or 0 octal; NULL is 0.
pub fn integer(text: &str) -> Option<i128> {
    let text = text.trim_start();
    if text.starts_with("NULL") {
        return Some(0);
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let end = digits.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(digits.len());
    let digits = &digits[..end];
    let value = match (digits.strip_prefix("0x"), digits.strip_prefix('0')) {
        (Some(hexadecimal), _) => i128::from_str_radix(hexadecimal, 16).ok()?,
        (None, Some(octal)) if !octal.is_empty() => i128::from_str_radix(octal, 8).ok()?,
        _ => digits.parse().ok()?,
    };
    Some(if negative { -value } else { value })
}

/// The bytes of a printed string; `None` if the argument is none (an address that strace could not or would not follow).
pub fn string(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let end = end_of_string(bytes, 0);
    let mut value = Vec::new();
    let mut at = 1;
    while at < end {
        if bytes[at] != b'\\' {
            value.push(bytes[at]);
            at += 1;
            continue;
        }
        at += 1;
        let special = match bytes.get(at)? {
            b'n' => Some(b'\n'),
            b't' => Some(b'\t'),
            b'r' => Some(b'\r'),
            b'v' => Some(0x0b),
            b'f' => Some(0x0c),
            b'x' => {
                value.push(u8::from_str_radix(text.get(at + 1..at + 3)?, 16).ok()?);
                at += 3;
                continue;
            }
            b'0'..=b'7' => {
                let digits =
                    bytes[at..end].iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                value.push(u8::from_str_radix(&text[at..at + digits], 8).ok()?);
                at += digits;
                continue;
            }
            other => Some(*other),
        };
        value.extend(special);
        at += 1;
    }
    Some(value)
}

/// The names in the comment of a number: `0x241 /* O_WRONLY|O_CREAT */`.
pub fn names(text: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once("/*") else { return Vec::new() };
    let inside = rest.split("*/").next().unwrap_or("");
    inside.split('|').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect()
}

/// One member of a printed structure: `field` of `{a=1, field=2}`; without a name the n-th of `[1, 2]`.
pub fn member<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    if let Ok(index) = field.parse::<usize>() {
        let inside = text.trim_start_matches(['[', '{']).trim_end_matches([']', '}']);
        return inside.split(',').nth(index).map(str::trim);
    }
    let key = format!("{field}=");
    let mut at = 0;
    while let Some(found) = text[at..].find(&key) {
        let start = at + found;
        at = start + key.len();
        let before = text[..start].bytes().last();
        if matches!(before, None | Some(b'{' | b' ' | b'[')) {
            let rest = &text[at..];
            let end = if rest.starts_with('"') {
                end_of_string(rest.as_bytes(), 0) + 1
            } else {
                rest.find([',', '}']).unwrap_or(rest.len())
            };
            return rest.get(..end);
        }
    }
    None
}

/// The reading itself, on lines as strace writes them.
pub fn reads_lines() -> anyhow::Result<()> {
    let errno = |name: &str| (name == "ENOENT").then_some(2);
    let read = |line: &str| calls(line, &errno).pop();
    let opened =
        read(r#"openat(-100 /* AT_FDCWD */, "a, b)\n\33\0016", 0x241 /* O_WRONLY|O_CREAT */, 0644) = 3"#);
    let opened = opened.ok_or_else(|| anyhow::anyhow!("not a call"))?;
    anyhow::ensure!(
        opened.name == "openat" && opened.arguments.len() == 4 && opened.result == Some(3),
        "{opened:?}"
    );
    anyhow::ensure!(
        integer(&opened.arguments[0]) == Some(-100) && integer(&opened.arguments[3]) == Some(0o644),
        "{opened:?}"
    );
    anyhow::ensure!(string(&opened.arguments[1]).as_deref() == Some(b"a, b)\n\x1b\x016"), "{opened:?}");
    anyhow::ensure!(names(&opened.arguments[2]) == ["O_WRONLY", "O_CREAT"], "{opened:?}");
    let failed = read("stat(\"x\", {a=1, b={c=2}}) = -1 ENOENT (No such file or directory)");
    anyhow::ensure!(failed.as_ref().and_then(|call| call.result) == Some(-2), "{failed:?}");
    anyhow::ensure!(
        read("exit_group(0) = ?").is_some_and(|call| call.result.is_none()),
        "an end has no result"
    );
    anyhow::ensure!(read("--- SIGUSR1 {si_signo=SIGUSR1} ---").is_none(), "a signal is no call");
    anyhow::ensure!(member("{flags=0x80000 /* O */, resolve=0x8}", "resolve") == Some("0x8"), "member");
    anyhow::ensure!(member("[6, 7]", "1") == Some("7"), "element");
    Ok(())
}
