//! Draws the whole screen.

use super::app::{App, FOOT, HEAD, Screen, Size};
use super::cell;
use super::menu::{Menu, Overlay};
use super::slider::Slider;
use super::spectrogram::{RANGES, Spectrogram, range_start};
use super::text_screen::{About, MODES, TextScreen};
use super::theme::{Depth, Theme};
use super::wrap::end_of;
use super::{foot, pages, table_screen};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::time::Duration;

/// Below this width there is no room for what things are called.
const NARROW: u16 = 60;
/// Powers of ten in a spectrogram, from 1 ns on, and the columns that the name of one takes.
const DECADES: u32 = 11;
const LABEL_WIDTH: u32 = 6;
/// Events that are later than this are worth a word.
const NOTICEABLE_LAG: Duration = Duration::from_secs(1);

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &mut App, theme: Theme) {
    let area = frame.area();
    let before = app.size;
    app.size = Size { width: area.width, height: area.height, has_slider: app.slider.is_some() };
    if before.page() != app.size.page()
        && let Some(at) = app.selected_index()
    {
        // The selected row stays in view.
        app.select(at);
    }
    let slider = u16::from(app.slider.is_some());
    if area.height < HEAD + FOOT + slider + 1 || area.width < 10 {
        return;
    }
    if matches!(app.screen, Screen::Table) {
        let mut widths = std::mem::take(&mut app.widths);
        widths.see(app);
        app.widths = widths;
    }
    let buffer = frame.buffer_mut();
    draw_title(app, theme, area, buffer);
    draw_source(app, theme, area, buffer);
    let body = Rect { y: area.y + HEAD - 1, height: area.height - (HEAD - 1) - FOOT - slider, ..area };
    match &app.screen {
        Screen::Table => table_screen::draw(app, theme, body, buffer),
        Screen::Text(text) => draw_text(text, theme, body, buffer),
        Screen::Spectrogram(spectrogram) => draw_spectrogram(spectrogram, theme, body, buffer),
    }
    if let Some(slider) = &app.slider {
        draw_slider(slider, app.slides, theme, Rect { y: area.bottom() - 2, height: 1, ..area }, buffer);
    }
    match &app.overlay {
        Some(Overlay::Menu(menu)) => draw_menu(app, menu, theme, body, buffer),
        Some(Overlay::Page { title, lines, top }) => draw_page(title, lines, *top, theme, body, buffer),
        Some(Overlay::Prompt(_) | Overlay::Confirm { .. }) | None => {}
    }
    if let Some(cursor) = foot::draw(app, theme, area, buffer) {
        frame.set_cursor_position(cursor);
    }
}

pub(super) fn clear(buffer: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut(Position { x, y }) {
                cell.reset();
            }
        }
    }
}

/// Writes pieces after one another; returns where the next would begin.
pub(super) fn write(buffer: &mut Buffer, area: Rect, mut x: u16, pieces: &[(&str, Style)]) -> u16 {
    for (text, style) in pieces {
        let left = usize::from(area.right().saturating_sub(x));
        (x, _) = buffer.set_stringn(x, area.y, text, left, *style);
    }
    x
}

fn draw_title(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let name = match &app.screen {
        Screen::Text(text) if text.about == About::Echo => "I/O",
        Screen::Text(_) => "Events",
        _ => app.level.view.name.as_str(),
    };
    let (before, between) = if area.width < NARROW { ("", " · ") } else { ("Viewing: ", " For: ") };
    let left = usize::from(area.width).saturating_sub([before, name, between].map(columns).iter().sum());
    // The last steps say most.
    let selection = end_of(&app.selection(), left);
    let pieces = [
        (before, theme.label()),
        (name, theme.title()),
        (between, theme.label()),
        (&selection, theme.title()),
    ];
    write(buffer, area, area.x, &pieces);
    let recorded = app.recorded.as_ref().map(|r| format!("● {} events to {} (w ends it)", r.events, r.name));
    let paused = app.paused.then(|| "PAUSED".to_owned());
    let notes: Vec<String> = [paused, recorded].into_iter().flatten().collect();
    if !notes.is_empty() {
        write_right(buffer, area, &notes.join(" "), theme.alarm());
    }
}

/// Columns that a text takes, if all its characters are one wide.
fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Writes over the right end of a line.
fn write_right(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    let width = text.chars().count() as u16 + 1;
    let at = area.right().saturating_sub(width).max(area.x);
    let place = Rect { x: at, width: area.right() - at, height: 1, ..area };
    clear(buffer, place);
    write(buffer, place, at, &[(" ", Style::new()), (text, style)]);
}

