//! The open fds of a process.
//!
//! A fork copies the table, and a program may have thousands of fds and children. So copies share
//! what neither of them has changed: the table is cut into pages, and a change copies one page.
//!
//! A recording begins with the fds of all processes, and most of these are never heard of again. So a table can be given
//! a list as it stands in the file, which is read when somebody first asks for an fd.

use super::fd::{FdInfo, O_CLOEXEC};
use smallvec::SmallVec;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::rc::Rc;

/// Most fds kept of one process; later ones are counted and not kept.
pub const MAX_FDS: usize = 4096;

/// Pages of a table. Numbers of fds are dense, so that each has its share of them.
const PAGES: usize = 64;

/// Pages of a table that has any: most programs have few fds.
const LEAST: usize = 8;

/// Most fds in a page: more are there only in made-up recordings.
const MAX_IN_PAGE: usize = 4 * MAX_FDS / PAGES;

thread_local! {
    static LAST_STAMP: Cell<u64> = const { Cell::new(0) };
}

/// The fds whose numbers have the same remainder, in no order.
type Page = SmallVec<[(i64, Rc<FdInfo>); 1]>;

/// fd number → what it is.
#[derive(Debug, Default)]
pub struct FdTable {
    fds: Fds,
    /// In place of those, until something changes.
    list: Option<Box<List>>,
    stamp: u64,
}

/// The fds themselves.
#[derive(Debug, Clone, Default)]
struct Fds {
    /// Up to one that has fds, at least.
    pages: Vec<Option<Rc<Page>>>,
    len: usize,
}

/// A list that was left unread, and what it says since somebody asked.
struct List {
    unread: Unread,
    alter: Option<Alter>,
    fds: OnceCell<Fds>,
}

/// What is done to each fd of a table.
pub type Alter = Rc<dyn Fn(&mut FdInfo)>;

/// A list of fds that is read when it is asked for.
pub struct Unread {
    /// As it stands in the recording.
    pub bytes: Box<[u8]>,
    /// TCP ports of servers among them.
    pub listening: SmallVec<[u16; 2]>,
    /// Reads it: each fd with its number. There are at most [`MAX_UNREAD`].
    pub read: fn(&[u8], &mut dyn FnMut(i64, FdInfo)),
}

/// Most fds in a list that is left unread: a table has room for them, whatever their numbers are.
pub const MAX_UNREAD: usize = MAX_IN_PAGE;

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("bytes", &self.unread.bytes.len()).finish_non_exhaustive()
    }
}

/// Copies share what the list says: it is read first.
impl Clone for FdTable {
    fn clone(&self) -> Self {
        Self { fds: self.fds().clone(), list: None, stamp: self.stamp }
    }
}

