//! The chisels that sysdig does not have, live, beside workloads whose doings are known.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tracer_tests::programs::{Scratch, run_silent};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::marked::Marked;

pub fn trials() -> Vec<Trial> {
    const ROOT: &[Needs] = &[Needs::Root];
    vec![
        live("chisels::summaries_agree_with_strace", &[Needs::Root, Needs::Program("strace")], summaries),
        live("chisels::packets_have_both_ends", ROOT, packets),
        live("chisels::programs_and_files_are_snooped", ROOT, snoops),
        live("chisels::pictures_are_saved", ROOT, pictures),
    ]
}

/// Writes so many single bytes to a file.
const BYTES: u64 = 2000;

/// dd under a name of its own.
fn copied_dd(folder: &Scratch) -> Result<Vec<String>> {
    let program = folder.path().join("tracerdd");
    std::fs::copy("/bin/dd", &program)?;
    let to = format!("of={}", folder.path().join("out").display());
    let count = format!("count={BYTES}");
    let words = [&program.display().to_string(), "if=/dev/zero", &to, "bs=1", &count, "status=none"];
    Ok(words.map(str::to_owned).to_vec())
}

/// Calls and errors of each system call, as `strace -c` counts them.
fn counted_by_strace(words: &[String], folder: &Path) -> Result<BTreeMap<String, [u64; 2]>> {
    let table = folder.join("strace");
    run_silent(Command::new("strace").args(["-c", "-o"]).arg(&table).args(words))?;
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(&table).context("what strace counted")?.lines() {
        // % time, seconds, usecs/call, calls, errors if any, name.
        let row: Vec<&str> = line.split_whitespace().collect();
        let (calls, errors, name) = match row.as_slice() {
            [_, _, _, calls, name] => (calls, "0", name),
            [_, _, _, calls, errors, name] => (calls, *errors, name),
            _ => continue,
        };
        if let (Ok(calls), Ok(errors)) = (calls.parse(), errors.parse()) {
            counts.insert((*name).to_owned(), [calls, errors]);
        }
    }
    counts.remove("total");
    Ok(counts)
}

fn summaries() -> Result<Completion> {
    /// Calls that the marks make as well.
    const OF_MARKS: [&str; 3] = ["openat", "close", "fcntl"];
    let folder = Scratch::new("summaries")?;
    let words = copied_dd(&folder)?;
    let mut expected = counted_by_strace(&words, folder.path())?;
    expected.retain(|name, _| !OF_MARKS.contains(&name.as_str()));
    ensure!(expected.get("write") == Some(&[BYTES, 0]), "strace counts {expected:?}");
    let chisels: [&[&str]; 4] =
        [&["syscallsummary"], &["latency", "evt.type evt.latency 0"], &["iostat"], &["vmstat"]];
    let marked = Marked::start("summaries-marks", &chisels, "proc.name=tracerdd")?;
    let (program, arguments) = words.split_first().context("a program")?;
    run_silent(Command::new(program).args(arguments))?;
    let rows = marked.finish()?;
    let sum = |name: &str| rows.iter().filter_map(|row| row[name].as_f64()).sum::<f64>();
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or_default();
    for (name, counts) in &expected {
        // The schema's names of calls such as pread64 and prlimit64 are without the number.
        let names = [Some(name.as_str()), name.strip_suffix("64")];
        let found =
            rows.iter().find(|row| row["syscall"].as_str().is_some_and(|call| names.contains(&Some(call))));
        let found = found.with_context(|| format!("no row for {name}"))?;
        let got = [number(found, "calls"), number(found, "errors")];
        ensure!(got == *counts, "{name}: {found}, strace {counts:?}");
    }
    let of_write = rows.iter().find(|row| row["key"] == "write").context("latency of write")?;
    ensure!(number(of_write, "count") == BYTES, "{of_write}");
    let order = ["p50", "p90", "p99", "p99_9", "max"].map(|name| number(of_write, name));
    ensure!(order[0] > 0 && order.is_sorted(), "{of_write}");
    ensure!(
        (sum("written_kib_per_s") * 1024.0 - BYTES as f64).abs() < 0.5,
        "iostat: {}",
        sum("written_kib_per_s")
    );
    ensure!(sum("written") == BYTES as f64, "vmstat: {}", sum("written"));
    ensure!(sum("execs") == 1.0 && sum("exits") >= 1.0, "vmstat: {} {}", sum("execs"), sum("exits"));
    Ok(Completion::Completed)
}

