//! Programs that do what a tracer must survive: nothing that they do ends it, forges its output, or reaches the
//! terminal raw, and what happens afterwards is still seen.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::{Scratch, compile};
use tracer_tests::tracer::{Tracer, contains};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::commands::Line;

/// The sub-commands of `programs/hostile.c`, each with what must be in the output besides the marks: pieces of lines.
const CASES: &[(&str, &[&str])] = &[
    ("names", &[" mkdir ", " rename ", " unlink "]),
    ("comm", &["name=/hostile/comm"]),
    ("long-path", &["-36(ENAMETOOLONG)"]),
    ("long-args", &[" execve ", "name=/hostile/nothing"]),
    ("many-args", &[" execve ", "name=/hostile/nothing"]),
    ("evil-args", &[" execve ", "name=/hostile/nothing"]),
    ("bad-pointers", &["-14(EFAULT)", "name=/hostile/bad_pointers"]),
    ("page-edge", &["-14(EFAULT)", "name=/hostile/ "]),
    ("deep", &[" getcwd res=-36(ENAMETOOLONG)", "name=/hostile/nothing"]),
    ("storm", &[" procexit "]),
    ("exec-storm", &["name=/hostile/nothing"]),
    ("fd-reuse", &["name=reuse-0-", "name=reuse-3-"]),
    ("thread-exec", &["name=/hostile/nothing"]),
    ("leader-exit", &["name=/hostile/after_leader"]),
    ("vfork-exec", &["name=/hostile/nothing"]),
    ("setuid", &["name=/hostile/setuid", " setresuid "]),
    ("pid-ns", &["name=/hostile/nothing"]),
    ("mount-ns", &["name=/hostile/mount_ns", "path=/tmp/root"]),
    ("compat", &["name=/hostile/compat"]),
    // No kernel knows 1,000,000; 20 with the bit of the x32 interface is writev.
    ("odd-numbers", &["name=/hostile/odd_numbers", " < <unknown>", " < writev res=-"]),
    ("io-uring", &["io_uring_setup", "io_uring_enter"]),
    ("memfd-exec", &["name=/hostile/nothing"]),
    ("deleted-exe", &["name=/hostile/deleted", "name=/hostile/nothing"]),
    ("script", &["filename=script"]),
    ("signals", &[" signaldeliver "]),
    ("killed", &["name=/hostile/killed", " procexit "]),
    ("seccomp", &[" chdir res=-4000 "]),
    ("big-io", &["size=67108864"]),
    ("ancillary", &[" recvmsg "]),
    ("addresses", &[" connect "]),
    ("title", &["name=/hostile/title"]),
    ("many-fds", &["name=/hostile/many_fds"]),
    ("clones", &["name=/hostile/clones"]),
    ("thread-storm", &[" clone"]),
];

pub fn trials() -> Vec<Trial> {
    const NEEDS: &[Needs] = &[Needs::Root, Needs::Program("gcc")];
    let mut trials = vec![
        live("hostile::every_case_is_tested", &[Needs::Program("gcc")], every_case_is_tested),
        live("hostile::program_of_32_bits", NEEDS, program_of_32_bits),
    ];
    for (name, expected) in CASES {
        trials.push(live(format!("hostile::{}", name.replace('-', "_")), NEEDS, || case(name, expected)));
    }
    trials
}

fn program() -> Result<PathBuf> {
    compile("hostile", "tracer-hostile", &[])
}

fn every_case_is_tested() -> Result<Completion> {
    let list = Command::new(program()?).arg("--list").output()?;
    for name in String::from_utf8(list.stdout)?.lines() {
        ensure!(CASES.iter().any(|(known, _)| *known == name), "{name} is not tested");
    }
    Ok(Completion::Completed)
}

/// Everything of the program and of what it becomes: it changes its name, its user and its namespace, so its ancestry
/// is what it keeps.
fn filter(pid: u32) -> String {
    format!("proc.pid={pid} or proc.apid={pid}")
}

