//! Draws tables and lists.

use super::aggregate::Row;
use super::app::{App, HEAD};
use super::cell;
use super::layout::Column as LayoutColumn;
use super::meaning;
use super::theme::Theme;
use super::view::Kind;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns of numbers have at least as many characters.
const SMALL_NUMBER: u16 = 4;

/// A column on the screen.
pub(super) struct Place {
    pub index: usize,
    pub x: u16,
    /// With the blank that separates it from the next.
    pub width: u16,
    is_right: bool,
}

/// What the columns of a table need to show all that was seen of them so far, by the index in the layout. They grow and
/// do not shrink while a view is on the screen, so that it keeps still.
#[derive(Debug, Clone, Default)]
pub struct Widths(Vec<u16>);

impl Widths {
    fn of(&self, column: usize) -> u16 {
        self.0.get(column).copied().unwrap_or(0)
    }

    /// Looks at the rows that are going to be drawn.
    pub fn see(&mut self, app: &App) {
        let columns = &app.level.layout.columns;
        self.0.resize(columns.len(), 0);
        let rows = app.order.iter().skip(app.level.top).take(app.size.page());
        let rows: Vec<&Row> = rows.filter_map(|at| app.sample.rows.get(*at)).collect();
        let mut text = String::new();
        for (index, (column, need)) in columns.iter().zip(&mut self.0).enumerate() {
            if !column.is_text() {
                continue;
            }
            let heading = unicode_length(&column.heading) as u16 + u16::from(has_arrow(app, index));
            *need = (*need).max(heading).max(if is_right(column) { SMALL_NUMBER } else { 0 });
            for cell in rows.iter().filter_map(|row| row.cells.get(index)) {
                text.clear();
                cell::write(cell, &column.field, &mut text);
                *need = (*need).max(u16::try_from(unicode_length(&text)).unwrap_or(u16::MAX));
            }
        }
    }
}

/// Whether the table is sorted by this column.
fn has_arrow(app: &App, index: usize) -> bool {
    app.level.sort.0 == index && app.level.view.kind != Kind::List
}

/// What the last column of a table has at least, if it is a text, on a screen of this width.
const fn least(width: u16) -> u16 {
    if width < 60 { width / 3 } else { 7 }
}

/// A column, with its index in the layout.
type Indexed<'a> = (usize, &'a LayoutColumn);

/// Whether the column takes what is left of the line.
fn takes_rest(columns: &[Indexed<'_>], (index, column): &Indexed<'_>) -> bool {
    let is_last = columns.last().is_some_and(|(last, _)| last == index);
    column.width == 0 || (is_last && !is_right(column))
}

/// What a column has of a line that is not longer than needed, with the blank that separates it from the next. Numbers
/// have what they need; texts that, too, if it is not more than the view says.
fn own(app: &App, (index, column): &Indexed<'_>) -> u16 {
    let limit = u16::try_from(column.width).unwrap_or(u16::MAX);
    let most = if is_right(column) { u16::MAX } else { limit };
    let need = if column.is_bar { limit } else { app.widths.of(*index).saturating_add(1) };
    need.min(most.max(unicode_length(&column.heading) as u16 + 1))
}

/// The columns for a screen of this width, of those from the first one that is not scrolled away on. Where they do not
/// fit, the last one, the command line in most views, matters more than those before it, names of containers matter more
/// yet, and the one that sorts matters most.
fn fitting(app: &App, width: u16) -> Vec<Indexed<'_>> {
    let columns = app.level.layout.columns.iter().enumerate();
    let mut columns: Vec<Indexed<'_>> = columns.filter(|(_, column)| column.is_shown).collect();
    let scrolled = (app.level.shift / 4).min(columns.len().saturating_sub(1));
    columns.drain(..scrolled);
    loop {
        let Some((last, before)) = columns.split_last() else { return columns };
        let needed = match () {
            () if last.1.is_bar => 0,
            () if is_right(last.1) => own(app, last),
            () => least(width).min(app.widths.of(last.0)),
        };
        let total = before.iter().fold(needed, |sum, column| sum.saturating_add(own(app, column)));
        if total <= width {
            return columns;
        }
        let sorts = |(index, _): &&Indexed<'_>| *index == app.level.sort.0;
        let has_name = |(_, column): &&Indexed<'_>| column.field.field.name.starts_with("container.");
        let mut before = before.iter().skip(1);
        let spare = before.clone().rposition(|column| !sorts(&column) && !has_name(&column));
        match spare.or_else(|| before.rposition(|column| !sorts(&column))) {
            Some(spare) => drop(columns.remove(spare + 1)),
            None => return columns,
        }
    }
}

/// Where the columns are. What is left of the line is for texts that need more than the view says, and then for the last
/// column, if it is a text, and those of width 0.
pub(super) fn places(app: &App, width: u16) -> Vec<Place> {
    let columns = fitting(app, width);
    let wanted = columns.iter().fold(0u16, |sum, column| {
        let rest = takes_rest(&columns, column);
        sum.saturating_add(if rest { app.widths.of(column.0) } else { own(app, column) })
    });
    let mut spare = width.saturating_sub(wanted);
    let mut x = 0u16;
    let mut places = Vec::with_capacity(columns.len());
    for column in &columns {
        let left = width.saturating_sub(x);
        if left == 0 {
            break;
        }
        let width = if takes_rest(&columns, column) {
            left
        } else {
            let own = own(app, column);
            let more = app.widths.of(column.0).saturating_add(1).saturating_sub(own).min(spare);
            spare -= more;
            (own + more).min(left)
        };
        places.push(Place { index: column.0, x, width, is_right: is_right(column.1) });
        x = x.saturating_add(width);
    }
    places
}

/// Whether the values stand at the right edge: numbers to be compared.
fn is_right(column: &LayoutColumn) -> bool {
    use crate::schema::ParamType as T;
    !column.is_bar
        && matches!(
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
                () => theme.value(meaning::of(cell, column)),
            };
            put(buffer, place, y, &text, style, nth + 1 == places.len());
            if column.field.field.name == "proc.exeline" && !is_selected {
                let name = meaning::program_name(&text);
                let at = |byte: usize| text.get(..byte).map_or(0, unicode_length);
                let (begin, end) = (at(name.start), at(name.end).min(usize::from(place.width)));
                let (x, begin, end) = (area.x + place.x, begin as u16, end as u16);
                let one_line = |x, width| Rect { x, y, width, height: 1 }.intersection(area);
                buffer.set_style(one_line(x, begin.min(place.width)), theme.quiet());
                buffer.set_style(one_line(x + begin, end.saturating_sub(begin)), theme.title());
            }
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
    } else if app.progress.failure.is_some() {
        "nothing more is read"
    } else if app.settings.live {
        "nothing yet that passes the filter"
    } else if app.progress.reading.is_over {
        "nothing in this file passes the filter"
    } else {
        "reading …"
    }
}

fn draw_heading(app: &App, theme: Theme, places: &[Place], area: Rect, buffer: &mut Buffer) {
    buffer.set_style(Rect { height: 1, ..area }, theme.heading());
    for (nth, place) in places.iter().enumerate() {
        let Some(column) = app.level.layout.columns.get(place.index) else { continue };
        let is_last = nth + 1 == places.len();
        if has_arrow(app, place.index) {
            let arrow = if app.level.sort.1 { "▼" } else { "▲" };
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
