//! The parameters of an event, taken apart where somebody looks at one.
//!
//! Live sources make each parameter on its own. Captures have them one behind the other, behind a list of
//! their lengths, and most are never looked at.

/// Encoded parameters of an event; an empty one has no value.
#[derive(Clone, Copy)]
pub struct Params<'a>(Form<'a>);

#[derive(Clone, Copy)]
enum Form<'a> {
    List(&'a [&'a [u8]]),
    Packed(Packed<'a>),
}

/// Parameters one behind the other. Lengths that do not fit the bytes give parameters that are not there.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    /// Lengths and parameters are somewhere in these.
    pub bytes: &'a [u8],
    /// Where the first parameter begins.
    pub data: u32,
    /// Where the lengths begin.
    pub lens: u8,
    /// How many parameters there are.
    pub count: u8,
    /// A length has four bytes, not two.
    pub wide: bool,
}

impl<'a> Params<'a> {
    pub const NONE: Params<'static> = Params(Form::List(&[]));

    /// How many there are, those without a value included.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::List(list) => list.len(),
            Form::Packed(packed) => usize::from(packed.count),
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of parameter `i`.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&'a [u8]> {
        match &self.0 {
            Form::List(list) => list.get(i).copied(),
            Form::Packed(packed) => packed.get(i),
        }
    }

    /// One after the other.
    #[inline]
    pub fn iter(&self) -> Iter<'a> {
        match self.0 {
            Form::List(list) => Iter::List(list.iter()),
            Form::Packed(Packed { bytes, data, lens, count, wide }) => {
                let width = if wide { 4 } else { 2 };
                let lens = bytes.get(usize::from(lens)..).unwrap_or_default();
                Iter::Packed {
                    lens: lens.get(..usize::from(count) * width).unwrap_or_default(),
                    data: bytes.get(data as usize..).unwrap_or_default(),
                    wide,
                }
            }
        }
    }

    /// The first `count` of them, or all there are.
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        Params(match self.0 {
            Form::List(list) => Form::List(list.get(..count).unwrap_or(list)),
            Form::Packed(packed) => {
                let count = u8::try_from(count).map_or(packed.count, |count| packed.count.min(count));
                Form::Packed(Packed { count, ..packed })
            }
        })
    }
}

impl<'a> Packed<'a> {
    #[inline]
    fn get(&self, i: usize) -> Option<&'a [u8]> {
        if i >= usize::from(self.count) {
            return None;
        }
        let lens = self.bytes.get(usize::from(self.lens)..)?;
        let (before, len) = if self.wide {
            place(lens.as_chunks().0, i, wide)
        } else {
            place(lens.as_chunks().0, i, narrow)
        }?;
        let start = self.data as usize + before;
        self.bytes.get(start..start + len)
    }
}

#[inline]
fn narrow(len: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(len))
}

#[inline]
fn wide(len: [u8; 4]) -> usize {
    u32::from_le_bytes(len) as usize
}

/// How far behind the first parameter number `i` begins, and its length.
#[inline]
fn place<const N: usize>(lens: &[[u8; N]], i: usize, number: fn([u8; N]) -> usize) -> Option<(usize, usize)> {
    let mut lens = lens.iter();
    let mut before = 0;
    for _ in 0..i {
        before += number(*lens.next()?);
    }
    Some((before, number(*lens.next()?)))
}

/// The parameters of an event, one after the other.
pub enum Iter<'a> {
    List(std::slice::Iter<'a, &'a [u8]>),
    Packed { lens: &'a [u8], data: &'a [u8], wide: bool },
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Iter::List(list) => list.next().copied(),
            Iter::Packed { lens, data, wide: is_wide } => {
                let len = if *is_wide { cut(lens).map(wide) } else { cut(lens).map(narrow) }?;
                let (param, rest) = data.split_at_checked(len)?;
                *data = rest;
                Some(param)
            }
        }
    }
}

/// Takes the first length away.
#[inline]
fn cut<const N: usize>(lens: &mut &[u8]) -> Option<[u8; N]> {
    let (len, rest) = lens.split_first_chunk()?;
    *lens = rest;
    Some(*len)
}

impl<'a> IntoIterator for Params<'a> {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    #[inline]
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> From<&'a [&'a [u8]]> for Params<'a> {
    #[inline]
    fn from(list: &'a [&'a [u8]]) -> Self {
        Params(Form::List(list))
    }
}

impl<'a, const N: usize> From<&'a [&'a [u8]; N]> for Params<'a> {
    fn from(list: &'a [&'a [u8]; N]) -> Self {
        Params(Form::List(list))
    }
}

impl<'a> From<&'a Vec<&'a [u8]>> for Params<'a> {
    fn from(list: &'a Vec<&'a [u8]>) -> Self {
        Params(Form::List(list))
    }
}

impl<'a> From<Packed<'a>> for Params<'a> {
    #[inline]
    fn from(packed: Packed<'a>) -> Self {
        Params(Form::Packed(packed))
    }
}

impl std::fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These parameters in a row behind their lengths, with something before and behind.
    fn packed(list: &[&[u8]], wide: bool) -> Vec<u8> {
        let mut bytes = vec![9; 3];
        for param in list {
            let len = (param.len() as u32).to_le_bytes();
            bytes.extend_from_slice(if wide { &len } else { &len[..2] });
        }
        list.iter().for_each(|param| bytes.extend_from_slice(param));
        bytes.push(9);
        bytes
    }

    #[test]
    fn both_forms_give_the_same() {
        let lists: [&[&[u8]]; 3] = [&[], &[b"a"], &[b"", b"bc", b"", b"defg"]];
        for list in lists {
            for wide in [false, true] {
                let bytes = packed(list, wide);
                let data = 3 + list.len() * if wide { 4 } else { 2 };
                let (data, count) = (data as u32, list.len() as u8);
                let packed = Params::from(Packed { bytes: &bytes, data, lens: 3, count, wide });
                for most in [0, 1, 3, 300] {
                    let (packed, plain) = (packed.first(most), Params::from(list).first(most));
                    assert_eq!(packed.iter().collect::<Vec<_>>(), plain.iter().collect::<Vec<_>>());
                    assert_eq!((packed.len(), packed.is_empty()), (plain.len(), plain.is_empty()));
                    assert!((0..6).all(|i| packed.get(i) == plain.get(i)));
                }
            }
        }
    }

    #[test]
    fn lengths_that_lie_give_nothing() {
        let bytes = packed(&[b"ab", b"cd"], false);
        for (data, lens, count) in [(7, 3, 200), (200, 3, 2), (7, 200, 2), (u32::MAX, 255, 255)] {
            let params = Params::from(Packed { bytes: &bytes, data, lens, count, wide: false });
            assert!((0..255).all(|i| params.get(i).is_none_or(|param| param.len() < bytes.len())));
            assert!(params.iter().count() <= 255);
        }
    }
}
