//! Turns events into the rows of a view.
//!
//! A row stands for a value of the key column; each further column folds the values of its events into one. A view may
//! group these rows once more by another column (threads by process): the folded values are then folded again.

use super::cell::{Cell, encode, extract};
use super::fd_rows::FdRows;
use super::fold::Fold;
use super::glances::{BITS, Columns, Glances, RowsOf, ends_thread};
use super::layout::Layout;
use super::standing::Lately;
use super::view::Aggregation;
use crate::event::Event;
use crate::fields::{Extraction, moves_nothing};
use crate::schema::{EventType, ParamType, TypeSet, tables};
use crate::state::fd_table::FdTable;
use crate::state::thread::Thread;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Most rows that are kept. What does not fit is counted.
pub const MAX_ROWS: usize = 65_536;
/// The same for a sample of the running system, but for rows of threads: a flood of names reaches it with the first sample,
/// so that no later one takes more memory.
const MAX_LIVE_ROWS: usize = 16_384;

/// A row as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// One for each column of the layout.
    pub cells: Vec<Cell>,
}

/// The table at one moment.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    pub rows: Vec<Row>,
    /// Events whose row did not fit any more.
    pub overflow: u64,
    /// Time over which was counted.
    pub span: Duration,
    /// Time of the last event, ns since the epoch.
    pub last_ts: u64,
    /// Events that passed the filter.
    pub events: u64,
    /// Goes with the last copy of it.
    pub token: Arc<()>,
}

/// A row that is being filled.
struct Gathered {
    folds: Vec<Fold>,
    /// The columns that no other value changes.
    done: Columns,
    /// Events that are in it.
    events: u64,
}

impl Gathered {
    fn new(folds: Vec<Fold>, layout: &Layout) -> Self {
        let columns = folds.iter().zip(&layout.columns).take(BITS).enumerate();
        let done = columns.filter(|(_, (fold, column))| fold.is_final(column.fold));
        let done = done.fold(0, |bits, (at, _)| bits | 1 << at);
        Self { folds, done, events: 0 }
    }
}

/// Gathers events.
pub struct Table {
    layout: Layout,
    glances: Arc<Glances>,
    /// Places of rows by the bytes of their keys.
    places: FxHashMap<Box<[u8]>, usize>,
    rows: Vec<Gathered>,
    /// The rows of the threads seen lately, and those of the fds.
    lately: Lately,
    of_fds: FdRows,
    /// Places of the rows of types of events, where the type of an event is its key.
    of_types: Option<Vec<Option<usize>>>,
    /// The key of the last row and its place: events come in runs.
    last: (Vec<u8>, usize),
    /// Numbers of an event until it is known that none is missing.
    values: Vec<(Cell, bool)>,
    list: VecDeque<Row>,
    overflow: u64,
    events: u64,
    last_ts: u64,
    key: Vec<u8>,
    /// Most rows.
    limit: usize,
}

impl Table {
    /// One for a part of a capture, which has room for whatever comes.
    pub fn of_part(layout: Layout, glances: Arc<Glances>) -> Self {
        Self { limit: usize::MAX, ..Self::with(layout, glances) }
    }

    /// One for samples of the running system.
    pub fn live(layout: Layout) -> Self {
        let table = Self::new(layout);
        let limit = if table.glances.rows == RowsOf::Threads { MAX_ROWS } else { MAX_LIVE_ROWS };
        Self { limit, ..table }
    }

    pub fn new(layout: Layout) -> Self {
        let glances = Arc::new(Glances::of(&layout));
        Self::with(layout, glances)
    }

