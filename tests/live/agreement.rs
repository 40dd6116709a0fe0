//! What chisels say of this machine beside what ps, lsof, ss and /proc say, and beside workloads whose sums are known.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use tracer_tests::programs::Scratch;
use tracer_tests::tracer::{PATIENCE, Tracer};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::marked::{Marked, table_sum};

pub fn trials() -> Vec<Trial> {
    vec![
        live("chisels::ps_agrees_with_ps", &[Needs::Root, Needs::Program("ps")], processes),
        live("chisels::lsof_agrees_with_lsof", &[Needs::Root, Needs::Program("lsof")], open_files),
        live("chisels::netstat_agrees_with_ss", &[Needs::Root, Needs::Program("ss")], connections),
        live("chisels::topprocs_cpu_agrees_with_proc", &[Needs::Root], cpu_times),
        live("chisels::topfiles_bytes_is_exact", &[Needs::Root], file_bytes),
        live("chisels::topprocs_net_is_exact", &[Needs::Root], net_bytes),
    ]
}

/// Looks at a machine that changes all the time are repeated so often before they count as different.
const LOOKS: usize = 6;

/// What is the same before and after is what the chisel must say as well. Returns how many rows were compared.
fn agree<T: PartialEq + std::fmt::Debug>(
    theirs: impl Fn() -> Result<BTreeMap<String, T>>,
    ours: impl Fn() -> Result<BTreeMap<String, T>>,
) -> Result<usize> {
    let mut faults = Vec::new();
    for _ in 0..LOOKS {
        let before = theirs()?;
        let between = ours()?;
        let after = theirs()?;
        let stable: Vec<_> = before.iter().filter(|(key, row)| after.get(*key) == Some(row)).collect();
        let wrong = stable.iter().filter(|(key, row)| between.get(*key) != Some(row));
        faults = wrong.map(|(key, row)| format!("{key}: {row:?}, chisel {:?}", between.get(*key))).collect();
        if faults.is_empty() {
            return Ok(stable.len());
        }
    }
    bail!("{} rows differ: {}", faults.len(), faults.join("\n"))
}

/// The lines of a command that succeeds.
fn lines(command: &mut Command) -> Result<Vec<String>> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// The lines of a chisel that shows the state of the machine once, without their titles.
fn snapshot(chisel: &str) -> Result<Vec<String>> {
    let mut tracer = Tracer::start(&["--unbuffered", "-c", chisel])?;
    // It ends with the first event.
    tracer.until(chisel, || Ok(()), |_| true)?;
    let output = tracer.wait()?;
    ensure!(output.code == 0, "{}", output.stderr);
    Ok(output.lines().into_iter().skip(1).collect())
}

/// A column of a line that is filled up with blanks.
fn column(line: &str, from: usize, to: usize) -> String {
    line.get(from..to.min(line.len())).unwrap_or_default().trim_end().to_owned()
}

/// KiB as chisels show them.
fn shown_kib(kib: u64) -> String {
    let bytes = kib as f64 * 1024.0;
    let unit = [("G", 3), ("M", 2), ("KB", 1)]
        .into_iter()
        .map(|(unit, power)| (unit, 1024f64.powi(power)))
        .find(|(_, size)| bytes > *size);
    match unit {
        // Halves are rounded up; formatting rounds them to even.
        Some((unit, size)) => format!("{:.2}{unit}", (bytes / size * 100.0 + 0.5).floor() / 100.0),
        None => format!("{bytes}B"),
    }
}

fn processes() -> Result<Completion> {
    let own = std::process::id().to_string();
    let theirs = || {
        let mut rows = BTreeMap::new();
        for line in lines(Command::new("ps").args(["-eLo", "tid=,pid=,user:32=,vsz=,rss=,comm="]))? {
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (tid, pid, user) = (word(), word(), word());
            // This process takes memory to compare what it has read.
            if pid == own {
                continue;
            }
            let (size, resident) = (word().parse()?, word().parse()?);
            let command = words.collect::<Vec<_>>().join(" ");
            let user = user.get(..11).unwrap_or(&user).to_owned();
            rows.insert(tid, [pid, user, shown_kib(size), shown_kib(resident), command]);
        }
        Ok(rows)
    };
    let ours = || {
        let rows = snapshot("ps")?.into_iter().map(|line| {
            let at = |from, to| column(&line, from, to);
            let command = at(60, line.len()).split_whitespace().collect::<Vec<_>>().join(" ");
            (at(0, 8), [at(8, 16), at(16, 28), at(28, 39), at(39, 50), command])
        });
        Ok(rows.collect())
    };
    let compared = agree(theirs, ours)?;
    ensure!(compared >= 5, "only {compared} threads");
    Ok(Completion::Completed)
}

