//! What the options about recording mean.

use super::args::Args;
use super::plan::{UsageError, positive};
use crate::scap::{Codec, REDACTABLE, Redaction, Rotation, WriteOptions};
use std::path::PathBuf;

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
    };
    let codec = match args.compress.as_deref() {
        _ if args.gzip => Codec::Gzip,
        None => Codec::default(),
        Some(text) => codec(text)?,
    };
    let is_file = |path: &&PathBuf| path.as_os_str() != "-";
    let options = WriteOptions {
        path,
        codec,
        rotation,
        overwrite: args.overwrite,
        all_state: args.fatfile,
        exit_only: args.exit_only,
        is_partial: !args.fatfile
            && !args.display_filter
            && (!args.words.is_empty() || !args.suppress.is_empty()),
        redaction: redaction(&args.redact)?,
        inputs: args.read.iter().filter(is_file).cloned().collect(),
    };
    options.check().map_err(|e| UsageError(format!("-w: {e}")))?;
    Ok(Some(options))
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
        .map(Codec::Zstd)
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
        assert_eq!(codec("-w a"), Ok(Some(Codec::Zstd(3))));
        assert_eq!(codec("-w a -z"), Ok(Some(Codec::Gzip)));
        assert_eq!(codec("-zw a"), Ok(Some(Codec::Gzip)));
        assert_eq!(codec("-w a --compress none"), Ok(Some(Codec::None)));
        assert_eq!(codec("-w a --compress zstd:12"), Ok(Some(Codec::Zstd(12))));
        for wrong in ["zstd:0", "zstd:20", "zstd:", "lz4", "gzip:1"] {
            assert!(codec(&format!("-w a --compress {wrong}")).is_err(), "{wrong}");
        }
        for alone in ["-z", "--compress none", "-w a -z --compress none", "-F", "-C 1", "--overwrite"] {
            assert!(codec(alone).is_err(), "{alone}");
        }
    }

    #[test]
    fn rotation() {
        let options = parse("-w a -C 5 -G 6 -e 7 -W 8 -F --overwrite -r b -r -").unwrap().unwrap();
        let wanted = Rotation { bytes: Some(5_000_000), seconds: Some(6), events: Some(7), files: Some(8) };
        assert_eq!(options.rotation, wanted);
        assert!(options.all_state && options.overwrite && !options.exit_only);
        assert_eq!(options.inputs, [PathBuf::from("b")]);
        for wrong in ["-C 0", "-G x", "-e -1", "-W 0", "--exit-only -r b"] {
            assert!(parse(&format!("-w a {wrong}")).is_err(), "{wrong}");
        }
    }
}
