//! Bytes in the records of an index: copied as a whole, where a `Vec<u8>` goes through serde byte by byte.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Any bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Whole)
    }
}

/// A list of texts, in one piece of memory: a length (u32, little endian) before each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts(Bytes);

impl Texts {
    /// The texts in order; up to where the list is damaged.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.0.as_slice();
        std::iter::from_fn(move || {
            let (len, behind) = rest.split_first_chunk::<4>()?;
            let text;
            (text, rest) = behind.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            Some(text)
        })
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for Texts {
    /// Texts of 4 GiB and more are cut.
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut bytes = Vec::new();
        for text in texts {
            let len = u32::try_from(text.as_ref().len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend(text.as_ref().iter().take(len as usize));
        }
        Self(Bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_in_order() {
        let list = [&b"cat"[..], b"", b"a\0b\xff"];
        let texts: Texts = list.into_iter().collect();
        assert!(texts.iter().eq(list));
        let damaged = Texts(Bytes(texts.0.0[..9].to_vec()));
        assert!(damaged.iter().eq([&b"cat"[..]]));
    }
}
