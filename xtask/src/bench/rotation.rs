//! `cargo xtask bench rotation`: whether files that follow each other have every event once.
//!
//! A thread enters folders that do not exist, one number after the other, at a rate that the machine can carry; tracer
//! records this process and rotates. Then each file is read on its own: a number that is in no file between the first
//! and the last is missing, one that is there again is twice there. What the probe counts as lost is said beside it.

use std::ffi::CString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::live::Tracer;
use super::{Folder, build};

#[derive(clap::Args)]
pub struct Args {
    /// Seconds of each recording
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Calls in a second, two events each
    #[arg(long, default_value_t = 50_000)]
    rate: u64,
    /// Only combinations of options that contain this
    #[arg(long, default_value = "")]
    only: String,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

const COMBINATIONS: [&str; 8] = ["-C", "-G", "-e", "-C -G", "-C -e", "-G -e", "-C -G -e", ""];

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let tracer = match &args.tracer {
        Some(given) => given.clone(),
        None => build(root)?,
    };
    println!("{} calls/s, {} events/s, for {} s", args.rate, 2 * args.rate, args.seconds);
    println!(
        "{:<24} {:>6} {:>11} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "options", "files", "events", "lost", "missing", "twice", "unpaired", "unnamed"
    );
    for with_total in [false, true] {
        for combination in COMBINATIONS {
            let title =
                if with_total { format!("{combination} --max-total") } else { combination.to_owned() };
            let title = title.trim();
            if title.is_empty() || !title.contains(&args.only) {
                continue;
            }
            let found = record(&tracer, title, args).with_context(|| title.to_owned())?;
            println!(
                "{title:<24} {:>6} {:>11} {:>8} {:>8} {:>8} {:>8} {:>8}",
                found.files,
                found.enters + found.exits,
                found.lost,
                found.missing,
                found.twice,
                found.enters.abs_diff(found.exits),
                found.unnamed
            );
        }
    }
    Ok(())
}

/// The options with values by which there are dozens of files.
fn arguments(title: &str, args: &Args) -> Vec<String> {
    let mut words = Vec::new();
    for option in title.split(' ') {
        let value = match option {
            "-C" => 1,
            "-G" => 3,
            "-e" => 5 * args.rate,
            // A third of what is recorded, about.
            _ => (args.rate * args.seconds * 3).max(3 << 20),
        };
        words.extend([option.to_owned(), value.to_string()]);
    }
    words
}

/// What is in the files of one run.
#[derive(Default)]
struct Found {
    files: usize,
    enters: u64,
    exits: u64,
    /// By the probe's account.
    lost: u64,
    missing: u64,
    twice: u64,
    /// Events without the name of the process.
    unnamed: u64,
}

fn record(tracer: &Path, title: &str, args: &Args) -> Result<Found> {
    let folder = Folder::new()?;
    let base = folder.path().join("part");
    let filter = format!("proc.pid={} and evt.type=chdir", std::process::id());
    let options = arguments(title, args);
    let mut words = vec!["-v", "-w", base.to_str().context("a path that is no text")?];
    words.extend(options.iter().map(String::as_str));
    words.push(&filter);
    let running = Tracer::start(tracer, &words)?;
    // It comes with the state, before the first event that is to be in it.
    wait_for(&folder.path().join("part0"))?;
    let counter = Counter::start(args.rate);
    std::thread::sleep(Duration::from_secs(args.seconds));
    let reached = counter.stop();
    let (lost, _) = running.finish()?;

    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder.path())? {
        parts.push(read(tracer, &entry?.path())?);
    }
    parts.sort_by_key(|part| part.numbers.first().map(|run| run.0));
    let mut found = Found { files: parts.len(), lost, ..Found::default() };
    // Where old files are removed, what is there begins somewhere.
    let mut expected = if title.contains("--max-total") { None } else { Some(0) };
    for part in &parts {
        found.enters += part.enters;
        found.exits += part.numbers.iter().map(|(first, end)| end - first).sum::<u64>();
        found.unnamed += part.unnamed;
        for &(first, end) in &part.numbers {
            let next = *expected.get_or_insert(first);
            if first > next {
                let at =
                    if Some(first) == part.numbers.first().map(|run| run.0) { "begins" } else { "goes on" };
                eprintln!("{}: after {next} it {at} with {first}", part.file.display());
            }
            found.missing += first.saturating_sub(next);
            found.twice += next.min(end).saturating_sub(first);
            expected = Some(end.max(next));
        }
    }
    let at_end = (reached + 1).saturating_sub(expected.unwrap_or(0));
    if at_end > 0 {
        eprintln!("the last {at_end} of {reached} are in no file");
    }
    found.missing += at_end;
    Ok(found)
}

fn wait_for(file: &Path) -> Result<()> {
    let begin = Instant::now();
    while !file.exists() {
        ensure!(begin.elapsed() < Duration::from_secs(20), "nothing is recorded");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// What is in one file.
#[derive(Default)]
struct Part {
    file: PathBuf,
    enters: u64,
    /// Rows of numbers that follow each other, without their ends.
    numbers: Vec<(u64, u64)>,
    unnamed: u64,
}

fn read(tracer: &Path, file: &Path) -> Result<Part> {
    let mut child = Command::new(tracer)
        .arg("-r")
        .arg(file)
        .args(["-p", "*%evt.dir %proc.name %evt.arg.path", "evt.type=chdir"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("tracer")?;
    let mut part = Part { file: file.to_owned(), ..Part::default() };
    let output = BufReader::new(child.stdout.take().context("no pipe")?);
    for line in output.lines() {
        let line = line?;
        part.unnamed += u64::from(line.split(' ').nth(1) == Some("<NA>"));
        if line.starts_with('>') {
            part.enters += 1;
            continue;
        }
        let number = line.rsplit_once(COUNTED).and_then(|(_, number)| number.parse().ok());
        let number: u64 = number.with_context(|| format!("{}: {line}", file.display()))?;
        match part.numbers.last_mut() {
            Some(run) if run.1 == number => run.1 += 1,
            _ => part.numbers.push((number, number + 1)),
        }
    }
    ensure!(child.wait()?.success(), "{} cannot be read", file.display());
    Ok(part)
}

/// What the folders are called, before their number.
const COUNTED: &str = "/tracer-bench-count-";

/// A thread that makes numbered calls.
struct Counter {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    done: Arc<AtomicU64>,
}

impl Counter {
    fn start(rate: u64) -> Counter {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            let begin = Instant::now();
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                // What a pause left undone is made up for at twice the rate at most.
                let due = begin.elapsed().as_millis() as u64 * rate / 1000;
                let batch = due.saturating_sub(number).min(rate / 500);
                for _ in 0..batch {
                    let Ok(path) = CString::new(format!("{COUNTED}{number}")) else { return };
                    // SAFETY: `path` is a NUL-terminated string that lives through the call.
                    unsafe { libc::chdir(path.as_ptr()) };
                    counted.store(number, Ordering::Relaxed);
                    number += 1;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Counter { stop, thread, done }
    }

    /// Ends it; the last number.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        // One that broke down has counted as far as it came.
        let _ = self.thread.join();
        self.done.load(Ordering::Relaxed)
    }
}
