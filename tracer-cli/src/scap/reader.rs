//! A capture file as a source of events.

use super::block::{self, EventKind, Kind};
use super::body::Body;
use super::compat;
use super::damage::{CaptureError, Damage, Fault, Place};
use super::event_block::{self, words};
use super::file::ReadOptions;
use super::input::Input;
use super::{amend_event, fd_list, interface_list, machine, own_block, proc_list, user_list};
use crate::event::{Event, EventBits};
use crate::param_slots::ParamSlots;
use crate::row::{Framed, Head, Row};
use crate::schema::{Class, EventType};
use crate::source::{LookUp, Next, Source, SourceCounts, SourceError};
use crate::state::State;
use crate::state::amendment::Amendment;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// At the start of a section header, in the order of bytes of the machine that wrote it.
pub(super) const BYTE_ORDER: u32 = 0x1A2B_3C4D;
/// Newest major version of sections. Minor ones never mattered.
const MAX_MAJOR: u16 = 1;

/// Most threads, and fds of all of them, that are taken from the lists of a section.
const MAX_THREADS: usize = 262_144;
const MAX_FDS: usize = 1 << 20;

/// How long the next block is waited for before the caller may do something else.
const IDLE: Duration = Duration::from_millis(100);

/// A capture file.
pub struct CaptureSource {
    input: Input,
    slots: ParamSlots,
    /// Length of the block that the event lent out is in.
    lent: usize,
    /// What [`CaptureSource::look_ahead`] found.
    ahead: Option<Found>,
    stopped: bool,
    /// No event of the section but notes about containers and users has come yet.
    leading: bool,
    /// The section is not the first of its file.
    is_joined: bool,
    last_ts: u64,
    counts: SourceCounts,
}

/// What came of waiting for a block.
enum Wait {
    /// It is there, or never will be.
    Over,
    NotYet,
    /// The file ends in it, or before it, and is still being written: this is the end for now.
    Unfinished,
}

/// What a look at the next block found.
enum Found {
    /// It is at the start of the window.
    Event(Head),
    /// What the next event does not tell.
    Amendment(Box<Amendment>),
    /// A section begins here.
    Section,
    /// Somebody is still writing the next block.
    NotYet,
    End,
}

/// What a capture has next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// An event of this time.
    Event(u64),
    /// Something that has no time of its own and belongs to what follows.
    Other,
    /// Somebody is still writing it.
    NotYet,
    End,
}

impl CaptureSource {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(file: &Path, options: ReadOptions) -> Result<Self, SourceError> {
        Ok(Self::of(Input::open(file, options)?))
    }

    /// Reads what `reader` gives, under this name in errors.
    ///
    /// # Errors
    /// The first bytes cannot be read.
    pub fn of_reader(name: &str, reader: impl Read + Send + 'static) -> Result<Self, SourceError> {
        let input = Input::of(name.to_owned(), Box::new(reader))
            .map_err(|cause| SourceError::Io { what: name.to_owned(), cause })?;
        Ok(Self::of(input))
    }

    pub(super) fn of(input: Input) -> Self {
        Self {
            input,
            slots: ParamSlots::new(),
            lent: 0,
            ahead: None,
            stopped: false,
            leading: true,
            is_joined: false,
            last_ts: 0,
            counts: SourceCounts::default(),
        }
    }

    /// Goes on in the middle of a section, between two blocks of events; `last_ts` is the time of the event before.
    pub(super) fn resume(&mut self, last_ts: u64) {
        self.leading = false;
        self.last_ts = last_ts;
    }

    /// Other recordings have begun before this one: its notes at the start are part of their stream no more than
    /// those of a later section.
    pub(super) fn join(&mut self) {
        self.is_joined = true;
    }

    /// The notes at the beginning of the section are not over.
    pub(super) fn is_leading(&self) -> bool {
        self.leading
    }

    /// Time of the last event, 0 before the first.
    pub(super) fn last_ts(&self) -> u64 {
        self.last_ts
    }

    /// Events of unknown types so far.
    pub(super) fn unknown(&self) -> u64 {
        self.counts.unknown
    }

    /// Where the next event, or its amendment, begins in what was decompressed; `None` when something else comes next.
    pub(super) fn look_ahead(&mut self) -> Result<Option<u64>, CaptureError> {
        self.input.advance(std::mem::take(&mut self.lent));
        let found = self.find()?;
        let is_event = matches!(found, Found::Event(_) | Found::Amendment(_));
        self.ahead = Some(found);
        Ok(is_event.then(|| self.input.offset()))
    }

