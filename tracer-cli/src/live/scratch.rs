//! Memory of the decoder that lasts from event to event.

use std::mem::MaybeUninit;

/// Most parameters of an event type.
pub const MAX_PARAMS: usize = 32;

/// Room for the parameter list of one event.
///
/// The list points into the record and into the decoder, so its type names a lifetime that differs
/// from event to event; that is why its memory is kept as bytes nobody reads in between.
pub struct ParamSlots([MaybeUninit<&'static [u8]>; MAX_PARAMS]);

impl ParamSlots {
    pub const fn new() -> Self {
        ParamSlots([MaybeUninit::uninit(); MAX_PARAMS])
    }

    /// A list of `count` empty parameters, at most [`MAX_PARAMS`].
    #[inline]
    pub fn lend<'a>(&'a mut self, count: usize) -> &'a mut [&'a [u8]] {
        let count = count.min(MAX_PARAMS);
        let slots = &mut self.0[..count];
        for slot in slots.iter_mut() {
            slot.write(&[]);
        }
        // SAFETY: the first `count` slots were just written, and types that differ in a lifetime
        // have one layout. What is put into the list through the result lives for 'a, during which
        // `self` is borrowed; afterwards the slots are never read before they are written again.
        unsafe { std::slice::from_raw_parts_mut(slots.as_mut_ptr().cast::<&'a [u8]>(), count) }
    }
}

/// Bytes that parameters are put together in, one after the other.
pub struct Area<'a> {
    free: &'a mut [u8],
    len: usize,
}

impl<'a> Area<'a> {
    pub fn new(free: &'a mut [u8]) -> Self {
        Area { free, len: 0 }
    }

    /// Appends to the parameter under construction; what does not fit is left out.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        let room = self.free.get_mut(self.len..).unwrap_or_default();
        let n = bytes.len().min(room.len());
        room[..n].copy_from_slice(&bytes[..n]);
        self.len += n;
    }

    /// Bytes of the parameter under construction so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Ends the parameter under construction.
    #[inline]
    pub fn finish(&mut self) -> &'a [u8] {
        let (done, free) = std::mem::take(&mut self.free).split_at_mut(self.len);
        self.free = free;
        self.len = 0;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_follow_each_other() {
        let mut memory = [0; 8];
        let mut area = Area::new(&mut memory);
        area.push(b"ab");
        area.push(b"c");
        let first = area.finish();
        area.push(b"0123456789");
        assert_eq!((first, area.finish()), (&b"abc"[..], &b"01234"[..]));
        area.push(b"full");
        assert_eq!(area.finish(), b"");
    }

    #[test]
    fn slots_are_empty_again_each_time() {
        let mut slots = ParamSlots::new();
        let text = String::from("gone");
        slots.lend(3)[1] = text.as_bytes();
        drop(text);
        assert!(slots.lend(40).iter().all(|p| p.is_empty()));
    }
}
