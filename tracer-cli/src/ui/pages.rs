//! Pages to read, and what the last line says of the keys.

use super::app::{App, Screen};
use super::drill::Level;
use super::menu::Overlay;
use super::view::Kind;
use super::wrap::wrapped;
use crossterm::event::KeyCode;

/// A key of the last line.
pub struct LegendKey {
    pub name: &'static str,
    pub does: &'static str,
    code: KeyCode,
    /// Those with the largest number make room for the others.
    rank: u8,
}

impl LegendKey {
    const fn new(name: &'static str, does: &'static str, code: KeyCode, rank: u8) -> Self {
        Self { name, does, code, rank }
    }

    /// With the blank behind it.
    fn width(&self) -> usize {
        self.name.chars().count() + self.does.chars().count() + 1
    }
}

const TABLE: [LegendKey; 12] = [
    LegendKey::new("F1", "Help", KeyCode::F(1), 0),
    LegendKey::new("F2", "Views", KeyCode::F(2), 0),
    LegendKey::new("F4", "Filter", KeyCode::F(4), 1),
    LegendKey::new("F5", "Echo", KeyCode::F(5), 2),
    LegendKey::new("F6", "Dig", KeyCode::F(6), 2),
    LegendKey::new("F7", "Legend", KeyCode::F(7), 5),
    LegendKey::new("F8", "Actions", KeyCode::F(8), 4),
    LegendKey::new("F9", "Sort", KeyCode::F(9), 3),
    LegendKey::new("F12", "Spectro", KeyCode::F(12), 7),
    LegendKey::new("/", "Search", KeyCode::Char('/'), 4),
    LegendKey::new("p", "Pause", KeyCode::Char('p'), 6),
    LegendKey::new("q", "Quit", KeyCode::F(10), 0),
];

const LIST: [LegendKey; 8] = [
    LegendKey::new("F1", "Help", KeyCode::F(1), 0),
    LegendKey::new("F2", "Views", KeyCode::F(2), 0),
    LegendKey::new("F4", "Filter", KeyCode::F(4), 1),
    LegendKey::new("F7", "Legend", KeyCode::F(7), 4),
    LegendKey::new("/", "Search", KeyCode::Char('/'), 3),
    LegendKey::new("p", "Pause", KeyCode::Char('p'), 2),
    LegendKey::new("c", "Clear", KeyCode::Delete, 4),
    LegendKey::new("q", "Quit", KeyCode::F(10), 0),
];

const TEXT: [LegendKey; 8] = [
    LegendKey::new("F1", "Help", KeyCode::F(1), 0),
    LegendKey::new("F2", "View As", KeyCode::F(2), 2),
    LegendKey::new("/", "Search", KeyCode::Char('/'), 2),
    LegendKey::new("p", "Pause", KeyCode::Char('p'), 3),
    LegendKey::new("Bak", "Back", KeyCode::Backspace, 1),
    LegendKey::new("c", "Clear", KeyCode::Char('c'), 4),
    LegendKey::new("w", "Save", KeyCode::Char('w'), 3),
    LegendKey::new("q", "Quit", KeyCode::F(10), 0),
];

const MENU: [LegendKey; 3] = [
    LegendKey::new("Enter", "Choose", KeyCode::Enter, 0),
    LegendKey::new("↑↓", "Select", KeyCode::Down, 1),
    LegendKey::new("Esc", "Cancel", KeyCode::Esc, 0),
];

const PAGE: [LegendKey; 3] = [
    LegendKey::new("↑", "Up", KeyCode::Up, 1),
    LegendKey::new("↓", "Down", KeyCode::Down, 1),
    LegendKey::new("Esc", "Close", KeyCode::Esc, 0),
];

/// The keys that the last line shows: as many as there is room for, the more important ones first.
pub fn legend_keys(app: &App) -> Vec<&'static LegendKey> {
    let all: &'static [LegendKey] = match (&app.overlay, &app.screen, app.level.view.kind) {
        (Some(Overlay::Menu(_)), ..) => &MENU,
        (Some(Overlay::Page { .. }), ..) => &PAGE,
        (_, Screen::Text(_), _) => &TEXT,
        (_, Screen::Table, Kind::Table) => &TABLE,
        _ => &LIST,
    };
    let mut keys: Vec<&LegendKey> = all.iter().collect();
    let room = usize::from(app.size.width).saturating_sub(position(app).len());
    while keys.iter().map(|key| key.width()).sum::<usize>() > room {
        let Some((least, _)) = keys.iter().enumerate().max_by_key(|(_, key)| key.rank) else { break };
        keys.remove(least);
    }
    keys
}

/// The key whose legend stands at this column.
pub fn legend_key_at(app: &App, column: u16) -> Option<KeyCode> {
    let mut at = 0;
    legend_keys(app).iter().find_map(|key| {
        at += key.width();
        (usize::from(column) < at).then_some(key.code)
    })
}

