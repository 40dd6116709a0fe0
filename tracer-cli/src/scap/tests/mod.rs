//! Capture files made by hand, real ones, and real ones that were damaged.

mod damaged;
mod made;
mod merged;

use super::CaptureSource;
use super::input::Input;
use crate::source::{Next, Source};
use crate::state::State;
use std::io::Cursor;

/// What came out of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    events: Vec<(u64, u16, Vec<Vec<u8>>)>,
    sections: usize,
    error: Option<String>,
}

/// Reads a file to its end or first fault.
fn read(bytes: &[u8]) -> (Read, State) {
    let input = Input::of("test".to_owned(), Box::new(Cursor::new(bytes.to_vec()))).unwrap();
    let mut source = CaptureSource::of(input);
    let mut state = State::default();
    let mut out = Read::default();
    let error = loop {
        if out.sections == 0 {
            out.sections = 1;
            if let Err(e) = source.load_state(&mut state) {
                break Some(e);
            }
        }
        match source.next() {
            Ok(Next::Event(event)) => {
                let params = event.params.iter().map(|p| p.to_vec()).collect();
                out.events.push((event.ts, event.ty.0, params));
            }
            Ok(Next::Section | Next::Recording) => {
                out.sections += 1;
                state = State::default();
                if let Err(e) = source.load_state(&mut state) {
                    break Some(e);
                }
            }
            Ok(Next::Idle | Next::Amendment(_) | Next::Resume | Next::Joined) => {}
            Ok(Next::End) => break None,
            Err(e) => break Some(e),
        }
    };
    out.error = error.map(|e| e.to_string());
    (out, state)
}

/// A block of this type.
fn block(code: u32, body: &[u8]) -> Vec<u8> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let len = (body.len() + padding + 12) as u32;
    let mut block = Vec::new();
    block.extend(code.to_le_bytes());
    block.extend(len.to_le_bytes());
    block.extend(body);
    block.extend(vec![0; padding]);
    block.extend(len.to_le_bytes());
    block
}

/// A section header of version 1.2.
fn section() -> Vec<u8> {
    section_of(1, 2)
}

fn section_of(major: u16, minor: u16) -> Vec<u8> {
    let mut body = 0x1A2B_3C4Du32.to_le_bytes().to_vec();
    body.extend(major.to_le_bytes());
    body.extend(minor.to_le_bytes());
    body.extend([0xff; 8]);
    block(0x0A0D_0D0A, &body)
}

/// An event with 16-bit lengths, as in blocks of version 2.
fn event(ts: u64, ty: u16, params: &[&[u8]]) -> Vec<u8> {
    let data: usize = params.iter().map(|p| p.len() + 2).sum();
    let mut event = ts.to_le_bytes().to_vec();
    event.extend(7u64.to_le_bytes());
    event.extend((26 + data as u32).to_le_bytes());
    event.extend(ty.to_le_bytes());
    event.extend((params.len() as u32).to_le_bytes());
    event.extend(params.iter().flat_map(|p| (p.len() as u16).to_le_bytes()));
    event.extend(params.concat());
    event
}

/// The block of an event on CPU 3.
fn event_block(event: &[u8]) -> Vec<u8> {
    block(0x216, &[&3u16.to_le_bytes()[..], event].concat())
}

/// Text with its length before it.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
}
