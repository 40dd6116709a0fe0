//! Who watches while the work is done.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::empty_program::EmptyProgram;
use super::programs::{self, Program, Statistics};
use super::workload;
use crate::bench;

/// One row of the figures.
pub struct Watcher {
    pub name: &'static str,
    /// What the row tells, in few words.
    pub note: &'static str,
    pub how: How,
}

pub enum How {
    Nobody,
    /// A thread that computes in registers and shares nothing with the work.
    Neighbour,
    /// An empty program on each of these tracepoints.
    Empty(&'static [&'static CStr]),
    /// Ours, with these arguments; the output goes to /dev/null. `RECORDING` stands for a file.
    Tracer(&'static [&'static str]),
    /// A peer, which starts the program itself and is so slow that it gets a small part of the work.
    Wrapper(&'static [&'static str]),
}

/// In the arguments of a tracer: a file to write to.
const RECORDING: &str = "RECORDING";

pub const WATCHERS: &[Watcher] = &[
    Watcher { name: "untraced", note: "", how: How::Nobody },
    Watcher {
        name: "untraced, busy neighbour",
        note: "another CPU computes: what any reader costs where CPUs share a core",
        how: How::Neighbour,
    },
    Watcher {
        name: "empty program at exit",
        note: "the least for exit events",
        how: How::Empty(&[c"sys_exit"]),
    },
    Watcher {
        name: "empty programs at both",
        note: "the least for enter and exit events",
        how: How::Empty(&[c"sys_enter", c"sys_exit"]),
    },
    Watcher {
        name: "tracer, call not made",
        note: "evt.type=mount and evt.dir=<",
        how: How::Tracer(&["-v", "evt.type=mount and evt.dir=<"]),
    },
    Watcher {
        name: "tracer, exit, none shown",
        note: "all is captured; user space refuses it (evt.num=0)",
        how: How::Tracer(&["-v", "evt.dir=< and evt.num=0"]),
    },
    Watcher {
        name: "tracer, exit, no contents",
        note: "-p '%proc.name %evt.type %evt.rawres' evt.dir=<",
        how: How::Tracer(&["-v", "-p", "%proc.name %evt.type %evt.rawres", "evt.dir=<"]),
    },
    Watcher { name: "tracer, exit", note: "evt.dir=<", how: How::Tracer(&["-v", "evt.dir=<"]) },
    Watcher { name: "tracer, both", note: "the default output", how: How::Tracer(&["-v"]) },
    Watcher {
        name: "tracer, exit, recorded",
        note: "-w FILE evt.dir=<",
        how: How::Tracer(&["-v", "--overwrite", "-w", RECORDING, "evt.dir=<"]),
    },
    Watcher {
        name: "strace -f",
        note: "a small part of the work",
        how: How::Wrapper(&["strace", "-f", "-o", "/dev/null"]),
    },
    Watcher {
        name: "perf trace",
        note: "a small part of the work",
        how: How::Wrapper(&["perf", "trace", "-o", "/dev/null", "--"]),
    },
];

impl Watcher {
    /// Whether it gets a small part of the work.
    pub fn is_slow(&self) -> bool {
        matches!(self.how, How::Wrapper(_))
    }

    /// Whether its cost per run of a BPF program is of interest.
    pub fn has_programs(&self) -> bool {
        matches!(self.how, How::Empty(_) | How::Tracer(_))
    }

    /// Starts it, unless it starts the work itself; returns when it watches.
    pub fn start(&self, tracer: &Path) -> Result<Running> {
        Ok(match self.how {
            How::Nobody | How::Wrapper(_) => Running::Nobody,
            How::Neighbour => Running::Neighbour { _thread: Neighbour::start() },
            How::Empty(tracepoints) => Running::Empty {
                _programs: tracepoints.iter().map(|at| EmptyProgram::attach(at)).collect::<Result<_>>()?,
            },
            How::Tracer(arguments) => Running::Tracer(Tracer::start(tracer, arguments)?),
        })
    }
}

/// What a tracer has seen.
#[derive(Default)]
pub struct Said {
    pub lost: u64,
    /// All events, the lost ones too.
    pub all: u64,
    /// CPU time that it took, from when it watched.
    pub seconds: f64,
}