fn page_of(fd: i64) -> usize {
    fd.rem_euclid(PAGES as i64) as usize
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

    /// Gives an empty table its fds.
    pub fn leave_unread(&mut self, unread: Unread) {
        self.changes();
        self.list = Some(Box::new(List { unread, alter: None, fds: OnceCell::new() }));
    }

    /// The list that nobody has asked for, if there is one.
    pub fn unread(&self) -> Option<&Unread> {
        self.list.as_ref().filter(|list| list.fds.get().is_none()).map(|list| &list.unread)
    }

    /// Does something to each fd; to those of a list that was left unread when it is read, and then that alone.
    pub fn alter(&mut self, alter: &Alter) {
        match &mut self.list {
            Some(list) if list.fds.get().is_none() => {
                list.alter = Some(Rc::clone(alter));
                self.changes();
            }
            _ => self.iter_mut().for_each(|(_, info)| alter(info)),
        }
    }

    #[inline]
    fn fds(&self) -> &Fds {
        match &self.list {
            None => &self.fds,
            Some(list) => list.fds.get_or_init(|| read(&list.unread, list.alter.as_ref())),
        }
    }

    #[inline]
    fn fds_mut(&mut self) -> &mut Fds {
        self.changes();
        if let Some(list) = self.list.take() {
            let List { unread, alter, fds } = *list;
            self.fds = fds.into_inner().unwrap_or_else(|| read(&unread, alter.as_ref()));
        }
        &mut self.fds
    }

    #[inline]
    pub fn get(&self, fd: i64) -> Option<&FdInfo> {
        let page = self.fds().pages.get(page_of(fd))?.as_deref()?;
        page.iter().find(|(number, _)| *number == fd).map(|(_, info)| &**info)
    }

    #[inline]
    pub fn get_mut(&mut self, fd: i64) -> Option<&mut FdInfo> {
        self.fds_mut().get_mut(fd)
    }

    /// Adds or replaces; `false` when the table is full and the fd was not kept.
    pub fn insert(&mut self, fd: i64, info: FdInfo) -> bool {
        self.fds_mut().insert(fd, info)
    }

    pub fn remove(&mut self, fd: i64) -> Option<FdInfo> {
        self.fds_mut().remove(fd)
    }

    /// Forgets all fds from `first` to `last`, both included.
    pub fn remove_range(&mut self, first: i64, last: i64) {
        self.fds_mut().retain(|fd, _| fd < first || fd > last);
    }

    /// Forgets the fds that the kernel closes when a program is executed.
    pub fn remove_close_on_exec(&mut self) {
        self.fds_mut().retain(|_, info| info.open_flags & O_CLOEXEC == 0);
    }

    pub fn len(&self) -> usize {
        self.fds().len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In no order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &FdInfo)> {
        self.fds().pages.iter().flatten().flat_map(|page| page.iter()).map(|(fd, info)| (*fd, &**info))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (i64, &mut FdInfo)> {
        let pages = self.fds_mut().pages.iter_mut().flatten();
        pages.flat_map(|page| Rc::make_mut(page).iter_mut()).map(|(fd, info)| (*fd, Rc::make_mut(info)))
    }
}

#[cold]
fn read(unread: &Unread, alter: Option<&Alter>) -> Fds {
    let mut fds = Fds::default();
    (unread.read)(&unread.bytes, &mut |fd, mut info| {
        if let Some(alter) = alter {
            alter(&mut info);
        }
        fds.insert(fd, info);
    });
    fds
}

impl Fds {
    #[inline]
    fn get_mut(&mut self, fd: i64) -> Option<&mut FdInfo> {
        let page = self.pages.get_mut(page_of(fd))?.as_mut()?;
        let at = page.iter().position(|(number, _)| *number == fd)?;
        Rc::make_mut(page).get_mut(at).map(|(_, info)| Rc::make_mut(info))
    }

    fn insert(&mut self, fd: i64, info: FdInfo) -> bool {
        if let Some(known) = self.get_mut(fd) {
            *known = info;
            return true;
        }
        if self.len >= MAX_FDS {
            return false;
        }
        let at = page_of(fd);
        if at >= self.pages.len() {
            self.pages.resize((at + 1).next_power_of_two().max(LEAST), None);
        }
        let Some(page) = self.pages.get_mut(at) else { return false };
        let page = Rc::make_mut(page.get_or_insert_default());
        if page.len() >= MAX_IN_PAGE {
            return false;
        }
        page.push((fd, Rc::new(info)));
        self.len += 1;
        true
    }

    fn remove(&mut self, fd: i64) -> Option<FdInfo> {
        let page = self.pages.get_mut(page_of(fd))?.as_mut()?;
        let at = page.iter().position(|(number, _)| *number == fd)?;
        // An empty page stays: the number is soon given again.
        let (_, info) = Rc::make_mut(page).swap_remove(at);
        self.len -= 1;
        Some(Rc::unwrap_or_clone(info))
    }

    /// Forgets the fds for which `stays` says no.
    fn retain(&mut self, stays: impl Fn(i64, &FdInfo) -> bool) {
        for slot in &mut self.pages {
            let Some(page) = slot else { continue };
            let left = page.iter().filter(|(fd, info)| stays(*fd, info)).count();
            self.len -= page.len() - left;
            if left == 0 {
                *slot = None;
            } else if left < page.len() {
                Rc::make_mut(page).retain(|(fd, info)| stays(*fd, info));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fd::FdKind;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn info(ino: u64) -> FdInfo {
        FdInfo {
            ino,
            open_flags: if ino.is_multiple_of(3) { O_CLOEXEC } else { 0 },
            ..FdInfo::new(FdKind::File)
        }
    }

    fn contents(table: &FdTable) -> BTreeMap<i64, u64> {
        table.iter().map(|(fd, info)| (fd, info.ino)).collect()
    }

    #[derive(Debug, Clone)]
    enum Change {
        Insert(i64, u64),
        Alter(i64, u64),
        Remove(i64),
        Range(i64, i64),
        Exec,
        Fork,
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let fd = || prop_oneof![0i64..6, 60i64..70, Just(-1), Just(i64::MAX)];
        prop_oneof![
            4 => (fd(), any::<u64>()).prop_map(|(fd, ino)| Change::Insert(fd, ino)),
            2 => (fd(), any::<u64>()).prop_map(|(fd, ino)| Change::Alter(fd, ino)),
            2 => fd().prop_map(Change::Remove),
            1 => (fd(), fd()).prop_map(|(first, last)| Change::Range(first, last)),
            1 => Just(Change::Exec),
            1 => Just(Change::Fork),
        ]
    }

    proptest! {
        #[test]
        fn a_table_and_its_copies_are_what_plain_maps_are(changes in prop::collection::vec(any_change(), 0..60)) {
            let (mut table, mut map) = (FdTable::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for change in changes {
                match change {
                    Change::Insert(fd, ino) => {
                        prop_assert!(table.insert(fd, info(ino)));
                        map.insert(fd, ino);
                    }
                    Change::Alter(fd, ino) => match (table.get_mut(fd), map.get_mut(&fd)) {
                        (Some(known), Some(value)) => {
                            *known = info(ino);
                            *value = ino;
                        }
                        (None, None) => {}
                        _ => prop_assert!(false, "only one has {}", fd),
                    },
                    Change::Remove(fd) => {
                        prop_assert_eq!(table.remove(fd).map(|info| info.ino), map.remove(&fd));
                    }
                    Change::Range(first, last) => {
                        table.remove_range(first, last);
                        map.retain(|fd, _| *fd < first || *fd > last);
                    }
                    Change::Exec => {
                        table.remove_close_on_exec();
                        map.retain(|_, ino| !ino.is_multiple_of(3));
                    }
                    Change::Fork => copies.push((table.clone(), map.clone())),
                }
                prop_assert_eq!(contents(&table), map.clone());
                prop_assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
                prop_assert!(map.iter().all(|(fd, ino)| table.get(*fd).is_some_and(|info| info.ino == *ino)));
            }
            for (copy, map) in copies {
                prop_assert_eq!(contents(&copy), map, "a copy does not change with the table");
            }
        }
    }

    #[test]
    fn a_list_is_read_when_it_is_asked_for() {
        let unread = || Unread {
            bytes: Box::from([3, 5]),
            listening: SmallVec::new(),
            read: |bytes, found| bytes.iter().for_each(|fd| found(i64::from(*fd), info(u64::from(*fd)))),
        };
        let alter: Alter = Rc::new(|info| info.ino += 10);
        let expected = BTreeMap::from([(3, 13), (5, 15)]);
        let mut table = FdTable::default();
        table.leave_unread(unread());
        table.alter(&alter);
        assert_eq!((table.unread().is_some(), contents(&table)), (true, expected.clone()));
        assert!(table.unread().is_none(), "it has been read");
        let stamp = table.stamp();
        let copy = table.clone();
        table.insert(4, info(1));
        assert_eq!((contents(&copy), copy.stamp(), table.len()), (expected, stamp, 3));
        table.leave_unread(unread());
        assert_eq!(table.remove(3).map(|info| info.ino), Some(3), "of a list that nobody read before");
        table.alter(&alter);
        assert_eq!(contents(&table), BTreeMap::from([(5, 15)]));
    }

    #[test]
    fn tables_are_limited() {
        let mut table = FdTable::default();
        let kept = (0..2 * MAX_FDS as i64).filter(|fd| table.insert(*fd, info(1))).count();
        assert_eq!((kept, table.len()), (MAX_FDS, MAX_FDS));
        assert!(table.insert(7, info(2)), "it is there already");
        let mut table = FdTable::default();
        let kept = (0..2 * MAX_FDS as i64).filter(|n| table.insert(n * PAGES as i64, info(1))).count();
        assert_eq!(kept, MAX_IN_PAGE, "of numbers that no kernel gives");
    }

    #[test]
    fn a_change_of_a_copy_copies_one_page() {
        let mut table = FdTable::default();
        for fd in 0..MAX_FDS as i64 {
            table.insert(fd, info(1));
        }
        let mut copy = table.clone();
        copy.get_mut(5).unwrap().ino = 9;
        let shared = |a: &Option<Rc<Page>>, b: &Option<Rc<Page>>| match (a, b) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            _ => a.is_none() && b.is_none(),
        };
        let changed = table.fds().pages.iter().zip(&copy.fds().pages).filter(|(a, b)| !shared(a, b)).count();
        assert_eq!((changed, table.get(5).unwrap().ino), (1, 1));
    }
}
