//! Options of sysdig that tracer has no use for: scripts that give them go on where what they ask for
//! is there without, and learn in one line why where it is not.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;

/// One such option.
struct Foreign {
    long: &'static str,
    short: Option<char>,
    value: Value,
    answer: Answer,
}

enum Value {
    None,
    Required,
    /// Glued to the option: `-Bprobe`, `--bpf=probe`.
    Glued,
}

/// What is said about it.
enum Answer {
    /// The run goes on; why that is right.
    NotNeeded(&'static str),
    /// The run would not be what was asked for; why it cannot be.
    Refused(&'static str),
}

const OWN_PROBE: Answer = Answer::NotNeeded("tracer has its probe with it");
const PLUGINS: Answer =
    Answer::Refused("there are no plugins: events come from this machine or from a capture");
const GVISOR: Answer = Answer::Refused("sandboxes of gVisor are not traced");
const PODS: Answer =
    Answer::NotNeeded("pods are known from the container runtime; the API server is not asked");

const fn row(long: &'static str, short: Option<char>, value: Value, answer: Answer) -> Foreign {
    Foreign { long, short, value, answer }
}

/// All of them, of the versions from 0.29 to 0.36.
static OPTIONS: &[Foreign] = &[
    row("bpf", Some('B'), Value::Glued, OWN_PROBE),
    row("modern-bpf", None, Value::None, OWN_PROBE),
    row("udig", Some('u'), Value::None, OWN_PROBE),
    row(
        "cpus-for-each-buffer",
        None,
        Value::Required,
        Answer::NotNeeded("each CPU has a buffer of its own, as large as --buffer-size says"),
    ),
    row(
        "cri-timeout",
        None,
        Value::Required,
        Answer::NotNeeded("events do not wait for the container runtime, unless --container-wait says so"),
    ),
    row(
        "force-tracers-capture",
        Some('T'),
        Value::None,
        Answer::NotNeeded(
            "programs no longer write tracers to /dev/null; -s says how much of buffers is kept",
        ),
    ),
    row(
        "log-level",
        None,
        Value::Required,
        Answer::NotNeeded("what goes wrong is always said, and -v says more"),
    ),
    row("plugin", Some('H'), Value::Required, PLUGINS),
    row("input", Some('I'), Value::Required, PLUGINS),
    row("plugin-config-file", None, Value::Required, PLUGINS),
    row("plugin-info", None, Value::Required, PLUGINS),
    row("gvisor-config", Some('g'), Value::Required, GVISOR),
    row("gvisor-root", None, Value::Required, GVISOR),
    row("gvisor-generate-config", None, Value::Glued, GVISOR),
    row("k8s-api", Some('k'), Value::Required, PODS),
    row("k8s-api-cert", Some('K'), Value::Required, PODS),
    row("node-name", None, Value::Required, PODS),
    row("mesos-api", Some('m'), Value::Required, Answer::Refused("Mesos is not asked about its tasks")),
    row(
        "libs-version",
        None,
        Value::None,
        Answer::Refused("tracer is not made from the libraries of Falco; --version tells its own version"),
    ),
];

impl Foreign {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.long).long(self.long).hide(true);
        let arg = match self.short {
            Some(short) => arg.short(short),
            None => arg,
        };
        match self.value {
            Value::None => arg.action(ArgAction::Count),
            Value::Required => arg.action(ArgAction::Append),
            Value::Glued => {
                arg.action(ArgAction::Append).num_args(0..=1).require_equals(true).default_missing_value("")
            }
        }
    }

    /// Its name as users know it.
    fn name(&self) -> String {
        self.short.map_or_else(|| format!("--{}", self.long), |short| format!("-{short}"))
    }
}

/// The command with these options beside its own; the help does not show them.
pub(super) fn known_to(command: Command) -> Command {
    command.args(OPTIONS.iter().map(Foreign::arg))
}

/// `-Bprobe` as clap reads it.
pub(super) fn unglued(word: OsString) -> OsString {
    match word.to_str().and_then(|word| word.strip_prefix("-B")) {
        Some(value) if !value.is_empty() && !value.starts_with('=') => format!("--bpf={value}").into(),
        _ => word,
    }
}

/// What is to be said about the options that were given, a line each.
///
/// # Errors
/// One was given that cannot be done without: why.
pub(super) fn remarks(matches: &ArgMatches, command: &mut Command) -> Result<Vec<String>, clap::Error> {
    let mut remarks = Vec::new();
    for option in OPTIONS {
        if matches.value_source(option.long) != Some(ValueSource::CommandLine) {
            continue;
        }
        match option.answer {
            Answer::NotNeeded(why) => remarks.push(format!("{} is not needed: {why}", option.name())),
            Answer::Refused(why) => {
                let message = format!("{} is not supported: {why}", option.name());
                return Err(command.error(ErrorKind::UnknownArgument, message));
            }
        }
    }
    Ok(remarks)
}

#[cfg(test)]
mod tests {
    use super::super::args::Args;
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::from_command_line(std::iter::once("tracer").chain(line.split_whitespace()))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn every_option_is_taken_with_its_value_and_answered() {
        for option in OPTIONS {
            let value = |value| match option.value {
                Value::None => "",
                Value::Required | Value::Glued => value,
            };
            let short = option.short.map(|short| format!("-{short}{}", value("x")));
            let long = format!("--{}{}", option.long, value("=x"));
            for typed in short.into_iter().chain([long]) {
                let args = parse(&format!("{typed} proc.name=cat"));
                match (&option.answer, args) {
                    (Answer::NotNeeded(why), Ok(args)) => {
                        assert_eq!(args.words, ["proc.name=cat"], "{typed}");
                        assert!(matches!(&args.remarks[..], [one] if one.ends_with(why)), "{typed}");
                    }
                    (Answer::Refused(why), Err(e)) => assert!(e.contains(why), "{typed}: {e}"),
                    (_, answer) => panic!("{typed}: {answer:?}"),
                }
            }
        }
        assert!(parse("-q").unwrap().remarks.is_empty());
    }

    #[test]
    fn a_filter_behind_an_option_whose_value_may_be_missing_stays_one() {
        let args = parse("-B evt.type=open -n 5").unwrap();
        assert_eq!((args.words, args.count.as_deref()), (vec!["evt.type=open".to_owned()], Some("5")));
        assert!(parse("--bpf evt.type=open").unwrap().words.len() == 1);
    }
}
