//! `tracer ui`: what was typed, and the screen or the rows that it asks for.

use super::plan::{Surroundings, UsageError, positive};
use super::run::{FAILED, STOP, USAGE, complain, report_parse_error, stop_on_hangup, stop_on_signals};
use super::span;
use crate::chisel;
use crate::container::Sockets;
use crate::filter::Filter;
use crate::live::{LiveOptions, ProbeOptions};
use crate::ui::app::{App, Settings};
use crate::ui::catalog::Catalog;
use crate::ui::remembered::Remembered;
use crate::ui::view::{Kind, View};
use crate::ui::watch::{From, Watch};
use crate::ui::{self, rows::Format};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// What is going on? A full-screen view of processes, files, connections and more.
///
/// Enter looks deeper into the selected row, Backspace comes back, F1 explains the keys.
#[derive(Debug, Parser)]
#[command(name = "tracer ui", version, override_usage = "tracer ui [OPTIONS] [FILTER…]")]
pub struct Args {
    /// Which events: fields compared with values, joined with and, or, not and brackets
    #[arg(value_name = "FILTER", allow_negative_numbers = true, hide = true)]
    words: Vec<String>,

    /// Show a capture file instead of the running system
    #[arg(short, long = "readfile", visible_alias = "read", value_name = "FILE")]
    read: Vec<PathBuf>,

    /// View to begin with; --list-views names them
    #[arg(short, long, value_name = "ID", default_value = "procs")]
    view: String,

    /// Milliseconds between two pictures, at least 100
    #[arg(short, long, value_name = "MS", default_value = "2000")]
    delay: String,

    /// `c`: with the columns of containers
    #[arg(short, long, value_name = "FORMAT")]
    print: Option<String>,

    /// Stop after this many samples (with --json or --raw)
    #[arg(short = 'n', long = "numevents", value_name = "COUNT")]
    count: Option<String>,

    /// The rows of the view as JSON, a line for each sample, instead of the screen
    #[arg(short, long)]
    json: bool,

    /// The rows of the view as text instead of the screen
    #[arg(long, conflicts_with = "json")]
    raw: bool,

    /// Part of a capture to look at: seconds or a time (1m30s) since the start, a date and time, or #number of an event
    #[arg(long, value_name = "WHEN", requires = "read")]
    from: Option<String>,

    /// Where the part ends
    #[arg(long, value_name = "WHEN", requires = "read")]
    to: Option<String>,

    /// Rows of --json and --raw, from 0: FIRST-LAST
    #[arg(long, value_name = "ROWS")]
    rows: Option<String>,

    /// Column to sort by, from 0
    #[arg(long, value_name = "COLUMN")]
    sortingcol: Option<usize>,

    /// Bytes that are kept of each buffer that is read or written [default: 80]
    #[arg(short = 's', long, value_name = "BYTES", default_value_t = 0, hide_default_value = true)]
    snaplen: u32,

    /// Trace page faults too
    #[arg(long)]
    page_faults: bool,

    /// Folder with views of one's own (v_*.lua); may be given several times
    #[arg(long, value_name = "FOLDER")]
    view_dir: Vec<PathBuf>,

    /// Name the views and end
    #[arg(long)]
    list_views: bool,

    /// Do not ask container engines for names
    #[arg(long)]
    no_container_lookup: bool,

    /// Socket of a CRI engine
    #[arg(long, value_name = "SOCKET")]
    cri: Option<PathBuf>,
}

/// Everything that the arguments mean.
struct Plan {
    settings: Settings,
    view: Rc<View>,
    catalog: Catalog,
    from: From,
    format: Option<Format>,
}

