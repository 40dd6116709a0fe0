//! `chisel.count(field, bounds, modulo)`: counts events by the value of a field without Lua.
//!
//! A chisel that draws a distribution needs one number of each event. Asking for it from Lua costs more than reading
//! the event; here Lua sees the counts only, when it shows them.

use super::api_evt::{LuaValue, read_field};
use crate::fields::{Extraction, FieldRef};
use mlua::{Error, Lua, Result, Table, UserData, UserDataMethods};
use std::cell::RefCell;
use std::rc::Rc;

/// Places that a counter may have.
const MAX_PLACES: usize = 65_536;

/// Counts by the last bound that a value reaches.
pub struct Counter {
    field: FieldRef,
    /// Ascending; equal ones are one, which has the place of the last.
    bounds: Vec<f64>,
    /// What is left of a value after division by this counts.
    modulo: Option<f64>,
    /// One more than bounds: first the values below all of them.
    counts: Vec<u64>,
}

/// What Lua holds of a counter.
pub struct Handle(Rc<RefCell<Counter>>);

impl Counter {
    /// A counter of the values of `field`, all counts 0.
    ///
    /// # Errors
    /// Bounds that do not ascend or are too many, a modulo that is not above 0.
    pub fn new(field: FieldRef, bounds: Vec<f64>, modulo: Option<f64>) -> Result<Self> {
        if bounds.len() > MAX_PLACES {
            return Err(Error::runtime(format!("a counter has at most {MAX_PLACES} bounds")));
        }
        if !bounds.is_sorted_by(|a, b| a <= b) {
            return Err(Error::runtime("the bounds of a counter ascend"));
        }
        if modulo.is_some_and(|modulo| modulo.is_nan() || modulo <= 0.0) {
            return Err(Error::runtime("the modulo of a counter is above 0"));
        }
        let counts = vec![0; bounds.len() + 1];
        Ok(Self { field, bounds, modulo, counts })
    }

    /// Counts an event; one whose field has no number does not count.
    #[inline]
    pub fn event(&mut self, from: &Extraction<'_>, text: &mut Vec<u8>) {
        text.clear();
        if let LuaValue::Number(value) = read_field(&self.field, from, false, text) {
            self.count(value);
        }
    }

    /// Whether it counts how long calls take, in ns.
    pub fn is_of_latency(&self) -> bool {
        self.field.field.name == "evt.latency"
    }

    /// Counts a value of the field.
    #[inline]
    pub fn count(&mut self, value: f64) {
        // As Lua's `%`.
        let value = self.modulo.map_or(value, |modulo| value - (value / modulo).floor() * modulo);
        let place = self.bounds.partition_point(|bound| *bound <= value);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    /// The counts by place, from 1; what is below all bounds has none. They begin anew.
    fn take(&mut self, lua: &Lua) -> Result<Table> {
        let table = lua.create_table()?;
        for (place, count) in self.counts.iter_mut().enumerate() {
            if place > 0 && *count > 0 {
                table.raw_set(place, *count as f64)?;
            }
            *count = 0;
        }
        Ok(table)
    }
}

impl Handle {
    pub fn new(counter: &Rc<RefCell<Counter>>) -> Self {
        Self(Rc::clone(counter))
    }
}

impl UserData for Handle {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("take", |lua, this, ()| this.0.borrow_mut().take(lua));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields;

    fn counter(bounds: &[f64], modulo: Option<f64>) -> Result<Counter> {
        Counter::new(fields::find("evt.rawtime").unwrap(), bounds.to_vec(), modulo)
    }

    #[test]
    fn wrong_bounds_are_refused() {
        for (bounds, modulo) in
            [(&[2.0, 1.0][..], None), (&[1.0, f64::NAN], None), (&[1.0], Some(0.0)), (&[1.0], Some(f64::NAN))]
        {
            assert!(counter(bounds, modulo).is_err(), "{bounds:?} {modulo:?}");
        }
        assert!(counter(&vec![0.0; MAX_PLACES + 1], None).is_err());
        assert!(counter(&[], None).is_ok());
    }
}
