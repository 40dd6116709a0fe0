//! Where the engines of this machine keep their sockets and files.
//!
//! The usual places, and those that the command lines of running daemons name.

use super::engine_files::storage_containers;
use crate::state::users::Users;
use bstr::ByteSlice;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Places to ask and to look at, the most probable first. They need not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Engines {
    /// Sockets with docker's API.
    pub docker_sockets: Vec<PathBuf>,
    pub podman_sockets: Vec<PathBuf>,
    pub cri_sockets: Vec<PathBuf>,
    pub containerd_sockets: Vec<PathBuf>,
    /// Each has `containers/ID/config.v2.json`.
    pub docker_data: Vec<PathBuf>,
    /// Each has `NAMESPACE/ID/config.json`.
    pub containerd_tasks: Vec<PathBuf>,
    /// Storage of podman and CRI-O; each has `overlay-containers/` or that of another driver.
    pub storages: Vec<PathBuf>,
    /// States of runc and crun; each has a directory for each container.
    pub runtimes: Vec<PathBuf>,
}

/// What was said about sockets on the command line and in the environment.
#[derive(Debug, Clone, Default)]
pub struct Sockets {
    /// `--cri`.
    pub cri: Option<PathBuf>,
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
}

/// The directory of containerd that has its namespaces.
pub(super) const TASKS: &str = "io.containerd.runtime.v2.task";

impl Engines {
    /// All places on the machine whose root directory is `host`.
    pub fn find(host: &Path, said: &Sockets) -> Self {
        let mut engines = Self::default();
        if let Some(path) = said.docker_host.as_deref().and_then(|url| url.strip_prefix("unix://")) {
            engines.docker_sockets.push(path.into());
        }
        engines.cri_sockets.extend(said.cri.clone());
        engines.add_usual(host);
        engines.add_daemons(host);
        engines.add_logged_in(host);
        engines
    }

    fn add_usual(&mut self, host: &Path) {
        // Not `join`, as these begin with a slash.
        let at = |path: &str| {
            let mut full = host.as_os_str().to_owned();
            full.push(path);
            PathBuf::from(full)
        };
        let all = |paths: &[&str]| paths.iter().map(|path| at(path)).collect::<Vec<_>>();
        self.docker_sockets.extend(all(&["/var/run/docker.sock"]));
        self.podman_sockets.extend(all(&["/run/podman/podman.sock"]));
        let containerd = ["/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock"];
        self.containerd_sockets.extend(all(&containerd));
        if self.cri_sockets.is_empty() {
            self.cri_sockets.extend(all(&containerd));
            self.cri_sockets.extend(all(&["/run/crio/crio.sock", "/run/cri-dockerd.sock"]));
        }
        if let Ok(text) = std::fs::read(at("/etc/docker/daemon.json"))
            && let Ok(config) = serde_json::from_slice::<serde_json::Value>(&text)
            && let Some(root) = config.get("data-root").and_then(serde_json::Value::as_str)
        {
            self.docker_data.push(at(root));
        }
        self.docker_data.extend(all(&["/var/lib/docker", "/var/snap/docker/common/var-lib-docker"]));
        let states = ["/run/containerd", "/run/docker/containerd/daemon", "/run/k3s/containerd"];
        self.containerd_tasks.extend(states.iter().map(|state| at(state).join(TASKS)));
        self.storages.extend(all(&["/var/lib/containers/storage", "/run/containers/storage"]));
        self.runtimes.extend(all(&["/run/runc", "/run/crun"]));
    }

    /// Adds what running daemons were told on their command lines.
    fn add_daemons(&mut self, host: &Path) {
        let mut proc = host.as_os_str().to_owned();
        proc.push("/proc");
        for entry in std::fs::read_dir(&proc).into_iter().flatten().flatten() {
            if !entry.file_name().as_bytes().iter().all(u8::is_ascii_digit) {
                continue;
            }
            let Ok(comm) = std::fs::read(entry.path().join("comm")) else { continue };
            let daemon = comm.trim();
            if !matches!(daemon, b"dockerd" | b"containerd" | b"crio") {
                continue;
            }
            let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            self.add_daemon(daemon, &arguments, |path| std::fs::read(path).unwrap_or_default());
        }
    }

    /// Adds what the arguments of a daemon say, each with a final NUL.
    fn add_daemon(&mut self, daemon: &[u8], arguments: &[u8], read: impl Fn(&Path) -> Vec<u8>) {
        let value = |names: &[&str]| values(arguments, names).next().map(path);
        match daemon {
            b"dockerd" => {
                for url in values(arguments, &["-H", "--host"]) {
                    add(&mut self.docker_sockets, url.strip_prefix(b"unix://").map(path));
                }
                add(&mut self.docker_data, value(&["--data-root", "-g", "--graph"]));
                let state = value(&["--exec-root"]).map(|root| root.join("containerd/daemon").join(TASKS));
                add(&mut self.containerd_tasks, state);
            }
            b"containerd" => {
                let mut address = value(&["-a", "--address"]);
                let mut state = value(&["--state"]);
                if let Some(config) = value(&["-c", "--config"]) {
                    let text = read(&config);
                    state = state.or_else(|| setting(&text, b"state").map(path));
                    address = address.or_else(|| setting(&text, b"address").map(path));
                }
                add(&mut self.containerd_tasks, state.map(|state| state.join(TASKS)));
                add(&mut self.cri_sockets, address.clone());
                add(&mut self.containerd_sockets, address);
            }
            _ => {
                add(&mut self.cri_sockets, value(&["--listen"]));
                add(&mut self.storages, value(&["-r", "--root"]));
                add(&mut self.storages, value(&["--runroot"]));
            }
        }
    }

