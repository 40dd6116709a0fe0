//! The body of a block that is no event, read piece by piece within its length.

use super::damage::Fault;
use super::input::Input;

/// What is left of a block, or of an entry in it.
pub(super) struct Body<'a> {
    input: &'a mut Input,
    left: u64,
}

impl<'a> Body<'a> {
    /// The next `len` bytes of `input`.
    pub fn new(input: &'a mut Input, len: u64) -> Self {
        Self { input, left: len }
    }

    /// Bytes not yet read.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// All that is left, if it has arrived.
    pub fn at_hand(&self) -> Option<&[u8]> {
        self.input.window().get(..usize::try_from(self.left).ok()?)
    }

    /// The next `n` bytes, called `what` when they are missing.
    #[inline]
    pub fn bytes(&mut self, n: usize, what: &'static str) -> Result<&[u8], Fault> {
        self.left = self.left.checked_sub(n as u64).ok_or(Fault::Overrun { what })?;
        if !self.input.has(n) {
            return Err(Fault::Cut { missing: n as u64 - self.input.window().len() as u64 });
        }
        Ok(self.input.take(n))
    }

    #[inline]
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Fault> {
        self.bytes(N, what)?.first_chunk().copied().ok_or(Fault::Overrun { what })
    }

    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Fault> {
        self.array(what).map(|[byte]| byte)
    }

    #[inline]
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Fault> {
        self.array(what).map(u16::from_le_bytes)
    }

    #[inline]
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_le_bytes)
    }

    #[inline]
    pub fn u64(&mut self, what: &'static str) -> Result<u64, Fault> {
        self.array(what).map(u64::from_le_bytes)
    }

    #[inline]
    pub fn i64(&mut self, what: &'static str) -> Result<i64, Fault> {
        self.array(what).map(i64::from_le_bytes)
    }

    /// Text with its length (u16) before it.
    #[inline]
    pub fn text(&mut self, what: &'static str) -> Result<&[u8], Fault> {
        let len = self.u16(what)?;
        self.bytes(usize::from(len), what)
    }

    /// An entry of `len` bytes; it must be finished before more is read from `self`.
    pub fn entry(&mut self, len: u64, what: &'static str) -> Result<Body<'_>, Fault> {
        self.left = self.left.checked_sub(len).ok_or(Fault::Overrun { what })?;
        Ok(Body { input: self.input, left: len })
    }

    /// Leaves out what was not read.
    pub fn finish(self) -> Result<(), Fault> {
        match self.input.skip(self.left) {
            0 => Ok(()),
            missing => Err(Fault::Cut { missing }),
        }
    }
}
