//! The rows on the screen: their order, those that are left out, and the selected one.

use super::aggregate::Row;
use super::app::App;
use super::cell::{self, Cell};
use super::view::Kind;

impl App {
    /// Sorts the rows anew and keeps the selected one selected.
    pub(super) fn sort(&mut self) {
        let (column, descending) = self.level.sort;
        let find = self.level.find.to_lowercase();
        let rows = &self.sample.rows;
        self.order = (0..rows.len())
            .filter(|at| find.is_empty() || rows.get(*at).is_some_and(|row| self.has_text(row, &find)))
            .collect();
        if self.level.view.kind != Kind::List {
            let naming = self.level.layout.naming();
            let cell = |row: usize, column: usize| rows.get(row).and_then(|row| row.cells.get(column));
            self.order.sort_by(|a, b| {
                let by_value = cell(*a, column).cmp(&cell(*b, column));
                let by_value = if descending { by_value.reverse() } else { by_value };
                // Rows with equal values keep their places from sample to sample.
                let names = |row: usize| naming.iter().map(move |column| cell(row, *column));
                by_value.then_with(|| names(*a).cmp(names(*b)))
            });
        }
        self.keep_selection();
    }

    fn keep_selection(&mut self) {
        if self.level.view.kind == Kind::List {
            // New rows are scrolled into view.
            if self.settings.live {
                self.level.top = self.order.len().saturating_sub(self.size.page());
            }
            return;
        }
        let chosen = self.selected_index().filter(|_| self.level.is_chosen);
        self.select(chosen.unwrap_or(0));
    }

    /// The values that a row stands for.
    fn name_of(&self, index: usize) -> Option<impl Iterator<Item = &Cell>> {
        let row = self.sample.rows.get(*self.order.get(index)?)?;
        Some(self.level.layout.naming().iter().filter_map(|column| row.cells.get(*column)))
    }

    /// The place of the selected row among those that are shown.
    pub fn selected_index(&self) -> Option<usize> {
        let selected = self.level.selected.as_ref()?;
        (0..self.order.len()).find(|index| self.name_of(*index).is_some_and(|name| name.eq(selected)))
    }

    /// The selected row.
    pub fn selected_row(&self) -> Option<&Row> {
        self.sample.rows.get(*self.order.get(self.selected_index()?)?)
    }

    /// Selects a row by its place and scrolls it into view.
    pub(super) fn select(&mut self, index: usize) {
        let index = index.min(self.order.len().saturating_sub(1));
        if self.level.view.kind == Kind::List {
            let last = self.order.len().saturating_sub(self.size.page());
            self.level.top = index.min(last);
            return;
        }
        self.level.selected = self.name_of(index).map(|name| name.cloned().collect());
        let page = self.size.page();
        if index < self.level.top {
            self.level.top = index;
        } else if index >= self.level.top + page {
            self.level.top = index + 1 - page;
        }
    }

    /// The largest number in a column.
    pub(super) fn largest(&self, column: usize) -> f64 {
        let cells = self.sample.rows.iter().filter_map(|row| row.cells.get(column));
        cells.map(Cell::as_f64).fold(0.0, f64::max)
    }

    /// Selects a row because somebody wants that one.
    pub(super) fn choose_row(&mut self, index: usize) {
        self.level.is_chosen = true;
        self.select(index);
    }

    /// Moves the selection.
    pub(super) fn move_by(&mut self, by: isize) {
        let at = match self.level.view.kind {
            Kind::List => self.level.top,
            _ => self.selected_index().unwrap_or(0),
        };
        self.choose_row(at.saturating_add_signed(by));
    }

    /// Whether one of the shown cells has the text, which is in lower case.
    pub(super) fn has_text(&self, row: &Row, text: &str) -> bool {
        let columns = self.level.layout.columns.iter();
        let mut shown = String::new();
        columns.zip(&row.cells).filter(|(column, _)| column.is_shown).any(|(column, value)| {
            shown.clear();
            cell::write(value, &column.field, &mut shown);
            shown.to_lowercase().contains(text)
        })
    }

    /// Selects the next row after the selected one that has the text. `false`: there is none.
    pub(super) fn search_rows(&mut self, from: usize) -> bool {
        let needle = self.search.to_lowercase();
        let count = self.order.len();
        let has = |at: &usize| {
            let row = self.order.get(*at).and_then(|row| self.sample.rows.get(*row));
            row.is_some_and(|row| self.has_text(row, &needle))
        };
        let found = (from..count).chain(0..from.min(count)).find(has);
        if let Some(at) = found {
            self.choose_row(at);
        }
        found.is_some()
    }
}
