//! Inputs made of other inputs.

/// Numbers that look random and are the same each time (splitmix64).
pub struct Draw(pub u64);

impl Draw {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound.max(1) as u64) as usize
    }
}

/// Where lengths and counts go wrong.
const EDGES: [u32; 12] = [0, 1, 2, 3, 12, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX];

/// One of `seeds` with a few changes; pieces of text are taken from `words`.
pub fn changed(draw: &mut Draw, seeds: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut bytes = seeds[draw.below(seeds.len())].clone();
    for _ in 0..=draw.below(6) {
        let at = draw.below(bytes.len());
        let end = (at + 1 + draw.below(64)).min(bytes.len());
        match draw.below(if words.is_empty() { 7 } else { 9 }) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << draw.below(8),
            1 if !bytes.is_empty() => bytes[at] = draw.number() as u8,
            2 if bytes.len() > at + 4 => {
                bytes[at..at + 4].copy_from_slice(&EDGES[draw.below(EDGES.len())].to_le_bytes());
            }
            3 if bytes.len() > at + 2 => {
                let edge = EDGES[draw.below(EDGES.len())] as u16;
                bytes[at..at + 2].copy_from_slice(&edge.to_le_bytes());
            }
            4 => drop(bytes.drain(at.min(end)..end)),
            5 => {
                let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                let to = draw.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            6 => {
                let other = &seeds[draw.below(seeds.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[draw.below(other.len())..]);
            }
            _ => {
                let word = words.get(draw.below(words.len())).copied().unwrap_or_default();
                bytes.splice(at..at, word.bytes());
            }
        }
    }
    bytes
}

/// Some records of the probe, most of them with lengths that fit.
pub fn records(draw: &mut Draw) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..=draw.below(12) {
        let mut body = Vec::new();
        let (args, pieces) = (draw.below(7), draw.below(6));
        for _ in 0..args {
            let word = match draw.below(3) {
                0 => draw.below(20) as u64,
                1 => u64::from(EDGES[draw.below(EDGES.len())]),
                _ => draw.number(),
            };
            body.extend(word.to_le_bytes());
        }
        for slot in 0..pieces {
            let longest = if draw.below(4) == 0 { 300 } else { 24 };
            let len = draw.below(longest);
            let told = if draw.below(12) == 0 { EDGES[draw.below(EDGES.len())] as u16 } else { len as u16 };
            body.extend(told.to_le_bytes());
            body.extend([slot as u8, if draw.below(6) == 0 { draw.below(5) as u8 } else { 0 }]);
            body.extend((0..len).map(|_| b"a/.\0\x02\x0a1\xff"[draw.below(8)]));
        }
        let mut record = draw.number().to_le_bytes().to_vec();
        let result = [0, 3, 7, -1, -2, -1000][draw.below(6)] as i64;
        record.extend(result.to_le_bytes());
        for id in [1 + draw.below(5), 1 + draw.below(3)] {
            record.extend((id as u32).to_le_bytes());
        }
        let told = if draw.below(16) == 0 { draw.number() as u32 } else { body.len() as u32 };
        record.extend(told.to_le_bytes());
        record.extend((draw.below(480) as u16).to_le_bytes());
        record.extend([draw.below(8) as u8, draw.below(4) as u8, args as u8, pieces as u8]);
        record.extend([0; 6]);
        record.extend(body);
        all.extend((record.len() as u16).to_le_bytes());
        all.extend(record);
    }
    all
}
