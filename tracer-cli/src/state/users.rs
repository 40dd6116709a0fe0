//! Users and groups of the traced system.

use bstr::{BString, ByteSlice};
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often the host's files are looked at for changes, at most.
const RECHECK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    pub gid: u32,
    pub name: BString,
    pub home: BString,
    pub shell: BString,
}

/// uid and gid → names.
#[derive(Debug, Clone, Default)]
pub struct Users {
    pub users: FxHashMap<u32, User>,
    pub groups: FxHashMap<u32, BString>,
    /// Where the names come from, of a live system.
    files: Option<Files>,
}

/// The files of a live system, and how they were when they were read.
#[derive(Debug, Clone)]
struct Files {
    passwd: PathBuf,
    group: PathBuf,
    passwd_changed: Option<SystemTime>,
    group_changed: Option<SystemTime>,
    checked: Instant,
}

impl Users {
    /// The users of this machine, from `/etc/passwd` and `/etc/group` below `$HOST_ROOT`.
    ///
    /// Files that cannot be read count as empty. They are read again when they changed and an id is
    /// met that is not in them.
    pub fn of_host() -> Self {
        let root = std::env::var_os("HOST_ROOT").unwrap_or_default();
        let file = |name: &str| {
            let mut path = root.clone();
            path.push(name);
            PathBuf::from(path)
        };
        Self::of_files(file("/etc/passwd"), file("/etc/group"))
    }

    fn of_files(passwd: PathBuf, group: PathBuf) -> Self {
        let mut users = Self::default();
        users.read(&passwd, &group);
        users.files = Some(Files {
            passwd_changed: changed(&passwd),
            group_changed: changed(&group),
            passwd,
            group,
            checked: Instant::now(),
        });
        users
    }

    fn read(&mut self, passwd: &Path, group: &Path) {
        self.users = std::fs::read(passwd).map(|text| parse_passwd(&text)).unwrap_or_default();
        self.groups = std::fs::read(group).map(|text| parse_group(&text)).unwrap_or_default();
    }

    /// Users and groups of the texts of two such files.
    pub fn parse(passwd: &[u8], group: &[u8]) -> Self {
        Self { users: parse_passwd(passwd), groups: parse_group(group), files: None }
    }

    /// Whether there is neither a user nor a group.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// The name of a user, `None` when there is none.
    pub fn user_name(&self, uid: u32) -> Option<&BString> {
        self.users.get(&uid).map(|user| &user.name)
    }

    /// The name of a group, `None` when there is none.
    pub fn group_name(&self, gid: u32) -> Option<&BString> {
        self.groups.get(&gid)
    }

    /// A thread has these ids; if one is unknown the files may have news.
    #[inline]
    pub fn meet(&mut self, uid: u32, gid: u32) {
        let known = (uid == super::thread::NO_ID || self.users.contains_key(&uid))
            && (gid == super::thread::NO_ID || self.groups.contains_key(&gid));
        if !known && self.files.is_some() {
            self.recheck(RECHECK);
        }
    }

    #[cold]
    fn recheck(&mut self, at_most_every: Duration) {
        let Some(files) = &mut self.files else { return };
        if files.checked.elapsed() < at_most_every {
            return;
        }
        files.checked = Instant::now();
        let (passwd, group) = (changed(&files.passwd), changed(&files.group));
        if passwd == files.passwd_changed && group == files.group_changed {
            return;
        }
        files.passwd_changed = passwd;
        files.group_changed = group;
        let (passwd, group) = (files.passwd.clone(), files.group.clone());
        self.read(&passwd, &group);
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|meta| meta.modified()).ok()
}

/// `name:password:uid:gid:comment:home:shell` lines; others are skipped. The first of several with
/// the same id counts, as in the C library.
fn parse_passwd(text: &[u8]) -> FxHashMap<u32, User> {
    let mut users = FxHashMap::default();
    for line in text.lines() {
        let mut parts = line.split(|b| *b == b':');
        let mut next = || parts.next();
        let (Some(name), Some(_), Some(uid), Some(gid), Some(_), Some(home), Some(shell)) =
            (next(), next(), next(), next(), next(), next(), next())
        else {
            continue;
        };
        let (Some(uid), Some(gid)) = (parse_id(uid), parse_id(gid)) else { continue };
        users.entry(uid).or_insert_with(|| User {
            gid,
            name: name.into(),
            home: home.into(),
            shell: shell.into(),
        });
    }
    users
}

/// `name:password:gid:members` lines.
fn parse_group(text: &[u8]) -> FxHashMap<u32, BString> {
    let mut groups = FxHashMap::default();
    for line in text.lines() {
        let mut parts = line.split(|b| *b == b':');
        if let (Some(name), Some(_), Some(gid)) = (parts.next(), parts.next(), parts.next())
            && let Some(gid) = parse_id(gid)
        {
            groups.entry(gid).or_insert_with(|| name.into());
        }
    }
    groups
}

fn parse_id(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_users_and_odd_ones_are_skipped() {
        let users = parse_passwd(
            b"root:x:0:0:root:/root:/bin/sh\n# no\n+::::::\n\
              toor:x:0:0::/:/bin/false\nweb:x:33:34:www, data:/var/www:\nshort:x:1\n",
        );
        assert_eq!(users.len(), 2);
        assert_eq!(users[&0].name, "root");
        assert_eq!(users[&33].gid, 34);
        assert_eq!(users[&33].home, "/var/www");
        assert_eq!(users[&33].shell, "");
        let groups = parse_group(b"root:x:0:\nweb:x:34:a,b\nbad:x:q:\n");
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[&34], "web");
    }

    #[test]
    fn changed_files_are_read_again_when_an_unknown_id_is_met() {
        let dir = std::env::temp_dir().join(format!("tracer-users-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (passwd, group) = (dir.join("passwd"), dir.join("group"));
        std::fs::write(&passwd, "a:x:1:1::/:/\n").unwrap();
        let mut users = Users::of_files(passwd.clone(), group);
        assert_eq!(users.user_name(1).map(|n| n.as_slice()), Some(&b"a"[..]));
        assert_eq!(users.user_name(2), None);
        std::fs::write(&passwd, "a:x:1:1::/:/\nb:x:2:2::/:/\n").unwrap();
        let file = std::fs::File::options().write(true).open(&passwd).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
        users.recheck(Duration::ZERO);
        assert_eq!(users.user_name(2).map(|n| n.as_slice()), Some(&b"b"[..]));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
