//! Reads a capture for its index, and writes that beside it.

use super::damage::CaptureError;
use super::frames::{Compression, MAGIC};
use super::index::{Contents, Record, Subject};
use super::index_build::{Border, Borders, Builder, Collected, Granularity};
use super::indexed::beside;
use super::input::{Input, plain};
use super::reader::CaptureSource;
use crate::source::SourceError;
use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use zstd::stream::read::Decoder;

/// Reads a whole capture and tells what is in it.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn survey(path: &Path) -> Result<Contents, SourceError> {
    let mut collected = Collected::default();
    let builder =
        builder(path, &open(path)?, Granularity { checkpoint: u64::MAX, ..Granularity::default() })?;
    let facts = builder.run(&mut |record| {
        collected.add(record, 0);
        Ok(())
    })?;
    Ok(collected.into_contents(facts, 0))
}

/// Makes the index of a capture and writes it beside it, in the place of one that is there already.
/// Returns the name of the file.
///
/// # Errors
/// The capture cannot be read or is damaged; the index cannot be written, or a file that is none has its
/// name.
pub fn write_beside(path: &Path, granularity: Granularity) -> Result<PathBuf, SourceError> {
    let file = open(path)?;
    let target = beside(path);
    let failed = |cause| SourceError::Io { what: target.display().to_string(), cause };
    if let Ok(old) = File::open(&target)
        && old.metadata().is_ok_and(|meta| meta.len() > 0)
        && !matches!(Record::read(&old, 0), Some(Record::Subject(_)))
    {
        return Err(failed(io::Error::other("this file is no index, and stays as it is")));
    }
    // What comes to its end is an index, and nothing else has its name.
    let mut unfinished = target.clone().into_os_string();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let written = write(path, &file, granularity, &unfinished);
    if let Err(e) = written.and_then(|()| std::fs::rename(&unfinished, &target).map_err(failed)) {
        // It may not even have been made.
        let _ = std::fs::remove_file(&unfinished);
        return Err(e);
    }
    Ok(target)
}

fn write(path: &Path, file: &File, granularity: Granularity, target: &Path) -> Result<(), SourceError> {
    let failed = |cause| SourceError::Io { what: target.display().to_string(), cause };
    let mut out = io::BufWriter::new(File::create(target).map_err(failed)?);
    let mut at = 0;
    let mut put = |record: &Record, at: &mut u64| -> io::Result<u64> {
        let bytes = record.to_bytes()?;
        out.write_all(&bytes)?;
        Ok(std::mem::replace(at, *at + bytes.len() as u64))
    };
    put(&Record::Subject(Subject::of(file).map_err(failed)?), &mut at).map_err(failed)?;
    let mut collected = Collected::default();
    let facts = builder(path, file, granularity)?.run(&mut |record| {
        // The contents have all frames.
        let place = if matches!(record, Record::Frames(_)) { at } else { put(&record, &mut at)? };
        collected.add(record, place);
        Ok(())
    })?;
    put(&Record::Contents(collected.into_contents(facts, at)), &mut at).map_err(failed)?;
    out.flush().map_err(failed)
}

fn open(path: &Path) -> Result<File, SourceError> {
    let failed = |cause| CaptureError::Open { file: path.display().to_string(), cause: plain(cause) };
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no regular file")).into());
    }
    Ok(file)
}

fn builder(path: &Path, file: &File, granularity: Granularity) -> Result<Builder, SourceError> {
    let name = path.display().to_string();
    let failed = |cause| SourceError::Io { what: name.clone(), cause };
    let mut file = file.try_clone().map_err(failed)?;
    file.rewind().map_err(failed)?;
    let mut magic = Vec::with_capacity(MAGIC);
    (&file).take(MAGIC as u64).read_to_end(&mut magic).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let compression = Compression::of(&magic);
    if compression == Compression::None {
        let input = Input::part(name.clone(), file, compression, 0).map_err(failed)?;
        return Ok(Builder::new(CaptureSource::of(input), None, granularity));
    }
    let borders = Borders::default();
    let members = Members::new(file, compression, borders.clone()).map_err(failed)?;
    let input = Input::part(name.clone(), members, Compression::None, 0).map_err(failed)?;
    Ok(Builder::new(CaptureSource::of(input), Some(borders), granularity))
}

/// Counts what is taken.
struct Counted {
    inner: BufReader<File>,
    at: u64,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read(out).inspect(|n| self.at += *n as u64)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.inner.consume(n);
        self.at += n as u64;
    }
}

/// A member of a gzip file, or a frame of a zstd file.
enum Member {
    Gzip(Box<GzDecoder<Counted>>),
    Zstd(Decoder<'static, Counted>),
}

impl Member {
    fn new(file: Counted, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Zstd => Member::Zstd(Decoder::with_buffer(file)?.single_frame()),
            Compression::Gzip | Compression::None => Member::Gzip(Box::new(GzDecoder::new(file))),
        })
    }

    fn into_inner(self) -> Counted {
        match self {
            Member::Gzip(member) => member.into_inner(),
            Member::Zstd(frame) => frame.finish(),
        }
    }
}

/// What is in a compressed file, with the borders of its members.
struct Members {
    compression: Compression,
    /// `None` at the end.
    member: Option<Member>,
    borders: Borders,
    start: u64,
}

impl Members {
    fn new(file: File, compression: Compression, borders: Borders) -> io::Result<Self> {
        let file = Counted { inner: BufReader::with_capacity(256 << 10, file), at: 0 };
        let member = Some(Member::new(file, compression)?);
        Ok(Self { compression, member, borders, start: 0 })
    }
}

impl Read for Members {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let n = match member {
                Member::Gzip(member) => member.read(out)?,
                Member::Zstd(frame) => frame.read(out)?,
            };
            if n > 0 {
                self.start += n as u64;
                return Ok(n);
            }
            let Some(mut file) = self.member.take().map(Member::into_inner) else { break };
            self.borders.push(Border { start: self.start, offset: file.at });
            if !file.fill_buf()?.is_empty() {
                self.member = Some(Member::new(file, self.compression)?);
            }
        }
        Ok(0)
    }
}
