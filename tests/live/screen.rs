//! `tracer ui` in a real terminal, driven as a user drives it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tracer_tests::{Completion, Needs, Trial, live, tracer};

const TMUX: &[Needs] = &[Needs::Program("tmux")];
const ROOT_AND_TMUX: &[Needs] = &[Needs::Root, Needs::Program("tmux")];
/// How long the screen may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn trials() -> Vec<Trial> {
    vec![
        live("screen::of_a_capture", TMUX, of_a_capture),
        live("screen::of_this_machine", ROOT_AND_TMUX, of_this_machine),
        live("screen::is_given_back", TMUX, is_given_back),
    ]
}

/// A terminal of 120 by 30 with a shell command in it.
struct Terminal {
    name: String,
}

impl Terminal {
    fn start(name: &str, command: &str) -> Result<Self> {
        let terminal = Terminal { name: format!("tracer-{name}-{}", std::process::id()) };
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "30", command])?;
        Ok(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let output =
            Command::new("tmux").args(["-L", &self.name]).args(arguments).output().context("tmux")?;
        ensure!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn screen(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows what is wanted.
    fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen()?;
            if wanted(&screen) {
                return Ok(screen);
            }
            if Instant::now() > deadline {
                bail!("the screen never showed {what}:\n{screen}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn keys(&self, keys: &[&str]) -> Result<()> {
        self.tmux(&[&["send-keys"], keys].concat()).map(drop)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

fn ui(arguments: &str) -> Result<String> {
    Ok(format!("'{}' ui {arguments}", tracer::binary()?.display()))
}

fn capture() -> String {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    captures.join("bencer_example2_502error-947a737.scap.gz").display().to_string()
}

/// The first line of the screen.
fn title(screen: &str) -> &str {
    screen.lines().next().unwrap_or("")
}

fn of_a_capture() -> Result<Completion> {
    let terminal = Terminal::start("capture", &ui(&format!("-pc -r '{}'", capture()))?)?;
    // The whole file, with the sums that csysdig has.
    let screen = terminal.until("all of the file", |screen| screen.contains(" evts, 12.09s)"))?;
    let first = screen.lines().nth(3).unwrap_or("");
    ensure!(
        first.contains("13969  13924       9    0.38") && first.contains("/usr/sbin/haproxy"),
        "{screen}"
    );
    // Into the process, and back.
    terminal.keys(&["Enter"])?;
    terminal.until("its threads", |screen| title(screen) == "Viewing: Threads For: proc.pid=13969")?;
    terminal
        .until("their rows", |screen| screen.lines().nth(3).is_some_and(|row| row.contains("haproxy")))?;
    terminal.keys(&["BSpace"])?;
    terminal.until("all processes", |screen| title(screen) == "Viewing: Processes For: whole machine")?;
    // Another view, sorted by name of the call.
    terminal.keys(&["F2"])?;
    terminal.until("the menu", |screen| screen.contains("Select View"))?;
    terminal.keys(&["End", "Up", "Enter"])?;
    let screen = terminal.until("another view", |screen| !title(screen).contains("Processes"))?;
    ensure!(title(&screen).starts_with("Viewing: "), "{screen}");
    terminal.keys(&["BSpace"])?;
    // A filter, a wrong one first.
    terminal.keys(&["F4"])?;
    terminal.until("the filter", |screen| screen.contains("Filter: evt.type!=switch  Enter"))?;
    terminal.keys(&["C-u", "proc.nam=curl", "Enter"])?;
    terminal.until("what is wrong", |screen| screen.contains("proc.nam"))?;
    terminal.keys(&["C-u", "proc.name=curl", "Enter"])?;
    terminal.until("one program", |screen| {
        screen.contains("Filter: proc.name=curl")
            && !screen.contains("haproxy")
            && screen.contains("curl localhost")
    })?;
    // Its events, and a search in them.
    terminal.keys(&["F6"])?;
    terminal
        .until("events", |screen| title(screen).starts_with("Viewing: Events") && screen.contains(" < "))?;
    terminal.keys(&["/", "connect", "Enter"])?;
    terminal.until("a connect", |screen| screen.contains(" connect "))?;
    Ok(Completion::Completed)
}

fn of_this_machine() -> Result<Completion> {
    let terminal = Terminal::start("live", &ui("-d 500")?)?;
    let myself = std::process::id().to_string();
    let shown = |screen: &str| screen.lines().any(|line| line.split_whitespace().next() == Some(&myself));
    terminal
        .until("processes", |screen| screen.contains("Source: Live System") && screen.lines().count() > 20)?;
    // Only rows with the number of this process.
    terminal.keys(&["F4", "F2"])?;
    terminal.until("the question", |screen| screen.contains("Rows with:"))?;
    terminal.keys(&[&myself, "Enter"])?;
    terminal.until("this process", shown)?;
    terminal.keys(&["p"])?;
    terminal.until("the pause", |screen| title(screen).contains("PAUSED"))?;
    Ok(Completion::Completed)
}

fn is_given_back() -> Result<Completion> {
    for (name, key) in [("quit", "q"), ("interrupt", "C-c")] {
        let command = format!(
            "{}; echo \"ended with $?\"; stty -a | grep -o ' icanon'; sleep 60",
            ui(&format!("-r '{}'", capture()))?
        );
        let terminal = Terminal::start(name, &command)?;
        terminal.until("a view", |screen| title(screen).starts_with("Viewing:"))?;
        terminal.keys(&[key])?;
        let screen = terminal.until("the end", |screen| screen.contains("icanon"))?;
        ensure!(screen.contains("ended with 0") && !screen.contains("Viewing:"), "{name}: {screen}");
    }
    Ok(Completion::Completed)
}