fn packets() -> Result<Completion> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server_name = listener.local_addr()?.to_string();
    let filter = format!("fd.port={}", listener.local_addr()?.port());
    let marked = Marked::start("packets", &[&["packets"]], &filter)?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let client_name = client.local_addr()?.to_string();
    let (mut server, _) = listener.accept()?;
    let sizes = [1, 700, 31];
    for size in sizes {
        client.write_all(&vec![b'x'; size])?;
        server.read_exact(&mut vec![0; size])?;
        server.write_all(&vec![b'y'; size + 1])?;
        client.read_exact(&mut vec![0; size + 1])?;
    }
    let rows = marked.finish()?;
    let got: Vec<_> = rows
        .iter()
        .map(|row| {
            (row["direction"].as_str(), row["from"].as_str(), row["to"].as_str(), row["bytes"].as_u64())
        })
        .collect();
    let (client_name, server_name) = (Some(client_name.as_str()), Some(server_name.as_str()));
    let mut expected = Vec::new();
    for size in sizes.map(|size| size as u64) {
        for direction in ["out", "in"] {
            expected.push((Some(direction), client_name, server_name, Some(size)));
        }
        for direction in ["out", "in"] {
            expected.push((Some(direction), server_name, client_name, Some(size + 1)));
        }
    }
    ensure!(got == expected, "{got:?}");
    ensure!(rows.iter().all(|row| row["protocol"] == "tcp"), "{rows:?}");
    Ok(Completion::Completed)
}

fn snoops() -> Result<Completion> {
    let folder = Scratch::new("snoops")?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (program, missing, file) = (path("tracerexec"), path("tracermissing"), path("tracernofile"));
    std::fs::copy("/bin/true", &program)?;
    let filter = format!(
        "proc.name=tracerexec or evt.arg.filename={missing} or (evt.type=openat and fs.path.name={file})"
    );
    let marked = Marked::start("snoops-marks", &[&["execsnoop"]], &filter)?;
    run_silent(Command::new(&program).args(["one", "two"]))?;
    ensure!(run_silent(&mut Command::new(&missing)).is_err(), "{missing} is there");
    ensure!(std::fs::File::open(&file).is_err(), "{file} is there");
    let rows = marked.finish()?;
    let has = |member: &str, text: &str, result: &str| {
        rows.iter().any(|row| row[member].as_str() == Some(text) && row["result"].as_str() == Some(result))
    };
    ensure!(has("command", &format!("{program} one two"), "SUCCESS"), "{rows:?}");
    ensure!(has("command", &missing, "ENOENT"), "{rows:?}");
    ensure!(has("path", &file, "ENOENT"), "{rows:?}");
    Ok(Completion::Completed)
}

fn pictures() -> Result<Completion> {
    let folder = Scratch::new("pictures")?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (heat, flame) = (path("heat.png"), path("flame.svg"));
    let words = copied_dd(&folder)?;
    let arguments = format!("{heat} 200");
    let chisels: [&[&str]; 2] = [&["heatmap", &arguments], &["flame", &flame]];
    let marked = Marked::start("pictures-marks", &chisels, "proc.name=tracerdd")?;
    let (program, arguments) = words.split_first().context("a program")?;
    run_silent(Command::new(program).args(arguments))?;
    marked.finish()?;
    let heat = std::fs::read(&heat)?;
    ensure!(
        heat.starts_with(b"\x89PNG\r\n\x1a\n") && heat.ends_with(b"IEND\xaeB`\x82"),
        "{} bytes",
        heat.len()
    );
    let flame = std::fs::read_to_string(&flame)?;
    ensure!(flame.contains("<title>tracerdd: ") && flame.contains("<title>write: "), "{flame}");
    Ok(Completion::Completed)
}
