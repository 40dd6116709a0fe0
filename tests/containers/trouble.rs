//! Engines that are stopped, hang or answer nonsense: events flow on, there is one warning, and fields say that nothing
//! is known.
//!
//! The engine is a socket of this test; the container is a process in a control group that is named like one of docker's.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::Scratch;
use tracer_tests::tracer::{MARK_FILTER, Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

/// How the engine behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Nobody listens on the socket that is there.
    Stopped,
    /// It takes the request and says nothing.
    Hanging,
    /// It sends ten million bytes of a label.
    Endless,
    Garbage,
    /// It closes the connection.
    Rude,
    /// It knows no such container any more.
    Removed,
    /// It answers about the container, with control characters in its labels and its name.
    Hostile,
}

pub fn trials() -> Vec<Trial> {
    let moods = [
        ("stopped", Mood::Stopped),
        ("hanging", Mood::Hanging),
        ("ten_megabytes", Mood::Endless),
        ("garbage", Mood::Garbage),
        ("closed", Mood::Rude),
        ("removed_before_the_question", Mood::Removed),
        ("control_characters", Mood::Hostile),
    ];
    let mut trials: Vec<Trial> = moods
        .into_iter()
        .map(|(name, mood)| live(format!("trouble::{name}"), &[Needs::Root], move || check(mood)))
        .collect();
    trials.push(live("trouble::permission_denied", &[Needs::Root], permission_denied));
    trials
}

/// A control group named like a container, in the hierarchy of version 2.
struct Group {
    dir: PathBuf,
    id: String,
}

impl Group {
    fn new(number: u32) -> Result<Option<Group>> {
        let top = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let Some(top) = top.iter().find(|top| Path::new(top).join("cgroup.controllers").exists()) else {
            return Ok(None);
        };
        let id = format!("{:08x}{number:056x}", std::process::id());
        let dir = Path::new(top).join("tracer-test").join(&id);
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        Ok(Some(Group { dir, id }))
    }

    /// Runs a shell line in the group.
    fn run(&self, line: &str) -> Result<()> {
        let script = format!("echo $$ >{}/cgroup.procs && exec /bin/sh -c '{line}'", self.dir.display());
        let status =
            Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "{line} in {}: {status}", self.dir.display());
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that has just ended may still be counted.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.dir).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(parent) = self.dir.parent() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

/// A socket that answers as its mood is, until it is dropped.
struct FakeEngine {
    socket: PathBuf,
    asked: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl FakeEngine {
    fn start(socket: PathBuf, mood: Mood, id: &str) -> Result<FakeEngine> {
        let listener = UnixListener::bind(&socket)?;
        let (asked, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        if mood != Mood::Stopped {
            let (asked, stop, id) = (Arc::clone(&asked), Arc::clone(&stop), id.to_string());
            std::thread::spawn(move || {
                for connection in listener.incoming().flatten() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (asked, id) = (Arc::clone(&asked), id.clone());
                    std::thread::spawn(move || answer(connection, mood, &id, &asked));
                }
            });
        }
        Ok(FakeEngine { socket, asked, stop })
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The listener looks at the flag when somebody comes.
        let _ = UnixStream::connect(&self.socket);
    }
}

fn answer(mut connection: UnixStream, mood: Mood, id: &str, asked: &AtomicUsize) {
    let mut request = [0; 4096];
    let size = connection.read(&mut request).unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..size]).into_owned();
    let is_about_container = request.contains(&format!("/containers/{id}/"));
    asked.fetch_add(usize::from(is_about_container), Ordering::Relaxed);
    let mut say = |status: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        // The other side may have had enough.
        let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
    };
    match mood {
        Mood::Stopped | Mood::Rude => {}
        Mood::Hanging => std::thread::sleep(Duration::from_secs(30)),
        Mood::Endless => {
            let mut body = format!("{{\"Id\":\"{id}\",\"Name\":\"/").into_bytes();
            body.resize(10 << 20, b'x');
            body.extend_from_slice(b"\"}");
            say("200 OK", &body);
        }
        Mood::Garbage => say("200 OK", b"\x1b[31m{]\xff\xfe not JSON"),
        Mood::Removed => say("404 Not Found", b"{\"message\":\"No such container\"}"),
        Mood::Hostile if is_about_container => {
            let body = format!(
                "{{\"Id\":\"{id}\",\"Name\":\"/shop\\u001b[31m\\n\",\"Config\":{{\"Image\":\"a\\u0007:1\",\
                 \"Labels\":{{\"io.kubernetes.pod.name\":\"po\\u001b]0;x\\u0007d\\n\"}}}}}}"
            );
            say("200 OK", body.as_bytes());
        }
        Mood::Hostile => say("404 Not Found", b"{}"),
    }
}

const FORMAT: &str = "*%container.id|%container.name|%container.image|%container.type|%k8s.pod.name|%proc.name|%evt.type|%evt.args";

