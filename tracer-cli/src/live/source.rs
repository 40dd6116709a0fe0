//! The running kernel as a source of events.

use super::decode::Decoder;
use super::lane::Lane;
use super::merge::{Found, Merge, nanoseconds, now};
use super::plan::{Wanted, call_plans, state_needed};
use super::probe::{Probe, ProbeError, ProbeOptions, ProgramReport};
use super::proc_scan;
use crate::event::EventBits;
use crate::schema::EventType;
use crate::source::{CpuCounts, LookUp, Next, Source, SourceCounts, SourceError};
use crate::state::State;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::ClockId;
use std::time::{Duration, Instant};

/// How long to wait for the probe to wake us when nothing has happened for a while.
const IDLE_WAIT: Duration = Duration::from_millis(250);
/// … and right after events: the probe does not wake its reader again within this time.
const BUSY_WAIT: Duration = Duration::from_millis(10);
/// The machine has slept when the clocks say so by more than two readings of them can be apart.
const LEAST_SLEEP: u64 = 500_000_000;
/// Before stopping for good, records that are being written get this much time to appear.
const LAST_WAIT: Duration = Duration::from_millis(3);

/// Says whether events of a type are wanted; of a generic type, those of the system call with this
/// code in the schema's numbering.
pub type Wants = Box<dyn Fn(EventType, u16) -> bool + Send>;

/// What to trace and how.
pub struct LiveOptions {
    pub probe: ProbeOptions,
    /// Events that somebody will look at. Those that the state needs are traced all the same.
    pub wants: Wants,
    /// Environments that do not fit into an event are read from /proc.
    pub large_environments: bool,
}

impl Default for LiveOptions {
    /// Everything but switches and page faults.
    fn default() -> Self {
        Self { probe: ProbeOptions::default(), wants: Box::new(|_, _| true), large_environments: false }
    }
}

/// The kernel.
pub struct LiveSource {
    probe: Probe,
    merge: Merge,
    decoder: Decoder,
    /// What to add to a record's time for ns since the epoch.
    to_epoch: u64,
    /// How long the machine had slept when that was last corrected, ns.
    slept: u64,
    /// Records came since the last wait. The clock is asked when waiting, not for every record.
    active: bool,
    last_record: Instant,
    stopping: Option<Instant>,
    unreadable: u64,
    malformed: u64,
    /// When all that runs was known, ns since the epoch. What happened before is for the state only:
    /// it may be of processes that ended before anything could be learnt about them.
    begin: u64,
    /// Events before that, by CPU; they are no part of the counts.
    early: Vec<u64>,
    large_environments: bool,
}

impl LiveSource {
    /// Loads the probe; events are collected from here on.
    ///
    /// # Errors
    /// Missing rights, a kernel without BTF, a probe that the kernel refuses as a whole.
    pub fn open(options: LiveOptions) -> Result<Self, ProbeError> {
        let plans = call_plans(|call| Wanted {
            enter: options.probe.enter && (options.wants)(call.enter, call.code),
            exit: (options.wants)(call.exit, call.code) || state_needed(call.exit),
        });
        let mut probe = Probe::load(&options.probe, [&plans.native, &plans.compat])?;
        let lanes = std::mem::take(&mut probe.lanes);
        let early = vec![0; lanes.len()];
        let merge = Merge::new(lanes);
        Ok(Self {
            probe,
            merge,
            decoder: Decoder::new(),
            to_epoch: clock_to_epoch(),
            slept: slept(),
            active: false,
            last_record: Instant::now(),
            stopping: None,
            unreadable: 0,
            malformed: 0,
            begin: 0,
            early,
            large_environments: options.large_environments,
        })
    }

    /// What became of each program of the probe.
    pub fn reports(&self) -> &[ProgramReport] {
        &self.probe.reports
    }

