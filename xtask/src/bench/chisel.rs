//! `cargo xtask bench chisel`: how fast chisels run over a capture, beside sysdig, measured in one run.
//!
//! Each runs the chisels that it comes with, as its users do; tracer also runs sysdig's files, where what differs is the
//! engine alone. Chisels that draw on a terminal are given one by script(1).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::read::capture::Joined;
use super::read::{CAPTURES, child};
use super::{build, median};

#[derive(clap::Args)]
pub struct Args {
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Events of the file, in millions
    #[arg(long, default_value_t = 3)]
    millions: u64,
    /// The folder of sysdig's chisels
    #[arg(long, default_value = "/usr/share/sysdig/chisels")]
    chisels: PathBuf,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

/// A chisel, whether it needs a terminal, and how many times faster tracer has to be.
const CHISELS: [(&str, bool, f64); 7] = [
    ("topfiles_bytes", false, 6.0),
    ("topprocs_cpu", false, 6.0),
    ("topconns", false, 6.0),
    ("spy_users", false, 3.0),
    ("echo_fds", false, 3.0),
    ("bottlenecks", false, 3.0),
    ("spectrogram", true, 3.0),
];

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let tracer = match &args.tracer {
        // Programs run in another folder.
        Some(given) => std::path::absolute(given)?,
        None => build(root)?,
    };
    let paths = CAPTURES.map(|name| root.join("tests/captures").join(name));
    let file = root.join("target/bench-chisel.scap");
    let written = Joined::of(&paths)?.write(&file, args.millions * 1_000_000);
    let events = written.with_context(|| file.display().to_string())?;
    println!("{events} events");

    let own = tracer.display().to_string();
    let with_files = format!("{own} --chisel-dir {}", args.chisels.display());
    let programs = ["sysdig", own.as_str(), with_files.as_str()];
    let mut seconds: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for round in 0..args.rounds {
        eprintln!("round {} of {}", round + 1, args.rounds);
        for (i, (chisel, on_terminal, _)) in CHISELS.iter().enumerate() {
            // What ran just before makes a difference: every other round goes backwards.
            let mut turns: Vec<(usize, &str)> = programs.iter().copied().enumerate().collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for (who, program) in turns {
                let line = format!("{program} -r {} -c {chisel}", file.display());
                let words: Vec<String> = match on_terminal {
                    true => ["script", "-qec", &line, "/dev/null"].map(str::to_owned).to_vec(),
                    false => line.split(' ').map(str::to_owned).collect(),
                };
                match child::measure(&words, None) {
                    Ok(cost) => seconds.entry((i, who)).or_default().push(cost.seconds),
                    // Without it the figures are still worth having.
                    Err(error) if who == 0 => eprintln!("without sysdig: {error:#}"),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    println!(
        "{:<16} {:>9} {:>9} {:>8} {:>8} {:>6} {:>15} {:>8}",
        "", "sysdig s", "tracer s", "M/s", "faster", "goal", "sysdig's file s", "faster"
    );
    for (i, (chisel, _, goal)) in CHISELS.iter().enumerate() {
        let [theirs, ours, with_files] =
            [0, 1, 2].map(|who| median(seconds.get(&(i, who)).map_or(&[], Vec::as_slice)));
        let rate = events as f64 / ours / 1e6;
        println!(
            "{chisel:<16} {theirs:>9.2} {ours:>9.2} {rate:>8.1} {:>7.1}x {goal:>5.0}x {with_files:>15.2} {:>7.1}x",
            theirs / ours,
            theirs / with_files
        );
    }
    Ok(())
}
