//! Which row of a table the last event of a thread was counted in.
//!
//! Where all keys say something about the thread, its events belong to one row until a key changes. To compare the keys
//! is a fraction of the work of writing them down and looking them up.

use crate::fields::{FieldRef, ThreadValue, Value, thread_value};
use crate::state::thread::Thread;

/// Threads remembered; those whose numbers differ by a multiple of it displace each other.
const SLOTS: usize = 4096;

/// The rows that threads were counted in last.
pub struct ThreadRows {
    keys: Vec<ThreadValue>,
    slots: Vec<Slot>,
}

#[derive(Clone, Default)]
struct Slot {
    tid: i64,
    /// [`Thread::told`] when the keys were compared last: as long as that is the same, they are.
    told: u64,
    /// `None` before there is one.
    row: Option<usize>,
    /// The keys at that time, each behind its length.
    known: Vec<u8>,
}

impl ThreadRows {
    /// For a table with these keys; `None` when one of them is not about the thread alone.
    pub fn new<'a>(mut keys: impl Iterator<Item = &'a FieldRef>) -> Option<Self> {
        let values = keys.try_fold(Vec::new(), |mut values, key| {
            values.push(thread_value(key.field.name).filter(|_| key.arg.is_none())?);
            Some(values)
        });
        Some(Self { keys: values?, slots: vec![Slot::default(); SLOTS] })
    }

    /// The row of the thread, if it is the one that was [noted](ThreadRows::note) and its keys are the same.
    #[inline]
    pub fn find(&mut self, thread: &Thread) -> Option<usize> {
        let slot = self.slots.get_mut(place(thread))?;
        if slot.told == thread.told && slot.tid == thread.tid {
            return slot.row;
        }
        let mut known = slot.known.as_slice();
        let mut is_same =
            |key: &ThreadValue| with_bytes(key(thread), |bytes| take(&mut known) == Some(bytes));
        if slot.tid != thread.tid || !self.keys.iter().all(&mut is_same) {
            return None;
        }
        slot.told = thread.told;
        slot.row
    }

    /// Notes that an event of the thread was counted in this row.
    pub fn note(&mut self, thread: &Thread, row: usize) {
        let Some(slot) = self.slots.get_mut(place(thread)) else { return };
        (slot.tid, slot.told, slot.row) = (thread.tid, thread.told, Some(row));
        slot.known.clear();
        for key in &self.keys {
            with_bytes(key(thread), |bytes| {
                slot.known.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                slot.known.extend_from_slice(bytes);
            });
        }
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.row = None);
    }
}

#[inline]
fn place(thread: &Thread) -> usize {
    thread.tid.cast_unsigned() as usize % SLOTS
}

/// The next of some keys behind their lengths.
#[inline]
fn take<'a>(known: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = known.split_first_chunk()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *known = rest;
    Some(bytes)
}

/// Values of one field are of one kind, so that equal bytes are equal values.
#[inline]
fn with_bytes<R>(value: Value<'_>, then: impl FnOnce(&[u8]) -> R) -> R {
    match value {
        Value::Text(bytes) | Value::Buffer(bytes) => then(bytes),
        Value::Int(number) => then(&number.to_le_bytes()),
        Value::Uint(number) | Value::Reltime(number) | Value::Abstime(number) => then(&number.to_le_bytes()),
        Value::Double(number) => then(&number.to_le_bytes()),
        Value::Port(port) => then(&port.to_le_bytes()),
        Value::Bool(truth) => then(&[u8::from(truth)]),
        Value::Ip(ip) => then(ip.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::find;

    fn rows(keys: &[&str]) -> Option<ThreadRows> {
        let keys: Vec<FieldRef> = keys.iter().map(|key| find(key).unwrap()).collect();
        ThreadRows::new(keys.iter())
    }

    #[test]
    fn a_row_is_found_until_a_key_of_the_thread_changes() {
        let mut rows = rows(&["proc.name", "proc.pid"]).unwrap();
        let mut thread = Thread::new(8, 7);
        thread.comm = "ab".into();
        assert_eq!(rows.find(&thread), None);
        rows.note(&thread, 5);
        assert_eq!(rows.find(&thread), Some(5));
        for (told, (comm, pid)) in [("abc", 7), ("a", 7), ("ab", 9)].into_iter().enumerate() {
            let mut other = Thread::new(8, pid);
            other.comm = comm.into();
            other.told = told as u64 + 1;
            assert_eq!(rows.find(&other), None);
        }
        thread.told = 4;
        assert_eq!(rows.find(&thread), Some(5), "another fact about it changed");
        let mut neighbour = Thread::new(8 + SLOTS as i64, 7);
        neighbour.comm = "ab".into();
        assert_eq!(rows.find(&neighbour), None);
        rows.note(&neighbour, 5);
        assert_eq!((rows.find(&neighbour), rows.find(&thread)), (Some(5), None));
        rows.clear();
        assert_eq!(rows.find(&neighbour), None);
    }

    #[test]
    fn keys_about_more_than_the_thread_have_none() {
        assert!(rows(&["proc.name", "fd.name"]).is_none());
        assert!(rows(&["proc.name", "evt.type"]).is_none());
        assert!(rows(&[]).is_some());
    }
}
