//! Commands that people type, with a container called `shop`.

use std::process::Command;

use anyhow::{Result, ensure};
use tracer_tests::tracer::{Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::engine::{Engine, Groups};

pub fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] =
        &[Needs::Root, Needs::Program("podman"), Needs::Program("runc"), Needs::Program("busybox")];
    vec![live("seeds::commands_about_a_container", NEEDS, commands)]
}

/// Each command runs beside the same container, until it has shown what it should.
fn commands() -> Result<Completion> {
    let engine = match Engine::up("podman", "", Groups::AsTheyAre) {
        Ok(engine) => engine,
        Err(error) => return Ok(Completion::ignored_with(format!("does not run here: {error:#}"))),
    };
    let start = |arguments: &[&str]| Tracer::start_with(Command::new(binary()?).args(arguments));
    let mut columns = start(&["--unbuffered", "-pc", "container.name=shop"])?;
    let mut failed = start(&["--unbuffered", "-pc", "container.name!=host and evt.failed=true"])?;
    let format = "%12user.name %6proc.pid %12proc.name %3fd.num %fd.typechar %fd.name";
    let wanted = "evt.type in (open,openat) and fd.name contains /etc/passwd and container.name=shop";
    let mut files = start(&["--unbuffered", "-pc", "-p", format, wanted])?;
    let run = || engine.call("run", "");
    let line = columns.until("-pc", run, |line| line.contains(" shop (") && line.contains("busyboxshop"))?;
    ensure!(line.matches('(').count() >= 2, "a container and a thread: {line}");
    let line = failed.until(
        "failed calls",
        || Ok(()),
        |line| line.contains(" shop (") && line.contains("connect"),
    )?;
    ensure!(line.contains("res=-"), "{line}");
    let line = files.until(
        "files",
        || Ok(()),
        |line| line.contains("busyboxshop") && line.contains("/etc/passwd"),
    )?;
    ensure!(line.contains(" f /etc/passwd"), "{line}");
    for tracer in [columns, failed, files] {
        let output = tracer.finish()?;
        ensure!(output.code == 0, "{}", output.stderr);
    }
    Ok(Completion::Completed)
}
