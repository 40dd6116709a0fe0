//! The rows of a view without a screen: a line of JSON, or a text table, for each sample.

use super::app::App;
use super::catalog::Catalog;
use super::cell;
use super::export::to_json;
use super::view::Kind;
use super::watch::{Report, Watch};
use serde_json::{Map, Value as Json, json};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// How, and how much.
pub struct Format {
    /// JSON, otherwise text.
    pub json: bool,
    /// First and last row, from 0.
    pub rows: (usize, Option<usize>),
    /// Samples after which it ends.
    pub count: Option<u64>,
    /// Column to sort by, of those that are shown.
    pub sorting: Option<usize>,
}

/// Prints samples until the source ends or `stop` becomes true.
///
/// # Errors
/// A source that fails, output that cannot be written.
pub fn run(app: &mut App, watch: &Watch, format: &Format, stop: &AtomicBool) -> anyhow::Result<()> {
    let shown: Vec<usize> =
        app.level.layout.columns.iter().enumerate().filter(|(_, c)| c.is_text()).map(|(at, _)| at).collect();
    if let Some(column) = format.sorting {
        let column = shown.get(column).ok_or_else(|| anyhow::anyhow!("--sortingcol: no such column"))?;
        app.level.sort_by(*column);
    }
    app.take_requests().into_iter().for_each(|request| watch.ask(request));
    let is_spectrogram = app.level.view.kind == Kind::Spectrogram;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut printed = 0;
    while !stop.load(Ordering::Relaxed) && format.count.is_none_or(|count| printed < count) {
        let report = match watch.reports.recv_timeout(Duration::from_millis(50)) {
            Ok(report) => report,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let (is_sample, is_end) = match &report {
            Report::Sample { .. } => (app.settings.live || is_spectrogram, false),
            Report::Reading { reading, .. } => (reading.is_over && !is_spectrogram, reading.is_over),
            _ => (false, false),
        };
        app.report(report);
        if is_sample {
            let result = if format.json {
                print_json(app, format, &mut out)
            } else {
                print_text(app, format, &mut out)
            };
            match result.and_then(|()| out.flush()) {
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                result => result?,
            }
            printed += 1;
        }
        if is_end {
            break;
        }
    }
    match app.progress.failure.take() {
        Some(why) => Err(anyhow::Error::msg(why)),
        None => Ok(()),
    }
}

/// The rows that were asked for.
fn rows<'a>(app: &'a App, format: &Format) -> impl Iterator<Item = &'a super::aggregate::Row> {
    let (from, to) = format.rows;
    let count = to.map_or(usize::MAX, |to| (to - from).saturating_add(1));
    app.order.iter().skip(from).take(count).filter_map(|at| app.sample.rows.get(*at))
}

fn print_json(app: &App, format: &Format, out: &mut dyn Write) -> io::Result<()> {
    let columns = &app.level.layout.columns;
    let rows: Vec<Json> = rows(app, format)
        .map(|row| {
            let mut object = Map::new();
            for (cell, column) in row.cells.iter().zip(columns).filter(|(_, column)| column.is_text()) {
                object.insert(column.heading.clone(), to_json(cell));
            }
            Json::Object(object)
        })
        .collect();
    let sample = json!({
        "view": app.level.view.id,
        "time": app.sample.last_ts,
        "seconds": app.sample.span.as_secs_f64(),
        "filter": app.level.filter_text(&app.settings.filter),
        "total": app.order.len(),
        "events": app.sample.events,
        "overflow": app.sample.overflow,
        "rows": rows,
    });
    writeln!(out, "{sample}")
}

fn print_text(app: &App, format: &Format, out: &mut dyn Write) -> io::Result<()> {
    let columns: Vec<_> = app.level.layout.columns.iter().enumerate().filter(|(_, c)| c.is_text()).collect();
    let last = columns.len().saturating_sub(1);
    let mut line = String::new();
    let mut text = String::new();
    let add = |line: &mut String, nth: usize, width: usize, text: &str| {
        line.push_str(text);
        if nth < last {
            let filled = text.chars().count();
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(filled).max(1)));
        }
    };
    for (nth, (_, column)) in columns.iter().enumerate() {
        add(&mut line, nth, column.width, &column.heading);
    }
    writeln!(out, "{line}")?;
    for row in rows(app, format) {
        line.clear();
        for (nth, (at, column)) in columns.iter().enumerate() {
            text.clear();
            row.cells.get(*at).inspect(|value| cell::write(value, &column.field, &mut text));
            add(&mut line, nth, column.width, &text);
        }
        writeln!(out, "{line}")?;
    }
    writeln!(out)
}

/// Ids, names and descriptions.
///
/// # Errors
/// Output that cannot be written.
pub fn list_views(catalog: &Catalog) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for view in catalog.all() {
        match writeln!(out, "{:<24}{:<24}{}", view.id, view.name, view.description) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => result?,
        }
    }
    Ok(())
}
