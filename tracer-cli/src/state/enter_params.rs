//! Parameters of an enter event, kept until its exit.
//!
//! Exit events of the current schema repeat every argument; those of old captures do not, and then
//! this is where paths, addresses and flags come from. Kept only for the types whose exit changes
//! the state. The buffer is reused from call to call.

use crate::event::Event;
use crate::schema::EventType;
use smallvec::SmallVec;

/// Most bytes kept of one enter event; longer ones are not kept.
const MAX_BYTES: usize = 4096;

/// The kept enter event of a thread.
#[derive(Debug, Clone, Default)]
pub struct EnterParams {
    ty: Option<EventType>,
    bytes: Vec<u8>,
    /// End of each parameter in `bytes`.
    ends: SmallVec<[u16; 6]>,
}

impl EnterParams {
    /// Keeps the parameters of this event in place of the ones before.
    pub fn keep(&mut self, event: &Event<'_>) {
        self.clear();
        if event.params.iter().map(|p| p.len()).sum::<usize>() > MAX_BYTES {
            return;
        }
        self.ty = Some(event.ty);
        for param in event.params {
            self.bytes.extend_from_slice(param);
            self.ends.push(self.bytes.len() as u16);
        }
    }

    /// Forgets the event; the memory stays.
    #[inline]
    pub fn clear(&mut self) {
        if self.ty.take().is_some() {
            self.bytes.clear();
            self.ends.clear();
        }
    }

    /// The type of the kept event.
    #[inline]
    pub fn ty(&self) -> Option<EventType> {
        self.ty
    }

    /// How many parameters were kept.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of parameter `i`, `None` when it is absent or has no value.
    pub fn param(&self, i: usize) -> Option<&[u8]> {
        let end = usize::from(*self.ends.get(i)?);
        let start = match i.checked_sub(1) {
            Some(before) => usize::from(*self.ends.get(before)?),
            None => 0,
        };
        self.bytes.get(start..end).filter(|p| !p.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_back() {
        let mut kept = EnterParams::default();
        kept.keep(&Event::sample(EventType::SYSCALL_OPEN_E, &[b"/a\0", b"", b"\x01\0\0\0"]));
        assert_eq!(kept.ty(), Some(EventType::SYSCALL_OPEN_E));
        assert_eq!(kept.param(0), Some(&b"/a\0"[..]));
        assert_eq!(kept.param(1), None);
        assert_eq!(kept.param(2), Some(&b"\x01\0\0\0"[..]));
        assert_eq!(kept.param(3), None);
    }

    #[test]
    fn large_events_are_not_kept() {
        let mut kept = EnterParams::default();
        let large = vec![0; MAX_BYTES + 1];
        kept.keep(&Event::sample(EventType::SYSCALL_OPEN_E, &[b"/a\0"]));
        kept.keep(&Event::sample(EventType::SYSCALL_OPEN_E, &[&large]));
        assert_eq!(kept.ty(), None);
        assert_eq!(kept.param(0), None);
    }
}
