//! What was typed: the options as they stand on the command line, not yet what they mean.
//!
//! Short options have the letters and meanings that users of sysdig know.

use super::sysdig_options;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum};
use std::path::PathBuf;

/// What is my system doing?
///
/// Shows the system calls and other events of all programs on this machine as they happen. Words
/// that are no options form a filter, such as:  tracer proc.name=cat and evt.type=openat
#[derive(Debug, Parser)]
#[command(
    name = "tracer",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    override_usage = "tracer [OPTIONS] [FILTER…]\n       tracer doctor\n       tracer info FILE\n       tracer index FILE",
    after_help = "Start with:  tracer -l (fields)   tracer -L (events)   tracer doctor (what works here)",
    after_long_help = EXAMPLES
)]
pub struct Args {
    /// Which events: fields compared with values, joined with and, or, not and brackets
    #[arg(value_name = "FILTER", allow_negative_numbers = true, hide = true)]
    pub words: Vec<String>,

    /// Read events from a capture file instead of tracing; `-` is standard input
    ///
    /// Plain, gzip and zstd files of sysdig, Falco and tracer. May be given several times: the events of
    /// all files come in the order of time, each with the processes and files of its own capture.
    #[arg(short, long, value_name = "FILE", help_heading = "What to trace")]
    pub read: Vec<PathBuf>,

    /// Begin with this time or event of the recording
    ///
    /// Seconds since its first event (90.5) or the same in other units (1m30s), a point in time
    /// (2026-05-01T12:00:00, with Z or an offset unless it is local; or seconds since 1970), or the number of
    /// an event (#1000). With an index what lies before is not even read.
    #[arg(long, value_name = "WHEN", requires = "read", help_heading = "What to trace")]
    pub from: Option<String>,

    /// End with this time or event of the recording, in the forms of --from
    #[arg(long, value_name = "WHEN", requires = "read", help_heading = "What to trace")]
    pub to: Option<String>,

    /// Threads that analyse a recording with an index [default: one for each CPU]
    #[arg(long, value_name = "COUNT", help_heading = "What to trace")]
    pub threads: Option<String>,

    /// When the file ends, wait for what is still to be written, until Ctrl-C
    ///
    /// Without it a file that somebody is still writing is read to its present end. Of several files
    /// the last one is followed.
    #[arg(long, requires = "read", help_heading = "What to trace")]
    pub follow: bool,

    /// Show on standard error how much of the file was read
    #[arg(short = 'P', long, requires = "read", help_heading = "Output")]
    pub progress: bool,

    /// Write the events to a capture file instead of showing them; `-` is standard output
    ///
    /// A filter decides which ones. The file begins with all processes, open files and users. A file
    /// that is there already is not touched without --overwrite.
    #[arg(short, long, value_name = "FILE", help_heading = "Recording")]
    pub write: Option<PathBuf>,

    /// Show the events too that are written to a file
    #[arg(long, requires = "write", conflicts_with_all = ["chisels", "quiet"], help_heading = "Recording")]
    pub tee: bool,

