//! What is on the screen and what is to become of it. Keys and reports come in, orders and effects go out; nothing here
//! touches a terminal or a source of events.

use super::aggregate::{Row, Sample};
use super::catalog::Catalog;
use super::cell::{self, Cell};
use super::drill::Level;
use super::lines::LineMaker;
use super::menu::Overlay;
use super::spectrogram::Spectrogram;
use super::text_screen::{About, TextScreen};
use super::view::{Kind, View};
use super::watch::{Order, Report, Subject};
use crate::filter::Filter;
use crate::output::template::Template;
use crate::source::SourceCounts;
use std::rc::Rc;
use std::time::Duration;

/// Lines above the rows of a table, and below.
pub const HEAD: u16 = 3;
pub const FOOT: u16 = 1;

const DIG: &str = "*%evt.num %evt.time %evt.cpu %proc.name %thread.tid %evt.dir %evt.type %evt.info";
const DIG_CONTAINERS: &str = "*%evt.num %evt.time %evt.cpu %container.name (%container.id) %proc.name \
     (%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info";

/// What the command line decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `-pc`
    pub containers: bool,
    pub filter: String,
    /// What is watched: `Live System` or the name of a file.
    pub source: String,
    pub live: bool,
    /// Between two samples.
    pub interval: Duration,
}

/// The parts of a screen, from the last time it was drawn: where the mouse is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Size {
    pub width: u16,
    pub height: u16,
}

impl Size {
    /// Rows of a table or lines of a text that fit.
    pub fn page(self) -> usize {
        usize::from(self.height.saturating_sub(HEAD + FOOT)).max(1)
    }
}

/// Which kind of screen it is.
pub enum Screen {
    Table,
    Spectrogram(Spectrogram),
    Text(TextScreen),
}

/// What only the terminal can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Run a command of the shell on the terminal, and wait for a key afterwards if told to.
    Run {
        command: String,
        wait: bool,
    },
    /// Draw everything anew.
    Redraw,
    Suspend,
}

/// How far the source is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub events: u64,
    pub first_ts: u64,
    pub last_ts: u64,
    /// All of the file was read.
    pub complete: bool,
    pub counts: SourceCounts,
    pub failure: Option<String>,
}

/// The program as far as it can be seen.
pub struct App {
    pub catalog: Catalog,
    pub settings: Settings,
    pub level: Level,
    /// Where Backspace leads.
    pub stack: Vec<Level>,
    pub screen: Screen,
    pub overlay: Option<Overlay>,
    pub sample: Sample,
    /// Indices into the sample's rows, sorted, without those that were filtered away.
    pub order: Vec<usize>,
    pub paused: bool,
    pub progress: Progress,
    /// What went wrong lately, or was done.
    pub message: Option<String>,
    pub size: Size,
    pub quit: bool,
    pub effects: Vec<Effect>,
    pub(super) search: String,
    number: u64,
    waiting: Option<Order>,
}

impl App {
    /// Begins with a view of the whole machine.
    ///
    /// # Errors
    /// A view that cannot be shown, with the reason.
    pub fn new(catalog: Catalog, settings: Settings, view: &Rc<View>) -> Result<Self, String> {
        let level = Level::root(view, settings.containers).map_err(|e| e.to_string())?;
        let mut app = Self {
            catalog,
            settings,
            level,
            stack: Vec::new(),
            screen: Screen::Table,
            overlay: None,
            sample: Sample::default(),
            order: Vec::new(),
            paused: false,
            progress: Progress::default(),
            message: None,
            size: Size::default(),
            quit: false,
            effects: Vec::new(),
            search: String::new(),
            number: 0,
            waiting: None,
        };
        app.watch();
        Ok(app)
    }

    /// What is to be watched from now on, if that changed.
    pub fn take_order(&mut self) -> Option<Order> {
        self.waiting.take()
    }

    /// Watches what the level says, from the beginning.
    pub(super) fn watch(&mut self) {
        self.sample = Sample::default();
        self.order.clear();
        self.screen = match self.level.view.kind {
            Kind::Spectrogram => Screen::Spectrogram(Spectrogram::default()),
            Kind::Table | Kind::List => Screen::Table,
        };
        self.order_subject(Subject::Table(self.level.layout.clone()));
    }

