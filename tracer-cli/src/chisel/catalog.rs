//! Where chisels are found: folders on disk first, then those that are part of the program.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The files of `chisels/`, by name.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/chisels.rs"));

/// The chisels that are part of the program: name and Lua text.
pub fn embedded() -> &'static [(&'static str, &'static [u8])] {
    EMBEDDED
}

/// The folders that are searched, first to last; what is part of the program comes after them.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    folders: Vec<PathBuf>,
}

/// A chisel's text and where it is from.
pub struct Source {
    /// `None` when it is part of the program.
    pub path: Option<PathBuf>,
    pub text: Cow<'static, [u8]>,
}

impl Catalog {
    /// The folders named by the user, then the usual ones: `./chisels`, those of the user, the system's.
    pub fn new(named: Vec<PathBuf>) -> Self {
        let mut folders = named;
        folders.push(PathBuf::from("chisels"));
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| home.as_ref().map(|home| home.join(".config")));
        folders.extend(config.map(|config| config.join("tracer/chisels")));
        folders.extend(home.map(|home| home.join(".chisels")));
        folders.push(PathBuf::from("/usr/local/share/tracer/chisels"));
        folders.push(PathBuf::from("/usr/share/tracer/chisels"));
        Self { folders }
    }

    /// These folders alone.
    pub fn of(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// The folders, in the order in which they are searched.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The chisel or module with this name; `None` when there is none.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn find(&self, name: &str) -> io::Result<Option<Source>> {
        // A name, not a path: it may come from a chisel, which has no business elsewhere.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            return Ok(None);
        }
        for folder in &self.folders {
            let path = folder.join(format!("{name}.lua"));
            match std::fs::read(&path) {
                Ok(text) => return Ok(Some(Source { path: Some(path), text: text.into() })),
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            }
        }
        let found = EMBEDDED.iter().find(|(embedded, _)| *embedded == name);
        Ok(found.map(|(_, text)| Source { path: None, text: (*text).into() }))
    }

    /// The names of all files, chisels or not, sorted.
    pub fn names(&self) -> BTreeSet<String> {
        let on_disk = self.folders.iter().flat_map(|folder| names_in(folder));
        on_disk.chain(EMBEDDED.iter().map(|(name, _)| (*name).to_owned())).collect()
    }
}

/// Names of the Lua files in a folder; none when it cannot be read.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "lua"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}
