//! `cargo xtask bench read`: how fast a capture is read, beside sysdig, measured in one run.
//!
//! Real captures are joined to one file of some million events. Each round lets every program do every task once, so
//! that a slow moment of the machine meets all of them; medians are compared. That cost grows with the file and memory
//! does not is shown by a stream of the same captures over and over, which needs no disk.

pub(super) mod capture;
pub(super) mod child;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{build, median};
use capture::Joined;
use child::Cost;

/// Large captures of 2016 to 2022 that sysdig 0.29.3 reads, too.
pub(super) const CAPTURES: [&str; 5] = [
    "bencer_example2_502error-947a737.scap.gz",
    "bencer_example0_nginx-e3a0456.scap.gz",
    "sysflow_tests_mpm-event_full_capture-50ae9cf.scap.gz",
    "sysflow_tests_nginx_nginx-276f035.scap.gz",
    "sysflow_tests_objectstore_download-a366d2c.scap.gz",
];

#[derive(clap::Args)]
pub struct Args {
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events of the file, in millions
    #[arg(long, default_value_t = 3)]
    millions: u64,
    /// Lengths of the streams that show how cost grows, in millions of events; 100 takes minutes
    #[arg(long, value_delimiter = ',', default_value = "1,10")]
    growth: Vec<u64>,
    /// Captures to join instead of those that tracer's tests have
    #[arg(long)]
    capture: Vec<PathBuf>,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

/// What is asked of both programs, and how many times faster tracer has to be.
struct Task {
    title: &'static str,
    arguments: &'static [&'static str],
    goal: f64,
}

const TASKS: [Task; 4] = [
    Task { title: "default output", arguments: &[], goal: 12.0 },
    Task {
        title: "-p with eight fields",
        arguments: &[
            "-p",
            "%evt.num %evt.time %proc.name %proc.pid %evt.type %fd.name %evt.latency %user.name",
        ],
        goal: 12.0,
    },
    Task { title: "proc.name=date, few match", arguments: &["proc.name=date"], goal: 5.0 },
    Task { title: "evt.type=mount, none match", arguments: &["evt.type=mount"], goal: 5.0 },
];

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    Sysdig,
    Tracer,
    /// On one core.
    Bound,
}

impl Reader {
    const ALL: [Reader; 3] = [Reader::Sysdig, Reader::Tracer, Reader::Bound];

    fn name(self) -> &'static str {
        match self {
            Reader::Sysdig => "sysdig",
            Reader::Tracer => "tracer",
            Reader::Bound => "tracer, one core",
        }
    }

    fn command(self, tracer: &Path) -> Vec<String> {
        let tracer = tracer.display().to_string();
        match self {
            Reader::Sysdig => vec!["sysdig".into()],
            Reader::Tracer => vec![tracer],
            Reader::Bound => vec!["taskset".into(), "-c".into(), "0".into(), tracer],
        }
    }
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let tracer = match &args.tracer {
        // Programs run in another folder.
        Some(given) => std::path::absolute(given)?,
        None => build(root)?,
    };
    let paths = match args.capture.is_empty() {
        true => CAPTURES.map(|name| root.join("tests/captures").join(name)).to_vec(),
        false => args.capture.clone(),
    };
    let joined = Joined::of(&paths)?;
    let file = root.join("target/bench-read.scap");
    let events =
        joined.write(&file, args.millions * 1_000_000).with_context(|| file.display().to_string())?;
    println!("{events} events, {} captures joined, {} MB", paths.len(), file.metadata()?.len() / 1_000_000);

    let mut costs: BTreeMap<(usize, Reader), Vec<Cost>> = BTreeMap::new();
    for round in 0..args.rounds {
        eprintln!("round {} of {}", round + 1, args.rounds);
        for (i, task) in TASKS.iter().enumerate() {
            for reader in Reader::ALL {
                let mut words = reader.command(&tracer);
                words.extend(["-r".to_owned(), file.display().to_string()]);
                words.extend(task.arguments.iter().map(|word| (*word).to_owned()));
                match child::measure(&words, None) {
                    Ok(cost) => costs.entry((i, reader)).or_default().push(cost),
                    // Without it the figures are still worth having.
                    Err(error) if reader == Reader::Sysdig => eprintln!("without sysdig: {error:#}"),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    for (i, task) in TASKS.iter().enumerate() {
        print(task, |reader| costs.get(&(i, reader)).map_or(&[], Vec::as_slice), events);
    }
    growth(&tracer, &joined, &args.growth)
}

fn print<'a>(task: &Task, costs: impl Fn(Reader) -> &'a [Cost], events: u64) {
    println!("\n{}", task.title);
    let seconds = |reader| median(&costs(reader).iter().map(|cost| cost.seconds).collect::<Vec<_>>());
    for reader in Reader::ALL {
        let memory = costs(reader).iter().map(|cost| cost.peak_bytes).max().unwrap_or(0);
        let faster = seconds(Reader::Sysdig) / seconds(reader);
        let goal = match reader {
            Reader::Tracer => format!(" (at least {})", task.goal),
            _ => String::new(),
        };
        println!(
            "  {:<17} {:>7.3} s {:>6.2} M events/s {:>6.1} MB {faster:>6.1}x{goal}",
            reader.name(),
            seconds(reader),
            events as f64 / seconds(reader) / 1e6,
            memory as f64 / 1e6,
        );
    }
}

/// The same captures over and over through a pipe.
fn growth(tracer: &Path, joined: &Joined, millions: &[u64]) -> Result<()> {
    println!("\nthrough a pipe, growing");
    for task in [&TASKS[0], &TASKS[3]] {
        for count in millions {
            let words: Vec<String> = [tracer.display().to_string(), "-r".into(), "-".into()]
                .into_iter()
                .chain(task.arguments.iter().map(|word| (*word).to_owned()))
                .collect();
            let mut events = 0;
            let cost = child::measure(
                &words,
                Some(&mut |pipe| {
                    events = joined.repeat(pipe, count * 1_000_000)?;
                    Ok(())
                }),
            )?;
            println!(
                "  {:<27} {:>9} events {:>6.1} ns each {:>6.1} MB",
                task.title,
                events,
                cost.seconds * 1e9 / events as f64,
                cost.peak_bytes as f64 / 1e6,
            );
        }
    }
    Ok(())
}
