//! Does what the plan says and turns the outcome into messages and an exit status.

use super::args::Args;
use super::info::{self, Info};
use super::plan::{Origin, Plan, PlanError, Surroundings, Trace};
use super::progress::Progress;
use super::{chisels, list, recording};
use crate::chisel::ErrorKind as Fault;
use crate::container::{Lookup, LookupOptions};
use crate::live::LiveSource;
use crate::live::probe::losses;
use crate::live::procinfo::WithProcessTimes;
use crate::output::report;
use crate::output::summary::Summary;
use crate::output::text::Lines;
use crate::output::{Silent, Sink};
use crate::parallel::Work;
use crate::pipeline::Pipeline;
use crate::scap::{self, CaptureWriter, Found, Frame, IndexedCapture, PortionSource, Portions, ReadOptions};
use crate::sink::Tee;
use crate::source::Source;
use crate::state::inspector::{Inspector, Limits};
use bstr::BString;
use clap::error::ErrorKind;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The run failed.
pub(super) const FAILED: u8 = 1;
/// The command line is wrong.
pub(super) const USAGE: u8 = 2;

/// Bytes of events that a thread analyses at once: much more than a state to begin with.
const PORTION: u64 = 16 << 20;

/// Set by the first SIGINT or SIGTERM; the second ends the program at once.
pub(super) static STOP: AtomicBool = AtomicBool::new(false);

/// The whole program.
pub fn main() -> ExitCode {
    if let Some(words) = ui_words() {
        return super::ui::main(words, surroundings());
    }
    let args = match Args::from_command_line(std::env::args_os()) {
        Ok(args) => args,
        Err(e) => return report_parse_error(&e),
    };
    args.remarks.iter().for_each(|remark| complain(remark));
    let plan = match Plan::new(args, surroundings(), || Ok(Box::new(stdout()?))) {
        Ok(plan) => plan,
        Err(PlanError::Chisel(e)) if e.kind == Fault::Exit => return ExitCode::SUCCESS,
        Err(e) => {
            complain(&e.to_string());
            let failed = matches!(&e, PlanError::Chisel(e) if e.kind == Fault::Failure);
            return ExitCode::from(if failed { FAILED } else { USAGE });
        }
    };
    let result = match plan {
        Plan::ListFields(listing) => print(|out| list::fields(out, listing)),
        Plan::ListEvents => print(|out| list::events(out)),
        Plan::PrintTemplate(text) => print(|out| writeln!(out, "{text}")),
        Plan::ListChisels(surroundings) => print(|out| chisels::list(out, &surroundings)),
        Plan::ChiselInfo(chisel) => print(|out| chisels::info(out, &chisel)),
        Plan::Doctor => return super::doctor::main(),
        Plan::Info { file, json } => info(&file, json),
        Plan::Index { file } => info::index(&file, &mut complain).map_err(anyhow::Error::from),
        Plan::Trace(plan) => {
            for hint in plan.hints() {
                complain(&hint);
            }
            trace(*plan)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&e.to_string());
            ExitCode::from(FAILED)
        }
    }
}

/// The words of `tracer ui …`, or of a link to the binary that is named `ctracer`.
fn ui_words() -> Option<impl Iterator<Item = OsString>> {
    let mut words = std::env::args_os().peekable();
    let own = words.next()?;
    let is_link = Path::new(&own).file_name().is_some_and(|name| name == "ctracer");
    if !is_link {
        words.next_if(|word| word == "ui")?;
    }
    Some(words)
}

fn info(file: &Path, json: bool) -> anyhow::Result<()> {
    let info = Info::of(file, &mut complain)?;
    print(|out| if json { writeln!(out, "{}", info.json()) } else { info.write(out) })
}

