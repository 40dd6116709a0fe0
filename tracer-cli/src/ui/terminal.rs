//! The terminal: taken over, drawn on, given back in every case.

use super::app::{App, Effect};
use super::event_loop::EventLoop;
use super::keyboard::Keyboard;
use super::sixteen::Sixteen;
use super::theme::{Depth, Theme};
use super::watch::Watch;
use crossterm::cursor::Show;
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::{self, Stdout, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// Longest wait for a key while nothing else happens, ms: how late a report may be seen.
const TICK: u8 = 20;
/// The same while a capture is read, as somebody waits for its end.
const TICK_OF_READING: u8 = 2;

/// The process was stopped and goes on: the shell has used the terminal meanwhile.
static CONTINUED: AtomicBool = AtomicBool::new(false);
/// What threads said that panicked while the screen was on.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Somebody asked the process to stop; the terminal is to be given back first.
static STOPS: AtomicBool = AtomicBool::new(false);

/// The screen while it is ours. Dropping it gives it back.
struct Ours<'a> {
    keyboard: &'a Keyboard,
    /// What a request to stop does otherwise.
    when_stopped: SigAction,
}

impl<'a> Ours<'a> {
    fn take(keyboard: &'a Keyboard) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            let screen = std::thread::current().id();
            std::panic::set_hook(Box::new(move |panic| {
                if std::thread::current().id() == screen {
                    give_back();
                    before(panic);
                } else {
                    // The screen goes on without that thread, and its words would be written all over it.
                    PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
                }
            }));
        });
        enable_raw_mode()?;
        let ours = Ours { keyboard, when_stopped: on_signal(Signal::SIGTSTP, stops)? };
        keyboard.take()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture)?;
        Ok(ours)
    }
}

impl Drop for Ours<'_> {
    fn drop(&mut self) {
        give_back();
        self.keyboard.give_back();
        restore(Signal::SIGTSTP, &self.when_stopped);
    }
}

/// Restores the terminal as far as it lets us.
fn give_back() {
    let _ = execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    for panic in PANICS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = writeln!(io::stderr(), "{panic}");
    }
}

extern "C" fn continued(_: libc::c_int) {
    CONTINUED.store(true, Ordering::Relaxed);
}

extern "C" fn stops(_: libc::c_int) {
    STOPS.store(true, Ordering::Relaxed);
}

extern "C" fn nothing(_: libc::c_int) {}

