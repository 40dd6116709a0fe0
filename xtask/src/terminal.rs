//! A program on a terminal of our own: what it draws is kept as a screen, and keys are typed for it.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use vt100::{Parser, Screen};

/// How long anything on the screen may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, its screen, and the way to both.
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// What was drawn, and when it arrived.
    drawn: Receiver<(Instant, Vec<u8>)>,
    parser: Parser,
    started: Instant,
}

impl Terminal {
    /// Starts `words` on a terminal with this many columns and lines that has all colours.
    pub fn start(words: &[String], columns: u16, lines: u16) -> Result<Terminal> {
        let (program, arguments) = words.split_first().context("no command")?;
        let (ours, theirs) = pair(columns, lines)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env("COLORTERM", "truecolor")
            .env_remove("NO_COLOR");
        command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
        // SAFETY: setsid and ioctl may be called between fork and exec; standard input is the terminal by then.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let started = Instant::now();
        let child = command.spawn().with_context(|| program.clone())?;
        // It keeps the other side of the terminal open until it goes.
        drop(command);
        let mut screen = File::from(ours.try_clone()?);
        let (sender, drawn) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            // A terminal that nobody has open any more is an error to who reads it.
            while let Ok(size @ 1..) = screen.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..size].to_vec())).is_err() {
                    break;
                }
            }
        });
        let size = |n: u16| NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN);
        let parser = Parser::new(size(lines), size(columns), 0);
        Ok(Terminal { child, keyboard: File::from(ours), drawn, parser, started })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn started(&self) -> Instant {
        self.started
    }

    pub fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    /// Types bytes; returns when.
    pub fn type_keys(&mut self, keys: &[u8]) -> Result<Instant> {
        let now = Instant::now();
        self.keyboard.write_all(keys)?;
        Ok(now)
    }

    /// Waits until the screen is as `wanted`; returns when what made it so arrived.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) -> Result<Instant> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.drawn.recv_timeout(left) {
                Ok((at, bytes)) => {
                    self.parser.process(&bytes);
                    if wanted(self.screen()) {
                        return Ok(at);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("never {what}:\n{}", self.screen().contents()),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("ended before {what}:\n{}", self.screen().contents())
                }
            }
        }
    }

    /// As [`Terminal::until`], unless the screen is so already.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) -> Result<()> {
        if !wanted(self.screen()) {
            self.until(what, wanted)?;
        }
        Ok(())
    }

    /// Takes what is drawn for so long.
    pub fn watch(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while let Ok((_, bytes)) = self.drawn.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.parser.process(&bytes);
        }
    }

    /// Takes all that is drawn until the program ends.
    pub fn watch_to_end(&mut self) {
        while let Ok((_, bytes)) = self.drawn.recv_timeout(PATIENCE) {
            self.parser.process(&bytes);
        }
    }

    /// Quits, and waits for the end.
    pub fn quit(mut self) -> Result<()> {
        self.type_keys(b"q")?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            self.watch(Duration::from_millis(10));
        }
        bail!("it does not quit")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nothing to do for one that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both sides of a new terminal.
fn pair(columns: u16, lines: u16) -> Result<(OwnedFd, OwnedFd)> {
    let size = libc::winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut ours, mut theirs) = (-1, -1);
    // SAFETY: both numbers and the size live through the call; no name and no modes are asked for.
    let result = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), std::ptr::null(), &raw const size)
    };
    if result < 0 {
        return Err(std::io::Error::last_os_error()).context("a new terminal");
    }
    // SAFETY: the call made both, and nobody else has them.
    let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    for fd in [&ours, &theirs] {
        // SAFETY: the descriptor is open.
        if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(std::io::Error::last_os_error()).context("a new terminal");
        }
    }
    Ok((ours, theirs))
}
