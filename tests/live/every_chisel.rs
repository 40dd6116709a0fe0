//! Every chisel that is listed runs live for three seconds while programs, files and connections come and go.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use tracer_tests::programs::{Scratch, run_silent};
use tracer_tests::tracer::{Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

const TIME: &str = "3";

/// What chisels are given that need to be told something.
const ARGUMENTS: [(&str, &str); 8] = [
    ("fdbytes_by", "proc.name"),
    ("fdcount_by", "proc.name"),
    ("fdtime_by", "fd.name"),
    ("fileslower", "1"),
    ("netlower", "1"),
    ("scallslower", "1"),
    ("spy_ip", "127.0.0.1"),
    ("spy_port", "80"),
];

/// They draw on a terminal.
const DRAWN: [&str; 3] = ["heatmap", "spectrogram", "subsecoffset"];

/// They show how things are at the first event, and end the run.
const SNAPSHOTS: [&str; 4] = ["lscontainers", "lsof", "netstat", "ps"];

/// They do not run live: what each says.
const REFUSED: [(&str, &str, &str); 3] = [
    ("around", "file", "live capture not supported"),
    ("tracers_2_statsd", "", "deprecated"),
    ("udp_extract", "", "needs --allow-chisel-io"),
];

pub fn trials() -> Vec<Trial> {
    let needs = &[Needs::Root, Needs::Program("script")];
    vec![live("every_chisel::runs_live", needs, runs_live)]
}

fn runs_live() -> Result<Completion> {
    let listed = listed()?;
    let is_among = |names: &[&str], name: &String| names.contains(&name.as_str());
    let (drawn, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(|name| is_among(&DRAWN, name));
    let (snapshots, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|name| is_among(&SNAPSHOTS, name));
    let (refused, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|name| is_among(&REFUSED.map(|r| r.0), name));
    ensure!(drawn.len() == DRAWN.len() && snapshots.len() == SNAPSHOTS.len(), "not all are listed");
    ensure!(refused.len() == REFUSED.len() && others.len() >= 45, "not all are listed: {others:?}");
    let mut on_terminal = Command::new("script");
    let line = format!("stty cols 100; '{}' {}", binary()?.display(), arguments(&drawn).join(" "));
    on_terminal.args(["-qec", &line, "/dev/null"]);
    during(|| {
        ends_well(&others, &mut silent(&arguments(&others))?)?;
        ends_well(&snapshots, &mut silent(&arguments(&snapshots))?)?;
        ends_well(&drawn, &mut on_terminal)
    })?;
    for (name, argument, said) in REFUSED {
        // A filter, which one of them asks for first.
        let arguments = ["-M", TIME, "-c", name, argument, "evt.type=open"];
        let arguments: Vec<&str> = arguments.into_iter().filter(|word| !word.is_empty()).collect();
        let output = Tracer::start(&arguments)?.wait()?;
        let text = format!("{}{}", output.lines().join("\n"), output.stderr);
        ensure!(output.code == 1 && text.contains(said), "{name}: status {}: {text}", output.code);
    }
    Ok(Completion::Completed)
}

/// The names that `-cl` shows: at the start of a line, with a description behind.
fn listed() -> Result<Vec<String>> {
    let lines = Tracer::start(&["-cl"])?.wait()?.lines();
    let name = |line: &String| {
        let (name, _) = line.split_once("  ")?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (is_name && !name.is_empty()).then(|| name.to_owned())
    };
    Ok(lines.iter().filter_map(name).collect())
}

fn arguments(chisels: &[String]) -> Vec<String> {
    let mut words = vec!["-M".to_owned(), TIME.to_owned()];
    for chisel in chisels {
        words.extend(["-c".to_owned(), chisel.clone()]);
        words.extend(
            ARGUMENTS.iter().filter(|(name, _)| name == chisel).map(|(_, value)| (*value).to_owned()),
        );
    }
    words
}

/// The tracer with its output to nowhere: whoever read it would be traced, and shown by those that show what is read.
fn silent(arguments: &[String]) -> Result<Command> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" \"$@\" >/dev/null"]).arg(binary()?).args(arguments);
    Ok(command)
}

fn ends_well(chisels: &[String], command: &mut Command) -> Result<()> {
    let output = Tracer::start_with(command)?.wait()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let end: String = text.chars().skip(text.chars().count().saturating_sub(600)).collect();
    ensure!(output.code == 0, "{chisels:?}: status {}: {}{end}", output.code, output.stderr);
    Ok(())
}

/// Runs `test` while a thread does a little of everything, over and over.
fn during(test: impl FnOnce() -> Result<()>) -> Result<()> {
    let is_over = AtomicBool::new(false);
    let folder = Scratch::new("every-chisel")?;
    let file = format!("{}/access.log", folder.text());
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                mixed(&file)?;
                std::thread::sleep(Duration::from_millis(20));
            }
            anyhow::Ok(())
        });
        let result = test();
        is_over.store(true, Ordering::Relaxed);
        let worked = busy.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the workload panicked")));
        result.and(worked)
    })
}

/// Programs, files, failing calls, connections of each kind, and a request that a shell must not obey.
fn mixed(file: &str) -> Result<()> {
    const SHELLSHOCK: &str = "() { :; }; echo bad";
    let script = "cd /; cat /etc/hostname /nonexistent 2>&1; echo \"GET $1\" >>\"$2\"";
    run_silent(Command::new("/bin/sh").args(["-c", script, "sh", "/index", file]).env("AGENT", SHELLSHOCK))?;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    let mut buffer = [0; 256];
    for (mut from, mut to, text) in [
        (&client, &server, "GET /index.html HTTP/1.1\r\nHost: here\r\n\r\n"),
        (&server, &client, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (&client, &server, "set key 0 0 5\r\nvalue\r\n"),
    ] {
        from.write_all(text.as_bytes())?;
        let _ = to.read(&mut buffer)?;
    }
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    UdpSocket::bind("127.0.0.1:0")?.send_to(b"\0\xff\x1b[2Jdatagram", receiver.local_addr()?)?;
    let _ = receiver.recv(&mut buffer)?;
    let (mut left, mut right) = UnixStream::pair()?;
    left.write_all(b"local")?;
    let _ = right.read(&mut buffer)?;
    Ok(())
}
