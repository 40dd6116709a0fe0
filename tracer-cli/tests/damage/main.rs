//! Damaged captures of several generations: what comes before the damage is shown, one error says where and in which
//! block it is, nothing panics, and memory stays within bounds.
//!
//! Everything is deterministic: the places are all there are, or drawn from a generator with a fixed seed.

mod capture;
mod memory;

use std::io::Write;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use capture::{Block, Capture, Run, run, word};

#[global_allocator]
static ALLOCATOR: memory::Counted = memory::Counted;

/// One for each generation: process lists 5 to 9, event blocks of versions 1 and 2 and with flags.
const CAPTURES: [&str; 5] = [
    "falcosecurity+libs_test_libsinsp_e2e_resources_captures_test_ipv6_client-2029ea2.scap",
    "falcosecurity+falco_test_trace_files_cat_write-c4cf36b.scap",
    "falcosecurity+libs_test_libsinsp_e2e_resources_captures_curl_google-26c88ba.scap",
    "s36-e-sockets.scap.gz",
    "head-e-sockets.scap.gz",
];

/// Memory that a damaged file may take beyond what the sound one takes.
const MORE_MEMORY: usize = 64 << 20;

/// One test at a time: they measure memory.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Numbers that look random and are the same each time (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// What holds for every file that is damaged from `block` on. Returns the error, if there is one.
#[track_caller]
fn check(capture: &Capture, block: Block, what: &str, run: &Run) -> Option<String> {
    let about = format!("{}, {what}", capture.name);
    let before = capture.lines_of(block.events_before);
    assert!(run.lines.starts_with(before), "{about}: events before the damage are missing or different");
    let limit = capture.clean.peak + MORE_MEMORY;
    assert!(run.peak <= limit, "{about}: {} bytes of memory, {limit} are allowed", run.peak);
    let error = run.error.as_ref()?;
    assert_eq!(error.lines().count(), 1, "{about}: {error}");
    // What is no capture is damaged at its start.
    if block.start == 0 && (error.contains("is not a capture") || error.contains("is empty")) {
        return Some(error.clone());
    }
    let at = number_behind(error, "cap.scap is damaged at byte ");
    let at = at.unwrap_or_else(|| panic!("{about}: no place in: {error}"));
    assert!(at >= block.start && at <= capture.bytes.len(), "{about}: {error}");
    if let Some(start) = number_behind(error, "block at byte ") {
        assert!((block.start..=at).contains(&start), "{about}: {error}");
    }
    Some(error.clone())
}

