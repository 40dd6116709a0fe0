//! What the options about recording mean.

use super::args::Args;
use super::plan::{UsageError, bytes, positive};
use crate::event::{Event, EventBits};
use crate::fields::ExtractOptions;
use crate::filter::Filter;
use crate::scap::{
    Codec, REDACTABLE, Redaction, Ring, RingSize, Rotation, ThreadTest, Trigger, WriteOptions,
};
use crate::schema::EventType;
use crate::state::{Binding, Context};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Set by SIGUSR1: what is kept in memory is to be written.
pub(super) static DUMP: AtomicBool = AtomicBool::new(false);

/// Seconds that are kept after an event of `--dump-on`.
const DUMP_AFTER: u32 = 1;

/// What `-w` and the options that go with it ask for.
pub(super) fn options(args: &Args) -> Result<Option<WriteOptions>, UsageError> {
    let Some(path) = args.write.clone() else { return Ok(None) };
    let number =
        |option: &str, text: &Option<String>| text.as_deref().map(|text| positive(option, text)).transpose();
    let rotation = Rotation {
        bytes: number("-C", &args.file_size)?.map(|millions| millions.saturating_mul(1_000_000)),
        seconds: number("-G", &args.file_seconds)?,
        events: number("-e", &args.file_events)?,
        files: number("-W", &args.file_limit)?,
        total: args.max_total.as_deref().map(total).transpose()?,
    };
    let codec = match args.compress.as_deref() {
        _ if args.gzip => Codec::Gzip,
        None => Codec::default(),
        Some(text) => codec(text)?,
    };
    let is_file = |path: &&PathBuf| path.as_os_str() != "-";
    if args.tee && !is_file(&&path) {
        return Err(UsageError("--tee needs standard output for itself: -w must name a file".to_owned()));
    }
    let options = WriteOptions {
        path,
        codec,
        rotation,
        overwrite: args.overwrite,
        all_state: args.fatfile,
        exit_only: args.exit_only,
        // Of several files, whose states are apart, a reader knows one.
        is_partial: args.read.len() > 1
            || !args.fatfile && !args.display_filter && (!args.words.is_empty() || !args.suppress.is_empty()),
        redaction: redaction(&args.redact)?,
        ring: args.ring.as_deref().map(|text| ring(text, args.dump_after)).transpose()?,
        no_index: args.no_index,
        inputs: args.read.iter().filter(is_file).cloned().collect(),
    };
    options.check().map_err(|e| UsageError(format!("-w: {e}")))?;
    Ok(Some(options))
}

/// Whether a thread is to be listed in the file: as the filter says of an event that it might make.
pub(super) fn thread_test(mut filter: Filter) -> ThreadTest {
    let options = ExtractOptions::default();
    Box::new(move |state, thread| {
        let event = Event {
            num: 0,
            ts: 0,
            tid: thread.tid,
            pid: thread.pid,
            cpu: 0,
            ty: EventType::SCAPEVENT_E,
            bits: EventBits::empty(),
            unreadable: 0,
            params: crate::params::Params::NONE,
        };
        let binding = Binding { thread: state.find(thread.tid), ..Binding::default() };
        filter.matches(Context { event: &event, state, binding: &binding }, &options)
    })
}

/// What `--dump-on` asks for.
pub(super) fn trigger(mut filter: Filter) -> Trigger {
    let options = ExtractOptions::default();
    Box::new(move |context| filter.matches(*context, &options))
}

fn total(text: &str) -> Result<u64, UsageError> {
    const SMALLEST: u64 = 1 << 20;
    bytes(text)
        .filter(|total| *total >= SMALLEST)
        .ok_or_else(|| UsageError(format!("--max-total needs a size from 1M, such as 20G, not '{text}'")))
}

/// A size has a capital letter, a time a small one.
fn ring(text: &str, after: Option<u32>) -> Result<Ring, UsageError> {
    const SMALLEST: u64 = 1 << 20;
    let seconds = |unit, scale: u64| {
        let number = text.strip_suffix(unit)?.parse::<u64>().ok().filter(|n| *n > 0)?;
        number.checked_mul(scale).map(RingSize::Seconds)
    };
    let time = seconds('s', 1).or_else(|| seconds('m', 60)).or_else(|| seconds('h', 3600));
    let size = || {
        let is_size = text.ends_with(['K', 'M', 'G']);
        bytes(text).filter(|bytes| is_size && *bytes >= SMALLEST).map(RingSize::Bytes)
    };
    let size = time.or_else(size).ok_or_else(|| {
        UsageError(format!("--ring needs a size from 1M, such as 512M, or a time, such as 10m, not '{text}'"))
    })?;
    let after = u64::from(after.unwrap_or(DUMP_AFTER)) * 1_000_000_000;
    Ok(Ring { size, after, request: &DUMP })
}

