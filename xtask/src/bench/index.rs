//! `cargo xtask bench index`: what the index of a capture is worth.
//!
//! The capture is made: an hour of a machine with 300 processes, of which 40 read and write and open files and one
//! makes events in one part of a hundred. tracer compresses it and gives it its index.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{build, median};

const PROCESSES: i64 = 300;
const ACTIVE: i64 = 40;
/// The process that is looked for.
const RARE: i64 = 1000;
const FDS: i64 = 10;
const HOUR: u64 = 3_600_000_000_000;
const START: u64 = 1_750_000_000_000_000_000;
/// Events in which the rare process takes part, of `STRETCH` each.
const STRETCH: u64 = 10_000;

#[derive(clap::Args)]
pub struct Args {
    /// Rounds; medians are shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events of the capture
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// The tracer to measure instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
}

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let tracer = match &args.tracer {
        Some(given) => given.clone(),
        None => build(root)?,
    };
    let (tracer, rounds, events) = (tracer.as_path(), args.rounds, args.events);
    let capture = root.join(format!("target/bench-index-{events}.scap"));
    if !capture.exists() {
        make(tracer, &capture, events)?;
    }
    let path = capture.to_str().context("a path that is no text")?;
    println!("{events} events, {:.1} MB", capture.metadata()?.len() as f64 / 1e6);

    let time = |what: &str, arguments: &[&str], cpus: Option<&str>| -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..rounds {
            times.push(timed(tracer, arguments, cpus)?);
        }
        let seconds = median(&times);
        println!("  {what:<44} {:>9.1} ms", seconds * 1000.0);
        Ok(seconds)
    };
    let rare = ["-r", path, "proc.name=rare"];
    let without = time("proc.name=rare, without index", &[&rare[..], &["--no-index"]].concat(), None)?;
    let with = time("proc.name=rare, with index", &rare, None)?;
    println!("  {:.1} times as fast", without / with);
    time("one second of the hour", &["-r", path, "--from", "1800", "--to", "1801"], None)?;
    time("info", &["info", path], None)?;
    let scan = ["-r", path, "-S", "-q", "evt.failed=false and fd.name contains 7"];
    let one = time(
        "filter and summary, one thread on one CPU",
        &[&scan[..], &["--threads", "1"]].concat(),
        Some("0"),
    )?;
    let two = time(
        "filter and summary, two threads on two CPUs",
        &[&scan[..], &["--threads", "2"]].concat(),
        Some("0,1"),
    )?;
    println!("  {:.2} times as fast", one / two);
    Ok(())
}

fn timed(tracer: &Path, arguments: &[&str], cpus: Option<&str>) -> Result<f64> {
    let mut command = match cpus {
        None => Command::new(tracer),
        Some(cpus) => {
            let mut command = Command::new("taskset");
            command.args(["-c", cpus]).arg(tracer);
            command
        }
    };
    let begin = Instant::now();
    let output =
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).output().context("tracer")?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(begin.elapsed().as_secs_f64())
}

/// Has tracer write the capture.
fn make(tracer: &Path, capture: &Path, events: u64) -> Result<()> {
    let unfinished = capture.with_extension("new");
    let begin = Instant::now();
    let mut child = Command::new(tracer)
        .args(["-r", "-", "--overwrite", "-w"])
        .arg(&unfinished)
        .stdin(Stdio::piped())
        .spawn()
        .context("tracer")?;
    let pipe = child.stdin.take().context("no pipe")?;
    let written = write(BufWriter::with_capacity(1 << 20, pipe), events);
    ensure!(child.wait()?.success(), "tracer failed");
    written?;
    std::fs::rename(&unfinished, capture)?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("made in {seconds:.1} s: {:.2} million events/s", events as f64 / seconds / 1e6);
    Ok(())
}

