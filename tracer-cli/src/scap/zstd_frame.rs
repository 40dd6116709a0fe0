//! How long a zstd frame is, without decompressing it (RFC 8878, 3.1.1).

use std::fs::File;
use std::os::unix::fs::FileExt;

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// Bytes of the frame that begins at `at`; `None` when none does or the file ends within it.
pub(super) fn len(file: &File, at: u64) -> Option<u64> {
    let head: [u8; 5] = read(file, at)?;
    let (magic, descriptor) = head.split_first_chunk::<4>()?;
    if *magic != MAGIC {
        return None;
    }
    let descriptor = *descriptor.first()?;
    let is_single_segment = descriptor & 0x20 != 0;
    let window = u64::from(!is_single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content_size = match descriptor >> 6 {
        0 => u64::from(is_single_segment),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let checksum = if descriptor & 4 != 0 { 4 } else { 0 };
    let mut end = at + head.len() as u64 + window + dictionary + content_size;
    loop {
        let [a, b, c] = read(file, end)?;
        let header = u32::from_le_bytes([a, b, c, 0]);
        let size = u64::from(header >> 3);
        // A block of one byte that is repeated has that byte alone.
        let stored = if header >> 1 & 3 == 1 { 1 } else { size };
        end = end.checked_add(3 + stored)?;
        if header & 1 != 0 {
            break;
        }
    }
    let end = end + checksum;
    (end <= file.metadata().ok()?.len()).then_some(end - at)
}

fn read<const N: usize>(file: &File, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn frames_end_where_the_next_begins() {
        let mut noise = 1_u32;
        let mut noisy = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        let contents: [Vec<u8>; 4] =
            [vec![], vec![7; 1 << 20], (0..500_000).map(|_| noisy()).collect(), b"short".to_vec()];
        let mut file = tempfile();
        let mut ends = vec![];
        let mut at = 0;
        for content in &contents {
            let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
            compressor.include_checksum(content.len() % 2 == 0).unwrap();
            let packed = compressor.compress(content).unwrap();
            file.write_all(&packed).unwrap();
            ends.push((at, packed.len() as u64));
            at += packed.len() as u64;
            // Without the size of its content in front.
            let packed = zstd::stream::encode_all(&content[..], 1).unwrap();
            file.write_all(&packed).unwrap();
            ends.push((at, packed.len() as u64));
            at += packed.len() as u64;
        }
        for (at, wanted) in ends {
            assert_eq!(len(&file, at), Some(wanted));
        }
        assert_eq!((len(&file, at), len(&file, 1)), (None, None));
        file.set_len(at - 1).unwrap();
        let last = at - zstd::stream::encode_all(&contents[3][..], 1).unwrap().len() as u64;
        assert_eq!(len(&file, last), None);
    }

    fn tempfile() -> File {
        let path = std::env::temp_dir().join(format!("tracer-zstd-frame-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }
}