    fn order_subject(&mut self, subject: Subject) {
        let filter = match self.level.filter(&self.settings.filter) {
            Ok(filter) => filter,
            Err(e) => return self.message = Some(format!("{}: {}", self.level.view.name, e)),
        };
        self.order_with(subject, filter);
    }

    fn order_with(&mut self, subject: Subject, filter: Option<Filter>) {
        let is_spectrogram = matches!(self.screen, Screen::Spectrogram(_));
        let interval = match self.level.view.kind {
            Kind::Spectrogram => Duration::from_millis(500),
            Kind::List => Duration::from_millis(200),
            Kind::Table => self.settings.interval,
        };
        self.number += 1;
        if !self.settings.live {
            self.progress = Progress::default();
        }
        self.waiting = Some(Order {
            number: self.number,
            subject,
            filter,
            interval,
            every_interval: is_spectrogram,
            window: None,
        });
    }

    /// Opens the text screen for the selected row, or for all of the view.
    pub(super) fn read(&mut self, about: About) {
        let mut screen = TextScreen::new(about, self.settings.live);
        if let Screen::Text(before) = &self.screen {
            screen.mode = before.mode;
        }
        self.read_on(screen);
    }

    /// Shows the text screen with what it says how to show.
    pub(super) fn read_on(&mut self, screen: TextScreen) {
        let mode = screen.buffer_mode();
        let maker = match screen.about {
            About::Echo => LineMaker::data(mode),
            About::Dig => {
                let template = if self.settings.containers { DIG_CONTAINERS } else { DIG };
                Template::parse(template).ok().map(|template| LineMaker::events(template, mode))
            }
        };
        let Some(maker) = maker else { return };
        match self.selection_filter() {
            Ok(filter) => {
                self.screen = Screen::Text(screen);
                self.order_with(Subject::Lines(maker), filter);
            }
            Err(e) => self.message = Some(e),
        }
    }

