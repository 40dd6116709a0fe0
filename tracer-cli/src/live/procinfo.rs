//! A live source that also tells, once a second, how much CPU time each thread has used (`procinfo` events), and how
//! much memory if that is wanted.

use crate::event::{Event, EventBits};
use crate::param_slots::ParamSlots;
use crate::schema::EventType;
use crate::source::{LookUp, Next, Source, SourceCounts, SourceError};
use crate::state::State;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two looks at all threads.
const INTERVAL: Duration = Duration::from_secs(1);
/// Events between looks at the clock.
const CLOCK_INTERVAL: u32 = 1024;

/// What is known of a thread.
struct Usage {
    tid: i64,
    pid: i64,
    /// CPU time so far, outside and inside the kernel, in ticks of the kernel's user interface: 100 a second; virtual and
    /// resident memory in KiB.
    values: [[u8; 8]; 4],
}

/// The source and what it adds.
pub struct WithProcessTimes<S> {
    source: S,
    looked: Option<Instant>,
    /// Events until the next look at the clock.
    countdown: u32,
    times: Vec<Usage>,
    lent: Option<Usage>,
    ts: u64,
    slots: ParamSlots,
    stopped: bool,
    /// Parameters of each event: those of the schema, or memory sizes behind them.
    params: usize,
    /// Bytes of a page.
    page: u64,
}

impl<S: Source> WithProcessTimes<S> {
    pub fn new(source: S) -> Self {
        Self {
            source,
            looked: None,
            countdown: 0,
            times: Vec::new(),
            lent: None,
            ts: 0,
            slots: ParamSlots::new(),
            stopped: false,
            params: 2,
            page: page_size(),
        }
    }

    /// The events tell memory sizes, too. Such events are for the state of this run: captures have no place for them.
    pub fn with_memory(mut self) -> Self {
        self.params = 4;
        self
    }

    fn look(&mut self) {
        self.countdown = CLOCK_INTERVAL;
        if self.stopped || self.looked.is_some_and(|before| before.elapsed() < INTERVAL) {
            return;
        }
        self.looked = Some(turn(self.looked, Instant::now()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.ts = self.ts.max(now.as_nanos() as u64);
        for pid in numbers(Path::new("/proc")) {
            let tasks = format!("/proc/{pid}/task");
            for tid in numbers(Path::new(&tasks)) {
                // Threads that have ended meanwhile are no longer of interest.
                let Ok(stat) = fs::read(format!("{tasks}/{tid}/stat")) else { continue };
                if let Some(values) = usage(&stat, self.page) {
                    self.times.push(Usage { tid, pid, values: values.map(u64::to_le_bytes) });
                }
            }
        }
    }
}

/// When the look at `now` was due. One that comes a little late does not put off all that follow, so that every second
/// has one.
fn turn(before: Option<Instant>, now: Instant) -> Instant {
    match before.map(|before| before + INTERVAL) {
        Some(due) if now.saturating_duration_since(due) < INTERVAL => due,
        _ => now,
    }
}

fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

/// The entries of a folder that are numbers.
fn numbers(folder: &Path) -> impl Iterator<Item = i64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `utime`, `stime`, `vsize` and `rss` of /proc/PID/stat (proc(5)), the 14th, 15th, 23rd and 24th value; sizes in KiB,
/// of which the file has the last one in pages of so many bytes. The name in brackets may hold anything.
fn usage(stat: &[u8], page: u64) -> Option<[u64; 4]> {
    let end = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut values = rest.split_ascii_whitespace().skip(11);
    let mut skip = |count| values.nth(count)?.parse::<u64>().ok();
    Some([skip(0)?, skip(0)?, skip(7)? / 1024, skip(0)?.saturating_mul(page) / 1024])
}

impl<S: Source> Source for WithProcessTimes<S> {
    fn load_state(&mut self, state: &mut State) -> Result<(), SourceError> {
        self.source.load_state(state)
    }

    fn next(&mut self) -> Result<Next<'_>, SourceError> {
        if self.countdown == 0 {
            self.look();
        }
        self.countdown -= 1;
        self.lent = self.times.pop();
        let Some(times) = &self.lent else {
            let next = self.source.next()?;
            match &next {
                Next::Idle => self.countdown = 0,
                Next::Event(event) => self.ts = event.ts,
                _ => {}
            }
            return Ok(next);
        };
        let params = self.slots.lend(self.params);
        for (param, value) in params.iter_mut().zip(&times.values) {
            *param = value;
        }
        Ok(Next::Event(Event {
            num: 0,
            ts: self.ts,
            tid: times.tid,
            pid: times.pid,
            cpu: 0,
            ty: EventType::PROCINFO_E,
            bits: EventBits::empty(),
            unreadable: 0,
            params: (&*params).into(),
        }))
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.source.stop();
    }

    fn counts(&mut self) -> SourceCounts {
        self.source.counts()
    }

    fn look_up(&self) -> LookUp {
        self.source.look_up()
    }

    fn is_alive(&self, tid: i64) -> bool {
        self.source.is_alive(tid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_look_does_not_put_off_the_next() {
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        assert_eq!(turn(None, begin), begin);
        assert_eq!(turn(Some(begin), after(1300)), after(1000));
        // Those that were left out are not made up for.
        assert_eq!(turn(Some(begin), after(4300)), after(4300));
    }

    #[test]
    fn values_stand_behind_any_name() {
        let stat =
            b"7 (a) b 1 (c) S 1 7 7 0 -1 4194560 1 2 3 4 55 66 0 0 20 0 1 0 100 8192 3 18446744073709551615";
        assert_eq!(usage(stat, 4096), Some([55, 66, 8, 12]));
        for wrong in [&b"7 (cut"[..], b"7 (a) S 1", b"", b"7 (a) S 1 7 7 0 -1 0 1 2 3 4 x y"] {
            assert_eq!(usage(wrong, 4096), None);
        }
    }
}
