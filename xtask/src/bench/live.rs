//! `cargo xtask bench live`: what tracing costs the traced, beside strace and perf trace, measured in one run.
//!
//! Batches on one machine differ by a tenth, so everything is interleaved: each round runs every workload under every
//! watcher once, and medians are compared. The kernel's own run-time statistics tell what one run of each program of the
//! probe costs; they are switched on only for runs of their own, because they cost, too, and what they say of an empty
//! program is subtracted.

mod bpf;
mod empty_program;
mod programs;
mod promptness;
mod watcher;
mod workload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::{build, median};
use empty_program::EmptyProgram;
use programs::Statistics;
pub use watcher::Tracer;
use watcher::{How, Said, WATCHERS, Watcher, wrap};
use workload::Workload;

#[derive(clap::Args)]
pub struct Args {
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Bytes that dd copies one by one, two system calls each
    #[arg(long, default_value_t = 1_000_000)]
    bytes: u64,
    /// Only workloads whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Only watchers whose name contains this, and nobody
    #[arg(long, default_value = "")]
    watcher: String,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    ensure!(Path::new("/proc/self/stat").exists(), "needs /proc");
    let tracer = match &args.tracer {
        Some(given) => given.clone(),
        None => build(root)?,
    };
    let workloads: Vec<Workload> =
        workload::all(args.bytes)?.into_iter().filter(|one| one.name.contains(&args.only)).collect();
    let watchers: Vec<&Watcher> = WATCHERS
        .iter()
        .filter(|one| matches!(one.how, How::Nobody) || one.name.contains(&args.watcher))
        .collect();
    let mut bench = Bench { tracer, rows: BTreeMap::new(), programs: BTreeMap::new() };
    promptness::print(&bench.tracer)?;
    for round in 0..args.rounds {
        eprintln!("round {} of {}", round + 1, args.rounds);
        for workload in &workloads {
            for watcher in &watchers {
                bench.measure(workload, watcher)?;
            }
        }
    }
    for workload in &workloads {
        bench.print(workload, &watchers);
    }
    match Statistics::enable() {
        Ok(statistics) => {
            for _ in 0..args.rounds {
                for watcher in watchers.iter().filter(|one| one.has_programs()) {
                    bench.program_costs(&statistics, watcher, args.bytes)?;
                }
            }
            bench.print_programs(&watchers);
        }
        Err(error) => println!("\nno figures per program: {error:#}"),
    }
    Ok(())
}

/// What was measured of one watcher of one workload.
#[derive(Default)]
struct Row {
    /// Seconds of each run.
    times: Vec<f64>,
    /// The same of the small part of the work.
    small: Vec<f64>,
    /// What tracers saw, summed over the rounds.
    said: Option<Said>,
}

struct Bench {
    tracer: PathBuf,
    /// By workload and watcher.
    rows: BTreeMap<(&'static str, &'static str), Row>,
    /// Mean ns of one run of each program in each round, by watcher and program.
    programs: BTreeMap<&'static str, BTreeMap<String, Vec<f64>>>,
}

impl Bench {
    fn measure(&mut self, workload: &Workload, watcher: &'static Watcher) -> Result<()> {
        let row = self.rows.entry((workload.name, watcher.name)).or_default();
        // Long-running servers are watched from outside; strace and perf would have to be their parents.
        if let Some(small) = &workload.small {
            if matches!(watcher.how, How::Nobody) {
                let words: Vec<&str> = small.iter().map(String::as_str).collect();
                row.small.push(workload::timed(&words)?);
            } else if let Some(words) = wrap(watcher, small) {
                row.small.push(workload::timed(&words)?);
            }
        }
        if watcher.is_slow() {
            return Ok(());
        }
        let running = watcher.start(&self.tracer)?;
        row.times.push(workload.run()?);
        if let Some(Said { lost, all, seconds }) = running.finish()? {
            let sums = row.said.get_or_insert_default();
            sums.lost += lost;
            sums.all += all;
            sums.seconds += seconds;
        }
        Ok(())
    }

    /// The cost of one run of each program while dd makes its calls.
    fn program_costs(
        &mut self,
        statistics: &Statistics,
        watcher: &'static Watcher,
        bytes: u64,
    ) -> Result<()> {
        let running = watcher.start(&self.tracer)?;
        let before = running.programs(statistics)?;
        workload::dd(bytes).run()?;
        let after = running.programs(statistics)?;
        running.finish()?;
        for (id, program) in after {
            let (runs, nanoseconds) = before.get(&id).map_or((0, 0), |old| (old.runs, old.nanoseconds));
            let runs = program.runs - runs;
            // Others than those of system calls run now and then.
            if runs >= bytes {
                let means = self.programs.entry(watcher.name).or_default().entry(program.name).or_default();
                means.push((program.nanoseconds - nanoseconds) as f64 / runs as f64);
            }
        }
        Ok(())
    }

    fn print(&self, workload: &Workload, watchers: &[&'static Watcher]) {
        println!("\n{}", workload.title);
        println!("  {:<26} {:>9} {:>8}  {:>10}  lost", "", "median", "slower", "million/s");
        let nobody = WATCHERS.iter().find(|one| matches!(one.how, How::Nobody));
        let untraced = nobody.and_then(|one| self.rows.get(&(workload.name, one.name)));
        for watcher in watchers {
            let Some(row) = self.rows.get(&(workload.name, watcher.name)) else { continue };
            let slow = watcher.is_slow();
            let times = |row: &Row| median(if slow { &row.small } else { &row.times });
            if times(row).is_nan() {
                continue;
            }
            let ratio = untraced.map_or(f64::NAN, |untraced| times(row) / times(untraced));
            // Events that user space has taken in, by its own CPU time: not all of a second is its.
            let (speed, lost) = row.said.as_ref().map_or_else(Default::default, |said| {
                let speed = (said.all - said.lost) as f64 / said.seconds / 1e6;
                let is_busy = said.seconds > 0.1 * row.times.len() as f64;
                let speed = if is_busy { format!("{speed:.2}") } else { String::new() };
                (speed, format!("{} of {}", said.lost, said.all))
            });
            println!(
                "  {:<26} {:>7.3} s {ratio:>7.2}x  {speed:>10}  {lost:<20} {}",
                watcher.name,
                times(row),
                watcher.note
            );
        }
    }

    fn print_programs(&self, watchers: &[&'static Watcher]) {
        let empty = self.programs.values().flatten().find(|(program, _)| *program == EmptyProgram::NAME);
        let nothing = empty.map(|(_, means)| median(means));
        println!(
            "\nns of one run of a program while dd works (net: without what the statistics say of an empty one)"
        );
        println!("  {:<26} {:<16} {:>5} {:>5}", "", "", "raw", "net");
        for watcher in watchers {
            for (program, means) in self.programs.get(watcher.name).into_iter().flatten() {
                let mean = median(means);
                // Not known where no empty program was measured.
                let net = nothing.map(|nothing| format!("{:.0}", mean - nothing)).unwrap_or_default();
                println!("  {:<26} {program:<16} {mean:>5.0} {net:>5}", watcher.name);
            }
        }
    }
}
