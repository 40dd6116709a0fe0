//! What the mouse does.

use super::app::{App, FOOT, HEAD, Screen};
use super::menu::Overlay;
use super::view::Kind;
use super::{pages, table_screen};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

impl App {
    /// The mouse was moved or clicked.
    pub fn mouse(&mut self, mouse: MouseEvent, double: bool) {
        match mouse.kind {
            MouseEventKind::ScrollUp => self.wheel(-3),
            MouseEventKind::ScrollDown => self.wheel(3),
            MouseEventKind::Down(MouseButton::Left) => self.click(mouse.column, mouse.row, double),
            MouseEventKind::Drag(MouseButton::Left) => self.drag(mouse.column, mouse.row),
            MouseEventKind::Up(MouseButton::Left) if self.overlay.is_none() => self.read_rectangle(),
            _ => {}
        }
    }

    fn drag(&mut self, column: u16, row: u16) {
        let last = self.size.height.saturating_sub(FOOT + 1);
        if let Screen::Spectrogram(spectrogram) = &mut self.screen
            && let Some((_, to)) = &mut spectrogram.drag
        {
            *to = (column.min(self.size.width.saturating_sub(1)), row.clamp(HEAD, last.max(HEAD)));
        }
    }

    fn wheel(&mut self, by: isize) {
        let page = self.size.page();
        match (&mut self.overlay, &mut self.screen) {
            (Some(Overlay::Menu(menu)), _) => menu.move_by(by),
            (Some(Overlay::Page { lines, top, .. }), _) => {
                let last = pages::fitted(lines, self.size.width).len().saturating_sub(page);
                *top = top.saturating_add_signed(by).min(last);
            }
            (_, Screen::Text(text)) => text.scroll(by, page),
            _ => self.move_by(by),
        }
    }

    fn click(&mut self, column: u16, row: u16, double: bool) {
        if row + 1 == self.size.height {
            if let Some(key) = pages::legend_key_at(self, column) {
                self.key(KeyEvent::new(key, KeyModifiers::NONE));
            }
            return;
        }
        if let Some(Overlay::Menu(menu)) = &mut self.overlay {
            let at = usize::from(row.saturating_sub(HEAD));
            if row >= HEAD && column < menu.width && at < menu.entries.len() {
                menu.selected = at;
                let choice = menu.chosen().cloned();
                self.overlay = None;
                self.choose(choice);
            } else {
                self.overlay = None;
            }
            return;
        }
        if self.overlay.is_some() {
            return;
        }
        if row + 2 == self.size.height
            && let Some(slider) = &mut self.slider
        {
            slider.place(f64::from(column) / f64::from(self.size.width.max(1)));
            return self.watch_part();
        }
        if let Screen::Spectrogram(spectrogram) = &mut self.screen
            && row >= HEAD
        {
            spectrogram.drag = Some(((column, row), (column, row)));
        }
        if !matches!(self.screen, Screen::Table) {
            return;
        }
        if row == 1 {
            self.key(KeyEvent::new(KeyCode::F(4), KeyModifiers::NONE));
        } else if row + 1 == HEAD {
            if let Some(at) = table_screen::column_at(self, column) {
                self.sort_by(at);
            }
        } else if row >= HEAD {
            let at = self.level.top + usize::from(row - HEAD);
            if at < self.order.len() && self.level.view.kind == Kind::Table {
                self.choose_row(at);
                if double {
                    self.drill_down();
                }
            }
        }
    }
}
