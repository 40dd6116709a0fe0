//! In which rows the fds of processes are that were in an event lately, for tables whose rows are names of fds: calls
//! come in runs, and between opening and closing a file its name does not change.

use crate::state::fd_table::FdTable;

/// Fds that are remembered; those whose places are the same displace each other.
const PLACES: usize = 1024;

/// The row of an fd, as long as the table that it is in is as it was.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// [`FdTable::stamp`].
    stamp: u64,
    fd: i64,
    row: usize,
}

/// What is remembered.
#[derive(Debug, Default)]
pub struct FdRows {
    /// Nothing at all before the first.
    places: Vec<Option<Known>>,
}

impl FdRows {
    #[inline]
    pub fn find(&self, fds: &FdTable, fd: i64) -> Option<usize> {
        let known = self.places.get(place_of(fds, fd))?.as_ref()?;
        (known.stamp == fds.stamp() && known.fd == fd).then_some(known.row)
    }

    #[inline]
    pub fn note(&mut self, fds: &FdTable, fd: i64, row: usize) {
        if self.places.is_empty() {
            self.places = vec![None; PLACES];
        }
        if let Some(place) = self.places.get_mut(place_of(fds, fd)) {
            *place = Some(Known { stamp: fds.stamp(), fd, row });
        }
    }

    /// There are no rows any more.
    pub fn clear(&mut self) {
        self.places.clear();
    }
}

#[inline]
fn place_of(fds: &FdTable, fd: i64) -> usize {
    (fds.stamp().wrapping_mul(31).wrapping_add(fd.cast_unsigned()) % PLACES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fd::{FdInfo, FdKind};

    #[test]
    fn an_fd_is_known_until_its_table_changes() {
        let (mut rows, mut fds) = (FdRows::default(), FdTable::default());
        fds.insert(3, FdInfo::new(FdKind::File));
        assert_eq!(rows.find(&fds, 3), None);
        rows.note(&fds, 3, 7);
        assert_eq!((rows.find(&fds, 3), rows.find(&fds, 4)), (Some(7), None));
        assert_eq!(rows.find(&fds.clone(), 3), Some(7), "a copy is the same until one of them changes");
        assert_eq!(rows.find(&fds, 3 + PLACES as i64), None);
        fds.remove(3);
        assert_eq!(rows.find(&fds, 3), None);
        rows.note(&fds, 3, 7);
        rows.clear();
        assert_eq!(rows.find(&fds, 3), None);
    }
}
