//! How soon a tracer is there, and how soon it says what happens.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::watcher::wait_until_attached;
use crate::bench::median;

const TIMES: usize = 5;

/// A tracer whose lines are read here.
struct Lines {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Lines {
    fn start(tracer: &Path, arguments: &[&str]) -> Result<Lines> {
        let mut child = Command::new(tracer)
            .arg("--unbuffered")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("tracer")?;
        let lines = BufReader::new(child.stdout.take().context("no pipe")?);
        Ok(Lines { child, lines })
    }

    /// Waits for a line.
    fn line(&mut self) -> Result<()> {
        let mut line = Vec::new();
        self.lines.read_until(b'\n', &mut line)?;
        ensure!(line.ends_with(b"\n"), "the tracer printed nothing; bench needs root");
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Nothing to do for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints medians, ms.
pub fn print(tracer: &Path) -> Result<()> {
    for (what, measure) in [
        ("start to first event on a busy machine", first_event as fn(&Path) -> Result<Duration>),
        ("start to last program attached", attached),
        ("event to line on an idle machine", idle),
    ] {
        let times: Vec<f64> =
            (0..TIMES).map(|_| Ok(measure(tracer)?.as_secs_f64() * 1000.0)).collect::<Result<_>>()?;
        println!("{what}: {:.0} ms", median(&times));
    }
    Ok(())
}

fn first_event(tracer: &Path) -> Result<Duration> {
    let begin = Instant::now();
    Lines::start(tracer, &["-n", "1"])?.line()?;
    Ok(begin.elapsed())
}

fn attached(tracer: &Path) -> Result<Duration> {
    let begin = Instant::now();
    let running = Lines::start(tracer, &["evt.num=0"])?;
    Ok(wait_until_attached(&running.child)?.duration_since(begin))
}

/// What only this program does, after a while without it.
fn idle(tracer: &Path) -> Result<Duration> {
    let filter = format!("evt.type=chdir and evt.dir=< and proc.pid={}", std::process::id());
    let mut running = Lines::start(tracer, &[&filter])?;
    wait_until_attached(&running.child)?;
    std::thread::sleep(Duration::from_secs(1));
    let begin = Instant::now();
    std::env::set_current_dir(".")?;
    running.line()?;
    Ok(begin.elapsed())
}
