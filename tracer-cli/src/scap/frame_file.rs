//! A file in the making: frames that are written as a whole.
//!
//! A frame that cannot be written as a whole is taken back, so that the file ends with a whole one.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file.
pub(super) struct FrameFile {
    pub path: PathBuf,
    file: File,
    /// Can be cut and be removed: it is no pipe and no device.
    is_regular: bool,
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
        let file = if path == Path::new("-") {
            use std::os::fd::AsFd;
            File::from(io::stdout().as_fd().try_clone_to_owned()?)
        } else {
            OpenOptions::new().write(true).create(true).truncate(false).open(path)?
        };
        let meta = file.metadata()?;
        let is_regular = meta.is_file() && path != Path::new("-");
        if is_regular && meta.len() > 0 {
            if !overwrite {
                let message = "there is such a file already; --overwrite writes in its place";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            file.set_len(0)?;
        }
        Ok(Self { path: path.to_owned(), file, is_regular, is_to_stay: false, len: 0 })
    }

    /// That the file is removed by somebody, with its folder or alone, is an error of the next frame.
    pub fn guarded(mut self) -> Self {
        // One without a name from the start is somebody's own affair.
        self.is_to_stay = self.is_regular && !self.is_removed();
        self
    }

    /// Whether it has no name any more, so that nobody will read it.
    pub fn is_removed(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.nlink() == 0)
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
        match self.file.write_all(frame) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_removes_takes_no_more() {
        let path = std::env::temp_dir().join(format!("tracer-frame-file-{}-removed", std::process::id()));
        let [mut own, mut kept] = [false, true].map(|is_kept| {
            let file = FrameFile::create(&path, false).unwrap();
            if is_kept { file.guarded() } else { file }
        });
        assert!(kept.append(b"first").is_ok() && !kept.is_removed());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(kept.append(b"second").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(own.append(b"second").is_ok() && own.is_removed());
    }

    #[test]
    fn a_file_of_the_same_name_is_not_removed() {
        let folder = std::env::temp_dir().join(format!("tracer-frame-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("part0");
        let file = FrameFile::create(&path, false).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "another").unwrap();
        file.remove();
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
        std::fs::remove_file(&path).unwrap();
        FrameFile::create(&path, false).unwrap().remove();
        assert!(!path.exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
