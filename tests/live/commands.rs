//! The commands that everybody tries first, each with a workload that makes it print.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::{Scratch, compile, run_silent};
use tracer_tests::tracer::Tracer;
use tracer_tests::{Completion, Needs, Trial, live};

const ROOT: &[Needs] = &[Needs::Root];
const ROOT_AND_GCC: &[Needs] = &[Needs::Root, Needs::Program("gcc")];

pub fn trials() -> Vec<Trial> {
    vec![
        live("commands::first_hundred_events", ROOT, first_hundred_events),
        live("commands::process_name", ROOT, process_name),
        live("commands::chdir_of_root", ROOT, chdir_of_root),
        live("commands::opens_with_a_format", ROOT, opens_with_a_format),
        live("commands::accepted_connections", ROOT_AND_GCC, accepted_connections),
        live("commands::failed_opens", ROOT, failed_opens),
        live("commands::buffer_contents", ROOT, buffer_contents),
        live("commands::directory_and_result", ROOT, directory_and_result),
        live("commands::open_alone_hints_at_openat", ROOT, open_alone_hints_at_openat),
    ]
}

/// The parts of a default line that tests look at: number, time, process, direction, type, arguments. CPU and thread must
/// be numbers.
pub struct Line<'a> {
    pub number: u64,
    pub time: &'a str,
    pub process: &'a str,
    pub direction: &'a str,
    pub kind: &'a str,
    pub arguments: &'a str,
}

impl<'a> Line<'a> {
    /// Takes a default line apart; `None` if it is not one.
    pub fn parse(line: &'a str) -> Option<Line<'a>> {
        let (number, rest) = line.split_once(' ')?;
        let (time, rest) = rest.split_once(' ')?;
        let (cpu, rest) = rest.split_once(' ')?;
        // A process name may hold blanks and brackets: the thread is the last number in brackets before a direction.
        let direction = [" > ", " < "].iter().filter_map(|mark| rest.find(mark)).min()?;
        let (who, what) = rest.split_at(direction);
        let (process, thread) = who.rsplit_once(" (")?;
        cpu.parse::<u32>().ok()?;
        thread.strip_suffix(')')?.parse::<i64>().ok()?;
        let mut words = what[1..].splitn(3, ' ');
        Some(Line {
            number: number.parse().ok()?,
            time,
            process,
            direction: words.next()?,
            kind: words.next()?,
            arguments: words.next().unwrap_or(""),
        })
    }
}

/// Runs cat on a path and throws away what it says.
fn cat(path: &str) -> Result<u32> {
    Ok(run_silent(Command::new("/bin/cat").arg(path))?.0)
}

fn first_hundred_events() -> Result<Completion> {
    let tracer = Tracer::start(&["-n", "100"])?;
    // A machine where nothing happens has no hundred events.
    let output = std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                let _ = cat("/etc/passwd");
            }
        });
        let output = tracer.wait();
        drop(stop);
        output
    })?;
    ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);
    let lines = output.lines();
    ensure!(lines.len() == 100, "{} lines instead of 100", lines.len());
    let mut last = 0;
    for line in &lines {
        let parsed = Line::parse(line).with_context(|| format!("not a default line: {line}"))?;
        ensure!(parsed.number > last, "number {} after {last}", parsed.number);
        last = parsed.number;
        let nanoseconds = parsed.time.rsplit_once('.').map_or(0, |(_, fraction)| fraction.len());
        ensure!(parsed.time.matches(':').count() == 2 && nanoseconds == 9, "time of {line}");
    }
    Ok(Completion::Completed)
}

fn process_name() -> Result<Completion> {
    let mut tracer = Tracer::start(&["--unbuffered", "proc.name=cat"])?;
    let opened = |line: &str| {
        Line::parse(line).is_some_and(|line| {
            line.kind == "openat" && line.direction == "<" && line.arguments.contains("(<f>/etc/passwd)")
        })
    };
    tracer.until("cat opens /etc/passwd", || cat("/etc/passwd").map(drop), opened)?;
    let output = tracer.finish()?;
    ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);
    for line in output.lines() {
        let parsed = Line::parse(&line).with_context(|| format!("not a default line: {line}"))?;
        ensure!(parsed.process == "cat", "somebody else: {line}");
    }
    Ok(Completion::Completed)
}