    /// How the capture is compressed: none, gzip, zstd or zstd:LEVEL [default: zstd]
    ///
    /// sysdig and Falco read none and gzip; `zstd -d` makes any zstd capture a plain one. Without HOW it is gzip.
    #[arg(
        long,
        value_name = "HOW",
        num_args = 0..=1,
        default_missing_value = "gzip",
        requires = "write",
        help_heading = "Recording"
    )]
    pub compress: Option<String>,

    /// As --compress gzip
    #[arg(short = 'z', requires = "write", conflicts_with = "compress", help_heading = "Recording")]
    pub gzip: bool,

    /// Record how system calls end, not that they begin: half the size
    ///
    /// Everything but the time that calls take is kept. Readers of the years before 2025 need the
    /// beginnings to name files.
    #[arg(long, requires = "write", conflicts_with = "read", help_heading = "Recording")]
    pub exit_only: bool,

    /// Write, or use, no index
    ///
    /// zstd captures get one, so that parts of them can be read alone. With -r the whole file is read.
    #[arg(long, help_heading = "Recording")]
    pub no_index: bool,

    /// Keep events that the filter refuses if later names depend on them; readers do not show them
    #[arg(short = 'F', long, requires = "write", help_heading = "Recording")]
    pub fatfile: bool,

    /// Replace what the field shows before it is written: proc.env, proc.env[NAME], proc.args or evt.buffer
    ///
    /// Names of variables, numbers of arguments and lengths of buffers stay. May be given several times.
    #[arg(long, value_name = "FIELD", requires = "write", value_delimiter = ',', help_heading = "Recording")]
    pub redact: Vec<String>,

    /// Begin a new file after so many million bytes
    ///
    /// Each file begins with all processes and open files, and has at least as much of events.
    #[arg(
        short = 'C',
        long = "file-size",
        value_name = "MB",
        requires = "write",
        help_heading = "Recording"
    )]
    pub file_size: Option<String>,

    /// Begin a new file after so many seconds; the name may have the codes of strftime
    #[arg(
        short = 'G',
        long = "seconds",
        value_name = "SECONDS",
        requires = "write",
        help_heading = "Recording"
    )]
    pub file_seconds: Option<String>,

    /// Begin a new file after so many events
    #[arg(
        short = 'e',
        long = "event-limit",
        value_name = "COUNT",
        requires = "write",
        help_heading = "Recording"
    )]
    pub file_events: Option<String>,

    /// Keep so many files: with -C, -G or -e, older ones make room
    #[arg(short = 'W', long = "limit", value_name = "COUNT", requires = "write", help_heading = "Recording")]
    pub file_limit: Option<String>,

    /// Keep all files below so many bytes, such as 20G: older ones make room
    ///
    /// Without -C, -G or -e there are at least four files, unless what all files begin with (processes and open files)
    /// leaves no room for as much of events.
    #[arg(long, value_name = "SIZE", requires = "write", help_heading = "Recording")]
    pub max_total: Option<String>,

    /// Keep the last 512M or 10m in memory, and write them when asked: a flight recorder
    ///
    /// K, M and G are sizes, s, m and h times. SIGUSR1, an event of --dump-on and the end of the run write what is there to
    /// a file of its own, with a number at the end of its name or the codes of strftime in it; then it goes on.
    #[arg(
        long,
        value_name = "SIZE|TIME",
        requires = "write",
        conflicts_with_all = ["file_size", "file_seconds", "file_events"],
        help_heading = "Recording"
    )]
    pub ring: Option<String>,

    /// Write what --ring keeps when an event passes this filter
    #[arg(long, value_name = "FILTER", requires = "ring", help_heading = "Recording")]
    pub dump_on: Option<String>,

    /// … and so many seconds after it [default: 1]
    #[arg(long, value_name = "SECONDS", requires = "dump_on", help_heading = "Recording")]
    pub dump_after: Option<u32>,

    /// Apply the filter also to the list of processes that the file begins with
    #[arg(long, requires = "read", help_heading = "Recording")]
    pub filter_proclist: bool,

    /// Write over files that are there already
    #[arg(long, requires = "write", help_heading = "Recording")]
    pub overwrite: bool,

    /// Shape the lines: text with %fields in it
    ///
    /// A width may stand before the name (%12proc.name). A format that starts with * also shows
    /// events that lack one of its fields. \n \t \e and \\ are a line break, a tab, an escape
    /// character and a backslash. `-p p` prints the format that is used without this option.
    #[arg(short, long, value_name = "FORMAT", overrides_with = "print", help_heading = "Output")]
    pub print: Option<String>,

    /// One JSON object a line
    #[arg(short, long, help_heading = "Output")]
    pub json: bool,

    /// Show no events
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,

    /// Count the events and print the most frequent at the end
    #[arg(short = 'S', long, help_heading = "Output")]
    pub summary: bool,

    /// Whole buffers instead of the first 80 characters, and figures of the run at its end
    ///
    /// With -l also the types of the fields.
    #[arg(short, long, help_heading = "Output")]
    pub verbose: bool,

    /// How times are shown: h, a, r, d or D
    ///
    /// h: time of day; a: seconds since 1970; r: since the first event; d: between enter and exit of
    /// the call; D: since the event shown before.
    #[arg(
        short = 't',
        long = "timetype",
        value_name = "MODE",
        value_enum,
        default_value = "h",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    pub time: TimeMode,

    /// Buffers: only their text, with its line breaks
    #[arg(short = 'A', long = "print-ascii", group = "buffer", help_heading = "Output")]
    pub ascii: bool,

    /// Buffers in hexadecimal
    #[arg(short = 'x', long = "print-hex", group = "buffer", help_heading = "Output")]
    pub hex: bool,

    /// Buffers in hexadecimal and as text
    #[arg(short = 'X', long = "print-hex-ascii", group = "buffer", help_heading = "Output")]
    pub hex_ascii: bool,

    /// Buffers in base64
    #[arg(short = 'b', long = "print-base64", group = "buffer", help_heading = "Output")]
    pub base64: bool,

    /// Names instead of port numbers
    #[arg(short = 'R', long = "resolve-ports", help_heading = "Output")]
    pub resolve: bool,

    /// Write every line at once
    #[arg(long, help_heading = "Output")]
    pub unbuffered: bool,

    /// Colours: auto is on terminals, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", help_heading = "Output")]
    pub color: Color,

    /// Stop after this many events
    #[arg(short = 'n', long = "numevents", value_name = "COUNT", help_heading = "What to trace")]
    pub count: Option<String>,

    /// Stop after this many seconds
    #[arg(short = 'M', long = "duration", value_name = "SECONDS", help_heading = "What to trace")]
    pub seconds: Option<String>,

    /// Bytes that are kept of each buffer that is read or written [default: 80]
    #[arg(
        short = 's',
        long,
        value_name = "BYTES",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "What to trace"
    )]
    pub snaplen: u32,

    /// Ring buffer of each CPU, such as 512K or 64M [default: by memory, 1M to 16M]
    ///
    /// Rounded up to a power of two. A larger one survives longer bursts of events.
    #[arg(long, value_name = "SIZE", help_heading = "What to trace")]
    pub buffer_size: Option<String>,

    /// Leave out programs of this name; may be given several times
    #[arg(short = 'U', long = "suppress-comm", value_name = "NAME", help_heading = "What to trace")]
    pub suppress: Vec<String>,

    /// Read no names of users and groups, and write none
    #[arg(short = 'E', long, help_heading = "What to trace")]
    pub exclude_users: bool,

    /// Keep environments of more than 4096 bytes whole, by a look into /proc
    #[arg(long, help_heading = "What to trace")]
    pub large_environment: bool,

    /// Trace page faults too
    #[arg(long, help_heading = "What to trace")]
    pub page_faults: bool,

    /// Socket of the container runtime of Kubernetes [default: those of containerd and CRI-O]
    ///
    /// Sockets of docker and podman are found, or named by DOCKER_HOST.
    #[arg(long, value_name = "PATH", help_heading = "Containers")]
    pub cri: Option<PathBuf>,

    /// Ask no engine and read no engine's files for the names of containers
    #[arg(long, help_heading = "Containers")]
    pub no_container_lookup: bool,

    /// Hold events back so many milliseconds until the name of a new container is known [default: 0]
    ///
    /// All events wait while one is held back, so that they stay in order.
    #[arg(long, value_name = "MS", conflicts_with = "no_container_lookup", help_heading = "Containers")]
    pub container_wait: Option<String>,

    /// Apply the filter only to what is shown: -n and -S count all events
    #[arg(short = 'd', long = "displayflt", help_heading = "What to trace")]
    pub display_filter: bool,

    /// Show also the events that tracer makes for itself
    #[arg(short = 'D', long, help_heading = "What to trace")]
    pub debug: bool,

    /// Run a chisel over the events; the word after it are its arguments, if it takes any
    ///
    /// Chisels are scripts in Lua: `-cl` lists them. Several words for one chisel go between quotes.
    /// May be given several times.
    #[arg(short = 'c', long = "chisel", value_name = "NAME", help_heading = "Chisels")]
    pub chisels: Vec<String>,

    /// Of each chisel the place among the words of the one that follows it
    #[arg(skip)]
    pub chisel_words: Vec<Option<usize>>,

    /// What is to be said about options of sysdig that are not needed, a line each
    #[arg(skip)]
    pub remarks: Vec<String>,

    /// What a chisel does and which arguments it takes
    #[arg(
        short = 'i',
        long = "chisel-info",
        value_name = "NAME",
        group = "listing",
        help_heading = "Chisels"
    )]
    pub chisel_info: Option<String>,

    /// List the chisels (also -cl)
    #[arg(long, group = "listing", help_heading = "Chisels")]
    pub list_chisels: bool,

    /// Look for chisels in this folder first; may be given several times
    ///
    /// Then in ./chisels, ~/.config/tracer/chisels, ~/.chisels and /usr/share/tracer/chisels.
    #[arg(long = "chisel-dir", value_name = "FOLDER", help_heading = "Chisels")]
    pub chisel_folders: Vec<PathBuf>,

    /// Let chisels open files, run programs and send packets
    #[arg(long, help_heading = "Chisels")]
    pub allow_chisel_io: bool,

    /// List the fields for filters and formats; with -j one JSON object a field
    #[arg(short, long, group = "listing", help_heading = "Information")]
    pub list: bool,

    /// List the fields in Markdown
    #[arg(long, group = "listing", help_heading = "Information")]
    pub list_markdown: bool,

    /// List the events and their parameters
    #[arg(short = 'L', long, group = "listing", help_heading = "Information")]
    pub list_events: bool,

    /// Print help: -h in short, --help in full
    #[arg(short, long, action = ArgAction::Help, help_heading = "Information")]
    pub help: Option<bool>,

    /// Print the version
    #[arg(long, action = ArgAction::Version, help_heading = "Information")]
    pub version: Option<bool>,
}

