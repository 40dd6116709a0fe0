//! The last line: what the keys do, a message, a question, or what is being typed. What is too long for it rises into
//! the lines above.

use super::app::{App, Screen};
use super::cell;
use super::draw::{clear, shade, share_of, write};
use super::lines::Tone;
use super::menu::{Overlay, Prompt, Purpose, SaveAs};
use super::pages;
use super::theme::Theme;
use super::wrap::wrapped;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Draws it at the bottom of `area`; returns where the cursor is, if something is typed.
pub fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let foot = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    match (&app.overlay, &app.message) {
        (Some(Overlay::Prompt(prompt)), _) => return Some(draw_prompt(prompt, theme, area, buffer)),
        (Some(Overlay::Confirm { command, .. }), _) => {
            rise(&format!("Run «{command}»? [y/N] "), theme.alarm(), area, buffer);
        }
        (_, Some(message)) => rise(message, theme.alarm(), area, buffer),
        (_, None) => draw_legend(app, theme, foot, buffer),
    }
    None
}

/// Writes a text into as many of the last lines of `area` as it needs.
fn rise(text: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    let lines = wrapped([text], usize::from(area.width).max(1));
    let count = (lines.len() as u16).min(area.height);
    let place = Rect { y: area.bottom() - count, height: count, ..area };
    clear(buffer, place);
    for (y, line) in (place.y..place.bottom()).zip(&lines) {
        buffer.set_stringn(place.x, y, line, usize::from(place.width), style);
    }
}

fn draw_legend(app: &App, theme: Theme, foot: Rect, buffer: &mut Buffer) {
    let mut x = foot.x;
    for key in pages::legend_keys(app) {
        x = write(
            buffer,
            foot,
            x,
            &[(key.name, theme.key()), (key.does, theme.legend()), (" ", Style::new())],
        );
    }
    if let (Screen::Spectrogram(spectrogram), None) = (&app.screen, &app.overlay) {
        return draw_scale(
            spectrogram.peak(),
            theme,
            Rect { x, width: foot.right().saturating_sub(x), ..foot },
            buffer,
        );
    }
    let position = pages::position(app);
    let at = foot.right().saturating_sub(position.len() as u16);
    if at >= x {
        write(buffer, foot, at, &[(&position, theme.label())]);
    }
}

/// What the colours of a spectrogram mean, from one call to the most that fell into one place.
fn draw_scale(peak: u64, theme: Theme, area: Rect, buffer: &mut Buffer) {
    const STEPS: u16 = 15;
    let mut most = String::from(" ");
    cell::write_amount(peak as f64, 0, &mut most);
    let width = 2 + STEPS + most.len() as u16;
    if peak < 2 || area.width < width {
        return;
    }
    let least = share_of(1, peak);
    let mut x = write(buffer, area, area.right() - width, &[("1 ", theme.label())]);
    for step in 0..STEPS {
        if let Some(cell) = buffer.cell_mut(Position { x, y: area.y }) {
            shade(cell, least + (1.0 - least) * f64::from(step) / f64::from(STEPS - 1), theme);
        }
        x += 1;
    }
    write(buffer, area, x, &[(&most, theme.label())]);
}

/// What one may do while something is typed.
fn hints(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Filter => &["Enter: use it", "F2: rows with a text", "Esc: cancel"],
        Purpose::Rows => &["Enter: keep", "F2: filter events", "Esc: all rows"],
        Purpose::Save(SaveAs::Table) => &[".csv .json: the table", ".scap: the events of the selection"],
        Purpose::Save(SaveAs::Text) => &[".scap: the events, otherwise the text"],
        Purpose::Search | Purpose::Line => &[],
    }
}

fn draw_prompt(prompt: &Prompt, theme: Theme, area: Rect, buffer: &mut Buffer) -> Position {
    let foot = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    clear(buffer, foot);
    if let Some(fault) = &prompt.fault {
        let above = Rect { height: area.height.saturating_sub(1), ..area };
        rise(fault, theme.alarm(), above, buffer);
    }
    let x = write(buffer, foot, foot.x, &[(prompt.label(), theme.title())]);
    let room = usize::from(foot.right().saturating_sub(x)).saturating_sub(1);
    // What is typed scrolls when it is longer than the line.
    let skipped = prompt.cursor.saturating_sub(room);
    let shown: String = prompt.text.chars().skip(skipped).collect();
    let mut end = write(buffer, foot, x, &[(&shown, theme.line(Tone::Plain))]);
    for hint in hints(prompt.purpose) {
        if usize::from(foot.right().saturating_sub(end)) < hint.len() + 2 {
            break;
        }
        end = write(buffer, foot, end, &[("  ", Style::new()), (hint, theme.label())]);
    }
    Position { x: x + (prompt.cursor - skipped) as u16, y: foot.y }
}