    /// Adds the files of users who are logged in, so that their containers are noticed when they are made. Not their
    /// sockets: those are asked only about what their owner runs, as anybody's answers may be made up.
    fn add_logged_in(&mut self, host: &Path) {
        let mut run = host.as_os_str().to_owned();
        run.push("/run/user");
        let dirs: Vec<_> = std::fs::read_dir(run).into_iter().flatten().flatten().collect();
        if dirs.is_empty() {
            return;
        }
        let known = Users::of_host();
        for dir in dirs {
            let user = dir.file_name().to_str().and_then(|uid| known.users.get(&uid.parse().ok()?));
            if let Some(user) = user {
                add(&mut self.storages, Some(user_storage(host, &user.home.to_path_lossy())));
            }
        }
    }

    /// Adds the places of a user who runs podman without rights.
    pub fn add_user(&mut self, host: &Path, uid: u32, home: &Path) {
        let mut run = host.as_os_str().to_owned();
        run.push(format!("/run/user/{uid}"));
        let run = PathBuf::from(run);
        add(&mut self.storages, Some(user_storage(host, home)));
        add(&mut self.podman_sockets, Some(run.join("podman/podman.sock")));
        add(&mut self.docker_sockets, Some(run.join("docker.sock")));
        add(&mut self.runtimes, Some(run.join("runc")));
        add(&mut self.runtimes, Some(run.join("crun")));
    }

    /// Directories in which something appears when a container is made.
    pub fn watched(&self) -> Vec<PathBuf> {
        let mut dirs: Vec<PathBuf> = self.docker_data.iter().map(|root| root.join("containers")).collect();
        dirs.extend(self.storages.iter().flat_map(|storage| storage_containers(storage)));
        for tasks in &self.containerd_tasks {
            let namespaces = std::fs::read_dir(tasks).into_iter().flatten().flatten();
            dirs.extend(namespaces.map(|namespace| namespace.path()));
            dirs.push(tasks.clone());
        }
        dirs.extend(self.runtimes.iter().cloned());
        dirs
    }
}

fn add(list: &mut Vec<PathBuf>, path: Option<PathBuf>) {
    if let Some(path) = path.filter(|path| path.is_absolute() && !list.contains(path)) {
        list.push(path);
    }
}

/// Where podman keeps the containers of a user.
fn user_storage(host: &Path, home: &Path) -> PathBuf {
    let mut storage = host.as_os_str().to_owned();
    storage.push(home);
    PathBuf::from(storage).join(".local/share/containers/storage")
}

fn path(text: &[u8]) -> PathBuf {
    OsStr::from_bytes(text).into()
}

/// Values of options, written `--name value` or `--name=value`.
fn values<'a>(arguments: &'a [u8], names: &'a [&'a str]) -> impl Iterator<Item = &'a [u8]> {
    let mut left = arguments.split(|b| *b == 0);
    std::iter::from_fn(move || {
        loop {
            let argument = left.next()?;
            for name in names {
                match argument.strip_prefix(name.as_bytes()) {
                    Some(b"") => return left.next(),
                    Some([b'=', value @ ..]) => return Some(value),
                    _ => {}
                }
            }
        }
    })
}

/// The first `name = "value"` in a TOML text. containerd's names that matter here are unique enough:
/// the tables of plugins come later.
fn setting<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once_str(b"=")?;
        let value = value.trim().strip_prefix(b"\"")?;
        (key.trim() == name).then(|| value.split_once_str(b"\"").map_or(value, |(value, _)| value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daemons_say_where_their_files_are() {
        let mut engines = Engines::default();
        let line = b"dockerd\0--data-root\0/d\0--exec-root=/x\0-H\0unix:///d.sock\0-H\0tcp://0:1\0";
        engines.add_daemon(b"dockerd", line, |_| Vec::new());
        assert_eq!(engines.docker_sockets, [Path::new("/d.sock")]);
        assert_eq!(engines.docker_data, [Path::new("/d")]);
        assert_eq!(engines.containerd_tasks, [Path::new("/x/containerd/daemon").join(TASKS)]);
        let config = b"version = 2\nstate = \"/s\" # here\n[grpc]\n  address = \"/c.sock\"\n".to_vec();
        engines.add_daemon(b"containerd", b"containerd\0-c\0/c.toml\0", |_| config.clone());
        assert_eq!(engines.containerd_sockets, [Path::new("/c.sock")]);
        assert_eq!(engines.containerd_tasks[1], Path::new("/s").join(TASKS));
        engines.add_daemon(b"crio", b"crio\0--listen\0relative\0--root", |_| Vec::new());
        assert_eq!(engines.cri_sockets, [Path::new("/c.sock")]);
    }

    #[test]
    fn what_was_said_comes_first() {
        let said = Sockets { cri: Some("/my.sock".into()), docker_host: Some("unix:///my-docker".into()) };
        let engines = Engines::find(Path::new("/nowhere"), &said);
        assert_eq!(engines.cri_sockets, [Path::new("/my.sock")]);
        assert_eq!(engines.docker_sockets[0], Path::new("/my-docker"));
        assert_eq!(engines.docker_sockets[1], Path::new("/nowhere/var/run/docker.sock"));
    }
}
