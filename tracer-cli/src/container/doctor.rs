//! Which engines are here, and whether their sockets and files let us in.

use super::engines::{Engines, Sockets};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A socket or a directory of an engine that exists.
#[derive(Debug, Clone)]
pub struct Place {
    pub path: PathBuf,
    /// What it is for.
    pub what: &'static str,
    /// Why there is no access to it.
    pub trouble: Option<String>,
}

/// All places of engines on this machine.
pub fn places(said: &Sockets) -> Vec<Place> {
    let host = PathBuf::from(std::env::var_os("HOST_ROOT").unwrap_or_default());
    let engines = Engines::find(&host, said);
    let mut places = Vec::new();
    for (what, sockets) in [
        ("docker's API", &engines.docker_sockets),
        ("podman's API", &engines.podman_sockets),
        ("container runtime of Kubernetes", &engines.cri_sockets),
        ("containerd", &engines.containerd_sockets),
    ] {
        places.extend(
            sockets.iter().filter_map(|path| place(path, what, |path| UnixStream::connect(path).map(drop))),
        );
    }
    for (what, dirs) in [
        ("files of docker", &engines.docker_data),
        ("files of containerd", &engines.containerd_tasks),
        ("files of podman or CRI-O", &engines.storages),
        ("files of runc or crun", &engines.runtimes),
    ] {
        places.extend(
            dirs.iter().filter_map(|path| place(path, what, |path| std::fs::read_dir(path).map(drop))),
        );
    }
    places
}

/// `None` when there is nothing.
fn place(path: &Path, what: &'static str, enter: impl Fn(&Path) -> std::io::Result<()>) -> Option<Place> {
    let trouble = match enter(path) {
        Ok(()) => None,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
        Err(e) => Some(e.kind().to_string()),
    };
    Some(Place { path: path.to_owned(), what, trouble })
}