    /// What comes next.
    pub(super) fn peek(&mut self) -> Result<Ahead, CaptureError> {
        let found = match self.ahead.take() {
            Some(found) => found,
            None => {
                self.input.advance(std::mem::take(&mut self.lent));
                self.find()?
            }
        };
        let ahead = match &found {
            Found::Event(head) if self.has_time(head) => Ahead::Event(head.ts),
            Found::End => Ahead::End,
            Found::NotYet => Ahead::NotYet,
            _ => Ahead::Other,
        };
        self.ahead = Some(found);
        Ok(ahead)
    }

    /// Whether the time of an event says when it was: notes about containers and users may have any.
    fn has_time(&self, head: &Head) -> bool {
        let is_note = head.ty.info().is_none_or(|info| info.class == Class::Meta);
        !is_note || !self.leading && head.ts >= self.last_ts && head.ts < u64::MAX
    }

    /// Place of the reader in what was decompressed.
    pub(super) fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// Finds the next event or section.
    #[inline]
    fn find(&mut self) -> Result<Found, CaptureError> {
        loop {
            if let Some(&Framed { len, head, .. }) = self.input.event() {
                self.lent = len as usize;
                return Ok(Found::Event(head));
            }
            let header = match self.wait() {
                Wait::NotYet => return Ok(Found::NotYet),
                Wait::Unfinished => None,
                Wait::Over => self.header()?,
            };
            let Some((kind, len)) = header else { return Ok(Found::End) };
            match kind {
                Kind::Event(event) => {
                    let body = self.whole(kind, len)?;
                    let is_companion = event_block::is_companion(body, event);
                    let head = Head::read(body, event).map_err(|fault| self.damaged(kind, fault))?;
                    self.lent = len as usize;
                    match head {
                        Some(head) => return Ok(Found::Event(head)),
                        None if is_companion => self.input.advance(std::mem::take(&mut self.lent)),
                        None => {
                            if let Some(amendment) = self.amendment(kind, event)? {
                                return Ok(Found::Amendment(amendment));
                            }
                            self.counts.unknown += 1;
                            self.input.advance(std::mem::take(&mut self.lent));
                        }
                    }
                }
                Kind::Section => return Ok(Found::Section),
                // Behind the first event only private blocks of some program can be meant to be there.
                _ => self.skip(kind, len)?,
            }
        }
    }

    /// The amendment in the block at the start of the window, if it is one.
    #[cold]
    fn amendment(&mut self, kind: Kind, event: EventKind) -> Result<Option<Box<Amendment>>, CaptureError> {
        let body = body(self.input.window(), self.lent);
        let Some(param) = event_block::own_param(body, event, amend_event::TYPE) else { return Ok(None) };
        let amendment = amend_event::read(param).map_err(|fault| self.damaged(kind, fault))?;
        Ok(Some(Box::new(amendment)))
    }