fn redaction(fields: &[String]) -> Result<Redaction, UsageError> {
    let mut redaction = Redaction::default();
    for field in fields {
        if !redaction.add(field) {
            return Err(UsageError(format!("--redact takes {REDACTABLE}, not '{field}'")));
        }
    }
    Ok(redaction)
}

fn codec(text: &str) -> Result<Codec, UsageError> {
    match text {
        "none" => return Ok(Codec::None),
        "gzip" => return Ok(Codec::Gzip),
        "zstd" => return Ok(Codec::default()),
        _ => {}
    }
    text.strip_prefix("zstd:")
        .and_then(|level| level.parse().ok())
        .filter(|level| (1..=19).contains(level))
        .map(|level| Codec::Zstd(Some(level)))
        .ok_or_else(|| {
            UsageError(format!("--compress is none, gzip, zstd or zstd:1 to zstd:19, not '{text}'"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn parse(line: &str) -> Result<Option<WriteOptions>, String> {
        let words = std::iter::once("tracer").chain(line.split_whitespace());
        let args = Args::try_parse_from(words).map_err(|e| e.to_string())?;
        options(&args).map_err(|e| e.to_string())
    }

    #[test]
    fn compression() {
        let codec = |line: &str| parse(line).map(|options| options.map(|o| o.codec));
        assert_eq!(codec("-n 1"), Ok(None));
        assert_eq!(codec("-w a"), Ok(Some(Codec::Zstd(None))));
        assert_eq!(codec("-w a -z"), Ok(Some(Codec::Gzip)));
        assert_eq!(codec("-zw a"), Ok(Some(Codec::Gzip)));
        assert_eq!(codec("-w a --compress none"), Ok(Some(Codec::None)));
        assert_eq!(codec("-w a --compress zstd:12"), Ok(Some(Codec::Zstd(Some(12)))));
        for wrong in ["zstd:0", "zstd:20", "zstd:", "lz4", "gzip:1"] {
            assert!(codec(&format!("-w a --compress {wrong}")).is_err(), "{wrong}");
        }
        for alone in ["-z", "--compress none", "-w a -z --compress none", "-F", "-C 1", "--overwrite"] {
            assert!(codec(alone).is_err(), "{alone}");
        }
    }

    #[test]
    fn rotation() {
        let options =
            parse("-w a -C 5 -G 6 -e 7 -W 8 --max-total 1G -F --overwrite -r b -r -").unwrap().unwrap();
        let wanted = Rotation {
            bytes: Some(5_000_000),
            seconds: Some(6),
            events: Some(7),
            files: Some(8),
            total: Some(1 << 30),
        };
        assert_eq!(options.rotation, wanted);
        assert!(options.all_state && options.overwrite && !options.exit_only);
        assert_eq!(options.inputs, [PathBuf::from("b")]);
        for wrong in ["-C 0", "-G x", "-e -1", "-W 0", "--exit-only -r b"] {
            assert!(parse(&format!("-w a {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rings() {
        let size = |text: &str| {
            parse(&format!("-w a --ring {text}"))
                .map(|options| options.and_then(|o| o.ring).map(|ring| ring.size))
        };
        assert_eq!(size("512M"), Ok(Some(RingSize::Bytes(512 << 20))));
        assert_eq!(size("1G"), Ok(Some(RingSize::Bytes(1 << 30))));
        assert_eq!(size("10m"), Ok(Some(RingSize::Seconds(600))));
        assert_eq!(size("2h"), Ok(Some(RingSize::Seconds(7200))));
        for wrong in ["", "10", "0s", "1K", "10k", "m", "M", "-1s", "99999999999999999999h"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        for wrong in ["-w a --ring 1m -C 5", "--ring 1m", "-w a --dump-on x", "-w a --max-total 1K"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
