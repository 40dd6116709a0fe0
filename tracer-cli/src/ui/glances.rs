//! Which columns of a table an event can change, known before it comes.

use super::layout::{Column, Layout};
use super::standing::Standing;
use super::view::Aggregation;
use crate::fields::{FieldFlags, Follows, follows, noted_use};
use crate::filter::events_with;
use crate::schema::{EventType, TypeSet, tables};
use crate::state::thread::Thread;

/// Columns of a table, a bit for each. Those beyond the bits are always looked at.
pub type Columns = u64;

/// What a column says of a thread at a note about its CPU times.
pub type NotedUse = fn(&Thread) -> Option<f64>;

/// Columns that have a bit.
pub const BITS: usize = Columns::BITS as usize;

/// What the rows of a table are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsOf {
    /// Threads or processes.
    Threads,
    /// Names of fds.
    Fds,
    Others,
}

/// Which columns have to be looked at for an event.
pub struct Glances {
    /// Those that can have a value, by the type of the event. What another one adds is nothing: the zero that stands
    /// for it is in a row from the start.
    by_type: Vec<Columns>,
    /// Those that do not change as long as what they follow from is as it was.
    standing: [(Follows, Columns); 3],
    /// Those that are sums of bytes that calls moved.
    pub of_bytes: Columns,
    /// Those that keep the first value.
    pub first: Columns,
    /// Types of events that may change nothing in the row that they are in, and those that may do so where the call moved
    /// no bytes.
    pub quiet: TypeSet,
    pub quiet_at_nothing: TypeSet,
    /// What rows are of, if events that change none of their values can be told.
    pub rows: RowsOf,
    /// The only columns that notes about CPU times change in the row of a thread that is as it was otherwise, and their
    /// values.
    pub noted: Option<Vec<(usize, NotedUse)>>,
    /// The rows of threads are told apart by their ids, which stay what they are.
    pub is_by_id: bool,
}

impl Glances {
    pub fn of(layout: &Layout) -> Self {
        let bits = |is: &dyn Fn(&Column) -> bool| {
            let those = layout.columns.iter().take(BITS).enumerate().filter(|(_, column)| is(column));
            those.fold(0, |bits, (at, _)| bits | 1 << at)
        };
        let follows = |column: &Column| match column.field.arg {
            None => follows(column.field.field.name),
            Some(_) => None,
        };
        let first = |column: &Column| column.fold == Aggregation::None;
        let repeats = |column: &Column| matches!(column.fold, Aggregation::Min | Aggregation::Max);
        let sets: Vec<_> = layout.columns.iter().map(|column| events_with(&column.field)).collect();
        let glance = |ty| {
            let can = sets.iter().take(BITS).enumerate().filter(|(_, set)| set.contains_type(ty));
            can.fold(0, |bits, (at, _)| bits | 1 << at)
        };
        let key = match layout.keys.as_slice() {
            [key] => layout.columns.get(*key),
            _ => None,
        };
        let glances = Self {
            by_type: (0..tables::EVENTS.len() as u16).map(|code| glance(EventType(code))).collect(),
            standing: [Follows::Thread, Follows::Memory, Follows::Threads]
                .map(|what| (what, bits(&|column| repeats(column) && follows(column) == Some(what)))),
            first: bits(&first),
            rows: match key {
                _ if !layout.use_defaults || layout.columns.len() > BITS => RowsOf::Others,
                Some(key) if follows(key) == Some(Follows::Thread) => RowsOf::Threads,
                Some(key) if key.field.field.name == "fd.name" => RowsOf::Fds,
                _ => RowsOf::Others,
            },
            noted: None,
            of_bytes: 0,
            quiet: TypeSet::default(),
            quiet_at_nothing: TypeSet::default(),
            is_by_id: key.is_some_and(|key| {
                matches!(key.field.field.name, "thread.tid" | "proc.pid") && key.field.arg.is_none()
            }),
        };
        // What moves nothing adds nothing to a sum.
        let is_sum = |column: &Column| matches!(column.fold, Aggregation::Sum | Aggregation::TimeAvg);
        let of_bytes = |column: &Column| column.field.field.name.starts_with("evt.buflen") && is_sum(column);
        let of_bytes = bits(&of_bytes);
        let quiet = TypeSet::of(|ty| glances.is_quiet(ty, 0));
        let quiet_at_nothing = TypeSet::of(|ty| ty.is_exit() && glances.is_quiet(ty, of_bytes));
        Self { noted: glances.noted_of(layout), quiet, quiet_at_nothing, of_bytes, ..glances }
    }

    fn noted_of(&self, layout: &Layout) -> Option<Vec<(usize, NotedUse)>> {
        let is_place = |column: &Column| column.field.field.flags.contains(FieldFlags::PLACE);
        if self.rows != RowsOf::Threads || layout.columns.iter().any(is_place) {
            return None;
        }
        let changing = self.at(EventType::PROCINFO_E) & !self.standing_columns() & !self.first;
        let columns = layout.columns.iter().enumerate().filter(|(at, _)| changing & 1 << at != 0);
        let value =
            |column: &Column| noted_use(column.field.field.name).filter(|_| column.field.arg.is_none());
        columns.map(|(at, column)| Some((at, value(column)?))).collect()
    }

    fn standing_columns(&self) -> Columns {
        self.standing.iter().fold(0, |all, (_, columns)| all | columns)
    }

    #[inline]
    pub fn at(&self, ty: EventType) -> Columns {
        self.by_type.get(usize::from(ty.0)).copied().unwrap_or(Columns::MAX)
    }

    /// Whether events of a type change nothing but what stands and what is the first there is, apart from `others`.
    fn is_quiet(&self, ty: EventType, others: Columns) -> bool {
        let changing = self.at(ty) & !self.first & !others;
        match self.rows {
            RowsOf::Threads => changing & !self.standing_columns() == 0 && !ends_thread(ty),
            RowsOf::Fds => changing == 0,
            RowsOf::Others => false,
        }
    }

    /// The columns that are as they were.
    #[inline]
    pub fn same(&self, known: &Standing, thread: &Thread, lives: u64) -> Columns {
        let same = self.standing.iter().filter(|(follows, _)| known.holds(*follows, thread, lives));
        same.fold(0, |all, (_, columns)| all | columns)
    }
}

/// Whether a thread ends with events of this type: with them it still counts.
pub fn ends_thread(ty: EventType) -> bool {
    matches!(ty, EventType::PROCEXIT_E | EventType::PROCEXIT_1_E)
}
