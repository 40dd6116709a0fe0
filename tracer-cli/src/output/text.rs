//! Lines on standard output: by a template, as text or as JSON.

use super::Sink;
use super::json::JsonObject;
use super::template::Template;
use crate::fields::{ExtractOptions, Extraction, FieldFlags, FieldRef};
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
#[derive(Clone)]
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
}

impl<W: Write> Lines<W> {
    pub fn new(out: W, format: Format, options: ExtractOptions, unbuffered: bool) -> Self {
        let resets_colour = has_colour(&format);
        let buffer = Vec::with_capacity(CHUNK * 2);
        Self { out, format, options, unbuffered, resets_colour, buffer, scratch: Vec::new() }
    }

    /// As [`Lines::new`], for lines of which others come behind these.
    pub fn part_of(out: W, format: Format, options: ExtractOptions) -> Self {
        Self { resets_colour: false, ..Self::new(out, format, options, false) }
    }

    /// Ends the lines of [`Lines::part_of`], that were all written to `out`.
    ///
    /// # Errors
    /// What `out` reports.
    pub fn end(out: W, format: &Format) -> io::Result<()> {
        let mut out = out;
        if has_colour(format) { out.write_all(RESET) } else { Ok(()) }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let result = self.out.write_all(&self.buffer);
        self.buffer.clear();
        result
    }
}

fn has_colour(format: &Format) -> bool {
    matches!(format, Format::Text(template) if template.has_escape())
}

impl<W: Write> Sink for Lines<W> {
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        let scratch = std::mem::take(&mut self.scratch);
        let extraction = Extraction::new(*context, &self.options, scratch);
        let shown = match &mut self.format {
            Format::Text(template) => template.write(&extraction, &mut self.buffer),
            Format::Json(object) => object.write(&extraction, &mut self.buffer),
        };
        self.scratch = extraction.into_scratch();
        if !shown {
            return Ok(());
        }
        self.buffer.push(b'\n');
        if self.unbuffered || self.buffer.len() >= CHUNK { self.write_out() } else { Ok(()) }
    }

    fn sees_refused(&self) -> bool {
        false
    }

    fn sees_usage(&self) -> bool {
        let tells_usage = |field: &FieldRef| field.field.flags.contains(FieldFlags::USAGE);
        match &self.format {
            Format::Text(template) => template.columns().any(|column| tells_usage(&column.field)),
            Format::Json(object) => object.fields().any(tells_usage),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventBits};
    use crate::schema::EventType;
    use crate::state::{Binding, State};

    /// Remembers each write.
    #[derive(Default)]
    struct Writes(Vec<Vec<u8>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn template(text: &str) -> Format {
        match Template::parse(text) {
            Ok(template) => Format::Text(template),
            Err(e) => panic!("{e}"),
        }
    }

    /// What is written for a `close` that returns, given to the sink a number of times.
    fn written(format: Format, unbuffered: bool, times: u64) -> Vec<String> {
        let mut lines = Lines::new(Writes::default(), format, ExtractOptions::default(), unbuffered);
        let (state, binding, params) = (State::default(), Binding::default(), [&[0; 8][..]]);
        for num in 1..=times {
            let event = Event {
                num,
                ts: 1_000_000_000 + num,
                tid: 7,
                pid: 7,
                cpu: 3,
                ty: EventType::SYSCALL_CLOSE_X,
                bits: EventBits::empty(),
                unreadable: 0,
                params: (&params).into(),
            };
            let context = Context { event: &event, state: &state, binding: &binding };
            lines.event(&context).unwrap();
        }
        lines.finish().unwrap();
        lines.out.0.iter().map(|bytes| String::from_utf8(bytes.clone()).unwrap()).collect()
    }

    #[test]
    fn lines_are_gathered() {
        assert_eq!(written(template("%evt.num %evt.type"), false, 2), ["1 close\n2 close\n"]);
        assert_eq!(written(template("%evt.num|%4evt.cpu|"), true, 2), ["1|3   |\n", "2|3   |\n"]);
        let many = written(template("%evt.num"), false, 100_000);
        assert!(many.len() > 3 && many.iter().all(|chunk| chunk.ends_with('\n')));
    }

    #[test]
    fn events_that_lack_a_field_are_left_out_unless_the_template_has_a_star() {
        assert_eq!(written(template("%evt.num %fd.name"), false, 3), Vec::<String>::new());
        assert_eq!(written(template("*%evt.num %fd.name|%3fd.num|"), false, 1), ["1 <NA>|<NA|\n"]);
    }

    #[test]
    fn colours_are_switched_off_at_the_end() {
        assert_eq!(written(template(r"\e[1m%evt.num"), false, 1), ["\u{1b}[1m1\n\u{1b}[00m"]);
    }

    #[test]
    fn json_has_typed_members() {
        let json = |text| match Template::parse(text) {
            Ok(template) => written(Format::Json(JsonObject::new(&template)), false, 1),
            Err(e) => panic!("{e}"),
        };
        assert_eq!(
            json("*%evt.type %evt.num %evt.outputtime %fd.name %evt.is_io"),
            ["{\"evt.is_io\":false,\"evt.num\":1,\"evt.outputtime\":1000000001,\"evt.type\":\"close\",\
              \"fd.name\":null}\n"]
        );
        assert_eq!(json("%evt.num %fd.name"), Vec::<String>::new());
    }
}
