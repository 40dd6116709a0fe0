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
    CaptureWriter::new(WriteOptions {
        path: path.to_owned(),
        is_partial,
        is_live: inputs.is_empty(),
        inputs,
        ..WriteOptions::default()
    })
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
