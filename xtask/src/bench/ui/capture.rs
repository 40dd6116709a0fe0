//! A large capture on the screen, beside chisels over the same file.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use vt100::Screen;

use super::super::median;
use super::super::read::capture::Joined;
use super::super::read::{CAPTURES, child};
use super::{Args, has_rows, line};
use crate::terminal::Terminal;

/// A view, and chisels that tell about the same: those of processes about one of its columns, or about three.
const PAIRS: [(&str, &[&str]); 6] = [
    ("procs", &["topprocs_cpu"]),
    ("procs", &["topprocs_cpu", "topprocs_file", "topprocs_net"]),
    ("files", &["topfiles_bytes"]),
    ("connections", &["topconns"]),
    ("syscalls", &["topscalls"]),
    ("sports", &["topports_server"]),
];

/// Seconds of one round.
#[derive(Default)]
struct Times {
    first: Vec<f64>,
    complete: Vec<f64>,
    chisel: Vec<f64>,
    drilled: Vec<f64>,
}

pub fn run(root: &Path, tracer: &Path, args: &Args) -> Result<()> {
    let rounds = args.rounds;
    let paths = CAPTURES.map(|name| root.join("tests/captures").join(name));
    let file = root.join("target/bench-ui.scap");
    let written = Joined::of(&paths)?.write(&file, args.millions * 1_000_000);
    let events = written.with_context(|| file.display().to_string())?;
    let mut times: [Times; PAIRS.len()] = Default::default();
    let program = tracer.display().to_string();
    let name = file.display().to_string();
    let index = args.indexed.then(|| root.join("target/bench-ui.scap.idx"));
    if let Some(index) = &index {
        child::measure(&[program.clone(), "index".to_owned(), name.clone()], None)?;
        ensure!(index.is_file(), "there is no {}", index.display());
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for ((view, chisels), times) in PAIRS.iter().zip(&mut times) {
            let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            let wanted = chisels.iter().flat_map(|chisel| ["-c", chisel]);
            let command: Vec<&str> = [program.as_str(), "-r", &name].into_iter().chain(wanted).collect();
            let cost = child::measure(&words(&command), None)?;
            times.chisel.push(cost.seconds);
            let command = words(&[&program, "ui", "-r", &name, "-v", view]);
            let mut terminal = Terminal::start(&command, super::SIZE.0, super::SIZE.1)?;
            let begin = terminal.started();
            let first = terminal.until("the first rows", has_rows)?;
            times.first.push((first - begin).as_secs_f64());
            let complete = match is_complete(terminal.screen()) {
                true => first,
                false => terminal.until("all of the file", is_complete)?,
            };
            times.complete.push((complete - begin).as_secs_f64());
            let title = line(terminal.screen(), 0);
            let typed = terminal.type_keys(b"\r")?;
            let drilled = terminal.until("the selected row from near", |screen| {
                line(screen, 0) != title && is_complete(screen) && !line(screen, 1).contains("(0 evts")
            })?;
            times.drilled.push((drilled - typed).as_secs_f64());
            terminal.quit()?;
        }
    }
    println!("\n{events} events, {} MB; seconds, medians", file.metadata()?.len() / 1_000_000);
    println!(
        "{:<12} {:>12} {:>9} {:>9} {:>12}  beside",
        "", "first screen", "complete", "chisels", "drilled down"
    );
    for ((view, chisels), times) in PAIRS.iter().zip(&times) {
        println!(
            "{view:<12} {:>12.2} {:>9.2} {:>9.2} {:>12.2}  {}",
            median(&times.first),
            median(&times.complete),
            median(&times.chisel),
            median(&times.drilled),
            chisels.join(", "),
        );
    }
    println!("{:<12} {:>12} {:>9} {:>9} {:>12}", "at most", 1, "chisels", "", 2);
    std::fs::remove_file(&file)?;
    if let Some(index) = index {
        std::fs::remove_file(index)?;
    }
    Ok(())
}

/// Whether the source line says that all of the file was read.
fn is_complete(screen: &Screen) -> bool {
    let source = line(screen, 1);
    source.contains(" evts, ") && !source.contains("read)") && !source.contains("reading)")
}
