//! What the command line means: which source, which filter, which sink.
//!
//! Everything that can be wrong with the command line is found here, before anything is traced.

use super::args::{Args, Color, TimeMode};
use crate::fields::ExtractOptions;
use crate::fields::table;
use crate::filter::Filter;
use crate::output::json::JsonObject;
use crate::output::template::Template;
use crate::output::text::{COLOURED_TEMPLATE, DEFAULT_TEMPLATE, Format};
use bstr::BString;
use std::time::Duration;

/// The line with container columns (`-pc`).
const CONTAINER_TEMPLATE: &str = "*%evt.num %evt.outputtime %evt.cpu %container.name (%container.id) \
     %proc.name (%thread.tid:%thread.vtid) %evt.dir %evt.type %evt.info";

/// What is to be done.
pub enum Plan {
    /// `-l`
    ListFields { with_types: bool },
    /// `-L`
    ListEvents,
    /// `-p p`
    PrintTemplate(&'static str),
    /// `tracer doctor`
    Doctor,
    Trace(Box<Trace>),
}

/// A run over events.
pub struct Trace {
    pub filter: Option<Filter>,
    pub display_filter: Option<Filter>,
    /// `None`: nothing is shown.
    pub format: Option<Format>,
    pub options: ExtractOptions,
    pub unbuffered: bool,
    pub show_internal: bool,
    pub max_events: Option<u64>,
    pub max_time: Option<Duration>,
    pub suppressed: Vec<BString>,
    pub summary: bool,
    pub statistics: bool,
    /// Bytes kept of each buffer.
    pub snaplen: u32,
}

/// A command line that means nothing.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("{0}")]
    Option(String),
    /// A filter or template, with the place that is wrong.
    #[error("{what}: {message}\n  {text}\n  {:>caret$}", "^", caret = caret(text, *position))]
    Text { what: &'static str, message: String, text: String, position: usize },
}

/// What decides about colours besides the options.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    pub stdout_is_terminal: bool,
    /// `NO_COLOR` is set to something.
    pub no_color: bool,
    /// Columns of the terminal.
    pub width: u32,
}

impl Plan {
    /// Works out what the arguments mean.
    ///
    /// # Errors
    /// Numbers out of range, filters and templates with mistakes.
    pub fn new(args: Args, surroundings: Surroundings) -> Result<Self, UsageError> {
        if args.list {
            return Ok(Plan::ListFields { with_types: args.verbose });
        }
        if args.list_events {
            return Ok(Plan::ListEvents);
        }
        if args.words == ["doctor"] {
            return Ok(Plan::Doctor);
        }
        if args.print.as_deref() == Some("p") {
            return Ok(Plan::PrintTemplate(DEFAULT_TEMPLATE));
        }
        Trace::new(args, surroundings).map(|trace| Plan::Trace(Box::new(trace)))
    }
}

impl Trace {
    fn new(args: Args, surroundings: Surroundings) -> Result<Self, UsageError> {
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
            // Programs that read JSON can cut for themselves.
            whole_buffers: args.verbose || args.json,
            screen_width: surroundings.width,
        };
        let max_events = args.count.as_deref().map(|n| positive("-n", n)).transpose()?;
        let max_time = args.seconds.as_deref().map(|n| positive("-M", n)).transpose()?.map(Duration::from_secs);
        let filter = filter(&args.words.join(" "))?;
        let (filter, display_filter) = if args.display_filter { (None, filter) } else { (filter, None) };
        Ok(Self {
            filter,
            display_filter,
            format: format(&args, surroundings)?,
            options,
            unbuffered: args.unbuffered,
            show_internal: args.debug,
            max_events,
            max_time,
            suppressed: args.suppress.into_iter().map(BString::from).collect(),
            summary: args.summary,
            statistics: args.verbose,
            snaplen: args.snaplen,
        })
    }
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

fn format(args: &Args, surroundings: Surroundings) -> Result<Option<Format>, UsageError> {
    let coloured = match args.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => surroundings.stdout_is_terminal && !surroundings.no_color,
    };
    let text = match args.print.as_deref() {
        None if coloured && !args.json => COLOURED_TEMPLATE,
        None => DEFAULT_TEMPLATE,
        Some("c" | "container") => CONTAINER_TEMPLATE,
        Some(typed) => typed,
    };
    let template = Template::parse(text).map_err(|e| UsageError::Text {
        what: "format",
        message: e.message,
        text: text.to_owned(),
        position: e.position,
    })?;
    if args.quiet {
        return Ok(None);
    }
    Ok(Some(if args.json { Format::Json(JsonObject::new(&template)) } else { Format::Text(template) }))
}

fn filter(text: &str) -> Result<Option<Filter>, UsageError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Filter::compile(text).map(Some).map_err(|e| UsageError::Text {
        what: "filter",
        message: e.to_string(),
        text: text.to_owned(),
        position: e.position,
    })
}

fn positive(option: &str, text: &str) -> Result<u64, UsageError> {
    match text.parse() {
        Ok(0) | Err(_) => Err(UsageError::Option(format!("{option} needs a number above 0, not '{text}'"))),
        Ok(number) => Ok(number),
    }
}

/// Width of the field at whose end the caret stands.
fn caret(text: &str, position: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < position).count() + 1
}
