//! Histograms for chisels: `sysdig.histogram(digits)`, whose percentiles are exact to so many digits.

use hdrhistogram::Histogram as Counts;
use mlua::{Error, Lua, Result, Table, UserData, UserDataMethods};
use std::cell::Cell;
use std::rc::Rc;

/// Bytes that the histograms of a chisel may take: they are not in the memory that Lua counts.
const MAX_BYTES: usize = 64 << 20;
/// Histograms of one chisel, as each has some memory that [`MAX_BYTES`] does not count.
const MAX_HISTOGRAMS: usize = 65_536;
/// Significant digits when none are given.
const DIGITS: u8 = 3;

/// What the histograms of a chisel take together.
#[derive(Debug, Default)]
struct Used {
    bytes: Cell<usize>,
    histograms: Cell<usize>,
}

struct Histogram {
    counts: Counts<u64>,
    /// What of [`Used`] is this one's.
    bytes: usize,
    used: Rc<Used>,
}

/// Adds the function to the table.
///
/// # Errors
/// A lack of memory.
pub fn add(lua: &Lua, table: &Table) -> Result<()> {
    let used = Rc::new(Used::default());
    let histogram = lua.create_function(move |_, digits: Option<u8>| {
        // It grows with what is recorded.
        let counts = Counts::new(digits.unwrap_or(DIGITS))
            .map_err(|_| Error::runtime("a histogram has 0 to 5 significant digits"))?;
        if used.histograms.get() >= MAX_HISTOGRAMS {
            return Err(Error::runtime("too many histograms"));
        }
        used.histograms.set(used.histograms.get() + 1);
        let mut histogram = Histogram { counts, bytes: 0, used: Rc::clone(&used) };
        histogram.account()?;
        Ok(histogram)
    })?;
    table.raw_set("histogram", histogram)
}

impl Histogram {
    /// Counts a value; what is below 0 counts as 0, what is behind the point does not count.
    fn record(&mut self, value: f64) -> Result<()> {
        self.counts.record(value as u64).map_err(|e| Error::runtime(e.to_string()))?;
        self.account()
    }

    /// Enters what it takes by now.
    fn account(&mut self) -> Result<()> {
        let bytes = self.counts.distinct_values() * size_of::<u64>();
        self.used.bytes.set(self.used.bytes.get() - self.bytes + bytes);
        self.bytes = bytes;
        match self.used.bytes.get() > MAX_BYTES {
            true => Err(Error::runtime("histograms take too much memory")),
            false => Ok(()),
        }
    }
}

impl Drop for Histogram {
    fn drop(&mut self) {
        self.used.bytes.set(self.used.bytes.get().saturating_sub(self.bytes));
        self.used.histograms.set(self.used.histograms.get().saturating_sub(1));
    }
}

impl UserData for Histogram {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("record", |_, this, value: f64| this.record(value));
        methods.add_method_mut("reset", |_, this, ()| {
            this.counts.reset();
            Ok(())
        });
        methods.add_method("count", |_, this, ()| Ok(this.counts.len() as f64));
        methods.add_method("min", |_, this, ()| Ok(this.counts.min() as f64));
        methods.add_method("max", |_, this, ()| Ok(this.counts.max() as f64));
        methods.add_method("mean", |_, this, ()| Ok(this.counts.mean()));
        methods.add_method("percentile", |_, this, percent: f64| {
            Ok(this.counts.value_at_quantile((percent / 100.0).clamp(0.0, 1.0)) as f64)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> Lua {
        let lua = Lua::new();
        let table = lua.create_table().unwrap();
        add(&lua, &table).unwrap();
        lua.globals().raw_set("sysdig", table).unwrap();
        lua
    }

    #[test]
    fn percentiles_are_exact_to_the_digits() {
        let source = "local h = sysdig.histogram(3) for i = 1, 1000 do h:record(i * 1000) end
            return h:count(), h:percentile(50), h:percentile(99), h:max()";
        let (count, half, most, max): (f64, f64, f64, f64) = state().load(source).eval().unwrap();
        assert_eq!(count, 1000.0);
        for (got, exact) in [(half, 500_000.0), (most, 990_000.0), (max, 1_000_000.0)] {
            assert!((got - exact).abs() <= exact / 1000.0, "{got} {exact}");
        }
    }

    #[test]
    fn their_memory_is_limited() {
        let source =
            "all = {} while true do local h = sysdig.histogram(5) h:record(1e18) all[#all + 1] = h end";
        let error = state().load(source).exec().unwrap_err().to_string();
        assert!(error.contains("too much memory"), "{error}");
        assert!(state().load("sysdig.histogram(9)").exec().is_err());
    }
}
