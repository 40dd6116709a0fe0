//! What chisels print, on its way to standard output.

use std::io::{self, Write};

/// Bytes that are gathered before they are written.
const CHUNK: usize = 64 * 1024;

/// Gathers what is printed; shared by all chisels of a run, so that their lines keep their order.
pub struct Console {
    out: Box<dyn Write>,
    buffer: Vec<u8>,
    unbuffered: bool,
    failure: Option<io::Error>,
}

impl Console {
    /// Writes to `out`; `unbuffered` each line at once.
    pub fn new(out: Box<dyn Write>, unbuffered: bool) -> Self {
        Self { out, buffer: Vec::with_capacity(CHUNK * 2), unbuffered, failure: None }
    }

    /// For files that have nothing to say.
    pub fn none() -> Self {
        Self { out: Box::new(io::sink()), buffer: Vec::new(), unbuffered: false, failure: None }
    }

    /// Adds to the output. What goes wrong is told by [`Console::take_failure`].
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK || (self.unbuffered && bytes.ends_with(b"\n")) {
            self.write_out();
        }
    }

    /// The buffer, for writers that append to it. Call [`Console::line_done`] afterwards.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// A line was appended to the buffer.
    pub fn line_done(&mut self) {
        if self.unbuffered || self.buffer.len() >= CHUNK {
            self.write_out();
        }
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) {
        self.write_out();
        if let Err(e) = self.out.flush() {
            self.failure.get_or_insert(e);
        }
    }

    /// Why output could not be written, once.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn write_out(&mut self) {
        if let Err(e) = self.out.write_all(&self.buffer) {
            self.failure.get_or_insert(e);
        }
        self.buffer.clear();
    }
}
