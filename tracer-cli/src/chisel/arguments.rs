//! The arguments of a chisel, as they stand in one word of the command line.

use super::error::ChiselError;

/// An argument that a chisel declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub description: String,
    /// Such as `int`, `string`, `filter`.
    pub kind: String,
    pub optional: bool,
}

/// Splits a line at blanks; quotes and backquotes keep what is between them together.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if matches!(c, '\'' | '"' | '`') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The arguments in `line` for these parameters: split at blanks, with quotes or backquotes around
/// those that have blanks in them. A single parameter takes the whole line.
///
/// # Errors
/// Too few, too many, and quotes that are not closed.
pub fn split(chisel: &str, line: &str, parameters: &[Parameter]) -> Result<Vec<String>, ChiselError> {
    let line = line.trim();
    let quotes = line.chars().filter(|c| matches!(c, '\'' | '`')).count();
    let values = match parameters {
        [one] if one.kind == "filter" || quotes == 0 => vec![line.to_owned()],
        _ if quotes % 2 != 0 => {
            return Err(ChiselError::usage(chisel, "a quote that is not closed in its arguments"));
        }
        _ => words(line),
    };
    check(chisel, values.len(), parameters)?;
    Ok(values)
}

/// Whether so many arguments fit.
///
/// # Errors
/// They do not; the message names those that are missing.
pub fn check(chisel: &str, count: usize, parameters: &[Parameter]) -> Result<(), ChiselError> {
    let missing: Vec<&str> =
        parameters.iter().skip(count).filter(|p| !p.optional).map(|p| p.name.as_str()).collect();
    if !missing.is_empty() {
        return Err(ChiselError::usage(
            chisel,
            format!("needs the argument {} (tracer -i {chisel})", missing.join(" and ")),
        ));
    }
    if count > parameters.len() {
        let takes = match parameters.len() {
            0 => "no arguments".to_owned(),
            1 => "one argument".to_owned(),
            n => format!("at most {n} arguments"),
        };
        return Err(ChiselError::usage(chisel, format!("takes {takes}, not {count}")));
    }
    Ok(())
}
