//! What a value says to somebody who looks for trouble, whatever it is a value of: that decides its colour.

use super::cell::Cell;
use super::layout::Column;
use super::view::Aggregation;

/// CPU, in percent of one, from which on a thread is busy, and from which on it has no rest.
const BUSY: f64 = 10.0;
const RESTLESS: f64 = 80.0;
/// Share of the allowed descriptors, in percent, from which on they become few.
const SCARCE: f64 = 80.0;
/// ns from which on a single call is slow for people.
const SLOW: u64 = 1_000_000_000;

/// What is to be seen of a value at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Plain,
    /// Nothing: a zero, the machine itself where containers are listed.
    Quiet,
    /// Came in, went out; as where data is shown.
    Read,
    Written,
    /// Worth a look.
    Notable,
    /// Failed, or about to.
    Alarming,
}

/// What a value of this column means.
pub fn of(cell: &Cell, column: &Column) -> Meaning {
    if is_zero(cell) {
        return Meaning::Quiet;
    }
    let name = column.field.field.name;
    match name {
        "evt.res" if !matches!(cell, Cell::Text(text) if text.as_ref() == b"SUCCESS") => Meaning::Alarming,
        "container.name" if matches!(cell, Cell::Text(text) if text.as_ref() == b"host") => Meaning::Quiet,
        "evt.latency" if column.fold != Aggregation::Sum && cell.as_f64() >= SLOW as f64 => Meaning::Notable,
        "proc.fdusage" if cell.as_f64() >= SCARCE => Meaning::Alarming,
        _ if name.starts_with("thread.cpu") => match cell.as_f64() {
            RESTLESS.. => Meaning::Alarming,
            BUSY.. => Meaning::Notable,
            _ => Meaning::Plain,
        },
        _ if name.starts_with("evt.count.error") => Meaning::Alarming,
        _ if name.starts_with("evt.buflen") && name.ends_with("in") => Meaning::Read,
        _ if name.starts_with("evt.buflen") && name.ends_with("out") => Meaning::Written,
        _ => Meaning::Plain,
    }
}

fn is_zero(cell: &Cell) -> bool {
    matches!(cell, Cell::Int(0) | Cell::Uint(0) | Cell::Reltime(0))
        // It is shown with two digits.
        || matches!(cell, Cell::Double(n) if n.abs() < 0.005)
}

/// Where in a command line the name of the program is: after its folders, before its arguments.
pub fn program_name(command: &str) -> std::ops::Range<usize> {
    let end = command.find(' ').unwrap_or(command.len());
    let begin = command.get(..end).and_then(|program| program.rfind('/')).map_or(0, |slash| slash + 1);
    begin..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields;

    fn column(field: &str, fold: Aggregation) -> Column {
        Column {
            heading: String::new(),
            description: String::new(),
            width: 8,
            field: fields::find(field).unwrap(),
            fold,
            group_fold: Aggregation::None,
            is_shown: true,
            is_bar: false,
        }
    }

    #[test]
    fn what_is_worth_a_look_is_told_apart() {
        let meaning = |field, fold, cell| of(&cell, &column(field, fold));
        let text = |text: &[u8]| Cell::Text(text.into());
        assert_eq!(meaning("thread.cpu", Aggregation::Avg, Cell::Double(0.001)), Meaning::Quiet);
        assert_eq!(meaning("thread.cpu", Aggregation::Avg, Cell::Double(2.0)), Meaning::Plain);
        assert_eq!(meaning("thread.cpu", Aggregation::Avg, Cell::Double(35.0)), Meaning::Notable);
        assert_eq!(meaning("thread.cpu.user", Aggregation::Avg, Cell::Double(99.0)), Meaning::Alarming);
        assert_eq!(meaning("evt.count.error.net", Aggregation::Sum, Cell::Uint(1)), Meaning::Alarming);
        assert_eq!(meaning("evt.res", Aggregation::None, text(b"ENOENT")), Meaning::Alarming);
        assert_eq!(meaning("evt.res", Aggregation::None, text(b"SUCCESS")), Meaning::Plain);
        assert_eq!(meaning("container.name", Aggregation::None, text(b"host")), Meaning::Quiet);
        assert_eq!(meaning("evt.buflen.net.in", Aggregation::TimeAvg, Cell::Double(5.0)), Meaning::Read);
        assert_eq!(meaning("evt.buflen.out", Aggregation::TimeAvg, Cell::Double(5.0)), Meaning::Written);
        assert_eq!(meaning("evt.latency", Aggregation::Max, Cell::Reltime(SLOW)), Meaning::Notable);
        assert_eq!(meaning("evt.latency", Aggregation::Sum, Cell::Reltime(SLOW)), Meaning::Plain);
    }

    #[test]
    fn programs_have_names() {
        let name = |command: &'static str| &command[program_name(command)];
        assert_eq!(name("/usr/sbin/haproxy -f /haproxy.cfg"), "haproxy");
        assert_eq!(name("-bash"), "-bash");
        assert_eq!(name("a/ b/c"), "");
        assert_eq!(name(""), "");
        assert_eq!(name("curl http://é/"), "curl");
    }
}
