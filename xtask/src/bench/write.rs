//! `cargo xtask bench write`: how fast recording and converting are, and how large the files.
//!
//! Live: dd copies byte by byte, a process for each CPU but one, while tracer records everything in its default way; the CPU
//! time is that of all of tracer's threads, the compressor's included. Converted is the file that this made.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::live::Tracer;
use super::{Folder, build, cpu, median};

#[derive(clap::Args)]
pub struct Args {
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Bytes that dd copies one by one, two system calls each
    #[arg(long, default_value_t = 1_000_000)]
    bytes: u64,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let tracer = match &args.tracer {
        Some(given) => given.clone(),
        None => build(root)?,
    };
    let (rounds, bytes) = (args.rounds, args.bytes);
    let folder = Folder::new()?;
    let capture = folder.path().join("live.scap");
    let cpus = std::thread::available_parallelism()?.get();
    let writers = cpus.saturating_sub(1).max(1);
    println!("live: {writers} dd bs=1 on {cpus} CPUs, rings of the default size, --compress zstd");
    for _ in 0..rounds {
        live(&tracer, &capture, writers, bytes)?;
    }

    let mut sizes = Vec::new();
    for codec in ["none", "gzip", "zstd"] {
        let copy = folder.path().join(codec);
        let mut rates = Vec::new();
        let mut events = 0;
        for _ in 0..rounds {
            let (count, seconds) = convert(&tracer, &capture, &copy, codec)?;
            events = count;
            rates.push(count as f64 / seconds / 1e6);
        }
        let size = copy.metadata()?.len();
        println!(
            "zstd to {codec}: {:.2} million events/s, {:.1} bytes each",
            median(&rates),
            size as f64 / events as f64
        );
        sizes.push(size as f64);
    }
    if let [_, gzip, zstd] = sizes[..] {
        println!("zstd has {:.0} % of the size of gzip", zstd / gzip * 100.0);
    }
    Ok(())
}

fn live(tracer: &Path, capture: &Path, writers: usize, bytes: u64) -> Result<()> {
    let path = capture.to_str().context("a path that is no text")?;
    let running = Tracer::start(tracer, &["-v", "-w", path, "--overwrite"])?;
    let pid = running.child.id();
    let (before, begin) = (cpu(pid)?, Instant::now());
    let children: Vec<Child> = (0..writers).map(|_| dd(bytes)).collect::<Result<_>>()?;
    for mut child in children {
        ensure!(child.wait()?.success(), "dd failed");
    }
    let seconds = begin.elapsed().as_secs_f64();
    // What is still on its way is worked off and counted as well.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let cpu = cpu(pid)? - before;
    let (lost, all) = running.finish()?;
    println!(
        "  {all} events in {seconds:.2} s: {:.0} events/s, {lost} lost, {:.0} ns of CPU time per event, file of {:.1} MB",
        all as f64 / seconds,
        cpu * 1e9 / all as f64,
        capture.metadata()?.len() as f64 / 1e6
    );
    Ok(())
}

fn dd(bytes: u64) -> Result<Child> {
    Command::new("dd")
        .args(["if=/dev/zero", "of=/dev/null", "bs=1", "status=none", &format!("count={bytes}")])
        .stdin(Stdio::null())
        .spawn()
        .context("dd")
}

/// Number of events, and seconds.
fn convert(tracer: &Path, from: &Path, to: &Path, codec: &str) -> Result<(u64, f64)> {
    let begin = Instant::now();
    let output = Command::new(tracer)
        .arg("-v")
        .arg("-r")
        .arg(from)
        .arg("-w")
        .arg(to)
        .args(["--overwrite", "--compress", codec])
        .output()
        .context("tracer")?;
    let seconds = begin.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    let count = said.split("Captured Events: ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
    Ok((count.with_context(|| format!("no figure: {said}"))?, seconds))
}
