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

/// Users and groups of the container of a process, by the numbers that they have on the host; `None` when its root
/// directory has neither file, or is the host's own: processes that are about to enter a container still have that.
pub(super) fn users_of_process(proc: &Path) -> Option<Users> {
    let inside = users_in(&proc.join("root"), None)?;
    let (users, groups) = (IdMap::read(&proc.join("uid_map"))?, IdMap::read(&proc.join("gid_map"))?);
    let mut outside = Users::default();
    outside.users =
        inside.users.into_iter().filter_map(|(id, user)| Some((users.outside(id)?, user))).collect();
    outside.groups =
        inside.groups.into_iter().filter_map(|(id, name)| Some((groups.outside(id)?, name))).collect();
    Some(outside)
}

/// Users and groups below the root directory of a container in which no process is known. `None` also when that
/// belongs to somebody: then the container has a user namespace, and only a process tells of its numbers.
pub(super) fn users_below(root: &Path) -> Option<Users> {
    users_in(root, Some(0))
}

/// The numbers of a user namespace: first inside, first outside, how many.
struct IdMap(Vec<(u32, u32, u32)>);

impl IdMap {
    /// `uid_map` or `gid_map` of a process.
    fn read(path: &Path) -> Option<Self> {
        Some(Self::parse(&std::fs::read_to_string(path).ok()?))
    }

    fn parse(text: &str) -> Self {
        let row = |line: &str| {
            let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
            Some((numbers.next()??, numbers.next()??, numbers.next()??))
        };
        Self(text.lines().filter_map(row).collect())
    }

    /// The number on the host.
    fn outside(&self, id: u32) -> Option<u32> {
        self.0.iter().find_map(|(inside, outside, count)| {
            let offset = id.checked_sub(*inside).filter(|offset| offset < count)?;
            outside.checked_add(offset)
        })
    }
}

fn users_in(root: &Path, owner: Option<u32>) -> Option<Users> {
    let dir = open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let of_container = fstatat(&dir, ".", nix::fcntl::AtFlags::empty()).ok()?;
    if owner.is_some_and(|owner| owner != of_container.st_uid) {
        return None;
    }
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
        let users = users_in(&root, None).unwrap();
        assert_eq!(users.user_name(1234).map(|name| name.as_slice()), Some(&b"shop"[..]));
        assert!(users.groups.is_empty(), "that would be a link to itself");
        std::fs::remove_dir_all(&root).unwrap();
        assert!(users_in(&root, None).is_none());
        assert!(users_in(Path::new("/"), None).is_none(), "the host's");
    }

    #[test]
    fn numbers_of_a_user_namespace() {
        let map =
            IdMap::parse("         0       1001          1\n         1   10100001      65536\nbroken\n");
        let outside = [0, 1, 65536, 65537].map(|id| map.outside(id));
        assert_eq!(outside, [Some(1001), Some(10_100_001), Some(10_165_536), None]);
        let whole = IdMap::parse("0 0 4294967295\n");
        assert_eq!((whole.outside(0), whole.outside(1000)), (Some(0), Some(1000)));
    }
}
