//! tshark, which reads captures as pcapng, finds in them the events that tracer finds.
//!
//! In zstd files of several large frames tshark 4.0 goes astray, also in those that `zstd` itself makes; so recordings that
//! may become long are tried without.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::{Scratch, run_silent};
use tracer_tests::tracer::{PATIENCE, Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::recording::{CODECS, capture_named, has_event, text, wait_for};
use crate::sysdig::tracer;

pub fn trials() -> Vec<Trial> {
    const TSHARK: Needs = Needs::Program("tshark");
    vec![
        live("tshark::reads captures written again", &[TSHARK], reads_again),
        live("tshark::reads live recordings", &[TSHARK, Needs::Root], reads_live),
    ]
}

/// Time (seconds since the epoch) and thread of each event, as tshark has them; it has nothing to complain about.
fn seen_by_tshark(capture: &Path) -> Result<Vec<String>> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(capture)
        .args(["-T", "fields", "-E", "separator=/s", "-e", "frame.time_epoch", "-e", "sysdig.thread_id"])
        .output()
        .context("tshark")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = said.lines().filter(|line| !line.starts_with("Running as user")).collect();
    ensure!(output.status.success() && complaints.is_empty(), "{}: {complaints:?}", output.status);
    let text = String::from_utf8(output.stdout)?;
    // A thread that is none is -1; tshark takes all numbers for positive ones.
    Ok(text.lines().map(|line| line.replace(" 18446744073709551615", " -1")).collect())
}

/// All events of tracer come in this order, with others in between only if tracer does not show them.
fn agrees(capture: &Path) -> Result<()> {
    let seen = seen_by_tshark(capture)?;
    let events = tracer(capture, &["-p", "%evt.rawtime.s.%evt.rawtime.ns %thread.tid"])?;
    ensure!(!events.is_empty(), "no events");
    let mut rest = seen.iter();
    for event in &events {
        let event = String::from_utf8_lossy(event);
        let (time, tid) = event.split_once(' ').context("no thread")?;
        let (seconds, ns) = time.split_once('.').context("no time")?;
        let wanted = format!("{seconds}.{ns:0>9} {tid}");
        ensure!(
            rest.any(|line| *line == wanted),
            "{wanted} of {} is not in {} frames",
            events.len(),
            seen.len()
        );
    }
    Ok(())
}

fn reads_again() -> Result<Completion> {
    for part in ["s36-c-failopen", "head-e-sockets"] {
        let capture = capture_named(part)?;
        for codec in CODECS {
            let scratch = Scratch::new("tshark")?;
            let copy = scratch.path().join("copy");
            let mut command = Command::new(binary()?);
            command.arg("-r").arg(&capture).arg("-w").arg(&copy).args(["--compress", codec]);
            run_silent(&mut command)?;
            agrees(&copy).with_context(|| format!("{part}, {codec}"))?;
        }
    }
    Ok(Completion::Completed)
}

fn reads_live() -> Result<Completion> {
    for codec in ["none", "gzip"] {
        let scratch = Scratch::new("tshark")?;
        let capture = scratch.path().join("capture");
        let recorder =
            Tracer::start(&["-w", text(&capture)?, "--compress", codec, "proc.name in (true, ls)"])?;
        wait_for(&capture)?;
        let begin = Instant::now();
        while !has_event(&capture, "proc.name=ls")? {
            ensure!(begin.elapsed() < PATIENCE, "no event comes into the file");
            run_silent(&mut Command::new("/bin/true"))?;
            run_silent(Command::new("ls").arg("/"))?;
        }
        let output = recorder.finish()?;
        ensure!(output.code == 0, "{}", output.stderr);
        agrees(&capture).context(codec)?;
    }
    Ok(Completion::Completed)
}
