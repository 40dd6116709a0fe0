//! What the command line means: which source, which filter, which sink.
//!
//! Everything that can be wrong with the command line is found here, before anything is traced.

use super::args::{Args, Color, TimeMode};
use super::chisels;
use super::list::Listing;
use super::recording;
use super::selection::Selection;
use super::span;
use crate::chisel::script::{Description, Script};
use crate::chisel::{self, ChiselError, Engine};
use crate::container::Sockets;
use crate::fields::{ExtractOptions, Field, table};
use crate::filter::Filter;
use crate::live::{LiveOptions, ProbeOptions};
use crate::output::json::JsonObject;
use crate::output::template::Template;
use crate::output::text::{COLOURED_TEMPLATE, DEFAULT_TEMPLATE, Format};
use crate::pipeline::Rules;
use crate::scap::WriteOptions;
use crate::schema::EventType;
use bstr::BString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// The line with container columns (`-pc`).
const CONTAINER_TEMPLATE: &str = "*%evt.num %evt.outputtime %evt.cpu %container.name (%container.id) \
     %proc.name (%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info";

/// The same line with the pod (`-pk`).
const KUBERNETES_TEMPLATE: &str = "*%evt.num %evt.outputtime %evt.cpu %k8s.pod.name (%container.id) \
     %proc.name (%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info";

/// The same line with the Mesos task (`-pm`).
const MESOS_TEMPLATE: &str = "*%evt.num %evt.outputtime %evt.cpu %mesos.task.name (%container.id) \
     %proc.name (%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info";

/// What is to be done.
pub enum Plan {
    /// `-l`, `--list-markdown`
    ListFields(Listing),
    /// `-L`
    ListEvents,
    /// `-p p`
    PrintTemplate(&'static str),
    /// `tracer doctor`
    Doctor,
    /// `-cl`
    ListChisels(chisel::script::Surroundings),
    /// `-i`
    ChiselInfo(Box<Description>),
    /// `tracer info FILE`
    Info {
        file: PathBuf,
        json: bool,
    },
    /// `tracer index FILE`
    Index {
        file: PathBuf,
    },
    Trace(Box<Trace>),
}

/// A run over events.
pub struct Trace {
    pub rules: Rules,
    /// `None`: nothing is shown.
    pub format: Option<Format>,
    /// The capture to be written, instead of showing anything or besides.
    pub write: Option<WriteOptions>,
    /// Which threads the capture lists, all without it.
    pub listed: Option<Filter>,
    /// Which events are a reason to write what is kept in memory.
    pub dump_on: Option<Filter>,
    pub options: ExtractOptions,
    pub unbuffered: bool,
    pub statistics: bool,
    pub from: Origin,
    /// `--follow`
    pub follow: bool,
    /// `-P`
    pub progress: bool,
    /// The chisels that take the place of the lines.
    pub chisels: Option<Engine>,
    /// `None`: nobody is asked about containers.
    pub containers: Option<ContainerPlan>,
    /// Names of users and groups are neither shown nor written.
    pub exclude_users: bool,
    /// The index of a capture is not used.
    pub no_index: bool,
    /// Threads that analyse a capture at most.
    pub threads: usize,
    /// What is shown of an event does not depend on which others are looked at.
    pub is_divisible: bool,
}

/// How names of containers are found.
pub struct ContainerPlan {
    /// `--cri` and `DOCKER_HOST`.
    pub sockets: Sockets,
    /// Something that is shown, filtered or written needs them: containers are noticed when they are
    /// made, not only when a process is met in one.
    pub at_once: bool,
    pub wait: Duration,
}

/// Where the events come from.
pub enum Origin {
    Live(LiveOptions),
    /// Capture files, at least one.
    Files(Vec<PathBuf>),
}

/// A command line that means nothing, with the reason: one line, of filters and formats followed by
/// their text with a caret below the fault.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub(super) String);

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Chisel(#[from] ChiselError),
}

/// What decides about colours besides the options.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    pub stdout_is_terminal: bool,
    /// `NO_COLOR` is set to something.
    pub no_color: bool,
    /// Columns of the terminal.
    pub width: u32,
    /// Lines of the terminal.
    pub height: u32,
}

