//! Text lines about events: what was read and written (echo), or the events themselves (dig).

use crate::fields::table::BufferMode;
use crate::fields::write::{write_path, write_printable};
use crate::fields::{self, ExtractOptions, Extraction, FieldRef, Value};
use crate::output::template::Template;
use crate::schema::Category;
use crate::state::Context;
use std::io::Write;
use std::sync::Arc;

/// Most lines that wait for the screen; older ones are dropped and counted.
const WAITING: usize = 20_000;

/// What a line tells, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Something was read; something was written.
    Read,
    Write,
    /// A call failed.
    Error,
}

/// One line, safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub tone: Tone,
}

#[derive(Clone)]
enum What {
    Nothing,
    Events(Arc<Template>),
    /// The data of reads and writes, under a line that says who and what.
    Data(FieldRef),
}

/// Makes lines of events.
#[derive(Clone)]
pub struct LineMaker {
    what: What,
    options: ExtractOptions,
    lines: Vec<Line>,
    dropped: u64,
    buffer: Vec<u8>,
}

impl LineMaker {
    fn new(what: What, options: ExtractOptions) -> Self {
        Self { what, options, lines: Vec::new(), dropped: 0, buffer: Vec::new() }
    }

    /// Makes none.
    pub fn nothing() -> Self {
        Self::new(What::Nothing, ExtractOptions::default())
    }

    /// One line for each event.
    pub fn events(template: Template, mode: BufferMode) -> Self {
        let options = ExtractOptions { buffer: mode, ..ExtractOptions::default() };
        Self::new(What::Events(Arc::new(template)), options)
    }

    /// The data of reads and writes; `None` if there is no such field.
    pub fn data(mode: BufferMode) -> Option<Self> {
        let options = ExtractOptions { buffer: mode, whole_buffers: true, ..ExtractOptions::default() };
        Some(Self::new(What::Data(fields::find("evt.buffer").ok()?), options))
    }

    /// Takes an event that passed the filter.
    pub fn add(&mut self, context: Context<'_>, scratch: &mut Vec<u8>) {
        let from = Extraction::new(context, &self.options, std::mem::take(scratch));
        self.buffer.clear();
        let tone = match &self.what {
            What::Nothing => None,
            What::Events(template) => {
                template.write(&from, &mut self.buffer);
                Some(if has_failed(&context) { Tone::Error } else { Tone::Plain })
            }
            What::Data(field) => write_data(field, &from, &mut self.buffer),
        };
        *scratch = from.into_scratch();
        if let Some(tone) = tone {
            self.push(tone);
        }
    }

    fn push(&mut self, tone: Tone) {
        let is_data = matches!(self.what, What::Data(_));
        for (at, line) in self.buffer.split(|b| *b == b'\n').enumerate() {
            let mut safe = Vec::with_capacity(line.len());
            write_printable(&mut safe, line);
            let tone = if is_data && at > 0 { Tone::Plain } else { tone };
            self.lines.push(Line { text: String::from_utf8_lossy(&safe).into_owned(), tone });
        }
        if self.lines.len() > WAITING {
            let surplus = self.lines.len() - WAITING / 2;
            self.lines.drain(..surplus);
            self.dropped += surplus as u64;
        }
    }

    /// Lines that were made and not taken.
    pub fn waiting(&self) -> usize {
        self.lines.len()
    }

    /// Gives back what was taken and could not be handed on.
    pub fn put_back(&mut self, mut lines: Vec<Line>, dropped: u64) {
        lines.append(&mut self.lines);
        self.lines = lines;
        self.dropped += dropped;
    }

    /// The lines since the last time, and how many had to be dropped.
    pub fn take(&mut self) -> (Vec<Line>, u64) {
        (std::mem::take(&mut self.lines), std::mem::take(&mut self.dropped))
    }
}

fn has_failed(context: &Context<'_>) -> bool {
    let event = context.event;
    event.ty.is_exit() && event.index_of("res").and_then(|i| event.i64(i)).is_some_and(|res| res < 0)
}

/// Who reads or writes how much of what, and the data below; `None` when the event moves no data.
fn write_data(field: &FieldRef, from: &Extraction<'_>, out: &mut Vec<u8>) -> Option<Tone> {
    let context = &from.context;
    let event = context.event;
    let (tone, verb) = match event.info().category {
        Category::IoRead => (Tone::Read, "Read"),
        Category::IoWrite => (Tone::Write, "Write"),
        _ => return None,
    };
    let moved = event.i64(event.index_of("res")?).filter(|res| *res > 0)?;
    let direction = if tone == Tone::Read { "from" } else { "to" };
    // Writing into memory cannot fail.
    let _ = write!(out, "------ {verb} {moved}B {direction} ");
    match context.fd() {
        Some(fd) => write_path(out, &fd.name),
        None => out.extend_from_slice(b"<NA>"),
    }
    out.extend_from_slice(b" (");
    if let Some(thread) = context.thread() {
        write_printable(out, &thread.comm);
    }
    out.extend_from_slice(b")\n");
    field.extract(from, &mut |value: Value<'_>| {
        fields::write::write_value(&value, field, from.options, out);
    });
    while out.last() == Some(&b'\n') {
        out.pop();
    }
    Some(tone)
}