    /// The event whose block is at the start of the window.
    #[inline]
    fn lend(&mut self, head: Head) -> Event<'_> {
        let mut bits = head.bits;
        if head.ts < self.last_ts {
            self.counts.late += 1;
            bits |= EventBits::LATE;
        }
        self.last_ts = head.ts;
        if self.leading {
            self.leading = is_initial(head.ty);
            if self.leading {
                // sysdig counts those of the first section.
                bits |= if self.is_joined { EventBits::EARLY } else { EventBits::STATE_ONLY };
            }
        }
        let body = body(self.input.window(), self.lent);
        let mut event = Event { bits, ..head.event(body) };
        if head.is_for_old {
            let list = self.slots.lend_filled(event.params.iter());
            compat::restore(head.ty, list);
            event.params = (&*list).into();
        }
        event
    }

    /// Waits a little for the next block. Of what is no event the beginning is enough, the rest will
    /// follow.
    fn wait(&mut self) -> Wait {
        let mut wanted = block::HEADER;
        loop {
            match self.input.has_within(wanted, IDLE) {
                None => return Wait::NotYet,
                Some(false) if self.input.is_growing() => return Wait::Unfinished,
                Some(false) => return Wait::Over,
                Some(true) => {}
            }
            let (code, len) = words(self.input.window());
            match EventKind::of(code) {
                Some(event) if wanted < len as usize && len <= event.max_len() => wanted = len as usize,
                _ => return Wait::Over,
            }
        }
    }

    /// Kind and total length of the next block; `None` at the end of the file.
    fn header(&mut self) -> Result<Option<(Kind, u32)>, CaptureError> {
        if !self.input.has(block::HEADER) {
            let left = self.input.window().len() as u64;
            return match self.input.failure() {
                Some(cause) => Err(self.unreadable(None, cause)),
                None if left == 0 => Ok(None),
                None => Err(self.damaged_between(Fault::NoHeader { left })),
            };
        }
        let (code, len) = words(self.input.window());
        let kind = Kind::of(code);
        if (len as usize) < block::HEADER + block::TRAILER {
            return Err(self.damaged(kind, Fault::TooShort { len }));
        }
        if len > kind.max_len() {
            return Err(self.damaged(kind, Fault::TooLong { len }));
        }
        Ok(Some((kind, len)))
    }

    /// The body of a block that is to be in the window as a whole.
    fn whole(&mut self, kind: Kind, len: u32) -> Result<&[u8], CaptureError> {
        let total = len as usize;
        if !self.input.has(total) {
            let missing = total.saturating_sub(self.input.window().len()) as u64;
            return Err(self.damaged(kind, Fault::Cut { missing }));
        }
        let end = total - block::TRAILER;
        let trailer = trailer(self.input.window().get(end..));
        if trailer != len {
            return Err(self.damaged(kind, Fault::Trailer { header: len, trailer }));
        }
        Ok(self.input.window().get(block::HEADER..end).unwrap_or_default())
    }

    fn skip(&mut self, kind: Kind, len: u32) -> Result<(), CaptureError> {
        self.list(kind, len, |_| Ok(()))
    }

    /// Reads a block piece by piece with `read`; what that leaves is left out.
    fn list<T>(
        &mut self,
        kind: Kind,
        len: u32,
        read: impl FnOnce(&mut Body<'_>) -> Result<T, Fault>,
    ) -> Result<T, CaptureError> {
        let start = self.input.offset();
        self.input.advance(block::HEADER);
        let mut body = Body::new(&mut self.input, u64::from(len) - (block::HEADER + block::TRAILER) as u64);
        let result = read(&mut body).and_then(|value| body.finish().map(|()| value)).and_then(|value| {
            let mut end = Body::new(&mut self.input, block::TRAILER as u64);
            match end.u32("length at the end")? {
                trailer if trailer == len => Ok(value),
                trailer => Err(Fault::Trailer { header: len, trailer }),
            }
        });
        result.map_err(|fault| self.fault(Some((kind, start)), fault))
    }

    /// Reads the section header that comes now.
    fn section(&mut self) -> Result<(), CaptureError> {
        let is_first = self.input.offset() == 0;
        self.is_joined = !is_first;
        let file = self.input.name.clone();
        let not_a_capture = |what: String| Err(CaptureError::NotACapture { file: file.clone(), what });
        if is_first && !self.input.has(block::HEADER) {
            return match (self.input.failure(), self.input.window().len()) {
                (Some(cause), _) => Err(self.unreadable(None, cause)),
                (None, 0) => Err(CaptureError::Empty { file }),
                (None, _) => not_a_capture("it is too short".to_owned()),
            };
        }
        if is_first && self.input.window().first_chunk() != Some(&block::SECTION.to_le_bytes()) {
            return not_a_capture("it does not begin with a section header".to_owned());
        }
        // Known before the length, which is in the same order.
        if self.input.has(12) && self.input.window().get(8..12) == Some(&BYTE_ORDER.to_be_bytes()) {
            return not_a_capture("it was written on a machine with the other byte order".to_owned());
        }
        let Some((kind, len)) = self.header()? else { return Ok(()) };
        let (magic, major, minor) = self.list(kind, len, |body| {
            Ok((body.u32("byte order")?, body.u16("version")?, body.u16("version")?))
        })?;
        if magic != BYTE_ORDER {
            return not_a_capture(format!("invalid magic number {magic:#x}"));
        }
        if major > MAX_MAJOR {
            return not_a_capture(format!("version {major}.{minor} is newer than this program"));
        }
        Ok(())
    }

    /// Reads what a section says before its first event.
    fn lists(&mut self, state: &mut State) -> Result<(), CaptureError> {
        let mut fds = 0;
        let mut is_oriented = false;
        while let Some((kind, len)) = self.header()? {
            match kind {
                Kind::Event(_) | Kind::Section => break,
                Kind::Machine => state.machine = self.list(kind, len, machine::read)?,
                Kind::Interfaces { sized } => {
                    self.list(kind, len, |body| interface_list::read(body, sized, &mut state.interfaces))?;
                }
                Kind::Users { sized } => {
                    self.list(kind, len, |body| user_list::read(body, sized, &mut state.users))?;
                }
                Kind::Processes(version) => self.list(kind, len, |body| {
                    proc_list::read(body, version, |thread| {
                        if state.len() < MAX_THREADS {
                            state.insert_boxed(thread);
                        } else {
                            state.counts.threads_evicted += 1;
                        }
                    })
                })?,
                Kind::Fds { sized } => self.list(kind, len, |body| {
                    let tid = body.i64("tid")?;
                    let key = state.find(tid);
                    if let Some(thread) = key.and_then(|key| state.thread_mut(key))
                        && thread.fds.is_empty()
                        && fds < MAX_FDS
                        && let Some((count, unread)) = fd_list::leave_unread(body, sized)
                    {
                        thread.fds.leave_unread(unread);
                        fds += count;
                        return Ok(());
                    }
                    let mut not_kept = 0;
                    fd_list::read(body, sized, |fd, info| {
                        let thread = key.and_then(|key| state.thread_mut(key));
                        let kept = fds < MAX_FDS && thread.is_some_and(|thread| thread.fds.insert(fd, info));
                        fds += usize::from(kept);
                        not_kept += u64::from(!kept);
                    })?;
                    state.counts.fds_not_kept += not_kept;
                    Ok(())
                })?,
                Kind::Other(own_block::CODE) => {
                    is_oriented = true;
                    self.list(kind, len, |body| own_block::read(body, state))?;
                }
                Kind::Other(_) => self.skip(kind, len)?,
            }
        }
        if !is_oriented {
            state.orient_connections();
        }
        state.hear_monitors();
        self.leading = true;
        Ok(())
    }

    /// The error for a fault in the block at the start of the window.
    #[cold]
    fn damaged(&mut self, kind: Kind, fault: Fault) -> CaptureError {
        let start = self.input.offset();
        self.fault(Some((kind, start)), fault)
    }

    #[cold]
    fn damaged_between(&mut self, fault: Fault) -> CaptureError {
        self.fault(None, fault)
    }

    #[cold]
    fn fault(&mut self, block: Place, fault: Fault) -> CaptureError {
        // When something is missing, why it could not be read says more.
        if let Some(cause) = self.input.failure() {
            return self.unreadable(block, cause);
        }
        CaptureError::Damaged {
            file: self.input.name.clone(),
            at: self.input.offset(),
            unit: self.input.unit(),
            what: Damage { block, fault },
        }
    }

    #[cold]
    fn unreadable(&self, block: Place, cause: std::io::Error) -> CaptureError {
        CaptureError::Read {
            file: self.input.name.clone(),
            at: self.input.offset() + self.input.window().len() as u64,
            unit: self.input.unit(),
            block,
            cause,
        }
    }
}

