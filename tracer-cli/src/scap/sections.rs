//! The sections of a plain capture, which several threads can read at the same time.
//!
//! Captures that were joined, and those of a flight recorder, have many sections; each begins with a state of its own. Where
//! they begin is known for certain only by who has read everything before. So places are looked for where the bytes
//! are those of a section header, and taken for the ends of *stretches*. Each stretch is read as a file of its own would
//! be. One that ends with a whole block proves that the next begins with one; one that does not, because a block only
//! had such bytes in it, ends with an error.

use super::block::{HEADER, SECTION, TRAILER};
use super::damage::CaptureError;
use super::file::{ReadOptions, Watched};
use super::frames::{Compression, MAGIC};
use super::indexed::Part;
use super::input::{Input, plain};
use super::reader::{BYTE_ORDER, CaptureSource};
use crate::source::SourceError;
use memchr::memmem;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Bytes that are looked through at a time.
const WINDOW: usize = 256 * 1024;
/// Of a section header: type, length, and what tells the order of bytes.
const TOLD: usize = HEADER + 4;

/// A capture without compression and with more than one section.
pub struct SectionedCapture {
    path: PathBuf,
    file: File,
    /// Bytes of a stretch, at least.
    least: u64,
}

/// Some sections that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    start: u64,
    /// `None`: up to the end of the file.
    pub end: Option<u64>,
}

impl SectionedCapture {
    /// Opens a file if it is a capture of several stretches of `least` bytes or a few more, and returns the first one.
    /// Where the second does not begin before twice as many bytes, nobody looks for it: that would take longer than
    /// it is worth.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find(path: &Path, least: u64) -> Result<Option<(Self, Stretch)>, SourceError> {
        let failed = |cause| CaptureError::Open { file: path.display().to_string(), cause: plain(cause) };
        let file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Ok(None);
        }
        let mut magic = [0; MAGIC];
        let is_plain =
            file.read_exact_at(&mut magic, 0).is_ok() && Compression::of(&magic) == Compression::None;
        let capture = Self { path: path.to_owned(), file, least };
        let end = if is_plain { capture.section_in(least, least.saturating_mul(2)) } else { None };
        Ok(end.map(|end| (capture, Stretch { start: 0, end: Some(end) })))
    }

    /// The stretch behind another one; `None` behind the last.
    pub fn after(&self, stretch: Stretch) -> Option<Stretch> {
        let start = stretch.end?;
        Some(Stretch { start, end: self.section_in(start.saturating_add(self.least), u64::MAX) })
    }

    /// Begins to read a stretch. `progress` counts its bytes.
    ///
    /// # Errors
    /// The file cannot be opened again.
    pub fn open(&self, stretch: Stretch, progress: Arc<AtomicU64>) -> Result<CaptureSource, SourceError> {
        let name = self.path.display().to_string();
        let failed = |cause| SourceError::Io { what: name.clone(), cause };
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(stretch.start)).map_err(failed)?;
        let options = ReadOptions { follow: false, progress: Some(progress) };
        let inner = Box::new(Watched { file, options });
        let left = stretch.end.map_or(u64::MAX, |end| end - stretch.start);
        let part = Part { inner, before: 0, left };
        let input = Input::part(name.clone(), part, Compression::None, stretch.start).map_err(failed)?;
        Ok(CaptureSource::of(input))
    }

    /// The first place from `from` up to `to` that has the bytes of a section header. What cannot be read is left to those
    /// who read the stretch.
    fn section_in(&self, mut from: u64, to: u64) -> Option<u64> {
        let mut window = vec![0; WINDOW];
        let finder = memmem::Finder::new(&MARK);
        while from < to {
            let read = match self.file.read_at(&mut window, from) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                read => read.ok()?,
            };
            let bytes = window.get(..read)?;
            if let Some(at) =
                finder.find_iter(bytes).find(|at| is_header(bytes.get(*at..).unwrap_or_default()))
            {
                return Some(from + at as u64);
            }
            // One that goes on behind the window is looked at again.
            from += read.checked_sub(TOLD).filter(|step| *step > 0)? as u64;
        }
        None
    }
}

const MARK: [u8; 4] = SECTION.to_le_bytes();

/// Whether a section header begins here that a reader takes for one.
fn is_header(bytes: &[u8]) -> bool {
    let word = |at: usize| bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
    word(4).is_some_and(|len| len as usize > TOLD + TRAILER) && word(HEADER) == Some(BYTE_ORDER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Next, Source};
    use crate::state::inspector::Inspector;
    use flate2::read::MultiGzDecoder;
    use std::io::{Read, Write};

    /// A file with these bytes that goes when it is dropped.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("tracer-sections-{}-{name}", std::process::id()));
            File::create(&path).unwrap().write_all(bytes).unwrap();
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn capture() -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures/head-e-sockets.scap.gz");
        let mut bytes = Vec::new();
        MultiGzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// A block of a type that nobody knows.
    fn block(body: &[u8]) -> Vec<u8> {
        let len = ((HEADER + TRAILER + body.len()) as u32).to_le_bytes();
        [&0x7777_u32.to_le_bytes()[..], &len, body, &len].concat()
    }

    /// Events of a source, and how it ended.
    fn count(mut source: CaptureSource) -> Result<u64, SourceError> {
        let mut inspector = Inspector::default();
        source.load_state(&mut inspector.state)?;
        let mut events = 0;
        loop {
            match source.next()? {
                Next::Event(_) => events += 1,
                Next::Section => source.load_state(&mut inspector.state)?,
                Next::End => return Ok(events),
                _ => {}
            }
        }
    }

    const STRETCH: u64 = 200_000;

    fn stretches(path: &Path) -> Vec<(Stretch, Result<u64, SourceError>)> {
        let Some((capture, first)) = SectionedCapture::find(path, STRETCH).unwrap() else {
            return Vec::new();
        };
        let all = std::iter::successors(Some(first), |stretch| capture.after(*stretch));
        let count = |stretch| count(capture.open(stretch, Arc::default()).unwrap());
        all.map(|stretch| (stretch, count(stretch))).collect()
    }

    #[test]
    fn stretches_have_all_events_of_the_file() {
        let one = capture();
        let times = (2 * STRETCH) as usize / one.len() + 3;
        let file = Scratch::new("whole", &one.repeat(times));
        let found = stretches(&file.0);
        assert!(found.len() >= 2 && found.last().unwrap().0.end.is_none());
        assert!(found.windows(2).all(|pair| pair[0].0.end == Some(pair[1].0.start)));
        let events: u64 = found.into_iter().map(|(_, events)| events.unwrap()).sum();
        let options = ReadOptions::default();
        assert_eq!(events, count(CaptureSource::open(&file.0, options).unwrap()).unwrap());
    }

    #[test]
    fn bytes_like_a_section_within_a_block_end_a_stretch_with_an_error() {
        let mut bytes = capture();
        // A block of a type that nobody knows, with captures in it.
        bytes.extend(block(&bytes.repeat(3)));
        let file = Scratch::new("within", &bytes);
        let found = stretches(&file.0);
        assert!(found.len() > 1 && found[0].1.is_err());
        assert!(count(CaptureSource::open(&file.0, ReadOptions::default()).unwrap()).is_ok());
    }

    #[test]
    fn what_has_no_second_section_soon_is_one_piece() {
        let one = capture();
        let late = block(&vec![0; 2 * STRETCH as usize]);
        for bytes in [one.clone(), [one.as_slice(), &late, &one].concat()] {
            let file = Scratch::new("long", &bytes);
            assert!(stretches(&file.0).is_empty());
        }
    }
}