impl Args {
    /// Reads a command line; the first word is the name of the program.
    ///
    /// # Errors
    /// What is wrong with it; help and version, which are wanted, come the same way.
    pub fn from_command_line<W: Into<std::ffi::OsString> + Clone>(
        words: impl IntoIterator<Item = W>,
    ) -> Result<Self, clap::Error> {
        let words = words.into_iter().map(|word| sysdig_options::unglued(word.into()));
        let mut command = sysdig_options::known_to(Self::command());
        let matches = command.try_get_matches_from_mut(words)?;
        let mut args = Self::from_arg_matches(&matches)?;
        args.remarks = sysdig_options::remarks(&matches, &mut command)?;
        let places = |id| matches.indices_of(id).into_iter().flatten();
        args.chisel_words =
            places("chisels").map(|at| places("words").position(|word| word == at + 1)).collect();
        Ok(args)
    }
}

/// `-t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TimeMode {
    #[value(name = "h")]
    Hour,
    #[value(name = "a")]
    Absolute,
    #[value(name = "r")]
    Relative,
    #[value(name = "d")]
    Delta,
    #[value(name = "D")]
    PreviousDelta,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

const EXAMPLES: &str = "\
Examples:
  tracer                                            everything
  tracer proc.name=cat and evt.type=openat          files that cat opens
  tracer -p '%proc.name %fd.name' evt.is_io=true    who reads and writes what
  tracer 'evt.failed=true'                          system calls that fail
  tracer -r night.scap.gz evt.failed=true           the same, of a recording
  tracer -w day.scap -G 3600 -W 24                  the last day, an hour a file
  tracer -c topfiles_bytes proc.name=cat            the files that cat reads and writes most
  tracer -r day.scap --from 1h30m --to 1h31m        a minute of it
  tracer info day.scap                              what is in it
  tracer index old.scap.gz                          an index for it, which makes both quick
  tracer -S -q -M 5                                 what happens most, in five seconds
  tracer doctor                                     what works on this machine, and what to do

