//! The program under test, running: its output as it comes, its end, and how to know that it has begun to see.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::programs::product_folder;

/// How long anything may take before a test gives up; far above what is ever needed.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What [`Tracer::mark`] puts into the stream: a chdir that fails, to a folder of this name and a number.
pub const MARK: &str = "/tracer-test-mark-";

/// The filter that lets marks through, to be or-ed to a test's own.
pub const MARK_FILTER: &str = "(evt.type=chdir and evt.arg.path startswith /tracer-test-mark-)";

/// The binary under test: `TRACER` if set, else built by cargo in this profile.
pub fn binary() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}"))).clone().map_err(anyhow::Error::msg)
}

fn build() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("TRACER") {
        return Ok(given.into());
    }
    let folder = product_folder()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "tracer", "--bin", "tracer"]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    if folder.ends_with("release") {
        command.arg("--release");
    }
    let status = command.stdin(Stdio::null()).status().context("cargo build")?;
    if !status.success() {
        bail!("cargo build --package tracer failed");
    }
    Ok(folder.join("tracer"))
}

/// Everything that a tracer said, and how it ended.
#[derive(Debug)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// The exit status; 128 + the signal when a signal ended it.
    pub code: i32,
}

impl Output {
    /// The lines of standard output without those of marks.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.stdout);
        text.lines().filter(|line| !line.contains(MARK)).map(str::to_string).collect()
    }
}

/// Bytes that a thread reads from a pipe, with a bell for who waits for more.
#[derive(Default)]
struct Growing {
    bytes: Mutex<(Vec<u8>, bool)>,
    bell: Condvar,
}

impl Growing {
    fn lock(&self) -> MutexGuard<'_, (Vec<u8>, bool)> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_from(self: &Arc<Self>, mut pipe: impl Read + Send + 'static) -> JoinHandle<()> {
        let this = Arc::clone(self);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            loop {
                let size = pipe.read(&mut buffer).unwrap_or(0);
                let mut bytes = this.lock();
                bytes.0.extend_from_slice(&buffer[..size]);
                bytes.1 = size == 0;
                this.bell.notify_all();
                if size == 0 {
                    return;
                }
            }
        })
    }
}

/// A running tracer.
pub struct Tracer {
    child: Child,
    stdout: Arc<Growing>,
    stderr: Arc<Growing>,
    readers: Vec<JoinHandle<()>>,
    marks: u32,
}

impl Tracer {
    /// Starts the tracer with these arguments.
    pub fn start(arguments: &[&str]) -> Result<Tracer> {
        Tracer::start_with(Command::new(binary()?).args(arguments))
    }

    /// Starts a prepared command (user, environment …).
    pub fn start_with(command: &mut Command) -> Result<Tracer> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let (stdout, stderr) = (Arc::new(Growing::default()), Arc::new(Growing::default()));
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(stdout.read_from(pipe));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(stderr.read_from(pipe));
        }
        Ok(Tracer { child, stdout, stderr, readers, marks: 0 })
    }

    /// Starts the tracer with `options` and a filter that also lets marks through, and waits until it shows one: from
    /// then on it sees everything. The output format must show the arguments of events.
    pub fn start_seeing(options: &[&str], filter: &str) -> Result<Tracer> {
        let filter = format!("({filter}) or {MARK_FILTER}");
        let mut arguments = vec!["--unbuffered"];
        arguments.extend_from_slice(options);
        arguments.push(&filter);
        let mut tracer = Tracer::start(&arguments)?;
        tracer.mark()?;
        Ok(tracer)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Puts a mark into the stream of events and waits until it is printed: what happened before is then printed too.
    pub fn mark(&mut self) -> Result<()> {
        self.marks += 1;
        let folder = format!("{MARK}{}-{}", std::process::id(), self.marks);
        let path = std::ffi::CString::new(folder.clone())?;
        let deadline = Instant::now() + PATIENCE;
        // What has been looked through already: a flood of output must not be searched anew for each piece of it.
        let mut searched = self.stdout.lock().0.len();
        loop {
            // SAFETY: `path` is a NUL-terminated string that lives through the call.
            unsafe { libc::chdir(path.as_ptr()) };
            if self.printed_within(Duration::from_millis(100), |text| {
                let found = contains(&text[searched..], folder.as_bytes());
                searched = searched.max(text.len().saturating_sub(folder.len()));
                found
            }) {
                return Ok(());
            }
            self.check_running(&format!("mark {folder}"))?;
            if Instant::now() > deadline {
                bail!("the tracer never showed {folder}; {}", self.so_far());
            }
        }
    }

    /// Repeats `workload` until a line of standard output satisfies `wanted`, and returns that line.
    pub fn until(
        &mut self,
        what: &str,
        mut workload: impl FnMut() -> Result<()>,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            workload()?;
            let mut found = None;
            self.printed_within(Duration::from_millis(200), |text| {
                found = String::from_utf8_lossy(text).lines().find(|line| wanted(line)).map(str::to_string);
                found.is_some()
            });
            if let Some(line) = found {
                return Ok(line);
            }
            self.check_running(what)?;
            if Instant::now() > deadline {
                bail!("no line for: {what}; {}", self.so_far());
            }
        }
    }

    /// Interrupts the tracer as Ctrl-C does and returns all that it said.
    pub fn finish(self) -> Result<Output> {
        // SAFETY: kill has no memory preconditions; the child has not been waited for, so the number is its own.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGINT) };
        self.wait()
    }

    /// Waits until the tracer ends by itself.
    pub fn wait(mut self) -> Result<Output> {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                let said = self.so_far();
                let _ = self.child.kill();
                let _ = self.child.wait();
                bail!("the tracer did not end; {said}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let stdout = std::mem::take(&mut self.stdout.lock().0);
        let stderr = String::from_utf8_lossy(&self.stderr.lock().0).into_owned();
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Ok(Output { stdout, stderr, code })
    }

    /// Waits until `wanted` holds for the bytes printed so far, at most `limit`.
    fn printed_within(&self, limit: Duration, mut wanted: impl FnMut(&[u8]) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut bytes = self.stdout.lock();
        loop {
            if wanted(&bytes.0) {
                return true;
            }
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            if bytes.1 {
                drop(bytes);
                std::thread::sleep(deadline - now);
                return false;
            }
            let wait = self.stdout.bell.wait_timeout(bytes, deadline - now);
            bytes = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn check_running(&mut self, what: &str) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the tracer ended ({status}) before: {what}; {}", self.so_far());
        }
        Ok(())
    }

    /// The end of what was said, for messages.
    fn so_far(&self) -> String {
        let (stdout, stderr) = (self.stdout.lock(), self.stderr.lock());
        let tail =
            |bytes: &[u8]| String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(600)..]).into_owned();
        format!(
            "{} bytes printed, the last: «{}»; errors: «{}»",
            stdout.0.len(),
            tail(&stdout.0),
            tail(&stderr.0)
        )
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Nothing to do for one that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `needle` is somewhere in `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len().max(1)).any(|window| window == needle)
}
