//! The full-screen program: tables, lists and spectrograms of what happens, with drill-down.
//!
//! Two threads. One moves events through the pipeline into what is being watched ([`watch`]) and reports
//! samples of it; the other has the screen and the keys ([`app`]). They talk over channels, so that a flood of
//! events never delays a key, and a slow terminal never delays an event.

pub mod aggregate;
pub mod app;
pub mod catalog;
pub mod cell;
#[cfg(test)]
mod csysdig_tests;
mod draw;
pub mod drill;
pub mod event_loop;
mod export;
mod fd_rows;
mod fold;
mod foot;
mod gather;
mod glances;
mod keyboard;
mod keys;
pub mod layout;
pub mod lines;
mod meaning;
pub mod menu;
mod mouse;
mod observe;
mod overlay_keys;
mod pages;
mod portions;
mod recorder;
pub mod remembered;
pub mod rows;
mod selection;
mod sixteen;
mod slider;
mod span;
mod spectrogram;
mod spread;
mod standing;
mod table_screen;
mod tally;
mod terminal;
#[cfg(test)]
mod tests;
mod text_screen;
pub mod theme;
mod verdicts;
pub mod view;
pub mod watch;
mod wrap;

use std::sync::atomic::AtomicBool;

/// Shows the screen until the user quits or `stop` becomes true.
///
/// # Errors
/// A terminal that cannot be used, and a live source that could not begin.
pub fn run(app: &mut app::App, watch: &watch::Watch, stop: &AtomicBool) -> anyhow::Result<()> {
    let theme = theme::Theme { depth: theme::Depth::of_terminal() };
    terminal::run(app, watch, theme, stop)?;
    match app.progress.failure.take() {
        Some(failure) => Err(anyhow::Error::msg(failure)),
        None => Ok(()),
    }
}