impl Plan {
    /// Works out what the arguments mean. Chisels print to `out`, from here on.
    ///
    /// # Errors
    /// Numbers out of range, filters and templates with mistakes, chisels that do not want to run.
    pub fn new(
        args: Args,
        surroundings: Surroundings,
        out: impl FnOnce() -> io::Result<Box<dyn Write>>,
    ) -> Result<Self, PlanError> {
        if args.list {
            return Ok(Plan::ListFields(match args.json {
                true => Listing::Json,
                false => Listing::Text { with_types: args.verbose },
            }));
        }
        if args.list_markdown {
            return Ok(Plan::ListFields(Listing::Markdown));
        }
        if args.list_events {
            return Ok(Plan::ListEvents);
        }
        if args.words == ["doctor"] {
            return Ok(Plan::Doctor);
        }
        if let [command, file] = args.words.as_slice() {
            let file = PathBuf::from(file);
            match command.as_str() {
                "info" => return Ok(Plan::Info { file, json: args.json }),
                "index" => return Ok(Plan::Index { file }),
                _ => {}
            }
        }
        if args.print.as_deref() == Some("p") {
            return Ok(Plan::PrintTemplate(DEFAULT_TEMPLATE));
        }
        let out = || out().map_err(|e| UsageError(format!("standard output: {e}")));
        if args.list_chisels || args.chisels == ["l"] {
            return Ok(Plan::ListChisels(chisels::surroundings(&args, surroundings, Box::new(io::sink()))));
        }
        if let Some(name) = &args.chisel_info {
            let given = chisels::surroundings(&args, surroundings, Box::new(io::sink()));
            return Ok(Plan::ChiselInfo(Box::new(Script::load(name, &given)?.description)));
        }
        Trace::new(args, surroundings, out).map(|trace| Plan::Trace(Box::new(trace)))
    }
}

impl Trace {
    /// What the author of the filter may not know, a line each.
    pub fn hints(&self) -> Vec<String> {
        let filters = [&self.rules.filter, &self.rules.display_filter];
        filters.into_iter().flatten().flat_map(Filter::hints).collect()
    }

