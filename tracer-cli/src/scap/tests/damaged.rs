use super::*;
use proptest::prelude::*;
use std::path::Path;
use std::sync::OnceLock;

/// Small real captures: old and new process lists, fd lists, containers, exit events only.
const NAMES: [&str; 4] = [
    "falcosecurity+falco_test_trace_files_cat_write-c4cf36b.scap",
    "sysflow_tests_setuid_setuid-39405e4.scap.gz",
    "falcosecurity+libs_test_libsinsp_e2e_resources_captures_single_ipv6_conn-10cce5b.scap",
    "head-e-sockets.scap.gz",
];

/// The files as they are, and without compression.
fn captures() -> &'static [(Vec<u8>, Vec<u8>)] {
    static CAPTURES: OnceLock<Vec<(Vec<u8>, Vec<u8>)>> = OnceLock::new();
    CAPTURES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
        NAMES
            .iter()
            .map(|name| {
                let packed = std::fs::read(folder.join(name)).unwrap();
                let mut plain = Vec::new();
                if std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&packed[..]), &mut plain)
                    .is_err()
                {
                    plain = packed.clone();
                }
                (packed, plain)
            })
            .collect()
    })
}

/// Where each block begins, and the end.
fn boundaries(plain: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let mut out = vec![0];
    while let Some(len) = plain.get(at + 4..at + 8) {
        at += u32::from_le_bytes(len.try_into().unwrap()) as usize;
        out.push(at);
    }
    out
}

#[test]
fn real_captures_are_read_to_their_end() {
    for (packed, plain) in captures() {
        let (whole, state) = read(packed);
        assert_eq!(whole.error, None);
        assert!(whole.events.len() > 20, "{}", state.len());
        assert_eq!(read(plain).0, whole);
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        assert_eq!(read(&zstd).0, whole);
        let twice = [&packed[..], packed].concat();
        assert_eq!(read(&twice).0.events.len(), 2 * whole.events.len());
    }
}

#[test]
fn a_cut_between_blocks_is_an_end_and_any_other_is_named_with_its_place() {
    for (_, plain) in captures() {
        let whole = read(plain).0;
        let boundaries = boundaries(plain);
        let step = boundaries.len() / 60 + 1;
        for at in boundaries.iter().skip(1).step_by(step) {
            let (out, _) = read(&plain[..*at]);
            assert_eq!(out.error, None, "cut at {at}");
            assert!(whole.events.starts_with(&out.events));
        }
        for at in boundaries.windows(2).step_by(step).flat_map(|w| [w[0] + 3, w[0] + 9, w[1] - 1]) {
            let (out, _) = read(&plain[..at]);
            let error = out.error.unwrap_or_default();
            assert!(
                error.contains("at byte") && error.contains("truncated") || at < 28,
                "cut at {at}: {error}"
            );
            assert!(whole.events.starts_with(&out.events));
        }
    }
}

#[test]
fn lengths_that_lie_are_errors() {
    let (_, plain) = &captures()[0];
    let whole = read(plain).0;
    for (i, at) in boundaries(plain).into_iter().enumerate().skip(1).step_by(9) {
        for lie in [0u32, 3, 11, 64 << 10, 1 << 31, u32::MAX] {
            let mut bytes = plain.clone();
            let Some(len) = bytes.get_mut(at + 4..at + 8) else { continue };
            len.copy_from_slice(&lie.to_le_bytes());
            let (out, _) = read(&bytes);
            let error = out.error.unwrap_or_default();
            assert!(error.contains("at byte"), "block {i}, length {lie}: {error}");
            assert!(whole.events.starts_with(&out.events));
        }
    }
}

#[test]
fn a_cut_compressed_file_gives_what_came_before() {
    for (packed, plain) in captures() {
        let whole = read(plain).0;
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        for packed in [packed, &zstd] {
            let (out, _) = read(&packed[..packed.len() * 3 / 4]);
            assert!(out.error.is_some_and(|e| e.contains("at byte")));
            assert!(whole.events.starts_with(&out.events));
        }
    }
}

proptest! {
    /// Any damage: events up to it, perhaps an error, never a panic.
    #[test]
    fn flipped_bits_are_survived(which in 0..NAMES.len(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..8)) {
        let mut bytes = captures()[which].1.clone();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let _ = read(&bytes);
    }

    #[test]
    fn any_bytes_in_any_block_are_survived(code in 0x201u32..0x223, body in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&[section(), block(code, &body)].concat());
    }
}