fn trace(plan: Trace) -> anyhow::Result<()> {
    let mut progress = None;
    let mut source: Box<dyn Source> = match plan.from {
        Origin::Live(options) => {
            let live = LiveSource::open(options)?;
            for refused in losses(live.reports()) {
                complain(&refused);
            }
            match plan.chisels {
                // Some of them sum CPU times up.
                Some(_) => Box::new(WithProcessTimes::new(live)),
                None => Box::new(live),
            }
        }
        // A file that grows has no index yet, and with one the bytes that were read tell nothing.
        Origin::Files(ref files) if plan.follow || plan.progress => {
            progress = plan.progress.then(|| Progress::start(files));
            let read = progress.as_ref().map(Progress::counter);
            let options = ReadOptions { follow: plan.follow, progress: read };
            scap::open(files, &options)?
        }
        Origin::Files(ref files) => match recorded(&plan, files)? {
            Recorded::Shared(capture, portions) => return analyse(plan, capture, portions),
            Recorded::Source(source) => source,
        },
    };
    stop_on_signals()?;
    let mut inspector = Inspector::new(Limits { users: !plan.exclude_users, ..Limits::default() });
    let containers = plan.containers.map(|containers| {
        inspector.state.containers.ask();
        let sockets = containers.sockets;
        let options = LookupOptions { sockets, verbose: plan.statistics, say: Box::new(complain) };
        let mut lookup = Lookup::new(options);
        if containers.at_once {
            lookup.start();
        }
        (lookup, containers.wait)
    });
    inspector.load(source.as_mut())?;

    let mut engine = plan.chisels;
    if let Some(engine) = &mut engine {
        engine.start(&inspector.state);
    }
    let mut sink: Box<dyn Sink + '_> = match (plan.write, plan.format) {
        _ if let Some(engine) = &mut engine => Box::new(engine),
        (Some(options), format) => {
            if options.ring.is_some() {
                on_signal(Signal::SIGUSR1, SaFlags::empty(), dump)?;
            }
            let mut writer = CaptureWriter::new(options).map_err(anyhow::Error::msg)?;
            if let Some(filter) = plan.listed {
                writer.list_only(recording::thread_test(filter));
            }
            if let Some(filter) = plan.dump_on {
                writer.dump_on(recording::trigger(filter));
            }
            match format {
                Some(format) => {
                    let lines = Lines::new(stdout()?, format, plan.options, plan.unbuffered);
                    Box::new(Tee(writer, lines))
                }
                None => Box::new(writer),
            }
        }
        // Not `io::stdout()`: its own buffer looks for line ends, which the sink's need not.
        (None, Some(format)) => Box::new(Lines::new(stdout()?, format, plan.options, plan.unbuffered)),
        (None, None) => Box::new(Silent),
    };
    let mut pipeline = Pipeline::new(plan.rules);
    if let Some((lookup, wait)) = containers {
        pipeline.ask_about_containers(lookup, wait);
    }
    let result = pipeline.run(source.as_mut(), &mut inspector, sink.as_mut(), &STOP);

    if let Some(progress) = progress {
        progress.end(result.is_ok());
    }
    drop(sink);
    let ended = engine.as_mut().map_or(Ok(()), |engine| engine.end(&inspector.state, pipeline.totals()));

    let counts = source.counts();
    let printed = pipeline.summary().map_or(Ok(()), |summary| print(|out| summary.write(out)));
    if plan.statistics {
        let _ = io::stderr().write_all(report::statistics(pipeline.totals(), &counts).as_bytes());
    }
    if let Some(loss) = report::loss(&counts) {
        complain(&loss);
    }
    result?;
    ended?;
    match engine.as_ref().map_or(0, |engine| engine.errors().len()) {
        0 => {
            if let Some(words) = engine.as_ref().and_then(|engine| engine.run().run_again.take()) {
                return Err(run_again(&words));
            }
            printed
        }
        // Each has been reported when it happened.
        1 => Err(anyhow::anyhow!("a chisel failed")),
        n => Err(anyhow::anyhow!("{n} chisels failed")),
    }
}

/// How a recording is read.
enum Recorded {
    /// By several threads.
    Shared(Arc<IndexedCapture>, Portions),
    Source(Box<dyn Source>),
}

/// Uses the index of the recording where there is one.
fn recorded(plan: &Trace, files: &[PathBuf]) -> anyhow::Result<Recorded> {
    let whole = || Ok(Recorded::Source(scap::open(files, &ReadOptions::default())?));
    let [file] = files else { return whole() };
    // What was read of a pipe is gone. Chisels ask for the state that the recording begins with, and for
    // the time between events.
    if plan.no_index || plan.chisels.is_some() || !file.is_file() {
        return whole();
    }
    let capture = match IndexedCapture::find(file)? {
        Found::Index(capture) => Arc::new(*capture),
        Found::Nothing => return whole(),
        Found::Stale(index) => {
            complain(&format!(
                "{} is not the index of {1} as it is now, and not used; tracer index {1} makes it anew",
                index.display(),
                file.display()
            ));
            return whole();
        }
    };
    let rules = &plan.rules;
    // What the filter refuses is looked at all the same when somebody counts it or writes it.
    let may_skip =
        plan.is_divisible && plan.write.is_none() && rules.suppressed.is_empty() && rules.max_time.is_none();
    let filter = rules.filter.as_ref().filter(|_| may_skip);
    let may_match = |frame: &Frame| filter.is_none_or(|filter| filter.may_match(frame));
    let is_shared = may_skip && plan.threads > 1 && rules.max_events.is_none() && !plan.unbuffered;
    let portions = capture.portions(rules.window.as_ref(), may_match, is_shared.then_some(PORTION));
    if is_shared && portions.list.len() > 1 {
        return Ok(Recorded::Shared(capture, portions));
    }
    Ok(Recorded::Source(Box::new(PortionSource::new(capture, portions))))
}