/// Writes the capture, plain.
fn write(mut out: impl Write, events: u64) -> std::io::Result<()> {
    let mut section = Bytes::default();
    section.u32(0x1A2B_3C4D).u16(1).u16(2).u64(u64::MAX);
    out.write_all(&section.block(0x0A0D_0D0A))?;
    let mut machine = Bytes::default();
    machine.u32(2).u64(8 << 30).u64(0);
    machine.0.extend_from_slice(&[0; 128]);
    machine.u64(START - HOUR).u64(0).u64(0).u64(0);
    out.write_all(&machine.block(0x201))?;
    let mut processes = Bytes::default();
    (0..PROCESSES).for_each(|i| process(&mut processes, RARE + i));
    out.write_all(&processes.block(0x215))?;
    for i in 0..PROCESSES {
        let mut fds = Bytes::default();
        fds.i64(RARE + i);
        for fd in 0..FDS {
            let mut entry = Bytes::default();
            entry.i64(fd).u64(fd as u64 + 77).0.push(16);
            entry.u32(1);
            entry.text(format!("/var/lib/service-{i}/data/table-{fd}.db").as_bytes()).u32(0x801);
            fds.u32(entry.0.len() as u32 + 4).0.extend_from_slice(&entry.0);
        }
        out.write_all(&fds.block(0x218))?;
    }
    // A pair of events for each call.
    let mut random = 1_u64;
    for call in 0..events / 2 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = random >> 33;
        // One stretch of a hundred, spread over the hour.
        let is_rare = (call * 2 / STRETCH) % 100 == 50 && pick.is_multiple_of(4);
        let tid = if is_rare { RARE } else { RARE + 1 + (pick % ACTIVE as u64) as i64 };
        let ts = START + HOUR / (events / 2) * call;
        let fd = ((pick >> 8) % FDS as u64) as i64;
        let failed = if pick.is_multiple_of(31) { -9_i64 } else { 64 };
        let data = [(pick >> 3) as u8; 64];
        let size = 64_u32.to_le_bytes();
        let (enter, exit) = if pick & 1 == 0 { (6, 7) } else { (8, 9) };
        let number = fd.to_le_bytes();
        out.write_all(&event(ts, tid, enter, &[&number, &size]))?;
        let data = if failed < 0 { &data[..0] } else { &data[..] };
        out.write_all(&event(ts + 2000, tid, exit, &[&failed.to_le_bytes(), data, &number, &size]))?;
    }
    out.flush()
}

fn process(out: &mut Bytes, tid: i64) {
    let name = if tid == RARE { "rare".to_owned() } else { format!("service-{}", tid - RARE) };
    let mut entry = Bytes::default();
    entry.i64(tid).i64(tid).i64(1).i64(tid).i64(tid);
    entry.text(name.as_bytes()).text(name.as_bytes()).text(format!("/usr/bin/{name}").as_bytes());
    entry.text(b"--config\0/etc/service.conf\0").text(b"/var/lib/");
    entry.i64(1024).u32(0).u32(0).u32(0).u32(100_000).u32(5000).u32(0).u64(1).u64(2);
    let environment: String = (0..20).map(|i| format!("VARIABLE_{i}=value-{i}-of-{name}\0")).collect();
    entry.text(environment.as_bytes()).i64(tid).i64(tid);
    entry.text(format!("cpu=/system.slice/{name}.service\0").as_bytes()).text(b"/");
    out.u32(entry.0.len() as u32 + 4).0.extend_from_slice(&entry.0);
}

fn event(ts: u64, tid: i64, ty: u16, params: &[&[u8]]) -> Vec<u8> {
    let data: usize = params.iter().map(|param| 2 + param.len()).sum();
    let mut block = Bytes::default();
    block.u16((tid & 1) as u16).u64(ts).i64(tid).u32(26 + data as u32).u16(ty).u32(params.len() as u32);
    params.iter().for_each(|param| _ = block.u16(param.len() as u16));
    params.iter().for_each(|param| block.0.extend_from_slice(param));
    block.block(0x216)
}

/// Numbers and texts as captures have them.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.u64(value.cast_unsigned())
    }

    fn text(&mut self, text: &[u8]) -> &mut Self {
        self.u16(text.len() as u16).0.extend_from_slice(text);
        self
    }

    /// The block with this body.
    fn block(&self, code: u32) -> Vec<u8> {
        let padded = self.0.len().next_multiple_of(4);
        let len = (padded as u32 + 12).to_le_bytes();
        let mut block = Vec::with_capacity(padded + 12);
        block.extend_from_slice(&code.to_le_bytes());
        block.extend_from_slice(&len);
        block.extend_from_slice(&self.0);
        block.resize(padded + 8, 0);
        block.extend_from_slice(&len);
        block
    }
}