fn number_behind(text: &str, mark: &str) -> Option<usize> {
    let rest = text.split_once(mark)?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// That the damage was found, and in this block.
#[track_caller]
fn check_found(capture: &Capture, block: Block, what: &str, run: &Run) {
    let error = check(capture, block, what, run);
    let error = error.unwrap_or_else(|| panic!("{}, {what}: no error", capture.name));
    assert_eq!(run.events, block.events_before, "{}, {what}: {error}", capture.name);
    if block.start > 0 {
        let start = number_behind(&error, "block at byte ");
        assert!(start.is_none_or(|start| start == block.start), "{}, {what}: {error}", capture.name);
        assert!(start.is_some() || error.contains("no whole block"), "{}, {what}: {error}", capture.name);
    }
}

/// Nothing in the format says where a file ends: one that ends between two blocks is a shorter file.
#[test]
fn a_cut_between_blocks_is_the_end() {
    let _alone = alone();
    for capture in CAPTURES.map(Capture::open) {
        for block in capture.blocks.iter().skip(1) {
            let run = run(capture.bytes[..block.start].to_vec());
            let error = check(&capture, *block, &format!("cut at {}", block.start), &run);
            assert_eq!((error, run.events), (None, block.events_before), "{}", capture.name);
        }
    }
}

#[test]
fn a_cut_inside_a_block_is_told() {
    let _alone = alone();
    let mut draw = Draw(1);
    for capture in CAPTURES.map(Capture::open) {
        for _ in 0..500 {
            let at = draw.below(capture.bytes.len());
            let block = capture.block_of(at);
            if at != block.start {
                let run = run(capture.bytes[..at].to_vec());
                check_found(&capture, block, &format!("cut at {at}"), &run);
            }
        }
    }
}

#[test]
fn flipped_bits_do_no_harm() {
    let _alone = alone();
    let mut draw = Draw(2);
    for capture in CAPTURES.map(Capture::open) {
        let mut told = 0;
        for _ in 0..2000 {
            let (at, bit) = (draw.below(capture.bytes.len()), draw.below(8));
            let mut bytes = capture.bytes.clone();
            bytes[at] ^= 1 << bit;
            let run = run(bytes);
            let block = capture.block_of(at);
            let error = check(&capture, block, &format!("bit {bit} of byte {at} flipped"), &run);
            told += usize::from(error.is_some());
        }
        assert!(told > 20, "{}: only {told} flips were found", capture.name);
    }
}

#[test]
fn lengths_of_blocks_that_lie_are_told() {
    let _alone = alone();
    for capture in CAPTURES.map(Capture::open) {
        let step = capture.blocks.len() / 100 + 1;
        let lists = capture.blocks.iter().take_while(|block| block.events_before == 0);
        for block in lists.chain(capture.blocks.iter().step_by(step)) {
            let len = word(&capture.bytes, block.start + 4);
            for lie in [0, 3, 11, len - 4, len + 4, 1 << 16, 1 << 25, 1 << 31, u32::MAX - 3, u32::MAX] {
                let mut bytes = capture.bytes.clone();
                bytes[block.start + 4..block.start + 8].copy_from_slice(&lie.to_le_bytes());
                let run = run(bytes);
                check_found(&capture, *block, &format!("a length of {lie} at {}", block.start), &run);
            }
        }
    }
}

/// Numbers inside of blocks: lengths of entries and of texts, and how many there are.
#[test]
fn counts_of_four_billion_take_no_memory() {
    let _alone = alone();
    for capture in CAPTURES.map(Capture::open) {
        let step = capture.blocks.len() / 40 + 1;
        let lists = capture.blocks.iter().take_while(|block| block.events_before == 0);
        for block in lists.chain(capture.blocks.iter().step_by(step)) {
            for at in (block.start + 8..block.end - 4).step_by(2).take(40) {
                let mut bytes = capture.bytes.clone();
                let end = (at + 4).min(block.end - 4);
                bytes[at..end].fill(0xff);
                check(&capture, *block, &format!("all bits set at {at}"), &run(bytes));
            }
        }
    }
}

#[test]
fn cut_and_damaged_compressed_files_give_what_came_before() {
    let _alone = alone();
    let mut draw = Draw(3);
    for capture in CAPTURES.map(Capture::open) {
        for (kind, packed) in [("gzip", gzip(&capture.bytes)), ("zstd", zstd(&capture.bytes))] {
            let limit = run(packed.clone()).peak + MORE_MEMORY;
            for i in 0..100 {
                let at = 1 + draw.below(packed.len() - 1);
                let (what, bytes) = match i % 2 {
                    0 => (format!("{kind} cut at {at}"), packed[..at].to_vec()),
                    _ => {
                        let mut bytes = packed.clone();
                        bytes[at] ^= 1 << draw.below(8);
                        (format!("{kind}, a bit of byte {at} flipped"), bytes)
                    }
                };
                let run = run(bytes);
                assert!(run.peak <= limit, "{}, {what}: {} bytes of memory", capture.name, run.peak);
                if i % 2 == 0 {
                    assert!(capture.clean.lines.starts_with(&run.lines), "{}, {what}", capture.name);
                    let error = run.error.unwrap_or_else(|| panic!("{}, {what}: no error", capture.name));
                    let at = number_behind(&error, "at byte ");
                    let place = at.is_some_and(|at| at <= capture.bytes.len());
                    assert!(place || error.contains("is not a capture"), "{}, {what}: {error}", capture.name);
                }
            }
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes everything")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory takes everything")
}

/// The same through the program: standard output, one line of standard error, the exit status.
#[test]
fn the_program_shows_what_it_can_and_fails_with_one_line() {
    let _alone = alone();
    let folder = std::env::temp_dir().join(format!("tracer-damage-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for files");
    let file = folder.join("cap.scap");
    let mut draw = Draw(4);
    for capture in CAPTURES.map(Capture::open) {
        let mut flipped = capture.bytes.clone();
        let last = capture.blocks[capture.blocks.len() - 2];
        flipped[last.start + 5] ^= 1;
        let cut = draw.below(last.start) | 1;
        let variants = [
            (capture.block_of(cut), capture.bytes[..cut].to_vec()),
            (last, flipped),
            (last, gzip(&capture.bytes)),
        ];
        for (i, (block, mut bytes)) in variants.into_iter().enumerate() {
            if i == 2 {
                bytes.truncate(bytes.len() - 9);
            }
            std::fs::write(&file, bytes).expect("a file");
            let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
            let output = command.arg("-r").arg(&file).output().expect("tracer runs");
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(1), "{}: {err}", capture.name);
            assert!(err.starts_with("tracer: ") && err.lines().count() == 1, "{}: {err}", capture.name);
            assert!(err.contains("at byte "), "{}: {err}", capture.name);
            let lines: Vec<&str> = out.lines().collect();
            let before = capture.lines_of(block.events_before);
            assert!(
                lines.len() >= before.len() && before.iter().eq(&lines[..before.len()]),
                "{}",
                capture.name
            );
        }
    }
    std::fs::remove_dir_all(&folder).expect("the folder goes away");
}
