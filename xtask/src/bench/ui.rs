//! `cargo xtask bench ui`: whether the full screen keeps up: keys in a flood of events, CPU time at rest, memory, and a
//! capture of ten million events beside chisels over the same file.
//!
//! The real binary runs on a terminal of the bench's own, so that what is measured is what people see.

mod capture;
mod flood;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use vt100::{Color, Screen};

use super::build;
use crate::terminal::Terminal;
use flood::Flood;

/// Columns and lines of the terminal.
const SIZE: (u16, u16) = (160, 48);
/// Where on the screen the headings of the table are.
const HEADINGS: u16 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// From key to screen while events flood in (root)
    Keys,
    /// CPU time of the Processes view when nothing much happens (root)
    Rest,
    /// Memory during a flood of events, processes and names (root)
    Memory,
    /// A large capture beside chisels
    Capture,
}

#[derive(clap::Args)]
pub struct Args {
    /// What to measure; all of it unless something is named
    #[arg(long, value_enum, value_delimiter = ',')]
    part: Vec<Part>,
    /// Keys that are typed
    #[arg(long, default_value_t = 120)]
    keys: usize,
    /// How long memory is looked at, in seconds
    #[arg(long, default_value_t = 60)]
    flood: u64,
    /// The views whose memory is looked at
    #[arg(long, value_delimiter = ',', default_value = "procs,files")]
    view: Vec<String>,
    /// How long CPU time is looked at, in seconds
    #[arg(long, default_value_t = 20)]
    rest: u64,
    /// Rounds over the capture; medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Events of the capture, in millions
    #[arg(long, default_value_t = 10)]
    millions: u64,
    /// Give the capture an index, as those that tracer records have
    #[arg(long)]
    indexed: bool,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let tracer = match &args.tracer {
        Some(given) => given.clone(),
        None => build(root)?,
    };
    let wanted = |part| args.part.is_empty() || args.part.contains(&part);
    if wanted(Part::Rest) {
        rest(&tracer, Duration::from_secs(args.rest))?;
    }
    if wanted(Part::Keys) {
        keys(&tracer, args.keys)?;
    }
    if wanted(Part::Memory) {
        for view in &args.view {
            memory(&tracer, view, Duration::from_secs(args.flood))?;
        }
    }
    if wanted(Part::Capture) {
        capture::run(root, &tracer, args)?;
    }
    Ok(())
}

/// `tracer ui` with these arguments, which has drawn its first rows.
fn start(tracer: &Path, arguments: &[&str]) -> Result<Terminal> {
    let words = [tracer.display().to_string(), "ui".into()];
    let words: Vec<String> =
        words.into_iter().chain(arguments.iter().map(|word| (*word).to_owned())).collect();
    let mut terminal = Terminal::start(&words, SIZE.0, SIZE.1)?;
    terminal.wait_for("a table", has_rows)?;
    Ok(terminal)
}

fn line(screen: &Screen, line: u16) -> String {
    screen.rows(0, SIZE.0).nth(usize::from(line)).unwrap_or_default()
}

/// Whether there is a selected row, that is any row.
fn has_rows(screen: &Screen) -> bool {
    selected(screen).is_some()
}

/// The line of the selected row: the one that begins in the colour of the heading that sorts.
fn selected(screen: &Screen) -> Option<u16> {
    let marked = |line: u16| screen.cell(line, 0).is_some_and(|cell| cell.bgcolor() == Color::Idx(6));
    (HEADINGS + 1..SIZE.1 - 1).find(|line| marked(*line))
}

/// How a screen shows that a key was heard.
type Answer = Box<dyn Fn(&Screen) -> bool>;

/// Keys, and how the screen shows that they were heard.
fn keys(tracer: &Path, count: usize) -> Result<()> {
    let flood = Flood::of_calls()?;
    let mut terminal = start(tracer, &[])?;
    let menu = |screen: &Screen| line(screen, HEADINGS).starts_with("Select View");
    let title = |screen: &Screen| line(screen, 0);
    let mut times = Vec::with_capacity(count);
    let begin = flood.calls()?;
    for nth in 0..count {
        // Not in step with anything.
        terminal.watch(Duration::from_millis(40 + (nth * 37 % 97) as u64));
        let (row, name) = (selected(terminal.screen()), title(terminal.screen()));
        let down = b"\x1b[B".as_slice();
        let up = b"\x1b[A".as_slice();
        let (keys, wanted): (&[u8], Answer) = match nth % 6 {
            0 => (down, Box::new(move |screen| selected(screen) != row)),
            1 => (b"\x1bOQ", Box::new(menu)),
            2 => (b"\x1b", Box::new(move |screen| !menu(screen))),
            3 => (up, Box::new(move |screen| selected(screen) != row)),
            4 => (b"\r", Box::new(move |screen| title(screen) != name)),
            _ => (b"\x7f", Box::new(move |screen| title(screen) != name)),
        };
        let typed = terminal.type_keys(keys)?;
        let seen = terminal.until(&format!("the answer to key {keys:?}"), wanted)?;
        times.push(seen.saturating_duration_since(typed).as_secs_f64() * 1e3);
        // The process that was looked into may have ended by now.
        if nth % 6 == 5 {
            terminal.wait_for("rows again", has_rows)?;
        }
    }
    let (calls, seconds) = flood.calls()?.since(&begin);
    times.sort_by(f64::total_cmp);
    let at =
        |percent: usize| times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or(f64::NAN);
    println!(
        "\nfrom key to screen, {count} keys, {:.0} calls a second (at least 300000)",
        calls as f64 / seconds
    );
    println!("  p50 {:.1} ms, p99 {:.1} ms (at most 50), longest {:.1} ms", at(50), at(99), at(100));
    println!("  {}", line(terminal.screen(), 1).trim_end());
    terminal.quit()
}

/// What watching an idle machine costs.
fn rest(tracer: &Path, time: Duration) -> Result<()> {
    let mut terminal = start(tracer, &[])?;
    terminal.watch(Duration::from_secs(3));
    let before = super::cpu(terminal.id())?;
    terminal.watch(time);
    let share = (super::cpu(terminal.id())? - before) * 100.0 / time.as_secs_f64();
    let memory = super::memory(terminal.id())? as f64 / 1024.0;
    println!("\nat rest, Processes: {share:.1} % of a core (at most 10), {memory:.1} MiB");
    println!("  {}", line(terminal.screen(), 1).trim_end());
    terminal.quit()
}

/// Whether memory stays what it is.
fn memory(tracer: &Path, view: &str, time: Duration) -> Result<()> {
    let calls = Flood::of_calls()?;
    let _others = [Flood::of_processes()?, Flood::of_names()?];
    let begin = calls.calls()?;
    let mut terminal = start(tracer, &["-v", view])?;
    const LOOKS: usize = 100;
    let mut seen = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        terminal.watch(time / LOOKS as u32);
        seen.push(super::memory(terminal.id())? as f64 / 1024.0);
    }
    let (calls, seconds) = calls.calls()?.since(&begin);
    println!(
        "\nmemory of {view}, {seconds:.0} s, {:.0} calls a second beside new processes and new names",
        calls as f64 / seconds
    );
    print!("  at most in each tenth, MiB:");
    for tenth in seen.chunks(LOOKS / 10) {
        print!(" {:.1}", tenth.iter().copied().fold(0.0, f64::max));
    }
    println!("\n  {}", line(terminal.screen(), 1).trim_end());
    terminal.quit()
}
