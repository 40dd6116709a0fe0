//! Chisels and views live, each with a workload that makes it print.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
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
        live("chisels::logs_with_containers_and_arguments", ROOT, logs_with_containers_and_arguments),
        live("chisels::files_by_bytes_with_containers", ROOT, files_by_bytes_with_containers),
        live("chisels::slow_files_with_containers", ROOT, slow_files_with_containers),
        live("chisels::processes_by_network", ROOT, processes_by_network),
        live("chisels::a_spectrogram", &[Needs::Root, Needs::Program("script")], a_spectrogram),
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

fn logs_with_containers_and_arguments() -> Result<Completion> {
    let folder = Scratch::new("chisel-access")?;
    let file = format!("{}/access.log", folder.text());
    let mut tracer = Tracer::start(&["-pc", "-c", "spy_logs"])?;
    let wanted = format!("host sh {file} GET /index.html");
    tracer.until("the line with its container", || write(&file, "GET /index.html"), |line| line == wanted)?;
    tracer.finish()?;

    let filter = "evt.args contains tracer-agent and evt.args contains path=/select";
    let mut tracer = Tracer::start(&["-c", "spy_logs", filter])?;
    let workload = || {
        write(&file, "tracer-agent path=/insert")?;
        write(&file, "tracer-agent path=/select")
    };
    tracer.until("the line with both texts", workload, |line| line.ends_with("tracer-agent path=/select"))?;
    let output = tracer.finish()?;
    let others = output.lines().iter().any(|line| line.contains("path=/insert"));
    ensure!(!others, "the filter does not hold");
    Ok(Completion::Completed)
}

fn files_by_bytes_with_containers() -> Result<Completion> {
    let folder = Scratch::new("chisel-container-files")?;
    let file = format!("{}/wanted", folder.text());
    let mut tracer = Tracer::start(&["-c", "topfiles_bytes", "-pc", &format!("fd.name={file}")])?;
    let wanted = |line: &str| line.ends_with(&file) && line.split_whitespace().nth(1) == Some("host");
    tracer.until("the file and its container", || write(&file, "0123456789"), wanted)?;
    tracer.finish()?;
    Ok(Completion::Completed)
}

fn slow_files_with_containers() -> Result<Completion> {
    let folder = Scratch::new("chisel-slow")?;
    let file = format!("{}/large", folder.text());
    let mut tracer = Tracer::start(&["--unbuffered", "-pc", "-c", "fileslower", "3"])?;
    // No machine writes this in 3 ms.
    let workload = || {
        let to = format!("of={file}");
        run_silent(Command::new("dd").args(["if=/dev/zero", "bs=64M", "count=1", &to]))?;
        Ok(())
    };
    let wanted = |line: &str| line.contains(" write ") && line.trim_end().ends_with(&file);
    let line = tracer.until("the slow write", workload, wanted)?;
    ensure!(line.contains(" host ") && line.contains(" dd "), "{line}");
    tracer.finish()?;
    Ok(Completion::Completed)
}

fn processes_by_network() -> Result<Completion> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut tracer = Tracer::start(&["-c", "topprocs_net"])?;
    let workload = || {
        let mut client = TcpStream::connect(address)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(b"0123456789")?;
        server.read_exact(&mut [0; 10])?;
        Ok(())
    };
    let own = std::process::id().to_string();
    tracer.until("this process", workload, |line| line.split_whitespace().last() == Some(&own))?;
    tracer.finish()?;
    Ok(Completion::Completed)
}

fn a_spectrogram() -> Result<Completion> {
    let program = tracer_tests::tracer::binary()?;
    let line = format!("stty cols 110; {} -M 60 -c spectrogram fd.type=file", program.display());
    let mut tracer = Tracer::start_with(Command::new("script").args(["-qec", &line, "/dev/null"]))?;
    let workload = || write("/dev/null", "0123456789");
    tracer.until("a coloured place", workload, |line| line.contains("\x1b[38;5;"))?;
    tracer.until("the scale", || Ok(()), |line| line.contains("|1.00us") && line.contains("|10ms"))?;
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
