//! Joining paths the way they are shown.

/// Longest path shown, in bytes.
const LONGEST: usize = 1024;

/// Writes `path` seen from the directory `base`, without `.`, `..` and repeated slashes. An
/// absolute path stands for itself; without a base a relative one stays relative.
pub(super) fn join(out: &mut Vec<u8>, base: &[u8], path: &[u8]) {
    let start = out.len();
    let base = if path.starts_with(b"/") { b"" } else { base };
    let absolute = base.starts_with(b"/") || path.starts_with(b"/");
    if absolute {
        out.push(b'/');
    }
    let root = out.len();
    for part in base.split(|b| *b == b'/').chain(path.split(|b| *b == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => {
                let kept = out.get(root..).and_then(|p| p.iter().rposition(|b| *b == b'/')).unwrap_or(0);
                out.truncate(root + kept);
            }
            _ => {
                if out.len() > root {
                    out.push(b'/');
                }
                out.extend_from_slice(part);
            }
        }
    }
    if out.len() - start > LONGEST {
        out.truncate(start);
        out.extend_from_slice(b"/PATH_TOO_LONG");
    }
}

#[cfg(test)]
mod tests {
    fn joined(base: &str, path: &str) -> String {
        let mut out = Vec::new();
        super::join(&mut out, base.as_bytes(), path.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn relative_paths_start_at_the_base() {
        assert_eq!(
            joined("/home/ubuntu/", "localhost:8080/index.html"),
            "/home/ubuntu/localhost:8080/index.html"
        );
        assert_eq!(joined("/tmp/", "./a"), "/tmp/a");
        assert_eq!(joined("", "./testing_dir"), "testing_dir");
        assert_eq!(joined("/", "."), "/");
        assert_eq!(joined("/a/b/", "../c"), "/a/c");
        assert_eq!(joined("/a", "../../.."), "/");
        assert_eq!(joined("/a", "/b//c/./d/"), "/b/c/d");
        assert_eq!(joined("/a", &"x/".repeat(600)), "/PATH_TOO_LONG");
    }
}