fn chdir_of_root() -> Result<Completion> {
    let mut tracer = Tracer::start(&["--unbuffered", "evt.type=chdir and user.name=root"])?;
    let workload = || run_silent(Command::new("/bin/sh").args(["-c", "cd /usr"])).map(drop);
    let line = tracer.until("sh goes to /usr", workload, |line| {
        Line::parse(line)
            .is_some_and(|line| line.direction == "<" && line.arguments.trim_end() == "res=0 path=/usr")
    })?;
    ensure!(line.contains(" sh ("), "not by sh: {line}");
    // Somebody else's chdir must not show.
    let mut other = Command::new("/bin/sh");
    std::os::unix::process::CommandExt::uid(&mut other, 65534);
    for _ in 0..20 {
        run_silent(other.args(["-c", "cd /var"]))?;
    }
    let output = tracer.finish()?;
    for line in output.lines() {
        let parsed = Line::parse(&line).with_context(|| format!("not a default line: {line}"))?;
        ensure!(parsed.kind == "chdir" && !parsed.arguments.contains("path=/var"), "does not match: {line}");
    }
    Ok(Completion::Completed)
}

fn opens_with_a_format() -> Result<Completion> {
    let format = "%12user.name %6proc.pid %12proc.name %3fd.num %fd.typechar %fd.name";
    let mut tracer = Tracer::start(&["--unbuffered", "-p", format, "evt.type in (open,openat)"])?;
    let pids = std::cell::RefCell::new(Vec::new());
    let workload = || {
        pids.borrow_mut().push(cat("/etc/passwd")?);
        Ok(())
    };
    tracer.until("cat opens /etc/passwd", workload, |line| {
        let of = |pid: &u32| format!("{:<12} {:<6} {:<12} {:<3} f /etc/passwd", "root", pid, "cat", 3);
        pids.borrow().iter().any(|pid| line == of(pid))
    })?;
    tracer.finish()?;
    Ok(Completion::Completed)
}

fn accepted_connections() -> Result<Completion> {
    let folder = Scratch::new("accept")?;
    let path = format!("{}/socket", folder.text());
    let mut server = Command::new(compile("accepter", "accepter", &[])?)
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("accepter")?;
    let result = connections(&mut server, &path);
    server.kill()?;
    server.wait()?;
    result
}

fn connections(server: &mut std::process::Child, path: &str) -> Result<Completion> {
    let mut ports = String::new();
    BufReader::new(server.stdout.take().context("no output")?).read_line(&mut ports)?;
    let (four, six) = ports.trim().split_once(' ').context("two ports")?;
    let filter = "evt.type in (accept,accept4) and proc.name!=nginx";
    let mut tracer = Tracer::start(&["--unbuffered", "-p%proc.name %fd.name", filter])?;
    // Each connection has its own port, so each line is known in advance.
    for (address, port) in [("127.0.0.1", four), ("::1", six)] {
        if port == "0" {
            eprintln!("no {address} on this machine");
            continue;
        }
        let expected = std::cell::RefCell::new(Vec::new());
        let connect = || {
            let port: u16 = port.parse()?;
            let client = TcpStream::connect((address, port))?;
            let own = client.local_addr()?.port();
            expected.borrow_mut().push(format!("accepter {address}:{own}->{address}:{port}"));
            Ok(())
        };
        tracer.until(&format!("a client of {address}:{port}"), connect, |line| {
            expected.borrow().iter().any(|known| line == known)
        })?;
    }
    let connect = || UnixStream::connect(path).map(drop).map_err(Into::into);
    tracer.until("a client of the unix socket", connect, |line| {
        line.starts_with("accepter ") && line.ends_with(path)
    })?;
    tracer.finish()?;
    Ok(Completion::Completed)
}

