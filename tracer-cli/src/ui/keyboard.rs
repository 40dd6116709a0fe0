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

/// Longest wait for a key while nothing else happens, ms: how late a report may be seen.
const TICK: u8 = 20;

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

    /// Waits until something was typed or the time is over. `false`: the terminal is gone. crossterm would read the
    /// end of it for ever.
    ///
    /// # Errors
    /// The system refuses.
    pub fn wait(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(TICK)) {
            // The size of the terminal changes with a signal, too.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        Ok(!fds.iter().any(|fd| fd.revents().is_some_and(|found| found.intersects(gone))))
    }
}
