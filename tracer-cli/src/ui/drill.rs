//! Where the user is: a view, and what was selected on the way to it. Each step narrows the filter.

use super::cell::Cell;
use super::layout::{Layout, LayoutError};
use super::view::{View, at_depth};
use crate::filter::{Filter, FilterError};
use std::fmt::Write;
use std::rc::Rc;

/// A condition that a step left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub filter: String,
    /// It holds only in the view that the step led to.
    pub child_only: bool,
}

/// What the screen shows, with all that is needed to come back to it.
#[derive(Clone)]
pub struct Level {
    pub view: Rc<View>,
    pub layout: Layout,
    pub depth: u32,
    /// Conditions of the steps before, outermost first.
    pub chain: Vec<Part>,
    /// What was selected on the way, as `field=value`.
    pub path: Vec<String>,
    /// Field of the innermost selection, `""` for the whole machine.
    pub selection_field: String,
    /// A filter that was typed here, in the place of the composed one.
    pub typed: Option<String>,
    /// Column that sorts, and whether the largest comes first.
    pub sort: (usize, bool),
    /// The name of the selected row: a value for each of [`Layout::naming`].
    pub selected: Option<Vec<Cell>>,
    /// Somebody chose that row: it stays selected wherever it goes. Otherwise it is the first one.
    pub is_chosen: bool,
    /// First row on the screen, and columns scrolled to the left.
    pub top: usize,
    pub shift: usize,
    /// Only rows with this text.
    pub find: String,
    /// Of a spectrogram, for its events to be read.
    pub is_rectangle: bool,
}

impl Level {
    /// A view of the whole machine.
    ///
    /// # Errors
    /// A view that cannot be shown.
    pub fn root(view: &Rc<View>, containers: bool) -> Result<Self, LayoutError> {
        Self::new(view, containers, 0, Vec::new(), Vec::new(), String::new())
    }

    fn new(
        view: &Rc<View>,
        containers: bool,
        depth: u32,
        chain: Vec<Part>,
        path: Vec<String>,
        selection_field: String,
    ) -> Result<Self, LayoutError> {
        let layout = Layout::new(view, containers, depth)?;
        let sort = (layout.sorting, sorts_descending(&layout, layout.sorting));
        Ok(Self {
            view: Rc::clone(view),
            layout,
            depth,
            chain,
            path,
            selection_field,
            typed: None,
            sort,
            selected: None,
            is_chosen: false,
            top: 0,
            shift: 0,
            find: String::new(),
            is_rectangle: false,
        })
    }

    /// The same with a condition more: a rectangle of a spectrogram.
    pub fn narrowed(&self, filter: &str) -> Self {
        let mut level = self.clone();
        level.path.push(filter.to_owned());
        level.chain.push(Part { filter: filter.to_owned(), child_only: false });
        level.typed = level.typed.map(|typed| format!("({typed}) and ({filter})"));
        level.is_rectangle = true;
        level
    }

    /// The same selection in another view.
    ///
    /// # Errors
    /// A view that cannot be shown.
    pub fn switched(&self, view: &Rc<View>, containers: bool) -> Result<Self, LayoutError> {
        let (chain, path) = (self.chain.clone(), self.path.clone());
        Self::new(view, containers, self.depth, chain, path, self.selection_field.clone())
    }

    /// One row of this view, seen through another.
    ///
    /// # Errors
    /// A view that cannot be shown.
    pub fn drilled(&self, view: &Rc<View>, name: &[Cell], containers: bool) -> Result<Self, LayoutError> {
        let mut chain: Vec<Part> = self.chain.iter().filter(|part| !part.child_only).cloned().collect();
        let mut path = self.path.clone();
        if self.view.propagate_filter && !self.view.filter.is_empty() {
            chain.push(Part { filter: at_depth(&self.view.filter, self.depth), child_only: false });
        }
        let field = self.layout.drill_fields.first().cloned().unwrap_or_default();
        if let Some(filter) = self.comparison(name) {
            path.push(filter.clone());
            chain.push(Part { filter, child_only: self.layout.drill_child_only });
        }
        chain.dedup();
        let depth = self.depth + u32::from(self.view.drilldown_increase_depth);
        Self::new(view, containers, depth, chain, path, field)
    }

    /// The condition that only events of this row meet.
    pub fn comparison(&self, name: &[Cell]) -> Option<String> {
        let parts = self.layout.drill_fields.iter().zip(name).map(|(field, value)| match value {
            Cell::Nothing => format!("not {field} exists"),
            value => format!("{field}={}", literal(value)),
        });
        let parts: Vec<String> = parts.collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }

