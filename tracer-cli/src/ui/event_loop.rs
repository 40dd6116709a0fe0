//! One turn after another: reports and keys come in, the screen is drawn. Over any terminal, also one in memory.

use super::app::{App, Effect};
use super::theme::Theme;
use super::watch::Watch;
use crossterm::event::{Event, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::Backend;
use std::time::{Duration, Instant};

/// Two clicks within this time are a double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);
/// Reports that are taken before the screen is drawn again.
const REPORTS_AT_ONCE: usize = 64;

/// The screen with what changes it.
pub struct EventLoop<'a, B: Backend> {
    pub app: &'a mut App,
    pub terminal: Terminal<B>,
    watch: &'a Watch,
    theme: Theme,
    clicked: Option<(Instant, u16, u16)>,
    dirty: bool,
}

impl<'a, B: Backend> EventLoop<'a, B> {
    pub fn new(app: &'a mut App, watch: &'a Watch, terminal: Terminal<B>, theme: Theme) -> Self {
        Self { app, terminal, watch, theme, clicked: None, dirty: true }
    }

    /// Passes on what the screen asks for, takes what was reported, and draws if anything changed.
    ///
    /// # Errors
    /// A terminal that cannot be written.
    pub fn show(&mut self) -> Result<(), B::Error> {
        self.app.take_requests().into_iter().for_each(|request| self.watch.ask(request));
        for report in self.watch.reports.try_iter().take(REPORTS_AT_ONCE) {
            self.app.report(report);
            self.dirty = true;
        }
        if self.dirty {
            self.terminal.draw(|frame| super::draw::draw(frame, self.app, self.theme))?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Somebody pressed a key, moved the mouse, pasted a text or changed the size of the terminal.
    pub fn input(&mut self, event: Event) {
        self.dirty = true;
        match event {
            Event::Key(key) => self.app.key(key),
            Event::Mouse(mouse) => {
                let is_press = matches!(mouse.kind, MouseEventKind::Down(_));
                let double = is_press
                    && self.clicked.is_some_and(|(at, x, y)| {
                        at.elapsed() < DOUBLE_CLICK && (x, y) == (mouse.column, mouse.row)
                    });
                if is_press {
                    self.clicked = (!double).then(|| (Instant::now(), mouse.column, mouse.row));
                }
                self.app.mouse(mouse, double);
            }
            Event::Paste(text) => self.app.paste(&text),
            // The size is looked at whenever the screen is drawn.
            Event::Resize(..) | Event::FocusGained | Event::FocusLost => {}
        }
    }

    /// What only the terminal can do; the screen is drawn again afterwards.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        let effects = std::mem::take(&mut self.app.effects);
        self.dirty |= !effects.is_empty();
        effects
    }

    /// Draws everything anew, whatever the terminal shows.
    ///
    /// # Errors
    /// A terminal that cannot be written.
    pub fn redraw(&mut self) -> Result<(), B::Error> {
        self.dirty = true;
        self.terminal.clear()
    }
}
