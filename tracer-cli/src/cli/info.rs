//! `tracer info` and `tracer index`: what is in a capture.

use crate::output::summary::Summary;
use crate::scap::{self, Contents, Found, Granularity, IndexedCapture, Texts};
use crate::schema::EventType;
use crate::source::SourceError;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What the last name of a list stands for.
const MORE: &str = "…";
/// Columns of a list of names.
const WIDTH: usize = 100;

/// What is known of a capture.
pub struct Info {
    path: PathBuf,
    bytes: u64,
    compression: &'static str,
    /// Where the index is; `None`: there is none.
    index: Option<&'static str>,
    contents: Contents,
}

impl Info {
    /// Finds out about a capture: from its index, as far as that goes, or else by reading it. `say` is told in words what
    /// takes its time, or is not as it should be.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn of(path: &Path, say: &mut dyn FnMut(&str)) -> Result<Self, SourceError> {
        let name = path.display();
        let found = IndexedCapture::find(path)?;
        let bytes = path.metadata().map_or(0, |meta| meta.len());
        let compression = scap::compression_of(path)?;
        let info = |index, contents| Ok(Self { path: path.to_owned(), bytes, compression, index, contents });
        match found {
            Found::Index(capture) => {
                let place = match (capture.is_complete(), capture.is_beside()) {
                    (false, _) => "in the file, which was not completed",
                    (true, true) => "beside the file",
                    (true, false) => "in the file",
                };
                return info(Some(place), capture.into_contents()?);
            }
            Found::Stale(index) => say(&format!(
                "{} is not the index of {name} as it is now; reading all of it (tracer index {name} makes it anew)",
                index.display()
            )),
            Found::Nothing => {
                say(&format!("{name} has no index; reading all of it (tracer index {name} makes one)"));
            }
        }
        info(None, scap::survey(path)?)
    }

    fn names(&self) -> Names {
        Names::of(self.contents.frames.iter().map(|frame| frame.names.as_ref()))
    }

    fn containers(&self) -> Names {
        Names::of(self.contents.frames.iter().map(|frame| frame.containers.as_ref()))
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for (key, count) in self.contents.frames.iter().flat_map(|frame| &frame.kinds) {
            summary.count_kind(EventType(key.ty), key.call, *count);
        }
        summary
    }

    /// First and last time, ns since the epoch.
    fn times(&self) -> Option<(u64, u64)> {
        let frames = || self.contents.frames.iter().filter(|frame| frame.first_ts <= frame.last_ts);
        Some((frames().map(|frame| frame.first_ts).min()?, frames().map(|frame| frame.last_ts).max()?))
    }

    fn plain_bytes(&self) -> u64 {
        self.contents.frames.last().map_or(0, |frame| frame.start + frame.size)
    }

    /// Writes it for people.
    ///
    /// # Errors
    /// What `out` reports.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let facts = &self.contents.facts;
        writeln!(out, "File        {}", self.path.display())?;
        let plain = self.plain_bytes();
        writeln!(out, "Size        {} ({}; {} of events)", size(self.bytes), self.compression, size(plain))?;
        let machine = if facts.hostname.is_empty() { "unknown" } else { &facts.hostname };
        writeln!(out, "Machine     {machine:?}, {} CPUs, {}", facts.cpus, size(facts.memory))?;
        let events = self.contents.events();
        if let Some((first, last)) = self.times() {
            let seconds = (last - first) as f64 / 1e9;
            writeln!(out, "From        {}", time(first))?;
            writeln!(out, "To          {}", time(last))?;
            writeln!(out, "Duration    {seconds:.6} s")?;
            let rate = if seconds > 0.0 { events as f64 / seconds } else { 0.0 };
            writeln!(out, "Events      {events} ({rate:.0} a second)")?;
        } else {
            writeln!(out, "Events      {events}")?;
        }
        let (late, unknown, drops) = self.losses();
        writeln!(out, "Losses      {drops} reports of lost events, {late} late, {unknown} of unknown types")?;
        match self.index {
            Some(place) => writeln!(
                out,
                "Index       {place}: {} frames, {} checkpoints",
                self.contents.frames.len(),
                self.contents.checkpoints.len()
            )?,
            None => writeln!(out, "Index       none")?,
        }
        self.names().write("Programs", out)?;
        self.containers().write("Containers", out)?;
        self.summary().write(out)
    }

    /// Events delivered late, events of unknown types, reports of lost events.
    fn losses(&self) -> (u64, u64, u64) {
        let frames = &self.contents.frames;
        let is_drop = |ty: u16| matches!(EventType(ty), EventType::DROP_E | EventType::DROP_X);
        let drops = frames.iter().flat_map(|frame| &frame.kinds).filter(|(key, _)| is_drop(key.ty));
        (
            frames.iter().map(|frame| frame.late).sum(),
            frames.iter().map(|frame| frame.unknown).sum(),
            drops.map(|(_, count)| count).sum(),
        )
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let (late, unknown, drops) = self.losses();
        let facts = &self.contents.facts;
        let times = self.times();
        let kinds = self.summary().rows().into_iter().map(|(count, name, is_enter)| {
            json!({ "type": name, "dir": if is_enter { ">" } else { "<" }, "count": count })
        });
        json!({
            "file": self.path.to_string_lossy(),
            "bytes": self.bytes,
            "plain_bytes": self.plain_bytes(),
            "compression": self.compression,
            "hostname": facts.hostname,
            "cpus": facts.cpus,
            "memory": facts.memory,
            "first": times.map(|(first, _)| first),
            "last": times.map(|(_, last)| last),
            "events": self.contents.events(),
            "late": late,
            "unknown": unknown,
            "drops": drops,
            "index": self.index.map(|place| json!({
                "place": place,
                "frames": self.contents.frames.len(),
                "checkpoints": self.contents.checkpoints.len(),
            })),
            "programs": self.names().json(),
            "containers": self.containers().json(),
            "types": kinds.collect::<Vec<_>>(),
        })
    }
}

