//! An engine: its script, and a scratch directory for everything that it makes.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tracer_tests::programs::Scratch;

/// Which control groups a script sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Those of this machine.
    AsTheyAre,
    /// Only those of version 2, in a mount namespace of its own.
    Version2,
    /// Those of version 2 are hidden.
    Version1,
}

/// An engine that has been set up; dropped, it stops and leaves nothing behind.
pub struct Engine {
    script: &'static str,
    variant: &'static str,
    groups: Groups,
    scratch: Scratch,
}

impl Engine {
    /// Runs `up` of `engines/SCRIPT.sh`.
    pub fn up(script: &'static str, variant: &'static str, groups: Groups) -> Result<Engine> {
        let version = match groups {
            Groups::AsTheyAre => "",
            Groups::Version2 => "-v2",
            Groups::Version1 => "-v1",
        };
        let scratch = Scratch::new(&format!("{script}{variant}{version}"))?;
        let engine = Engine { script, variant, groups, scratch };
        engine.call("up", engine.variant)?;
        Ok(engine)
    }

    /// The scratch directory.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Where docker's daemon listens.
    pub fn docker_host(&self) -> String {
        format!("unix://{}/docker.sock", self.scratch.text())
    }

    /// Runs the script with a verb and an argument; what it says is part of the error.
    pub fn call(&self, verb: &str, argument: &str) -> Result<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("containers/engines").join(self.script);
        let script = script.with_extension("sh");
        let mut command = match self.groups {
            Groups::AsTheyAre => Command::new("bash"),
            Groups::Version2 => {
                let mut command =
                    within("umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup");
                command.env("V2", "1");
                command
            }
            Groups::Version1 => within("umount /sys/fs/cgroup/unified"),
        };
        let log = self.path().join("script.log");
        let file = std::fs::File::create(&log)?;
        // Files and not pipes: a daemon that the script starts would keep those open.
        let status = command
            .arg(&script)
            .args([verb, argument])
            .env("W", self.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .status()
            .with_context(|| format!("{command:?}"))?;
        if !status.success() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let end: Vec<&str> = said.lines().rev().take(6).collect();
            bail!("{} {verb}: {}", self.script, end.into_iter().rev().collect::<Vec<_>>().join("; "));
        }
        Ok(())
    }
}

/// Runs a script when the mounts of a namespace of its own have been changed.
fn within(change: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = format!("{change} && exec bash \"$@\"");
    command.args(["--mount", "--propagation", "private", "bash", "-c", &script, "bash"]);
    command
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.call("down", self.variant) {
            eprintln!("{error:#}");
        }
    }
}
