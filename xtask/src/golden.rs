//! `cargo xtask golden`: packs what other programs print for the captures into `tests/golden/data/`.
//!
//! The originals are `GENERATION/CAPTURE.fields.xz`: one JSON object an event, printed by `sysdig -j -p "*%field …"`. Packed
//! they are columns, because a column hardly changes from one event to the next: a line per field with its name, a tab
//! and a JSON array of `[count, value]` pairs, compressed with zstd.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

#[derive(clap::Args)]
pub struct Args {
    /// Folder with one folder for each generation
    from: PathBuf,
}

/// Best compression: the files are packed once and kept for ever.
const LEVEL: i32 = 22;

pub fn run(root: &Path, args: &Args) -> Result<()> {
    for generation in entries(&args.from)? {
        let to = root.join("tests/golden/data").join(generation.file_name().unwrap_or_default());
        for original in entries(&generation)? {
            let name = original.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(capture) = name.strip_suffix(".fields.xz") else { continue };
            let Some(columns) = columns(&unpack(&original)?).with_context(|| name.clone())? else { continue };
            std::fs::create_dir_all(&to)?;
            let packed = zstd::encode_all(columns.as_bytes(), LEVEL)?;
            std::fs::write(to.join(format!("{capture}.zst")), packed)?;
        }
    }
    Ok(())
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let read = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<PathBuf> =
        read.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

fn unpack(file: &Path) -> Result<String> {
    let output = Command::new("xz").arg("-dc").arg(file).output().context("xz")?;
    if !output.status.success() {
        bail!("xz -dc {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The packed form; `None` of a capture without events.
fn columns(text: &str) -> Result<Option<String>> {
    let events: Vec<Map<String, Value>> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let Some(first) = events.first() else { return Ok(None) };
    let mut lines = Vec::new();
    // Formats that the program did not understand come back as keys with blanks in them.
    for field in first.keys().filter(|key| !key.is_empty() && !key.contains(' ')) {
        let mut runs: Vec<(u64, &Value)> = Vec::new();
        for event in &events {
            let value = event.get(field).unwrap_or(&Value::Null);
            match runs.last_mut() {
                Some((count, last)) if *last == value => *count += 1,
                _ => runs.push((1, value)),
            }
        }
        lines.push(format!("{field}\t{}\n", serde_json::to_string(&runs)?));
    }
    Ok(Some(lines.concat()))
}
