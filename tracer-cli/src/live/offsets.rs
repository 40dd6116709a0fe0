//! Where the running kernel keeps what the probe reads.
//!
//! The kernel describes its own structures in BTF (`/sys/kernel/btf/vmlinux`,
//! Documentation/bpf/btf.rst). Only what member offsets need is read here, without building a type
//! graph: some 100,000 types take a few milliseconds.

use rustc_hash::FxHashMap;
use std::cell::RefCell;
use tracer_common::config::Offsets;

/// Why the kernel's BTF is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    #[error("{path}: {cause}")]
    Unreadable { path: &'static str, cause: std::io::Error },
    #[error("{path}: not BTF ({what} at byte {at})")]
    Malformed { path: &'static str, what: &'static str, at: usize },
}

/// The kernel's description of itself.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const INT: u8 = 1;
const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const FUNC_PROTO: u8 = 13;
const VAR: u8 = 14;
const DATASEC: u8 = 15;
const DECL_TAG: u8 = 17;
const ENUM64: u8 = 19;

/// A BTF blob with the position of each type.
pub struct KernelTypes {
    bytes: Vec<u8>,
    strings: std::ops::Range<usize>,
    /// Byte position of type *i + 1*.
    at: Vec<u32>,
    structs: RefCell<FxHashMap<&'static str, Option<u32>>>,
}

#[derive(Clone, Copy)]
struct Type {
    name: u32,
    kind: u8,
    flag: bool,
    count: u32,
    /// Size in bytes, or the type referred to.
    size_or_type: u32,
    /// Position of what follows the fixed part.
    rest: usize,
}

impl KernelTypes {
    pub fn of_running_kernel() -> Result<Self, BtfError> {
        let bytes = std::fs::read(VMLINUX).map_err(|cause| BtfError::Unreadable { path: VMLINUX, cause })?;
        Self::parse(bytes)
    }

    pub fn parse(bytes: Vec<u8>) -> Result<Self, BtfError> {
        let malformed = |what, at| BtfError::Malformed { path: VMLINUX, what, at };
        let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        let get = |at| word(at).map(|w| w as usize).ok_or(malformed("the header is cut", at));
        if bytes.get(..2) != Some(&[0x9f, 0xeb]) {
            return Err(malformed("wrong magic", 0));
        }
        let header = get(4)?;
        let types = header.saturating_add(get(8)?);
        let end = types.saturating_add(get(12)?);
        let strings = header.saturating_add(get(16)?);
        let strings = strings..strings.saturating_add(get(20)?);
        if end > bytes.len() || strings.end > bytes.len() {
            return Err(malformed("a section is cut", bytes.len()));
        }
        let mut at = Vec::with_capacity(1 << 17);
        let mut position = types;
        while position + 12 <= end {
            at.push(position as u32);
            let info = word(position + 4).unwrap_or(0);
            let count = (info & 0xffff) as usize;
            position += 12
                + match (info >> 24 & 0x1f) as u8 {
                    INT | VAR | DECL_TAG => 4,
                    ARRAY => 12,
                    STRUCT | UNION | DATASEC | ENUM64 => count * 12,
                    ENUM | FUNC_PROTO => count * 8,
                    _ => 0,
                };
        }
        Ok(Self { bytes, strings, at, structs: RefCell::default() })
    }

