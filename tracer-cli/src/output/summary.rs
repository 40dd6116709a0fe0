//! `-S`: how often each event happened.

use crate::event::Event;
use crate::schema::{EventType, names, tables};
use std::io::{self, Write};

/// Rows that are shown.
const TOP: usize = 100;
/// Characters of a name that are shown.
const NAME_WIDTH: usize = 16;

/// Counts events by type, generic ones by system call.
#[derive(Debug, Clone)]
pub struct Summary {
    by_type: Vec<u64>,
    /// By the schema's system call code; enter and exit.
    generic: [Vec<u64>; 2],
}

impl Default for Summary {
    fn default() -> Self {
        let calls = tables::SYSCALL_NAMES.len();
        Self { by_type: vec![0; tables::EVENTS.len()], generic: [vec![0; calls], vec![0; calls]] }
    }
}

impl Summary {
    /// Counts one event.
    #[inline]
    pub fn count(&mut self, event: &Event<'_>) {
        let call = match event.ty {
            EventType::GENERIC_E | EventType::GENERIC_X => {
                event.u64(0).and_then(|code| u16::try_from(code).ok())
            }
            _ => None,
        };
        self.count_kind(event.ty, call, 1);
    }

    /// Counts `n` events of a type, of a generic one those of the call with this code.
    #[inline]
    pub fn count_kind(&mut self, ty: EventType, call: Option<u16>, n: u64) {
        let slot = call.and_then(|code| self.generic[usize::from(ty.0 & 1)].get_mut(usize::from(code)));
        if let Some(count) = slot.or_else(|| self.by_type.get_mut(usize::from(ty.0))) {
            *count += n;
        }
    }

    /// Adds the counts of another part.
    pub fn add(&mut self, other: &Self) {
        let tables = std::iter::once((&mut self.by_type, &other.by_type));
        for (to, from) in tables.chain(self.generic.iter_mut().zip(&other.generic)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
    }

    /// Count, name and whether it is an enter event: most frequent first, where counts are equal in the
    /// order of the schema.
    pub fn rows(&self) -> Vec<(u64, &'static str, bool)> {
        let mut rows = Vec::new();
        for (i, count) in self.by_type.iter().enumerate() {
            if let Some(info) = tables::EVENTS.get(i) {
                rows.push((*count, info.name, info.ty.is_enter()));
            }
        }
        for (counts, is_enter) in self.generic.iter().zip([true, false]) {
            for (code, count) in counts.iter().enumerate() {
                let name = u16::try_from(code).ok().and_then(names::syscall_name);
                rows.push((*count, name.unwrap_or("syscall"), is_enter));
            }
        }
        rows.retain(|row| row.0 > 0);
        rows.sort_by_key(|row| std::cmp::Reverse(row.0));
        rows
    }

    /// Writes the rows as a table.
    ///
    /// # Errors
    /// What `out` reports.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        const RULE: &str = "----------------------";
        writeln!(out, "{RULE}\n{:NAME_WIDTH$}#Calls\n{RULE}", "Event")?;
        for (count, name, is_enter) in self.rows().into_iter().take(TOP) {
            let direction = if is_enter { '>' } else { '<' };
            writeln!(out, "{direction} {name:NAME_WIDTH$.NAME_WIDTH$}{count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_frequent_first_and_generic_calls_by_name() {
        let mut summary = Summary::default();
        let getpid = names::syscall_by_name("sysinfo").unwrap_or(0).to_le_bytes();
        for _ in 0..3 {
            summary.count(&Event::sample(EventType::SYSCALL_READ_X, &[]));
        }
        summary.count(&Event::sample(EventType::SYSCALL_READ_E, &[]));
        summary.count(&Event::sample(EventType::GENERIC_X, &[&getpid]));
        summary.count(&Event::sample(EventType::GENERIC_X, &[&getpid]));
        summary.count(&Event::sample(EventType::GENERIC_E, &[&[0xff, 0xff]]));
        summary.count(&Event::sample(EventType(9999), &[]));
        let mut out = Vec::new();
        summary.write(&mut out).unwrap();
        let expected = "\
----------------------
Event           #Calls
----------------------
< read            3
< sysinfo         2
> syscall         1
> read            1
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn long_names_are_cut() {
        let mut summary = Summary::default();
        let longest = tables::EVENTS.iter().max_by_key(|e| e.name.len()).unwrap();
        summary.count(&Event::sample(longest.ty, &[]));
        let mut out = Vec::new();
        summary.write(&mut out).unwrap();
        let last = String::from_utf8(out).unwrap().lines().last().unwrap().to_owned();
        assert_eq!(last[2..], format!("{}1", &longest.name[..NAME_WIDTH]));
    }
}