/// Recorders write what they know of containers and users as events before all others: they belong
/// to the lists and nobody sees them.
fn is_initial(ty: EventType) -> bool {
    use EventType as E;
    matches!(
        ty,
        E::CONTAINER_E
            | E::CONTAINER_JSON_E
            | E::CONTAINER_JSON_2_E
            | E::USER_ADDED_E
            | E::USER_DELETED_E
            | E::GROUP_ADDED_E
            | E::GROUP_DELETED_E
            | E::ASYNCEVENT_E
    )
}

/// The body of the block of `len` bytes at the start of the window.
#[inline]
fn body(window: &[u8], len: usize) -> &[u8] {
    window.get(block::HEADER..len.saturating_sub(block::TRAILER)).unwrap_or_default()
}

#[inline]
fn trailer(bytes: Option<&[u8]>) -> u32 {
    bytes.and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes)
}

impl From<CaptureError> for SourceError {
    fn from(error: CaptureError) -> Self {
        SourceError::Failed(error.to_string())
    }
}

impl Source for CaptureSource {
    fn load_state(&mut self, state: &mut State) -> Result<(), SourceError> {
        self.section()?;
        self.lists(state)?;
        Ok(())
    }

    #[inline]
    fn next(&mut self) -> Result<Next<'_>, SourceError> {
        if self.stopped {
            return Ok(Next::End);
        }
        let found = match self.ahead.take() {
            Some(found) => found,
            None => {
                self.input.advance(std::mem::take(&mut self.lent));
                match self.input.event() {
                    // So it is nearly always, and then no more is to be looked at.
                    Some(&Framed { len, head, .. }) => {
                        self.lent = len as usize;
                        return Ok(Next::Event(self.lend(head)));
                    }
                    None => self.find()?,
                }
            }
        };
        Ok(match found {
            Found::Event(head) => Next::Event(self.lend(head)),
            Found::Amendment(amendment) => Next::Amendment(amendment),
            Found::Section => Next::Section,
            Found::NotYet => Next::Idle,
            Found::End => Next::End,
        })
    }

    fn row(&mut self) -> Option<Row<'_>> {
        // There is something special about the next event.
        if self.leading || self.stopped || self.ahead.is_some() {
            return None;
        }
        self.input.advance(std::mem::take(&mut self.lent));
        self.input.row(self.last_ts)
    }

    fn pass(&mut self, n: usize, late: u64) {
        self.last_ts = self.input.pass(n).unwrap_or(self.last_ts);
        self.counts.late += late;
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn counts(&mut self) -> SourceCounts {
        self.counts.clone()
    }

    /// The threads of this machine are not those of the capture.
    fn look_up(&self) -> LookUp {
        Box::new(|_| None)
    }
}