    /// The events of the selected row.
    fn selection_filter(&self) -> Result<Option<Filter>, String> {
        let mut text = self.level.filter_text(&self.settings.filter);
        let comparison = self.level.selected.as_ref().and_then(|value| self.level.comparison(value));
        if let (Some(comparison), Kind::Table) = (comparison, self.level.view.kind) {
            text = if text.is_empty() { comparison } else { format!("({text}) and ({comparison})") };
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        Filter::compile(&text).map(Some).map_err(|e| e.to_string())
    }

    /// Back from the text screen to the table.
    pub(super) fn close_text(&mut self) {
        self.watch();
    }

    /// Looks at the selected row through the next view.
    pub(super) fn drill_down(&mut self) {
        let Some(value) = self.level.selected.clone() else { return };
        let field = self.level.layout.drill_field.clone().unwrap_or_default();
        if self.level.view.kind == Kind::List {
            return;
        }
        let Some(target) = self.catalog.drill_target(&self.level.view, &field).cloned() else {
            self.message = Some(format!("no view shows a selection by {field}"));
            return;
        };
        match self.level.drilled(&target, &value, self.settings.containers) {
            Ok(level) => self.go_to(level),
            Err(e) => self.message = Some(e.to_string()),
        }
    }

    /// Goes to another level; Backspace comes back.
    pub(super) fn go_to(&mut self, level: Level) {
        let before = std::mem::replace(&mut self.level, level);
        self.stack.push(before);
        self.watch();
    }

    pub(super) fn drill_up(&mut self) {
        if let Some(level) = self.stack.pop() {
            self.level = level;
            self.watch();
        }
    }

    /// Shows the same selection in another view.
    pub(super) fn switch_view(&mut self, id: &str) {
        let Some(view) = self.catalog.by_id(id).cloned() else { return };
        match self.level.switched(&view, self.settings.containers) {
            Ok(level) => self.go_to(level),
            Err(e) => self.message = Some(e.to_string()),
        }
    }

    /// Takes what the other thread says.
    pub fn report(&mut self, report: Report) {
        let current = self.number;
        match report {
            Report::Sample { number, sample } if number == current => {
                if self.paused && self.settings.live {
                    return;
                }
                if let Screen::Spectrogram(spectrogram) = &mut self.screen {
                    spectrogram.push(&sample);
                } else {
                    self.sample = sample;
                    self.sort();
                }
            }
            Report::Lines { number, lines, dropped } if number == current => {
                let page = self.size.page();
                if let Screen::Text(text) = &mut self.screen
                    && !self.paused
                {
                    text.extend(lines, dropped, page);
                }
            }
            Report::Progress { number, events, first_ts, last_ts } if number == current => {
                self.progress = Progress { events, first_ts, last_ts, ..Progress::default() };
            }
            Report::Complete { number, events, first_ts, last_ts } if number == current => {
                self.progress = Progress { events, first_ts, last_ts, complete: true, ..Progress::default() };
            }
            Report::Counts(counts) => self.progress.counts = counts,
            Report::Failed(why) => self.progress.failure = Some(why),
            // Of something that is no longer on the screen.
            _ => {}
        }
    }

    /// Sorts the rows anew and keeps the selected one selected.
    pub(super) fn sort(&mut self) {
        let (column, descending) = self.level.sort;
        let find = self.level.find.to_lowercase();
        let rows = &self.sample.rows;
        self.order = (0..rows.len())
            .filter(|at| find.is_empty() || rows.get(*at).is_some_and(|row| self.has_text(row, &find)))
            .collect();
        if self.level.view.kind != Kind::List {
            let naming = self.level.layout.naming();
            let cell = |row: usize, column: usize| rows.get(row).and_then(|row| row.cells.get(column));
            self.order.sort_by(|a, b| {
                let by_value = cell(*a, column).cmp(&cell(*b, column));
                let by_value = if descending { by_value.reverse() } else { by_value };
                // Rows with equal values keep their places from sample to sample.
                by_value.then_with(|| naming.map_or(a.cmp(b), |name| cell(*a, name).cmp(&cell(*b, name))))
            });
        }
        self.keep_selection();
    }

    fn keep_selection(&mut self) {
        if self.level.view.kind == Kind::List {
            // New rows are scrolled into view.
            if self.settings.live {
                self.level.top = self.order.len().saturating_sub(self.size.page());
            }
            return;
        }
        match self.selected_index() {
            Some(_) => {}
            None => self.select(0),
        }
    }

    /// The value that a row stands for.
    pub fn name_of(&self, index: usize) -> Option<&Cell> {
        let row = self.sample.rows.get(*self.order.get(index)?)?;
        row.cells.get(self.level.layout.naming()?)
    }

    /// The place of the selected row among those that are shown.
    pub fn selected_index(&self) -> Option<usize> {
        let selected = self.level.selected.as_ref()?;
        (0..self.order.len()).find(|index| self.name_of(*index) == Some(selected))
    }

    /// The selected row.
    pub fn selected_row(&self) -> Option<&Row> {
        self.sample.rows.get(*self.order.get(self.selected_index()?)?)
    }

    /// Selects a row by its place and scrolls it into view.
    pub(super) fn select(&mut self, index: usize) {
        let index = index.min(self.order.len().saturating_sub(1));
        if self.level.view.kind == Kind::List {
            let last = self.order.len().saturating_sub(self.size.page());
            self.level.top = index.min(last);
            return;
        }
        self.level.selected = self.name_of(index).cloned();
        let page = self.size.page();
        if index < self.level.top {
            self.level.top = index;
        } else if index >= self.level.top + page {
            self.level.top = index + 1 - page;
        }
    }

    /// Moves the selection.
    pub(super) fn move_by(&mut self, by: isize) {
        let at = match self.level.view.kind {
            Kind::List => self.level.top,
            _ => self.selected_index().unwrap_or(0),
        };
        self.select(at.saturating_add_signed(by));
    }

    /// Whether one of the shown cells has the text, which is in lower case.
    pub(super) fn has_text(&self, row: &Row, text: &str) -> bool {
        let columns = self.level.layout.columns.iter();
        let mut shown = String::new();
        columns.zip(&row.cells).filter(|(column, _)| column.is_shown).any(|(column, value)| {
            shown.clear();
            cell::write(value, &column.field, &mut shown);
            shown.to_lowercase().contains(text)
        })
    }

    /// Selects the next row after the selected one that has the text. `false`: there is none.
    pub(super) fn search_rows(&mut self, from: usize) -> bool {
        let needle = self.search.to_lowercase();
        let count = self.order.len();
        let has = |at: &usize| {
            let row = self.order.get(*at).and_then(|row| self.sample.rows.get(*row));
            row.is_some_and(|row| self.has_text(row, &needle))
        };
        let found = (from..count).chain(0..from.min(count)).find(has);
        if let Some(at) = found {
            self.select(at);
        }
        found.is_some()
    }
}