    fn with(layout: Layout, glances: Arc<Glances>) -> Self {
        Self {
            lately: Lately::new(glances.is_by_id),
            of_fds: FdRows::default(),
            of_types: is_by_type(&layout).then(|| vec![None; tables::EVENTS.len()]),
            glances,
            layout,
            places: FxHashMap::default(),
            rows: Vec::new(),
            last: (Vec::new(), usize::MAX),
            values: Vec::new(),
            list: VecDeque::new(),
            overflow: 0,
            events: 0,
            last_ts: 0,
            key: Vec::new(),
            limit: MAX_ROWS,
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What another table of this layout needs.
    pub fn glances(&self) -> Arc<Glances> {
        Arc::clone(&self.glances)
    }

    /// Takes an event that passed the filter.
    #[inline]
    pub fn add(&mut self, from: &Extraction<'_>) {
        self.events += 1;
        self.last_ts = from.context.event.ts;
        match self.layout.keys.is_empty() {
            true => self.list_from(from),
            false => self.row_from(from, true),
        }
    }

    /// The types of events that may change nothing in the row that they are in.
    pub fn quiet_types(&self) -> TypeSet {
        self.glances.quiet
    }

    /// Takes an event that passed the filter, if it changes nothing as one of those types, or as one that moved no bytes; `lives` is what
    /// [`State::lives`](crate::state::State::lives) says, and `fd` the fd that it is about.
    #[inline]
    pub fn add_quiet<'f>(
        &mut self,
        event: &Event<'_>,
        thread: Option<&Thread>,
        lives: u64,
        fd: impl FnOnce() -> Option<(&'f FdTable, i64)>,
    ) -> bool {
        let Glances { quiet, quiet_at_nothing, .. } = &*self.glances;
        if !(quiet.contains(event.ty) || quiet_at_nothing.contains(event.ty) && moves_nothing(event)) {
            return false;
        }
        let row = match self.glances.rows {
            RowsOf::Threads => {
                let known = thread
                    .filter(|thread| thread.tid == event.tid)
                    .and_then(|thread| self.lately.find(thread).filter(|known| known.is_same(thread, lives)));
                known.map(|known| known.row)
            }
            RowsOf::Fds => fd().and_then(|(fds, fd)| self.of_fds.find(fds, fd)).filter(|row| {
                let done = self.rows.get(*row).map_or(0, |row| row.done);
                self.glances.at(event.ty) & !done & !self.glances.of_bytes == 0
            }),
            RowsOf::Others => None,
        };
        let Some(row) = row.and_then(|row| self.rows.get_mut(row)) else { return false };
        row.events += 1;
        self.events += 1;
        self.last_ts = event.ts;
        true
    }

    /// Whether [`Table::add_use`] takes notes about CPU times.
    pub fn counts_use(&self) -> bool {
        self.glances.noted.is_some()
    }

    /// Takes such a note, which was applied to its thread, if nothing else that is in the row changes.
    #[inline]
    pub fn add_use(&mut self, event: &Event<'_>, thread: &Thread, lives: u64) -> bool {
        let known = self.lately.find(thread).filter(|known| known.is_same(thread, lives));
        let (Some(known), Some(noted)) = (known, &self.glances.noted) else { return false };
        let Some(row) = self.rows.get_mut(known.row) else { return false };
        for (at, value) in noted {
            let Some((fold, column)) = row.folds.get_mut(*at).zip(self.layout.columns.get(*at)) else {
                continue;
            };
            match value(thread) {
                Some(value) => fold.put_double(value, column.fold),
                None => fold.put_zero(column.field.ty, column.fold),
            }
        }
        row.events += 1;
        self.events += 1;
        self.last_ts = event.ts;
        true
    }

    /// Takes what is known of a thread that may have done nothing, so that it has a row.
    pub fn add_thread(&mut self, from: &Extraction<'_>) {
        if !self.layout.keys.is_empty() {
            self.row_from(from, false);
        }
    }

    /// Adds what was gathered of later events.
    pub fn merge(&mut self, other: Table) {
        self.events += other.events;
        self.overflow += other.overflow;
        self.last_ts = self.last_ts.max(other.last_ts);
        other.list.into_iter().for_each(|row| self.push(row));
        let mut keys: Vec<(Box<[u8]>, usize)> = other.places.into_iter().collect();
        // New rows come in the order of their first events.
        keys.sort_unstable_by_key(|(_, place)| *place);
        for ((key, _), row) in keys.into_iter().zip(other.rows) {
            let is_full = self.rows.len() >= self.limit;
            match self.places.get(&key).and_then(|place| self.rows.get_mut(*place)) {
                Some(known) => {
                    let columns = self.layout.columns.iter();
                    for ((fold, other), column) in known.folds.iter_mut().zip(row.folds).zip(columns) {
                        fold.merge(other, column.fold);
                    }
                    known.done |= row.done;
                    known.events += row.events;
                }
                None if is_full => self.overflow += row.events,
                None => {
                    self.places.insert(key, self.rows.len());
                    self.rows.push(row);
                }
            }
        }
    }

    /// Encodes the key of an event's row. `false`: it belongs to none.
    fn find_key(&mut self, from: &Extraction<'_>, is_event: bool) -> bool {
        self.key.clear();
        for (nth, index) in self.layout.keys.iter().enumerate() {
            let Some(column) = self.layout.columns.get(*index) else { return false };
            let at = self.key.len();
            let mut is_there = false;
            if column.has_value(is_event) {
                column.field.extract(from, &mut |value| {
                    if !is_there {
                        encode(&value, &mut self.key);
                        is_there = true;
                    }
                });
            }
            // Of several keys the later ones may be missing.
            if !is_there && nth == 0 {
                return false;
            }
            if self.layout.keys.len() > 1 {
                let length = (self.key.len() - at) as u32 + u32::from(is_there);
                self.key.extend_from_slice(&length.to_le_bytes());
            }
        }
        true
    }

    /// The place of the row that the key belongs to.
    fn find_row(&mut self) -> Option<usize> {
        if self.last.0 != self.key || self.last.1 == usize::MAX {
            self.last.1 = *self.places.get(self.key.as_slice())?;
            self.last.0.clone_from(&self.key);
        }
        Some(self.last.1)
    }

    fn row_from(&mut self, from: &Extraction<'_>, is_event: bool) {
        let (event, lives) = (from.context.event, from.context.state.lives());
        let thread = match self.glances.rows == RowsOf::Threads && is_event {
            true => from.context.thread().filter(|thread| thread.tid == event.tid),
            false => None,
        };
        let thread = thread.filter(|_| !ends_thread(event.ty));
        let known = thread.and_then(|thread| self.lately.find(thread).zip(Some(thread)));
        let is_known = known.is_some_and(|(known, thread)| known.is_same(thread, lives));
        let of_types = self.of_types.as_ref().filter(|_| is_event);
        let of_type = of_types.and_then(|places| *places.get(usize::from(event.ty.0))?);
        let fd = if self.glances.rows == RowsOf::Fds { from.context.fd_in_table() } else { None };
        let of_fd = fd.and_then(|(fds, fd)| self.of_fds.find(fds, fd));
        let (place, same) = match (known, of_type.or(of_fd)) {
            (Some((known, thread)), _) => (known.row, self.glances.same(known, thread, lives)),
            (None, Some(place)) => (place, 0),
            (None, None) => {
                if !self.find_key(from, is_event) {
                    return;
                }
                let Some(place) = self.find_row() else { return self.new_row(from, is_event) };
                self.note_type(event.ty, place);
                // One without a name has that which the event gives it.
                if let Some((fds, fd)) = fd.filter(|_| from.fd().is_some_and(|fd| !fd.name.is_empty())) {
                    self.of_fds.note(fds, fd, place);
                }
                (place, 0)
            }
        };
        let Some(row) = self.rows.get_mut(place) else { return };
        row.events += u64::from(is_event);
        if !self.layout.use_defaults {
            return self.fold_complete(place, from, is_event);
        }
        let mut left = self.glances.at(event.ty) & !row.done & !same;
        let mut beyond = BITS..self.layout.columns.len();
        loop {
            let at = match left {
                0 => match beyond.next() {
                    Some(at) => at,
                    None => break,
                },
                left => left.trailing_zeros() as usize,
            };
            left &= left.wrapping_sub(1);
            let Some((fold, column)) = row.folds.get_mut(at).zip(self.layout.columns.get(at)) else { break };
            if !column.has_value(is_event) {
                continue;
            }
            let mut is_there = false;
            column.field.extract(from, &mut |value| {
                if !std::mem::replace(&mut is_there, true) {
                    fold.put(&value, column.fold);
                }
            });
            if !is_there {
                fold.put_zero(column.field.ty, column.fold);
            }
            if at < BITS && fold.is_final(column.fold) {
                row.done |= 1 << at;
            }
        }
        if let Some(thread) = thread.filter(|_| !is_known) {
            let is_settled = self.glances.first & !row.done == 0;
            self.lately.note(thread, lives, place, is_settled);
        }
    }

    /// Notes the row of events of this type, if all of them are in one.
    fn note_type(&mut self, ty: EventType, row: usize) {
        let has_names = matches!(ty, EventType::GENERIC_E | EventType::GENERIC_X | EventType::ASYNCEVENT_E);
        if let Some(place) = self.of_types.as_mut().and_then(|places| places.get_mut(usize::from(ty.0)))
            && !has_names
        {
            *place = Some(row);
        }
    }

    /// Folds an event into a row unless it lacks something: then it is left out as a whole. Texts never lack.
    fn fold_complete(&mut self, place: usize, from: &Extraction<'_>, is_event: bool) {
        self.values.clear();
        for column in self.layout.columns.iter().filter(|column| column.field.ty != ParamType::Charbuf) {
            let Some(value) = extract(&column.field, from, false) else { return };
            self.values.push(value);
        }
        let mut values = self.values.drain(..);
        let Some(row) = self.rows.get_mut(place) else { return };
        for (fold, column) in row.folds.iter_mut().zip(&self.layout.columns) {
            let is_text = column.field.ty == ParamType::Charbuf;
            let value = if is_text { None } else { values.next() };
            if fold.is_final(column.fold) || !column.has_value(is_event) {
                continue;
            }
            let value = if is_text { extract(&column.field, from, false) } else { value };
            if let Some((value, found)) = value {
                fold.take(value, u64::from(found), column.fold);
            }
        }
    }

    /// Adds a row for the key, if there is room.
    fn new_row(&mut self, from: &Extraction<'_>, is_event: bool) {
        if self.rows.len() >= self.limit {
            self.overflow += 1;
            return;
        }
        let mut row = Vec::with_capacity(self.layout.columns.len());
        for column in &self.layout.columns {
            let use_defaults = self.layout.use_defaults;
            let value = match column.has_value(is_event) {
                true => extract(&column.field, from, use_defaults),
                false => use_defaults.then(|| (Cell::zero(column.field.ty), false)),
            };
            let Some((value, found)) = value else { return };
            row.push(Fold::first(value, u64::from(found), column.fold));
        }
        self.places.insert(self.key.as_slice().into(), self.rows.len());
        let row = Gathered::new(row, &self.layout);
        self.rows.push(Gathered { events: u64::from(is_event), ..row });
    }

    fn list_from(&mut self, from: &Extraction<'_>) {
        let mut cells = Vec::with_capacity(self.layout.columns.len());
        for column in &self.layout.columns {
            let Some((value, _)) = extract(&column.field, from, self.layout.use_defaults) else { return };
            cells.push(value);
        }
        self.push(Row { cells });
    }

    /// Adds a row to a list; the oldest make room.
    fn push(&mut self, row: Row) {
        if self.list.len() >= self.limit {
            self.list.pop_front();
            self.overflow += 1;
        }
        self.list.push_back(row);
    }

    /// The rows so far, with sums by second over `span`.
    pub fn sample(&self, span: Duration) -> Sample {
        let rows = match (self.layout.keys.as_slice(), self.layout.group) {
            ([], _) => self.list.iter().cloned().collect(),
            (_, None) => self.rows.iter().map(|row| self.finish(&row.folds, span)).collect(),
            ([key, ..], Some(group)) => self.grouped(*key, group, span),
        };
        let Self { overflow, last_ts, events, .. } = *self;
        Sample { rows, overflow, span, last_ts, events, token: Arc::default() }
    }

    fn grouped(&self, key: usize, group: usize, span: Duration) -> Vec<Row> {
        let mut groups: BTreeMap<&Cell, Vec<Fold>> = BTreeMap::new();
        let mut rows: Vec<&[Fold]> = self.rows.iter().map(|row| row.folds.as_slice()).collect();
        // What is not folded is that of the smallest key: of a process, what its first thread has.
        rows.sort_unstable_by_key(|row| row.get(key).map(|fold| &fold.value));
        for row in rows {
            let Some(name) = row.get(group) else { continue };
            let columns = self.layout.columns.iter();
            match groups.get_mut(&name.value) {
                Some(folds) => {
                    for ((fold, one), column) in folds.iter_mut().zip(row).zip(columns) {
                        fold.take(one.done(column.fold), 1, column.group_fold);
                    }
                }
                None => {
                    let first = row.iter().zip(columns);
                    let folds =
                        first.map(|(one, column)| Fold::first(one.done(column.fold), 1, column.group_fold));
                    groups.insert(&name.value, folds.collect());
                }
            }
        }
        groups.values().map(|folds| self.finish_group(folds, span)).collect()
    }

    fn finish(&self, row: &[Fold], span: Duration) -> Row {
        let folds = row.iter().zip(&self.layout.columns);
        let cells = folds.map(|(fold, column)| by_second(fold.done(column.fold), column.fold, span));
        Row { cells: cells.collect() }
    }

    fn finish_group(&self, row: &[Fold], span: Duration) -> Row {
        let folds = row.iter().zip(&self.layout.columns);
        let cells = folds.map(|(fold, column)| by_second(fold.done(column.group_fold), column.fold, span));
        Row { cells: cells.collect() }
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.places.clear();
        self.lately.clear();
        self.of_fds.clear();
        self.of_types.iter_mut().for_each(|places| places.fill(None));
        self.last.1 = usize::MAX;
        self.list.clear();
        self.overflow = 0;
        self.events = 0;
    }

    /// Begins the next sample: tables count anew, lists go on.
    pub fn next_sample(&mut self) {
        if !self.layout.keys.is_empty() && !self.layout.keeps_rows {
            self.clear();
        }
    }
}

/// Whether rows are of types of events.
fn is_by_type(layout: &Layout) -> bool {
    let [key] = layout.keys.as_slice() else { return false };
    layout.columns.get(*key).is_some_and(|key| key.field.field.name == "evt.type" && key.field.arg.is_none())
}

fn by_second(cell: Cell, fold: Aggregation, span: Duration) -> Cell {
    match fold {
        Aggregation::TimeAvg if span > Duration::ZERO => cell.divided(span.as_secs_f64()),
        _ => cell,
    }
}