/// Kinds of fds as lsof has them, in the words of the chisel; `None` for those that lsof does not tell apart.
fn kind_of(lsof: &str) -> Option<&'static str> {
    Some(match lsof {
        "REG" | "CHR" | "BLK" => "file",
        "DIR" => "directory",
        "FIFO" => "pipe",
        "unix" => "unix",
        "IPv4" => "ipv4",
        "IPv6" => "ipv6",
        _ => return None,
    })
}

/// Names that both have; of pipes and sockets of the machine lsof has other ones.
fn common_name(kind: &str, name: &str) -> String {
    match kind {
        "file" | "directory" => name.to_owned(),
        "ipv4" | "ipv6" => {
            let name = name.replace("*:", if kind == "ipv4" { "0.0.0.0:" } else { ":::" });
            ends(&name.replace(['[', ']'], ""))
        }
        _ => String::new(),
    }
}

/// Both ends of a connection in one order: which of them is the server only one side says.
fn ends(name: &str) -> String {
    name.split("->").collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

/// Descriptors of many kinds, open while the value lives.
struct Descriptors {
    _folder: std::fs::File,
    _unix: (std::os::unix::net::UnixStream, std::os::unix::net::UnixStream),
    _sockets: Vec<(TcpListener, TcpStream, TcpStream)>,
}

impl Descriptors {
    fn open(folder: &Scratch) -> Result<Self> {
        let mut sockets = Vec::new();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // Without IPv6 those of IPv4 must do.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr()?)?;
            let (server, _) = listener.accept()?;
            sockets.push((listener, client, server));
        }
        let folder = std::fs::File::open(folder.path())?;
        Ok(Self { _folder: folder, _unix: std::os::unix::net::UnixStream::pair()?, _sockets: sockets })
    }
}

fn open_files() -> Result<Completion> {
    let folder = Scratch::new("open-files")?;
    let _open = Descriptors::open(&folder)?;
    let theirs = || {
        let mut rows = BTreeMap::new();
        let mut process = String::new();
        for line in lines(Command::new("lsof").args(["-nP", "-F", "pftn0"]).stderr(Stdio::null()))? {
            let parts: BTreeMap<char, &str> =
                line.split('\0').filter_map(|part| Some((part.chars().next()?, part.get(1..)?))).collect();
            if let Some(number) = parts.get(&'p') {
                process = (*number).to_owned();
            }
            let (Some(fd), Some(kind), Some(name)) = (parts.get(&'f'), parts.get(&'t'), parts.get(&'n'))
            else {
                continue;
            };
            if let (Ok(_), Some(kind)) = (fd.parse::<u32>(), kind_of(kind)) {
                rows.insert(format!("{process} {fd}"), [kind.to_owned(), common_name(kind, name)]);
            }
        }
        Ok(rows)
    };
    let ours = || {
        let mut rows = BTreeMap::new();
        for line in snapshot("lsof")? {
            let at = |from, to| column(&line, from, to);
            let (pid, tid, fd, kind) = (at(20, 28), at(28, 36), at(44, 52), at(52, 64));
            if pid == tid {
                let name = common_name(&kind, &at(64, line.len()));
                rows.insert(format!("{pid} {fd}"), [kind, name]);
            }
        }
        Ok(rows)
    };
    let compared = agree(theirs, ours)?;
    ensure!(compared >= 8, "only {compared} descriptors");
    Ok(Completion::Completed)
}

fn connections() -> Result<Completion> {
    let folder = Scratch::new("connections")?;
    let _open = Descriptors::open(&folder)?;
    let theirs = || {
        let mut rows = BTreeMap::new();
        for line in lines(Command::new("ss").args(["-tanpH"]))? {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [state, _, _, local, peer, rest @ ..] = words.as_slice() else { continue };
            let (local, peer) = (local.replace(['[', ']'], ""), peer.replace(['[', ']'], ""));
            // Of processes whose fds nobody may read there are no owners.
            for owner in rest.join(" ").split("pid=").skip(1) {
                let pid = owner.split(',').next().unwrap_or_default();
                let name = match *state {
                    "LISTEN" => local.clone(),
                    "ESTAB" => ends(&format!("{local}->{peer}")),
                    _ => continue,
                };
                rows.insert(
                    format!("{pid} {name}"),
                    if *state == "LISTEN" { "LISTEN" } else { "ESTABLISHED" },
                );
            }
        }
        Ok(rows)
    };
    let ours = || {
        let mut rows = BTreeMap::new();
        for line in snapshot("netstat")?.iter().filter(|line| line.starts_with("tcp")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, server, client, state, owner, ..] = words.as_slice() else { bail!("{line}") };
            let pid = owner.split('/').nth(1).unwrap_or_default();
            let (name, state) = match *state {
                "LISTEN" => ((*server).to_owned(), "LISTEN"),
                _ => (ends(&format!("{client}->{server}")), "ESTABLISHED"),
            };
            rows.insert(format!("{pid} {name}"), state);
        }
        Ok(rows)
    };
    let compared = agree(theirs, ours)?;
    ensure!(compared >= 3, "only {compared} sockets");
    Ok(Completion::Completed)
}

