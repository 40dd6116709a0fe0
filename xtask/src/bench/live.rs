//! `cargo xtask bench live`: what tracing costs the traced, beside strace and perf trace, measured in one run.
//!
//! Batches on one machine differ by a tenth, so everything is interleaved: each round runs every workload under every
//! tracer once, and medians are compared. The kernel's own run-time statistics tell what one run of each program of the
//! probe costs; they are switched on only for a run of their own, because they cost, too.

mod programs;
mod workload;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{build, median};
use programs::Statistics;
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
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

/// Who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Watcher {
    Nobody,
    /// Prints the exit events.
    ExitOnly,
    /// Prints enter and exit events: the default output.
    Both,
    /// Looks for a call that nobody makes.
    Unwanted,
    Strace,
    Perf,
}

impl Watcher {
    const ALL: [Watcher; 6] = [
        Watcher::Nobody,
        Watcher::ExitOnly,
        Watcher::Both,
        Watcher::Unwanted,
        Watcher::Strace,
        Watcher::Perf,
    ];

    fn name(self) -> &'static str {
        match self {
            Watcher::Nobody => "untraced",
            Watcher::ExitOnly => "tracer, exit events",
            Watcher::Both => "tracer, both",
            Watcher::Unwanted => "tracer, evt.type=mount",
            Watcher::Strace => "strace -f",
            Watcher::Perf => "perf trace",
        }
    }

    /// The tracer's arguments, if it is ours.
    fn tracer_arguments(self) -> Option<&'static [&'static str]> {
        match self {
            Watcher::ExitOnly => Some(&["-v", "evt.dir=<"]),
            Watcher::Both => Some(&["-v"]),
            Watcher::Unwanted => Some(&["-v", "evt.type=mount and evt.dir=<"]),
            _ => None,
        }
    }

    /// Of the peers, which start the program themselves and are so slow that they get a small part of the work.
    fn wrapper(self) -> Option<&'static [&'static str]> {
        match self {
            Watcher::Strace => Some(&["strace", "-f", "-o", "/dev/null"]),
            Watcher::Perf => Some(&["perf", "trace", "-o", "/dev/null", "--"]),
            _ => None,
        }
    }
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    ensure!(Path::new("/proc/self/stat").exists(), "needs /proc");
    let tracer = match &args.tracer {
        Some(given) => given.clone(),
        None => build(root)?,
    };
    let workloads: Vec<Workload> =
        workload::all(args.bytes)?.into_iter().filter(|one| one.name.contains(&args.only)).collect();
    let mut bench = Bench { tracer, times: BTreeMap::new(), losses: BTreeMap::new() };
    bench.start_up()?;
    for round in 0..args.rounds {
        eprintln!("round {} of {}", round + 1, args.rounds);
        for workload in &workloads {
            for watcher in Watcher::ALL {
                bench.measure(workload, watcher)?;
            }
        }
    }
    for workload in &workloads {
        bench.print(workload);
    }
    for watcher in [Watcher::ExitOnly, Watcher::Both, Watcher::Unwanted] {
        bench.program_costs(watcher, args.bytes)?;
    }
    Ok(())
}