fn start(engine: &Path, options: &[&str]) -> Result<Tracer> {
    let mut command = Command::new(binary()?);
    let filter = format!("(container.id!=host and evt.type in (execve, openat)) or {MARK_FILTER}");
    command.args(["--unbuffered", "-p", FORMAT]).args(options).arg(&filter);
    let mut tracer = Tracer::start_with(command.env("DOCKER_HOST", format!("unix://{}", engine.display())))?;
    tracer.mark()?;
    Ok(tracer)
}

fn check(mood: Mood) -> Result<Completion> {
    let Some(group) = Group::new(mood as u32)? else {
        return Ok(Completion::ignored_with("needs control groups of version 2"));
    };
    let other = Group::new(100 + mood as u32)?.context("a second control group")?;
    let scratch = Scratch::new("engine")?;
    let engine = FakeEngine::start(scratch.path().join("docker.sock"), mood, &group.id)?;
    let mut tracer = start(&engine.socket, &[])?;
    group.run("cat /etc/passwd; cat /etc/passwd")?;
    // Whatever the engine does: these are shown while it does it.
    tracer.mark()?;
    if mood == Mood::Hostile {
        let named = |line: &str| line.contains("|shop");
        tracer.until("a name", || group.run("cat /etc/passwd"), named)?;
    } else {
        // A second container meets the same trouble, and there is nothing new to say about it.
        let asked = |engine: &FakeEngine| mood == Mood::Stopped || engine.asked.load(Ordering::Relaxed) > 0;
        let deadline = std::time::Instant::now() + tracer_tests::tracer::PATIENCE;
        while !asked(&engine) && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        ensure!(asked(&engine), "nobody asked");
        other.run("cat /etc/passwd")?;
        tracer.mark()?;
        // Past the time that an answer may take.
        std::thread::sleep(Duration::from_millis(2600));
    }
    let output = tracer.finish()?;
    ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);
    let lines = output.lines();
    let of_group: Vec<&String> = lines.iter().filter(|line| line.starts_with(&group.id[..12])).collect();
    ensure!(of_group.len() >= 4, "{} events of the container: {lines:?}", of_group.len());
    ensure!(output.stdout.iter().all(|b| *b == b'\n' || !b.is_ascii_control()), "raw control characters");
    ensure!(!output.stderr.contains('\x1b'), "raw control characters: {:?}", output.stderr);
    let warnings: Vec<&str> = output.stderr.lines().filter(|line| line.contains("no access to")).collect();
    if mood == Mood::Hostile {
        let last = of_group.last().context("an event")?;
        ensure!(last.contains("|shop") && last.contains("|po"), "{last}");
        ensure!(warnings.is_empty(), "{warnings:?}");
        return Ok(Completion::Completed);
    }
    for line in of_group {
        let fields: Vec<&str> = line.split('|').collect();
        ensure!(fields[1..5] == ["<NA>", "<NA>", "docker", "<NA>"], "{line}");
    }
    // That a container is gone when it is asked about is no trouble.
    let wanted = usize::from(mood != Mood::Removed);
    ensure!(warnings.len() == wanted, "{} warnings for {mood:?}: {}", warnings.len(), output.stderr);
    let place = engine.socket.display().to_string();
    ensure!(warnings.iter().all(|line| line.contains(&place)), "{warnings:?}");
    Ok(Completion::Completed)
}

/// A user who may trace, but not talk to the engine, is told so.
fn permission_denied() -> Result<Completion> {
    let Some(group) = Group::new(50)? else {
        return Ok(Completion::ignored_with("needs control groups of version 2"));
    };
    let scratch = Scratch::new("denied")?;
    let engine = FakeEngine::start(scratch.path().join("docker.sock"), Mood::Garbage, &group.id)?;
    std::fs::set_permissions(&engine.socket, std::fs::Permissions::from_mode(0o600))?;
    if Command::new("setpriv").arg("--version").stdout(Stdio::null()).status().is_err() {
        return Ok(Completion::ignored_with("needs setpriv"));
    }
    // Root without the right to ignore modes of files; the socket is somebody else's.
    std::os::unix::fs::chown(&engine.socket, Some(12345), Some(12345))?;
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o755))?;
    let filter = format!("(container.id!=host and evt.type in (execve, openat)) or {MARK_FILTER}");
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-dac_override,-dac_read_search", "--"]);
    command.arg(binary()?).args(["-v", "--unbuffered", "-p", FORMAT, &filter]);
    let host = format!("unix://{}", engine.socket.display());
    let mut tracer = Tracer::start_with(command.env("DOCKER_HOST", &host))?;
    tracer.mark()?;
    group.run("cat /etc/passwd")?;
    tracer.mark()?;
    std::thread::sleep(Duration::from_millis(1000));
    tracer.mark()?;
    let output = tracer.finish()?;
    ensure!(output.code == 0, "status {}: {}", output.code, output.stderr);
    let warning = format!("no access to {}: permission denied", engine.socket.display());
    let count = output.stderr.matches(&warning).count();
    ensure!(count == 1, "{count} times «{warning}» in {}", output.stderr);
    let why = format!("the name of container {} (docker) is not known", &group.id[..12]);
    ensure!(output.stderr.contains(&why), "no «{why}» in {}", output.stderr);
    Ok(Completion::Completed)
}