/// Runs `tracer ui`; `words` are those after it.
pub fn main(words: impl Iterator<Item = std::ffi::OsString>, surroundings: Surroundings) -> ExitCode {
    let name = std::ffi::OsString::from("tracer ui");
    let args = match Args::try_parse_from(std::iter::once(name).chain(words)) {
        Ok(args) => args,
        Err(e) => return report_parse_error(&e),
    };
    let list_views = args.list_views;
    let plan = match Plan::new(args) {
        Ok(plan) => plan,
        Err(e) => {
            complain(&e.to_string());
            return ExitCode::from(USAGE);
        }
    };
    let result = if list_views { ui::rows::list_views(&plan.catalog) } else { run(plan, surroundings) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&format!("{e:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run(plan: Plan, surroundings: Surroundings) -> anyhow::Result<()> {
    let mut app = App::new(plan.catalog, plan.settings, &plan.view).map_err(anyhow::Error::msg)?;
    anyhow::ensure!(
        plan.format.is_some() || surroundings.stdout_is_terminal,
        "the screen needs a terminal; --json and --raw do not"
    );
    stop_on_signals()?;
    stop_on_hangup()?;
    let watch = Watch::start(plan.from)?;
    match plan.format {
        Some(format) => ui::rows::run(&mut app, &watch, &format, &STOP),
        None => {
            let place = Remembered::place();
            let before = place.as_deref().map(Remembered::load).unwrap_or_default();
            app.remember(before.clone());
            ui::run(&mut app, &watch, &STOP)?;
            match place.filter(|_| app.remembered != before) {
                // What was seen does not depend on it.
                Some(place) => app.remembered.save(&place).or_else(|e| {
                    complain(&format!("{}: {e}", place.display()));
                    Ok(())
                }),
                None => Ok(()),
            }
        }
    }
}

impl Plan {
    fn new(args: Args) -> Result<Self, UsageError> {
        let delay = positive("-d", &args.delay)?;
        if delay < 100 {
            return Err(UsageError("-d needs at least 100 milliseconds".to_owned()));
        }
        let window = span::window(args.from.as_deref(), args.to.as_deref())?;
        let rows = args.rows.as_deref().map_or(Ok((0, None)), rows)?;
        let count = args.count.as_deref().map(|n| positive("-n", n)).transpose()?;
        let containers = match args.print.as_deref() {
            None => false,
            Some("c" | "container" | "k" | "kubernetes" | "m" | "mesos") => true,
            Some(other) => return Err(UsageError(format!("-p needs c, k or m here, not '{other}'"))),
        };
        let filter = args.words.join(" ");
        if !filter.trim().is_empty() {
            Filter::compile(&filter).map_err(|e| UsageError(e.render(&filter)))?;
        }
        let (catalog, faults) = Catalog::load(chisel::catalog::Catalog::new(args.view_dir).folders());
        faults.iter().for_each(|fault| complain(fault));
        let Some(view) = catalog.by_id(&args.view).cloned() else {
            return Err(UsageError(format!("no view '{}' (--list-views names them)", args.view)));
        };
        let format = match (args.json, args.raw) {
            (false, false) => None,
            (json, _) => Some(Format { json, rows, count, sorting: args.sortingcol }),
        };
        if view.kind == Kind::Spectrogram && args.raw {
            return Err(UsageError("spectrograms are for the screen or --json".to_owned()));
        }
        let live = args.read.is_empty();
        let settings = Settings {
            containers,
            filter,
            source: if live { "Live System".to_owned() } else { file_names(&args.read) },
            live,
            interval: Duration::from_millis(delay),
            window,
        };
        let defaults = ProbeOptions::default();
        let from = if live {
            let snaplen = if args.snaplen == 0 { defaults.snaplen } else { args.snaplen };
            let probe = ProbeOptions { snaplen, page_faults: args.page_faults, ..defaults };
            let sockets = (!args.no_container_lookup)
                .then(|| Sockets { cri: args.cri.clone(), docker_host: std::env::var("DOCKER_HOST").ok() });
            From::Live(LiveOptions { probe, ..LiveOptions::default() }, sockets)
        } else {
            From::Files(args.read)
        };
        Ok(Self { settings, view, catalog, from, format })
    }
}

/// First and last row, such as `0-9`, `5-` or `5`.
fn rows(text: &str) -> Result<(usize, Option<usize>), UsageError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let rows = first.parse().ok().zip(if last.is_empty() { Some(None) } else { last.parse().ok().map(Some) });
    rows.filter(|(first, last): &(usize, Option<usize>)| last.is_none_or(|last| last >= *first))
        .ok_or_else(|| UsageError(format!("--rows needs FIRST-LAST, such as 0-9, not '{text}'")))
}

/// The names of the files without their folders.
fn file_names(files: &[PathBuf]) -> String {
    let name = |file: &PathBuf| file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let names: Vec<String> = files.iter().map(name).collect();
    names.join(", ").chars().filter(|c| !c.is_control()).collect()
}
