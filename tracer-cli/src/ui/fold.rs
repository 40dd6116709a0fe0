//! Many values become one: a cell of a row while it is being filled.

use super::cell::Cell;
use super::spread::Spread;
use super::view::Aggregation;
use crate::fields::Value;
use crate::schema::ParamType;

/// A folded value and how many values are in it.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    pub value: Cell,
    count: u64,
    /// Of all values, for percentiles.
    spread: Option<Box<Spread>>,
}

impl Fold {
    /// Of one value; `count` is 0 for what stands for a missing one.
    pub fn first(value: Cell, count: u64, how: Aggregation) -> Self {
        let mut fold = Fold { value: Cell::Nothing, count: 0, spread: None };
        fold.take(value, count, how);
        fold
    }

    /// Takes another value; `count` is 0 for what stands for a missing one, and more for one that was folded already.
    pub fn take(&mut self, value: Cell, count: u64, how: Aggregation) {
        if how.percentile().is_some() && count > 0 {
            self.spread.get_or_insert_default().add(value.as_f64() as u64);
        }
        let had_none = self.value == Cell::Nothing;
        match how {
            _ if had_none => self.value = value,
            Aggregation::None => {
                // What stood in for a missing value makes room for the first real one.
                if self.count == 0 && count > 0 {
                    self.value = value;
                }
            }
            Aggregation::Sum | Aggregation::TimeAvg | Aggregation::Avg => self.value.add(&value),
            Aggregation::Min => {
                if count > 0 && (self.count == 0 || value < self.value) {
                    self.value = value;
                }
            }
            Aggregation::Max => {
                if value > self.value {
                    self.value = value;
                }
            }
            Aggregation::P50 | Aggregation::P95 | Aggregation::P99 => {}
        }
        self.count += count;
    }

    /// Takes a value that is there, without a cell for it where what is there already can be changed.
    #[inline]
    pub fn put(&mut self, value: &Value<'_>, how: Aggregation) {
        let is_in = match how {
            Aggregation::Sum | Aggregation::TimeAvg | Aggregation::Avg => self.value.add_value(value),
            Aggregation::Max => self.value.raise(value),
            _ => false,
        };
        match is_in {
            true => self.count += 1,
            false => self.take(Cell::of(value), 1, how),
        }
    }

    /// [`Fold::put`] for a number of which a sum is made.
    #[inline]
    pub fn put_double(&mut self, value: f64, how: Aggregation) {
        match (&mut self.value, how) {
            (Cell::Double(sum), Aggregation::Sum | Aggregation::TimeAvg | Aggregation::Avg) => {
                *sum += value;
                self.count += 1;
            }
            _ => self.put(&Value::Double(value), how),
        }
    }

    /// Takes the zero that stands for a value that is missing.
    #[inline]
    pub fn put_zero(&mut self, ty: ParamType, how: Aggregation) {
        if how == Aggregation::Max || self.value == Cell::Nothing {
            self.take(Cell::zero(ty), 0, how);
        }
    }

    /// Adds what was folded of later values.
    pub fn merge(&mut self, other: Fold, how: Aggregation) {
        if let Some(spread) = &other.spread {
            self.spread.get_or_insert_default().merge(spread);
        }
        let is_first = self.value == Cell::Nothing;
        match how {
            Aggregation::Sum | Aggregation::TimeAvg | Aggregation::Avg => self.value.add(&other.value),
            _ if is_first => self.value = other.value,
            Aggregation::None if self.count == 0 && other.count > 0 => self.value = other.value,
            Aggregation::Min if other.count > 0 && (self.count == 0 || other.value < self.value) => {
                self.value = other.value;
            }
            Aggregation::Max if other.value > self.value => self.value = other.value,
            _ => {}
        }
        self.count += other.count;
    }

    /// Whether no other value changes it: the first one stays, and texts are not added.
    pub fn is_final(&self, how: Aggregation) -> bool {
        match how {
            Aggregation::None => self.count > 0,
            Aggregation::Sum | Aggregation::TimeAvg | Aggregation::Avg => matches!(self.value, Cell::Text(_)),
            _ => false,
        }
    }

    /// The value after the first step; sums by second are divided only when they are shown.
    pub fn done(&self, how: Aggregation) -> Cell {
        let percentile = how.percentile().zip(self.spread.as_ref());
        if let Some(value) = percentile.and_then(|(part, spread)| spread.percentile(part)) {
            return self.value.with_number(value);
        }
        match how {
            Aggregation::Avg if self.count > 1 => self.value.divided(self.count as f64),
            _ => self.value.clone(),
        }
    }
}
