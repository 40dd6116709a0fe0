//! A file in the making: frames that are written as a whole.
//!
//! A frame that cannot be written as a whole is taken back, so that the file ends with a whole one. A new file gets its
//! name with its first frame: whatever ends the run, there is no empty file of that name.

use nix::fcntl::AtFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const EXISTS: &str = "there is such a file already; --overwrite writes in its place";

/// The file.
pub(super) struct FrameFile {
    pub path: PathBuf,
    file: File,
    /// Can be cut and be removed: it is no pipe and no device.
    is_regular: bool,
    /// The file has its name, which a new one gets with its first frame.
    is_named: bool,
    /// There is something else in it until the first frame comes.
    is_old: bool,
    /// Nobody is expected to remove it.
    is_to_stay: bool,
    /// Bytes of the whole frames in it.
    len: u64,
}

impl FrameFile {
    /// Makes the file; `-` is standard output.
    ///
    /// # Errors
    /// One with content is there already and `overwrite` is not set, or it cannot be made.
    pub fn create(path: &Path, overwrite: bool) -> io::Result<Self> {
        let made = |file, is_regular, is_named, is_old| {
            let path = path.to_owned();
            Self { path, file, is_regular, is_named, is_old, is_to_stay: false, len: 0 }
        };
        if path == Path::new("-") {
            use std::os::fd::AsFd;
            let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            return Ok(made(file, false, true, false));
        }
        let is_absent = path.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
        if is_absent && let Ok(file) = nameless(path) {
            return Ok(made(file, true, false, false));
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        let meta = file.metadata()?;
        let is_old = meta.is_file() && meta.len() > 0;
        if is_old && !overwrite {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, EXISTS));
        }
        Ok(made(file, meta.is_file(), true, is_old))
    }

    /// Whether it is a file, and no pipe or device, which take what comes when it suits them.
    pub fn is_regular(&self) -> bool {
        self.is_regular
    }

    /// That the file is removed by somebody, with its folder or alone, is an error of the next frame.
    pub fn guarded(mut self) -> Self {
        // One without a name from the start is somebody's own affair.
        self.is_to_stay = self.is_regular && !self.is_removed();
        self
    }

    /// Whether it has no name any more, so that nobody will read it.
    pub fn is_removed(&self) -> bool {
        self.is_named && self.file.metadata().is_ok_and(|meta| meta.nlink() == 0)
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// It could not be written; the file is as it was before.
    pub fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        match self.file.write_all(frame).and_then(|()| self.show(frame.len() as u64)) {
            Ok(()) if self.is_to_stay && self.is_removed() => {
                Err(io::Error::new(io::ErrorKind::NotFound, "somebody has removed it"))
            }
            Ok(()) => {
                self.len += frame.len() as u64;
                Ok(())
            }
            Err(e) => {
                self.take_back();
                Err(e)
            }
        }
    }

    /// Gives a new file its name, and takes from an old one what was in it; it has `len` bytes by now.
    fn show(&mut self, len: u64) -> io::Result<()> {
        if !self.is_named {
            let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            let here = nix::fcntl::AT_FDCWD;
            nix::unistd::linkat(here, own.as_str(), here, &self.path, AtFlags::AT_SYMLINK_FOLLOW).map_err(
                |e| match io::Error::from(e) {
                    e if e.kind() == io::ErrorKind::AlreadyExists => io::Error::new(e.kind(), EXISTS),
                    e => e,
                },
            )?;
            self.is_named = true;
        }
        if std::mem::take(&mut self.is_old) {
            self.file.set_len(len)?;
        }
        Ok(())
    }

    /// Cuts off what was written of the last frame.
    fn take_back(&mut self) {
        // What cannot be cut stays; readers stop there and say so.
        if self.is_regular && self.file.set_len(self.len).is_ok() {
            let _ = self.file.seek(SeekFrom::Start(self.len));
        }
    }

    /// Removes the file, unless another one has its name by now.
    pub fn remove(self) {
        let id = |meta: Metadata| (meta.dev(), meta.ino());
        let own = self.file.metadata().map(id);
        let named = self.path.symlink_metadata().map(id);
        if self.is_regular && own.ok().zip(named.ok()).is_some_and(|(own, named)| own == named) {
            // One that somebody else has removed is gone as well.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A file in the folder of `path` that has no name.
///
/// # Errors
/// The folder takes no files, or its file system has no such files.
fn nameless(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).open(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_never_an_empty_file() {
        let path = std::env::temp_dir().join(format!("tracer-frame-file-{}-empty", std::process::id()));
        if nameless(&path).is_err() {
            return;
        }
        let read = || std::fs::read(&path).ok();
        let mut file = FrameFile::create(&path, false).unwrap();
        let mut late = FrameFile::create(&path, false).unwrap();
        assert_eq!(read(), None);
        file.append(b"a long frame").unwrap();
        file.append(b"!").unwrap();
        assert_eq!(read().as_deref(), Some(&b"a long frame!"[..]));
        assert_eq!(late.append(b"another").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        late.remove();
        assert_eq!(FrameFile::create(&path, false).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        let mut over = FrameFile::create(&path, true).unwrap();
        assert_eq!(read().as_deref(), Some(&b"a long frame!"[..]));
        over.append(b"short").unwrap();
        assert_eq!(read().as_deref(), Some(&b"short"[..]));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_somebody_removes_takes_no_more() {
        let path = std::env::temp_dir().join(format!("tracer-frame-file-{}-removed", std::process::id()));
        for is_kept in [false, true] {
            let mut file = FrameFile::create(&path, false).unwrap();
            if is_kept {
                file = file.guarded();
            }
            assert!(file.append(b"first").is_ok() && !file.is_removed());
            std::fs::remove_file(&path).unwrap();
            let cause = file.append(b"second").err().map(|e| e.kind());
            assert_eq!(cause, is_kept.then_some(io::ErrorKind::NotFound));
            assert!(file.is_removed());
        }
    }

    #[test]
    fn a_file_of_the_same_name_is_not_removed() {
        let folder = std::env::temp_dir().join(format!("tracer-frame-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("part0");
        let mut file = FrameFile::create(&path, false).unwrap();
        file.append(b"frame").unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "another").unwrap();
        file.remove();
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
        std::fs::remove_file(&path).unwrap();
        let mut file = FrameFile::create(&path, false).unwrap();
        file.append(b"frame").unwrap();
        assert!(path.exists());
        file.remove();
        assert!(!path.exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