/// Sets a handler and returns what was there.
fn on_signal(signal: Signal, handler: extern "C" fn(libc::c_int)) -> io::Result<SigAction> {
    let action = SigAction::new(SigHandler::Handler(handler), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handlers above do nothing but store to an atomic, which is allowed at any moment.
    Ok(unsafe { sigaction(signal, &action) }?)
}

fn restore(signal: Signal, before: &SigAction) {
    // SAFETY: what is set was there before. It can only fail for a signal that does not exist.
    let _ = unsafe { sigaction(signal, before) };
}

/// Runs until the user quits or `stop` becomes true.
///
/// # Errors
/// A terminal that cannot be read or written.
pub fn run(app: &mut App, watch: &Watch, theme: Theme, stop: &AtomicBool) -> io::Result<()> {
    on_signal(Signal::SIGCONT, continued)?;
    let keyboard = Keyboard::open()?;
    keyboard.guard()?;
    let mut ours = Some(Ours::take(&keyboard)?);
    let terminal =
        Terminal::new(CrosstermBackend::new(Sixteen::new(io::stdout(), theme.depth == Depth::Sixteen)))?;
    let mut events = EventLoop::new(app, watch, terminal, theme);
    while !events.app.quit && !stop.load(Ordering::Relaxed) {
        events.show()?;
        let tick = if events.app.is_reading() { TICK_OF_READING } else { TICK };
        if !keyboard.wait(tick)? {
            return Ok(());
        }
        // All that was typed is handled before the next picture.
        while let Some(typed) = keyboard.typed()? {
            events.input(typed);
        }
        for effect in events.take_effects() {
            match effect {
                Effect::Redraw => events.redraw()?,
                Effect::Suspend => STOPS.store(true, Ordering::Relaxed),
                Effect::Run { command, wait } => {
                    drop(ours.take());
                    let outcome = run_command(&command, wait);
                    ours = Some(Ours::take(&keyboard)?);
                    events.redraw()?;
                    if let Err(e) = outcome {
                        events.app.message = Some(format!("{command}: {e}"));
                    }
                }
            }
        }
        if STOPS.swap(false, Ordering::Relaxed) {
            drop(ours.take());
            raise(Signal::SIGTSTP)?;
            // Where nobody could let it go on, it was not stopped at all.
            CONTINUED.store(true, Ordering::Relaxed);
        }
        if CONTINUED.swap(false, Ordering::Relaxed) {
            // Also after a stop that was not asked for here: the mode of the terminal is the shell's.
            drop(ours.take());
            ours = Some(Ours::take(&keyboard)?);
            events.redraw()?;
        }
    }
    Ok(())
}

/// Runs a command on the terminal.
fn run_command(command: &str, wait: bool) -> io::Result<()> {
    let mut out: Stdout = io::stdout();
    writeln!(out, "$ {command}")?;
    // Ctrl-C is for the command. A handler, unlike a signal that is ignored, is not inherited.
    let (interrupt, quit) = (on_signal(Signal::SIGINT, nothing)?, on_signal(Signal::SIGQUIT, nothing)?);
    let status = Command::new("/bin/sh").args(["-c", command]).status();
    restore(Signal::SIGINT, &interrupt);
    restore(Signal::SIGQUIT, &quit);
    let status = status?;
    if wait || !status.success() {
        writeln!(out, "\n[{status}; press Enter]")?;
        out.flush()?;
        io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    const LEFT: &str = "\x1b[?1049l";

    /// Both ends of a new terminal: ours, and that of a program.
    pub fn new_terminal() -> (File, OwnedFd) {
        let (mut ours, mut theirs) = (-1, -1);
        let none = std::ptr::null_mut();
        // SAFETY: the descriptors are written to living integers; the other pointers may be null.
        let made = unsafe { libc::openpty(&mut ours, &mut theirs, none, none.cast(), none.cast()) };
        assert_eq!(made, 0, "{}", io::Error::last_os_error());
        // SAFETY: openpty has just made these, and nobody else has them.
        unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
    }

    fn mode(terminal: &OwnedFd) -> Vec<u8> {
        let terminal = Stdio::from(terminal.try_clone().unwrap());
        Command::new("stty").arg("-g").stdin(terminal).output().unwrap().stdout
    }

    /// Runs one of the tests below as a program in a terminal of its own. Returns what it wrote, and whether it left the
    /// mode of the terminal as it was.
    fn in_terminal(test: &str) -> (String, bool) {
        let (mut ours, theirs) = new_terminal();
        let before = mode(&theirs);
        let end = || Stdio::from(theirs.try_clone().unwrap());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("ui::terminal::tests::{test}"), "--ignored", "--nocapture"])
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let (mut written, mut buffer) = (Vec::new(), [0; 4096]);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let has_ended = child.try_wait().unwrap().is_some();
            let mut fds = [PollFd::new(ours.as_fd(), PollFlags::POLLIN)];
            let is_readable = poll(&mut fds, PollTimeout::from(50u8)).unwrap() > 0;
            if is_readable {
                let size = ours.read(&mut buffer).unwrap();
                written.extend_from_slice(&buffer[..size]);
            } else if has_ended {
                break;
            }
            assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&written));
        }
        (String::from_utf8_lossy(&written).into_owned(), mode(&theirs) == before)
    }

    #[test]
    #[ignore = "panics; run by another test in a terminal"]
    fn the_screen_panics() {
        let keyboard = Keyboard::open().unwrap();
        let _ours = Ours::take(&keyboard).unwrap();
        panic!("on purpose");
    }

    #[test]
    #[ignore = "panics; run by another test in a terminal"]
    fn another_thread_panics() {
        let keyboard = Keyboard::open().unwrap();
        let ours = Ours::take(&keyboard).unwrap();
        assert!(std::thread::spawn(|| panic!("on purpose")).join().is_err());
        execute!(io::stdout(), crossterm::style::Print("still here")).unwrap();
        drop(ours);
    }

    #[test]
    fn the_terminal_is_given_back_after_a_panic() {
        let (written, is_as_before) = in_terminal("the_screen_panics");
        assert!(is_as_before, "{written:?}");
        let (left, said) = (written.find(LEFT), written.find("on purpose"));
        assert!(left.is_some() && left < said, "{written:?}");
    }

    #[test]
    fn a_panic_elsewhere_is_told_after_the_screen() {
        let (written, is_as_before) = in_terminal("another_thread_panics");
        assert!(is_as_before, "{written:?}");
        let (drawn, left) = (written.find("still here"), written.find(LEFT));
        assert!(drawn.is_some() && drawn < left && left < written.find("on purpose"), "{written:?}");
    }
}
