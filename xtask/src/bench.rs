//! `cargo xtask bench …`: figures that a change of the hot paths is judged by.

mod chisel;
mod containers;
mod index;
mod kills;
mod live;
mod read;
mod rotation;
mod ui;
mod write;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

#[derive(clap::Subcommand)]
pub enum What {
    /// How fast chisels run over a capture, beside sysdig
    Chisel(chisel::Args),
    /// What tracing costs the traced, beside strace and perf trace (root)
    Live(live::Args),
    /// How fast captures are read, beside sysdig
    Read(read::Args),
    /// What the index of a capture is worth
    Index(index::Args),
    /// Whether the full screen keeps up with floods and large captures (root)
    Ui(ui::Args),
    /// How fast captures are written, and how large they are (root)
    Write(write::Args),
    /// Whether files that follow each other have every event once (root)
    Rotation(rotation::Args),
    /// What recordings are worth whose recorder was killed (root)
    Kills(kills::Args),
    /// What many containers cost the tracer (root)
    Containers(containers::Args),
}

pub fn run(root: &Path, what: &What) -> Result<()> {
    match what {
        What::Chisel(args) => chisel::run(root, args),
        What::Live(args) => live::run(root, args),
        What::Read(args) => read::run(root, args),
        What::Index(args) => index::run(root, args),
        What::Ui(args) => ui::run(root, args),
        What::Write(args) => write::run(root, args),
        What::Rotation(args) => rotation::run(root, args),
        What::Kills(args) => kills::run(root, args),
        What::Containers(args) => containers::run(root, args),
    }
}

/// A folder for the files of one run.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("tracer-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays where temporary files are.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A fresh release build of tracer.
pub fn build(root: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "tracer"])
        .current_dir(root)
        .status()
        .context("cargo build")?;
    ensure!(status.success(), "cargo build --release failed");
    Ok(root.join("target/release/tracer"))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Seconds of CPU time of a process so far.
fn cpu(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = stat.rsplit_once(')').context("stat")?.1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|text| text.parse::<f64>().ok()).context("stat");
    // Linux shows every program a hundred ticks per second.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// KiB of a process that are resident.
fn memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.split_whitespace().next().and_then(|text| text.parse().ok()).context("VmRSS")
}
