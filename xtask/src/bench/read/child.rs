//! One run of a program: its time and its memory.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

/// What a run took.
pub struct Cost {
    /// From start to end.
    pub seconds: f64,
    /// Most memory that was resident.
    pub peak_bytes: u64,
}

/// Writes the standard input of a program.
pub type Feed<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<()>;

/// Runs a command to its end with its output to nowhere, fed by `feed` if it is given. It runs in the root folder:
/// sysdig takes chisels from the current folder before its own.
pub fn measure(words: &[String], feed: Option<Feed<'_>>) -> Result<Cost> {
    let (program, arguments) = words.split_first().context("no command")?;
    let begin = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(if feed.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| program.clone())?;
    if let (Some(feed), Some(mut pipe)) = (feed, child.stdin.take()) {
        feed(&mut pipe).with_context(|| format!("what {program} is to read"))?;
    }
    let mut status = 0;
    // SAFETY: all bits zero are a value of this plain C struct.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that live through the call; the child is this function's own and is waited
    // for nowhere else.
    let pid = unsafe { libc::wait4(child.id().cast_signed(), &raw mut status, 0, &raw mut usage) };
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(pid > 0, "waiting for {program}: {}", std::io::Error::last_os_error());
    let status = ExitStatus::from_raw(status);
    ensure!(status.success(), "{words:?}: {status}");
    Ok(Cost { seconds, peak_bytes: usage.ru_maxrss.unsigned_abs() * 1024 })
}
