//! `-P`: on standard error, how much of the files was read.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it is shown.
const INTERVAL: Duration = Duration::from_millis(100);

/// Shows how much was read, until it is told to end.
pub(super) struct Progress {
    read: Arc<AtomicU64>,
    ended: Sender<bool>,
    shows: JoinHandle<()>,
}

/// How it is shown.
enum View {
    /// On a terminal.
    Bar(ProgressBar),
    /// To programs: the percentage, over and over on one line, as sysdig has it.
    Percent,
}

impl Progress {
    /// Begins to show it. Of pipes, whose length nobody knows, only the bytes are shown.
    pub fn start(files: &[PathBuf]) -> Self {
        let length =
            |file: &PathBuf| file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
        let total: Option<u64> = files.iter().map(length).sum();
        let read = Arc::new(AtomicU64::new(0));
        let (ended, end) = channel();
        let counter = Arc::clone(&read);
        let shows = thread::spawn(move || {
            let view = View::new(total);
            let whole = loop {
                match end.recv_timeout(INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => view.show(counter.load(Ordering::Relaxed), total),
                    Ok(whole) => break whole,
                    Err(RecvTimeoutError::Disconnected) => break false,
                }
            };
            view.end(counter.load(Ordering::Relaxed), total, whole);
        });
        Self { read, ended, shows }
    }

    /// What counts the bytes.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// Shows it for the last time; `whole`: everything that was to be read was read.
    pub fn end(self, whole: bool) {
        // When the thread is gone, there is nobody to tell.
        let _ = self.ended.send(whole);
        let _ = self.shows.join();
    }
}

impl View {
    fn new(total: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return View::Percent;
        }
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let style = match total {
            Some(_) => "{percent_precise:>7} % {bar:30} {bytes} of {total_bytes}, {eta} left",
            None => "{spinner} {bytes}",
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        View::Bar(bar)
    }

    fn show(&self, read: u64, total: Option<u64>) {
        match (self, total) {
            (View::Bar(bar), _) => bar.set_position(read),
            (View::Percent, Some(total)) => {
                let percent = (read as f64 / total.max(1) as f64 * 100.0).min(100.0);
                say(&format!("\r{percent:.2}"));
            }
            (View::Percent, None) => {}
        }
    }

    fn end(&self, read: u64, total: Option<u64>, whole: bool) {
        let read = total.filter(|_| whole).unwrap_or(read);
        self.show(read, total);
        match self {
            View::Bar(bar) => bar.abandon(),
            View::Percent => say("\n"),
        }
    }
}

/// A standard error that is closed is no problem.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
