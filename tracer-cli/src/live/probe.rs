//! Loading the probe: what loads, loads; what the kernel refuses is reported by name and reason.

use super::lane::Lane;
use super::offsets::KernelTypes;
use super::ring::Ring;
use super::slots::Slots;
use aya::maps::{Array, ArrayOfMaps, Map, MapData, ProgramArray};
use aya::programs::{Program, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};
use tracer_common::config::{Offsets, Settings, global, map};
use tracer_common::plan::{CallPlan, PLAN_ENTRIES, program};
use tracer_common::slots::{Cpu, SLOT_LEN};

/// The probe as `cargo xtask ebpf` builds it.
static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tracer-ebpf/prebuilt/tracer.bpf.o"));

/// A type of the shared layout, as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Plain<T>(T);

// SAFETY: the types of tracer-common are `repr(C)`, `Copy`, hold integers only and have no padding
// that is read.
unsafe impl<T: Copy + 'static> aya::Pod for Plain<T> {}

/// Fewer slots than this are not worth a mapping; a power of two of them fills whole pages.
const LEAST_SLOTS: u32 = 512;

/// What a program of the probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Enter,
    Exit,
    /// Facts about tasks in the exit events of clone and exec.
    ExitTask,
    /// Data of vectored calls.
    ExitVector,
    ProcessEnd,
    Signal,
    Switch,
    PageFault,
}

impl Purpose {
    /// What users lose without it.
    pub const fn without(self) -> &'static str {
        match self {
            Purpose::Enter => "no enter events, no latencies",
            Purpose::Exit => "no system calls",
            Purpose::ExitTask => {
                "names and arguments of new processes come from /proc, short-lived ones are missed"
            }
            Purpose::ExitVector => "no data of readv, writev, sendmsg, recvmsg",
            Purpose::ProcessEnd => "no procexit events",
            Purpose::Signal => "no signaldeliver events",
            Purpose::Switch => "no switch events",
            Purpose::PageFault => "no page_fault events",
        }
    }
}

struct ProgramInfo {
    name: &'static str,
    tracepoint: &'static str,
    purpose: Purpose,
    typed: bool,
    /// Of programs reached by tail call: the index in the program array.
    tail: Option<u32>,
}

const fn typed(
    name: &'static str,
    tracepoint: &'static str,
    purpose: Purpose,
    tail: Option<u32>,
) -> ProgramInfo {
    ProgramInfo { name, tracepoint, purpose, typed: true, tail }
}

const fn plain(
    name: &'static str,
    tracepoint: &'static str,
    purpose: Purpose,
    tail: Option<u32>,
) -> ProgramInfo {
    ProgramInfo { name, tracepoint, purpose, typed: false, tail }
}

/// Every program, in the order of loading: of two that do the same the preferred one first, and those
/// reached by tail call after their callers, of which only one kind is loaded.
const PROGRAMS: &[ProgramInfo] = &[
    typed("sys_exit", "sys_exit", Purpose::Exit, None),
    plain("sys_exit_raw", "sys_exit", Purpose::Exit, None),
    typed("sys_exit_task", "sys_exit", Purpose::ExitTask, Some(program::TASK as u32)),
    plain("sys_exit_task_raw", "sys_exit", Purpose::ExitTask, Some(program::TASK as u32)),
    typed("sys_exit_vector", "sys_exit", Purpose::ExitVector, Some(program::VECTOR as u32)),
    plain("sys_exit_vector_raw", "sys_exit", Purpose::ExitVector, Some(program::VECTOR as u32)),
    typed("sys_enter", "sys_enter", Purpose::Enter, None),
    plain("sys_enter_raw", "sys_enter", Purpose::Enter, None),
    plain("process_exit", "sched_process_exit", Purpose::ProcessEnd, None),
    plain("signal_deliver", "signal_deliver", Purpose::Signal, None),
    plain("sched_switch", "sched_switch", Purpose::Switch, None),
    plain("page_fault_user", "page_fault_user", Purpose::PageFault, None),
    plain("page_fault_kernel", "page_fault_kernel", Purpose::PageFault, None),
];

/// What became of one program.
#[derive(Debug, Clone)]
pub struct ProgramReport {
    pub name: &'static str,
    pub tracepoint: &'static str,
    pub purpose: Purpose,
    pub outcome: Outcome,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    /// Attached, or reachable by tail call; verified instructions as the kernel reports them.
    Running {
        verified: Option<u32>,
    },
    /// Another program does the same.
    NotNeeded,
    Refused(String),
}

