//! Values of fields, event by event: what was kept of other programs, and what tracer prints.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// What another program says about one capture.
pub struct Golden {
    /// Name of the capture without its extension.
    pub capture: String,
    /// Numbers of the events.
    pub numbers: Vec<u64>,
    /// By field, a value for each event.
    pub fields: Vec<(String, Vec<Value>)>,
}

/// All captures that one generation was asked about.
pub fn golden(generation: &str) -> Result<Vec<Golden>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/data").join(generation);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        files.push(entry?.path());
    }
    files.sort();
    files.iter().map(|file| unpack(file).with_context(|| file.display().to_string())).collect()
}

/// Reads the columns that `cargo xtask golden` wrote.
fn unpack(file: &Path) -> Result<Golden> {
    let capture = file.file_stem().context("a name")?.to_string_lossy().into_owned();
    let text = String::from_utf8(zstd::decode_all(std::fs::File::open(file)?)?)?;
    let mut golden = Golden { capture, numbers: Vec::new(), fields: Vec::new() };
    for line in text.lines() {
        let (field, runs) = line.split_once('\t').context("a column without a name")?;
        let runs: Vec<(usize, Value)> = serde_json::from_str(runs)?;
        let values = runs.into_iter().flat_map(|(count, value)| std::iter::repeat_n(value, count));
        if field == "evt.num" {
            golden.numbers = values.map(|value| value.as_u64().context("a number")).collect::<Result<_>>()?;
        } else {
            golden.fields.push((field.to_string(), values.collect()));
        }
    }
    if golden.fields.iter().any(|(_, values)| values.len() != golden.numbers.len()) {
        bail!("columns of different lengths");
    }
    Ok(golden)
}

/// The file of a capture.
pub fn capture(name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let files = [".scap", ".scap.gz"].map(|extension| folder.join(format!("{name}{extension}")));
    files.into_iter().find(|file| file.is_file()).with_context(|| format!("no capture {name}"))
}

/// An event as tracer prints it with `-j`.
pub type Event = Map<String, Value>;

/// What tracer says about a capture: these fields and `evt.num` of all events that it shows.
pub fn tracer<'a>(capture: &Path, fields: impl Iterator<Item = &'a str>) -> Result<Vec<Event>> {
    let fields: Vec<String> = fields.map(|field| format!(" %{field}")).collect();
    let output = Command::new(tracer_tests::tracer::binary()?)
        .args(["-j", "-p", &format!("*%evt.num{}", fields.concat()), "-r"])
        .arg(capture)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .context("tracer")?;
    if !output.status.success() {
        bail!("tracer -r {}: {}", capture.display(), String::from_utf8_lossy(&output.stderr));
    }
    let lines = output.stdout.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(Into::into)).collect()
}

/// Events by their number.
pub fn by_number(events: Vec<Event>) -> HashMap<u64, Event> {
    let number = |event: &Event| event.get("evt.num").and_then(Value::as_u64);
    events.into_iter().filter_map(|event| Some((number(&event)?, event))).collect()
}
