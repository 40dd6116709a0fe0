//! What the kernel says of the BPF programs of one process.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// One program: its runs so far.
pub struct Program {
    pub name: String,
    pub runs: u64,
    pub nanoseconds: u64,
}

/// The kernel's run-time statistics, on as long as the value lives.
pub struct Statistics {
    before: String,
}

impl Statistics {
    /// Switches them on. Fails without root.
    pub fn enable() -> Result<Statistics> {
        let before = fs::read_to_string(SWITCH).context(SWITCH)?;
        fs::write(SWITCH, "1").context(SWITCH)?;
        Ok(Statistics { before })
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

impl Drop for Statistics {
    fn drop(&mut self) {
        // Best effort: the value was readable and writable a moment ago.
        let _ = fs::write(SWITCH, self.before.trim());
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
