//! Memory of the decoder that lasts from event to event.

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
}