    /// The complete filter: of the command line, of the steps, of the view.
    pub fn filter_text(&self, base: &str) -> String {
        if let Some(typed) = &self.typed {
            return typed.clone();
        }
        let own = at_depth(&self.view.filter, self.depth);
        let mut parts: Vec<&str> = Vec::new();
        let all = std::iter::once(base).chain(self.chain.iter().map(|p| p.filter.as_str()));
        for part in all.chain(std::iter::once(own.as_str())) {
            if !part.trim().is_empty() && !parts.contains(&part) {
                parts.push(part);
            }
        }
        match parts.as_slice() {
            [] => String::new(),
            [one] => (*one).to_owned(),
            parts => {
                let parts: Vec<String> = parts.iter().map(|part| format!("({part})")).collect();
                parts.join(" and ")
            }
        }
    }

    /// [`Level::filter_text`] ready to run.
    ///
    /// # Errors
    /// A typed filter with a mistake.
    pub fn filter(&self, base: &str) -> Result<Option<Filter>, FilterError> {
        let text = self.filter_text(base);
        if text.trim().is_empty() { Ok(None) } else { Filter::compile(&text).map(Some) }
    }

    /// What was selected, for the title.
    pub fn selection(&self) -> String {
        if self.path.is_empty() { "whole machine".to_owned() } else { self.path.join(" and ") }
    }

    /// Sorts by a column; the same column again turns the order round.
    pub fn sort_by(&mut self, column: usize) {
        self.sort = match self.sort {
            (same, descending) if same == column => (column, !descending),
            _ => (column, sorts_descending(&self.layout, column)),
        };
    }
}

/// Whether the largest values of a column are the ones to look at first.
fn sorts_descending(layout: &Layout, column: usize) -> bool {
    use crate::schema::{ParamFormat, ParamType as T};
    layout.columns.get(column).is_some_and(|column| {
        let is_number = matches!(
            column.field.ty,
            T::Int8
                | T::Int16
                | T::Int32
                | T::Int64
                | T::Uint8
                | T::Uint16
                | T::Uint32
                | T::Uint64
                | T::Reltime
                | T::Double
        );
        is_number && column.field.format != ParamFormat::Id
    })
}

/// A value as it stands in a filter.
fn literal(value: &Cell) -> String {
    let quoted = |text: &str| {
        let mut out = String::from("\"");
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
        out
    };
    let mut out = String::new();
    // Writing into memory cannot fail.
    let _ = match value {
        Cell::Nothing => Ok(()),
        Cell::Bool(b) => write!(out, "{b}"),
        Cell::Int(n) => write!(out, "{n}"),
        Cell::Uint(n) | Cell::Reltime(n) | Cell::Abstime(n) => write!(out, "{n}"),
        Cell::Double(n) => write!(out, "{n}"),
        Cell::Text(text) => write!(out, "{}", quoted(&String::from_utf8_lossy(text))),
        Cell::Ip(ip) => write!(out, "{ip}"),
        Cell::Port(port) => write!(out, "{port}"),
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::catalog::Catalog;

    fn catalog() -> Catalog {
        Catalog::load(&[]).0
    }

    #[test]
    fn each_step_narrows_the_filter() {
        let catalog = catalog();
        let view = |id| catalog.by_id(id).unwrap();
        let dirs = Level::root(view("directories"), false).unwrap();
        let files = dirs.drilled(view("files"), &[Cell::Text((*b"/tmp/a \"b").into())], false).unwrap();
        assert_eq!(files.selection(), "fd.directory=\"/tmp/a \\\"b\"");
        assert_eq!(
            files.filter_text("proc.name!=x"),
            "(proc.name!=x) and ((fd.type=file or fd.type=directory) and fd.name!='') and (fd.directory=\"/tmp/a \\\"b\")"
        );
        assert!(files.filter("").is_ok());
        let procs = files.drilled(view("procs"), &[Cell::Text((*b"/tmp/f").into())], false).unwrap();
        assert_eq!(procs.path.len(), 2);
        let other = procs.switched(view("errors"), false).unwrap();
        assert_eq!((other.path.len(), other.selection_field.as_str()), (2, "fd.name"));
    }

    #[test]
    fn a_typed_filter_takes_the_place_of_the_composed_one() {
        let catalog = catalog();
        let mut level = Level::root(catalog.by_id("procs").unwrap(), false).unwrap();
        assert_eq!(level.filter_text(""), "evt.type!=switch");
        level.typed = Some("proc.name=cat".to_owned());
        assert_eq!(level.filter_text("evt.dir=<"), "proc.name=cat");
        level.typed = Some("proc.nam=cat".to_owned());
        assert!(level.filter("").is_err());
    }

    #[test]
    fn the_same_column_twice_turns_the_order() {
        let catalog = catalog();
        let mut level = Level::root(catalog.by_id("procs").unwrap(), false).unwrap();
        let (column, descending) = level.sort;
        assert!(descending);
        level.sort_by(column);
        assert_eq!(level.sort, (column, false));
    }
}
