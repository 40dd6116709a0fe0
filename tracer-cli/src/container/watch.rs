//! Notices containers when they are made: directories that appear where engines keep them.

use super::engine_files::LISTS;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use rustc_hash::FxHashMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::PathBuf;
use tokio::io::unix::AsyncFd;

/// inotify, as tokio wants it.
struct Source(Inotify);

impl AsRawFd for Source {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Something that appeared in a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Appeared {
    pub dir: PathBuf,
    pub name: OsString,
    pub is_dir: bool,
}

impl Appeared {
    /// Whether it is a list of all containers, in place of an older one.
    pub fn is_list(&self) -> bool {
        !self.is_dir && LISTS.iter().any(|list| self.name == *list)
    }
}

/// Directories under watch.
pub(super) struct Watch {
    events: AsyncFd<Source>,
    dirs: FxHashMap<WatchDescriptor, PathBuf>,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The limits of inotify are reached.
    pub fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        // SAFETY: the file descriptor belongs to the `Source`, which nobody takes out or changes.
        let events = unsafe { AsyncFd::register(Source(inotify)) }?;
        Ok(Self { events, dirs: FxHashMap::default() })
    }

    /// Watches these directories too, those that exist.
    pub fn add(&mut self, dirs: impl IntoIterator<Item = PathBuf>) {
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        for dir in dirs {
            if let Ok(descriptor) = self.events.get_ref().0.add_watch(&dir, flags) {
                self.dirs.insert(descriptor, dir);
            }
        }
    }

    /// What appears next.
    ///
    /// # Errors
    /// inotify broke; that is for good.
    pub async fn next(&mut self) -> io::Result<Vec<Appeared>> {
        loop {
            let mut ready = self.events.readable().await?;
            let read = match ready.try_io(|inotify| Ok(inotify.get_ref().0.read_events()?)) {
                Ok(read) => read?,
                Err(_not_ready) => continue,
            };
            let mut appeared = Vec::new();
            for event in read {
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    self.dirs.remove(&event.wd);
                } else if let (Some(dir), Some(name)) = (self.dirs.get(&event.wd), event.name) {
                    let is_dir = event.mask.contains(AddWatchFlags::IN_ISDIR);
                    appeared.push(Appeared { dir: dir.clone(), name, is_dir });
                }
            }
            if !appeared.is_empty() {
                return Ok(appeared);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_directories_are_noticed() {
        let dir = std::env::temp_dir().join(format!("tracer-watch-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watch = Watch::new().unwrap();
            watch.add([dir.clone(), dir.join("nowhere")]);
            std::fs::write(dir.join("file"), "").unwrap();
            std::fs::create_dir(dir.join("one")).unwrap();
            let appeared = |name: &str, is_dir| Appeared { dir: dir.clone(), name: name.into(), is_dir };
            assert_eq!(watch.next().await.unwrap(), [appeared("file", false), appeared("one", true)]);
        });
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
