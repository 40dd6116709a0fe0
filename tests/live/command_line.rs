//! What is promised whatever is traced: exit statuses, errors of one line, ends that lose nothing.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::run_silent;
use tracer_tests::tracer::{PATIENCE, Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

const ROOT: &[Needs] = &[Needs::Root];

pub fn trials() -> Vec<Trial> {
    vec![
        live("command_line::lists_need_no_rights", &[], lists_need_no_rights),
        live("command_line::bad_filter_shows_where", &[], bad_filter_shows_where),
        live("command_line::bad_option_is_status_2", &[], bad_option_is_status_2),
        live("command_line::without_the_right_to_trace", ROOT, without_the_right_to_trace),
        live("command_line::doctor", ROOT, doctor),
        live("command_line::closed_pipe_ends_quietly", ROOT, closed_pipe_ends_quietly),
        live("command_line::interrupt_prints_what_was_seen", ROOT, interrupt_prints_what_was_seen),
        live("command_line::seconds_end_the_run", ROOT, seconds_end_the_run),
        live("command_line::json_lines", ROOT, json_lines),
        live("command_line::never_traces_itself", ROOT, never_traces_itself),
    ]
}

/// Runs the tracer to its end.
fn run(arguments: &[&str]) -> Result<tracer_tests::Output> {
    Tracer::start(arguments)?.wait()
}

fn lists_need_no_rights() -> Result<Completion> {
    for (option, expected) in
        [("-l", ["proc.name", "evt.latency", "fd.name"]), ("-L", ["openat", "execve", "accept4"])]
    {
        let output = run(&[option])?;
        ensure!(output.code == 0, "{option}: status {}: {}", output.code, output.stderr);
        let text = String::from_utf8(output.stdout)?;
        for name in expected {
            ensure!(text.contains(name), "{option} does not list {name}");
        }
    }
    Ok(Completion::Completed)
}

fn bad_filter_shows_where() -> Result<Completion> {
    let output = run(&["proc.nam=cat"])?;
    ensure!(output.code == 2, "status {}", output.code);
    ensure!(output.stderr.contains("proc.name"), "no suggestion: {}", output.stderr);
    ensure!(output.stderr.contains('^'), "no caret: {}", output.stderr);
    ensure!(output.stdout.is_empty(), "something on standard output");
    Ok(Completion::Completed)
}

fn bad_option_is_status_2() -> Result<Completion> {
    for arguments in [&["--no-such-option"][..], &["-n", "many"], &["-t", "x"]] {
        let output = run(arguments)?;
        ensure!(output.code == 2, "{arguments:?}: status {}: {}", output.code, output.stderr);
        ensure!(!output.stderr.is_empty(), "{arguments:?}: nothing said");
    }
    Ok(Completion::Completed)
}

fn without_the_right_to_trace() -> Result<Completion> {
    // A user who can reach the binary wherever the build folder is.
    let copy = format!("/tmp/tracer-test-{}-binary", std::process::id());
    std::fs::copy(binary()?, &copy)?;
    let output = Tracer::start_with(Command::new(&copy).args(["-n", "1"]).uid(65534).gid(65534))?.wait();
    std::fs::remove_file(&copy)?;
    let output = output?;
    ensure!(output.code == 1, "status {}: {}", output.code, output.stderr);
    let lines: Vec<_> = output.stderr.lines().collect();
    ensure!(lines.len() == 1 && lines[0].starts_with("tracer: "), "not one sentence: {}", output.stderr);
    ensure!(lines[0].contains("root"), "does not say how to get it: {}", lines[0]);
    Ok(Completion::Completed)
}

fn doctor() -> Result<Completion> {
    let output = run(&["doctor"])?;
    ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);
    let text = String::from_utf8(output.stdout)?;
    ensure!(text.contains("sys_enter") && text.contains("sys_exit"), "says nothing of the programs: {text}");
    Ok(Completion::Completed)
}

fn closed_pipe_ends_quietly() -> Result<Completion> {
    let mut child = Command::new(binary()?)
        .arg("--unbuffered")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut pipe = child.stdout.take().context("no pipe")?;
    let mut some = [0; 100];
    run_silent(&mut Command::new("true"))?;
    pipe.read_exact(&mut some)?;
    drop(pipe);
    let deadline = std::time::Instant::now() + PATIENCE;
    let status = loop {
        run_silent(&mut Command::new("true"))?;
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if std::time::Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            anyhow::bail!("still running with nobody to read");
        }
    };
    let mut said = String::new();
    child.stderr.take().context("no pipe")?.read_to_string(&mut said)?;
    ensure!(status.code() == Some(0), "{status}: {said}");
    ensure!(said.is_empty(), "said: {said}");
    Ok(Completion::Completed)
}

fn interrupt_prints_what_was_seen() -> Result<Completion> {
    // Without --unbuffered: what is printed at the end must hold what happened before the interrupt.
    let filter = format!("proc.name=true or {}", tracer_tests::tracer::MARK_FILTER);
    let mut tracer = Tracer::start(&[&filter])?;
    tracer.mark()?;
    let (pid, _) = run_silent(&mut Command::new("/bin/true"))?;
    let output = tracer.finish()?;
    ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);
    let tag = format!(" true ({pid}) ");
    ensure!(output.lines().iter().any(|line| line.contains(&tag)), "no event of {pid}");
    Ok(Completion::Completed)
}

fn seconds_end_the_run() -> Result<Completion> {
    let tracer = Tracer::start(&["-q", "-M", "1"])?;
    let output = tracer.wait()?;
    ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);
    ensure!(output.stdout.is_empty(), "-q printed something");
    Ok(Completion::Completed)
}

fn json_lines() -> Result<Completion> {
    let mut tracer = Tracer::start(&["-j", "proc.name=cat and evt.type=openat"])?;
    let workload = || run_silent(Command::new("/bin/cat").arg("/etc/passwd")).map(drop);
    tracer.until("cat opens /etc/passwd", workload, |line| line.contains("/etc/passwd"))?;
    let output = tracer.finish()?;
    for line in output.lines() {
        let event: serde_json::Value =
            serde_json::from_str(&line).with_context(|| format!("no JSON: {line}"))?;
        ensure!(
            event["evt.type"] == "openat" && event["proc.name"] == "cat",
            "not what was asked for: {line}"
        );
        ensure!(event["evt.num"].is_u64() && event["thread.tid"].is_i64(), "numbers are not numbers: {line}");
    }
    Ok(Completion::Completed)
}

fn never_traces_itself() -> Result<Completion> {
    let mut tracer = Tracer::start_seeing(&["-p", "*%proc.pid %evt.type %evt.args"], "evt.type exists")?;
    let own = format!("{} ", tracer.id());
    tracer.mark()?;
    let output = tracer.finish()?;
    ensure!(!output.lines().is_empty(), "nothing seen at all");
    ensure!(!output.lines().iter().any(|line| line.starts_with(&own)), "its own events are there");
    Ok(Completion::Completed)
}