/// Makes an index and says so.
///
/// # Errors
/// The capture cannot be read, or the index not be written.
pub fn index(path: &Path, say: &mut dyn FnMut(&str)) -> Result<(), SourceError> {
    if let Found::Index(capture) = IndexedCapture::find(path)?
        && capture.is_complete()
        && !capture.is_beside()
    {
        say(&format!("{} has an index in itself", path.display()));
        return Ok(());
    }
    let written = scap::write_beside(path, Granularity::default())?;
    say(&format!("wrote {}", written.display()));
    Ok(())
}

/// Names from all frames.
struct Names {
    names: BTreeSet<Vec<u8>>,
    /// There are others: some frames have too many to list.
    more: bool,
}

impl Names {
    fn of<'a>(lists: impl Iterator<Item = Option<&'a Texts>>) -> Self {
        let (mut names, mut more) = (BTreeSet::new(), false);
        for list in lists {
            more |= list.is_none();
            for name in list.into_iter().flat_map(Texts::iter) {
                // Notes about containers have a name of that kind; nothing runs by it.
                if !name.starts_with(b"container:") && !names.contains(name) {
                    names.insert(name.to_vec());
                }
            }
        }
        Self { names, more }
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        let safe = |name: &Vec<u8>| String::from_utf8_lossy(name).escape_debug().to_string();
        self.names.iter().map(safe).chain(self.more.then(|| MORE.to_owned()))
    }

    fn write(&self, title: &str, out: &mut dyn Write) -> io::Result<()> {
        let mut line = format!("{title:<12}");
        if self.names.is_empty() {
            return writeln!(out, "{line}none");
        }
        let mut separator = "";
        for name in self.texts() {
            if line.len() + separator.len() + name.len() > WIDTH {
                writeln!(out, "{line},")?;
                (line, separator) = (" ".repeat(12), "");
            }
            line = line + separator + &name;
            separator = ", ";
        }
        writeln!(out, "{line}")
    }

    fn json(&self) -> Value {
        json!({ "names": self.names.iter().map(|name| String::from_utf8_lossy(name)).collect::<Vec<_>>(), "more": self.more })
    }
}

fn time(ns: u64) -> String {
    let time = Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default();
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S.%9f %z").to_string()
}

/// A number of bytes for people, with three digits.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 999.5
        && let Some(next) = units.next()
    {
        value /= 1000.0;
        unit = Some(next);
    }
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {}", unit.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let sizes = [0, 999, 1000, 12_340, 999_499, 999_500, 123_456_789, 5_000_000_000].map(size);
        let wanted = ["0 bytes", "999 bytes", "1.00 KB", "12.3 KB", "999 KB", "1.00 MB", "123 MB", "5.00 GB"];
        assert_eq!(sizes, wanted);
    }

    #[test]
    fn names_are_listed_once_and_safe() {
        let lists = [vec![b"b".to_vec(), b"a\n".to_vec()], vec![b"b".to_vec(), b"container:x".to_vec()]];
        let lists = lists.map(Texts::from_iter);
        let names = Names::of(lists.iter().map(Some).chain([None]));
        let mut out = Vec::new();
        names.write("Programs", &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "Programs    a\\n, b, …\n");
    }
}
