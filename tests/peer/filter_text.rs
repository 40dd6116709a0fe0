//! The text of a filter for a field, an operator and values that the field has.

/// The operators that sysdig 0.29.3 knows. It takes `intersects` for `in` with something behind it and refuses it.
pub const OPERATORS: [&str; 14] = [
    "exists",
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "contains",
    "icontains",
    "startswith",
    "endswith",
    "glob",
    "in",
    "pmatch",
];

/// Longest value that is used.
const LONGEST: usize = 60;

/// A check of the field with one of the values, the `turn`th of those that can be written down; `None` when there are
/// none or all are equal.
pub fn filter_text(field: &str, ty: &str, operator: &str, values: &[String], turn: usize) -> Option<String> {
    let mut usable: Vec<String> = values.iter().filter_map(|value| constant(ty, value)).collect();
    usable.dedup();
    if usable.is_empty() || usable.len() < 2 && !values.iter().any(|value| value == "<NA>") {
        return None;
    }
    let pick = |i: usize| usable[(turn * 7 + i * 3) % usable.len()].as_str();
    let value = pick(0);
    let quoted = |text: &str| format!("\"{text}\"");
    let (third, half) = (value.len() / 3, value.len() / 2);
    let text = match operator {
        "exists" => return Some(format!("{field} exists")),
        "contains" => quoted(&value[third..value.len() - third]),
        "icontains" => quoted(&value[third..value.len() - third].to_uppercase()),
        "startswith" => quoted(&value[..value.len() - half]),
        "endswith" => quoted(&value[half..]),
        "glob" if value.contains(['*', '?', '[', '\\']) => return None,
        "glob" => quoted(&format!("{}*{}", &value[..third], &value[value.len() - third..])),
        "in" => format!("({}, {})", quoted(value), quoted(pick(1))),
        "pmatch" => {
            // A directory above a path.
            let above = value.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).nth(turn % 2);
            format!("({}, {})", quoted(&value[..above.unwrap_or(value.len())]), quoted(pick(1)))
        }
        _ => quoted(value),
    };
    (text != "\"\"").then(|| format!("{field} {operator} {text}"))
}

/// A printed value as a constant of a filter; `None` for those that cannot be written down.
fn constant(ty: &str, value: &str) -> Option<String> {
    let number = || value.parse::<i64>().ok();
    match ty {
        _ if value.is_empty() || value == "<NA>" || value.len() > LONGEST => None,
        "INT16" | "INT32" | "INT64" => number().map(|n| n.to_string()),
        "PORT" => number().filter(|n| (0..1 << 16).contains(n)).map(|n| n.to_string()),
        "UINT32" => number().filter(|n| (0..1 << 32).contains(n)).map(|n| n.to_string()),
        "UINT64" | "RELTIME" | "ABSTIME" => number().filter(|n| *n >= 0).map(|n| n.to_string()),
        "IPNET" => Some(format!("{value}/{}", if value.contains(':') { 64 } else { 16 })),
        _ => {
            let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\') || c == ' ';
            (value.chars().all(is_plain) && value.trim() == value).then(|| value.to_string())
        }
    }
}
