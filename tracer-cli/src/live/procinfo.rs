//! A live source that also tells, once a second, how much CPU time each thread has used (`procinfo` events).

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

/// CPU time of a thread so far, in ticks of the kernel's user interface: 100 a second.
struct Times {
    tid: i64,
    pid: i64,
    user: [u8; 8],
    system: [u8; 8],
}

/// The source and what it adds.
pub struct WithProcessTimes<S> {
    source: S,
    looked: Option<Instant>,
    /// Events until the next look at the clock.
    countdown: u32,
    times: Vec<Times>,
    lent: Option<Times>,
    ts: u64,
    slots: ParamSlots,
    stopped: bool,
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
        }
    }

    fn look(&mut self) {
        self.countdown = CLOCK_INTERVAL;
        if self.stopped || self.looked.is_some_and(|before| before.elapsed() < INTERVAL) {
            return;
        }
        self.looked = Some(Instant::now());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.ts = self.ts.max(now.as_nanos() as u64);
        for pid in numbers(Path::new("/proc")) {
            let tasks = format!("/proc/{pid}/task");
            for tid in numbers(Path::new(&tasks)) {
                // Threads that have ended meanwhile are no longer of interest.
                let Ok(stat) = fs::read(format!("{tasks}/{tid}/stat")) else { continue };
                if let Some((user, system)) = cpu_times(&stat) {
                    let (user, system) = (user.to_le_bytes(), system.to_le_bytes());
                    self.times.push(Times { tid, pid, user, system });
                }
            }
        }
    }
}

/// The entries of a folder that are numbers.
fn numbers(folder: &Path) -> impl Iterator<Item = i64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `utime` and `stime` of /proc/PID/stat (proc(5)), the 14th and 15th value. The name in brackets may hold anything.
fn cpu_times(stat: &[u8]) -> Option<(u64, u64)> {
    let end = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut values = rest.split_ascii_whitespace().skip(11);
    Some((values.next()?.parse().ok()?, values.next()?.parse().ok()?))
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
        let params = self.slots.lend(2);
        params[0] = &times.user;
        params[1] = &times.system;
        Ok(Next::Event(Event {
            num: 0,
            ts: self.ts,
            tid: times.tid,
            pid: times.pid,
            cpu: 0,
            ty: EventType::PROCINFO_E,
            bits: EventBits::empty(),
            unreadable: 0,
            params,
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
    fn cpu_times_stand_behind_any_name() {
        let stat = b"7 (a) b 1 (c) S 1 7 7 0 -1 4194560 1 2 3 4 55 66 0 0 20 0 1 0 100 0 0";
        assert_eq!(cpu_times(stat), Some((55, 66)));
        for wrong in [&b"7 (cut"[..], b"7 (a) S 1", b"", b"7 (a) S 1 7 7 0 -1 0 1 2 3 4 x y"] {
            assert_eq!(cpu_times(wrong), None);
        }
    }
}
