//! Commands that people type, with a container called `shop`: live, and of a recording when the container is gone.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use tracer_tests::tracer::{PATIENCE, Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::engine::{Engine, Groups};

/// A command, and the line that it must show about the container.
struct Seed {
    arguments: &'static [&'static str],
    shows: fn(&str) -> bool,
}

const TOP_FILES: Seed = Seed {
    arguments: &["-pc", "-c", "topfiles_bytes", "container.name=shop"],
    shows: |line| words(line).is_some_and(|words| words[1..] == ["shop", "/work.sh"]),
};
const CACHE: Seed = Seed {
    arguments: &[
        "-pc",
        "-p",
        "%12user.name %6proc.pid %12proc.name %3fd.num %fd.typechar %fd.name",
        "evt.type in (open,openat) and fd.name contains /var/cache/",
    ],
    shows: |line| {
        let is_number = |word: &str| word.parse::<u32>().is_ok();
        words(line).is_some_and(|words| {
            matches!(words[..], ["shopkeeper", pid, "busyboxshop", fd, "f", "/var/cache/stock"]
                if is_number(pid) && is_number(fd))
        })
    },
};
const FAILED: Seed = Seed {
    arguments: &["container.name!=host and evt.failed=true"],
    shows: |line| line.contains(" busyboxshop (") && line.contains(" connect res=-"),
};
const COLUMNS: Seed = Seed {
    arguments: &["-pc", "container.name=shop"],
    // A container with its id, a process with its thread inside and outside.
    shows: |line| line.contains(" shop (") && line.contains(" busyboxshop ("),
};
/// What a program on the host does, which fails and opens a file of that name too.
const ON_HOST: &str = "busyboxhost";

pub fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[
        Needs::Root,
        Needs::Program("podman"),
        Needs::Program("runc"),
        Needs::Program("busybox"),
        Needs::Program("script"),
    ];
    vec![
        live("seeds::events_and_tables", NEEDS, events_and_tables),
        live("seeds::lists_of_containers", NEEDS, lists_of_containers),
        live("seeds::files_and_a_spectrogram", NEEDS, files_and_a_spectrogram),
    ]
}

fn words(line: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    (!words.is_empty()).then_some(words)
}

fn podman() -> Result<Result<Engine, Completion>> {
    Ok(Engine::up("podman", "", Groups::AsTheyAre)
        .map_err(|error| Completion::ignored_with(format!("does not run here: {error:#}"))))
}

fn start(arguments: &[&str]) -> Result<Tracer> {
    Tracer::start_with(Command::new(binary()?).arg("--unbuffered").args(arguments))
}

/// Each command runs beside the same container, until it has shown what it should.
fn events_and_tables() -> Result<Completion> {
    let engine = match podman()? {
        Ok(engine) => engine,
        Err(ignored) => return Ok(ignored),
    };
    let on_host = engine.path().join(ON_HOST);
    std::fs::copy(engine.path().join("root/bin/busyboxshop"), &on_host)?;
    let fail_on_host = || {
        Command::new(&on_host).args(["cat", "/var/cache/tracer/nothing"]).output()?;
        Ok(())
    };
    let run = || fail_on_host().and_then(|()| engine.call("run", ""));
    let capture = engine.path().join("shop.scap");
    let both = format!("proc.name in (busyboxshop, {ON_HOST})");
    let path = capture.display().to_string();
    const KNOWN: &str = "*%container.name %evt.type %user.name %fd.name";
    let mut recorder = start(&["-w", &path, &both, "--tee", "-p", KNOWN])?;
    let seeds = [TOP_FILES, CACHE, FAILED, COLUMNS];
    let mut running = Vec::new();
    for seed in &seeds {
        running.push(start(seed.arguments)?);
    }
    // From before the container starts: what it does first is in the recording.
    recorder.until("the host's program", fail_on_host, |line| line.starts_with("host procexit"))?;
    let is_known = |line: &str| {
        matches!(words(line).as_deref(), Some(["shop", "open" | "openat", "shopkeeper", "/var/cache/stock"]))
    };
    recorder.until("the recording", run, is_known)?;
    for (seed, tracer) in seeds.iter().zip(&mut running) {
        // The container of the recording will mostly do.
        let mut again = false;
        let workload = || if std::mem::replace(&mut again, true) { run() } else { Ok(()) };
        tracer.until(&seed.arguments.join(" "), workload, seed.shows)?;
    }
    recorder.finish()?;
    for (seed, tracer) in seeds.iter().zip(running) {
        let output = tracer.finish()?;
        ensure!(output.code == 0, "{}", output.stderr);
        check(seed, &output.lines())?;
    }
    engine.call("down", "")?;
    for seed in &seeds {
        check(seed, &of_recording(&capture, seed.arguments)?)?;
    }
    for chisel in ["topcontainers_error", "topcontainers_file", "topprocs_file", "topscalls"] {
        let lines = of_recording(&capture, &["-pc", "-c", chisel])?;
        let has_row = lines.iter().filter_map(|line| words(line)).any(|words| words.last() == Some(&"shop"));
        ensure!(has_row, "{chisel}: {lines:?}");
    }
    Ok(Completion::Completed)
}

