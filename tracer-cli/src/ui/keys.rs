//! What keys and the mouse do. The keys are those of csysdig; `j`, `k`, `g`, `G` and ctrl-d, ctrl-u move as in vi.

use super::app::{App, Effect, FOOT, HEAD, Screen};
use super::menu::{Choice, Entry, Menu, Overlay, Prompt, Purpose, SaveAs};
use super::pages;
use super::text_screen::{About, MODES, TextScreen};
use super::view::Kind;
use super::watch::Request;
use super::{export, table_screen};
use crate::filter::Filter;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

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
            KeyCode::F(7) => self.overlay = Some(pages::legend(&self.level)),
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

    fn run_action(&mut self, at: usize) {
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

    fn search_next(&mut self) {
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

    fn key_in_overlay(&mut self, overlay: Overlay, key: KeyEvent, control: bool) {
        match overlay {
            Overlay::Menu(menu) => self.key_in_menu(menu, key),
            Overlay::Prompt(prompt) => self.key_in_prompt(prompt, key, control),
            Overlay::Confirm { command, wait } => {
                if matches!(key.code, KeyCode::Char('y' | 'Y')) {
                    self.effects.push(Effect::Run { command, wait });
                }
            }
            Overlay::Page { title, lines, mut top } => {
                let page = self.size.page();
                let last = lines.len().saturating_sub(page);
                match key.code {
                    KeyCode::Up | KeyCode::Char('k') => top = top.saturating_sub(1),
                    KeyCode::Down | KeyCode::Char('j') => top = (top + 1).min(last),
                    KeyCode::PageUp => top = top.saturating_sub(page),
                    KeyCode::PageDown | KeyCode::Char(' ') => top = (top + page).min(last),
                    KeyCode::Home => top = 0,
                    KeyCode::End => top = last,
                    KeyCode::F(10) => self.quit = true,
                    _ => return,
                }
                self.overlay = Some(Overlay::Page { title, lines, top });
            }
        }
    }

    fn key_in_menu(&mut self, mut menu: Menu, key: KeyEvent) {
        let page = self.size.page() as isize;
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => menu.move_by(-1),
            KeyCode::Down | KeyCode::Char('j') => menu.move_by(1),
            KeyCode::PageUp => menu.move_by(-page),
            KeyCode::PageDown => menu.move_by(page),
            KeyCode::Home => menu.move_by(isize::MIN),
            KeyCode::End => menu.move_by(isize::MAX),
            KeyCode::Enter => return self.choose(menu.chosen().cloned()),
            KeyCode::F(10) => return self.quit = true,
            KeyCode::Esc | KeyCode::Backspace | KeyCode::F(_) | KeyCode::Char('q') => return,
            _ => {}
        }
        self.overlay = Some(Overlay::Menu(menu));
    }

    pub(super) fn choose(&mut self, choice: Option<Choice>) {
        match choice {
            Some(Choice::View(id)) if id != self.level.view.id => self.switch_view(&id),
            Some(Choice::View(_)) | None => {}
            Some(Choice::Sort(column)) => {
                self.sort_by(column);
            }
            Some(Choice::Action(at)) => self.run_action(at),
            Some(Choice::Mode(mode)) => {
                if let Screen::Text(text) = &self.screen {
                    let mut screen = TextScreen::new(text.about, self.settings.live);
                    screen.mode = mode;
                    self.remembered.keep_mode(screen.about, mode);
                    screen.find.clone_from(&text.find);
                    self.read_on(screen);
                }
            }
        }
    }

    fn key_in_prompt(&mut self, mut prompt: Prompt, key: KeyEvent, control: bool) {
        prompt.fault = None;
        match key.code {
            KeyCode::Esc => {
                if prompt.purpose == Purpose::Rows {
                    self.level.find.clear();
                    self.sort();
                }
                return;
            }
            KeyCode::Enter | KeyCode::F(4) => return self.accept(prompt),
            KeyCode::Char('f') if control => return self.accept(prompt),
            KeyCode::F(2) => {
                prompt = match prompt.purpose {
                    Purpose::Filter => Prompt::new(Purpose::Rows, &self.level.find),
                    Purpose::Rows => {
                        Prompt::new(Purpose::Filter, &self.level.filter_text(&self.settings.filter))
                    }
                    _ => prompt,
                };
            }
            KeyCode::F(3) => self.search_next(),
            KeyCode::Char('u') if control => prompt.clear(),
            KeyCode::Char('a') if control => prompt.move_by(isize::MIN),
            KeyCode::Char('e') if control => prompt.move_by(isize::MAX),
            KeyCode::Char(c) if !control => prompt.insert(c),
            KeyCode::Backspace => prompt.backspace(),
            KeyCode::Delete => prompt.delete(),
            KeyCode::Left => prompt.move_by(-1),
            KeyCode::Right => prompt.move_by(1),
            KeyCode::Home => prompt.move_by(isize::MIN),
            KeyCode::End => prompt.move_by(isize::MAX),
            KeyCode::Up => self.move_by(-1),
            KeyCode::Down => self.move_by(1),
            _ => {}
        }
        self.while_typing(&prompt);
        self.overlay = Some(Overlay::Prompt(prompt));
    }

    /// What already happens while the text is typed.
    fn while_typing(&mut self, prompt: &Prompt) {
        match prompt.purpose {
            Purpose::Rows if self.level.find != prompt.text => {
                self.level.find.clone_from(&prompt.text);
                self.sort();
            }
            Purpose::Search if self.search != prompt.text => {
                self.search.clone_from(&prompt.text);
                let page = self.size.page();
                match &mut self.screen {
                    Screen::Text(text) => {
                        text.find.clone_from(&prompt.text);
                        text.search(text.found.unwrap_or(text.top), page);
                    }
                    _ if !prompt.text.is_empty() => {
                        self.search_rows(self.selected_index().unwrap_or(0));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn accept(&mut self, mut prompt: Prompt) {
        match prompt.purpose {
            Purpose::Rows | Purpose::Search => {}
            Purpose::Filter => match Filter::compile(&prompt.text) {
                Err(e) if !prompt.text.trim().is_empty() => {
                    prompt.fault = Some(e.to_string());
                    self.overlay = Some(Overlay::Prompt(prompt));
                }
                _ => {
                    self.level.typed = Some(prompt.text);
                    self.watch();
                }
            },
            Purpose::Line => {
                let page = self.size.page();
                match (prompt.text.trim().parse(), &mut self.screen) {
                    (Ok(number), Screen::Text(text)) => text.go_to(number, page),
                    _ => self.message = Some("a line number is needed".to_owned()),
                }
            }
            Purpose::Save(_) if prompt.text.trim().ends_with(".scap") => self.record(prompt.text.trim()),
            Purpose::Save(_) => self.message = Some(export::save(self, prompt.text.trim())),
        }
    }

    /// Text was pasted: it goes where one types.
    pub fn paste(&mut self, text: &str) {
        if let Some(Overlay::Prompt(mut prompt)) = self.overlay.take() {
            text.chars().filter(|c| !c.is_control()).for_each(|c| prompt.insert(c));
            self.while_typing(&prompt);
            self.overlay = Some(Overlay::Prompt(prompt));
        }
    }

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
                *top = top.saturating_add_signed(by).min(lines.len().saturating_sub(page));
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
                self.select(at);
                if double {
                    self.drill_down();
                }
            }
        }
    }
}