    fn new(
        args: Args,
        surroundings: Surroundings,
        out: impl FnOnce() -> Result<Box<dyn Write>, UsageError>,
    ) -> Result<Self, PlanError> {
        let options = ExtractOptions {
            resolve_names: args.resolve,
            time: match args.time {
                TimeMode::Hour => table::TimeMode::Hour,
                TimeMode::Absolute => table::TimeMode::Absolute,
                TimeMode::Relative => table::TimeMode::Relative,
                TimeMode::Delta => table::TimeMode::Delta,
                TimeMode::PreviousDelta => table::TimeMode::PreviousDelta,
            },
            buffer: buffer_mode(&args),
            // Programs that read JSON can cut for themselves, and so can chisels.
            whole_buffers: args.verbose || args.json || !args.chisels.is_empty(),
            screen_width: surroundings.width,
            ..ExtractOptions::default()
        };
        let max_events = args.count.as_deref().map(|n| positive("-n", n)).transpose()?;
        let max_time =
            args.seconds.as_deref().map(|n| positive("-M", n)).transpose()?.map(Duration::from_secs);
        let chisels = match args.chisels.is_empty() {
            true => None,
            false => Some(chisels::engine(&args, surroundings, out()?, options.clone())?),
        };
        let filter = match &chisels {
            Some(engine) => compile(&engine.global_filter())?,
            None => compile(&args.words.join(" "))?,
        };
        let (filter, display_filter) = if args.display_filter { (None, filter) } else { (filter, None) };
        let rules = Rules {
            filter,
            display_filter,
            show_internal: args.debug,
            max_events,
            max_time,
            window: span::window(args.from.as_deref(), args.to.as_deref())?,
            suppressed: args.suppress.iter().map(|name| BString::from(name.as_str())).collect(),
            summary: args.summary,
        };
        let template = template(&args, surroundings)?;
        let write = recording::options(&args)?;
        let shows_containers = template.columns().any(|column| is_about_containers(column.field.field));
        let at_once = shows_containers || write.is_some() || chisels.is_some();
        let containers = container_plan(&args, at_once)?;
        let listed = match args.filter_proclist {
            true => Some(
                compile(&args.words.join(" "))?
                    .ok_or_else(|| UsageError("--filter-proclist needs a filter".to_owned()))?,
            ),
            false => None,
        };
        let dump_on = args.dump_on.as_deref().map(compile).transpose()?.flatten();
        let from = if args.read.is_empty() {
            // What is written has no columns.
            let shown =
                template.columns().filter(|_| write.is_none() || args.tee).map(|column| column.field.field);
            Origin::Live(match &chisels {
                None => live_options(&args, rules.filter.as_ref(), shown, &options)?,
                Some(engine) => chisels::live_options(&args, engine, &options)?,
            })
        } else {
            Origin::Files(args.read)
        };
        let threads = match args.threads.as_deref() {
            Some(text) => usize::try_from(positive("--threads", text)?).unwrap_or(usize::MAX),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let is_divisible = is_divisible(&rules, &template, &options);
        let format =
            (!args.quiet && (write.is_none() || args.tee) && chisels.is_none()).then(|| match args.json {
                true => Format::Json(JsonObject::new(&template)),
                false => Format::Text(template),
            });
        Ok(Self {
            rules,
            format,
            write,
            listed,
            dump_on,
            from,
            follow: args.follow,
            progress: args.progress,
            containers,
            options,
            unbuffered: args.unbuffered,
            statistics: args.verbose,
            chisels,
            exclude_users: args.exclude_users,
            // Checkpoints in an index have them.
            no_index: args.no_index || args.exclude_users,
            threads,
            is_divisible,
        })
    }
}

fn is_about_containers(field: &Field) -> bool {
    matches!(field.class, table::Class::Container | table::Class::K8s)
}

/// Events of files are not of the containers that run here.
fn container_plan(args: &Args, needed: bool) -> Result<Option<ContainerPlan>, UsageError> {
    let wait = args.container_wait.as_deref().map(|n| positive("--container-wait", n)).transpose()?;
    if args.no_container_lookup || !args.read.is_empty() {
        return Ok(None);
    }
    // The text tells enough: that of a filter which names no such field.
    let filtered = args.words.iter().any(|word| word.contains("container.") || word.contains("k8s."));
    Ok(Some(ContainerPlan {
        sockets: Sockets { cri: args.cri.clone(), docker_host: std::env::var("DOCKER_HOST").ok() },
        at_once: needed || filtered,
        wait: wait.map_or(Duration::ZERO, Duration::from_millis),
    }))
}

/// Whether what is shown of an event depends on that event and the state alone: not on how often a field
/// was asked for, nor on what was shown before.
fn is_divisible(rules: &Rules, template: &Template, options: &ExtractOptions) -> bool {
    let filters = [&rules.filter, &rules.display_filter].into_iter().flatten();
    let mut fields =
        filters.flat_map(Filter::fields).copied().chain(template.columns().map(|column| column.field.field));
    options.time != table::TimeMode::PreviousDelta && fields.all(|field| field.class != table::Class::Util)
}

fn buffer_mode(args: &Args) -> table::BufferMode {
    use table::BufferMode as Mode;
    if args.ascii {
        Mode::Ascii
    } else if args.hex {
        Mode::Hex
    } else if args.hex_ascii {
        Mode::HexAscii
    } else if args.base64 {
        Mode::Base64
    } else {
        Mode::Printable
    }
}

fn template(args: &Args, surroundings: Surroundings) -> Result<Template, UsageError> {
    let coloured = match args.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => surroundings.stdout_is_terminal && !surroundings.no_color,
    };
    let text = match args.print.as_deref() {
        None if coloured && !args.json => COLOURED_TEMPLATE,
        None => DEFAULT_TEMPLATE,
        Some("c" | "container") => CONTAINER_TEMPLATE,
        Some("k" | "kubernetes") => KUBERNETES_TEMPLATE,
        Some("m" | "mesos") => MESOS_TEMPLATE,
        Some(typed) => typed,
    };
    Template::parse(text).map_err(|e| UsageError(e.render(text)))
}

