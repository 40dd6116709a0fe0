//! The C programs under `programs/`, compiled when a test first asks for them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

/// The folder of build products that this test program runs from: `target/debug` or `target/release`.
pub fn product_folder() -> Result<PathBuf> {
    let this = std::env::current_exe().context("the path of the test program")?;
    // target/PROFILE/deps/NAME-HASH
    match this.parent().and_then(Path::parent) {
        Some(folder) => Ok(folder.to_path_buf()),
        None => bail!("{} is in no target folder", this.display()),
    }
}

/// Compiles `programs/SOURCE.c` with gcc and `flags` to a program called `name`, whose first 15 bytes are then its
/// process name.
pub fn compile(source: &str, name: &str, flags: &[&str]) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(source).with_extension("c");
    let folder = product_folder()?.join("test-programs");
    std::fs::create_dir_all(&folder)?;
    let to = folder.join(name);
    // Warnings are for people who edit the programs; half of what they do is wrong on purpose.
    let output = Command::new("gcc")
        .args(["-O1", "-w", "-pthread"])
        .args(flags)
        .arg("-o")
        .args([&to, &from])
        .output()
        .context("gcc")?;
    if !output.status.success() {
        bail!("gcc {source}.c: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(to)
}

/// A folder that goes away with the value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new empty folder directly under /tmp.
    pub fn new(name: &str) -> Result<Scratch> {
        let path = PathBuf::from(format!("/tmp/tracer-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path as text; the folders made here have plain names.
    pub fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a command with no input and no output to its end and returns its process number and exit status.
pub fn run_silent(command: &mut Command) -> Result<(u32, i32)> {
    let mut child = spawn_silent(command)?;
    let pid = child.id();
    let status = child.wait()?;
    Ok((pid, status.code().unwrap_or(-1)))
}

/// Starts a command with no input and no output.
pub fn spawn_silent(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("{command:?}"))
}
