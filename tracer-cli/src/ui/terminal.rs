//! The terminal: taken over, drawn on, given back in every case.

use super::app::{App, Effect};
use super::theme::Theme;
use super::watch::Watch;
use crossterm::cursor::Show;
use crossterm::event::{self, DisableMouseCapture, EnableMouseCapture, Event, MouseEventKind};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::{self, Stdout, Write};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for a key while nothing else happens: how late a report may be seen.
const TICK: Duration = Duration::from_millis(20);
/// Two clicks within this time are a double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);
/// Reports that are taken before the screen is drawn again.
const REPORTS_AT_ONCE: usize = 64;

/// The screen while it is ours. Dropping it gives it back.
struct Ours(());

impl Ours {
    fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        enable_raw_mode()?;
        let ours = Ours(());
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture)?;
        Ok(ours)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        give_back();
    }
}

/// Restores the terminal as far as it lets us.
fn give_back() {
    let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// Runs until the user quits or `stop` becomes true.
///
/// # Errors
/// A terminal that cannot be read or written.
pub fn run(app: &mut App, watch: &Watch, theme: Theme, stop: &AtomicBool) -> io::Result<()> {
    let mut ours = Some(Ours::take()?);
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let mut clicked: Option<(Instant, u16, u16)> = None;
    let mut dirty = true;
    while !app.quit && !stop.load(Ordering::Relaxed) {
        app.take_requests().into_iter().for_each(|request| watch.ask(request));
        for report in watch.reports.try_iter().take(REPORTS_AT_ONCE) {
            app.report(report);
            dirty = true;
        }
        if dirty {
            terminal.draw(|frame| super::draw::draw(frame, app, theme))?;
            dirty = false;
        }
        // All that was typed is handled before the next picture.
        let mut wait = TICK;
        while event::poll(wait)? {
            wait = Duration::ZERO;
            dirty = true;
            match event::read()? {
                Event::Key(key) => app.key(key),
                Event::Mouse(mouse) => {
                    let is_press = matches!(mouse.kind, MouseEventKind::Down(_));
                    let double = is_press
                        && clicked.is_some_and(|(at, x, y)| {
                            at.elapsed() < DOUBLE_CLICK && (x, y) == (mouse.column, mouse.row)
                        });
                    if is_press {
                        clicked = (!double).then(|| (Instant::now(), mouse.column, mouse.row));
                    }
                    app.mouse(mouse, double);
                }
                Event::Paste(text) => app.paste(&text),
                _ => {}
            }
        }
        for effect in std::mem::take(&mut app.effects) {
            match effect {
                Effect::Redraw => terminal.clear()?,
                Effect::Suspend => {
                    drop(ours.take());
                    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP).map_err(io::Error::from)?;
                    ours = Some(Ours::take()?);
                    terminal.clear()?;
                }
                Effect::Run { command, wait } => {
                    drop(ours.take());
                    let outcome = run_command(&command, wait);
                    ours = Some(Ours::take()?);
                    terminal.clear()?;
                    if let Err(e) = outcome {
                        app.message = Some(format!("{command}: {e}"));
                    }
                }
            }
            dirty = true;
        }
    }
    Ok(())
}

/// Runs a command on the terminal.
fn run_command(command: &str, wait: bool) -> io::Result<()> {
    let mut out: Stdout = io::stdout();
    writeln!(out, "$ {command}")?;
    let status = Command::new("/bin/sh").args(["-c", command]).status()?;
    if wait || !status.success() {
        writeln!(out, "\n[{status}; press Enter]")?;
        out.flush()?;
        io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}