/// CPU time of a process so far, in ns (proc(5): utime and stime in ticks, 100 a second).
fn cpu_time(pid: u32) -> Result<f64> {
    const TICK: f64 = 1e7;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? * TICK)
}

fn now() -> Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())
}

/// A process is idle, then busy, then stopped: the sum of what the chisel said is the time that it has taken.
fn cpu_times() -> Result<Completion> {
    let (said, taken) = busy_time()?;
    ensure!((said - taken).abs() <= taken * 0.05, "the chisel says {said} ns, /proc {taken} ns");
    Ok(Completion::Completed)
}

/// CPU time in ns of the busy process by the chisel, and by /proc.
fn busy_time() -> Result<(f64, f64)> {
    const BUSY: f64 = 3e9;
    const SECOND: u128 = 1_000_000_000;
    let folder = Scratch::new("busy")?;
    let program = folder.path().join("tracerbusy");
    std::fs::copy("/bin/sh", &program)?;
    // Whoever had no CPU time so far is as good as new: what it takes in its first second does not count.
    const SCRIPT: &str =
        "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done; echo ready; read begin; while :; do :; done";
    let mut busy =
        Command::new(&program).args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let pid = busy.id();
    let mut watch = || -> Result<(f64, f64)> {
        BufReader::new(busy.stdout.take().context("its output")?).read_line(&mut String::new())?;
        let before = cpu_time(pid)?;
        ensure!(before > 0.0, "it did nothing");
        let mut marked = Marked::start("cpu", &[&["topprocs_cpu"]], "proc.name=tracerbusy")?;
        marked.table_after(now()? + 2 * SECOND)?;
        busy.stdin.take().context("its input")?.write_all(b"begin\n")?;
        let deadline = std::time::Instant::now() + PATIENCE;
        while cpu_time(pid)? < before + BUSY {
            ensure!(std::time::Instant::now() < deadline, "it never got {BUSY} ns");
            std::thread::sleep(Duration::from_millis(50));
        }
        // SAFETY: kill has no memory preconditions; the child has not been waited for, so the number is its own.
        unsafe { libc::kill(pid as i32, libc::SIGSTOP) };
        marked.table_after(now()? + 3 * SECOND)?;
        let taken = cpu_time(pid)? - before;
        Ok((table_sum(&marked.finish()?, "tracerbusy"), taken))
    };
    let times = watch();
    busy.kill()?;
    busy.wait()?;
    times
}

/// Writes of many sizes, and the same read again.
fn file_bytes() -> Result<Completion> {
    let folder = Scratch::new("bytes")?;
    let path = folder.path().join("known");
    let name = path.display().to_string();
    let marked = Marked::start("files", &[&["topfiles_bytes"]], &format!("fd.name={name}"))?;
    let mut file = std::fs::File::create(&path)?;
    let mut written = 0;
    for size in (1..20_000).step_by(97) {
        file.write_all(&vec![b'x'; size])?;
        written += size;
    }
    let mut read = 0;
    let mut file = std::fs::File::open(&path)?;
    let mut buffer = [0; 3001];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            size => read += size,
        }
    }
    ensure!(read == written, "{read} of {written} bytes came back");
    let said = table_sum(&marked.finish()?, &name);
    ensure!(said == (read + written) as f64, "the chisel says {said}, {} were moved", read + written);
    Ok(Completion::Completed)
}

/// A connection of this process with itself: each byte counts where it is sent and where it is received.
fn net_bytes() -> Result<Completion> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let filter = format!("fd.port={}", listener.local_addr()?.port());
    let marked = Marked::start("net", &[&["topprocs_net"]], &filter)?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    let mut sent = 0;
    for size in (1..9000).step_by(131) {
        client.write_all(&vec![b'x'; size])?;
        server.read_exact(&mut vec![0; size])?;
        server.write_all(&vec![b'y'; size / 2])?;
        client.read_exact(&mut vec![0; size / 2])?;
        sent += size + size / 2;
    }
    let own_name = std::fs::read_to_string("/proc/self/comm")?;
    let said = table_sum(&marked.finish()?, own_name.trim_end());
    ensure!(said == 2.0 * sent as f64, "the chisel says {said}, {sent} bytes were sent and received");
    Ok(Completion::Completed)
}
