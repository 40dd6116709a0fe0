//! `cargo xtask bench kills`: what recordings are worth whose recorder was killed at a random moment.
//!
//! A shell makes processes without a pause, so that the time of the last event in a file says how much it lacks.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::{Folder, build, median};

#[derive(clap::Args)]
pub struct Args {
    /// Recorders that are killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Longest time from the start of a recorder to its end, seconds
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

/// What became of the files.
#[derive(Default)]
struct Found {
    absent: u32,
    empty: u32,
    without_events: u32,
    /// Seconds that those with events lack.
    missing: Vec<f64>,
    /// What readers complained about.
    complaints: Vec<String>,
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let tracer = match &args.tracer {
        Some(given) => given.clone(),
        None => build(root)?,
    };
    let folder = Folder::new()?;
    let _work = Work::start()?;
    let mut found = Found::default();
    let mut seed = u64::from(std::process::id()) | 1;
    for round in 0..args.kills {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = (seed >> 11) as f64 / (1_u64 << 53) as f64;
        let codec = ["zstd", "none", "gzip"][round as usize % 3];
        let capture = folder.path().join(format!("{round}.scap"));
        kill(&tracer, &capture, codec, Duration::from_secs_f64(args.seconds * part), &mut found)
            .with_context(|| format!("{codec}, after {:.3} s", args.seconds * part))?;
    }
    found.missing.sort_by(f64::total_cmp);
    let most = found.missing.last().copied().unwrap_or(0.0);
    println!(
        "{} recorders killed within {} s: {} before there was a file, {} files empty, {} with the state alone, {} with events",
        args.kills,
        args.seconds,
        found.absent,
        found.empty,
        found.without_events,
        found.missing.len()
    );
    println!("{} complaints of readers", found.complaints.len());
    found.complaints.iter().for_each(|complaint| println!("  {complaint}"));
    let long = found.missing.iter().filter(|seconds| **seconds > 1.0).count();
    println!(
        "missing at the end: median {:.2} s, at most {most:.2} s, in {long} files more than 1 s",
        median(&found.missing)
    );
    Ok(())
}

fn kill(tracer: &Path, capture: &Path, codec: &str, after: Duration, found: &mut Found) -> Result<()> {
    let mut recorder = Command::new(tracer)
        .arg("-w")
        .arg(capture)
        .args(["--compress", codec])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("tracer")?;
    std::thread::sleep(after);
    ensure!(recorder.try_wait()?.is_none(), "the recorder ended by itself");
    recorder.kill()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    recorder.wait()?;
    let Ok(meta) = capture.metadata() else {
        found.absent += 1;
        return Ok(());
    };
    if meta.len() == 0 {
        found.empty += 1;
        return Ok(());
    }
    let info = Command::new(tracer).arg("info").arg(capture).output()?;
    let read = Command::new(tracer).arg("-r").arg(capture).args(["-p", "%evt.rawtime"]).output()?;
    for (what, output) in [("info", &info), ("-r", &read)] {
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            found.complaints.push(format!(
                "{codec}, after {:.3} s: {what}: {}",
                after.as_secs_f64(),
                said.trim()
            ));
        }
    }
    let times = String::from_utf8_lossy(&read.stdout);
    match times.lines().last() {
        None => found.without_events += 1,
        Some(last) => {
            let last = Duration::from_nanos(last.parse().context("a time")?);
            found.missing.push(now.saturating_sub(last).as_secs_f64());
        }
    }
    std::fs::remove_file(capture)?;
    Ok(())
}

/// A shell that makes processes.
struct Work(Child);

impl Work {
    fn start() -> Result<Work> {
        let child = Command::new("/bin/sh")
            .args(["-c", "while :; do /bin/true; done"])
            .stdin(Stdio::null())
            .spawn()
            .context("/bin/sh")?;
        Ok(Work(child))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // One that has ended by itself needs neither.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
