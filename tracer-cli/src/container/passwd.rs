//! The users and groups of a container, from its own files.

use crate::state::users::Users;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, fstatat};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Users and groups below a root directory; `None` when it has neither file, or is the host's own
/// root: processes that are about to enter a container still have that one.
pub(super) fn users_in(root: &Path) -> Option<Users> {
    let dir = open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let of_container = fstatat(&dir, ".", nix::fcntl::AtFlags::empty()).ok()?;
    let of_host = nix::sys::stat::stat("/").ok()?;
    if (of_container.st_dev, of_container.st_ino) == (of_host.st_dev, of_host.st_ino) {
        return None;
    }
    let (passwd, group) = (read(&dir, "etc/passwd"), read(&dir, "etc/group"));
    if passwd.is_none() && group.is_none() {
        return None;
    }
    Some(Users::parse(&passwd.unwrap_or_default(), &group.unwrap_or_default()))
}

/// Links lead nowhere but into the container, and nothing that could make us wait is read.
fn read(root: &impl AsFd, name: &str) -> Option<Vec<u8>> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = File::from(openat2(root, name, how).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_container() {
        let root = std::env::temp_dir().join(format!("tracer-passwd-{}", std::process::id()));
        let etc = root.join("etc");
        std::fs::create_dir_all(&etc).unwrap();
        std::fs::write(root.join("users"), "shop:x:1234:5::/:/bin/sh\n").unwrap();
        std::os::unix::fs::symlink("/users", etc.join("passwd")).unwrap();
        std::os::unix::fs::symlink("/../../../../../../../../../../etc/group", etc.join("group")).unwrap();
        let users = users_in(&root).unwrap();
        assert_eq!(users.user_name(1234).map(|name| name.as_slice()), Some(&b"shop"[..]));
        assert!(users.groups.is_empty(), "that would be a link to itself");
        std::fs::remove_dir_all(&root).unwrap();
        assert!(users_in(&root).is_none());
        assert!(users_in(Path::new("/")).is_none(), "the host's");
    }
}
