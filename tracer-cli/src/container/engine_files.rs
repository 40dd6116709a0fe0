//! What the engines' own files say: no daemon has to run, answer or let us in.

use super::engines::Engines;
use super::{docker, image, json, oci};
use crate::state::cgroup_id::ContainerType;
use crate::state::containers::{Container, Lookup};
use bstr::{BStr, BString, ByteSlice};
use rustc_hash::FxHashMap;
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Longest file that is read; what the engines write has some thousand bytes for each container.
const MAX_FILE: u64 = 16 << 20;

/// The lists of containers in a storage of podman and CRI-O.
pub(super) const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];

/// A container as files describe it.
#[derive(Debug)]
pub(super) struct Described {
    pub container: Container,
    /// Its root directory on the host, empty when that is not known.
    pub root: PathBuf,
}

/// Why a file says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub path: PathBuf,
    pub why: String,
}

/// A description, nothing when there is no such file, or what is wrong with it.
pub(super) type Found = Result<Option<Described>, Unreadable>;

/// Looks in the places of all engines that may have made such a container.
pub(super) fn find(engines: &Engines, kind: ContainerType, full_id: &[u8]) -> Found {
    use ContainerType as C;
    // An id becomes part of paths.
    if full_id.is_empty() || full_id.contains(&b'/') || full_id.starts_with(b".") {
        return Ok(None);
    }
    let docker = || first(&engines.docker_data, |root| docker_file(root, full_id));
    let storage = || first(&engines.storages, |storage| storage_file(storage, kind, full_id));
    let task = || first(&engines.containerd_tasks, |tasks| task_file(tasks, kind, full_id));
    let state = || first(&engines.runtimes, |root| state_file(root, kind, full_id));
    let order: [&dyn Fn() -> Found; 4] = match kind {
        C::Podman | C::CriO => [&storage, &task, &state, &docker],
        C::Cri | C::Containerd => [&task, &storage, &state, &docker],
        _ => [&docker, &task, &storage, &state],
    };
    let mut best: Option<Described> = None;
    let mut wrong = None;
    for look in order {
        match look() {
            Ok(Some(mut found)) if !found.container.name.is_empty() => {
                if found.root.as_os_str().is_empty() {
                    // docker's own files do not say where the root is, the bundle does.
                    found.root = task().ok().flatten().map(|task| task.root).unwrap_or_default();
                }
                return Ok(Some(found));
            }
            Ok(found) => best = best.or(found),
            Err(e) => wrong = Some(e),
        }
    }
    match (best, wrong) {
        (None, Some(wrong)) => Err(wrong),
        (best, _) => Ok(best),
    }
}

fn first(places: &[PathBuf], look: impl Fn(&Path) -> Found) -> Found {
    let mut wrong = None;
    for place in places {
        match look(place) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(e) => wrong = Some(e),
        }
    }
    wrong.map_or(Ok(None), Err)
}

fn docker_file(root: &Path, full_id: &[u8]) -> Found {
    let dir = root.join("containers").join(OsStr::from_bytes(full_id));
    let Some(config) = read_json(&dir.join("config.v2.json"))? else { return Ok(None) };
    let host = read_json(&dir.join("hostconfig.json")).ok().flatten();
    let found = docker::describe(ContainerType::Docker, &config, host.as_ref());
    Ok(found.map(|container| Described { container, root: PathBuf::new() }))
}

