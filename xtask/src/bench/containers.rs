//! What five hundred containers cost the tracer: time to start, memory, and CPU while nothing happens.
//!
//! The containers are processes in control groups of their own, and files such as runc leaves.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

const RUNTIME: &str = "/run/runc";
/// How long the idle tracer is watched.
const IDLE: Duration = Duration::from_secs(10);

/// What was measured of one run.
struct Figures {
    start: Duration,
    /// KiB.
    memory: u64,
    /// Of one CPU, in hundredths.
    cpu: f64,
}

#[derive(clap::Args)]
pub struct Args {
    /// How many containers
    #[arg(long, default_value_t = 500)]
    count: usize,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

/// Measures the tracer beside no container and beside many.
pub fn run(root: &Path, args: &Args) -> Result<()> {
    let count = args.count;
    let tracer = &match &args.tracer {
        Some(given) => given.clone(),
        None => super::build(root)?,
    };
    let without = measure(tracer, 0)?;
    let containers = (0..count).map(Container::start).collect::<Result<Vec<_>>>()?;
    let with = measure(tracer, count)?;
    drop(containers);
    let _ = std::fs::remove_dir(top()?);
    println!("{:>12} {:>14} {:>14} {:>10}", "containers", "start in ms", "memory in KiB", "CPU idle");
    for (count, figures) in [(0, &without), (count, &with)] {
        let start = figures.start.as_millis();
        println!("{count:>12} {start:>14} {:>14} {:>9.2}%", figures.memory, figures.cpu);
    }
    println!("more memory: {:.1} MiB", with.memory.saturating_sub(without.memory) as f64 / 1024.0);
    Ok(())
}

fn measure(tracer: &Path, count: usize) -> Result<Figures> {
    // A program of a name that nothing else has.
    std::fs::copy("/bin/true", "/tmp/tracer-bench").context("/tmp/tracer-bench")?;
    let begin = Instant::now();
    let mut child = Command::new(tracer)
        .args([
            "--unbuffered",
            "-p",
            "%container.name",
            "proc.name=tracer-bench and evt.type=execve and evt.dir=<",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("the tracer")?;
    let output = child.stdout.take().context("its output")?;
    // Somebody does something until it is seen.
    let (seen, first) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(output).lines();
        let _ = lines.next().map(|_| seen.send(Instant::now()));
        // Nobody else reads.
        lines.for_each(drop);
    });
    let start = loop {
        let _ = Command::new("/tmp/tracer-bench").status();
        if let Ok(at) = first.recv_timeout(Duration::from_millis(2)) {
            break at - begin;
        }
        ensure!(begin.elapsed() < Duration::from_secs(60), "{count} containers: the tracer shows nothing");
    };
    // What there is to look up is looked up.
    std::thread::sleep(Duration::from_secs(3));
    let before = cpu(&child)?;
    std::thread::sleep(IDLE);
    let used = cpu(&child)? - before;
    let memory = memory(&child)?;
    child.kill()?;
    child.wait()?;
    std::fs::remove_file("/tmp/tracer-bench")?;
    Ok(Figures { start, memory, cpu: used * 100.0 / IDLE.as_secs_f64() })
}

/// Seconds of CPU time so far.
fn cpu(child: &Child) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    let rest = stat.rsplit_once(')').context("stat")?.1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|text| text.parse::<f64>().ok()).context("stat");
    // Linux shows every program a hundred ticks per second.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn memory(child: &Child) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.split_whitespace().next().and_then(|text| text.parse().ok()).context("VmRSS")
}

/// Where control groups of version 2 are.
fn top() -> Result<PathBuf> {
    let places = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let top = places.iter().find(|top| Path::new(top).join("cgroup.controllers").exists());
    Ok(Path::new(top.context("no control groups of version 2")?).join("tracer-bench"))
}

struct Container {
    process: Child,
    group: PathBuf,
    state: PathBuf,
}

impl Container {
    fn start(number: usize) -> Result<Container> {
        let id = format!("{:064x}", 0xbe_0000 + number);
        let group = top()?.join(format!("docker-{id}.scope"));
        std::fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
        let state = Path::new(RUNTIME).join(&id);
        std::fs::create_dir_all(&state)?;
        let text = format!("{{\"id\":\"shop{number}\",\"config\":{{\"rootfs\":\"/\",\"labels\":[]}}}}");
        std::fs::write(state.join("state.json"), text)?;
        let process = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn()?;
        std::fs::write(group.join("cgroup.procs"), process.id().to_string())?;
        Ok(Container { process, group, state })
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.state);
        // The process may be counted for a moment longer.
        for _ in 0..50 {
            if std::fs::remove_dir(&self.group).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
