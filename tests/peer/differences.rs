//! Differences from sysdig that are explained: rows of `differences.tsv`.

use anyhow::{Context, Result};

/// One row: what tracer prints in the place of what sysdig prints.
pub struct Difference {
    /// Part of the names of the captures in which it occurs.
    capture: &'static str,
    sysdig: &'static str,
    tracer: &'static str,
}

/// The rows that may occur in a capture.
pub fn of_capture(name: &str) -> Result<Vec<Difference>> {
    let rows = include_str!("differences.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut differences = Vec::new();
    for row in rows {
        let mut columns = row.split('\t');
        let mut column = || columns.next().with_context(|| format!("differences.tsv: {row}"));
        let difference = Difference { capture: column()?, sysdig: column()?, tracer: column()? };
        column().context("the reason")?;
        if name.contains(difference.capture) {
            differences.push(difference);
        }
    }
    Ok(differences)
}

/// Whether numbers of events in this capture are not comparable, because sysdig 0.29.3 does not count events of types
/// that it does not know.
pub fn is_miscounted(name: &str) -> bool {
    include_str!("miscounted.txt").lines().any(|part| !part.starts_with('#') && name.contains(part))
}

/// Whether the rows explain all that differs between two lines.
pub fn explain(differences: &[Difference], sysdig: &[u8], tracer: &[u8]) -> bool {
    let tracer = String::from_utf8_lossy(tracer);
    let mut expected = String::from_utf8_lossy(sysdig).into_owned();
    for difference in differences {
        if tracer.contains(difference.tracer) {
            expected = expected.replace(difference.sysdig, difference.tracer);
        }
    }
    // Parameters that were appended to a type later: sysdig knows only the first ones.
    expected == tracer || expected.ends_with(' ') && tracer.starts_with(&expected) && tracer.contains('=')
}