/// Why nothing can be traced.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error(
        "tracing needs root, or the capabilities CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE: run `sudo tracer …`, \
         or once `sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep $(command -v tracer)`"
    )]
    NotAllowed,
    #[error(
        "{0}; the kernel was built without CONFIG_DEBUG_INFO_BTF, which tracer needs (`tracer doctor` says more)"
    )]
    NoBtf(#[from] super::offsets::BtfError),
    #[error("the kernel refused the probe: {0} (`tracer doctor` says more)")]
    Refused(String),
    #[error("ring buffers: {0}")]
    Rings(String),
}

/// What to load.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// Bytes per CPU; a power of two and a multiple of the page size.
    pub ring_bytes: u32,
    /// Bytes of a buffer that are copied.
    pub snaplen: u32,
    pub enter: bool,
    pub switches: bool,
    pub page_faults: bool,
    /// Names of programs that are treated as if the kernel had refused them, for tests.
    pub refuse: Vec<String>,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            ring_bytes: default_ring_bytes(),
            snaplen: 80,
            enter: true,
            switches: false,
            page_faults: false,
            refuse: refused_by_environment(),
        }
    }
}

/// CPUs that may ever come online.
fn possible_cpus() -> u32 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_CONF)
        .ok()
        .flatten()
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(1)
        .clamp(1, tracer_common::config::MAX_CPUS)
}

/// The rings of all CPUs together take at most a 128th of the memory, their slots half as much; one ring takes between
/// 1 and 16 MiB.
/// A busy CPU fills 16 MiB in about a tenth of a second: the time that a reader which has to wait
/// for a CPU itself can be late.
fn default_ring_bytes() -> u32 {
    let pages = nix::unistd::sysconf(nix::unistd::SysconfVar::_PHYS_PAGES).ok().flatten().unwrap_or(0);
    let share = u64::try_from(pages).unwrap_or(0) * 4096 / 128 / u64::from(possible_cpus());
    let clamped = share.clamp(1 << 20, 16 << 20);
    1 << clamped.ilog2()
}

/// The loaded probe; dropping it detaches everything.
pub struct Probe {
    bpf: Ebpf,
    /// A program array is emptied when its last user-space descriptor closes.
    _tails: Vec<ProgramArray<MapData>>,
    pub lanes: Vec<Lane>,
    pub reports: Vec<ProgramReport>,
    pub offsets: Offsets,
}

/// Whether an error means that the right is missing.
fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(e) = cause {
        if let Some(io) = e.downcast_ref::<std::io::Error>()
            && matches!(io.raw_os_error(), Some(libc::EPERM | libc::EACCES))
        {
            return true;
        }
        cause = e.source();
    }
    false
}

/// The innermost causes of an error in one line.
fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        let inner = e.to_string();
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
        cause = e.source();
    }
    // The verifier's log follows on further lines; its last words say why.
    let mut lines = text.lines().filter(|l| !l.trim().is_empty());
    let first = lines.next().unwrap_or_default().to_owned();
    match lines.rfind(|l| !l.starts_with("processed ") && !l.starts_with("verification time")) {
        Some(last) => format!("{first} … {last}"),
        None => first,
    }
}

impl Probe {
    /// Loads and attaches. `plans` are the capture plans of the 64-bit and the 32-bit interface.
    pub fn load(options: &ProbeOptions, plans: [&[CallPlan]; 2]) -> Result<Self, ProbeError> {
        let types = KernelTypes::of_running_kernel()?;
        let offsets = types.offsets();
        drop(types);
        let btf = Btf::from_sys_fs().map_err(|e| ProbeError::Refused(one_line(&e)))?;
        let cpus = possible_cpus();
        let slots = slots_beside(options.ring_bytes);
        let settings = Plain(Settings {
            self_tgid: std::process::id(),
            snaplen: options.snaplen,
            wake_bytes: (options.ring_bytes / 8).max(4096),
            wake_ns: 10_000_000,
            slots,
        });
        let plain_offsets = Plain(offsets);
        let [native, compat] = plans.map(whole_table);
        let mut bpf = EbpfLoader::new()
            .btf(Some(&btf))
            .override_global(global::SETTINGS, &settings, true)
            .override_global(global::OFFSETS, &plain_offsets, true)
            .override_global(global::PLANS, native.as_slice(), true)
            .override_global(global::PLANS_COMPAT, compat.as_slice(), true)
            .map_max_entries(map::SCRATCH, cpus)
            .map_max_entries(map::SLOTS, (cpus * slots).max(1))
            .map_max_entries(map::CPUS, cpus)
            .load(OBJECT)
            .map_err(|e| {
                if is_permission(&e) { ProbeError::NotAllowed } else { ProbeError::Refused(one_line(&e)) }
            })?;
        let mut lanes = make_rings(&mut bpf, cpus, options.ring_bytes)?;
        lanes.extend(map_slots(&bpf, cpus, slots)?);
        let (reports, tails) = load_programs(&mut bpf, &btf, options)?;
        let mut probe = Self { bpf, _tails: tails, lanes, reports, offsets };
        probe.attach()?;
        if !probe.is_running(Purpose::Exit) && !probe.is_running(Purpose::Enter) {
            return Err(ProbeError::Refused(probe.first_refusal()));
        }
        Ok(probe)
    }

