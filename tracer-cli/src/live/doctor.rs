//! What works on this machine, found out by trying.

use super::offsets::{KernelTypes, VMLINUX};
use super::plan::{Wanted, call_plans};
use super::probe::{Outcome, Probe, ProbeError, ProbeOptions};
use std::path::Path;
use tracer_common::config::ABSENT;

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Check {
    pub name: String,
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// The one command that helps, when there is one.
    pub fix: Option<String>,
}

/// All of them.
#[derive(Debug, Clone)]
pub struct Report {
    pub checks: Vec<Check>,
    /// Whether system calls can be traced.
    pub can_trace: bool,
}

fn check(name: impl Into<String>, ok: bool, detail: impl Into<String>, fix: Option<&str>) -> Check {
    Check { name: name.into(), ok, detail: detail.into(), fix: fix.map(str::to_owned) }
}

/// Effective capabilities, as `/proc/self/status` shows them.
fn capabilities() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Names and numbers from capability.h.
const NEEDED: &[(&str, u32)] =
    &[("CAP_BPF", 39), ("CAP_PERFMON", 38), ("CAP_SYS_PTRACE", 19), ("CAP_DAC_READ_SEARCH", 2)];
const CAP_SYS_ADMIN: u32 = 21;

fn rights() -> Check {
    let Some(held) = capabilities() else {
        return check("rights", false, "/proc/self/status cannot be read", Some("mount -t proc proc /proc"));
    };
    let has = |bit: u32| held & (1 << bit) != 0;
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(_, bit)| !has(*bit) && !has(CAP_SYS_ADMIN)).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return check("rights", true, "all capabilities that tracing needs", None);
    }
    check(
        "rights",
        false,
        format!("{} missing", missing.join(", ")),
        Some("sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep $(command -v tracer)"),
    )
}

fn kernel() -> Check {
    let name = nix::sys::utsname::uname();
    let text = name.map_or_else(
        |_| "unknown".to_owned(),
        |u| format!("{} {}", u.release().to_string_lossy(), u.machine().to_string_lossy()),
    );
    // Ring buffers came with 5.8, bpf_loop with 5.17.
    let new_enough = version(&text).is_none_or(|v| v >= (5, 17));
    check("kernel", new_enough, text, (!new_enough).then_some("install a kernel of 5.17 or later"))
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn types() -> Vec<Check> {
    match KernelTypes::of_running_kernel() {
        Err(e) => vec![check(
            "kernel types (BTF)",
            false,
            e.to_string(),
            Some("boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (those of all current distributions are)"),
        )],
        Ok(types) => {
            let offsets = types.offsets();
            let mut absent = Vec::new();
            let mut all = 0;
            offsets.each(|path, offset| {
                all += 1;
                if offset == ABSENT {
                    absent.push(path);
                }
            });
            let detail = if absent.is_empty() {
                format!("{VMLINUX}, all {all} fields found")
            } else {
                format!(
                    "{VMLINUX}, {} of {all} fields found; without {}",
                    all - absent.len(),
                    absent.join(", ")
                )
            };
            vec![check("kernel types (BTF)", true, detail, None)]
        }
    }
}

fn files() -> Vec<Check> {
    let host = std::env::var_os("HOST_ROOT").unwrap_or_default();
    [
        ("/proc", "processes that ran before tracer"),
        ("/etc/passwd", "names of users"),
        ("/etc/group", "names of groups"),
    ]
    .into_iter()
    .map(|(path, what)| {
        let mut full = host.clone();
        full.push(path);
        match std::fs::metadata(Path::new(&full)) {
            Ok(_) => check(path, true, what, None),
            Err(e) => check(path, false, format!("{what}: {e}"), None),
        }
    })
    .collect()
}

/// Loads every program of the probe for a moment.
fn programs() -> (Vec<Check>, bool) {
    // Nothing is traced: no call is wanted.
    let plans = call_plans(|_| Wanted::default());
    let options =
        ProbeOptions { ring_bytes: 64 << 10, switches: true, page_faults: true, ..ProbeOptions::default() };
    match Probe::load(&options, [&plans.native, &plans.compat]) {
        Err(e) => {
            let fix = matches!(e, ProbeError::NotAllowed).then_some("sudo tracer doctor");
            (vec![check("probe", false, e.to_string(), fix)], false)
        }
        Ok(probe) => {
            let checks = probe.reports.iter().map(|report| {
                let name = format!("program {}", report.name);
                match &report.outcome {
                    Outcome::Running { verified: Some(n) } => {
                        check(name, true, format!("{}, {n} verified instructions", report.tracepoint), None)
                    }
                    Outcome::Running { verified: None } => check(name, true, report.tracepoint, None),
                    Outcome::NotNeeded => {
                        check(name, true, format!("{}, not needed here", report.tracepoint), None)
                    }
                    Outcome::Refused(why) => {
                        check(name, false, format!("{}: {why}", report.purpose.without()), None)
                    }
                }
            });
            (checks.collect(), probe.is_running(super::probe::Purpose::Exit))
        }
    }
}

/// Looks at everything that tracing needs.
pub fn doctor() -> Report {
    let mut checks = vec![kernel(), rights()];
    checks.extend(types());
    checks.extend(files());
    let (programs, can_trace) = programs();
    checks.extend(programs);
    Report { checks, can_trace }
}
