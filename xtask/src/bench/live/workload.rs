//! What is traced: a flood of calls, a walk through files, requests to a web server.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Requests of one run against the web server.
const REQUESTS: u64 = 20_000;
const PORT: u16 = 18_734;

/// Something to do, with the time it takes.
pub struct Workload {
    pub name: &'static str,
    pub title: String,
    /// A part of it for tracers that are a hundred times slower; `None` where they cannot be put before it.
    pub small: Option<Vec<String>>,
    work: Work,
}

enum Work {
    Command(Vec<String>),
    Requests(WebServer),
}

impl Workload {
    /// Does it once; seconds.
    pub fn run(&self) -> Result<f64> {
        match &self.work {
            Work::Command(words) => timed(&words.iter().map(String::as_str).collect::<Vec<_>>()),
            Work::Requests(server) => server.requests(),
        }
    }
}

/// All that this machine can do.
pub fn all(bytes: u64) -> Result<Vec<Workload>> {
    let mut list = vec![dd(bytes), find()];
    match web_server() {
        Ok(workload) => list.push(workload),
        Err(error) => eprintln!("without the web server: {error:#}"),
    }
    Ok(list)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_string).collect()
}

/// Two calls for each byte.
pub fn dd(bytes: u64) -> Workload {
    let command = |bytes: u64| words(&format!("dd if=/dev/zero of=/dev/null bs=1 status=none count={bytes}"));
    Workload {
        name: "dd",
        title: format!("dd bs=1 count={bytes}"),
        small: Some(command(bytes / 50)),
        work: Work::Command(command(bytes)),
    }
}

fn find() -> Workload {
    Workload {
        name: "find",
        title: "find /usr".into(),
        small: Some(words("find /usr/share/doc")),
        work: Work::Command(words("find /usr")),
    }
}

/// nginx with one worker, asked by wrk over the loopback device.
fn web_server() -> Result<Workload> {
    for program in ["nginx", "wrk"] {
        ensure!(on_path(program), "needs {program}");
    }
    Ok(Workload {
        name: "http",
        title: format!("{REQUESTS} requests to nginx over loopback (wrk, 8 connections)"),
        small: None,
        work: Work::Requests(WebServer::start()?),
    })
}

struct WebServer {
    child: Child,
    folder: PathBuf,
}

impl WebServer {
    fn start() -> Result<WebServer> {
        let folder = std::env::temp_dir().join(format!("tracer-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("index.html"), "hello\n")?;
        let at = folder.display();
        let configuration = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/errors;\nevents {{}}\nhttp {{ access_log {at}/access;\n\
             client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
             server {{ listen 127.0.0.1:{PORT}; root {at}; keepalive_requests 1000000; }} }}\n"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration)?;
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx")?;
        let server = WebServer { child, folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            if Instant::now() > deadline {
                bail!("nginx does not answer");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Asks for two seconds and returns the seconds that REQUESTS would have taken.
    fn requests(&self) -> Result<f64> {
        let url = format!("http://127.0.0.1:{PORT}/");
        let output = Command::new("wrk").args(["-t1", "-c8", "-d2s", &url]).output().context("wrk")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rate = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse::<f64>().ok());
        Ok(REQUESTS as f64 / rate.with_context(|| format!("wrk said: {text}"))?)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs a command with no input and no output; seconds.
pub fn timed(words: &[&str]) -> Result<f64> {
    let (program, arguments) = words.split_first().context("no command")?;
    let begin = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| program.to_string())?;
    let seconds = begin.elapsed().as_secs_f64();
    // find says 1 where a file went away under it.
    ensure!(status.code().is_some(), "{words:?}: {status}");
    Ok(seconds)
}

/// Whether there is such a program.
pub fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
