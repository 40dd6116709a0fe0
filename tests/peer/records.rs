//! Values of fields for every event of a capture, as the programs print them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow};

/// How much of a capture is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The first thousands of events, hidden ones included.
    Beginning,
    Whole,
}

impl Extent {
    /// The options that both programs have for it.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Extent::Beginning => &["-n", "4000"],
            Extent::Whole => &[],
        }
    }
}

/// Fields in one format.
const AT_ONCE: usize = 40;

/// Between two values, and behind the last of an event. Programs that are traced may print these, too; captures in
/// which they do would show as many differences.
const BETWEEN: char = '\u{1f}';
const BEHIND: &str = "\u{1e}\n";

/// What tells an event in the outputs of both programs, which may count events differently.
pub const KEY: &str = "*%evt.rawtime/%thread.tid/%evt.dir";

/// Which program is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Sysdig,
    Tracer,
}

impl Program {
    /// A command that reads the capture, all but its options.
    pub fn reading(self, capture: &Path) -> Result<Command> {
        let program = match self {
            Program::Sysdig => PathBuf::from("sysdig"),
            Program::Tracer => tracer_tests::tracer::binary()?,
        };
        let mut command = Command::new(program);
        command.arg("-r").arg(capture).env("TZ", "UTC").stdin(Stdio::null());
        Ok(command)
    }
}

/// Values by event.
#[derive(Default)]
pub struct Records {
    /// The keys of the events in the order in which they were printed. Few events have the same.
    pub order: Vec<String>,
    by_key: HashMap<String, Vec<String>>,
}

impl Records {
    /// The values of an event, one for each field that was asked for.
    pub fn of(&self, key: &str) -> Option<&[String]> {
        self.by_key.get(key).map(Vec::as_slice)
    }
}

/// What a program prints for these fields; `None` when it fails.
pub fn records(
    program: Program,
    capture: &Path,
    extent: Extent,
    fields: &[String],
) -> Result<Option<Records>> {
    let columns: Vec<String> = fields.iter().map(|field| format!("{BETWEEN}%{field}")).collect();
    let format = format!("{KEY}{}\u{1e}", columns.concat());
    let output = program
        .reading(capture)?
        .args(extent.options())
        .args(["-p", &format])
        .output()
        .with_context(|| format!("{program:?}"))?;
    if !output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut records = Records::default();
    for record in text.split(BEHIND) {
        let mut values = record.split(BETWEEN).map(str::to_string);
        let Some(key) = values.next().filter(|key| !key.is_empty()) else { continue };
        records.order.push(key.clone());
        records.by_key.insert(key, values.collect());
    }
    Ok(Some(records))
}

/// What sysdig and tracer print, asked at the same time.
pub fn both_records(
    capture: &Path,
    extent: Extent,
    fields: &[String],
) -> Result<(Option<Records>, Option<Records>)> {
    std::thread::scope(|scope| {
        let sysdig = scope.spawn(|| records(Program::Sysdig, capture, extent, fields));
        let tracer = records(Program::Tracer, capture, extent, fields)?;
        let sysdig = sysdig.join().map_err(|_| anyhow!("reading what sysdig prints"))??;
        Ok((sysdig, tracer))
    })
}

/// The same fields as both programs print them.
pub struct Both {
    pub fields: Vec<String>,
    pub sysdig: Records,
    pub tracer: Records,
}

/// What came of asking for fields.
#[derive(Default)]
pub struct Asked {
    pub answers: Vec<Both>,
    /// Fields with which sysdig fails on this capture.
    pub failing: Vec<String>,
}

/// Asks both programs for fields, many at once. Where sysdig fails, the fields at fault are found by halving.
pub fn ask(capture: &Path, extent: Extent, fields: &[String]) -> Result<Asked> {
    let mut asked = Asked::default();
    let mut rest: Vec<&[String]> = fields.chunks(AT_ONCE).collect();
    while let Some(fields) = rest.pop() {
        match both_records(capture, extent, fields)? {
            (Some(sysdig), tracer) => {
                let tracer = tracer.with_context(|| format!("tracer fails on {}", capture.display()))?;
                asked.answers.push(Both { fields: fields.to_vec(), sysdig, tracer });
            }
            (None, _) if fields.len() > 1 => {
                let (left, right) = fields.split_at(fields.len() / 2);
                rest.extend([left, right]);
            }
            (None, _) => asked.failing.extend_from_slice(fields),
        }
    }
    Ok(asked)
}
