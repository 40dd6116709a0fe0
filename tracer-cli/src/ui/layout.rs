//! What the columns of a view are filled with.

use super::view::{Aggregation, Kind, View, at_depth};
use crate::fields::{self, Class, FieldRef};

/// A column ready to be filled.
#[derive(Debug, Clone)]
pub struct Column {
    pub heading: String,
    pub description: String,
    /// Characters; 0 is the rest of the line.
    pub width: usize,
    pub field: FieldRef,
    pub fold: Aggregation,
    pub group_fold: Aggregation,
    pub is_shown: bool,
    pub is_bar: bool,
}

impl Column {
    /// Whether it is shown, and as text.
    pub fn is_text(&self) -> bool {
        self.is_shown && !self.is_bar
    }

    /// Whether there can be a value where nothing happened.
    pub(super) fn has_value(&self, is_event: bool) -> bool {
        is_event || !matches!(self.field.field.class, Class::Evt | Class::EvtSyscall)
    }
}

/// What a view extracts and how it folds it: the view in one mode (with or without containers) at one depth.
#[derive(Debug, Clone)]
pub struct Layout {
    pub columns: Vec<Column>,
    /// Indices of the columns whose values the rows stand for; lists have none.
    pub keys: Vec<usize>,
    pub group: Option<usize>,
    /// What drilling down compares, a field for each of [`Layout::naming`], and whether only the next view does.
    pub drill_fields: Vec<String>,
    pub drill_child_only: bool,
    /// The shown column that sorts at first.
    pub sorting: usize,
    /// What an event lacks counts as zero; otherwise it is left out.
    pub use_defaults: bool,
    pub(super) keeps_rows: bool,
    shows_idle: bool,
    pub kind: Kind,
}

/// Why a view cannot be shown.
#[derive(Debug, thiserror::Error)]
#[error("view {view}: {message}")]
pub struct LayoutError {
    pub view: String,
    pub message: String,
}

impl Layout {
    /// # Errors
    /// A field that does not exist, a table without a key, a view without columns.
    pub fn new(view: &View, containers: bool, depth: u32) -> Result<Self, LayoutError> {
        let fault = |message: String| LayoutError { view: view.id.clone(), message };
        let mut layout = Layout {
            columns: Vec::new(),
            keys: Vec::new(),
            group: None,
            drill_fields: Vec::new(),
            drill_child_only: false,
            sorting: 0,
            use_defaults: view.use_defaults,
            keeps_rows: view.keeps_rows,
            shows_idle: view.shows_idle,
            kind: view.kind,
        };
        let mut sorting = None;
        let mut first_number = None;
        for column in view.columns.iter().filter(|column| column.applies(containers)) {
            let field = fields::find(&at_depth(&column.field, depth))
                .map_err(|e| fault(format!("column {}: {e}", column.name)))?;
            let index = layout.columns.len();
            if column.is_key {
                layout.keys.push(index);
            }
            if column.is_groupby_key {
                layout.group = Some(index);
                layout.drill_fields.clear();
            }
            if column.is_groupby_key || (column.is_key && layout.group.is_none()) {
                let compared = column.filterfield.as_deref().unwrap_or(&column.field);
                layout.drill_fields.push(at_depth(compared, depth));
                layout.drill_child_only = column.filter_in_child_only;
            }
            if column.is_sorting {
                sorting = Some(index);
            }
            if column.is_shown() && column.aggregation != Aggregation::None {
                first_number.get_or_insert(index);
            }
            layout.columns.push(Column {
                heading: column.name.clone(),
                description: column.description.clone(),
                width: column.width,
                field,
                fold: column.aggregation,
                group_fold: column.groupby_aggregation,
                is_shown: column.is_shown(),
                is_bar: column.is_bar,
            });
        }
        let first_shown = layout.columns.iter().position(|column| column.is_shown);
        let Some(first_shown) = first_shown else { return Err(fault("no column is shown".to_owned())) };
        layout.sorting = sorting.or(first_number).unwrap_or(first_shown);
        if view.kind != Kind::List && layout.keys.is_empty() {
            return Err(fault("a table needs a column with is_key".to_owned()));
        }
        Ok(layout)
    }

    /// Whether threads that did nothing have rows, too.
    pub fn has_rows_of_threads(&self) -> bool {
        self.shows_idle && !self.keys.is_empty()
    }

    /// Indices of the columns that name a row: the group where there is one.
    pub fn naming(&self) -> &[usize] {
        self.group.as_ref().map_or(&self.keys, std::slice::from_ref)
    }
}
