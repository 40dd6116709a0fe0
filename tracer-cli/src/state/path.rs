//! Joining and normalising the paths of traced programs, as bytes and without asking any file
//! system: the file may be long gone, or on another machine.

/// Longest path that is kept, in bytes.
pub const MAX_PATH: usize = 1024;

/// Stands for a path longer than [`MAX_PATH`].
pub const TOO_LONG: &[u8] = b"/PATH_TOO_LONG";

/// Stands for the directory of a relative path when the directory's fd is not known.
pub const UNKNOWN_DIRECTORY: &[u8] = b"<UNKNOWN>";

/// Replaces `out` by `path` as seen from the directory `base`.
///
/// An absolute `path` stands for itself. Empty and `.` components go away, `..` takes the one
/// before it along, and only `/` keeps its final slash.
pub fn join(out: &mut Vec<u8>, base: &[u8], path: &[u8]) {
    out.clear();
    append(out, base, path);
}

/// As [`join`], behind what is in `out` already.
pub fn append(out: &mut Vec<u8>, base: &[u8], path: &[u8]) {
    let start = out.len();
    let absolute = path.first() == Some(&b'/') || base.first() == Some(&b'/');
    if absolute {
        out.push(b'/');
    }
    let root = out.len();
    if path.first() != Some(&b'/') {
        push_components(out, root, base);
    }
    push_components(out, root, path);
    if out.len() - start > MAX_PATH {
        out.truncate(start);
        out.extend_from_slice(TOO_LONG);
    }
}

/// Whether a path has no components that go away.
fn is_plain(path: &[u8]) -> bool {
    // All pairs are looked at, as many at once as there is room for.
    let pairs = path.iter().zip(path.get(1..).unwrap_or_default());
    let goes = |pair: (&u8, &u8)| (*pair.0 == b'/') & ((*pair.1 == b'/') | (*pair.1 == b'.'));
    !path.ends_with(b"/") && !pairs.fold(false, |found, pair| found | goes(pair))
}

/// `root` is where the first component starts, behind the slash of an absolute path.
fn push_components(out: &mut Vec<u8>, root: usize, path: &[u8]) {
    // So it is nearly always.
    if let [b'/', rest @ ..] = path
        && out.len() == root
        && is_plain(path)
    {
        return out.extend_from_slice(rest);
    }
    for component in path.split(|b| *b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                let components = out.get(root..).unwrap_or(b"");
                let kept = components.iter().rposition(|b| *b == b'/').unwrap_or(0);
                out.truncate(root + kept);
            }
            name => {
                if out.len() > root {
                    out.push(b'/');
                }
                out.extend_from_slice(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> String {
        let mut out = b"left over".to_vec();
        join(&mut out, base.as_bytes(), path.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn relative_paths_start_at_the_base() {
        assert_eq!(joined("/a/", "b"), "/a/b");
        assert_eq!(joined("/a", "b/c/"), "/a/b/c");
        assert_eq!(joined("/", "b"), "/b");
        assert_eq!(joined("/a/", "."), "/a");
        assert_eq!(joined("/a/", ""), "/a");
        assert_eq!(joined("", "b"), "b");
        assert_eq!(joined("<UNKNOWN>", "b"), "<UNKNOWN>/b");
    }

    #[test]
    fn absolute_paths_replace_the_base() {
        assert_eq!(joined("/a/", "/b"), "/b");
        assert_eq!(joined("/a/", "/"), "/");
        assert_eq!(joined("/a/", "//b//c/./d/"), "/b/c/d");
    }

    #[test]
    fn dot_dot_goes_up_and_stops_at_the_root() {
        assert_eq!(joined("/a/b/", "../c"), "/a/c");
        assert_eq!(joined("/a/", "../../../c"), "/c");
        assert_eq!(joined("/a", ".."), "/");
        assert_eq!(joined("", "a/../b"), "b");
        assert_eq!(joined("/", "..."), "/...");
    }

    #[test]
    fn what_is_there_already_stays() {
        let mut out = b"name=".to_vec();
        append(&mut out, b"/a/", b"../../b");
        assert_eq!(out, b"name=/b");
    }

    #[test]
    fn long_paths_are_named_so() {
        let long = "x".repeat(MAX_PATH - 1);
        assert_eq!(joined("/", &long).len(), MAX_PATH);
        assert_eq!(joined("/", &format!("{long}x")), "/PATH_TOO_LONG");
    }
}