/// A watcher at work. Dropping it ends it.
pub enum Running {
    Nobody,
    Neighbour { _thread: Neighbour },
    Empty { _programs: Vec<EmptyProgram> },
    Tracer(Tracer),
}

impl Running {
    /// The BPF programs that it holds.
    pub fn programs(&self, statistics: &Statistics) -> Result<BTreeMap<u64, Program>> {
        match self {
            Running::Tracer(tracer) => statistics.programs(tracer.child.id()),
            _ => statistics.programs(std::process::id()),
        }
    }

    /// Ends it; what a tracer says.
    pub fn finish(self) -> Result<Option<Said>> {
        let Running::Tracer(tracer) = self else { return Ok(None) };
        let seconds = tracer.work_off()?;
        let (lost, all) = tracer.finish()?;
        Ok(Some(Said { lost, all, seconds }))
    }
}

pub struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbour {
    fn start() -> Neighbour {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut numbers = [1_u64, 2, 3, 4];
            while !seen.load(Ordering::Relaxed) {
                for _ in 0..1_000_000 {
                    numbers = std::hint::black_box(numbers.map(|n| n.wrapping_mul(5) ^ (n >> 3)));
                }
            }
        });
        Neighbour { stop, thread: Some(thread) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that panicked has ended, too.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A tracer that watches the machine and prints to nowhere.
pub struct Tracer {
    pub child: Child,
    recording: Option<PathBuf>,
    /// CPU time until it watched, seconds.
    before: f64,
}

impl Tracer {
    /// Starts it; returns when it watches. The output goes to nowhere.
    pub fn start(tracer: &Path, arguments: &[&str]) -> Result<Tracer> {
        let file = std::env::temp_dir().join(format!("tracer-bench-{}.scap", std::process::id()));
        let mut command = Command::new(tracer);
        for argument in arguments {
            if *argument == RECORDING {
                command.arg(&file)
            } else {
                command.arg(argument)
            };
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("tracer")?;
        let recording = arguments.contains(&RECORDING).then_some(file);
        let mut running = Tracer { child, recording, before: 0.0 };
        wait_until_attached(&running.child)?;
        running.before = bench::cpu(running.child.id())?;
        Ok(running)
    }

    /// Waits until it has nothing to do any more; the CPU time that it took, seconds.
    fn work_off(&self) -> Result<f64> {
        /// In a tenth of a second; less than a CPU that is at work.
        const IDLE: f64 = 0.03;
        let mut seconds = bench::cpu(self.child.id())?;
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let now = bench::cpu(self.child.id())?;
            if now - seconds < IDLE {
                return Ok(now - self.before);
            }
            seconds = now;
        }
    }

    /// Interrupts it; returns the numbers of lost and of all events.
    pub fn finish(mut self) -> Result<(u64, u64)> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status().context("kill")?;
        ensure!(status.success(), "kill -INT {pid}: {status}");
        let mut said = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            pipe.read_to_string(&mut said)?;
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "the tracer ended with {status}: {said}");
        let figure = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Ok((figure("Driver Drops:").unwrap_or(0), figure("Driver Events:").unwrap_or(0)))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Nothing to do for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(file) = &self.recording {
            let _ = fs::remove_file(file);
        }
    }
}

/// Waits until a tracer watches: the number of its BPF links no longer grows. When it did so last.
pub fn wait_until_attached(tracer: &Child) -> Result<Instant> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let (mut last, mut since) = (0, Instant::now());
    while Instant::now() < deadline {
        let links = programs::links(tracer.id());
        if links != last {
            (last, since) = (links, Instant::now());
        }
        if links > 0 && since.elapsed() > Duration::from_millis(300) {
            return Ok(since);
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    bail!("the tracer attached nothing in 20 s")
}

/// Puts a peer before a command; `None` where it is not installed.
pub fn wrap<'a>(watcher: &'a Watcher, command: &'a [String]) -> Option<Vec<&'a str>> {
    let How::Wrapper(wrapper) = watcher.how else { return None };
    let is_there = wrapper.first().is_some_and(|program| workload::on_path(program));
    is_there.then(|| wrapper.iter().copied().chain(command.iter().map(String::as_str)).collect())
}