/// What is watched, and how far that is. Long names of files leave room for the rest.
fn source(app: &App, width: u16) -> String {
    if app.settings.live {
        let mut source = app.settings.source.clone();
        let seconds = app.sample.span.as_secs_f64();
        if seconds > 0.0 {
            source.push_str(" (");
            cell::write_amount(app.sample.events as f64 / seconds, 0, &mut source);
            source.push_str(" evts/s)");
        }
        return source;
    }
    let reading = &app.progress.reading;
    let mut source = end_of(&app.settings.source, usize::from(width / 3));
    source.push_str(&format!(" ({} evts, ", reading.events));
    cell::write_duration(reading.last_ts.saturating_sub(reading.first_ts), &mut source);
    match reading.share.filter(|_| !reading.is_over) {
        _ if reading.is_stopped => source.push_str(", stopped"),
        Some(share) => source.push_str(&format!(", {:.0}% read", (share * 100.0).min(100.0))),
        None if !reading.is_over => source.push_str(", reading"),
        None => {}
    }
    source.push(')');
    source
}

fn draw_source(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let area = Rect { y: area.y + 1, height: 1, ..area };
    let source = source(app, area.width);
    let filter = app.filter_text();
    let filter = if filter.is_empty() { "none" } else { &filter };
    let (before, between) = if area.width < NARROW { ("", " · ") } else { ("Source: ", " Filter: ") };
    let pieces =
        [(before, theme.label()), (&source, Style::new()), (between, theme.label()), (filter, Style::new())];
    let end = write(buffer, area, area.x, &pieces);
    if usize::from(area.width) < pieces.iter().map(|(text, _)| columns(text)).sum() {
        write(buffer, area, end.min(area.right()) - 1, &[("…", theme.label())]);
    }
    if let Some(warning) = warning(app) {
        write_right(buffer, area, &warning, theme.alarm());
    }
}

/// What makes the numbers on the screen less than the truth.
fn warning(app: &App) -> Option<String> {
    if let Some(failure) = &app.progress.failure {
        return Some(failure.clone());
    }
    let cpus = &app.progress.counts.cpus;
    let lost: u64 = cpus.iter().map(|cpu| cpu.lost).sum();
    let attempted: u64 = cpus.iter().map(|cpu| cpu.attempted).sum();
    if lost > 0 {
        let percent = lost as f64 * 100.0 / attempted.max(1) as f64;
        return Some(format!("{lost} events lost ({percent:.1}%)"));
    }
    if app.progress.lag >= NOTICEABLE_LAG {
        return Some(format!("{:.1}s behind", app.progress.lag.as_secs_f64()));
    }
    (app.sample.overflow > 0).then(|| format!("{} events in rows that did not fit", app.sample.overflow))
}

fn draw_text(text: &TextScreen, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mode = MODES.get(text.mode).map_or("", |(name, _)| name);
    let heading = Rect { height: 1, ..area };
    buffer.set_style(heading, theme.heading());
    let dropped =
        if text.dropped > 0 { format!(", {} older ones dropped", text.dropped) } else { String::new() };
    let what = format!("{} lines{dropped}  ({mode})", text.lines.len());
    write(buffer, heading, area.x, &[(&what, theme.heading())]);
    for line in 0..area.height.saturating_sub(1) {
        let at = text.top + usize::from(line);
        let Some(shown) = text.lines.get(at) else { break };
        let y = area.y + 1 + line;
        let is_found = text.found == Some(at);
        let style = if is_found { theme.found() } else { theme.line(shown.tone) };
        let cut: String = shown.text.chars().skip(text.shift).collect();
        buffer.set_stringn(area.x, y, cut, usize::from(area.width), style);
    }
}

/// Newest interval at the bottom; the scale of latencies in the first line.
fn draw_spectrogram(spectrogram: &Spectrogram, theme: Theme, area: Rect, buffer: &mut Buffer) {
    buffer.set_style(Rect { height: 1, ..area }, theme.heading());
    let width = u32::from(area.width).max(1);
    // As many powers of ten as leave room for their names.
    let step = (1..DECADES).find(|step| step * width / DECADES >= LABEL_WIDTH).unwrap_or(DECADES);
    let mut label = String::new();
    for decade in (0..DECADES).step_by(step as usize) {
        label.clear();
        cell::write_duration(range_start(decade * RANGES / DECADES + 1), &mut label);
        let x = area.x + (decade * width / DECADES) as u16;
        let text = format!("|{}", label.replace(".00", ""));
        buffer.set_stringn(x, area.y, text, usize::from(area.right() - x), theme.heading());
    }
    let peak = spectrogram.peak();
    if peak == 0 {
        return;
    }
    let first = spectrogram.first_seen(usize::from(area.height.saturating_sub(1)));
    let mut counts = vec![0u64; usize::from(area.width)];
    for (line, interval) in spectrogram.lines.iter().skip(first).enumerate() {
        counts.fill(0);
        for (range, count) in &interval.counts {
            let x = (range.saturating_sub(1).min(RANGES - 1) * width / RANGES) as usize;
            if let Some(slot) = counts.get_mut(x) {
                *slot += count;
            }
        }
        for (x, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = share_of(*count, peak);
            let at = Position { x: area.x + x as u16, y: area.y + 1 + line as u16 };
            let Some(cell) = buffer.cell_mut(at) else { continue };
            shade(cell, share, theme);
        }
    }
    if let Some(((left, upper), (right, lower))) = spectrogram.rectangle() {
        let place = Rect { x: left, y: upper, width: right - left + 1, height: lower - upper + 1 };
        buffer.set_style(place.intersection(area), theme.rectangle());
    }
}

