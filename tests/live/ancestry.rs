//! Short-lived processes: none is missed, and what is said of each is right.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::{Scratch, run_silent};
use tracer_tests::tracer::Tracer;
use tracer_tests::{Completion, Needs, Trial, live};

pub fn trials() -> Vec<Trial> {
    vec![
        live("ancestry::pipeline_of_200_processes", &[Needs::Root], pipeline),
        live("ancestry::processes_older_than_the_tracer", &[Needs::Root], older_than_the_tracer),
        live(
            "ancestry::start_of_a_pid_namespace",
            &[Needs::Root, Needs::Program("unshare")],
            namespace_start,
        ),
    ]
}

/// One line of fifty, four processes each. Each has an argument of its own.
const SCRIPT: &str = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); \
    /usr/bin/env -u absent-$i | /usr/bin/tr a $i | /usr/bin/sort -k $i | /usr/bin/wc -l > /dev/null; done";

/// Program and arguments of each of the four, for round `i`.
const STAGES: [(&str, &str); 4] = [("env", "-u absent-@"), ("tr", "a @"), ("sort", "-k @"), ("wc", "-l")];

const FORMAT: &str = "*%evt.type|%proc.pid|%thread.tid|%proc.ppid|%proc.name|%proc.cmdline|%proc.exepath|%proc.cwd|\
    %proc.aname[1]|%proc.aname[2]|%proc.pname|%proc.apid[1]|%user.name|%evt.args";

