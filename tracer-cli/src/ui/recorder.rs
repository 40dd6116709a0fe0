//! Writes the events of a selection to a capture file, which is not to be there yet.

use super::watch::Recording;
use crate::event::Event;
use crate::fields::ExtractOptions;
use crate::filter::Filter;
use crate::pipeline::{Pipeline, Rules};
use crate::scap::{self, CaptureWriter, ReadOptions, WriteOptions};
use crate::sink::{Sink, Unshown};
use crate::state::Context;
use crate::state::inspector::Inspector;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A capture that is being written while its events are watched.
pub(super) struct Recorder {
    pub writer: CaptureWriter,
    pub name: String,
    /// Events so far.
    pub events: u64,
    filter: Option<Filter>,
}

impl Recorder {
    /// # Errors
    /// The file is there already; a name or a machine that the writer cannot do with.
    pub fn start(recording: Recording) -> Result<Self, String> {
        let name = recording.path.display().to_string();
        let writer = writer(&recording.path, recording.filter.is_some(), Vec::new())?;
        Ok(Self { writer, name, events: 0, filter: recording.filter })
    }

    /// Writes the event if the filter lets it through.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn event(&mut self, context: &Context<'_>, options: &ExtractOptions) -> io::Result<()> {
        if self.writer.wants_state(context.event.ts) {
            // It was started while this event was under way: the state comes first, before the next one.
            return Ok(());
        }
        // Memory sizes are added to these for the screen; readers of captures do not expect them.
        let ty = context.event.ty;
        let params = context.event.params;
        let known = ty.info().map_or(params.len(), |info| info.params.len());
        let event = Event { params: params.first(known), ..*context.event };
        let context = &Context { event: &event, ..*context };
        if self.filter.as_mut().is_some_and(|filter| !filter.matches(*context, options)) {
            return self.writer.unshown(context, Unshown::Refused);
        }
        self.events += 1;
        self.writer.event(context)
    }
}

fn writer(path: &Path, is_partial: bool, inputs: Vec<PathBuf>) -> Result<CaptureWriter, String> {
    if path.exists() {
        return Err("the file is there already".to_owned());
    }
    CaptureWriter::new(WriteOptions { path: path.to_owned(), is_partial, inputs, ..WriteOptions::default() })
}

/// Copies events out of capture files; returns how many.
///
/// # Errors
/// Files that cannot be read or written.
pub(super) fn copy(files: &[PathBuf], recording: Recording, stop: &AtomicBool) -> anyhow::Result<u64> {
    let mut sink =
        writer(&recording.path, recording.filter.is_some(), files.to_vec()).map_err(anyhow::Error::msg)?;
    let mut source = scap::open(files, &ReadOptions::default())?;
    let mut inspector = Inspector::default();
    source.load_state(&mut inspector.state)?;
    let rules = Rules { filter: recording.filter, window: recording.window, ..Rules::default() };
    let mut pipeline = Pipeline::new(rules);
    pipeline.run(source.as_mut(), &mut inspector, &mut sink, stop)?;
    Ok(pipeline.totals().passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    /// Begins to record in the middle of an event, as a key that is pressed does.
    struct Late {
        path: PathBuf,
        seen: u64,
        recorder: Option<Recorder>,
    }

    impl Sink for Late {
        fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
            self.seen += 1;
            if self.seen == 100 {
                let recording = Recording { path: self.path.clone(), filter: None, window: None };
                self.recorder = Some(Recorder::start(recording).map_err(io::Error::other)?);
            }
            match &mut self.recorder {
                Some(recorder) => recorder.event(context, &ExtractOptions::default()),
                None => Ok(()),
            }
        }

        fn wants_state(&self, ts: u64) -> bool {
            self.recorder.as_ref().is_some_and(|recorder| recorder.writer.wants_state(ts))
        }

        fn begin(&mut self, state: &State, ts: u64) -> io::Result<()> {
            self.recorder.as_mut().map_or(Ok(()), |recorder| recorder.writer.begin(state, ts))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_recording_begins_with_the_state_whenever_it_is_started() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
        let capture = folder.join("sysflow_tests_alpine_alpine-b1cbcc7.scap.gz");
        let path = std::env::temp_dir().join(format!("tracer-late-{}.scap", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut sink = Late { path: path.clone(), seen: 0, recorder: None };
        let read = |files: &[PathBuf], sink: &mut dyn Sink| {
            let mut source = scap::open(files, &ReadOptions::default()).unwrap();
            let mut inspector = Inspector::default();
            source.load_state(&mut inspector.state).unwrap();
            let mut pipeline = Pipeline::new(Rules::default());
            pipeline.run(source.as_mut(), &mut inspector, sink, &AtomicBool::new(false)).unwrap();
        };
        read(&[capture], &mut sink);
        let seen = sink.seen;
        let mut recorder = sink.recorder.take().unwrap();
        recorder.writer.finish().unwrap();
        assert_eq!(recorder.events, seen - 100);
        // Now as one that begins nothing.
        sink.seen = 100;
        read(std::slice::from_ref(&path), &mut sink);
        assert_eq!(sink.seen, seen);
        std::fs::remove_file(&path).unwrap();
    }
}
