//! More events than anybody could read.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result};

/// Goes on until it is dropped.
pub enum Flood {
    Program(Child),
    Thread(Arc<AtomicBool>, Option<JoinHandle<()>>),
}

/// How many calls there were so far, and when that was.
pub struct Calls(u64, Instant);

impl Calls {
    /// Calls and seconds since an earlier moment.
    pub fn since(&self, earlier: &Calls) -> (u64, f64) {
        (self.0 - earlier.0, (self.1 - earlier.1).as_secs_f64())
    }
}

impl Flood {
    /// Reads and writes of a byte each.
    pub fn of_calls() -> Result<Flood> {
        let mut dd = Command::new("dd");
        dd.args(["if=/dev/zero", "of=/dev/null", "bs=1", "status=none"]).stdin(Stdio::null());
        Ok(Flood::Program(dd.spawn().context("dd")?))
    }

    /// New processes, one after the other.
    pub fn of_processes() -> Result<Flood> {
        let mut sh = Command::new("sh");
        sh.args(["-c", "while :; do /bin/true; done"]).stdin(Stdio::null());
        Ok(Flood::Program(sh.spawn().context("sh")?))
    }

    /// Files with names that nobody saw before.
    pub fn of_names() -> Result<Flood> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let folder = std::path::PathBuf::from(format!("/dev/shm/tracer-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let thread = std::thread::spawn(move || {
            let mut number = 0u64;
            while !stopped.load(Ordering::Relaxed) {
                let file = folder.join(format!("name-{number}"));
                // What a full disk refuses is a call all the same.
                let _ = std::fs::write(&file, b"x");
                let _ = std::fs::remove_file(&file);
                number += 1;
            }
            let _ = std::fs::remove_dir_all(&folder);
        });
        Ok(Flood::Thread(stop, Some(thread)))
    }

    /// Reads and writes of a program so far, as the kernel counts them.
    pub fn calls(&self) -> Result<Calls> {
        let Flood::Program(child) = self else { return Ok(Calls(0, Instant::now())) };
        let text = std::fs::read_to_string(format!("/proc/{}/io", child.id()))?;
        let count =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let calls = count("syscr:").zip(count("syscw:")).map(|(reads, writes)| reads + writes);
        Ok(Calls(calls.context("no counts in /proc/PID/io")?, Instant::now()))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        match self {
            // Nothing to do for one that is gone.
            Flood::Program(child) => _ = child.kill().and_then(|()| child.wait()),
            Flood::Thread(stop, thread) => {
                stop.store(true, Ordering::Relaxed);
                let _ = thread.take().map(JoinHandle::join);
            }
        }
    }
}