    fn word(&self, at: usize) -> u32 {
        self.bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    fn type_at(&self, id: u32) -> Option<Type> {
        let at = *self.at.get((id as usize).checked_sub(1)?)? as usize;
        let info = self.word(at + 4);
        Some(Type {
            name: self.word(at),
            kind: (info >> 24 & 0x1f) as u8,
            flag: info >> 31 == 1,
            count: info & 0xffff,
            size_or_type: self.word(at + 8),
            rest: at + 12,
        })
    }

    fn is_named(&self, name: u32, expected: &str) -> bool {
        let start = self.strings.start + name as usize;
        let end = start + expected.len();
        end < self.strings.end
            && self.bytes.get(start..end) == Some(expected.as_bytes())
            && self.bytes.get(end) == Some(&0)
    }

    /// Id of the structure with this name.
    fn find(&self, name: &'static str) -> Option<u32> {
        *self.structs.borrow_mut().entry(name).or_insert_with(|| {
            (1..=self.at.len() as u32)
                .find(|id| self.type_at(*id).is_some_and(|t| t.kind == STRUCT && self.is_named(t.name, name)))
        })
    }

    /// The type behind typedefs, qualifiers and tags.
    fn strip(&self, mut id: u32) -> Option<(u32, Type)> {
        for _ in 0..32 {
            let t = self.type_at(id)?;
            // TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG
            if !matches!(t.kind, 8..=11 | 18) {
                return Some((id, t));
            }
            id = t.size_or_type;
        }
        None
    }

    /// Offset in bytes and type of a member, also inside anonymous members.
    fn member(&self, id: u32, name: &str, depth: u32) -> Option<(u32, u32)> {
        let (_, t) = self.strip(id)?;
        if !matches!(t.kind, STRUCT | UNION) || depth > 8 {
            return None;
        }
        for i in 0..t.count as usize {
            let at = t.rest + i * 12;
            let (member, ty, bits) = (self.word(at), self.word(at + 4), self.word(at + 8));
            let bits = if t.flag { bits & 0xff_ffff } else { bits };
            if member == 0 {
                if let Some((inner, ty)) = self.member(ty, name, depth + 1) {
                    return Some((bits / 8 + inner, ty));
                }
            } else if self.is_named(member, name) {
                return Some((bits / 8, ty));
            }
        }
        None
    }

    fn size(&self, id: u32) -> Option<u32> {
        let (_, t) = self.strip(id)?;
        match t.kind {
            INT | STRUCT | UNION | ENUM | ENUM64 => Some(t.size_or_type),
            2 => Some(8),
            ARRAY => Some(self.size(self.word(t.rest))?.checked_mul(self.word(t.rest + 8))?),
            _ => None,
        }
    }

    /// Offset and type at the end of `struct.member.member`.
    fn walk(&self, path: &'static str) -> Option<(u32, u32)> {
        let mut parts = path.split('.');
        let mut id = self.find(parts.next()?)?;
        let mut offset = 0;
        for name in parts {
            let (at, ty) = self.member(id, name, 0)?;
            offset += at;
            id = ty;
        }
        Some((offset, id))
    }

    /// Answers one path of [`Offsets`]: `struct.member`, alternatives separated by `|`,
    /// `sizeof struct`, or `sizeof struct.member[]` for the size of one array element (of a
    /// structure that holds an array: of its only member's element).
    pub fn resolve(&self, path: &'static str) -> Option<u32> {
        if let Some(of) = path.strip_prefix("sizeof ") {
            let (of, element) = match of.strip_suffix("[]") {
                Some(of) => (of, true),
                None => (of, false),
            };
            let (_, mut id) = self.walk(of)?;
            if element {
                for _ in 0..3 {
                    let (_, t) = self.strip(id)?;
                    match t.kind {
                        ARRAY => return self.size(self.word(t.rest)),
                        STRUCT => id = self.array_member(t)?,
                        _ => return None,
                    }
                }
                return None;
            }
            return self.size(id);
        }
        path.split('|').find_map(|p| Some(self.walk(p)?.0))
    }

    /// Type of the first array member of a structure.
    fn array_member(&self, t: Type) -> Option<u32> {
        (0..t.count as usize).find_map(|i| {
            let ty = self.word(t.rest + i * 12 + 4);
            let (_, member) = self.strip(ty)?;
            (member.kind == ARRAY).then_some(ty)
        })
    }

    /// Everything the probe asks for.
    pub fn offsets(&self) -> Offsets {
        Offsets::resolve(|path| self.resolve(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_an_error() {
        assert!(KernelTypes::parse(vec![]).is_err());
        assert!(KernelTypes::parse(vec![0x9f, 0xeb, 1, 0]).is_err());
        let mut header = vec![0x9f, 0xeb, 1, 0, 24, 0, 0, 0];
        header.extend([0xff; 16]);
        assert!(KernelTypes::parse(header).is_err());
    }

    #[test]
    fn the_running_kernel_has_the_fields_that_matter() {
        let Ok(types) = KernelTypes::of_running_kernel() else {
            eprintln!("no kernel BTF on this machine: nothing to look at");
            return;
        };
        let offsets = types.offsets();
        for (name, offset) in [
            ("task_pid", offsets.task_pid),
            ("task_real_parent", offsets.task_real_parent),
            ("files_fdt", offsets.files_fdt),
            ("mm_arg_start", offsets.mm_arg_start),
            ("rss_counter_size", offsets.rss_counter_size),
        ] {
            assert_ne!(offset, tracer_common::config::ABSENT, "{name}");
        }
        assert_eq!(offsets.upid_nr, 0);
    }
}