fn failed_opens() -> Result<Completion> {
    let filter = "proc.name=cat and evt.type in (open,openat) and evt.failed=true";
    let mut tracer = Tracer::start(&["--unbuffered", filter])?;
    let workload = || {
        cat("/etc/passwd")?;
        cat("/absent/file").map(drop)
    };
    tracer.until("cat fails to open /absent/file", workload, |line| {
        line.contains("fd=-2(ENOENT)") && line.contains("name=/absent/file")
    })?;
    let output = tracer.finish()?;
    for line in output.lines() {
        ensure!(!line.contains("(<f>"), "one that succeeded: {line}");
    }
    Ok(Completion::Completed)
}

fn buffer_contents() -> Result<Completion> {
    let folder = Scratch::new("python")?;
    // Any program of that name will do; cat writes what it reads.
    let program = folder.path().join("python-client");
    std::fs::copy("/bin/cat", &program)?;
    let query = folder.path().join("query");
    std::fs::write(&query, "SELECT name FROM users WHERE id = 7\n")?;
    let other = folder.path().join("other");
    std::fs::write(&other, "INSERT INTO users\n")?;
    let filter = "proc.name contains python and evt.buffer contains SELECT";
    let mut tracer = Tracer::start(&["--unbuffered", filter])?;
    let workload = || {
        run_silent(Command::new(&program).args([&other, &query]))?;
        cat(&query.display().to_string()).map(drop)
    };
    for call in ["read", "write"] {
        tracer.until(&format!("python-client {call}s SELECT"), workload, |line| {
            Line::parse(line).is_some_and(|line| {
                line.kind == call
                    && line.process == "python-client"
                    && line.arguments.contains("data=SELECT name FROM users")
            })
        })?;
    }
    let output = tracer.finish()?;
    for line in output.lines() {
        ensure!(line.contains(" python-client (") && line.contains("SELECT"), "does not match: {line}");
    }
    Ok(Completion::Completed)
}

fn directory_and_result() -> Result<Completion> {
    let name = format!("/tmp/tracer-test-{}-directory", std::process::id());
    std::fs::write(&name, "text")?;
    let filter = "(fd.directory=/tmp or not fd.name contains /usr/) and evt.rawres>=0";
    let mut tracer = Tracer::start(&["--unbuffered", filter])?;
    let wanted = format!("(<f>{name})");
    let workload = || {
        cat("/usr/bin/env")?;
        cat("/absent/file")?;
        cat(&name).map(drop)
    };
    tracer.until("cat reads a file of /tmp", workload, |line| {
        Line::parse(line).is_some_and(|line| line.kind == "openat" && line.arguments.contains(&wanted))
    })?;
    std::fs::remove_file(&name)?;
    let output = tracer.finish()?;
    for line in output.lines() {
        // Other descriptors of a call (in_fd of sendfile) are not the event's.
        let below_usr = |word: &str| word.starts_with("fd=") && word.contains("(<f>/usr/");
        ensure!(!line.split(' ').any(below_usr), "a file below /usr: {line}");
        ensure!(!line.contains("res=-") && !line.contains("fd=-2("), "one that failed: {line}");
    }
    Ok(Completion::Completed)
}

fn open_alone_hints_at_openat() -> Result<Completion> {
    let said = |filter: &str| Ok::<_, anyhow::Error>(Tracer::start(&["-M", "1", filter])?.wait()?.stderr);
    let hint = said("evt.type=open")?;
    let lines: Vec<_> = hint.lines().filter(|line| line.contains("openat")).collect();
    ensure!(lines.len() == 1, "not one line about openat: {hint}");
    let none = said("evt.type in (open,openat)")?;
    ensure!(!none.contains("openat"), "a hint where none is due: {none}");
    Ok(Completion::Completed)
}
