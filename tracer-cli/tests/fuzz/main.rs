//! The fuzz targets on a stable compiler, for a bounded time: the corpus as it is, then inputs made of it.
//!
//! The row of inputs is the same in each run; how far it goes depends on the time, two seconds for each target or
//! `TRACER_FUZZ_SECONDS`. The folder `fuzz/` has the same targets for cargo-fuzz, which learns from what it reaches.
//! What fails is written to a file, whose path the message tells; put it into `corpus/TARGET/` when it is mended.

#[path = "../damage/memory.rs"]
mod memory;
mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mutate::{Draw, changed, records};

#[global_allocator]
static ALLOCATOR: memory::Counted = memory::Counted;

/// Most memory that an input may take, whatever it says.
const MOST_MEMORY: usize = 64 << 20;

/// Feeds a target with its corpus, then with what `make` makes, until the time is over.
fn fuzz(name: &str, target: fn(&[u8]), corpus: &[Vec<u8>], mut make: impl FnMut(&mut Draw) -> Vec<u8>) {
    // One at a time: memory is measured.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = std::env::var("TRACER_FUZZ_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let end = Instant::now() + Duration::from_secs(seconds);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for file in found.filter_map(|entry| std::fs::read(entry.path()).ok()) {
        feed(name, target, &file);
    }
    for input in corpus {
        feed(name, target, input);
    }
    let mut draw = Draw(7);
    while Instant::now() < end {
        feed(name, target, &make(&mut draw));
    }
}

fn feed(name: &str, target: fn(&[u8]), input: &[u8]) {
    let (result, peak) = memory::peak_of(|| catch_unwind(AssertUnwindSafe(|| target(input))));
    if result.is_err() || peak > MOST_MEMORY {
        let file = std::env::temp_dir().join(format!("tracer-fuzz-{name}-{}", std::process::id()));
        std::fs::write(&file, input).expect("the input that failed can be kept");
        let what = if result.is_err() { "a panic".to_owned() } else { format!("{peak} bytes of memory") };
        panic!("{name}: {what}; the input is {}", file.display());
    }
}

/// The lines of a file of the corpus.
fn seeds(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

#[test]
fn reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let names = [
        "falcosecurity+libs_test_libsinsp_e2e_resources_captures_test_ipv6_client-2029ea2.scap",
        "falcosecurity+falco_test_trace_files_cat_write-c4cf36b.scap",
        "head-e-sockets.scap.gz",
        "s36-e-sockets.scap.gz",
    ];
    let mut corpus = Vec::new();
    for name in names {
        let packed = std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut plain = Vec::new();
        let unpacked = flate2::read::MultiGzDecoder::new(&packed[..]);
        if std::io::Read::read_to_end(&mut { unpacked }, &mut plain).is_err() {
            plain.clone_from(&packed);
        }
        corpus.push(without_long_lists(&plain));
        corpus.push(packed);
    }
    fuzz("reader", targets::reader, &corpus, |draw| changed(draw, &corpus, &[]));
}

/// A capture without the blocks that hold most of it and some hundred events: short inputs find more.
fn without_long_lists(plain: &[u8]) -> Vec<u8> {
    let (mut at, mut out) = (0, Vec::new());
    while let Some(header) = plain.get(at..at + 8) {
        let len = header.last_chunk().copied().map_or(0, u32::from_le_bytes) as usize;
        let block = plain.get(at..at + len).filter(|block| !block.is_empty());
        let Some(block) = block.filter(|_| out.len() < 32 << 10) else { break };
        if len < 8 << 10 {
            out.extend_from_slice(block);
        }
        at += len;
    }
    out
}

#[test]
fn decoder() {
    fuzz("decoder", targets::decoder, &[], records);
}

#[test]
fn filter() {
    let corpus = seeds(include_str!("corpus/filters.txt"));
    let words = [
        "and ", "or ", "not ", "(", ")", "\"", "'", "[", "]", "in (", "=", "!=", "\\", "regex ", "val(", "🦀",
    ];
    fuzz("filter", targets::filter, &corpus, |draw| changed(draw, &corpus, &words));
}

#[test]
fn template() {
    let corpus = seeds(include_str!("corpus/templates.txt"));
    let words = ["%", "%12", "%proc.aname[", "]", "\\", "\\e", "%evt.arg.", "*", "99999999999", "é"];
    fuzz("template", targets::template, &corpus, |draw| changed(draw, &corpus, &words));
}
