//! The screen over a capture, with a terminal in memory.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};
use tracer::ui::app::{App, Settings};
use tracer::ui::catalog::Catalog;
use tracer::ui::event_loop::EventLoop;
use tracer::ui::theme::{Depth, Theme};
use tracer::ui::watch::{From, Watch};

/// How long the reading of a small capture may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is started.
pub struct Start<'a> {
    pub capture: PathBuf,
    pub view: &'a str,
    /// `-pc`
    pub containers: bool,
    pub filter: &'a str,
    pub depth: Depth,
}

impl Start<'_> {
    pub fn of(capture: &str) -> Self {
        Start { capture: file(capture), view: "procs", containers: false, filter: "", depth: Depth::True }
    }

    /// The program and the thread that reads for it.
    pub fn begin(&self) -> (App, Watch) {
        in_utc();
        let (catalog, faults) = Catalog::load(&[]);
        assert!(faults.is_empty(), "{faults:?}");
        let view = catalog.by_id(self.view).unwrap().clone();
        let name = self.capture.file_name().unwrap().to_string_lossy().into_owned();
        let settings = Settings {
            containers: self.containers,
            filter: self.filter.to_owned(),
            source: name,
            live: false,
            interval: Duration::from_secs(2),
            window: None,
        };
        let app = App::new(catalog, settings, &view).unwrap();
        (app, Watch::start(From::Files(vec![self.capture.clone()])).unwrap())
    }
}

/// A capture of the repository.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures").join(name)
}

/// Times of day are those of UTC, wherever the test runs.
fn in_utc() {
    static ZONE: Once = Once::new();
    // SAFETY: every test comes here first, and nothing else in this program changes the environment.
    ZONE.call_once(|| unsafe { std::env::set_var("TZ", "UTC") });
}

/// The event loop over a terminal in memory.
pub struct Stage<'a> {
    pub events: EventLoop<'a, TestBackend>,
}

impl<'a> Stage<'a> {
    pub fn new(app: &'a mut App, watch: &'a Watch, depth: Depth, (width, height): (u16, u16)) -> Self {
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        Self { events: EventLoop::new(app, watch, terminal, Theme { depth }) }
    }

    /// Goes on until the capture was read for what is on the screen now.
    pub fn settle(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.events.show().unwrap();
            if self.events.app.progress.reading.is_over {
                return;
            }
            assert!(Instant::now() < deadline, "the capture is never read:\n{}", self.picture());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.events.input(Event::Key(KeyEvent::new(code, modifiers)));
    }

    /// Presses keys, named as tmux names them, or types a text; the screen settles after each.
    pub fn press(&mut self, keys: &[&str]) {
        for key in keys {
            match code(key) {
                Some((code, modifiers)) => self.key(code, modifiers),
                None => key.chars().for_each(|c| self.key(KeyCode::Char(c), KeyModifiers::NONE)),
            }
            self.settle();
        }
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.events.terminal.backend_mut().resize(width, height);
        self.events.input(Event::Resize(width, height));
        self.events.show().unwrap();
    }

    /// The lines of the screen without the blanks at their ends.
    pub fn lines(&self) -> Vec<String> {
        let buffer = self.events.terminal.backend().buffer();
        let width = usize::from(buffer.area.width).max(1);
        let cells: Vec<&str> = buffer.content().iter().map(Cell::symbol).collect();
        cells.chunks(width).map(|line| line.concat().trim_end().to_owned()).collect()
    }

    pub fn picture(&self) -> String {
        self.lines().join("\n")
    }
}

/// Named keys.
fn code(name: &str) -> Option<(KeyCode, KeyModifiers)> {
    let plain = match name {
        "Enter" => KeyCode::Enter,
        "BSpace" => KeyCode::Backspace,
        "Escape" => KeyCode::Esc,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "NPage" => KeyCode::PageDown,
        "PPage" => KeyCode::PageUp,
        _ => match (name.strip_prefix('F').and_then(|n| n.parse().ok()), name.strip_prefix("C-")) {
            (Some(n), _) => KeyCode::F(n),
            (_, Some(letter)) => {
                return letter.chars().next().map(|c| (KeyCode::Char(c), KeyModifiers::CONTROL));
            }
            _ => return None,
        },
    };
    Some((plain, KeyModifiers::NONE))
}
