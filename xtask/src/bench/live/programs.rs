//! What the kernel says of the BPF programs of one process.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};

use super::bpf;

/// Which statistics (include/uapi/linux/bpf.h).
const RUN_TIME: u32 = 0;

/// One program: its runs so far.
pub struct Program {
    pub name: String,
    pub runs: u64,
    pub nanoseconds: u64,
}

/// The kernel's run-time statistics, on as long as the value lives and no longer, whatever ends the bench: they cost every
/// run of every program.
pub struct Statistics {
    _on: OwnedFd,
}

impl Statistics {
    /// Switches them on. Fails without root.
    pub fn enable() -> Result<Statistics> {
        Ok(Statistics { _on: bpf::command(bpf::ENABLE_STATS, &RUN_TIME).context("BPF statistics")? })
    }

    /// The programs that the process holds, by number.
    pub fn programs(&self, pid: u32) -> Result<BTreeMap<u64, Program>> {
        let mut found = BTreeMap::new();
        for text in descriptors(pid, "prog_id:") {
            let figure = |name: &str| {
                let value = text.lines().find_map(|line| line.strip_prefix(name));
                value.and_then(|value| value.trim().parse::<u64>().ok())
            };
            // A link names its program, too, but has no figures.
            if let (Some(id), Some(nanoseconds), Some(runs)) =
                (figure("prog_id:"), figure("run_time_ns:"), figure("run_cnt:"))
            {
                found.insert(id, Program { name: name(id), runs, nanoseconds });
            }
        }
        Ok(found)
    }
}

/// The number of BPF links that the process holds: of programs that are attached.
pub fn links(pid: u32) -> usize {
    descriptors(pid, "link_id:").len()
}

/// What /proc says of those descriptors of a process that have a line beginning so.
fn descriptors(pid: u32, line: &str) -> Vec<String> {
    let Ok(folder) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return Vec::new() };
    let texts = folder.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.filter(|text| text.lines().any(|one| one.starts_with(line))).collect()
}

/// The program's name; only bpftool asks the kernel for it.
fn name(id: u64) -> String {
    let output =
        std::process::Command::new("bpftool").args(["-j", "prog", "show", "id", &id.to_string()]).output();
    let json: Option<serde_json::Value> =
        output.ok().and_then(|output| serde_json::from_slice(&output.stdout).ok());
    match json.as_ref().and_then(|json| json["name"].as_str()) {
        Some(name) => name.to_string(),
        None => format!("program {id}"),
    }
}