    pub fn is_running(&self, purpose: Purpose) -> bool {
        self.reports.iter().any(|r| r.purpose == purpose && matches!(r.outcome, Outcome::Running { .. }))
    }

    fn first_refusal(&self) -> String {
        self.reports
            .iter()
            .find_map(|r| match &r.outcome {
                Outcome::Refused(why) => Some(format!("{}: {why}", r.name)),
                _ => None,
            })
            .unwrap_or_else(|| "no program could be loaded".to_owned())
    }

    fn attach(&mut self) -> Result<(), ProbeError> {
        for (info, report) in PROGRAMS.iter().zip(&mut self.reports) {
            if info.tail.is_some() || !matches!(report.outcome, Outcome::Running { .. }) {
                continue;
            }
            let attached = match self.bpf.program_mut(info.name) {
                Some(Program::BtfTracePoint(p)) => p.attach().map(|_| ()),
                Some(Program::RawTracePoint(p)) => p.attach(info.tracepoint).map(|_| ()),
                _ => continue,
            };
            if let Err(e) = attached {
                report.outcome = Outcome::Refused(one_line(&e));
            }
        }
        Ok(())
    }

    /// What each CPU has counted.
    pub fn counters(&self) -> Vec<Cpu> {
        let Some(map) = self.bpf.map(map::CPUS) else { return Vec::new() };
        let Ok(cpus) = Array::<_, Plain<Cpu>>::try_from(map) else { return Vec::new() };
        cpus.iter().map(|cpu| cpu.map_or_else(|_| Cpu::default(), |cpu| cpu.0)).collect()
    }

    /// Takes the probe off all tracepoints; what is in the rings stays readable.
    pub fn detach(&mut self) {
        for info in PROGRAMS {
            match self.bpf.program_mut(info.name) {
                Some(Program::BtfTracePoint(p)) => {
                    let _ = p.unload();
                }
                Some(Program::RawTracePoint(p)) => {
                    let _ = p.unload();
                }
                _ => {}
            }
        }
    }
}

/// As many plans as the probe has room for.
fn whole_table(plans: &[CallPlan]) -> Vec<Plain<CallPlan>> {
    let plans = plans.iter().copied().chain(std::iter::repeat(CallPlan::NONE));
    plans.map(Plain).take(PLAN_ENTRIES as usize).collect()
}

fn make_rings(bpf: &mut Ebpf, cpus: u32, bytes: u32) -> Result<Vec<Lane>, ProbeError> {
    let Some(map) = bpf.map_mut(map::RINGS) else {
        return Err(ProbeError::Rings("the probe has none".to_owned()));
    };
    let mut outer: ArrayOfMaps<_, MapData> =
        ArrayOfMaps::try_from(map).map_err(|e| ProbeError::Rings(one_line(&e)))?;
    (0..cpus)
        .map(|cpu| {
            let ring = Ring::new(cpu as u16, bytes).map_err(ProbeError::Rings)?;
            outer.set(cpu, ring.map(), 0).map_err(|e| ProbeError::Rings(one_line(&e)))?;
            Ok(Lane::Ring(ring))
        })
        .collect()
}

/// Slots of one CPU: half as much room as the ring has. Rings that are very small are left alone.
fn slots_beside(ring_bytes: u32) -> u32 {
    let count = ring_bytes / 2 / SLOT_LEN as u32;
    if count >= LEAST_SLOTS && count.is_power_of_two() { count } else { 0 }
}

fn map_slots(bpf: &Ebpf, cpus: u32, count: u32) -> Result<Vec<Lane>, ProbeError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let data = |name| match bpf.map(name) {
        Some(Map::Array(map)) => Ok(map.fd()),
        _ => Err(ProbeError::Rings(format!("the probe has no map {name}"))),
    };
    let (slots, states) = (data(map::SLOTS)?, data(map::CPUS)?);
    (0..cpus)
        .map(|cpu| {
            Slots::new(slots, states, cpu as u16, cpus, count).map(Lane::Slots).map_err(ProbeError::Rings)
        })
        .collect()
}

