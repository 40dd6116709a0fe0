//! What leaves the screen: tables and texts as files, commands for the shell, the rows of a view as JSON.

use super::aggregate::Row;
use super::app::{App, Screen};
use super::cell::{self, Cell};
use super::layout::Layout;
use super::text_screen::TextScreen;
use serde_json::{Map, Value as Json, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Writes what is on the screen to a file that is not there yet, and says what was done.
pub fn save(app: &App, name: &str) -> String {
    if name.is_empty() {
        return "a name is needed".to_owned();
    }
    let path = Path::new(name);
    let done = OpenOptions::new().write(true).create_new(true).open(path).and_then(|file| {
        let mut out = io::BufWriter::new(file);
        let lines = match &app.screen {
            Screen::Text(text) => save_text(text, &mut out),
            _ if path.extension().is_some_and(|ending| ending == "json") => save_json(app, &mut out),
            _ => save_csv(app, &mut out),
        }?;
        out.flush()?;
        Ok(lines)
    });
    match done {
        Ok(lines) => format!("{lines} lines saved to {name}"),
        Err(e) => format!("{name}: {e}"),
    }
}

fn save_text(text: &TextScreen, out: &mut dyn Write) -> io::Result<usize> {
    for line in &text.lines {
        writeln!(out, "{}", line.text)?;
    }
    Ok(text.lines.len())
}

fn save_csv(app: &App, out: &mut dyn Write) -> io::Result<usize> {
    let shown = shown(&app.level.layout);
    let headings: Vec<String> = shown.iter().map(|(_, heading)| csv(heading)).collect();
    writeln!(out, "{}", headings.join(","))?;
    for row in rows(app) {
        let values = shown.iter().map(|(at, _)| {
            let mut text = String::new();
            row.cells.get(*at).inspect(|cell| cell::write_raw(cell, &mut text));
            csv(&text)
        });
        writeln!(out, "{}", values.collect::<Vec<_>>().join(","))?;
    }
    Ok(app.order.len())
}

fn save_json(app: &App, out: &mut dyn Write) -> io::Result<usize> {
    let shown = shown(&app.level.layout);
    for row in rows(app) {
        let mut object = Map::new();
        for (at, heading) in &shown {
            object.insert((*heading).to_owned(), row.cells.get(*at).map_or(Json::Null, to_json));
        }
        writeln!(out, "{}", Json::Object(object))?;
    }
    Ok(app.order.len())
}

fn rows(app: &App) -> impl Iterator<Item = &Row> {
    app.order.iter().filter_map(|at| app.sample.rows.get(*at))
}

/// The columns that are shown, with their headings.
fn shown(layout: &Layout) -> Vec<(usize, &str)> {
    let columns = layout.columns.iter().enumerate();
    columns.filter(|(_, column)| column.is_text()).map(|(at, column)| (at, column.heading.as_str())).collect()
}

/// A value in a CSV file (RFC 4180).
fn csv(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A value as JSON; text that is not UTF-8 gets replacement characters.
pub fn to_json(cell: &Cell) -> Json {
    match cell {
        Cell::Nothing => Json::Null,
        Cell::Bool(b) => json!(b),
        Cell::Int(n) => json!(n),
        Cell::Uint(n) | Cell::Reltime(n) | Cell::Abstime(n) => json!(n),
        Cell::Double(n) => json!(n),
        Cell::Text(text) => json!(String::from_utf8_lossy(text)),
        Cell::Ip(ip) => json!(ip.to_string()),
        Cell::Port(port) => json!(port),
    }
}

/// The command of an action with the values of the selected row in the place of its `%fields`, quoted for the shell:
/// whatever a traced program calls itself, it is one word.
///
/// # Errors
/// No row is selected, or the view has no column with one of the fields; the text for the user.
pub fn command(template: &str, layout: &Layout, row: Option<&Row>) -> Result<String, String> {
    let row = row.ok_or("no row is selected")?;
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let end = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_')))
            .unwrap_or(after.len());
        let name = after[..end].trim_end_matches('.');
        if name.is_empty() {
            out.push('%');
            rest = after;
            continue;
        }
        let at = layout.columns.iter().position(|column| column.field.field.name == name);
        let value = at.and_then(|at| row.cells.get(at)).filter(|value| **value != Cell::Nothing);
        let Some(value) = value else { return Err(format!("this row has no {name}")) };
        let mut text = String::new();
        cell::write_raw(value, &mut text);
        out.push_str(&shell_word(&text));
        rest = &after[name.len()..];
    }
    out.push_str(rest);
    Ok(out)
}

fn shell_word(text: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | ':' | '-' | '+' | '@');
    if !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::catalog::Catalog;

    #[test]
    fn a_value_is_one_word_for_the_shell() {
        let catalog = Catalog::load(&[]).0;
        let layout = Layout::new(catalog.by_id("files").unwrap(), false, 0).unwrap();
        let row = |name: &[u8]| Row {
            cells: layout
                .columns
                .iter()
                .map(|column| match column.field.field.name {
                    "fd.name" => Cell::Text(name.into()),
                    _ => Cell::Nothing,
                })
                .collect(),
        };
        let made = |name: &[u8]| command("less %fd.name", &layout, Some(&row(name)));
        assert_eq!(made(b"/tmp/a").unwrap(), "less /tmp/a");
        assert_eq!(made(b"/tmp/$(id) 'x'").unwrap(), "less '/tmp/$(id) '\\''x'\\'''");
        assert_eq!(made(b"a;\nreboot").unwrap(), "less 'a;.reboot'");
        assert!(command("kill %proc.pid", &layout, Some(&row(b"x"))).is_err());
        assert!(command("kill %fd.name", &layout, None).is_err());
        assert_eq!(command("echo 5% of %fd.name.", &layout, Some(&row(b"f"))).unwrap(), "echo 5% of f.");
    }

    #[test]
    fn commas_and_quotes_are_quoted() {
        assert_eq!(csv("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv("plain"), "plain");
    }
}
