//! The terminal that keys come from.
//!
//! Who reads keys reads on until it has a whole one, and waits for the rest of one that was begun: after Alt-[ nothing
//! would move until the next key. So the standard input is exchanged, while the screen is ours, for another opening of
//! the same terminal, one that never waits. (To make the standard input itself so would be felt by all programs that
//! share it.) Where that cannot be had, as when the terminal belongs to another user, it is as it is.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::dup2_stdin;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossterm::event::{self, Event};

/// How long one look for keys may take when the terminal is gone.
const CAUGHT: Duration = Duration::from_millis(500);
/// Counts the beginnings and ends of looks for keys: odd during one.
static LOOKS: AtomicU64 = AtomicU64::new(0);

/// Where keys are typed.
pub enum Keyboard {
    Stdin(io::Stdin, Option<Openings>),
    Terminal(File),
}

/// The terminal twice.
pub struct Openings {
    /// As the program found it.
    found: OwnedFd,
    /// Reading from this one never waits.
    eager: File,
}

impl Openings {
    fn of_stdin(stdin: &io::Stdin) -> io::Result<Self> {
        let eager = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open("/proc/self/fd/0")?;
        Ok(Self { found: stdin.as_fd().try_clone_to_owned()?, eager })
    }
}

impl Keyboard {
    /// The standard input if it is a terminal, otherwise the one that controls the program.
    ///
    /// # Errors
    /// There is none.
    pub fn open() -> io::Result<Self> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return File::open("/dev/tty").map(Self::Terminal);
        }
        let openings = Openings::of_stdin(&stdin).ok();
        Ok(Self::Stdin(stdin, openings))
    }

    /// From now on reading never waits.
    ///
    /// # Errors
    /// The system refuses.
    pub fn take(&self) -> io::Result<()> {
        self.exchange(|openings| openings.eager.as_fd())
    }

    /// The standard input is as it was found.
    pub fn give_back(&self) {
        // What was opened once can be put back; if not, there is nothing that could be done.
        let _ = self.exchange(|openings| openings.found.as_fd());
    }

    fn exchange(&self, choose: impl Fn(&Openings) -> BorrowedFd<'_>) -> io::Result<()> {
        match self {
            Self::Stdin(_, Some(openings)) => Ok(dup2_stdin(choose(openings))?),
            _ => Ok(()),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdin(stdin, _) => stdin.as_fd(),
            Self::Terminal(file) => file.as_fd(),
        }
    }

    /// Waits until something was typed or so many ms are over. `false`: the terminal is gone.
    ///
    /// # Errors
    /// The system refuses.
    pub fn wait(&self, longest: u8) -> io::Result<bool> {
        Ok(!is_gone(self.fd(), PollFlags::POLLIN, longest.into())?)
    }

    /// What was typed, if anything was.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn typed(&self) -> io::Result<Option<Event>> {
        LOOKS.fetch_add(1, Ordering::Relaxed);
        let typed = event::poll(Duration::ZERO).and_then(|any| any.then(event::read).transpose());
        LOOKS.fetch_add(1, Ordering::Relaxed);
        typed
    }

    /// From now on the program ends if the terminal goes away during a look for keys: who looks would read the end of it
    /// for ever.
    ///
    /// # Errors
    /// The system refuses a thread or an opening.
    pub fn guard(&self) -> io::Result<()> {
        let terminal = self.fd().try_clone_to_owned()?;
        let guard = move || {
            if end_of(&terminal, &LOOKS).is_ok() {
                std::process::exit(0);
            }
        };
        std::thread::Builder::new().name("terminal".into()).spawn(guard)?;
        Ok(())
    }
}

/// Returns when the terminal is gone and a look for keys does not end.
fn end_of(terminal: &OwnedFd, looks: &AtomicU64) -> io::Result<()> {
    while !is_gone(terminal.as_fd(), PollFlags::empty(), 1000u16.into())? {}
    loop {
        let before = looks.load(Ordering::Relaxed);
        std::thread::sleep(CAUGHT);
        if before % 2 == 1 && looks.load(Ordering::Relaxed) == before {
            return Ok(());
        }
    }
}

/// Waits for `what` until the time is over, or tells that the terminal is gone.
fn is_gone(terminal: BorrowedFd<'_>, what: PollFlags, longest: PollTimeout) -> io::Result<bool> {
    let mut fds = [PollFd::new(terminal, what)];
    match poll(&mut fds, longest) {
        // The size of the terminal changes with a signal, too.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(e) => return Err(e.into()),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Ok(fds.iter().any(|fd| fd.revents().is_some_and(|found| found.intersects(gone))))
}

#[cfg(test)]
mod tests {
    use super::super::terminal::tests::new_terminal;
    use super::*;

    #[test]
    fn a_look_for_keys_that_does_not_end_is_noticed_when_the_terminal_is_gone() {
        let (ours, theirs) = new_terminal();
        let (whole, caught) = (AtomicU64::new(2), AtomicU64::new(3));
        std::thread::scope(|scope| {
            let of_whole = scope.spawn(|| end_of(&theirs, &whole));
            let of_caught = scope.spawn(|| end_of(&theirs, &caught));
            drop(ours);
            of_caught.join().unwrap().unwrap();
            assert!(!of_whole.is_finished());
            whole.store(3, Ordering::Relaxed);
            of_whole.join().unwrap().unwrap();
        });
    }
}
