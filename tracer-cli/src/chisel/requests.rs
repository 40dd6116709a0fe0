//! What a chisel asked for, and what all chisels of a run share.

use super::counter::Counter;
use super::last_values::LastValues;
use crate::event::Event;
use crate::fields::{Extraction, FieldRef, table::BufferMode};
use crate::filter::Filter;
use crate::output::json::JsonObject;
use crate::output::template::Template;
use crate::schema::EventType;
use bstr::BString;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What one chisel asked for.
#[derive(Default)]
pub struct Requests {
    /// Those of `chisel.request_field`; a handle is the place in this list, from 1.
    pub fields: RefCell<Vec<FieldRef>>,
    /// `chisel.set_filter`.
    pub filter: RefCell<Option<Filter>>,
    /// `chisel.set_event_formatter`.
    pub format: RefCell<Option<LineFormat>>,
    pub interval: Cell<Option<Interval>>,
    /// `chisel.count`: they see the events that pass the filter.
    pub counters: RefCell<Vec<Rc<RefCell<Counter>>>>,
    /// `chisel.remember`: they have filters of their own.
    pub memories: RefCell<Vec<Rc<RefCell<LastValues>>>>,
    /// `chisel.exec`: the chisel that takes the place of this one, with its arguments.
    pub exec: RefCell<Option<(String, Vec<BString>)>>,
    /// The text of a field on its way to Lua.
    pub text: RefCell<Vec<u8>>,
    /// Text of traced programs loses what a terminal would act on.
    pub for_terminal: bool,
}

impl Requests {
    /// None yet.
    pub fn new(run: &Run) -> Self {
        Self { for_terminal: run.is_terminal, ..Self::default() }
    }

    /// The filters of which one has to let an event pass; `None` when there is one that wants them all.
    pub fn filter_texts(&self) -> Option<Vec<String>> {
        let mut texts = vec![self.filter.borrow().as_ref()?.source().to_owned()];
        texts.extend(self.memories.borrow().iter().map(|m| m.borrow().filter().source().to_owned()));
        Some(texts)
    }

    /// Whether events of this type are nothing to any of the filters.
    pub fn never_wants(&self, ty: EventType) -> bool {
        self.filter.borrow().as_ref().is_some_and(|filter| !filter.event_types().contains_type(ty))
            && !self.memories.borrow().iter().any(|m| m.borrow().filter().event_types().contains_type(ty))
    }

    /// Whether events of this type are neither shown nor remembered.
    pub fn only_count(&self, ty: EventType) -> bool {
        self.format.borrow().is_none()
            && !self.memories.borrow().iter().any(|m| m.borrow().filter().event_types().contains_type(ty))
    }

    /// Whether the filter lets the event pass.
    #[inline]
    pub fn admits(&self, from: &Extraction<'_>) -> bool {
        self.filter.borrow_mut().as_mut().is_none_or(|filter| filter.matches_in(from))
    }

    /// Whether the filter lets all events of this type pass.
    pub fn admits_all(&self, ty: EventType) -> bool {
        self.filter.borrow().as_ref().is_none_or(|filter| filter.matches_all(ty))
    }

    /// Whether one of the filters may let the event pass.
    #[inline]
    pub fn wants(&self, event: &Event<'_>) -> bool {
        self.filter.borrow().as_ref().is_none_or(|filter| filter.event_types().contains(event))
            || self.memories.borrow().iter().any(|memory| memory.borrow().wants(event))
    }
}

/// How the line of an event looks.
pub enum LineFormat {
    Text(Template),
    Json(JsonObject),
}

/// When `on_interval` is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// ns.
    pub length: u64,
    /// Also for intervals without events.
    pub precise: bool,
}

/// What the command line says, and what chisels want of the run as a whole.
#[derive(Default)]
pub struct Run {
    pub is_live: bool,
    /// Standard output is a terminal.
    pub is_terminal: bool,
    /// Columns and lines of the terminal, when it has any.
    pub terminal_size: Option<(u32, u32)>,
    /// The filter of the command line as text, empty when there is none.
    pub filter: RefCell<String>,
    /// The capture file, empty when live.
    pub source_name: String,
    pub json: bool,
    /// The user chose how buffers are shown: chisels do not.
    pub buffers_chosen: bool,
    /// One of `-pc`, `-pk`, `-pm`.
    pub containers: bool,
    /// `--allow-chisel-io`.
    pub allow_io: bool,
    /// `sysdig.set_snaplen`: the largest that was asked for, bytes.
    pub snaplen: Cell<Option<u32>>,
    /// `sysdig.set_output_format`.
    pub buffer_mode: Cell<Option<BufferMode>>,
    /// `sysdig.set_filter`.
    pub extra_filter: RefCell<Option<String>>,
    /// `sysdig.end_capture`.
    pub ended: Cell<bool>,
    /// The arguments of the chisels, as they were typed.
    pub typed: RefCell<Vec<String>>,
    /// `sysdig.run_app`: the arguments of another run, after this one.
    pub run_again: RefCell<Option<Vec<BString>>>,
    /// ns since the epoch, 0 before there is one.
    pub first_ts: Cell<u64>,
    pub last_ts: Cell<u64>,
}