pub(super) fn live_options<'a>(
    args: &Args,
    filter: Option<&Filter>,
    shown: impl Iterator<Item = &'a Field>,
    options: &ExtractOptions,
) -> Result<LiveOptions, UsageError> {
    let selection = Selection::new(filter, shown, options);
    let defaults = ProbeOptions::default();
    let probe = ProbeOptions {
        // 0 always meant that the default stays.
        snaplen: match args.snaplen {
            _ if !selection.wants_data() && args.write.is_none() => 0,
            0 => defaults.snaplen,
            bytes => bytes,
        },
        enter: if args.exit_only { selection.wants_latency() } else { selection.wants_enter(filter) },
        switches: selection.wants(EventType::SCHEDSWITCH_6_E, 0),
        page_faults: args.page_faults,
        ring_bytes: match args.buffer_size.as_deref() {
            Some(text) => ring_bytes(text)?,
            None => defaults.ring_bytes,
        },
        ..defaults
    };
    Ok(LiveOptions {
        probe,
        wants: Box::new(move |ty, code| selection.wants(ty, code)),
        large_environments: args.large_environment,
    })
}

/// The kernel wants a power of two and whole pages; pages of up to 64 KiB exist.
fn ring_bytes(text: &str) -> Result<u32, UsageError> {
    const SMALLEST: u64 = 64 << 10;
    const LARGEST: u64 = 1 << 30;
    bytes(text)
        .filter(|n| (1..=LARGEST).contains(n))
        .and_then(|n| u32::try_from(n.max(SMALLEST).next_power_of_two()).ok())
        .ok_or_else(|| UsageError(format!("--buffer-size needs a size up to 1G, such as 512K, not '{text}'")))
}

/// A number of bytes, with K, M or G for powers of 1024.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

pub(super) fn compile(text: &str) -> Result<Option<Filter>, UsageError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Filter::compile(text).map(Some).map_err(|e| UsageError(e.render(text)))
}

