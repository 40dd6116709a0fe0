//! A capture whose blocks are known, and what tracer makes of its bytes.

use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use tracer::fields::ExtractOptions;
use tracer::output::template::Template;
use tracer::output::text::{DEFAULT_TEMPLATE, Format, Lines};
use tracer::pipeline::{Pipeline, Rules};
use tracer::scap::CaptureSource;
use tracer::source::Source;
use tracer::state::inspector::Inspector;

use crate::memory::peak_of;

/// Codes of blocks that hold an event.
const EVENT_BLOCKS: [u32; 6] = [0x204, 0x208, 0x216, 0x217, 0x221, 0x222];

/// Events of a capture that are used: damage is not found sooner or later for there being more, and every file is read
/// thousands of times.
const EVENTS: u64 = 120;

/// One block of a sound file.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub start: usize,
    pub end: usize,
    /// Events in the blocks before this one.
    pub events_before: u64,
}

/// A sound capture.
pub struct Capture {
    pub name: &'static str,
    /// Uncompressed.
    pub bytes: Vec<u8>,
    pub blocks: Vec<Block>,
    /// What a run over it gives.
    pub clean: Run,
}

/// What a run gave.
pub struct Run {
    /// Lines of the default output, one for each event that is shown.
    pub lines: Vec<String>,
    pub events: u64,
    pub error: Option<String>,
    /// Most memory in use, in bytes.
    pub peak: usize,
}

impl Capture {
    pub fn open(name: &'static str) -> Capture {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures").join(name);
        let packed = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut bytes = Vec::new();
        if packed.starts_with(&[0x1f, 0x8b]) {
            let unpacked = flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut bytes);
            unpacked.unwrap_or_else(|e| panic!("{name}: {e}"));
        } else {
            bytes = packed;
        }
        let (mut blocks, mut at, mut events) = (Vec::new(), 0, 0);
        while at < bytes.len() && events < EVENTS {
            let end = at + word(&bytes, at + 4) as usize;
            assert!(end > at, "{name} has no block at {at}");
            blocks.push(Block { start: at, end, events_before: events });
            events += u64::from(EVENT_BLOCKS.contains(&word(&bytes, at)));
            at = end;
        }
        bytes.truncate(at);
        let clean = run(bytes.clone());
        assert_eq!((&clean.error, clean.events), (&None, events), "{name} itself is sound");
        Capture { name, bytes, blocks, clean }
    }

    /// The block that the byte at `at` is in.
    pub fn block_of(&self, at: usize) -> Block {
        let found = self.blocks.iter().find(|block| block.end > at);
        *found.unwrap_or_else(|| panic!("{} has no byte {at}", self.name))
    }

    /// The lines that the sound file gives for its first `events`.
    pub fn lines_of(&self, events: u64) -> &[String] {
        let number = |line: &String| line.split(' ').next().and_then(|n| n.parse::<u64>().ok());
        let end = self.clean.lines.partition_point(|line| number(line).is_some_and(|n| n <= events));
        &self.clean.lines[..end]
    }
}

/// The little-endian number at `at`.
pub fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Shows what is in a file with these bytes, as `tracer -r FILE` does.
pub fn run(bytes: Vec<u8>) -> Run {
    let ((lines, events, error), peak) = peak_of(|| show(bytes));
    let lines = lines.lines().map(str::to_owned).collect();
    Run { lines, events, error, peak }
}

fn show(bytes: Vec<u8>) -> (String, u64, Option<String>) {
    let mut out = Vec::new();
    let mut pipeline = Pipeline::new(Rules::default());
    let result = (|| {
        let mut source = CaptureSource::of_reader("cap.scap", Cursor::new(bytes))?;
        let mut inspector = Inspector::default();
        source.load_state(&mut inspector.state)?;
        let template = Template::parse(DEFAULT_TEMPLATE).expect("the default template");
        let mut lines = Lines::new(&mut out, Format::Text(template), ExtractOptions::default(), false);
        pipeline.run(&mut source, &mut inspector, &mut lines, &AtomicBool::new(false))
    })();
    let text = String::from_utf8(out).expect("the output is UTF-8");
    (text, pipeline.totals().events, result.err().map(|e| e.to_string()))
}
