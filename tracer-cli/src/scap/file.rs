//! A capture file on the disk: one that still grows, and how far it was read.

use nix::errno::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// How often a file that is followed is looked at.
const POLL: Duration = Duration::from_millis(50);

/// How files are read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// At the end of the last file, wait for what is still to be written.
    pub follow: bool,
    /// Counts the bytes that were read of all files, as they are on the disk.
    pub progress: Option<Arc<AtomicU64>>,
}

/// A file that is read as the options say.
pub(super) struct Watched {
    pub file: File,
    pub options: ReadOptions,
}

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(out)?;
            if let Some(progress) = &self.options.progress {
                progress.fetch_add(read as u64, Ordering::Relaxed);
            }
            if read > 0 || out.is_empty() || !self.options.follow {
                return Ok(read);
            }
            thread::sleep(POLL);
        }
    }
}

/// Whether somebody has the file open for writing, so that its end is not yet the end.
///
/// The kernel refuses a read lease for such files (fcntl(2), `F_SETLEASE`). Where it refuses leases for
/// other reasons, the answer is no.
pub(super) fn is_being_written(file: &File) -> bool {
    let lease = |kind: libc::c_int| {
        // SAFETY: the descriptor is open as long as `file` is borrowed, and the call touches no memory.
        Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) })
    };
    match lease(libc::F_RDLCK) {
        Ok(_) => {
            // It was only asked for the answer.
            let _ = lease(libc::F_UNLCK);
            false
        }
        Err(error) => error == Errno::EAGAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_a_file_is_noticed() {
        let path = std::env::temp_dir().join(format!("tracer-lease-{}", std::process::id()));
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        assert!(is_being_written(&reader));
        drop(writer);
        // A program that another test starts at this moment may still have the file for a while.
        assert!((0..200).any(|_| {
            thread::sleep(POLL);
            !is_being_written(&reader)
        }));
        // Nothing is left behind that would keep the next writer waiting.
        drop(File::options().write(true).open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
    }
}
