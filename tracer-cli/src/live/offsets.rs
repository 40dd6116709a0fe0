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

    const PTR: u32 = 2;

    /// BTF as the kernel writes it, made by hand.
    #[derive(Default)]
    struct Blob {
        types: Vec<u8>,
        strings: Vec<u8>,
    }

    impl Blob {
        fn name(&mut self, name: &str) -> u32 {
            if self.strings.is_empty() {
                self.strings.push(0);
            }
            if name.is_empty() {
                return 0;
            }
            let at = self.strings.len() as u32;
            self.strings.extend(name.as_bytes());
            self.strings.push(0);
            at
        }

        fn word(&mut self, word: u32) {
            self.types.extend(word.to_le_bytes());
        }

        /// Fixed part of a type: kind, number of members, size or type.
        fn head(&mut self, name: &str, kind: u32, count: u32, size_or_type: u32) {
            let name = self.name(name);
            self.word(name);
            self.word(kind << 24 | count);
            self.word(size_or_type);
        }

        fn structure(&mut self, name: &str, kind: u8, size: u32, members: &[(&str, u32, u32)]) {
            self.head(name, u32::from(kind), members.len() as u32, size);
            for (name, ty, byte) in members {
                let name = self.name(name);
                self.word(name);
                self.word(*ty);
                self.word(byte * 8);
            }
        }

        fn bytes(self) -> Vec<u8> {
            let mut out = vec![0x9f, 0xeb, 1, 0];
            let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
            for word in [24, 0, types, types, strings] {
                out.extend(word.to_le_bytes());
            }
            out.extend(self.types);
            out.extend(self.strings);
            out
        }
    }

    /// A task with a name behind a typedef, an anonymous union and an array of counters in a
    /// structure.
    fn kernel() -> KernelTypes {
        let mut b = Blob::default();
        b.head("int", u32::from(INT), 0, 4); // 1
        b.word(32);
        b.head("pid_t", 8, 0, 1); // 2: typedef int
        b.head("", PTR, 0, 0); // 3
        b.structure("", UNION, 8, &[("first", 2, 0), ("second", 3, 0)]); // 4
        b.structure("counter", STRUCT, 40, &[("lock", 1, 0), ("count", 3, 8)]); // 5
        b.head("", u32::from(ARRAY), 0, 0); // 6: counter[4]
        for word in [5, 1, 4] {
            b.word(word);
        }
        b.structure("stat", STRUCT, 160, &[("counters", 6, 0)]); // 7
        b.structure("task", STRUCT, 200, &[("pid", 2, 16), ("", 4, 24), ("stat", 7, 32)]); // 8
        KernelTypes::parse(b.bytes()).unwrap()
    }

    #[test]
    fn members_are_found_by_path() {
        let kernel = kernel();
        for (path, expected) in [
            ("task.pid", Some(16)),
            ("task.first", Some(24)),
            ("task.second", Some(24)),
            ("counter.count", Some(8)),
            ("task.gone|task.pid", Some(16)),
            ("task.gone", None),
            ("task.pi", None),
            ("nothing.pid", None),
            ("sizeof counter", Some(40)),
            ("sizeof task.stat[]", Some(40)),
            ("sizeof nothing", None),
        ] {
            assert_eq!(kernel.resolve(path), expected, "{path}");
        }
    }

    #[test]
    fn types_that_refer_to_themselves_are_no_trap() {
        let mut b = Blob::default();
        b.head("loop", 8, 0, 1);
        b.structure("", STRUCT, 8, &[("", 2, 0)]);
        b.structure("task", STRUCT, 8, &[("", 2, 0), ("a", 1, 0)]);
        let kernel = KernelTypes::parse(b.bytes()).unwrap();
        assert_eq!(kernel.resolve("task.b"), None);
        assert_eq!(kernel.resolve("sizeof task.a"), None);
    }
}
