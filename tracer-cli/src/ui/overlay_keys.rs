//! What keys do in menus, on pages and while something is typed.

use super::app::{App, Effect, Screen};
use super::menu::{Choice, Menu, Overlay, Prompt, Purpose};
use super::text_screen::TextScreen;
use super::{export, pages};
use crate::filter::Filter;
use crossterm::event::{KeyCode, KeyEvent};

impl App {
    pub(super) fn key_in_overlay(&mut self, overlay: Overlay, key: KeyEvent, control: bool) {
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
                let last = pages::fitted(&lines, self.size.width).len().saturating_sub(page);
                top = top.min(last);
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
}
