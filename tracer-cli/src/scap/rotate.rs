//! Rotation: when a new file begins and what it is called. The names are those that sysdig gives.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const NS_PER_S: u64 = 1_000_000_000;

/// When a new file begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes after which the next event opens a new file (`-C`).
    pub bytes: Option<u64>,
    /// Seconds of event time that a file lasts (`-G`).
    pub seconds: Option<u64>,
    /// Events in a file (`-e`).
    pub events: Option<u64>,
    /// Files that are kept; older ones make room (`-W`).
    pub files: Option<u64>,
    /// Bytes of all files that are kept; older ones make room (`--max-total`).
    pub total: Option<u64>,
}

/// Files that share the bytes of all, at least.
const SHARES: u64 = 4;

/// How full the present file is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fill {
    pub bytes: u64,
    /// Bytes of its blocks before they are compressed.
    pub unpacked: u64,
    /// Those of them with the state that was written last.
    pub state: u64,
    pub events: u64,
    /// Time of its first event, ns since the epoch.
    pub since: u64,
}

impl Fill {
    /// Whether there is as much of events as of state. A file that is full before would give way to
    /// one that is as full: the recorder would write little else than states, and fall behind.
    fn has_more_than_state(&self) -> bool {
        self.unpacked.saturating_sub(self.state) >= self.state
    }

    fn exceeds(&self, max: u64) -> bool {
        self.bytes > max && self.has_more_than_state()
    }
}

impl Rotation {
    fn is_wanted(&self) -> bool {
        self.bytes.is_some() || self.seconds.is_some() || self.events.is_some() || self.total.is_some()
    }

    /// Whether an event of time `ts` is to be the first of a new file.
    #[inline]
    pub(super) fn is_due(&self, fill: &Fill, ts: u64) -> bool {
        // A file without events would be followed by others without end.
        fill.events > 0
            && (self.events.is_some_and(|max| fill.events >= max)
                || self.bytes.is_some_and(|max| fill.exceeds(max))
                || self.total.is_some_and(|max| fill.exceeds(max / SHARES))
                || self
                    .seconds
                    .is_some_and(|max| ts.saturating_sub(fill.since) >= max.saturating_mul(NS_PER_S)))
    }
}

/// The names of the files of one run.
#[derive(Debug)]
pub(super) struct Names {
    base: PathBuf,
    rotation: Rotation,
    /// There is a file for each dump of what is in memory.
    dumps: bool,
    zone: TimeZone,
    next: u64,
    /// Files of this run that were not removed, oldest first.
    made: VecDeque<PathBuf>,
}

impl Names {
    /// # Errors
    /// The name has time codes that mean nothing.
    pub fn new(base: PathBuf, rotation: Rotation, dumps: bool) -> Result<Self, String> {
        let names = Self { base, rotation, dumps, zone: TimeZone::system(), next: 0, made: VecDeque::new() };
        if names.has_time() {
            names.with_time(0)?;
        }
        Ok(names)
    }

    fn has_several(&self) -> bool {
        self.dumps || self.rotation.is_wanted()
    }

    /// Whether the name of each file tells its time.
    fn has_time(&self) -> bool {
        (self.dumps || self.rotation.seconds.is_some() && self.rotation.events.is_none())
            && self.base.as_os_str().as_encoded_bytes().contains(&b'%')
    }

    fn with_time(&self, ts: u64) -> Result<PathBuf, String> {
        let time = i64::try_from(ts).ok().map(i128::from).and_then(|ns| Timestamp::from_nanosecond(ns).ok());
        let time = time.unwrap_or_default().to_zoned(self.zone.clone());
        let format = self.base.to_str().ok_or_else(|| "a name with time codes must be UTF-8".to_owned())?;
        let name = strtime::format(format, &time);
        name.map(PathBuf::from).map_err(|e| format!("time codes in '{format}': {e}"))
    }

