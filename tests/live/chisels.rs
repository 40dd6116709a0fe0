//! Chisels and views live, each with a workload that makes it print.

use std::process::Command;

use anyhow::{Result, ensure};
use tracer_tests::programs::{Scratch, run_silent};
use tracer_tests::tracer::Tracer;
use tracer_tests::{Completion, Needs, Trial, live};

const ROOT: &[Needs] = &[Needs::Root];

pub fn trials() -> Vec<Trial> {
    vec![
        live("chisels::files_by_bytes", ROOT, files_by_bytes),
        live("chisels::logs_glued_and_filtered", ROOT, logs_glued_and_filtered),
        live("chisels::processes_by_cpu", ROOT, processes_by_cpu),
        live("chisels::lists", &[], lists),
        live("chisels::rows_of_a_view", ROOT, rows_of_a_view),
    ]
}

/// Writes `text` to a file, by a shell.
fn write(path: &str, text: &str) -> Result<()> {
    run_silent(Command::new("/bin/sh").args(["-c", "printf '%s\\n' \"$1\" >>\"$2\"", "sh", text, path]))?;
    Ok(())
}

fn files_by_bytes() -> Result<Completion> {
    let folder = Scratch::new("chisel-files")?;
    let (file, other) = (format!("{}/wanted", folder.text()), format!("{}/other", folder.text()));
    let filter = format!("fd.name={file}");
    let mut tracer = Tracer::start(&["-c", "topfiles_bytes", &filter])?;
    let workload = || {
        write(&other, "this is not shown")?;
        write(&file, "0123456789")
    };
    let line = tracer.until("the bytes of the file", workload, |line| line.ends_with(&file))?;
    // Whole writes of eleven bytes, as many as a second had.
    let bytes = line.trim_start_matches(|c: char| !c.is_ascii_digit()).split('B').next().unwrap_or("");
    let sum: f64 = bytes.trim_end_matches('K').parse()?;
    ensure!(sum > 0.0 && (bytes.ends_with('K') || sum % 11.0 == 0.0), "{line}");
    let output = tracer.finish()?;
    ensure!(!output.lines().iter().any(|line| line.contains(&other)), "the filter does not hold");
    Ok(Completion::Completed)
}

fn logs_glued_and_filtered() -> Result<Completion> {
    let folder = Scratch::new("chisel-logs")?;
    let file = format!("{}/access.log", folder.text());
    let filter = format!("fd.name contains {file} or container.name=db");
    let mut tracer = Tracer::start(&["-cspy_logs", &filter])?;
    let line = tracer.until(
        "the line of the log",
        || write(&file, "GET /index.html"),
        |line| line.contains("GET"),
    )?;
    ensure!(line == format!("sh {file} GET /index.html"), "{line}");
    tracer.finish()?;
    Ok(Completion::Completed)
}

fn processes_by_cpu() -> Result<Completion> {
    let mut busy = Command::new("/bin/sh").args(["-c", "while :; do :; done"]).spawn()?;
    let id = busy.id().to_string();
    let result = Tracer::start(&["-c", "topprocs_cpu"]).and_then(|mut tracer| {
        let wanted = |line: &str| {
            let mut words = line.split_whitespace().rev();
            words.next() == Some(&id) && words.next() == Some("sh") && !line.contains(" 0.00%")
        };
        tracer.until("the busy process", || Ok(()), wanted)?;
        tracer.finish()
    });
    busy.kill()?;
    busy.wait()?;
    result?;
    Ok(Completion::Completed)
}

fn lists() -> Result<Completion> {
    let all = Tracer::start(&["-cl"])?.wait()?.lines().join("\n");
    for name in ["topfiles_bytes", "spy_users", "lsof", "spectrogram", "httptop"] {
        ensure!(all.lines().any(|line| line.split_whitespace().next() == Some(name)), "no {name} in {all}");
    }
    let one = Tracer::start(&["-i", "spectrogram"])?.wait()?.lines().join("\n");
    ensure!(one.contains("refresh_time"), "{one}");
    Ok(Completion::Completed)
}

fn rows_of_a_view() -> Result<Completion> {
    let folder = Scratch::new("view-rows")?;
    let file = format!("{}/seen", folder.text());
    let filter = format!("fd.name={file}");
    let mut tracer = Tracer::start(&["ui", "--json", "-d", "300", "-v", "files", &filter])?;
    let wanted = format!("\"FILENAME\":\"{file}\"");
    let line =
        tracer.until("a row for the file", || write(&file, "0123456789"), |line| line.contains(&wanted))?;
    ensure!(line.contains("\"view\":\"files\"") && line.contains("\"BYTES OUT\":"), "{line}");
    tracer.finish()?;
    Ok(Completion::Completed)
}
