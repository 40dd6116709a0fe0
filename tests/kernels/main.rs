//! The same binary and the same probe on other kernels: Debian's 6.1 and 6.12, booted under emulation.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::{Scratch, product_folder};
use tracer_tests::{Completion, Needs, live, tracer};

const NEEDS: &[Needs] = &[
    Needs::Program("qemu-system-x86_64"),
    Needs::Program("cpio"),
    Needs::Program("busybox"),
    Needs::Program("apt-get"),
    Needs::Program("strip"),
    Needs::Program("ldd"),
];

/// What the init program of the other machine runs.
const APPLETS: &[&str] =
    &["sh", "mount", "uname", "cat", "sleep", "kill", "grep", "head", "sync", "poweroff", "true", "echo"];

fn main() {
    let trials = ["6.1", "6.12"].map(|version| {
        live(format!("kernels::linux_{}", version.replace('.', "_")), NEEDS, move || runs_on(version))
    });
    tracer_tests::run(trials.into());
}

fn runs_on(version: &str) -> Result<Completion> {
    let folder = Scratch::new(&format!("kernel-{version}"))?;
    fill(folder.path())?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    // Beside the build products, so that a second run downloads nothing.
    let cache = product_folder()?.join("kernel-packages");
    let output = Command::new(here.join("boot.sh"))
        .arg(version)
        .arg(folder.path())
        .arg(cache)
        .stdin(Stdio::null())
        .output()
        .context("boot.sh")?;
    let console = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    if output.status.code() == Some(77) {
        return Ok(Completion::ignored_with(console.trim()));
    }
    let sections = sections(&console);
    let section = |name: &str| {
        let found = sections.get(name);
        found.with_context(|| format!("no «{name}» on the console ({}):\n{}", output.status, tail(&console)))
    };
    let (kernel, _) = section("kernel")?;
    ensure!(kernel.iter().any(|line| line.starts_with(version)), "another kernel: {kernel:?}");

    let (doctor, status) = section("doctor")?;
    ensure!(*status == Some(0), "doctor ended with {status:?}:\n{}", doctor.join("\n"));

    let (hundred, status) = section("first hundred")?;
    ensure!(*status == Some(0), "-n 100 ended with {status:?}:\n{}", hundred.join("\n"));
    let events = hundred.iter().filter(|line| line.contains(" < ") || line.contains(" > ")).count();
    ensure!(events == 100, "{events} events instead of 100:\n{}", hundred.join("\n"));

    // A line that matches, and none that must not.
    let mut faults = Vec::new();
    for (name, forbidden) in [
        ("process name", &[" sh (", " sleep ("][..]),
        ("chdir of root", &[" openat "]),
        ("opens with a format", &["<NA>"]),
        ("failed opens", &["(<f>/etc/passwd)"]),
        ("directory and result", &[" fd=3(<f>/usr/", "res=-"]),
        ("processes", &[" openat "]),
    ] {
        let (lines, status) = section(name)?;
        let (matching, others) =
            lines.split_at(lines.iter().position(|line| line == OTHERS).unwrap_or(lines.len()));
        if *status != Some(0) || matching.is_empty() {
            faults.push(format!(
                "{name}: status {status:?}, {} lines match:\n{}",
                matching.len(),
                others.join("\n")
            ));
        }
        for line in lines {
            if let Some(wrong) = forbidden.iter().find(|wrong| line.contains(**wrong)) {
                faults.push(format!("{name}: «{wrong}» in {line}"));
            }
        }
    }
    ensure!(faults.is_empty(), "{}\n{}", doctor.join("\n"), faults.join("\n"));
    ensure!(console.contains("=== done"), "did not come to its end:\n{}", tail(&console));
    Ok(Completion::Completed)
}

const OTHERS: &str = "=== others";

/// The console between `=== NAME` and `=== end STATUS`, by name.
fn sections(console: &str) -> BTreeMap<String, (Vec<String>, Option<i32>)> {
    let mut sections = BTreeMap::new();
    let mut current: Option<(String, Vec<String>)> = None;
    for line in console.lines() {
        // The firmware's control sequences may stand before the first line of ours.
        let marked = line.find("=== ").map(|at| &line[at + 4..]);
        match (marked, &mut current) {
            (Some(end), Some(_)) if end.starts_with("end ") => {
                if let Some((name, lines)) = current.take() {
                    sections.insert(name, (lines, end[4..].trim().parse().ok()));
                }
            }
            (Some("others"), Some((_, lines))) => lines.push(OTHERS.into()),
            (Some(name), None) => current = Some((name.trim().to_string(), Vec::new())),
            (_, Some((_, lines))) => lines.push(line.to_string()),
            (None, None) => {}
        }
    }
    sections
}

fn tail(console: &str) -> String {
    let lines: Vec<_> = console.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Makes the root folder: busybox, the tracer with the libraries that it is linked to, users and two files.
fn fill(root: &Path) -> Result<()> {
    for folder in ["bin", "etc", "usr", "tmp", "proc", "sys", "dev", "root"] {
        std::fs::create_dir(root.join(folder))?;
    }
    let busybox = on_path("busybox")?;
    std::fs::copy(&busybox, root.join("bin/busybox"))?;
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    // Debug information is most of an unoptimized binary, and all of it would be the other machine's memory.
    let binary = root.join("bin/tracer");
    let status = Command::new("strip").arg("-o").arg(&binary).arg(tracer::binary()?).status()?;
    ensure!(status.success(), "strip: {status}");
    for library in libraries(&binary)? {
        let to = root.join(library.strip_prefix("/")?);
        std::fs::create_dir_all(to.parent().context("a library at the root")?)?;
        std::fs::copy(&library, to)?;
    }
    let init = root.join("init");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/init"), &init)?;
    std::fs::set_permissions(&init, std::fs::Permissions::from_mode(0o755))?;
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    std::fs::write(root.join("etc/group"), "root:x:0:\n")?;
    std::fs::write(root.join("usr/there"), "text\n")?;
    Ok(())
}

fn on_path(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("no {name}"))
}

/// The files that the loader will look for: every absolute path that ldd names.
fn libraries(binary: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(binary).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.lines().flat_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}
