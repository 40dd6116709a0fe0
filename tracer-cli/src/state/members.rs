//! Who belongs to whom: child processes to their parent, threads to their process.
//!
//! A file may give one process hundreds of thousands of children, or name threads of processes that
//! it never tells of, so nothing here looks at more members than it is asked about.

use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Owner → its members, each by its number.
#[derive(Debug, Default)]
pub(super) struct Members {
    of: FxHashMap<i64, BTreeSet<i64>>,
}

impl Members {
    pub fn insert(&mut self, owner: i64, member: i64) {
        self.of.entry(owner).or_default().insert(member);
    }

    pub fn remove(&mut self, owner: i64, member: i64) {
        if let Some(members) = self.of.get_mut(&owner) {
            members.remove(&member);
            if members.is_empty() {
                self.of.remove(&owner);
            }
        }
    }

    /// Removes all members of `owner` and hands them out.
    pub fn take(&mut self, owner: i64) -> BTreeSet<i64> {
        self.of.remove(&owner).unwrap_or_default()
    }

    /// In the order of their numbers.
    pub fn of(&self, owner: i64) -> impl Iterator<Item = i64> {
        self.of.get(&owner).into_iter().flatten().copied()
    }

    pub fn count(&self, owner: i64) -> usize {
        self.of.get(&owner).map_or(0, BTreeSet::len)
    }
}
