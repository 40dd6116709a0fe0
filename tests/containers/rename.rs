//! A container that gets another name while it runs.

use std::process::Command;

use anyhow::Result;
use tracer_tests::tracer::{Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::engine::{Engine, Groups};

pub fn trials() -> Vec<Trial> {
    const PODMAN: &[Needs] =
        &[Needs::Root, Needs::Program("podman"), Needs::Program("runc"), Needs::Program("busybox")];
    const DOCKER: &[Needs] =
        &[Needs::Root, Needs::Program("dockerd"), Needs::Program("docker"), Needs::Program("busybox")];
    vec![
        live("rename::podman", PODMAN, || check("podman")),
        live("rename::docker", DOCKER, || check("docker")),
    ]
}

fn check(script: &'static str) -> Result<Completion> {
    let started =
        Engine::up(script, "", Groups::AsTheyAre).and_then(|engine| engine.call("hold", "").map(|()| engine));
    let engine = match started {
        Ok(engine) => engine,
        Err(error) => return Ok(Completion::ignored_with(format!("does not run here: {error:#}"))),
    };
    let mut command = Command::new(binary()?);
    command.args(["--unbuffered", "-p", "*%container.name", "proc.name=busyboxshop and evt.type=procexit"]);
    let mut tracer = Tracer::start_with(command.env("DOCKER_HOST", engine.docker_host()))?;
    let poke = |name: &'static str| engine.call("poke", name);
    tracer.until("the first name", || poke("shop"), |line| line == "shop")?;
    engine.call("rename", "newshop")?;
    tracer.until("the other name", || poke("newshop"), |line| line == "newshop")?;
    tracer.finish()?;
    Ok(Completion::Completed)
}
