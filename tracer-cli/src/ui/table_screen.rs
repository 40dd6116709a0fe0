//! Draws tables and lists.

use super::aggregate::Column as LayoutColumn;
use super::app::{App, HEAD};
use super::cell::{self, Cell};
use super::theme::Theme;
use super::view::Kind;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A column on the screen.
struct Place {
    index: usize,
    x: u16,
    /// With the blank that separates it from the next.
    width: u16,
    is_right: bool,
}

/// Where the columns are. The last one, and those of width 0, take what is left.
fn places(app: &App, width: u16) -> Vec<Place> {
    let columns: Vec<(usize, &LayoutColumn)> =
        app.level.layout.columns.iter().enumerate().filter(|(_, column)| column.is_shown).collect();
    let mut x = 0u16;
    let mut places = Vec::with_capacity(columns.len());
    let skipped = app.level.shift / 4;
    let skipped = skipped.min(columns.len().saturating_sub(1));
    let last = columns.len().saturating_sub(1);
    for (nth, (index, column)) in columns.into_iter().enumerate().skip(skipped) {
        let left = width.saturating_sub(x);
        if left == 0 {
            break;
        }
        let own = u16::try_from(column.width).unwrap_or(u16::MAX).max(column.heading.len() as u16 + 1);
        let width = if nth == last || column.width == 0 { left } else { own.min(left) };
        places.push(Place { index, x, width, is_right: is_right(column) && !column.is_bar });
        x = x.saturating_add(width);
    }
    places
}

/// Whether the values stand at the right edge: numbers to be compared.
fn is_right(column: &LayoutColumn) -> bool {
    use crate::schema::ParamType as T;
    matches!(
        column.field.ty,
        T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::Uint8
            | T::Uint16
            | T::Uint32
            | T::Uint64
            | T::Reltime
            | T::Double
    )
}

/// The column of the layout whose heading is at column `x` of the screen.
pub fn column_at(app: &App, x: u16) -> Option<usize> {
    let places = places(app, app.size.width);
    places.iter().find(|place| x >= place.x && x < place.x + place.width).map(|place| place.index)
}

/// Writes `text` into a place, cut with an ellipsis where it does not fit.
fn put(buffer: &mut Buffer, place: &Place, y: u16, text: &str, style: Style, is_last: bool) {
    let room = if is_last { place.width } else { place.width.saturating_sub(1) };
    let length = unicode_length(text);
    let room = usize::from(room);
    if length <= room {
        let x = if place.is_right { place.x + (room - length) as u16 } else { place.x };
        buffer.set_stringn(x, y, text, room, style);
    } else if room > 1 {
        let (x, _) = buffer.set_stringn(place.x, y, text, room - 1, style);
        buffer.set_stringn(x, y, "…", 1, style);
    }
}

/// Columns that a text takes on the screen.
fn unicode_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { ratatui::text::Span::raw(text).width() }
}

/// Draws heading and rows into `area`, whose first line is the heading.
pub fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let places = places(app, area.width);
    draw_heading(app, theme, &places, area, buffer);
    let rows = area.height.saturating_sub(1);
    let selected = app.selected_index();
    let largest: Vec<f64> = places
        .iter()
        .map(|place| match app.level.layout.columns.get(place.index) {
            Some(column) if column.is_bar => app.largest(place.index),
            _ => 0.0,
        })
        .collect();
    let is_list = app.level.view.kind == Kind::List;
    let mut text = String::new();
    for line in 0..rows {
        let at = app.level.top + usize::from(line);
        let Some(row) = app.order.get(at).and_then(|row| app.sample.rows.get(*row)) else { break };
        let y = area.y + 1 + line;
        let is_selected = !is_list && selected == Some(at);
        let base = if is_selected { theme.selected() } else { Style::new() };
        if is_selected {
            buffer.set_style(Rect { x: area.x, y, width: area.width, height: 1 }, base);
        }
        for (nth, place) in places.iter().enumerate() {
            let Some((cell, column)) =
                row.cells.get(place.index).zip(app.level.layout.columns.get(place.index))
            else {
                continue;
            };
            text.clear();
            if column.is_bar {
                let share = largest.get(nth).filter(|n| **n > 0.0).map_or(0.0, |n| cell.as_f64() / n);
                write_bar(share, usize::from(place.width.saturating_sub(1)), &mut text);
            } else {
                cell::write(cell, &column.field, &mut text);
            }
            let style = match () {
                () if is_selected => base,
                () if column.is_bar => theme.bar(),
                () if is_zero(cell) => theme.quiet(),
                () if is_failure(cell, column) => theme.line(super::lines::Tone::Error),
                () => base,
            };
            put(buffer, place, y, &text, style, nth + 1 == places.len());
        }
    }
    if app.order.is_empty() && rows > 1 {
        let hint = empty_hint(app);
        buffer.set_stringn(
            area.x + 1,
            area.y + 2,
            hint,
            usize::from(area.width.saturating_sub(1)),
            theme.label(),
        );
    }
    debug_assert!(area.y + 1 == HEAD);
}

/// A bar over `share` (0 to 1) of `width` places, in eighths of them.
fn write_bar(share: f64, width: usize, out: &mut String) {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize;
    out.extend(std::iter::repeat_n('█', eighths / 8));
    if !eighths.is_multiple_of(8) {
        out.push(EIGHTHS[eighths % 8]);
    }
}

/// Why there are no rows.
fn empty_hint(app: &App) -> &'static str {
    if !app.level.find.is_empty() {
        "no row has this text (Esc clears it)"
    } else if app.settings.live {
        "nothing yet that passes the filter"
    } else if app.progress.reading.is_over {
        "nothing in this file passes the filter"
    } else {
        "reading …"
    }
}

fn is_zero(cell: &Cell) -> bool {
    matches!(cell, Cell::Int(0) | Cell::Uint(0) | Cell::Reltime(0))
        || matches!(cell, Cell::Double(n) if *n == 0.0)
}

fn is_failure(cell: &Cell, column: &LayoutColumn) -> bool {
    column.field.field.name == "evt.res" && !matches!(cell, Cell::Text(text) if text.as_ref() == b"SUCCESS")
}

fn draw_heading(app: &App, theme: Theme, places: &[Place], area: Rect, buffer: &mut Buffer) {
    buffer.set_style(Rect { height: 1, ..area }, theme.heading());
    let (sorting, descending) = app.level.sort;
    let is_list = app.level.view.kind == Kind::List;
    for (nth, place) in places.iter().enumerate() {
        let Some(column) = app.level.layout.columns.get(place.index) else { continue };
        let is_last = nth + 1 == places.len();
        if place.index == sorting && !is_list {
            let arrow = if descending { "▼" } else { "▲" };
            let room = usize::from(place.width).saturating_sub(usize::from(!is_last));
            let text = match unicode_length(&column.heading) < room {
                true => format!("{}{arrow}", column.heading),
                false => column.heading.clone(),
            };
            put(buffer, place, area.y, &text, theme.sorting(), is_last);
        } else {
            put(buffer, place, area.y, &column.heading, theme.heading(), is_last);
        }
    }
}