fn pipeline() -> Result<Completion> {
    let folder = Scratch::new("pipeline")?;
    // A shell of a name that nothing else has.
    let shell = folder.path().join("tracer-test-sh");
    std::fs::copy(std::fs::canonicalize("/bin/sh")?, &shell)?;
    let mut tracer =
        Tracer::start_seeing(&["-p", FORMAT], "(evt.type=execve and evt.dir=<) or evt.type=procexit")?;
    let (shell_pid, status) =
        run_silent(Command::new(&shell).args(["-c", SCRIPT]).current_dir(folder.path()))?;
    ensure!(status == 0, "the shell ended with {status}");
    tracer.mark()?;
    let output = tracer.finish()?;

    let own_name = std::fs::read_to_string("/proc/self/comm")?.trim_end().to_string();
    let cwd = folder.text();
    let mut wanted = BTreeSet::new();
    for round in 1..=50 {
        for (name, arguments) in STAGES {
            wanted.insert(format!("{name} {}", arguments.replace('@', &round.to_string())));
        }
    }
    let mut executed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut seen_commands: BTreeMap<String, u32> = BTreeMap::new();
    let mut exits = BTreeSet::new();
    for line in output.lines() {
        let fields: Vec<&str> = line.splitn(14, '|').collect();
        ensure!(fields.len() == 14, "not of the format: {line}");
        let [
            kind,
            pid,
            tid,
            parent,
            name,
            command,
            path,
            directory,
            ancestor,
            second,
            parent_name,
            ancestor_pid,
            user,
        ] = fields[..13].try_into().context("thirteen fields")?;
        if parent != shell_pid.to_string() {
            continue;
        }
        // The arguments are left out: the schema's cwd of an exec is never filled.
        if fields[..13].contains(&"<NA>") {
            faults.push(format!("unknown: {line}"));
        }
        let mut check = |what: &str, got: &str, right: &str| {
            if got != right {
                faults.push(format!("{what} is «{got}», not «{right}»: {line}"));
            }
        };
        check("thread.tid", tid, pid);
        check("proc.cwd", directory.trim_end_matches('/'), &cwd);
        check("proc.aname[1]", ancestor, "tracer-test-sh");
        check("proc.aname[2]", second, &own_name);
        check("proc.pname", parent_name, "tracer-test-sh");
        check("proc.apid[1]", ancestor_pid, parent);
        check("user.name", user, "root");
        if kind == "execve" {
            *seen_commands.entry(command.to_string()).or_default() += 1;
            check("proc.name", name, command.split(' ').next().unwrap_or(""));
            // The real file: /usr/bin/awk and its like are links.
            let real = std::fs::canonicalize(format!("/usr/bin/{name}"));
            check(
                "proc.exepath",
                path,
                &real.map_or("no such file".into(), |path| path.display().to_string()),
            );
            executed.insert(pid.to_string(), vec![name.into(), command.into(), path.into()]);
        } else {
            exits.insert(pid.to_string());
            match executed.get(pid) {
                Some(known) if known[..] == [name, command, path] => {}
                other => faults.push(format!("exit does not agree with its exec {other:?}: {line}")),
            }
        }
    }
    for command in &wanted {
        // wc has the same arguments in every round.
        let times = if command == "wc -l" { 50 } else { 1 };
        let seen = seen_commands.get(command).copied().unwrap_or(0);
        if seen != times {
            faults.push(format!("«{command}» was seen {seen} times instead of {times}"));
        }
    }
    for pid in executed.keys().filter(|pid| !exits.contains(*pid)) {
        faults.push(format!("no exit of {pid}"));
    }
    ensure!(
        faults.is_empty(),
        "{} faults in {} execs and {} exits:\n{}",
        faults.len(),
        executed.len(),
        exits.len(),
        faults.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    ensure!(executed.len() == 200, "{} processes instead of 200", executed.len());
    Ok(Completion::Completed)
}

/// All processes of a pid namespace began with the same first one, which started during this test.
fn namespace_start() -> Result<Completion> {
    let began = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
    let format = "*%proc.name|%proc.vpid|%proc.pidns_init_start_ts|%evt.rawtime|%evt.args";
    let mut tracer =
        Tracer::start_seeing(&["-p", format], "evt.type=execve and evt.dir=< and proc.args=0.0421")?;
    let script = "sleep 0.0421; sleep 0.0421; true";
    let (_, status) = run_silent(Command::new("unshare").args(["--pid", "--fork", "sh", "-c", script]))?;
    ensure!(status == 0, "unshare ended with {status}");
    tracer.mark()?;
    let output = tracer.finish()?;
    let mut starts = BTreeSet::new();
    let mut seen = 0;
    for line in output.lines().iter().filter(|line| line.starts_with("sleep|")) {
        let mut columns = line.split('|').skip(1).map(str::parse::<u64>);
        let mut next = || columns.next().context("four columns")?.with_context(|| line.clone());
        let (vpid, start, time) = (next()?, next()?, next()?);
        ensure!(vpid < 10, "{vpid} is no id of a new namespace: {line}");
        ensure!(began <= start && start < time, "{start} is not between {began} and {time}");
        starts.insert(start);
        seen += 1;
    }
    ensure!(seen == 2 && starts.len() == 1, "{seen} processes, starts {starts:?}");
    Ok(Completion::Completed)
}

/// Processes that come and go while the tracer starts: of some only the end is seen, and none may be shown without
/// its name and user.
fn older_than_the_tracer() -> Result<Completion> {
    let script = "while :; do cat /etc/hostname /etc/passwd; done";
    let mut busy = Command::new("sh").args(["-c", script]).stdout(Stdio::null()).spawn()?;
    let shown = (0..15).try_for_each(|_| {
        let arguments =
            ["-n", "300", "-p", "*%proc.name %user.name %proc.cmdline %thread.tid", "evt.type=openat"];
        let output = Tracer::start(&arguments)?.wait()?;
        ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);
        let lines = output.lines();
        ensure!(lines.len() == 300, "{} lines", lines.len());
        let unnamed: Vec<&String> = lines.iter().filter(|line| line.contains("<NA>")).collect();
        ensure!(unnamed.is_empty(), "{unnamed:?}");
        Ok(())
    });
    busy.kill()?;
    busy.wait()?;
    shown.map(|()| Completion::Completed)
}
