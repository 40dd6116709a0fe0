//! A recording shows what the run showed that made it, whatever was filtered away, rotated or cut off by a kill.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use tracer_tests::programs::{Scratch, compile, run_silent};
use tracer_tests::tracer::{PATIENCE, Tracer};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::recording::{SHOWN, has_event, text, wait_for, wait_for_any};
use crate::sysdig::{lines, tracer};

pub fn trials() -> Vec<Trial> {
    vec![
        live("replay::recordings show what the run showed", &[Needs::Root, Needs::Program("gcc")], as_live),
        live("replay::killed at any moment", &[Needs::Root], killed),
        live("replay::nothing is lost between files", &[Needs::Root], rotated),
    ]
}

/// A number from the environment, for longer runs than those of every day.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Whether a recording is to show the line as the run did. Notes about containers are events only in a file.
fn compares(line: &[u8]) -> bool {
    let ty = line.split(|b| *b == b' ').nth(1);
    ty.is_some_and(|ty| ty != b"container")
}

/// The beginning of a long line, and what stands where it begins to differ from `other`.
fn around_difference(line: &[u8], other: &[u8]) -> String {
    let at = line.iter().zip(other).take_while(|(a, b)| a == b).count();
    let part = |range: std::ops::Range<usize>| String::from_utf8_lossy(line.get(range).unwrap_or_default());
    let shown = |at: usize| at.min(line.len());
    format!("{} … {}", part(0..shown(80)), part(at.saturating_sub(80)..shown(at + 80)))
}

/// Recordings of one tree of processes, with each of these filters; with `TRACER_REPLAY=1` of all processes, on a
/// machine where nothing is lost and no container comes. Of a child that ended before its parent's vfork did a recording
/// without the child's end knows the name, the run does not.
fn as_live() -> Result<Completion> {
    const FILTERS: [&str; 11] = [
        "evt.type exists",
        "evt.type in (read, write) and evt.dir=<",
        "evt.failed=true",
        "proc.name in (ls, cat, sort, sleep)",
        "evt.type in (connect, accept, accept4, bind)",
        "evt.type=close and evt.dir=<",
        "evt.type in (clone, clone3, vfork, execve, kill, procexit)",
        "fd.num > 2 and evt.dir=<",
        "proc.pname=sh and evt.type=openat",
        "evt.dir=< and evt.latency > 20000",
        "fd.type in (ipv4, ipv6, unix)",
    ];
    let syscalls = compile("syscalls", "tr-replayed", &[])?;
    let is_whole = setting("TRACER_REPLAY", 0) != 0;
    for filter in FILTERS {
        let scratch = Scratch::new("replay")?;
        let capture = scratch.path().join("capture");
        let tree = Tree::start(&syscalls, &scratch.path().join("work"))?;
        let narrowed = if is_whole { filter.to_owned() } else { format!("({filter}) and {}", tree.filter()) };
        let arguments = ["-w", text(&capture)?, "--tee", "--buffer-size", "16M", "-p", SHOWN, &narrowed];
        let recorder = Tracer::start(&arguments)?;
        wait_for(&capture)?;
        tree.run()?;
        let output = recorder.finish().with_context(|| filter.to_owned())?;
        ensure!(output.code == 0, "{filter}: {}", output.stderr);
        let (mut shown, mut replayed) = (lines(&output.stdout), tracer(&capture, &["-p", SHOWN])?);
        shown.retain(|line| compares(line));
        replayed.retain(|line| compares(line));
        println!("{filter}: {} lines {}", shown.len(), output.stderr);
        ensure!(!shown.is_empty(), "{filter}: no events");
        let differs = shown.iter().zip(&replayed).find(|(shown, replayed)| shown != replayed);
        if let Some((shown, replayed)) = differs {
            bail!(
                "{filter}:\n- {}\n+ {}",
                around_difference(shown, replayed),
                around_difference(replayed, shown)
            );
        }
        ensure!(shown.len() == replayed.len(), "{filter}: {} of {} events", replayed.len(), shown.len());
    }
    Ok(Completion::Completed)
}