/// Loads every program that is wanted and not already done by another.
fn load_programs(
    bpf: &mut Ebpf,
    btf: &Btf,
    options: &ProbeOptions,
) -> Result<(Vec<ProgramReport>, Vec<ProgramArray<MapData>>), ProbeError> {
    let mut tails = Vec::new();
    for name in [map::EXIT_PROGRAMS, map::EXIT_PROGRAMS_RAW] {
        let array =
            bpf.take_map(name).ok_or_else(|| ProbeError::Refused(format!("the probe has no map {name}")))?;
        tails.push(ProgramArray::try_from(array).map_err(|e| ProbeError::Refused(one_line(&e)))?);
    }
    let mut reports: Vec<ProgramReport> = Vec::new();
    for info in PROGRAMS {
        let wanted = match info.purpose {
            Purpose::Enter => options.enter,
            Purpose::Switch => options.switches,
            Purpose::PageFault => options.page_faults,
            _ => true,
        };
        let runs = |purpose, typed: Option<bool>| {
            PROGRAMS.iter().zip(&reports).any(|(i, r)| {
                r.purpose == purpose
                    && r.tracepoint == info.tracepoint
                    && typed.is_none_or(|typed| i.typed == typed)
                    && matches!(r.outcome, Outcome::Running { .. })
            })
        };
        let done = match info.tail {
            // Reached from the exit program of its own kind only.
            Some(_) => !runs(Purpose::Exit, Some(info.typed)),
            // A plain program is the fallback of the typed one.
            None => !info.typed && runs(info.purpose, None),
        };
        let outcome = if !wanted || done {
            Outcome::NotNeeded
        } else if options.refuse.iter().any(|n| n == info.name) {
            Outcome::Refused("refused on request".to_owned())
        } else {
            match load_one(bpf, btf, info) {
                Ok(verified) => match info.tail {
                    Some(index) => match put_tail(bpf, info, index, &mut tails) {
                        Ok(()) => Outcome::Running { verified },
                        Err(e) => Outcome::Refused(one_line(&e)),
                    },
                    None => Outcome::Running { verified },
                },
                Err(e) if is_permission(&e) && reports.is_empty() => return Err(ProbeError::NotAllowed),
                Err(e) => Outcome::Refused(one_line(&e)),
            }
        };
        reports.push(ProgramReport {
            name: info.name,
            tracepoint: info.tracepoint,
            purpose: info.purpose,
            outcome,
        });
    }
    Ok((reports, tails))
}

fn load_one(bpf: &mut Ebpf, btf: &Btf, info: &ProgramInfo) -> Result<Option<u32>, ProgramError> {
    let Some(program) = bpf.program_mut(info.name) else { return Err(ProgramError::NotLoaded) };
    let loaded = match program {
        Program::BtfTracePoint(p) => {
            p.load(info.tracepoint, btf)?;
            p.info()
        }
        Program::RawTracePoint(p) => {
            p.load()?;
            p.info()
        }
        _ => return Err(ProgramError::UnexpectedProgramType),
    };
    Ok(loaded.ok().and_then(|i| i.verified_instruction_count()))
}

fn put_tail(
    bpf: &mut Ebpf,
    info: &ProgramInfo,
    index: u32,
    tails: &mut [ProgramArray<MapData>],
) -> Result<(), ProgramError> {
    let fd = match bpf.program(info.name) {
        Some(Program::BtfTracePoint(p)) => p.fd()?,
        Some(Program::RawTracePoint(p)) => p.fd()?,
        _ => return Err(ProgramError::UnexpectedProgramType),
    };
    let Some(array) = tails.get_mut(usize::from(!info.typed)) else { return Ok(()) };
    array.set(index, fd, 0).map_err(|e| ProgramError::IOError(std::io::Error::other(e.to_string())))
}

/// Reports of programs that are refused, with what is lost by it.
pub fn losses(reports: &[ProgramReport]) -> impl Iterator<Item = String> + '_ {
    reports.iter().filter_map(|report| {
        let Outcome::Refused(why) = &report.outcome else { return None };
        let replaced = reports.iter().any(|r| {
            r.purpose == report.purpose
                && r.tracepoint == report.tracepoint
                && matches!(r.outcome, Outcome::Running { .. })
        });
        (!replaced).then(|| format!("{}: {} ({why})", report.name, report.purpose.without()))
    })
}

/// Programs that the environment variable `TRACER_REFUSE` names (separated by commas): they are
/// treated as if the kernel had refused them, so that tests can see how tracer goes on without.
pub fn refused_by_environment() -> Vec<String> {
    std::env::var("TRACER_REFUSE")
        .map(|names| names.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect())
        .unwrap_or_default()
}
