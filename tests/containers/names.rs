//! Every engine in turn: a container called `shop` runs a small program, and every event of that program must carry what
//! the engine knows, live and replayed, while the same program on the host is the host's.
//!
//! That a process is in a container is known here from the name of its program, which nothing else has.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Result, ensure};
use tracer_tests::tracer::{MARK_FILTER, Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::engine::{Engine, Groups};
use crate::table;

/// One engine in one mode.
struct Case {
    name: &'static str,
    script: &'static str,
    verb: &'static str,
    variant: &'static str,
    groups: Groups,
    needs: &'static [Needs],
    /// `container.type`.
    kind: &'static str,
    /// Fields that this engine can say, beyond those of every engine.
    says: &'static [(&'static str, &'static str)],
}

use Groups::{AsTheyAre, Version1, Version2};
use Needs::{Program, Root};

const PODMAN: &[Needs] = &[Root, Program("podman"), Program("runc"), Program("busybox")];
const CRUN: &[Needs] = &[Root, Program("podman"), Program("crun"), Program("busybox")];
const DOCKER: &[Needs] = &[Root, Program("dockerd"), Program("docker"), Program("busybox")];
const CONTAINERD: &[Needs] =
    &[Root, Program("containerd"), Program("ctr"), Program("python3"), Program("busybox")];
const LXC: &[Needs] = &[Root, Program("lxc-start"), Program("busybox")];
const NSPAWN: &[Needs] = &[Root, Program("systemd-nspawn"), Program("busybox")];
const LXD: &[Needs] = &[Root, Program("lxd"), Program("lxc"), Program("busybox")];
const USERS_PODMAN: &[Needs] = &[
    Root,
    Program("podman"),
    Program("runc"),
    Program("newuidmap"),
    Program("setpriv"),
    Program("useradd"),
    Program("busybox"),
];
const RUNC: &[Needs] = &[Root, Program("runc"), Program("python3"), Program("busybox")];

const IMAGE: &[(&str, &str)] = &[
    ("container.image", "localhost/tracer-shop:1"),
    ("container.image.repository", "localhost/tracer-shop"),
    ("container.image.tag", "1"),
];
const DOCKER_SAYS: &[(&str, &str)] = &[
    ("container.image", "tracer-shop:1"),
    ("container.image.repository", "tracer-shop"),
    ("container.image.tag", "1"),
    ("container.privileged", "false"),
];
const CTR_SAYS: &[(&str, &str)] =
    &[("container.image", "docker.io/library/tracer-shop:1"), ("container.image.tag", "1")];
const POD_SAYS: &[(&str, &str)] = &[
    ("container.image", "docker.io/library/tracer-shop:1"),
    ("k8s.pod.name", "shoppod"),
    ("k8s.ns.name", "prod"),
    ("k8s.pod.uid", "11112222-3333-4444-5555-666677778888"),
];
const CRIO_SAYS: &[(&str, &str)] = &[
    ("container.name", "shop"),
    ("container.image", "localhost/tracer-shop:1"),
    ("k8s.pod.name", "shoppod"),
    ("k8s.ns.name", "prod"),
];
/// A container that only a runtime knows is called by its id.
const ID_ONLY: &[(&str, &str)] = &[("container.name", "cafe00000000"), ("container.id", "cafe00000000")];

const CASES: &[Case] = &[
    case("podman", "podman", "run", AsTheyAre, PODMAN, "podman", IMAGE),
    case("podman_pod", "podman", "pod", AsTheyAre, PODMAN, "podman", IMAGE),
    Case { variant: "crun", ..case("podman_crun_v1", "podman", "run", Version1, CRUN, "podman", IMAGE) },
    case("podman_v2", "podman", "run", Version2, PODMAN, "podman", IMAGE),
    case("podman_user", "podman_user", "run", AsTheyAre, USERS_PODMAN, "podman", IMAGE),
    case("docker", "docker", "run", AsTheyAre, DOCKER, "docker", DOCKER_SAYS),
    case("docker_v2", "docker", "run", Version2, DOCKER, "docker", DOCKER_SAYS),
    case("containerd_ctr", "containerd", "run", AsTheyAre, CONTAINERD, "containerd", CTR_SAYS),
    case("containerd_ctr_v2", "containerd", "run", Version2, CONTAINERD, "containerd", CTR_SAYS),
    case("containerd_pod", "containerd", "pod", AsTheyAre, CONTAINERD, "cri", POD_SAYS),
    case("containerd_pod_v2", "containerd", "pod", Version2, CONTAINERD, "cri", POD_SAYS),
    case("lxc", "lxc", "run", AsTheyAre, LXC, "lxc", &[]),
    case("lxc_v2", "lxc", "run", Version2, LXC, "lxc", &[]),
    case("lxd", "lxd", "run", AsTheyAre, LXD, "lxc", &[]),
    case("lxd_v2", "lxd", "run", Version2, LXD, "lxc", &[]),
    case("nspawn", "nspawn", "run", AsTheyAre, NSPAWN, "systemd-nspawn", &[]),
    case("nspawn_v2", "nspawn", "run", Version2, NSPAWN, "systemd-nspawn", &[]),
    Case {
        variant: "alone",
        ..case("nspawn_without_scope", "nspawn", "run", AsTheyAre, NSPAWN, "systemd-nspawn", &[])
    },
    Case { variant: "crio", ..case("runc_as_crio", "runc", "run", AsTheyAre, RUNC, "cri-o", CRIO_SAYS) },
    Case { variant: "crio", ..case("runc_as_crio_v2", "runc", "run", Version2, RUNC, "cri-o", CRIO_SAYS) },
    Case {
        variant: "scope",
        ..case("runc_as_docker_with_systemd", "runc", "run", AsTheyAre, RUNC, "docker", ID_ONLY)
    },
];

const fn case(
    name: &'static str,
    script: &'static str,
    verb: &'static str,
    groups: Groups,
    needs: &'static [Needs],
    kind: &'static str,
    says: &'static [(&'static str, &'static str)],
) -> Case {
    Case { name, script, verb, variant: "", groups, needs, kind, says }
}

/// What is shown; the last one lets marks be seen.
const FIELDS: &[&str] = &[
    "container.id",
    "container.name",
    "container.type",
    "container.full_id",
    "container.image",
    "container.image.repository",
    "container.image.tag",
    "container.privileged",
    "k8s.pod.name",
    "k8s.ns.name",
    "k8s.pod.uid",
    "user.name",
    "group.name",
    "thread.tid",
    "thread.vtid",
    "proc.exepath",
    "evt.type",
    "fd.containername",
    "evt.args",
];

/// Exits of some calls, among them those at both ends of a process' life.
const FILTER: &str = "proc.name=busyboxshop and (evt.type=procexit or (evt.dir=< and \
     evt.type in (execve, clone, clone3, fork, vfork, openat, open, connect, read)))";

pub fn trials() -> Vec<Trial> {
    let trial = |case: &'static Case| live(format!("names::{}", case.name), case.needs, move || check(case));
    let mut trials: Vec<Trial> = CASES.iter().map(trial).collect();
    trials.push(live("names::table", &[], table::print));
    trials
}

type Row = BTreeMap<&'static str, String>;

fn rows(output: &[String]) -> Vec<Row> {
    let split = |line: &String| {
        let values: Vec<String> = line.splitn(FIELDS.len(), '|').map(str::to_string).collect();
        (values.len() == FIELDS.len()).then(|| FIELDS.iter().copied().zip(values).collect())
    };
    output.iter().filter_map(split).collect()
}

fn check(case: &'static Case) -> Result<Completion> {
    let engine = match Engine::up(case.script, case.variant, case.groups) {
        Ok(engine) => engine,
        // Version 2 lacks controllers on some machines, and then engines refuse to start.
        Err(error) => return does_not_run(case, &error),
    };
    let capture = engine.path().join("shop.scap");
    let format = format!("*%{}", FIELDS.join("|%"));
    let mut recorder = Command::new(binary()?);
    recorder.arg("-w").arg(&capture).arg(FILTER).env("DOCKER_HOST", engine.docker_host());
    let mut shown = Command::new(binary()?);
    let filter = format!("({FILTER}) or {MARK_FILTER}");
    if case.script == "runc" {
        // It runs the program as soon as it has written about it, which is a race.
        shown.args(["--container-wait", "2000"]);
    }
    shown.args(["--unbuffered", "-p", &format, &filter]).env("DOCKER_HOST", engine.docker_host());

    let recorder = Tracer::start_with(&mut recorder)?;
    let mut tracer = Tracer::start_with(&mut shown)?;
    tracer.mark()?;
    // The capture begins when the recorder is ready, too.
    let deadline = std::time::Instant::now() + tracer_tests::tracer::PATIENCE;
    while !capture.exists() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ran = engine.call(case.verb, case.variant);
    let own =
        Command::new(engine.path().join("root/bin/busyboxshop")).args(["cat", "/etc/hostname"]).output()?;
    tracer.mark()?;
    let output = tracer.finish()?;
    let recorded = recorder.finish()?;
    if let Err(error) = ran {
        return does_not_run(case, &error);
    }
    ensure!(own.status.success(), "the program does not run on the host");
    ensure!(recorded.code == 0, "recording: {}", recorded.stderr);

    let live = rows(&output.lines());
    let faults = faults(case, &live, &engine.path().display().to_string(), true);
    let mut replay = Command::new(binary()?);
    replay.args(["-p", &format, "-r"]).arg(&capture).env_remove("DOCKER_HOST");
    let replayed = Tracer::start_with(&mut replay)?.wait()?;
    ensure!(replayed.code == 0, "replaying: {}", replayed.stderr);
    let again = rows(&replayed.lines());
    note(case, &live, &again);
    let mut all: Vec<String> = faults.into_iter().map(|fault| format!("live: {fault}")).collect();
    let replayed = self::faults(case, &again, &engine.path().display().to_string(), false);
    all.extend(replayed.into_iter().map(|fault| format!("replayed: {fault}")));
    ensure!(
        all.is_empty(),
        "{} faults in {} events live and {} replayed:\n{}\n{}",
        all.len(),
        live.len(),
        again.len(),
        all.iter().take(12).cloned().collect::<Vec<_>>().join("\n"),
        output.stderr
    );
    Ok(Completion::Completed)
}

fn does_not_run(case: &Case, error: &anyhow::Error) -> Result<Completion> {
    let why = format!("does not run here: {error:#}");
    table::add(vec![case.name.to_string(), why.clone()]);
    Ok(Completion::ignored_with(why))
}

/// What is wrong with the events of a run.
fn faults(case: &Case, rows: &[Row], scratch: &str, is_live: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut inside = 0;
    let mut on_host = 0;
    let mut users = Vec::new();
    for row in rows {
        let mut check = |field: &str, right: &str| {
            if row[field] != right {
                faults.push(format!("{field} is «{}», not «{right}»: {row:?}", row[field]));
            }
        };
        if row["proc.exepath"].starts_with(scratch) && row["proc.exepath"].ends_with("/root/bin/busyboxshop")
        {
            on_host += 1;
            check("container.id", "host");
            check("container.name", "host");
            continue;
        }
        inside += 1;
        check("container.type", case.kind);
        if case.says.iter().all(|(field, _)| *field != "container.name") {
            check("container.name", "shop");
        }
        let id = row["container.id"].clone();
        for (field, right) in case.says {
            // The API of containerd is asked when the container is there, its files tell at once.
            check(field, right);
        }
        if id == "<NA>" || id == "host" || !row["container.full_id"].starts_with(&id) {
            faults.push(format!("container.id «{id}»: {row:?}"));
        }
        if row["evt.type"] == "openat" && !row["fd.containername"].starts_with(&format!("{id}:/")) {
            faults.push(format!("fd.containername: {row:?}"));
        }
        users.push((row["user.name"].as_str(), row["group.name"].as_str()));
    }
    // Twelve rounds of several calls.
    if inside < 60 {
        faults.push(format!("only {inside} events of the container"));
    }
    if is_live && on_host == 0 {
        faults.push("no event of the host".into());
    }
    // Its users are known soon after it starts, and in time for its end.
    if users.last().is_some_and(|last| *last != ("shopkeeper", "shopgroup")) {
        faults.push(format!("users at the end: {:?}", users.last()));
    }
    faults
}

/// Adds a line to the table: the values that the container's last event had.
fn note(case: &Case, live: &[Row], replayed: &[Row]) {
    let is_inside = |row: &&Row| row["container.id"] != "host";
    let Some(last) = live.iter().rev().find(is_inside) else { return };
    let groups = match case.groups {
        AsTheyAre => "as they are",
        Version1 => "1",
        Version2 => "2",
    };
    let mut line = vec![case.name.to_string(), groups.to_string()];
    line.extend(table::FIELDS.iter().map(|field| last[*field].clone()));
    let inside = |rows: &[Row]| rows.iter().filter(is_inside).count();
    let of_host = live.len() - inside(live);
    line.extend([inside(live), inside(replayed), of_host].map(|count| count.to_string()));
    table::add(line);
}