/// Analyses a recording with several threads.
fn analyse(plan: Trace, capture: Arc<IndexedCapture>, portions: Portions) -> anyhow::Result<()> {
    stop_on_signals()?;
    let Trace { rules, format, options, threads, statistics, .. } = plan;
    let summary = rules.summary.then(Summary::default);
    let end = format.clone();
    let work = Work { capture, rules, format, options, threads };
    let mut out = stdout()?;
    let (mut outcome, result) = work.run(portions, &mut out, &STOP);
    if let (Ok(()), Some(format)) = (&result, end) {
        // Whoever does not read the end needs no colours either.
        let _ = Lines::end(out, &format);
    }
    let summary = outcome.summary.take().or(summary);
    let printed = summary.map_or(Ok(()), |summary| print(|out| summary.write(out)));
    if statistics {
        let report = report::statistics(&outcome.totals, &outcome.counts);
        let _ = io::stderr().write_all(report.as_bytes());
    }
    result?;
    printed
}

/// Puts another run of this program in the place of this one, as a chisel asked for; returns only
/// when that fails.
fn run_again(words: &[BString]) -> anyhow::Error {
    let words = words.iter().map(|word| OsStr::from_bytes(word));
    let error = std::process::Command::new("/proc/self/exe").args(words).exec();
    anyhow::anyhow!("cannot run again as the chisel asks: {error}")
}

/// Ends the run at the first SIGINT or SIGTERM, and the program at the second.
pub(super) fn stop_on_signals() -> io::Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        on_signal(signal, SaFlags::SA_RESETHAND, stop)?;
    }
    Ok(())
}

/// Ends the run when the terminal is closed, unless that was to make no difference (nohup).
pub(super) fn stop_on_hangup() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(stop), SaFlags::SA_RESETHAND, SigSet::empty());
    // SAFETY: the handler only stores to an atomic; what is put back was there before.
    unsafe {
        let before = sigaction(Signal::SIGHUP, &action)?;
        if matches!(before.handler(), SigHandler::SigIgn) {
            sigaction(Signal::SIGHUP, &before)?;
        }
    }
    Ok(())
}

extern "C" fn stop(_: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

extern "C" fn dump(_: libc::c_int) {
    recording::DUMP.store(true, Ordering::Relaxed);
}

/// Sets a handler, which may do nothing but store to an atomic.
fn on_signal(signal: Signal, flags: SaFlags, handler: extern "C" fn(libc::c_int)) -> io::Result<()> {
    // No SA_RESTART: a source that waits is to wake up.
    let action = SigAction::new(SigHandler::Handler(handler), flags, SigSet::empty());
    // SAFETY: both handlers of this program only store to an atomic, which is allowed at any moment.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

/// Standard output without a buffer of its own.
fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Writes a listing. That nobody reads all of it is no error.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(anyhow::anyhow!("cannot write the output: {e}")),
        Ok(()) => Ok(()),
    }
}

/// Says on standard error what is wrong. A standard error that is closed is no further problem.
pub(super) fn complain(message: &str) {
    // Names of files are in it, and those are anybody's.
    let shown: String = message
        .chars()
        .map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    let _ = writeln!(io::stderr(), "tracer: {shown}");
}

/// Help and version are no errors; of an error the first line says it all.
pub(super) fn report_parse_error(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A reader that left needs no help.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message = lines.next().unwrap_or("wrong usage").trim_start_matches("error: ").to_owned();
    for line in lines {
        // Names of options that are missing, and what was probably meant.
        if line.starts_with("[possible") || line.starts_with("tip:") || line.starts_with("--") {
            let separator = if line.starts_with("tip:") { ";" } else { "" };
            message = format!("{message}{separator} {line}");
        }
    }
    complain(&format!("{message} (tracer --help)"));
    ExitCode::from(USAGE)
}

fn surroundings() -> Surroundings {
    let (width, height) = terminal_size().unwrap_or((80, 25));
    Surroundings {
        stdout_is_terminal: io::stdout().is_terminal(),
        no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        width,
        height,
    }
}

/// Columns and lines of the terminal on standard output.
fn terminal_size() -> Option<(u32, u32)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one `winsize` to the address, which is valid for the whole call.
    let done = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0).then(|| (u32::from(size.ws_col), u32::from(size.ws_row)))
}