/// What the command shows of a recording, on a machine whose engine has forgotten the container.
fn of_recording(capture: &Path, arguments: &[&str]) -> Result<Vec<String>> {
    let output =
        Tracer::start_with(Command::new(binary()?).arg("-r").arg(capture).args(arguments))?.wait()?;
    ensure!(output.code == 0, "{arguments:?}: {}", output.stderr);
    Ok(output.lines())
}

/// The container is shown, and nothing of the host but by the one command that is about both.
fn check(seed: &Seed, lines: &[String]) -> Result<()> {
    let command = seed.arguments.join(" ");
    ensure!(lines.iter().any(|line| (seed.shows)(line)), "{command}: {lines:?}");
    let of_host: Vec<&String> = lines.iter().filter(|line| line.contains(ON_HOST)).collect();
    let is_about_both = seed.arguments == CACHE.arguments;
    ensure!(of_host.is_empty() || is_about_both, "{command}: {of_host:?}");
    Ok(())
}

/// `lscontainers` beside a container that runs, and of a recording.
fn lists_of_containers() -> Result<Completion> {
    let engine = match podman()? {
        Ok(engine) => engine,
        Err(ignored) => return Ok(ignored),
    };
    engine.call("hold", "")?;
    let capture = engine.path().join("list.scap").display().to_string();
    let is_listed = |lines: &[String]| {
        let rows = || lines.iter().filter_map(|line| words(line));
        rows().any(|words| words == ["container.type", "container.image", "container.name", "container.id"])
            && rows().any(|words| {
                matches!(words[..], ["podman", image, "shop", id]
                    if "localhost/tracer-shop:1".starts_with(image) && id.len() == 12)
            })
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let listed = start(&["-c", "lscontainers"])?.wait()?.lines();
        if is_listed(&listed) {
            break;
        }
        // The name may come a moment after the list on a machine with much to do.
        ensure!(std::time::Instant::now() < deadline, "{listed:?}");
    }
    let described = start(&["-c", "lscontainers", "desc"])?.wait()?.lines().join("\n");
    for text in ["shop", "localhost/tracer-shop:1", "podman"] {
        ensure!(described.contains(text), "no {text} in {described}");
    }
    let recorded = start(&["-n", "1", "-w", &capture])?.wait()?;
    ensure!(recorded.code == 0, "{}", recorded.stderr);
    engine.call("release", "")?;
    let listed = of_recording(Path::new(&capture), &["-c", "lscontainers"])?;
    ensure!(is_listed(&listed), "of a recording: {listed:?}");
    Ok(Completion::Completed)
}

/// Two chisels in turn, while the container is started again and again.
fn files_and_a_spectrogram() -> Result<Completion> {
    let engine = match podman()? {
        Ok(engine) => engine,
        Err(ignored) => return Ok(ignored),
    };
    let run = || engine.call("run", "");
    let filter = "container.name=shop and fd.directory contains cache";
    let mut files = start(&["-pc", "-c", "topfiles_bytes", filter])?;
    let wanted = |line: &str| line.contains(" shop ") && line.ends_with("/var/cache/stock");
    files.until("a file of the container", run, wanted)?;
    files.finish()?;
    let tracer = binary()?;
    let line =
        format!("stty cols 110; {} -c spectrogram 'fd.type=file and container.name=shop'", tracer.display());
    let mut drawn = Tracer::start_with(Command::new("script").args(["-qec", &line, "/dev/null"]))?;
    drawn.until("a coloured place", run, |line| line.contains("\x1b[38;5;"))?;
    Ok(Completion::Completed)
}