struct Bench {
    tracer: PathBuf,
    /// Seconds of each run: by workload, whether the small part of the work was done, and watcher.
    times: BTreeMap<(&'static str, bool, Watcher), Vec<f64>>,
    /// Lost events and all events, summed over the rounds.
    losses: BTreeMap<(&'static str, Watcher), (u64, u64)>,
}

impl Bench {
    fn measure(&mut self, workload: &Workload, watcher: Watcher) -> Result<()> {
        if let Some(wrapper) = watcher.wrapper() {
            // Long-running servers are watched from outside; strace and perf would have to be their parents.
            if workload.small.is_none() || !workload::on_path(wrapper[0]) {
                return Ok(());
            }
            let small = workload.small.as_deref().unwrap_or(&[]);
            let words: Vec<&str> = wrapper.iter().copied().chain(small.iter().map(String::as_str)).collect();
            let seconds = workload::timed(&words)?;
            self.times.entry((workload.name, true, watcher)).or_default().push(seconds);
            return Ok(());
        }
        if watcher == Watcher::Nobody
            && let Some(small) = &workload.small
        {
            let words: Vec<&str> = small.iter().map(String::as_str).collect();
            self.times.entry((workload.name, true, watcher)).or_default().push(workload::timed(&words)?);
        }
        let running = watcher
            .tracer_arguments()
            .map(|arguments| Running::start(&self.tracer, arguments))
            .transpose()?;
        let seconds = workload.run()?;
        self.times.entry((workload.name, false, watcher)).or_default().push(seconds);
        if let Some(running) = running {
            let (lost, all) = running.finish()?;
            let sums = self.losses.entry((workload.name, watcher)).or_default();
            *sums = (sums.0 + lost, sums.1 + all);
        }
        Ok(())
    }

    /// The cost of one run of each program of the probe while dd makes its calls.
    fn program_costs(&self, watcher: Watcher, bytes: u64) -> Result<()> {
        let Some(arguments) = watcher.tracer_arguments() else { return Ok(()) };
        let statistics = match Statistics::enable() {
            Ok(statistics) => statistics,
            Err(error) => {
                println!("\nno figures per program: {error:#}");
                return Ok(());
            }
        };
        let running = Running::start(&self.tracer, arguments)?;
        let before = statistics.programs(running.child.id())?;
        workload::dd(bytes).run()?;
        let after = statistics.programs(running.child.id())?;
        running.finish()?;
        println!("\nper run of a program, dd, {}:", watcher.name());
        for (id, program) in &after {
            let old = before.get(id);
            let runs = program.runs - old.map_or(0, |old| old.runs);
            let nanoseconds = program.nanoseconds - old.map_or(0, |old| old.nanoseconds);
            if runs > 0 {
                println!(
                    "  {:<24} {runs:>9} runs, mean {:>6.0} ns",
                    program.name,
                    nanoseconds as f64 / runs as f64
                );
            }
        }
        Ok(())
    }

    /// From the start of the program to its first line, on a machine where something happens.
    fn start_up(&self) -> Result<()> {
        let mut times = Vec::new();
        for _ in 0..5 {
            let begin = Instant::now();
            let mut child = Command::new(&self.tracer)
                .args(["--unbuffered", "-n", "1"])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit())
                .spawn()
                .context("tracer")?;
            let mut byte = [0];
            let pipe = child.stdout.take().context("no pipe")?;
            let got = std::io::BufReader::new(pipe).read(&mut byte)?;
            times.push(begin.elapsed().as_secs_f64());
            child.wait()?;
            ensure!(got == 1, "the tracer printed nothing; bench needs root");
        }
        println!("start to first event: {:.0} ms", median(&times) * 1000.0);
        Ok(())
    }

    fn print(&self, workload: &Workload) {
        println!("\n{}", workload.title);
        println!("  {:<24} {:>10} {:>9}  lost", "", "median", "slower");
        for watcher in Watcher::ALL {
            let small = watcher.wrapper().is_some();
            let Some(times) = self.times.get(&(workload.name, small, watcher)) else { continue };
            let untraced = self.times.get(&(workload.name, small, Watcher::Nobody));
            let ratio = untraced.map_or(f64::NAN, |untraced| median(times) / median(untraced));
            let lost = match self.losses.get(&(workload.name, watcher)) {
                Some((lost, all)) => format!("{lost} of {all}"),
                None if small => "(a small part of the work)".into(),
                None => String::new(),
            };
            println!("  {:<24} {:>8.3} s {ratio:>8.2}x  {lost}", watcher.name(), median(times));
        }
    }
}

/// A tracer that watches the machine and prints to nowhere.
pub struct Running {
    pub child: Child,
}

impl Running {
    pub fn start(tracer: &Path, arguments: &[&str]) -> Result<Running> {
        let child = Command::new(tracer)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("tracer")?;
        let running = Running { child };
        running.wait_until_attached()?;
        Ok(running)
    }

    /// Its programs are attached when the number of its BPF links no longer grows.
    fn wait_until_attached(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let (mut last, mut since) = (0, Instant::now());
        while Instant::now() < deadline {
            let links = programs::links(self.child.id());
            if links != last {
                (last, since) = (links, Instant::now());
            }
            if links > 0 && since.elapsed() > Duration::from_millis(300) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the tracer attached nothing in 20 s")
    }

    /// Interrupts it; returns the numbers of lost and of all events.
    pub fn finish(mut self) -> Result<(u64, u64)> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status().context("kill")?;
        ensure!(status.success(), "kill -INT {pid}: {status}");
        let mut said = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_string(&mut said)?;
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "the tracer ended with {status}: {said}");
        let figure = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Ok((figure("Driver Drops:").unwrap_or(0), figure("Driver Events:").unwrap_or(0)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to do for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
