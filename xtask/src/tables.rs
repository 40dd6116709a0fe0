//! `cargo xtask tables`: the data files of the event schema as Rust tables.
//!
//! The tables are generated rather than parsed at start-up so that a lookup is an index into
//! read-only memory, and so that a row that does not fit (an unknown flag table, a wrong category)
//! fails here and not at a user's.

mod convert;
mod events;
mod live;
mod live_expr;
mod live_piece;
mod rows;
mod syscalls;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when a file on disk is not what would be written
    #[arg(long)]
    check: bool,
}

const HEADER: &str = "// Made from data/ by `cargo xtask tables`; do not edit.\n\n";

pub fn run(args: &Args) -> anyhow::Result<()> {
    let root = crate::root();
    let data = root.join("data");
    let schema = root.join("tracer-cli/src/schema");

    let mut tables = String::from(HEADER);
    tables.push_str("//! Events, flags, system calls and names of the schema.\n\n");
    tables.push_str("use super::types::ParamType as T;\n");
    tables.push_str("use super::types::{Category, Class, EventFlags, EventInfo, EventType, FlagTable};\n");
    tables.push_str("use super::types::{ParamFormat, ParamInfo, Status, SyscallInfo};\n\n");
    let ids = events::write(&data, &mut tables)?;
    syscalls::write(&data, &ids, &mut tables)?;

    let mut conversions = String::from(HEADER);
    convert::write(&data, &mut conversions)?;

    let mut sources = String::from(HEADER);
    live::write(&data, &ids, &mut sources)?;

    put(args, &root, &root.join("tracer-cli/src/live/sources.rs"), &sources)?;
    put(args, &root, &schema.join("tables.rs"), &tables)?;
    put(args, &root, &schema.join("convert_tables.rs"), &conversions)
}

/// Formats `text` and writes it, or compares it with what is there.
fn put(args: &Args, root: &Path, path: &Path, text: &str) -> anyhow::Result<()> {
    let text = rustfmt(root, text)?;
    let shown = path.strip_prefix(root).unwrap_or(path).display();
    let old = fs::read_to_string(path).unwrap_or_default();
    if old == text {
        return Ok(());
    }
    if args.check {
        bail!("{shown} is not in step with data/: run `cargo xtask tables`");
    }
    fs::write(path, text).with_context(|| format!("cannot write {shown}"))
}

fn rustfmt(root: &Path, text: &str) -> anyhow::Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start rustfmt")?;
    let mut stdin = child.stdin.take().context("rustfmt has no standard input")?;
    // rustfmt reads everything before it writes anything, so one thread is enough.
    stdin.write_all(text.as_bytes())?;
    drop(stdin);
    let done = child.wait_with_output()?;
    if !done.status.success() {
        bail!("rustfmt refused the generated text");
    }
    Ok(String::from_utf8(done.stdout)?)
}

#[cfg(test)]
mod tests {
    /// Whoever edits `data/` learns here that the tables were not made again.
    #[test]
    fn tables_are_in_step_with_data() {
        super::run(&super::Args { check: true }).unwrap();
    }
}