/// The bundle of a task of containerd, in whatever namespace. Names of namespaces lead to names of
/// containers that are no ids.
fn task_file(tasks: &Path, kind: ContainerType, full_id: &[u8]) -> Found {
    let namespaces = std::fs::read_dir(tasks).into_iter().flatten().flatten();
    for namespace in namespaces {
        let bundle = namespace.path().join(OsStr::from_bytes(full_id));
        if let Some(mut found) = bundle_file(&bundle, kind, full_id)? {
            // Docker's own containerd knows nothing but the id.
            if namespace.file_name() != "moby" && found.container.kind == ContainerType::Docker {
                found.container.kind = ContainerType::Containerd;
            }
            if crate::state::cgroup_id::short_id(full_id) == full_id && found.container.name.is_empty() {
                found.container.name = full_id.into();
            }
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn bundle_file(bundle: &Path, kind: ContainerType, full_id: &[u8]) -> Found {
    let Some(config) = read_json(&bundle.join("config.json"))? else { return Ok(None) };
    let root = bundle.join(oci::root(&config));
    Ok(Some(Described { container: oci::describe(kind, full_id, &config), root }))
}

/// podman and CRI-O: a list of all containers, and a bundle for each.
fn storage_file(storage: &Path, kind: ContainerType, full_id: &[u8]) -> Found {
    first(&storage_containers(storage), |containers| storage_entry(containers, kind, full_id))
}

/// The directories of a storage that have its containers, one for each of the usual drivers.
pub(super) fn storage_containers(storage: &Path) -> [PathBuf; 4] {
    ["overlay", "vfs", "btrfs", "zfs"].map(|driver| storage.join(format!("{driver}-containers")))
}

fn storage_entry(containers: &Path, kind: ContainerType, full_id: &[u8]) -> Found {
    let bundle = containers.join(OsStr::from_bytes(full_id)).join("userdata");
    let bundle = bundle_file(&bundle, kind, full_id)?;
    let entry = LISTS.iter().find_map(|list| entry_of(&read_json(&containers.join(list)).ok()??, full_id));
    let Some(entry) = entry else { return Ok(bundle) };
    let mut found = bundle.unwrap_or_else(|| Described {
        container: Container { lookup: Lookup::Done, ..Container::new(kind, full_id) },
        root: PathBuf::new(),
    });
    let c = &mut found.container;
    let metadata: Value = serde_json::from_str(json::text(&entry, &["metadata"])).unwrap_or_default();
    if c.name.is_empty() {
        // CRI-O says more in the bundle.
        let name = json::texts(&entry, &["names"]).into_iter().next();
        c.name = name.unwrap_or_else(|| json::text(&metadata, &["name"]).into());
    }
    if c.image.is_empty() {
        image::set(c, json::text(&metadata, &["image-name"]));
    }
    image::set_id(c, json::text(&entry, &["image"]));
    c.created = json::time(&entry, &["created"]);
    Ok(Some(found))
}

/// The names of all containers in these storages, by their ids.
pub(super) fn names_in(storages: &[PathBuf]) -> FxHashMap<BString, BString> {
    let mut names = FxHashMap::default();
    for containers in storages.iter().flat_map(|storage| storage_containers(storage)) {
        for list in LISTS {
            let Ok(Some(list)) = read_json(&containers.join(list)) else { continue };
            for entry in list.as_array().into_iter().flatten() {
                if let Some(name) = json::texts(entry, &["names"]).into_iter().next() {
                    names.insert(json::text(entry, &["id"]).into(), name);
                }
            }
        }
    }
    names
}

fn entry_of(list: &Value, full_id: &[u8]) -> Option<Value> {
    list.as_array()?.iter().find(|entry| json::text(entry, &["id"]).as_bytes() == full_id).cloned()
}

/// The state that runc (`state.json`) or crun (`status`) keeps of a running container.
fn state_file(root: &Path, kind: ContainerType, full_id: &[u8]) -> Found {
    let dir = root.join(OsStr::from_bytes(full_id));
    let runc = read_json(&dir.join("state.json"))?;
    let state = match runc {
        Some(state) => state,
        None => match read_json(&dir.join("status"))? {
            Some(state) => state,
            None => return Ok(None),
        },
    };
    let mut labels = json::items(&state, &["config", "labels"]).filter_map(Value::as_str);
    let bundle = labels.find_map(|label| label.strip_prefix("bundle="));
    let bundle = bundle.unwrap_or_else(|| json::text(&state, &["bundle"]));
    let mut found =
        bundle_file(Path::new(bundle), kind, full_id).ok().flatten().unwrap_or_else(|| Described {
            container: Container { lookup: Lookup::Done, ..Container::new(kind, full_id) },
            root: json::text(&state, &["config", "rootfs"]).into(),
        });
    // Whoever started it has no other name for it.
    let id = [json::text(&state, &["id"]).as_bytes(), full_id].into_iter().find(|id| !id.is_empty());
    if found.container.name.is_empty() {
        found.container.name = crate::state::cgroup_id::short_id(id.unwrap_or_default()).into();
    }
    if found.container.created == 0 {
        found.container.created = json::time(&state, &["created"]);
    }
    Ok(Some(found))
}

/// `None` when there is no such file.
fn read_json(path: &Path) -> Result<Option<Value>, Unreadable> {
    let wrong = |why: String| Unreadable { path: path.to_owned(), why };
    let mut text = Vec::new();
    // Some of these are files of users, who could let us wait with a pipe.
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    let read = opened.and_then(|file| match file.metadata()?.is_file() {
        true => file.take(MAX_FILE).read_to_end(&mut text),
        false => Err(io::ErrorKind::InvalidInput.into()),
    });
    match read {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(wrong(e.kind().to_string())),
        Ok(_) => {}
    }
    match serde_json::from_slice(&text) {
        Ok(value) => Ok(Some(value)),
        // It is being written: who asks may ask again.
        Err(_) => {
            Err(wrong(format!("it is not JSON: {:?}", BStr::new(text.get(..20).unwrap_or(&text)).trim())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ContainerType as C;

    const ID: &str = "2d5aaf247da0fb03543c45a44a031af82e933de7837ba767428628221fabd8a9";

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tracer-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            Self(path)
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path.replace("ID", ID));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text.replace("ID", ID)).unwrap();
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn found(engines: &Engines, kind: C) -> Described {
        find(engines, kind, ID.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn podman() {
        let dir = Dir::new("podman");
        let engines = Engines { storages: vec![dir.0.clone()], ..Engines::default() };
        assert!(find(&engines, C::Podman, ID.as_bytes()).unwrap().is_none());
        dir.write(
            "overlay-containers/containers.json",
            r#"[{"id":"other"},{"id":"ID","names":["web1"],"image":"8de4","created":"2026-11-23T00:36:33Z",
               "metadata":"{\"image-name\":\"localhost/bb:1\"}"}]"#,
        );
        dir.write("overlay-containers/ID/userdata/config.json", r#"{"root":{"path":"/merged"}}"#);
        let Described { container, root } = found(&engines, C::Podman);
        assert_eq!((container.name.as_slice(), container.image_tag.as_slice()), (&b"web1"[..], &b"1"[..]));
        assert_eq!((container.image_id.as_slice(), root.as_path()), (&b"8de4"[..], Path::new("/merged")));
        dir.write("vfs-containers/containers.json", r#"[{"id":"ID","names":["web2"]}]"#);
        assert_eq!(names_in(&engines.storages).get(ID.as_bytes()), Some(&"web2".into()));
        std::fs::remove_dir_all(dir.0.join("overlay-containers")).unwrap();
        assert_eq!(found(&engines, C::Podman).container.name, "web2", "another driver");
    }

    #[test]
    fn docker_and_what_is_wrong_with_its_file() {
        let dir = Dir::new("docker");
        let engines = Engines { docker_data: vec![dir.0.clone()], ..Engines::default() };
        dir.write("containers/ID/config.v2.json", r#"{"Id":"ID","Name":"/shop","Config":{"Image":"a:1"}}"#);
        assert_eq!(found(&engines, C::Docker).container.name, "shop");
        dir.write("containers/ID/config.v2.json", "\x07garbage");
        let wrong = find(&engines, C::Docker, ID.as_bytes()).unwrap_err();
        assert!(wrong.path.ends_with("config.v2.json") && wrong.why.contains("not JSON"), "{wrong:?}");
        assert!(!wrong.why.contains('\x07'));
    }

    #[test]
    fn nobody_makes_us_wait() {
        let dir = Dir::new("pipes");
        let engines = Engines { docker_data: vec![dir.0.clone()], ..Engines::default() };
        dir.write("containers/ID/hostconfig.json", "{}");
        let pipe = dir.0.join("containers").join(ID).join("config.v2.json");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
        let wrong = find(&engines, C::Docker, ID.as_bytes()).unwrap_err();
        assert_eq!(wrong.path, pipe);
    }

    #[test]
    fn tasks_of_containerd() {
        let dir = Dir::new("tasks");
        let engines = Engines { containerd_tasks: vec![dir.0.clone()], ..Engines::default() };
        dir.write("default/web1/config.json", r#"{"root":{"path":"rootfs"}}"#);
        let Described { container, root } = find(&engines, C::Containerd, b"web1").unwrap().unwrap();
        assert_eq!((container.name.as_slice(), root), (&b"web1"[..], dir.0.join("default/web1/rootfs")));
        dir.write("k8s.io/ID/config.json", r#"{"annotations":{"io.kubernetes.cri.container-name":"front"}}"#);
        let container = found(&engines, C::Docker).container;
        assert_eq!((container.name.as_slice(), container.kind), (&b"front"[..], C::Containerd));
    }

    #[test]
    fn states_of_runtimes() {
        let dir = Dir::new("runtimes");
        let engines = Engines { runtimes: vec![dir.0.clone()], ..Engines::default() };
        let bundle = dir.0.join("bundle");
        dir.write("bundle/config.json", r#"{"annotations":{"io.kubernetes.container.name":"front"}}"#);
        dir.write("ID/status", &format!(r#"{{"bundle":"{}"}}"#, bundle.display()));
        assert_eq!(found(&engines, C::CriO).container.name, "front");
        dir.write("ID/state.json", r#"{"id":"mine","config":{"rootfs":"/r","labels":["bundle=/none"]}}"#);
        let found = found(&engines, C::CriO);
        assert_eq!((found.container.name.as_slice(), found.root.as_path()), (&b"mine"[..], Path::new("/r")));
    }

    #[test]
    fn ids_lead_nowhere_else() {
        let dir = Dir::new("ids");
        let engines = Engines { runtimes: vec![dir.0.join("a")], ..Engines::default() };
        dir.write("secret/state.json", "{}");
        for id in ["../secret", "", ".", "..", "a/b"] {
            assert!(find(&engines, C::Docker, id.as_bytes()).unwrap().is_none(), "{id}");
        }
    }
}
