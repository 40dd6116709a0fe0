//! Nothing is lost in silence: what the kernel tried to deliver is printed or counted, and what a kernel refuses is
//! named.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::run_silent;
use tracer_tests::tracer::{MARK_FILTER, Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

const ROOT: &[Needs] = &[Needs::Root];

pub fn trials() -> Vec<Trial> {
    vec![
        live("loss::every_lost_event_is_counted", ROOT, every_lost_event_is_counted),
        live("loss::none_is_said_where_none_is", ROOT, none_is_said_where_none_is),
        live("loss::each_program_of_the_probe_refused", ROOT, each_program_refused),
        live("loss::all_exits_refused", ROOT, all_exits_refused),
    ]
}

/// The figures of one CPU in the summary.
struct Cpu {
    attempted: u64,
    delivered: u64,
    lost: u64,
}

/// `CPU 0: 12 attempted, 10 delivered, 2 lost`, by CPU.
fn cpus(summary: &str) -> Result<Vec<Cpu>> {
    let lines =
        summary.lines().filter_map(|line| line.strip_prefix("CPU ")?.split_once(": ")).map(|(_, figures)| {
            let mut numbers =
                figures.split(", ").map(|figure| figure.split(' ').next().unwrap_or("").parse::<u64>());
            let mut next = || numbers.next().context("three figures")?.context("a number");
            Ok(Cpu { attempted: next()?, delivered: next()?, lost: next()? })
        });
    lines.collect()
}

fn every_lost_event_is_counted() -> Result<Completion> {
    let options = ["-v", "--buffer-size", "65536", "-p", "*%evt.cpu %evt.args"];
    let mut tracer = Tracer::start_seeing(&options, "evt.num exists")?;
    // A tracer that does not read loses events whatever the size of its rings.
    // SAFETY: kill has no memory preconditions; the child has not been waited for.
    unsafe { libc::kill(tracer.id() as i32, libc::SIGSTOP) };
    let flood =
        run_silent(Command::new("dd").args(["if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000"]));
    // SAFETY: as above.
    unsafe { libc::kill(tracer.id() as i32, libc::SIGCONT) };
    flood?;
    tracer.mark()?;
    let output = tracer.finish()?;
    ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);

    let cpus = cpus(&output.stderr)?;
    ensure!(!cpus.is_empty(), "no figures per CPU: {}", output.stderr);
    let mut printed = vec![0u64; cpus.len()];
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let cpu: usize = line.split(' ').next().unwrap_or("").parse().with_context(|| line.to_string())?;
        *printed.get_mut(cpu).with_context(|| format!("CPU {cpu}"))? += 1;
    }
    let (mut lost, mut attempted) = (0, 0);
    for (number, (cpu, printed)) in cpus.iter().zip(&printed).enumerate() {
        let Cpu { attempted: all, delivered, lost: missing } = *cpu;
        ensure!(all == delivered + missing, "CPU {number}: {all} is not {delivered} + {missing}");
        ensure!(delivered == *printed, "CPU {number}: {delivered} delivered, {printed} printed");
        lost += missing;
        attempted += all;
    }
    ensure!(lost > 0, "a flood of two million calls lost nothing");
    let said = format!("{lost} of {attempted} events lost");
    ensure!(output.stderr.contains(&said), "«{said}» is not said: {}", output.stderr);
    Ok(Completion::Completed)
}

fn none_is_said_where_none_is() -> Result<Completion> {
    let mut tracer = Tracer::start_seeing(&["-v"], "proc.name=true")?;
    run_silent(&mut Command::new("/bin/true"))?;
    tracer.mark()?;
    let output = tracer.finish()?;
    let lost: u64 = cpus(&output.stderr)?.iter().map(|cpu| cpu.lost).sum();
    ensure!(lost > 0 || !output.stderr.contains("lost:"), "says loss: {}", output.stderr);
    ensure!(output.stderr.contains(&format!("Driver Drops:{lost}")), "{}", output.stderr);
    Ok(Completion::Completed)
}

/// Runs with some programs refused until a line satisfies `wanted`; returns what was said on standard error.
fn without(programs: &str, wanted: &str) -> Result<String> {
    let filter = format!("proc.name=cat or {MARK_FILTER}");
    let mut command = Command::new(binary()?);
    command.env("TRACER_REFUSE", programs).args([
        "--unbuffered",
        "-p",
        "*%proc.name %evt.type %evt.args",
        &filter,
    ]);
    let mut tracer = Tracer::start_with(&mut command)?;
    tracer
        .until(&format!("«{wanted}» without {programs}"), read_slowly, |line| line.starts_with(wanted))?;
    let output = tracer.finish()?;
    ensure!(output.code == 0, "without {programs}: status {}: {}", output.code, output.stderr);
    Ok(output.stderr)
}

/// Reads a file with a program that is there for a while: where the kernel does not tell that it was started, its name
/// is looked up.
fn read_slowly() -> Result<()> {
    let mut command = Command::new("/bin/cat");
    command.args(["/etc/passwd", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    thread::sleep(Duration::from_millis(50));
    // It ends with its input.
    drop(child.stdin.take());
    child.wait()?;
    Ok(())
}

fn each_program_refused() -> Result<Completion> {
    let doctor = Command::new(binary()?).arg("doctor").output()?;
    let text = String::from_utf8(doctor.stdout)?;
    let programs: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("program ")?.split_whitespace().next()).collect();
    ensure!(programs.len() > 5, "doctor names too few programs: {text}");
    for program in &programs {
        // Each has a second of the same purpose, or the opening of a file does not depend on it.
        let said = without(program, "cat openat fd=3(<f>")?;
        // On a busy machine events may be lost, which is said, too.
        let other = said.lines().find(|line| !line.contains(program) && !line.contains("events lost"));
        ensure!(other.is_none(), "without {program}, something else is said, too: {said}");
    }
    Ok(Completion::Completed)
}

fn all_exits_refused() -> Result<Completion> {
    let said = without("sys_exit,sys_exit_raw", "cat procexit ")?;
    ensure!(said.contains("sys_exit"), "does not say what is lost: {said}");
    Ok(Completion::Completed)
}