    /// The name of the next file, whose first event has time `ts`.
    pub fn next(&mut self, ts: u64) -> PathBuf {
        let index = self.rotation.files.map_or(self.next, |files| self.next % files.max(1));
        self.next += 1;
        if !self.has_several() {
            return self.base.clone();
        }
        let has_time = self.has_time();
        // That the codes mean something was found out at the start.
        let base = if has_time { self.with_time(ts).ok() } else { None };
        let base = base.unwrap_or_else(|| self.base.clone());
        if self.rotation.bytes.is_none() && has_time {
            return self.unused(base);
        }
        let digits = match self.rotation.files {
            Some(files) if self.rotation.bytes.is_some() && self.rotation.events.is_none() => {
                files.to_string().len()
            }
            _ => 0,
        };
        suffixed(&base, &format!("{index:0digits$}"))
    }

    /// `path`, or when two files of this run have the same time, the same with a number.
    fn unused(&self, path: PathBuf) -> PathBuf {
        if !self.is_own(&path) {
            return path;
        }
        (1_u64..).map(|n| suffixed(&path, &n.to_string())).find(|path| !self.is_own(path)).unwrap_or(path)
    }

    /// Whether a file of this name was made by this run.
    pub fn is_own(&self, path: &Path) -> bool {
        self.made.iter().any(|own| own == path)
    }

    /// Notes that the file exists now; returns one that is to be removed for it.
    pub fn made(&mut self, path: PathBuf) -> Option<PathBuf> {
        self.forget(&path);
        self.made.push_back(path);
        let files = usize::try_from(self.rotation.files?).unwrap_or(usize::MAX);
        if self.has_several() && self.made.len() > files { self.made.pop_front() } else { None }
    }

    /// Forgets the oldest files until there is room for `more` bytes; returns those that are to be removed. The present
    /// file stays.
    pub fn make_room(&mut self, more: u64) -> Vec<PathBuf> {
        let mut removed = Vec::new();
        let Some(most) = self.rotation.total else { return removed };
        // One that somebody else has removed takes no room.
        let len = |path: &PathBuf| path.metadata().map_or(0, |meta| meta.len());
        let mut total = self.made.iter().map(len).fold(more, u64::saturating_add);
        while total > most && self.made.len() > 1 {
            let Some(oldest) = self.made.pop_front() else { break };
            total = total.saturating_sub(len(&oldest));
            removed.push(oldest);
        }
        removed
    }

    /// The file was removed.
    pub fn forget(&mut self, path: &Path) {
        self.made.retain(|own| own != path);
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &str, rotation: Rotation, count: usize) -> Vec<String> {
        let mut names = Names::new(base.into(), rotation, false).unwrap();
        names.zone = TimeZone::UTC;
        let mut all = Vec::new();
        for i in 0..count as u64 {
            let name = names.next(i * NS_PER_S + 57 * NS_PER_S);
            names.made(name.clone());
            all.push(name.to_str().unwrap().to_owned());
        }
        all
    }

    /// As sysdig 0.29.3 names its files.
    #[test]
    fn files_are_named_as_by_sysdig() {
        let none = Rotation::default();
        let (c, e, g) = (
            Rotation { bytes: Some(1), ..none },
            Rotation { events: Some(1), ..none },
            Rotation { seconds: Some(1), ..none },
        );
        assert_eq!(names("o", none, 1), ["o"]);
        assert_eq!(names("o", Rotation { files: Some(3), ..none }, 1), ["o"]);
        for rotation in [c, e, g] {
            assert_eq!(names("o.scap", rotation, 2), ["o.scap0", "o.scap1"]);
            let ring = Rotation { files: Some(2), ..rotation };
            assert_eq!(names("o", ring, 3), ["o0", "o1", "o0"]);
        }
        assert_eq!(names("o", Rotation { files: Some(12), ..c }, 13)[9..], ["o09", "o10", "o11", "o00"]);
        assert_eq!(names("o", Rotation { files: Some(12), ..e }, 11)[9..], ["o9", "o10"]);
        assert_eq!(names("o", Rotation { files: Some(12), ..g }, 11)[9..], ["o9", "o10"]);
        assert_eq!(names("%S.scap", g, 4), ["57.scap", "58.scap", "59.scap", "00.scap"]);
        assert_eq!(names("%S.scap", Rotation { bytes: Some(1), ..g }, 2), ["57.scap0", "58.scap1"]);
        assert_eq!(names("%S", Rotation { events: Some(1), ..g }, 2), ["%S0", "%S1"]);
        assert_eq!(names("%S", c, 1), ["%S0"]);
    }

