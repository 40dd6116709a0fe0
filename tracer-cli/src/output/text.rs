//! Lines on standard output: by a template, as text or as JSON.

use super::Sink;
use super::json::JsonObject;
use super::template::Template;
use crate::fields::{ExtractOptions, Extraction};
use crate::state::Context;
use std::io::{self, Write};

/// The line that is shown when no `-p` asks for another one.
pub const DEFAULT_TEMPLATE: &str =
    "*%evt.num %evt.outputtime %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.info";

/// The same columns, coloured.
pub const COLOURED_TEMPLATE: &str = "*%evt.num %evt.outputtime %evt.cpu \\e[01;32m%proc.name\\e[00m \
     (\\e[01;36m%thread.tid\\e[00m) %evt.dir \\e[01;34m%evt.type\\e[00m %evt.info";

/// Switches colours off.
const RESET: &[u8] = b"\x1b[00m";

/// Bytes that are gathered before they are written: a system call for each line takes longer than
/// making the line.
const CHUNK: usize = 64 * 1024;

/// How lines are written.
pub enum Format {
    Text(Template),
    Json(JsonObject),
}

/// Writes a line for each event.
pub struct Lines<W> {
    out: W,
    format: Format,
    options: ExtractOptions,
    /// Every line is written at once (`--unbuffered`).
    unbuffered: bool,
    resets_colour: bool,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
    /// Time of the event shown before, 0 before the first.
    previous: u64,
}

impl<W: Write> Lines<W> {
    pub fn new(out: W, format: Format, options: ExtractOptions, unbuffered: bool) -> Self {
        let resets_colour = matches!(&format, Format::Text(template) if template.has_escape());
        let buffer = Vec::with_capacity(CHUNK * 2);
        Self { out, format, options, unbuffered, resets_colour, buffer, scratch: Vec::new(), previous: 0 }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let result = self.out.write_all(&self.buffer);
        self.buffer.clear();
        result
    }
}

impl<W: Write> Sink for Lines<W> {
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        let scratch = std::mem::take(&mut self.scratch);
        let extraction = Extraction::new(*context, &self.options, scratch);
        let shown = match &mut self.format {
            Format::Text(template) => template.write(&extraction, self.previous, &mut self.buffer),
            Format::Json(object) => object.write(&extraction, &mut self.buffer),
        };
        self.scratch = extraction.into_scratch();
        if !shown {
            return Ok(());
        }
        self.buffer.push(b'\n');
        self.previous = context.event.ts;
        if self.unbuffered || self.buffer.len() >= CHUNK { self.write_out() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.write_out()?;
        }
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.resets_colour {
            self.buffer.extend_from_slice(RESET);
        }
        self.flush()
    }
}
