//! What five hundred containers cost the tracer: time to start, memory, and CPU while nothing happens.
//!
//! The containers are processes in control groups of their own, and files such as runc and CRI-O leave. In the end all
//! processes are let go, and the tracer has to say for each in which container it was, with names from those files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

const RUNTIME: &str = "/run/runc";
/// How long the idle tracer is watched.
const IDLE: Duration = Duration::from_secs(10);
/// Programs of names that nothing else has: one that is run now and then, and one that is in each container.
const PROBE: &str = "tracer-bench";
const INSIDE: &str = "tracer-bench-in";

/// What was measured of one run.
struct Figures {
    start: Duration,
    /// KiB.
    memory: u64,
    /// Of one CPU, in hundredths.
    cpu: f64,
    /// Containers whose process ended with the names that their files have.
    named: usize,
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
    let without = measure(tracer, Vec::new())?;
    let program = program("/bin/cat", INSIDE)?;
    let containers = (0..count).map(|number| Container::start(&program, number)).collect::<Result<Vec<_>>>();
    std::fs::remove_file(&program)?;
    let with = measure(tracer, containers?)?;
    let _ = std::fs::remove_dir(top()?);
    println!("{:>12} {:>14} {:>14} {:>10}", "containers", "start in ms", "memory in KiB", "CPU idle");
    for (count, figures) in [(0, &without), (count, &with)] {
        let start = figures.start.as_millis();
        println!("{count:>12} {start:>14} {:>14} {:>9.2}%", figures.memory, figures.cpu);
    }
    println!("named at their end: {} of {count}", with.named);
    println!("more memory: {:.1} MiB", with.memory.saturating_sub(without.memory) as f64 / 1024.0);
    Ok(())
}

/// A tracer that ends with the measurement.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Copies a program.
fn program(from: &str, name: &str) -> Result<PathBuf> {
    let to = Path::new("/tmp").join(name);
    std::fs::copy(from, &to).with_context(|| to.display().to_string())?;
    Ok(to)
}

fn measure(tracer: &Path, containers: Vec<Container>) -> Result<Figures> {
    let count = containers.len();
    let probe = program("/bin/true", PROBE)?;
    let filter = format!(
        "(proc.name={PROBE} and evt.type=execve and evt.dir=<) or (proc.name={INSIDE} and evt.type=procexit)"
    );
    let begin = Instant::now();
    let child = Command::new(tracer)
        .args(["--unbuffered", "-p", "*%container.name %container.image %k8s.pod.name", &filter])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("the tracer")?;
    let mut tracer = Tracer(child);
    let output = tracer.0.stdout.take().context("its output")?;
    // Somebody does something until it is seen.
    let (say, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens when all is measured.
            let _ = say.send((Instant::now(), line));
        }
    });
    let start = loop {
        let _ = Command::new(&probe).status();
        if let Ok((at, _)) = lines.recv_timeout(Duration::from_millis(2)) {
            break at - begin;
        }
        ensure!(begin.elapsed() < Duration::from_secs(60), "{count} containers: the tracer shows nothing");
    };
    // What there is to look up is looked up.
    std::thread::sleep(Duration::from_secs(3));
    let before = super::cpu(tracer.0.id())?;
    std::thread::sleep(IDLE);
    let used = super::cpu(tracer.0.id())? - before;
    let memory = super::memory(tracer.0.id())?;
    let mut missing: BTreeSet<String> = (0..count).map(description).collect();
    drop(containers);
    while !missing.is_empty()
        && let Ok((_, line)) = lines.recv_timeout(Duration::from_secs(5))
    {
        missing.remove(&line);
    }
    std::fs::remove_file(&probe)?;
    let named = count - missing.len();
    Ok(Figures { start, memory, cpu: used * 100.0 / IDLE.as_secs_f64(), named })
}

/// The names in the files of a container, as the tracer shows them.
fn description(number: usize) -> String {
    format!("shop{number} localhost/shop:{number} pod{number}")
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
    fn start(program: &Path, number: usize) -> Result<Container> {
        // Containers are told apart by the first digits.
        let id = format!("{:012x}{:052x}", 0xbe_0000 + number, 0);
        let group = top()?.join(format!("crio-{id}.scope"));
        std::fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
        let state = Path::new(RUNTIME).join(&id);
        std::fs::create_dir_all(&state)?;
        let bundle = state.display();
        let text =
            format!("{{\"id\":\"{id}\",\"config\":{{\"rootfs\":\"/\",\"labels\":[\"bundle={bundle}\"]}}}}");
        std::fs::write(state.join("config.json"), config(number).to_string())?;
        std::fs::write(state.join("state.json"), text)?;
        let process = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        std::fs::write(group.join("cgroup.procs"), process.id().to_string())?;
        Ok(Container { process, group, state })
    }
}

/// A bundle as CRI-O writes it, with as many variables, mounts and labels as containers have.
fn config(number: usize) -> serde_json::Value {
    let env: Vec<String> =
        (0..20).map(|i| format!("SHOP_SERVICE_{i}_ADDRESS=10.0.{i}.{}", number % 256)).collect();
    let mount = |i| {
        serde_json::json!({
            "destination": format!("/srv/volume{i}"),
            "source": format!("/var/lib/volumes/{number}/{i}"),
            "options": ["rbind", "rprivate", "rw"],
        })
    };
    let labels: BTreeMap<String, String> =
        (0..10).map(|i| (format!("app.kubernetes.io/part-{i}"), format!("shop-{number}"))).collect();
    serde_json::json!({
        "process": {"env": env, "user": {"uid": 0}},
        "root": {"path": "/"},
        "mounts": (0..10).map(mount).collect::<Vec<_>>(),
        "annotations": {
            "io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.cri-o.ImageName": format!("localhost/shop:{number}"),
            "io.kubernetes.cri-o.Labels": serde_json::json!(labels).to_string(),
            "io.kubernetes.container.name": format!("shop{number}"),
            "io.kubernetes.pod.name": format!("pod{number}"),
            "io.kubernetes.pod.namespace": "prod",
        },
    })
}

impl Drop for Container {
    fn drop(&mut self) {
        // Without input it ends.
        drop(self.process.stdin.take());
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