/// How far a count is on the way from none to `peak`, as a spectrogram shows it: one call is to be seen beside thousands.
pub(super) fn share_of(count: u64, peak: u64) -> f64 {
    (count as f64).ln_1p() / (peak as f64).ln_1p()
}

/// Fills a cell with the colour of a share from 0 to 1, or with a sign where there are no colours.
pub(super) fn shade(cell: &mut ratatui::buffer::Cell, share: f64, theme: Theme) {
    const SIGNS: [char; 5] = ['.', ':', 'o', 'O', '#'];
    match theme.depth {
        Depth::None => {
            let at = ((share * SIGNS.len() as f64) as usize).min(SIGNS.len() - 1);
            cell.set_char(SIGNS.get(at).copied().unwrap_or('#'));
        }
        _ => _ = cell.set_char(' ').set_bg(theme.heat(share)),
    }
}

/// The whole time of the capture with what happened when; what is not looked at is quiet.
fn draw_slider(slider: &Slider, has_keys: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
    const LEVELS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let ((first, last), (from, to)) = (slider.extent(), slider.part());
    let width = usize::from(area.width);
    let sums = match &slider.activity {
        Some(activity) => activity.columns(first, last, width),
        None => vec![0.0; width],
    };
    let peak = sums.iter().copied().fold(1.0, f64::max);
    let column = |ts: u64| ((ts - first) as f64 / (last - first) as f64 * width as f64) as usize;
    let (left, right) = (column(from), column(to).max(column(from) + 1));
    for (x, sum) in sums.iter().enumerate() {
        let level = if *sum > 0.0 { 1 + (sum.ln_1p() / peak.ln_1p() * 7.0) as usize } else { 0 };
        let style = if (left..right).contains(&x) { theme.chosen(has_keys) } else { theme.quiet() };
        if let Some(cell) = buffer.cell_mut(Position { x: area.x + x as u16, y: area.y }) {
            cell.set_char(LEVELS.get(level).copied().unwrap_or('█')).set_style(style);
        }
    }
    let mut times = String::from(" +");
    cell::write_duration(from - first, &mut times);
    times.push_str(" … +");
    cell::write_duration(to - first, &mut times);
    times.push(' ');
    let keys = if has_keys { " ←→ move  +- width  0 all  Enter keep  Esc all " } else { " t to change " };
    let with_keys = format!("{times}{keys}");
    // The middle of the line stays a picture.
    let fits = |text: &String| columns(text) + 10 < width;
    if let Some(text) = [with_keys, times].into_iter().find(fits) {
        // On the side where nothing is chosen.
        let is_left = left + right > width;
        let at = if is_left { area.x } else { area.right() - columns(&text) as u16 };
        write(buffer, area, at, &[(&text, theme.label())]);
    }
}

fn draw_menu(app: &App, menu: &Menu, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let width = menu.width.min(area.width);
    let place = Rect { width, ..area };
    clear(buffer, place);
    for y in place.top()..place.bottom() {
        write(buffer, Rect { y, height: 1, ..place }, place.right() - 1, &[("│", theme.label())]);
    }
    let place = Rect { width: width - 1, ..place };
    let heading = Rect { height: 1, ..place };
    buffer.set_style(heading, theme.heading());
    write(buffer, heading, place.x, &[(menu.title, theme.heading())]);
    let height = usize::from(area.height.saturating_sub(1));
    let top = (menu.selected + 1).saturating_sub(height);
    for (line, (at, entry)) in menu.entries.iter().enumerate().skip(top).take(height).enumerate() {
        let row = Rect { y: area.y + 1 + line as u16, height: 1, ..place };
        let style = if at == menu.selected { theme.selected() } else { Style::new() };
        buffer.set_style(row, style);
        buffer.set_stringn(row.x, row.y, &entry.text, usize::from(row.width), style);
    }
    // Beside the views: what the highlighted one shows.
    let Some(super::menu::Choice::View(id)) = menu.chosen() else { return };
    let Some(view) = app.catalog.by_id(id) else { return };
    if let Ok(level) = super::drill::Level::root(view, app.settings.containers)
        && area.width > width + 20
    {
        let beside = Rect { x: area.x + width, width: area.width - width, ..area };
        draw_page(&view.name, &pages::view_lines(&level), 0, theme, beside, buffer);
    }
}

fn draw_page(title: &str, lines: &[String], top: usize, theme: Theme, area: Rect, buffer: &mut Buffer) {
    clear(buffer, area);
    let heading = Rect { height: 1, ..area };
    buffer.set_style(heading, theme.heading());
    write(buffer, heading, area.x, &[(" ", theme.heading()), (title, theme.heading())]);
    let shown = pages::fitted(lines, area.width);
    let height = usize::from(area.height.saturating_sub(1));
    let top = top.min(shown.len().saturating_sub(height));
    for (y, line) in (area.y + 1..area.bottom()).zip(shown.iter().skip(top)) {
        buffer.set_stringn(area.x + 1, y, line, usize::from(area.width.saturating_sub(1)), Style::new());
    }
}
