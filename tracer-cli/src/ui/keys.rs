//! What keys do on tables and texts. The keys are those of csysdig; `j`, `k`, `g`, `G` and ctrl-d, ctrl-u move as in vi.

use super::app::{App, Effect, Screen};
use super::menu::{Choice, Entry, Menu, Overlay, Prompt, Purpose, SaveAs};
use super::text_screen::{About, MODES};
use super::view::Kind;
use super::watch::Request;
use super::{export, pages};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Columns that Left and Right scroll by.
const SHIFT_STEP: usize = 4;

impl App {
    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        self.message = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, control) {
            (KeyCode::Char('c'), true) => return self.quit = true,
            (KeyCode::Char('z'), true) => return self.effects.push(Effect::Suspend),
            (KeyCode::Char('l'), true) => return self.effects.push(Effect::Redraw),
            _ => {}
        }
        match self.overlay.take() {
            Some(overlay) => self.key_in_overlay(overlay, key, control),
            None if self.slides && self.key_of_slider(key) => {}
            None => match self.screen {
                Screen::Text(_) => self.key_in_text(key, control),
                Screen::Table | Screen::Spectrogram(_) => self.key_in_table(key, control),
            },
        }
    }

    /// Keys that mean the same on every screen; `false`: this one does not.
    fn common_key(&mut self, key: KeyEvent, control: bool) -> bool {
        match key.code {
            KeyCode::F(10) | KeyCode::Char('q') => self.quit = true,
            KeyCode::F(1) | KeyCode::Char('?' | 'h') => self.overlay = Some(pages::help(self)),
            KeyCode::F(4) | KeyCode::Char('\\') => {
                let text = self.level.filter_text(&self.settings.filter);
                self.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Filter, &text)));
            }
            KeyCode::Char('f') if control => self.ask(Purpose::Search),
            KeyCode::F(3) | KeyCode::Char('/') => self.search_again(),
            KeyCode::Char('n') => self.search_next(),
            KeyCode::F(7) => self.overlay = Some(pages::about_view(&self.level)),
            KeyCode::Char('p') => {
                self.paused = !self.paused;
            }
            KeyCode::Char('s') if control => self.ask_save(),
            KeyCode::Char('t') => self.toggle_slider(),
            _ => return false,
        }
        true
    }

    /// Keys while the time slider has them; `false`: it does not know this one.
    fn key_of_slider(&mut self, key: KeyEvent) -> bool {
        let Some(slider) = &mut self.slider else { return false };
        let before = slider.part();
        match key.code {
            KeyCode::Left => slider.move_by(-1),
            KeyCode::Right => slider.move_by(1),
            KeyCode::PageUp => slider.move_by(-4),
            KeyCode::PageDown => slider.move_by(4),
            KeyCode::Home => slider.go_to_end(false),
            KeyCode::End => slider.go_to_end(true),
            KeyCode::Char('+' | '=') => slider.zoom(true),
            KeyCode::Char('-') => slider.zoom(false),
            KeyCode::Char('0') => slider.show_all(),
            KeyCode::Enter | KeyCode::Char('t') => self.slides = false,
            KeyCode::Esc => {
                slider.show_all();
                self.slides = false;
            }
            _ => return false,
        }
        if self.slider.as_ref().is_some_and(|slider| slider.part() != before) {
            self.watch_part();
        }
        self.drop_whole_slider();
        true
    }

    fn key_in_table(&mut self, key: KeyEvent, control: bool) {
        if self.moved(key, control) || (!control && self.ran_action(key)) || self.common_key(key, control) {
            return;
        }
        let is_table = matches!(self.screen, Screen::Table) && self.level.view.kind == Kind::Table;
        match key.code {
            KeyCode::F(2) => self.choose_view(),
            KeyCode::F(5) | KeyCode::Char('e') if is_table => self.read(About::Echo),
            KeyCode::F(6) | KeyCode::Char('d') if is_table => self.read(About::Dig),
            KeyCode::F(8) if !self.level.view.actions.is_empty() => {
                self.overlay = Some(Overlay::Menu(Menu::of_actions(&self.level.view.actions)));
            }
            KeyCode::F(8) => self.message = Some("this view has no actions".to_owned()),
            KeyCode::F(9) | KeyCode::Char('>') => self.choose_sorting(),
            KeyCode::F(12) if key.modifiers.contains(KeyModifiers::SHIFT) => self.spectrogram("spectro_file"),
            KeyCode::F(24) => self.spectrogram("spectro_file"),
            KeyCode::F(12) => self.spectrogram("spectro_all"),
            KeyCode::Enter => self.drill_down(),
            KeyCode::Backspace => self.drill_up(),
            KeyCode::Delete | KeyCode::Char('c') => self.clear(),
            KeyCode::Char(c @ '!'..='*') | KeyCode::Char(c @ ('@' | '^')) => self.sort_by_sign(c),
            KeyCode::Char('w') => self.ask_save(),
            KeyCode::Esc if !self.level.find.is_empty() => {
                self.level.find.clear();
                self.sort();
            }
            KeyCode::Esc => {
                self.stop_reading();
            }
            _ => {}
        }
    }

    /// Keys that move the selection.
    fn moved(&mut self, key: KeyEvent, control: bool) -> bool {
        let page = self.size.page() as isize;
        match key.code {
            KeyCode::Up => self.move_by(-1),
            KeyCode::Down => self.move_by(1),
            KeyCode::Char('k') if !control && !self.has_action('k') => self.move_by(-1),
            KeyCode::Char('j') if !control && !self.has_action('j') => self.move_by(1),
            KeyCode::PageUp => self.move_by(-page),
            KeyCode::PageDown => self.move_by(page),
            KeyCode::Char('u') if control => self.move_by(-page / 2),
            KeyCode::Char('d') if control => self.move_by(page / 2),
            KeyCode::Home => self.move_by(isize::MIN),
            KeyCode::End => self.move_by(isize::MAX),
            KeyCode::Char('g') if !control && !self.has_action('g') => self.move_by(isize::MIN),
            KeyCode::Char('G') if !self.has_action('G') => self.move_by(isize::MAX),
            KeyCode::Left => self.level.shift = self.level.shift.saturating_sub(SHIFT_STEP),
            KeyCode::Right => self.level.shift = (self.level.shift + SHIFT_STEP).min(4096),
            _ => return false,
        }
        true
    }

    fn has_action(&self, hotkey: char) -> bool {
        let mut key = [0; 4];
        let key = &*hotkey.encode_utf8(&mut key);
        self.level.view.actions.iter().any(|action| action.hotkey == key)
    }

    /// The keys of the view's actions come before others, as people know them from csysdig.
    fn ran_action(&mut self, key: KeyEvent) -> bool {
        let KeyCode::Char(c) = key.code else { return false };
        let mut text = [0; 4];
        let text = &*c.encode_utf8(&mut text);
        let Some(at) = self.level.view.actions.iter().position(|action| action.hotkey == text) else {
            return false;
        };
        self.run_action(at);
        true
    }

    pub(super) fn run_action(&mut self, at: usize) {
        if !self.settings.live {
            self.message = Some("actions work on the running system only, not on files".to_owned());
            return;
        }
        let Some(action) = self.level.view.actions.get(at).cloned() else { return };
        match export::command(&action.command, &self.level.layout, self.selected_row()) {
            Ok(command) => {
                self.overlay = Some(Overlay::Confirm { command, wait: action.wait_finish });
            }
            Err(why) => self.message = Some(why),
        }
    }

    fn choose_view(&mut self) {
        let field = self.level.selection_field.clone();
        let mut entries = Vec::new();
        let mut selected = 0;
        for view in self.catalog.for_selection(&field) {
            if view.id == self.level.view.id {
                selected = entries.len();
            }
            entries.push(Entry { text: view.name.clone(), choice: Choice::View(view.id.clone()) });
        }
        self.overlay = Some(Overlay::Menu(Menu::new("Select View", 26, entries, selected)));
    }

    fn choose_sorting(&mut self) {
        let columns = self.level.layout.columns.iter().enumerate();
        let entries: Vec<Entry> = columns
            .filter(|(_, column)| column.is_shown)
            .map(|(at, column)| Entry { text: column.heading.clone(), choice: Choice::Sort(at) })
            .collect();
        let sort = Choice::Sort(self.level.sort.0);
        let selected = entries.iter().position(|entry| entry.choice == sort).unwrap_or(0);
        self.overlay = Some(Overlay::Menu(Menu::new("Sort By", 26, entries, selected)));
    }

    /// Shift and a digit: sort by that column.
    fn sort_by_sign(&mut self, sign: char) {
        const SIGNS: &str = "!@#$%^&*(";
        let Some(nth) = SIGNS.find(sign) else { return };
        let mut shown = self.level.layout.columns.iter().enumerate().filter(|(_, column)| column.is_shown);
        if let Some((column, _)) = shown.nth(nth) {
            self.sort_by(column);
        }
    }

    fn spectrogram(&mut self, id: &str) {
        let selected = self.level.selected.clone();
        let Some(view) = self.catalog.by_id(id).cloned() else { return };
        let level = match selected.filter(|_| self.level.view.kind == Kind::Table && !self.stack.is_empty()) {
            Some(value) => self.level.drilled(&view, &value, self.settings.containers),
            None => self.level.switched(&view, self.settings.containers),
        };
        match level {
            Ok(level) => self.go_to(level),
            Err(e) => self.message = Some(e.to_string()),
        }
    }

    /// Forgets what lists and texts show so far.
    fn clear(&mut self) {
        if self.level.view.kind != Kind::Table {
            self.watch();
        }
    }

    fn ask(&mut self, purpose: Purpose) {
        self.overlay = Some(Overlay::Prompt(Prompt::new(purpose, "")));
    }

    fn ask_save(&mut self) {
        if self.recorded.is_some() && self.settings.live {
            return self.requests.push(Request::EndRecording);
        }
        let (purpose, name) = match self.screen {
            Screen::Text(_) => (SaveAs::Text, format!("{}.txt", self.level.view.id)),
            _ => (SaveAs::Table, format!("{}.csv", self.level.view.id)),
        };
        self.overlay = Some(Overlay::Prompt(Prompt::new(Purpose::Save(purpose), &name)));
    }

    fn search_again(&mut self) {
        if self.search.is_empty() { self.ask(Purpose::Search) } else { self.search_next() }
    }

    pub(super) fn search_next(&mut self) {
        let page = self.size.page();
        let found = match &mut self.screen {
            Screen::Text(text) => text.search_next(page),
            _ => {
                let from = self.selected_index().map_or(0, |at| at + 1);
                !self.search.is_empty() && self.search_rows(from)
            }
        };
        if !found {
            self.message = Some("not found".to_owned());
        }
    }

    fn key_in_text(&mut self, key: KeyEvent, control: bool) {
        let page = self.size.page();
        let lines = page as isize;
        let Screen::Text(text) = &mut self.screen else { return };
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => text.scroll(-1, page),
            KeyCode::Down | KeyCode::Char('j') => text.scroll(1, page),
            KeyCode::PageUp => text.scroll(-lines, page),
            KeyCode::PageDown | KeyCode::Char(' ') => text.scroll(lines, page),
            KeyCode::Char('u') if control => text.scroll(-lines / 2, page),
            KeyCode::Char('d') if control => text.scroll(lines / 2, page),
            KeyCode::Home | KeyCode::Char('g') if !control => text.scroll(isize::MIN, page),
            KeyCode::End | KeyCode::Char('G') => {
                text.scroll(isize::MAX, page);
                text.follow = true;
            }
            KeyCode::Left => text.shift = text.shift.saturating_sub(SHIFT_STEP),
            KeyCode::Right => text.shift = (text.shift + SHIFT_STEP).min(65_536),
            KeyCode::Char('g') => self.ask(Purpose::Line),
            KeyCode::Backspace | KeyCode::Esc => self.close_text(),
            KeyCode::Delete | KeyCode::Char('c') => text.clear(),
            KeyCode::F(2) => {
                let entry = |(at, (name, _)): (usize, &(&str, _))| Entry {
                    text: (*name).to_owned(),
                    choice: Choice::Mode(at),
                };
                let entries = MODES.iter().enumerate().map(entry).collect();
                let selected = text.mode;
                self.overlay = Some(Overlay::Menu(Menu::new("View As", 26, entries, selected)));
            }
            KeyCode::Char('w') => self.ask_save(),
            _ => drop(self.common_key(key, control)),
        }
    }
}
