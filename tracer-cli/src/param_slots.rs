//! Memory for the parameter list of the event that a source lends out, from event to event.

use std::mem::MaybeUninit;

/// Most parameters of an event type.
pub const MAX_PARAMS: usize = 32;

/// Room for the parameter list of one event.
///
/// The list points into the record and into the decoder, so its type names a lifetime that differs
/// from event to event; that is why its memory is kept as bytes nobody reads in between.
pub struct ParamSlots([MaybeUninit<&'static [u8]>; MAX_PARAMS]);

impl Default for ParamSlots {
    fn default() -> Self {
        Self::new()
    }
}

impl ParamSlots {
    pub const fn new() -> Self {
        ParamSlots([MaybeUninit::uninit(); MAX_PARAMS])
    }

    /// A list of these parameters, of the first [`MAX_PARAMS`] if there are more.
    #[inline]
    pub fn lend_filled<'a>(&'a mut self, params: impl Iterator<Item = &'a [u8]>) -> &'a mut [&'a [u8]] {
        let slots = self.0.as_mut_ptr().cast::<&'a [u8]>();
        let mut count = 0;
        let mut params = params;
        while count < MAX_PARAMS
            && let Some(param) = params.next()
        {
            // SAFETY: fewer than MAX_PARAMS were written, so there is another slot; types that differ in a
            // lifetime have one layout.
            unsafe { slots.add(count).write(param) };
            count += 1;
        }
        // SAFETY: the first `count` slots were just written. Their parameters live for 'a, during which
        // `self` is borrowed; afterwards the slots are never read before they are written again.
        unsafe { std::slice::from_raw_parts_mut(slots, count) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_empty_again_each_time() {
        let mut slots = ParamSlots::new();
        let text = String::from("gone");
        slots.lend(3)[1] = text.as_bytes();
        drop(text);
        assert!(slots.lend(40).iter().all(|p| p.is_empty()));
    }

    #[test]
    fn lists_have_what_they_are_filled_with() {
        let mut slots = ParamSlots::new();
        assert_eq!(slots.lend_filled([&b"a"[..], b"", b"bc"].into_iter()), [&b"a"[..], b"", b"bc"]);
        assert_eq!(slots.lend_filled(std::iter::repeat(&b"x"[..])).len(), MAX_PARAMS);
        assert!(slots.lend_filled(std::iter::empty()).is_empty());
    }
}
