//! `cargo xtask ebpf`: builds the probe into `tracer-ebpf/prebuilt/`, or proves with `--check` that
//! the object committed there is what the source gives.
//!
//! The build is reproducible: no path of the machine reaches the object (`--remap-path-prefix`),
//! compiler and linker are checked for their versions, and line information that only debuggers
//! need is stripped. Which compiler: one whose standard library sources are installed, since
//! `core` is built for the BPF target. `TRACER_EBPF_RUSTC` and `TRACER_EBPF_CARGO` name them;
//! otherwise Debian's (`rustc-web`, `cargo-web`, `rust-web-src`) are used.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Versions that give the committed bytes.
const RUSTC_VERSION: &str = "1.96.0";
const LINKER_VERSION: &str = "0.10.4";
const LLVM_MAJOR: &str = "22";
const TARGET: &str = "bpfel-unknown-none";

pub fn object_path(root: &Path) -> PathBuf {
    root.join("tracer-ebpf/prebuilt/tracer.bpf.o")
}

/// Builds the object; with `check`, compares it with the committed one and writes nothing.
pub fn run(root: &Path, check: bool) -> Result<()> {
    let built = build(root)?;
    let path = object_path(root);
    if !check {
        std::fs::write(&path, &built).with_context(|| format!("write {}", path.display()))?;
        println!("{}: {} bytes", path.display(), built.len());
        return Ok(());
    }
    let committed = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    ensure!(
        committed == built,
        "{} is not what the source gives: run `cargo xtask ebpf` and commit the result",
        path.display()
    );
    println!("{} is the source's", path.display());
    Ok(())
}

fn tool(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_owned())
}

fn version_of(program: &str, args: &[&str]) -> Result<String> {
    let out = Command::new(program).args(args).output().with_context(|| format!("run {program}"))?;
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// A folder in which the linker finds `libLLVM.so` of the right major version.
fn llvm_folder(target: &Path) -> Result<PathBuf> {
    let folder = target.join("llvm");
    std::fs::create_dir_all(&folder)?;
    let found = [
        format!("/usr/lib/llvm-{LLVM_MAJOR}/lib/libLLVM.so"),
        format!("/usr/lib/x86_64-linux-gnu/libLLVM.so.{LLVM_MAJOR}.1"),
        format!("/usr/lib/llvm-{LLVM_MAJOR}/lib/libLLVM.so.{LLVM_MAJOR}.1"),
    ]
    .into_iter()
    .map(PathBuf::from)
    .find(|p| p.exists())
    .with_context(|| format!("libLLVM {LLVM_MAJOR} is missing: apt-get install llvm-{LLVM_MAJOR}"))?;
    let link = folder.join("libLLVM.so");
    if !link.exists() {
        std::os::unix::fs::symlink(found, &link)?;
    }
    Ok(folder)
}

fn build(root: &Path) -> Result<Vec<u8>> {
    let rustc = tool("TRACER_EBPF_RUSTC", "/usr/bin/rustc");
    let cargo = tool("TRACER_EBPF_CARGO", "/usr/bin/cargo");
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
    let cargo_home = tool("CARGO_HOME", &format!("{home}/.cargo"));
    let linker = tool("BPF_LINKER", &format!("{cargo_home}/bin/bpf-linker"));
    let strip = tool("LLVM_STRIP", &format!("llvm-strip-{LLVM_MAJOR}"));

    let version = version_of(&rustc, &["--version"]).context(
        "the probe's compiler is missing: apt-get install rustc-web cargo-web rust-web-src llvm-22",
    )?;
    if !version.contains(RUSTC_VERSION) {
        bail!("the probe is built with rustc {RUSTC_VERSION}, {rustc} is {version}");
    }
    let folder = root.join("tracer-ebpf");
    let target = folder.join("target");
    let llvm = llvm_folder(&target)?;
    let library_path = format!("/usr/lib/llvm-{LLVM_MAJOR}/lib:{}", llvm.display());
    let out =
        Command::new(&linker).arg("--version").env("LD_LIBRARY_PATH", &library_path).output().with_context(
            || format!("{linker}: cargo install bpf-linker --version {LINKER_VERSION} --locked"),
        )?;
    let version = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    if !version.contains(LINKER_VERSION) {
        bail!("the probe is linked with bpf-linker {LINKER_VERSION}, {linker} is {version:?}");
    }

    let sysroot = version_of(&rustc, &["--print", "sysroot"])?;
    let flags = [
        "-Cdebuginfo=2".to_owned(),
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        "-Ctarget-cpu=v3".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("-Clinker={linker}"),
        format!("--remap-path-prefix={}=tracer", root.display()),
        format!("--remap-path-prefix={cargo_home}/registry/src=registry"),
        format!("--remap-path-prefix={sysroot}/lib/rustlib/src/rust=rust"),
        format!("--remap-path-prefix={}=target", target.display()),
    ]
    .join("\u{1f}");
    let status = Command::new(&cargo)
        .current_dir(&folder)
        .args(["build", "--release", "--locked", "--target", TARGET, "-Z", "build-std=core"])
        .env("RUSTC", &rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("LD_LIBRARY_PATH", &library_path)
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTFLAGS")
        .status()
        .with_context(|| format!("run {cargo}"))?;
    ensure!(status.success(), "the probe does not build");

    let linked = target.join(TARGET).join("release/tracer-ebpf");
    let stripped = target.join("tracer.bpf.o");
    let status = Command::new(&strip)
        .arg("-g")
        .arg("-o")
        .arg(&stripped)
        .arg(&linked)
        .status()
        .with_context(|| format!("run {strip}"))?;
    ensure!(status.success(), "{strip} failed");
    std::fs::read(&stripped).with_context(|| format!("read {}", stripped.display()))
}