/// Where on the screen one is, for the end of the last line.
pub fn position(app: &App) -> String {
    let (place, count) = match (&app.overlay, &app.screen) {
        (Some(Overlay::Menu(menu)), _) => (menu.selected + 1, menu.entries.len()),
        (Some(Overlay::Page { lines, top, .. }), _) => {
            let count = fitted(lines, app.size.width).len();
            ((top + app.size.page()).min(count), count)
        }
        (Some(_), _) | (None, Screen::Spectrogram(_)) => return String::new(),
        (None, Screen::Text(text)) => (text.top + 1, text.lines.len()),
        (None, Screen::Table) if app.level.view.kind == Kind::List => (app.level.top + 1, app.order.len()),
        (None, Screen::Table) => (app.selected_index().map_or(0, |at| at + 1), app.order.len()),
    };
    let place = place.min(count);
    format!(" {place}/{count}({}%)", place * 100 / count.max(1))
}

/// The lines of a page on a screen of this width.
pub fn fitted(lines: &[String], width: u16) -> Vec<String> {
    wrapped(lines.iter().map(String::as_str), usize::from(width.saturating_sub(2)).max(1))
}

/// F1.
pub fn help(app: &App) -> Overlay {
    let text = match app.screen {
        Screen::Text(_) => HELP_TEXT,
        Screen::Table | Screen::Spectrogram(_) => HELP_TABLE,
    };
    Overlay::Page { title: "Help".to_owned(), lines: text.lines().map(str::to_owned).collect(), top: 0 }
}

/// F7: what the view and its columns tell.
pub fn about_view(level: &Level) -> Overlay {
    Overlay::Page { title: level.view.name.clone(), lines: view_lines(level), top: 0 }
}

/// The lines of [`about_view`].
pub fn view_lines(level: &Level) -> Vec<String> {
    let view = &level.view;
    let mut lines = vec![view.description.clone(), String::new()];
    for tip in &view.tips {
        lines.extend([tip.clone(), String::new()]);
    }
    lines.push("Columns".to_owned());
    for column in level.layout.columns.iter().filter(|column| column.is_shown) {
        lines.push(format!("  {:<14} {}", column.heading, column.description));
        lines.push(format!("  {:<14} field {}", "", column.field.field.name));
    }
    lines.extend([String::new(), format!("Id: {}", view.id)]);
    if !view.filter.is_empty() {
        lines.push(format!("Filter: {}", view.filter));
    }
    if !view.actions.is_empty() {
        lines.extend([String::new(), "Action keys".to_owned()]);
        for action in &view.actions {
            lines.push(format!("  {}  {:<34} {}", action.hotkey, action.description, action.command));
        }
    }
    lines
}

const HELP_TABLE: &str = "\
A view shows what happens as a table: processes, files, connections, errors and many more. \
Choose one with F2. Enter looks at the selected row through the next view, Backspace comes \
back. Each step narrows the filter, which the second line shows.

  Up Down PgUp PgDn    move the selection (also j k, ctrl-d ctrl-u)
  Home End             to the first or last row (also g G)
  Left Right           scroll the columns
  Enter                drill down into the selected row
  Backspace            back to where you came from
  F1  ? h              this help
  F2                   choose a view for the same selection
  F4  \\                type a filter for events; F2 there: only rows with a text
  F5  e                what the selection reads and writes
  F6  d                the events of the selection
  F7                   what the view and its columns tell
  F8                   commands for the selected row; their keys work here, too
  F9  >                sort by a column; the same one again turns the order
  shift 1 … 9          sort by the first … ninth column
  F12, shift F12       how long calls take: all, those on files
  ctrl-f  /            search; F3 or n: next
  p                    pause, go on
  c  Delete            clear a list
  w                    save: NAME.csv or NAME.json the table, NAME.scap the events of the selection as \
a capture (live until w is pressed again)
  t                    on files: choose the part of the time to look at, with Left, Right, + and - \
(closer, wider), 0 (all); Enter keeps it, Esc forgets it
  Esc                  on files: stop reading
  ctrl-l               draw the screen anew
  ctrl-z               stop; fg of the shell goes on
  F10  q               quit

The mouse selects rows, sorts by the heading that is clicked, opens a row that is \
double-clicked, and presses the keys of the last line. A rectangle of a spectrogram that is \
selected with it shows the calls in it.

Amounts are in units of 1024 (K, M, G); columns named /S and BPS are by second. \
A key of a view's action comes before the same key of this list.";

const HELP_TEXT: &str = "\
What is read and written, or the events. New lines are scrolled into view while the last line is \
on the screen.

  Up Down PgUp PgDn    scroll (also j k, ctrl-d ctrl-u)
  Home End             to the first or last line (also g G)
  Left Right           scroll sideways
  F2                   choose how data is shown: text, hexadecimal …
  ctrl-f  /            search; F3 or n: next
  ctrl-g               go to a line
  p                    pause, go on
  c                    clear
  w                    save to a file
  Backspace  Esc       back to the table
  F10  q               quit";
