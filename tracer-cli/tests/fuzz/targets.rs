//! What is fed with bytes from anybody: each takes anything, and may refuse it, but not panic.

use std::io::{self, Cursor};
use std::sync::atomic::AtomicBool;

use tracer::fields::ExtractOptions;
use tracer::filter::Filter;
use tracer::live::decode::Decoder;
use tracer::output::template::Template;
use tracer::output::text::{DEFAULT_TEMPLATE, Format, Lines};
use tracer::pipeline::{Pipeline, Rules};
use tracer::scap::CaptureSource;
use tracer::sink::Sink;
use tracer::source::Source;
use tracer::state::Context;
use tracer::state::inspector::Inspector;

/// The default line and some fields that look at much of the state.
const FIELDS: &str = " %proc.cmdline %proc.aname[2] %proc.cwd %fd.name %fd.type %fs.path.name %user.name \
     %container.id %evt.args %evt.rawres %evt.latency %thread.cgroups %fd.sip %proc.env";

fn lines() -> Lines<io::Sink> {
    let text = format!("{DEFAULT_TEMPLATE}{FIELDS}");
    let template = Template::parse(&text).unwrap_or_else(|e| panic!("{}", e.render(&text)));
    Lines::new(io::sink(), Format::Text(template), ExtractOptions::default(), false)
}

/// A capture file, read and shown.
pub fn reader(bytes: &[u8]) {
    let Ok(mut source) = CaptureSource::of_reader("fuzz", Cursor::new(bytes.to_vec())) else { return };
    let mut inspector = Inspector::default();
    if source.load_state(&mut inspector.state).is_ok() {
        let rules = Rules { summary: true, ..Rules::default() };
        // What is wrong with the file is an error, which is as it should be.
        let _ = Pipeline::new(rules).run(&mut source, &mut inspector, &mut lines(), &AtomicBool::new(false));
    }
}

/// Records of the probe, each with its length (u16) before it, decoded, applied and shown.
pub fn decoder(mut bytes: &[u8]) {
    let (mut decoder, mut inspector, mut lines) = (Decoder::new(), Inspector::default(), lines());
    while let Some((len, rest)) = bytes.split_first_chunk() {
        let (record, rest) = rest.split_at(usize::from(u16::from_le_bytes(*len)).min(rest.len()));
        bytes = rest;
        if let Some(event) = decoder.decode(1, record, 1_000_000_000) {
            let binding = inspector.apply(&event, &mut |_| None);
            let context = Context { event: &event, state: &inspector.state, binding: &binding };
            lines.event(&context).expect("a sink takes all");
        }
    }
}

/// A filter, or why it is none.
pub fn filter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Filter::compile(text) {
        Ok(filter) => {
            let printed = filter.tree().to_string();
            let again = Filter::compile(&printed).unwrap_or_else(|e| panic!("{printed}: {e}"));
            assert_eq!(again.tree().to_string(), printed);
            filter.hints();
        }
        Err(error) => drop(error.render(text)),
    }
}

/// A template, or why it is none.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = Template::parse(text) {
        error.render(text);
    }
}