fn case(name: &str, expected: &[&str]) -> Result<Completion> {
    let folder = Scratch::new(name)?;
    let binary = program()?;
    // The program waits for its start signal, so that its number is known to the filter.
    let mut child = Command::new("/bin/sh")
        .args(["-c", "read go; exec \"$0\" \"$@\""])
        .arg(&binary)
        .args([name, &folder.text()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("sh")?;
    let mut tracer = Tracer::start_seeing(&[], &filter(child.id()))?;
    drop(child.stdin.take());
    let ended = child.wait_with_output()?;
    if ended.status.code() == Some(77) {
        return Ok(Completion::ignored_with(String::from_utf8_lossy(&ended.stderr).trim()));
    }
    ensure!(ended.status.code() == Some(0), "the program itself ended with {}", ended.status);
    tracer.mark()?;
    let output = tracer.finish()?;
    ensure!(output.code == 0, "the tracer ended with {}: {}", output.code, output.stderr);
    ensure!(!output.stderr.contains("panicked"), "a panic: {}", output.stderr);
    clean(&output.stdout)?;
    for piece in expected {
        let found = contains(&output.stdout, piece.as_bytes());
        ensure!(found, "«{piece}» is nowhere in {} lines; {}", output.lines().len(), output.stderr);
    }
    Ok(Completion::Completed)
}

/// No control byte but the line end, and no line that is not an event's own.
fn clean(stdout: &[u8]) -> Result<()> {
    for line in stdout.split(|byte| *byte == b'\n') {
        let bad = line.iter().find(|byte| (**byte < 0x20 && **byte != b'\t') || **byte == 0x7f);
        ensure!(bad.is_none(), "control byte {bad:?} in «{}»", line.escape_ascii());
        // The one-byte control sequence introducer, which is no control byte only as a part of a UTF-8 character.
        let lossy = String::from_utf8_lossy(line);
        ensure!(!lossy.contains('\u{9b}'), "C1 control in «{}»", line.escape_ascii());
        if line.is_empty() {
            continue;
        }
        let parsed =
            Line::parse(&lossy).with_context(|| format!("not an event: «{}»", line.escape_ascii()))?;
        ensure!(parsed.process != "forged", "forged: «{}»", line.escape_ascii());
    }
    Ok(())
}

fn program_of_32_bits() -> Result<Completion> {
    let Ok(program) = compile("compat32", "tracer-32", &["-m32", "-static"]) else {
        return Ok(Completion::ignored_with("needs gcc-multilib"));
    };
    let mut tracer = Tracer::start_seeing(&[], "proc.name=tracer-32")?;
    let status = Command::new(&program).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "the program itself ended with {status}");
    tracer.mark()?;
    let output = tracer.finish()?;
    clean(&output.stdout)?;
    let lines = output.lines();
    // The same calls as of any program, under the same names although their numbers differ.
    for (kind, pieces) in [
        ("openat", &["(<f>/etc/passwd)"][..]),
        ("read", &["res=32", "(<f>/etc/passwd)"]),
        ("readv", &["res=32", "size=32"]),
        ("sendmsg", &["res=32", "size=32"]),
        ("socket", &["domain=2(AF_INET)", "type=2"]),
        ("connect", &["res=0", "->127.0.0.1:9", "addr=127.0.0.1:9"]),
        ("writev", &["res=32", "size=32", "data=qqqqqqqq"]),
        ("openat", &["-2(ENOENT)", "name=/hostile/compat32"]),
        ("close", &["res=0"]),
    ] {
        let found = lines.iter().filter_map(|line| Line::parse(line)).any(|line| {
            line.kind == kind
                && line.direction == "<"
                && pieces.iter().all(|piece| line.arguments.contains(piece))
        });
        ensure!(found, "no {kind} with {pieces:?} in:\n{}", lines.join("\n"));
    }
    Ok(Completion::Completed)
}
