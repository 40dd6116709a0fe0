//! What is on the screen and what is to become of it. Keys and reports come in, orders and effects go out; nothing here
//! touches a terminal or a source of events.

use super::aggregate::Sample;
use super::catalog::Catalog;
use super::drill::Level;
use super::lines::LineMaker;
use super::menu::Overlay;
use super::remembered::Remembered;
use super::slider::Slider;
use super::spectrogram::Spectrogram;
use super::table_screen::Widths;
use super::text_screen::{About, TextScreen};
use super::view::{Kind, View};
use super::watch::{Order, Reading, Recording, Report, Request, Subject};
use crate::filter::Filter;
use crate::output::template::Template;
use crate::source::SourceCounts;
use crate::window::Window;
use std::rc::Rc;
use std::time::Duration;

/// Lines above the rows of a table, and below.
pub const HEAD: u16 = 3;
pub const FOOT: u16 = 1;

/// Before the line of an event in a spectrogram.
const DIG_LATENCY: &str = "(latency=%evt.latency.human) (fd=%fd.name) ";
const DIG: &str = "%evt.num %evt.time %evt.cpu %proc.name %thread.tid %evt.dir %evt.type %evt.info";
const DIG_CONTAINERS: &str = "%evt.num %evt.time %evt.cpu %container.name (%container.id) %proc.name \
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
    /// The part of a capture that is looked at.
    pub window: Option<Window>,
}

/// The parts of a screen, from the last time it was drawn: where the mouse is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Size {
    pub width: u16,
    pub height: u16,
    /// The line above the last one is the time slider.
    pub has_slider: bool,
}

