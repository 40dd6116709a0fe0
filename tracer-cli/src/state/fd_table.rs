//! The open fds of a process.

use super::fd::{FdInfo, O_CLOEXEC};
use rustc_hash::FxHashMap;

/// Most fds kept of one process; later ones are counted and not kept.
pub const MAX_FDS: usize = 4096;

/// fd number → what it is.
#[derive(Debug, Clone, Default)]
pub struct FdTable {
    fds: FxHashMap<i64, FdInfo>,
}

impl FdTable {
    #[inline]
    pub fn get(&self, fd: i64) -> Option<&FdInfo> {
        self.fds.get(&fd)
    }

    #[inline]
    pub fn get_mut(&mut self, fd: i64) -> Option<&mut FdInfo> {
        self.fds.get_mut(&fd)
    }

    /// Adds or replaces; `false` when the table is full and the fd was not kept.
    pub fn insert(&mut self, fd: i64, info: FdInfo) -> bool {
        if self.fds.len() >= MAX_FDS && !self.fds.contains_key(&fd) {
            return false;
        }
        self.fds.insert(fd, info);
        true
    }

    pub fn remove(&mut self, fd: i64) -> Option<FdInfo> {
        self.fds.remove(&fd)
    }

    /// Forgets all fds from `first` to `last`, both included.
    pub fn remove_range(&mut self, first: i64, last: i64) {
        self.fds.retain(|fd, _| *fd < first || *fd > last);
    }

    /// Forgets the fds that the kernel closes when a program is executed.
    pub fn remove_close_on_exec(&mut self) {
        self.fds.retain(|_, info| info.open_flags & O_CLOEXEC == 0);
    }

    pub fn len(&self) -> usize {
        self.fds.len()
    }

    pub fn is_empty(&self) -> bool {
        self.fds.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, &FdInfo)> {
        self.fds.iter().map(|(fd, info)| (*fd, info))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (i64, &mut FdInfo)> {
        self.fds.iter_mut().map(|(fd, info)| (*fd, info))
    }
}
