//! `tracer ui` in a real terminal, driven as users drive it: the stories of `stories.txt`, each in a terminal of tmux
//! and a folder of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use tracer_tests::programs::Scratch;
use tracer_tests::{Completion, Needs, Trial, live, tracer};

/// How long the screen may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(30);

const STORIES: &str = include_str!("stories.txt");
/// What a shell says after the command of a story.
const END: &str = r#"code=$?; echo; echo "[ended $code]"; exec sleep 1000"#;

/// One line of a story.
#[derive(Clone, Copy)]
struct Step {
    line: usize,
    verb: &'static str,
    text: &'static str,
}

struct Story {
    name: String,
    needs: &'static [Needs],
    steps: Vec<Step>,
}

pub fn trials() -> Vec<Trial> {
    let trial = |story: Story| live(story.name.clone(), story.needs, move || tell(&story));
    stories().into_iter().map(trial).collect()
}

/// The stories of the file, whose head says how they are written.
fn stories() -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    for (line, text) in STORIES.lines().enumerate().filter(|(_, text)| !text.starts_with('#')) {
        if let Some(title) = text.strip_prefix("== ") {
            let name: Vec<&str> = title.split(|c: char| !c.is_ascii_alphanumeric()).collect();
            let name: Vec<&str> = name.into_iter().filter(|word| !word.is_empty()).collect();
            let name = format!("screen::{}", name.join("_").to_lowercase());
            stories.push(Story { name, needs: &[Needs::Program("tmux")], steps: Vec::new() });
        } else if let Some(story) = stories.last_mut().filter(|_| !text.trim().is_empty()) {
            let (verb, text) = text.split_once(' ').unwrap_or((text, ""));
            match verb {
                "root" => story.needs = &[Needs::Root, Needs::Program("tmux")],
                _ => story.steps.push(Step { line: line + 1, verb, text: text.trim_start() }),
            }
        }
    }
    stories
}

fn tell(story: &Story) -> Result<Completion> {
    let first = story.steps.first().map_or(0, |step| step.line);
    // A short name: paths are on the screen.
    let scratch = Scratch::new(&format!("ui-{first}"))?;
    let terminal = Terminal { name: format!("{}-{}", story.name.replace(':', "_"), std::process::id()) };
    for step in &story.steps {
        terminal
            .take(*step, scratch.path())
            .with_context(|| format!("stories.txt:{}: {} {}", step.line, step.verb, step.text))?;
    }
    Ok(Completion::Completed)
}

/// A terminal of 120 by 30.
struct Terminal {
    /// Of the tmux server.
    name: String,
}

impl Terminal {
    fn take(&self, step: Step, folder: &Path) -> Result<()> {
        match step.verb {
            "start" => self.start(step.text, folder),
            "keys" => {
                let keys: Vec<&str> = step.text.split(' ').collect();
                self.tmux(&[&["send-keys"], keys.as_slice()].concat()).map(drop)
            }
            "type" => self.tmux(&["send-keys", "-l", step.text]).map(drop),
            "mouse" => self.tmux(&["send-keys", "-l", &format!("\x1b[<{}", step.text)]).map(drop),
            "see" => self.until(&[], step.text, true),
            "gone" => self.until(&[], step.text, false),
            "colour" => self.until(&["-e"], step.text, true),
            "colourless" => self.until(&["-e"], step.text, false),
            "size" => {
                let (width, height) = step.text.split_once(' ').context("width and height")?;
                self.tmux(&["resize-window", "-x", width, "-y", height]).map(drop)
            }
            "restored" => self.restored(),
            "run" => {
                let done = shell(step.text, folder)?.status()?;
                ensure!(done.success(), "{done}");
                Ok(())
            }
            "until" => {
                let deadline = Instant::now() + PATIENCE;
                while !shell(step.text, folder)?.status()?.success() {
                    ensure!(Instant::now() < deadline, "it never was so:\n{}", self.screen(&[])?);
                    std::thread::sleep(PAUSE);
                }
                Ok(())
            }
            _ => bail!("no such verb"),
        }
    }

    fn start(&self, command: &str, folder: &Path) -> Result<()> {
        let command = format!("{command}; {END}");
        let size = ["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "30"];
        let output = environment(Command::new("tmux").args(["-L", &self.name]), folder)?
            .args(size)
            .args(["/bin/bash", "-c", &command])
            .output()
            .context("tmux")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let output =
            Command::new("tmux").args(["-L", &self.name]).args(arguments).output().context("tmux")?;
        ensure!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn screen(&self, options: &[&str]) -> Result<String> {
        self.tmux(&[&["capture-pane", "-p"], options].concat())
    }

    /// Waits until the screen shows a pattern, or shows it no more.
    fn until(&self, options: &[&str], pattern: &str, wanted: bool) -> Result<()> {
        let pattern = Regex::new(&format!("(?m){pattern}"))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen(options)?;
            if pattern.is_match(&screen) == wanted {
                return Ok(());
            }
            if Instant::now() > deadline {
                let never = if wanted { "never showed it" } else { "went on to show it" };
                bail!("the screen {never}:\n{screen}");
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until the other screen and the mouse were given back and the cursor is seen.
    fn restored(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let flags = self.tmux(&["display", "-p", "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"])?;
            if flags.trim() == "0 0 1" {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "alternate screen, mouse, cursor: {flags}");
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

fn shell(command: &str, folder: &Path) -> Result<Command> {
    let mut shell = Command::new("/bin/bash");
    environment(shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()), folder)?;
    Ok(shell)
}

/// What the commands of a story find: nothing of whoever runs the tests.
fn environment<'a>(command: &'a mut Command, folder: &Path) -> Result<&'a mut Command> {
    let binary = tracer::binary()?;
    let programs = binary.parent().context("a binary is in a folder")?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let set = command.current_dir(folder).env("HOME", folder).env("XDG_CONFIG_HOME", folder.join("config"));
    set.env("PATH", path).env("TZ", "UTC").env("LC_ALL", "C.UTF-8").env("CAPTURES", captures);
    for name in ["NO_COLOR", "COLORTERM", "TMUX"] {
        set.env_remove(name);
    }
    Ok(set)
}