impl Size {
    /// Rows of a table or lines of a text that fit.
    pub fn page(self) -> usize {
        usize::from(self.height.saturating_sub(HEAD + FOOT + u16::from(self.has_slider))).max(1)
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

/// How far the source is, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Of a capture.
    pub reading: Reading,
    /// Of all of it, once it was read as a whole.
    pub whole: Option<Reading>,
    pub counts: SourceCounts,
    /// How far behind the events are.
    pub lag: Duration,
    pub failure: Option<String>,
}

/// A capture that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub name: String,
    pub events: u64,
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
    pub widths: Widths,
    pub paused: bool,
    pub progress: Progress,
    /// What went wrong lately, or was done.
    pub message: Option<String>,
    pub size: Size,
    pub quit: bool,
    pub effects: Vec<Effect>,
    pub(super) search: String,
    /// The capture that is being written.
    pub recorded: Option<Recorded>,
    /// Which part of a capture is shown, while that is being chosen or is not all of it.
    pub slider: Option<Slider>,
    /// The slider has the keys.
    pub slides: bool,
    pub remembered: Remembered,
    /// Something was reported at least once.
    has_shown: bool,
    number: u64,
    pub(super) requests: Vec<Request>,
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
            widths: Widths::default(),
            paused: false,
            progress: Progress::default(),
            message: None,
            size: Size::default(),
            quit: false,
            effects: Vec::new(),
            search: String::new(),
            recorded: None,
            slider: None,
            slides: false,
            remembered: Remembered::default(),
            has_shown: false,
            number: 0,
            requests: Vec::new(),
        };
        app.watch();
        Ok(app)
    }

    /// What the other thread is to be asked for.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Takes what was remembered of earlier runs.
    pub fn remember(&mut self, remembered: Remembered) {
        self.remembered = remembered;
        self.remembered.sort(&mut self.level);
    }

    /// Sorts by a column, the same one again in the other direction, and remembers it.
    pub(super) fn sort_by(&mut self, column: usize) {
        self.level.sort_by(column);
        self.remembered.keep_sort(&self.level);
        self.sort();
    }

    /// Shows another part of the capture, as the slider says; what is on the screen stays until it is there.
    pub(super) fn watch_part(&mut self) {
        self.settings.window = self.slider.as_ref().and_then(Slider::window);
        match &self.screen {
            Screen::Table => self.order_subject(Subject::Table(self.level.layout.clone())),
            Screen::Spectrogram(_) => self.watch(),
            Screen::Text(text) => {
                let (about, mode, find) = (text.about, text.mode, text.find.clone());
                let mut screen = TextScreen::new(about, false);
                (screen.mode, screen.find) = (mode, find);
                self.read_on(screen);
            }
        }
    }

    /// Gives the keys to the time slider, or takes them back.
    pub(super) fn toggle_slider(&mut self) {
        if self.settings.live {
            self.message = Some("the time slider is for files".to_owned());
            return;
        }
        self.slides = !self.slides;
        if self.slides && self.slider.is_none() {
            let reading = &self.progress.reading;
            let whole = self.progress.whole.as_ref().unwrap_or(reading);
            if whole.first_ts == 0 {
                self.slides = false;
                self.message = Some("nothing was read yet".to_owned());
                return;
            }
            let part = self.settings.window.map(|_| (reading.first_ts, reading.last_ts));
            self.slider = Some(Slider::new(whole.first_ts, whole.last_ts, part, whole.activity.clone()));
        }
        self.drop_whole_slider();
    }

    /// A slider that is not used and shows all there is needs no line.
    pub(super) fn drop_whole_slider(&mut self) {
        if !self.slides && self.slider.as_ref().is_some_and(|slider| slider.window().is_none()) {
            self.slider = None;
        }
    }

    /// Whether a capture is being read.
    pub(super) fn is_reading(&self) -> bool {
        !self.settings.live && !self.progress.reading.is_over
    }

    /// Stops the reading of a capture. `false`: it is over already.
    pub(super) fn stop_reading(&mut self) -> bool {
        let is_reading = self.is_reading();
        if is_reading {
            self.requests.push(Request::StopReading);
        }
        is_reading
    }

    /// Writes the events of the selection to a capture: live those from now on, until [`Request::EndRecording`].
    pub(super) fn record(&mut self, name: &str) {
        match self.selection_filter() {
            Ok(filter) => {
                let (path, window) = (name.into(), self.settings.window);
                self.requests.push(Request::Record(Box::new(Recording { path, filter, window })));
            }
            Err(e) => self.message = Some(e),
        }
    }

    /// Shows the events of a rectangle of the spectrogram.
    pub(super) fn read_rectangle(&mut self) {
        let Screen::Spectrogram(spectrogram) = &mut self.screen else { return };
        let rows = self.size.page();
        let filter = spectrogram.take_rectangle(self.size.width, HEAD, rows, !self.settings.live);
        let Some(filter) = filter else { return };
        let level = self.level.narrowed(&filter);
        self.go_to(level);
        self.read(About::Dig);
    }

    /// Watches what the level says, from the beginning.
    pub(super) fn watch(&mut self) {
        self.sample = Sample::default();
        self.order.clear();
        self.widths = Widths::default();
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
            self.progress.reading = Reading::default();
            self.progress.failure = None;
        }
        // What nobody asked for yet need not be watched at all.
        self.requests.retain(|request| !matches!(request, Request::Watch(_)));
        self.requests.push(Request::Watch(Box::new(Order {
            number: self.number,
            subject,
            filter,
            interval,
            every_interval: is_spectrogram,
            window: self.settings.window,
        })));
    }

    /// Opens the text screen for the selected row, or for all of the view.
    pub(super) fn read(&mut self, about: About) {
        let mut screen = TextScreen::new(about, self.settings.live);
        screen.mode = self.remembered.mode(about).unwrap_or(screen.mode);
        self.read_on(screen);
    }

    /// Shows the text screen with what it says how to show.
    pub(super) fn read_on(&mut self, screen: TextScreen) {
        self.level.is_chosen = true;
        let mode = screen.buffer_mode();
        let maker = match screen.about {
            About::Echo => LineMaker::data(mode),
            About::Dig => {
                let template = if self.settings.containers { DIG_CONTAINERS } else { DIG };
                let latency = if self.level.is_rectangle { DIG_LATENCY } else { "" };
                Template::parse(&format!("*{latency}{template}"))
                    .ok()
                    .map(|template| LineMaker::events(template, mode))
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

    /// What only events of the selected row fulfil.
    fn row_condition(&self) -> Option<String> {
        let name = self.level.selected.as_deref().filter(|_| self.level.view.kind == Kind::Table)?;
        self.level.comparison(name)
    }

    /// The filter of the events of the selected row.
    fn selection_text(&self) -> String {
        let text = self.level.filter_text(&self.settings.filter);
        match self.row_condition() {
            Some(condition) if text.is_empty() => condition,
            Some(condition) => format!("({text}) and ({condition})"),
            None => text,
        }
    }

    /// The filter of what is on the screen.
    pub(super) fn filter_text(&self) -> String {
        match self.screen {
            Screen::Text(_) => self.selection_text(),
            Screen::Table | Screen::Spectrogram(_) => self.level.filter_text(&self.settings.filter),
        }
    }

    /// What was selected on the way to what is on the screen.
    pub(super) fn selection(&self) -> String {
        match (&self.screen, self.row_condition()) {
            (Screen::Text(_), Some(row)) if self.level.path.is_empty() => row,
            (Screen::Text(_), Some(row)) => format!("{} and {row}", self.level.selection()),
            _ => self.level.selection(),
        }
    }

    fn selection_filter(&self) -> Result<Option<Filter>, String> {
        let text = self.selection_text();
        if text.trim().is_empty() {
            return Ok(None);
        }
        Filter::compile(&text).map(Some).map_err(|e| e.to_string())
    }

    /// Back from the text screen to the table.
    pub(super) fn close_text(&mut self) {
        if self.level.is_rectangle { self.drill_up() } else { self.watch() }
    }

    /// Looks at the selected row through the next view.
    pub(super) fn drill_down(&mut self) {
        let Some(name) = self.level.selected.clone() else { return };
        let field = self.level.layout.drill_fields.first().cloned().unwrap_or_default();
        if self.level.view.kind == Kind::List {
            return;
        }
        let Some(target) = self.catalog.drill_target(&self.level.view, &field).cloned() else {
            self.message = Some(format!("no view shows a selection by {field}"));
            return;
        };
        match self.level.drilled(&target, &name, self.settings.containers) {
            Ok(level) => self.go_to(level),
            Err(e) => self.message = Some(e.to_string()),
        }
    }

    /// Goes to another level; Backspace comes back.
    pub(super) fn go_to(&mut self, mut level: Level) {
        self.level.is_chosen = true;
        self.remembered.sort(&mut level);
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
        self.has_shown |=
            matches!(report, Report::Sample { .. } | Report::Lines { .. } | Report::Reading { .. });
        match report {
            Report::Sample { number, sample } if number == current => {
                if self.paused && self.settings.live {
                    return;
                }
                if let Screen::Spectrogram(spectrogram) = &mut self.screen {
                    spectrogram.push(&sample);
                }
                let at_end = self.selected_index().is_none_or(|at| at + 1 == self.order.len());
                self.sample = sample;
                self.sort();
                if self.settings.live && self.level.view.keeps_rows && at_end {
                    // What is new comes last.
                    self.select(usize::MAX);
                }
            }
            Report::Lines { number, lines, dropped } if number == current => {
                let page = self.size.page();
                if let Screen::Text(text) = &mut self.screen {
                    // Nothing that happens during a pause is missing after it.
                    text.follow &= !self.paused;
                    text.extend(lines, dropped, page);
                }
            }
            Report::Reading { number, reading } if number == current => {
                if reading.activity.is_some() && self.settings.window.is_none() {
                    self.progress.whole = Some(reading.clone());
                }
                if reading.is_over {
                    // Values change no more: what was seen on the way says nothing.
                    self.widths = Widths::default();
                }
                self.progress.reading = reading;
            }
            Report::Source { counts, lag } => (self.progress.counts, self.progress.lag) = (counts, lag),
            Report::Recorded { events, name, outcome: None } => {
                self.recorded = Some(Recorded { name, events });
            }
            Report::Recorded { events, name, outcome: Some(outcome) } => {
                self.recorded = None;
                self.message = Some(match outcome {
                    Ok(()) => format!("{events} events saved to {name}"),
                    Err(why) => format!("{name}: {why}"),
                });
            }
            Report::Failed(why) => self.progress.failure = Some(why),
            Report::Ended(why) => {
                // Before there was anything to look at, the reason is all there is to say.
                self.quit |= !self.has_shown;
                self.progress.failure = Some(why);
            }
            // Of something that is no longer on the screen.
            _ => {}
        }
    }
}
