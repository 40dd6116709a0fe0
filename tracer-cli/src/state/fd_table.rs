//! The open fds of a process.

use super::fd::{FdInfo, O_CLOEXEC};
use rustc_hash::FxHashMap;
use std::cell::Cell;

/// Most fds kept of one process; later ones are counted and not kept.
pub const MAX_FDS: usize = 4096;

thread_local! {
    static LAST_STAMP: Cell<u64> = const { Cell::new(0) };
}

/// fd number → what it is.
#[derive(Debug, Clone, Default)]
pub struct FdTable {
    fds: FxHashMap<i64, FdInfo>,
    stamp: u64,
}

impl FdTable {
    /// Tells whether anything changed: two tables with the same stamp have the same contents.
    #[inline]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    #[inline]
    fn changes(&mut self) {
        self.stamp = LAST_STAMP.get() + 1;
        LAST_STAMP.set(self.stamp);
    }

    #[inline]
    pub fn get(&self, fd: i64) -> Option<&FdInfo> {
        self.fds.get(&fd)
    }

    #[inline]
    pub fn get_mut(&mut self, fd: i64) -> Option<&mut FdInfo> {
        self.changes();
        self.fds.get_mut(&fd)
    }

    /// Adds or replaces; `false` when the table is full and the fd was not kept.
    pub fn insert(&mut self, fd: i64, info: FdInfo) -> bool {
        if self.fds.len() >= MAX_FDS && !self.fds.contains_key(&fd) {
            return false;
        }
        self.changes();
        self.fds.insert(fd, info);
        true
    }

    pub fn remove(&mut self, fd: i64) -> Option<FdInfo> {
        self.changes();
        self.fds.remove(&fd)
    }

    /// Forgets all fds from `first` to `last`, both included.
    pub fn remove_range(&mut self, first: i64, last: i64) {
        self.changes();
        self.fds.retain(|fd, _| *fd < first || *fd > last);
    }

    /// Forgets the fds that the kernel closes when a program is executed.
    pub fn remove_close_on_exec(&mut self) {
        self.changes();
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
        self.changes();
        self.fds.iter_mut().map(|(fd, info)| (*fd, info))
    }
}