/// Processes that wait until they are told to begin, so that a recorder can be started for them alone.
struct Tree {
    shell: Child,
}

impl Tree {
    fn start(syscalls: &Path, folder: &Path) -> Result<Tree> {
        const SCRIPT: &str = "read begin; \"$0\" \"$1\"; ls /absent; ls -l /etc; echo a | cat | sort; \
            for i in 1 2 3; do /bin/true; done; cd /tmp; (sleep 5 & kill $!; wait); exec env A=b printenv A";
        std::fs::create_dir_all(folder)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT]).arg(syscalls).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Tree { shell: command.spawn().context("/bin/sh")? })
    }

    /// A filter for what the processes do.
    fn filter(&self) -> String {
        format!("(proc.pid={0} or proc.apid={0})", self.shell.id())
    }

    /// Lets them begin, and waits until the first one has ended.
    fn run(mut self) -> Result<()> {
        // Its end lets the shell go on as a line would.
        drop(self.shell.stdin.take());
        self.shell.wait()?;
        Ok(())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Nothing to do for one that has been waited for.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A thread that enters folders which do not exist, one number after the other: what is missing of it is noticed.
struct Counter {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// What the folders are called, before their number.
const COUNTED: &str = "/tracer-test-count-";

impl Counter {
    fn start(pause: Duration) -> Counter {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            for number in 0_u64.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(path) = CString::new(format!("{COUNTED}{number}")) else { return };
                // SAFETY: `path` is a NUL-terminated string that lives through the call.
                unsafe { libc::chdir(path.as_ptr()) };
                counted.store(number, Ordering::Relaxed);
                if number % 64 == 0 {
                    std::thread::sleep(pause);
                }
            }
        });
        Counter { stop, done, thread: Some(thread) }
    }

    /// The last number that is certainly over.
    fn reached(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The numbers of [`Counter`] in a capture, each with the name of the process.
fn counted(capture: &Path) -> Result<Vec<(u64, String)>> {
    let format = "%evt.rawtime %proc.name %evt.arg.path";
    let lines = tracer(capture, &["-p", format, "evt.type=chdir and evt.dir=<"])?;
    let parse = |line: &Vec<u8>| {
        let line = String::from_utf8_lossy(line).into_owned();
        let (front, number) = line.rsplit_once(COUNTED)?;
        Some((number.parse().ok()?, front.split(' ').nth(1)?.to_owned()))
    };
    Ok(lines.iter().filter_map(parse).collect())
}

/// Kills recorders at moments that no two runs share. `TRACER_KILLS` says how many; the longest time that a file lacks at
/// its end is printed, and a second is what is promised on a machine that is not busy.
fn killed() -> Result<Completion> {
    const CODECS: [&str; 3] = ["zstd", "none", "gzip"];
    let mut seed = std::process::id() as u64 | 1;
    let mut gaps = Vec::new();
    for round in 0..setting("TRACER_KILLS", 6) {
        let scratch = Scratch::new("kill")?;
        let capture = scratch.path().join("capture");
        let codec = CODECS[round as usize % CODECS.len()];
        let mut arguments = vec!["-w", text(&capture)?, "--compress", codec];
        if round % 2 == 0 {
            arguments.push("proc.name exists and evt.dir=<");
        }
        let recorder = Tracer::start(&arguments)?;
        wait_for(&capture)?;
        let _counter = Counter::start(Duration::from_millis(1));
        let begin = Instant::now();
        while !has_event(&capture, "evt.num > 0")? {
            ensure!(begin.elapsed() < PATIENCE, "{codec}: no event comes into the file");
        }
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        std::thread::sleep(Duration::from_millis(700 + seed % 800));
        // SAFETY: kill has no memory preconditions; the child has not been waited for, so the number is its own.
        unsafe { libc::kill(recorder.id() as i32, libc::SIGKILL) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let output = recorder.wait()?;
        ensure!(output.code == 128 + libc::SIGKILL, "{} {}", output.code, output.stderr);
        let lines = tracer(&capture, &["-p", "%evt.rawtime"])?;
        let last = lines.last().with_context(|| format!("{codec}: no events"))?;
        let last = Duration::from_nanos(String::from_utf8_lossy(last).parse()?);
        gaps.push(now.saturating_sub(last));
    }
    println!("{} kills; at most {:?} missing", gaps.len(), gaps.iter().max().unwrap_or(&Duration::ZERO));
    Ok(Completion::Completed)
}

/// Rotates under load for `TRACER_ROTATION_SECONDS` with each combination of options. Most record only what the trial
/// itself makes, which the kernel chooses: others that run at the same time must not cost it its events.
fn rotated() -> Result<Completion> {
    const OWN: &str = "evt.type in (chdir, execve, procexit)";
    const COMBINATIONS: [&[&str]; 9] = [
        &["-e", "10000", OWN],
        &["-C", "1", "--compress", "none", OWN],
        &["-G", "1"],
        &["-C", "1", "-G", "1", OWN],
        &["-e", "5000", "-W", "3", OWN],
        &["-C", "1", "-W", "4", "--compress", "none", "proc.name exists"],
        &["-G", "1", "-e", "5000", "-z", OWN],
        // Less than what the files begin with.
        &["--max-total", "1M", "--compress", "none", OWN],
        &["--max-total", "3M", "--compress", "none"],
    ];
    let seconds = setting("TRACER_ROTATION_SECONDS", 2);
    let mut compared = 0;
    for options in COMBINATIONS {
        let scratch = Scratch::new("rotate")?;
        let base = scratch.text() + "/part";
        let mut arguments = vec!["-w", &base, "--buffer-size", "4M"];
        arguments.extend_from_slice(options);
        let recorder = Tracer::start(&arguments)?;
        wait_for_any(scratch.path())?;
        let (begin, counter) = (Instant::now(), Counter::start(Duration::from_millis(2)));
        while begin.elapsed() < Duration::from_secs(seconds)
            || begin.elapsed() < PATIENCE && std::fs::read_dir(scratch.path())?.count() < 2
        {
            run_silent(&mut Command::new("/bin/true"))?;
        }
        // What has been done is recorded: the recorder reads all that is there before it ends.
        let reached = counter.reached();
        drop(counter);
        let ending = Instant::now();
        let output = recorder.finish().with_context(|| format!("{options:?}"))?;
        ensure!(output.code == 0, "{options:?}: {}", output.stderr);
        println!("{options:?}: up to {reached}, ended after {:?} {}", ending.elapsed(), output.stderr);
        if output.stderr.contains("lost") {
            continue;
        }
        let mut parts = BTreeMap::new();
        let mut files = 0;
        for entry in std::fs::read_dir(scratch.path())? {
            let path: PathBuf = entry?.path();
            files += 1;
            let numbers = counted(&path).with_context(|| format!("{options:?}"))?;
            for (number, name) in &numbers {
                ensure!(name != "<NA>", "{options:?} {}: {number} has no name", path.display());
            }
            if let Some((first, _)) = numbers.first() {
                parts.insert(*first, numbers);
            }
        }
        let is_ring = options.contains(&"-W") || options.contains(&"--max-total");
        ensure!(files > 1, "{options:?}: {files} files");
        let mut expected = None;
        for (number, _) in parts.values().flatten() {
            // A ring begins somewhere, everything else at the start.
            let wanted = *expected.get_or_insert(if is_ring { *number } else { 0 });
            ensure!(*number == wanted, "{options:?}: {number} in place of {wanted}");
            expected = Some(number + 1);
        }
        ensure!(expected > Some(reached), "{options:?}: {expected:?} of {reached}");
        compared += 1;
    }
    if compared == 0 {
        return Ok(Completion::ignored_with("the machine is too busy: events were lost in every run"));
    }
    Ok(Completion::Completed)
}
