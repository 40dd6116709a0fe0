//! Containers that live for a moment have their names, too.

use std::process::Command;

use anyhow::{Result, ensure};
use tracer_tests::tracer::{MARK_FILTER, Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::engine::{Engine, Groups};

const COUNT: usize = 20;
const FILTER: &str = "proc.name=busyboxshop and (evt.type=procexit or evt.dir=<)";
const FORMAT: &str = "*%container.name|%container.id|%proc.name|%evt.args";

pub fn trials() -> Vec<Trial> {
    const PODMAN: &[Needs] =
        &[Needs::Root, Needs::Program("podman"), Needs::Program("runc"), Needs::Program("busybox")];
    const DOCKER: &[Needs] =
        &[Needs::Root, Needs::Program("dockerd"), Needs::Program("docker"), Needs::Program("busybox")];
    vec![
        live("short_lived::podman", PODMAN, || check("podman")),
        live("short_lived::docker", DOCKER, || check("docker")),
    ]
}

/// Twenty containers of 50 ms: at least 95 of a hundred events are named when they are printed, and all in a replay.
fn check(script: &'static str) -> Result<Completion> {
    let engine = match Engine::up(script, "", Groups::AsTheyAre) {
        Ok(engine) => engine,
        Err(error) => return Ok(Completion::ignored_with(format!("does not run here: {error:#}"))),
    };
    let capture = engine.path().join("flash.scap");
    let mut recorder = Command::new(binary()?);
    recorder.arg("-w").arg(&capture).arg(FILTER).env("DOCKER_HOST", engine.docker_host());
    let mut shown = Command::new(binary()?);
    let filter = format!("({FILTER}) or {MARK_FILTER}");
    shown.args(["--unbuffered", "-p", FORMAT, &filter]).env("DOCKER_HOST", engine.docker_host());
    let recorder = Tracer::start_with(&mut recorder)?;
    let mut tracer = Tracer::start_with(&mut shown)?;
    tracer.mark()?;
    let deadline = std::time::Instant::now() + tracer_tests::tracer::PATIENCE;
    while !capture.exists() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for number in 0..COUNT {
        engine.call("flash", &number.to_string())?;
    }
    tracer.mark()?;
    let (named, all, containers) = count(&tracer.finish()?.lines());
    recorder.finish()?;
    let mut replay = Command::new(binary()?);
    let replayed = Tracer::start_with(replay.args(["-p", FORMAT, "-r"]).arg(&capture))?.wait()?;
    ensure!(replayed.code == 0, "replaying: {}", replayed.stderr);
    let (named_again, again, containers_again) = count(&replayed.lines());
    println!("{script}: {named} of {all} events named when printed, {named_again} of {again} when replayed");
    ensure!(all > COUNT && again > COUNT, "{all} events live, {again} replayed");
    ensure!(named * 100 >= all * 95, "{named} of {all} events are named");
    ensure!(named_again == again, "replayed: {named_again} of {again} events are named");
    ensure!(
        containers == COUNT && containers_again == COUNT,
        "{containers} and {containers_again} containers"
    );
    Ok(Completion::Completed)
}

/// Events with a name, all events, containers.
fn count(lines: &[String]) -> (usize, usize, usize) {
    let events: Vec<&String> = lines.iter().filter(|line| line.contains("|busyboxshop|")).collect();
    let mut names: Vec<&str> = events
        .iter()
        .filter(|line| line.starts_with("flash"))
        .filter_map(|line| line.split('|').next())
        .collect();
    let named = names.len();
    names.sort_unstable();
    names.dedup();
    (named, events.len(), names.len())
}