Exit status: 0 done, 1 it failed, 2 it was used wrongly.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::from_command_line(std::iter::once("tracer").chain(line.split_whitespace()))
    }

    #[test]
    fn the_options_fit_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn filter_words_may_stand_between_options() {
        let args = parse("-n 5 proc.name=cat and -j evt.type in (open, openat)").unwrap();
        assert_eq!(args.words.join(" "), "proc.name=cat and evt.type in (open, openat)");
        assert_eq!(args.count.as_deref(), Some("5"));
        assert!(args.json);
        let args = parse("evt.rawres < -1").unwrap();
        assert_eq!(args.words, ["evt.rawres", "<", "-1"]);
    }

    #[test]
    fn values_may_be_glued_to_short_options() {
        let args = parse("-p%evt.num -s200 -tD -lv -M3").unwrap();
        assert_eq!(args.print.as_deref(), Some("%evt.num"));
        assert_eq!((args.snaplen, args.time), (200, TimeMode::PreviousDelta));
        assert!(args.list && args.verbose);
        assert_eq!(args.seconds.as_deref(), Some("3"));
    }

    #[test]
    fn the_word_after_a_chisel_is_known() {
        let args = parse("-c a x -cb y -n 5 z -c c -j w").unwrap();
        assert_eq!(args.chisels, ["a", "b", "c"]);
        assert_eq!(args.words, ["x", "y", "z", "w"]);
        assert_eq!(args.chisel_words, [Some(0), Some(1), None]);
        assert_eq!(parse("w -ca -j").unwrap().chisel_words, [None]);
    }

    #[test]
    fn one_way_to_show_buffers() {
        assert!(parse("-x").unwrap().hex);
        for both in ["-A -x", "-x -A", "-X -b", "-l -L"] {
            assert!(parse(both).is_err(), "{both}");
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in ["-t x", "-t H", "-s -1", "-s many", "--color sometimes", "--foo", "-p"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