    #[test]
    fn two_files_of_one_time_have_two_names() {
        let rotation = Rotation { seconds: Some(1), ..Rotation::default() };
        assert_eq!(names("%H", rotation, 3), ["00", "001", "002"]);
    }

    #[test]
    fn the_oldest_makes_room() {
        let rotation = Rotation { seconds: Some(1), files: Some(2), ..Rotation::default() };
        let mut names = Names::new("%s".into(), rotation, false).unwrap();
        let mut removed = Vec::new();
        for ts in 1..=4 {
            let name = names.next(ts * NS_PER_S);
            removed.extend(names.made(name));
        }
        assert_eq!(removed, [Path::new("1"), Path::new("2")]);
        assert!(names.is_own(Path::new("4")) && !names.is_own(Path::new("2")));
    }

    #[test]
    fn dumps_have_numbers_or_times() {
        let names = |base: &str| {
            let mut names = Names::new(base.into(), Rotation::default(), true).unwrap();
            names.zone = TimeZone::UTC;
            [57, 58, 58].map(|seconds| {
                let name = names.next(seconds * NS_PER_S);
                names.made(name.clone());
                name
            })
        };
        assert_eq!(names("o"), ["o0", "o1", "o2"].map(PathBuf::from));
        assert_eq!(names("o%S"), ["o57", "o58", "o581"].map(PathBuf::from));
    }

    #[test]
    fn a_file_is_full_by_events_bytes_or_time() {
        let due = |rotation: Rotation, events, bytes, seconds| {
            let fill = Fill { bytes, events, since: 5, ..Fill::default() };
            rotation.is_due(&fill, 5 + seconds * NS_PER_S)
        };
        let none = Rotation::default();
        assert!(!due(none, 1000, 1000, 1000));
        assert!(due(Rotation { events: Some(5), ..none }, 5, 0, 0));
        assert!(!due(Rotation { events: Some(5), ..none }, 4, 0, 0));
        assert!(due(Rotation { bytes: Some(5), ..none }, 1, 6, 0));
        assert!(!due(Rotation { bytes: Some(5), ..none }, 1, 5, 0));
        assert!(due(Rotation { seconds: Some(5), ..none }, 1, 0, 5));
        assert!(!due(Rotation { seconds: Some(5), ..none }, 0, 0, 5));
    }

    #[test]
    fn a_state_larger_than_the_limit_does_not_make_a_file_of_each_event() {
        let due = |rotation: Rotation, unpacked| {
            let fill = Fill { bytes: unpacked, unpacked, state: 500, events: 1, since: 0 };
            rotation.is_due(&fill, 0)
        };
        for rotation in [
            Rotation { bytes: Some(100), ..Rotation::default() },
            Rotation { total: Some(100 * SHARES), ..Rotation::default() },
        ] {
            assert!(!due(rotation, 600));
            assert!(!due(rotation, 999));
            assert!(due(rotation, 1000));
        }
    }

    #[test]
    fn wrong_time_codes_are_found_at_the_start() {
        let rotation = Rotation { seconds: Some(1), ..Rotation::default() };
        assert!(Names::new("a-%!".into(), rotation, false).is_err());
        assert!(Names::new("a-%!".into(), Rotation::default(), false).is_ok());
    }
}