    /// Sleeps until there may be records.
    fn wait(&mut self, found: &Found) {
        if std::mem::take(&mut self.active) {
            self.last_record = Instant::now();
        }
        if let Found::NotBefore(due) = found {
            std::thread::sleep(Duration::from_nanos(due.saturating_sub(now())));
            return;
        }
        let slept = slept();
        if slept > self.slept.saturating_add(LEAST_SLEEP) {
            self.to_epoch = self.to_epoch.wrapping_add(slept - self.slept);
            self.slept = slept;
        }
        let recent = self.last_record.elapsed() < 3 * BUSY_WAIT;
        let wait = if recent { BUSY_WAIT } else { IDLE_WAIT };
        let mut fds: Vec<PollFd<'_>> = self
            .merge
            .rings()
            .iter()
            .filter_map(|lane| Some(PollFd::new(lane.fd()?, PollFlags::POLLIN)))
            .collect();
        let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
        // An interrupted wait is as good as any other: the caller looks again.
        let _ = poll(&mut fds, timeout);
    }
}

/// Difference between the wall clock and the probe's clock, ns. The pair of readings that took the
/// shortest is taken.
fn clock_to_epoch() -> u64 {
    (0..5)
        .map(|_| {
            let before = now();
            let wall = nanoseconds(ClockId::CLOCK_REALTIME);
            let after = now();
            (after - before, wall.wrapping_sub(before + (after - before) / 2))
        })
        .min()
        .map_or(0, |(_, difference)| difference)
}

/// How long the machine has slept since it started, ns: the probe's clock stands still meanwhile.
fn slept() -> u64 {
    nanoseconds(ClockId::CLOCK_BOOTTIME).saturating_sub(now())
}

impl Source for LiveSource {
    fn load_state(&mut self, state: &mut State) -> Result<(), SourceError> {
        proc_scan::scan(state);
        state.machine.large_environments = self.large_environments;
        state.hear_monitors();
        self.begin = now().wrapping_add(self.to_epoch);
        Ok(())
    }

    fn next(&mut self) -> Result<Next<'_>, SourceError> {
        let drained = self.stopping.is_some_and(|since| since.elapsed() >= LAST_WAIT);
        let (ring, late) = match self.merge.next(drained) {
            Found::Record(ring, late) => (ring, late),
            _ if drained => return Ok(Next::End),
            found => {
                if self.stopping.is_some() {
                    std::thread::sleep(Duration::from_millis(1));
                } else {
                    self.wait(&found);
                }
                return Ok(Next::Idle);
            }
        };
        self.active = true;
        let cpu = self.merge.rings().get(ring).map_or(0, Lane::cpu);
        let decoded =
            self.merge.record(ring).and_then(|record| self.decoder.decode(cpu, record, self.to_epoch));
        Ok(match decoded {
            Some(mut event) => {
                event.bits.set(EventBits::LATE, late);
                if event.ts < self.begin {
                    event.bits |= EventBits::EARLY;
                    if let Some(count) = self.early.get_mut(usize::from(cpu)) {
                        *count += 1;
                    }
                    return Ok(Next::Event(event));
                }
                self.unreadable += u64::from(event.unreadable.count_ones());
                Next::Event(event)
            }
            None => {
                self.malformed += 1;
                Next::Idle
            }
        })
    }

    fn stop(&mut self) {
        if self.stopping.is_none() {
            self.probe.detach();
            self.stopping = Some(Instant::now());
        }
    }

    fn counts(&mut self) -> SourceCounts {
        let counters = self.probe.counters();
        SourceCounts {
            cpus: counters
                .iter()
                .zip(self.early.iter().chain(std::iter::repeat(&0)))
                .map(|(cpu, early)| {
                    let ring = &cpu.counters;
                    CpuCounts {
                        attempted: (ring.attempted + cpu.written).saturating_sub(*early),
                        delivered: (ring.delivered + cpu.written).saturating_sub(*early),
                        lost: ring.lost_full + ring.lost_no_ring,
                    }
                })
                .collect(),
            late: self.merge.late,
            unreadable: self.unreadable,
            malformed: self.malformed,
            unknown: 0,
        }
    }

    fn look_up(&self) -> LookUp {
        proc_scan::looker()
    }

    fn is_alive(&self, tid: i64) -> bool {
        proc_scan::is_alive(tid)
    }
}