pub(super) fn positive(option: &str, text: &str) -> Result<u64, UsageError> {
    match text.parse() {
        Ok(0) | Err(_) => Err(UsageError(format!("{option} needs a number above 0, not '{text}'"))),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Surroundings =
        Surroundings { stdout_is_terminal: true, no_color: false, width: 80, height: 25 };
    const PIPE: Surroundings = Surroundings { stdout_is_terminal: false, ..TERMINAL };

    fn plan(words: &[&str], surroundings: Surroundings) -> Result<Plan, String> {
        let args =
            Args::from_command_line(std::iter::once(&"tracer").chain(words)).map_err(|e| e.to_string())?;
        Plan::new(args, surroundings, || Ok(Box::new(io::sink()))).map_err(|e| e.to_string())
    }

    fn trace(words: &[&str], surroundings: Surroundings) -> Trace {
        match plan(words, surroundings) {
            Ok(Plan::Trace(trace)) => *trace,
            Ok(_) => panic!("{words:?} is no trace"),
            Err(e) => panic!("{words:?}: {e}"),
        }
    }

    fn is_coloured(words: &[&str], surroundings: Surroundings) -> bool {
        match trace(words, surroundings).format {
            Some(Format::Text(template)) => template.has_escape(),
            _ => false,
        }
    }

    #[test]
    fn ring_sizes() {
        let bytes = |text| ring_bytes(text).map_err(|e| e.to_string());
        assert_eq!(bytes("1M"), Ok(1 << 20));
        assert_eq!(bytes("5m"), Ok(8 << 20));
        assert_eq!(bytes("1"), Ok(64 << 10));
        assert_eq!(bytes("1G"), Ok(1 << 30));
        for wrong in ["", "0", "2G", "M", "-1", "1T", "99999999999999999999", "16é"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn colours_are_for_terminals_unless_somebody_says_otherwise() {
        let no_color = Surroundings { no_color: true, ..TERMINAL };
        assert!(is_coloured(&[], TERMINAL));
        assert!(!is_coloured(&[], PIPE));
        assert!(!is_coloured(&[], no_color));
        assert!(is_coloured(&["--color=always"], no_color));
        assert!(is_coloured(&["--color=always"], PIPE));
        assert!(!is_coloured(&["--color=never"], TERMINAL));
        assert!(!is_coloured(&["-p%evt.num"], TERMINAL));
        assert!(matches!(trace(&["-j"], TERMINAL).format, Some(Format::Json(_))));
    }

    #[test]
    fn a_display_filter_takes_the_place_of_the_filter() {
        let plain = trace(&["evt.type=read", "and", "evt.dir=<"], PIPE);
        assert!(plain.rules.filter.is_some() && plain.rules.display_filter.is_none());
        let display = trace(&["-d", "evt.type=read"], PIPE);
        assert!(display.rules.filter.is_none() && display.rules.display_filter.is_some());
        assert!(trace(&["", " "], PIPE).rules.filter.is_none());
    }

    #[test]
    fn doctor_is_a_command_only_as_the_only_word() {
        assert!(matches!(plan(&["doctor"], PIPE), Ok(Plan::Doctor)));
        assert!(plan(&["doctor", "and", "evt.type=read"], PIPE).is_err());
        assert!(matches!(plan(&["proc.name=doctor"], PIPE), Ok(Plan::Trace(_))));
    }

    #[test]
    fn limits() {
        let limited = trace(&["-n", "5", "-M10", "-s", "200"], PIPE);
        assert_eq!(limited.rules.max_events, Some(5));
        assert_eq!(limited.rules.max_time, Some(Duration::from_secs(10)));
        let snaplen = |trace: &Trace| match &trace.from {
            Origin::Live(live) => Some(live.probe.snaplen),
            Origin::Files(_) => None,
        };
        assert_eq!(snaplen(&limited), Some(200));
        assert_eq!(snaplen(&trace(&["-s0"], PIPE)), snaplen(&trace(&[], PIPE)));
        for wrong in [["-n", "0"], ["-n", "x"], ["-M", "0"], ["-M", "1.5"]] {
            assert!(plan(&wrong, PIPE).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn files_take_the_place_of_the_kernel() {
        match trace(&["-r", "a", "evt.type=read", "-rb"], PIPE).from {
            Origin::Files(files) => assert_eq!(files, [PathBuf::from("a"), PathBuf::from("b")]),
            Origin::Live(_) => panic!("not live"),
        }
        assert!(matches!(trace(&[], PIPE).from, Origin::Live(_)));
    }

    #[test]
    fn every_named_format_has_its_columns() {
        for (name, column) in [
            ("c", "container.name"),
            ("container", "container.name"),
            ("k", "k8s.pod.name"),
            ("kubernetes", "k8s.pod.name"),
            ("m", "mesos.task.name"),
            ("mesos", "mesos.task.name"),
        ] {
            let Some(Format::Text(template)) = trace(&["-p", name], PIPE).format else { panic!("{name}") };
            assert!(template.columns().any(|c| c.field.field.name == column), "{name}");
        }
    }

    #[test]
    fn buffers() {
        let buffer = |option| trace(&[option], PIPE).options.buffer;
        assert_eq!(buffer("-A"), table::BufferMode::Ascii);
        assert_eq!(buffer("-x"), table::BufferMode::Hex);
        assert_eq!(buffer("-X"), table::BufferMode::HexAscii);
        assert_eq!(buffer("-b"), table::BufferMode::Base64);
        assert_eq!(buffer("-R"), table::BufferMode::Printable);
        assert!(trace(&["-v"], PIPE).options.whole_buffers);
        assert!(trace(&["-j"], PIPE).options.whole_buffers);
        assert!(!trace(&[], PIPE).options.whole_buffers);
    }
}
