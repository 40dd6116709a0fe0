//! The field table: every field is defined once, by a [`Field`], and from there filtered, printed,
//! listed, exported and documented.

use super::value::Value;
use crate::schema::{EventType, ParamFormat, ParamType};
use crate::state::Context;
use crate::state::fd::FdInfo;
use std::cell::{Cell, OnceCell};

/// Groups of fields as listed by `-l`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `evt`, for all event sources.
    Evt,
    /// `evt`, for system calls.
    EvtSyscall,
    Process,
    User,
    Group,
    Container,
    Fd,
    FsPath,
    Syslog,
    /// Not about the event.
    Util,
    Fdlist,
    K8s,
    Mesos,
    /// What programs marked themselves, of old.
    Span,
    Evtin,
}

/// Whether a field takes an argument: `proc.aname[2]`, `evt.arg.fd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    None,
    Optional,
    Required,
}

bitflags::bitflags! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct FieldFlags: u32 {
        /// Only in filters.
        const FILTER_ONLY = 1;
        /// Only in output; not listed.
        const PRINT_ONLY = 2;
        /// Usable, not listed.
        const TABLE_ONLY = 4;
        /// Has a list of values.
        const LIST = 8;
        /// A check holds when any of several values satisfies it, and `!=` when all do
        /// (both ends of a connection, all ancestors).
        const ANY = 16;
        const DEPRECATED = 32;
        const NO_TRANSFORMER = 64;
        const NO_RHS = 128;
        /// The text is made by tracer and already safe to print: buffers in it may hold line ends
        /// that were asked for.
        const RENDERED = 256;
        /// Tells what a thread uses of CPUs and memory.
        const USAGE = 512;
        /// Tells where in the recording the event is, reckoned from others: its number, or the time since the first
        /// one or the one before.
        const PLACE = 1024;
    }
}

/// The argument of a field as it was typed, with what it means resolved once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldArg {
    /// The text between the brackets or after the dot.
    pub text: String,
    /// The text as a number when it is one.
    pub index: Option<u32>,
    /// Of arguments that mean something else for each event type: what they mean, by event code
    /// (`evt.arg`: the index of the parameter, [`NO_MATCH`] when the type has none).
    pub per_event: Vec<u8>,
}

/// "Not for this event type" in [`FieldArg::per_event`].
pub const NO_MATCH: u8 = u8::MAX;

impl FieldArg {
    /// What the argument means for events of this type.
    #[inline]
    pub fn for_event(&self, ty: EventType) -> Option<usize> {
        self.per_event.get(usize::from(ty.0)).copied().filter(|i| *i != NO_MATCH).map(usize::from)
    }
}

/// Reads a field: calls `emit` once per value, not at all when there is none.
pub type Extract = fn(&Extraction<'_>, Option<&FieldArg>, &mut dyn FnMut(Value<'_>));

/// What an extractor reads from.
pub struct Extraction<'a> {
    pub context: Context<'a>,
    pub options: &'a ExtractOptions,
    scratch: Cell<Vec<u8>>,
    /// Many fields ask for it, and finding it takes a walk over thread, process and table.
    fd: OnceCell<Option<&'a FdInfo>>,
}

/// Choices of the command line that change values.
#[derive(Debug, Clone, Default)]
pub struct ExtractOptions {
    /// Ports as service names and addresses as host names (`-R`).
    pub resolve_names: bool,
    /// Format of `evt.outputtime`.
    pub time: TimeMode,
    /// How buffers inside `evt.args` are printed.
    pub buffer: BufferMode,
    /// Buffers are not cut at 80 characters (`-v`).
    pub whole_buffers: bool,
    /// Columns of the terminal, over which `evt.latency.quantized` spreads its buckets.
    pub screen_width: u32,
    /// How often `util.cnt` was asked for.
    pub asked: Cell<u64>,
}

/// `-t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeMode {
    #[default]
    Hour,
    Absolute,
    Relative,
    /// Between enter and exit.
    Delta,
    /// Since the previous printed event.
    PreviousDelta,
}

/// `-A`, `-x`, `-X`, `-b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BufferMode {
    #[default]
    Printable,
    Ascii,
    Hex,
    HexAscii,
    Base64,
}

impl<'a> Extraction<'a> {
    pub fn new(context: Context<'a>, options: &'a ExtractOptions, scratch: Vec<u8>) -> Self {
        Self { context, options, scratch: Cell::new(scratch), fd: OnceCell::new() }
    }

    /// The same, for a caller that may know [`Context::fd`] already.
    #[inline]
    pub fn about(self, fd: Option<Option<&'a FdInfo>>) -> Self {
        match fd {
            Some(fd) => Self { fd: OnceCell::from(fd), ..self },
            None => self,
        }
    }

    /// [`Context::fd`], looked for once.
    #[inline]
    pub fn fd(&self) -> Option<&'a FdInfo> {
        *self.fd.get_or_init(|| self.context.fd())
    }

    /// Gives the scratch memory back for the next event.
    pub fn into_scratch(self) -> Vec<u8> {
        self.scratch.into_inner()
    }

    /// Builds a text in reused memory and hands it on: no allocation in the steady state.
    pub fn text<R>(&self, build: impl FnOnce(&mut Vec<u8>), then: impl FnOnce(&[u8]) -> R) -> R {
        let mut buffer = self.scratch.take();
        buffer.clear();
        build(&mut buffer);
        let result = then(&buffer);
        self.scratch.set(buffer);
        result
    }
}

/// One field.
pub struct Field {
    pub name: &'static str,
    pub class: Class,
    pub ty: ParamType,
    pub format: ParamFormat,
    pub flags: FieldFlags,
    pub arg: Arg,
    /// One or two sentences for `-l`.
    pub doc: &'static str,
    pub extract: Extract,
}

impl Field {
    /// A field without argument and flags.
    pub const fn new(
        class: Class,
        name: &'static str,
        ty: ParamType,
        format: ParamFormat,
        doc: &'static str,
        extract: Extract,
    ) -> Self {
        let flags = FieldFlags::empty();
        Self { name, class, ty, format, flags, arg: Arg::None, doc, extract }
    }

    /// Adds flags.
    pub const fn flag(mut self, flags: FieldFlags) -> Self {
        self.flags = self.flags.union(flags);
        self
    }

    /// Takes an argument that may be left out.
    pub const fn optional(mut self) -> Self {
        self.arg = Arg::Optional;
        self
    }

    /// Takes an argument that must be there.
    pub const fn required(mut self) -> Self {
        self.arg = Arg::Required;
        self
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// A field with its argument, as a filter or a template names it.
#[derive(Debug, Clone)]
pub struct FieldRef {
    pub field: &'static Field,
    pub arg: Option<FieldArg>,
    /// The type of the value: of `evt.rawarg.x` that of the parameter, else the field's own.
    pub ty: ParamType,
    pub format: ParamFormat,
}

impl FieldRef {
    /// Calls `emit` once per value.
    #[inline]
    pub fn extract(&self, from: &Extraction<'_>, emit: &mut dyn FnMut(Value<'_>)) {
        (self.field.extract)(from, self.arg.as_ref(), emit);
    }
}
