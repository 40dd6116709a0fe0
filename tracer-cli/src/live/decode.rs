//! Records of the probe as events.
//!
//! Nothing is looked up by name and nothing is allocated: the parameters of a call are a list of
//! operations ([`super::ops`]) found by its number; strings and buffers stay in the record, numbers
//! go to fixed places in the decoder.

use super::decode_socket as socket;
use super::decode_task as task;
use super::ops::{CallSource, Op, Param};
use super::scratch::Area;
use super::sources::SOURCES;
use super::view::{View, header, u32_at};
use crate::event::{Event, EventBits};
use crate::param_slots::{MAX_PARAMS, ParamSlots};
use crate::schema::convert::open_flags;
use crate::schema::{EventType, SyscallInfo, tables};
use std::mem::offset_of;
use tracer_common::plan::PLAN_ENTRIES;
use tracer_common::record::{FileFacts, RecordHeader, file_flag, flag, kind};

/// Bytes for parameters that are put together: five times the longest control group path and more.
const AREA: usize = 128 << 10;

/// `file->f_mode` of a file that this very `open` created (include/linux/fs.h).
const FMODE_CREATED: u32 = 0x10_0000;
/// Flags of the schema's `file_flags`.
const O_F_CREATED: u32 = 1 << 14;
const FD_UPPER_LAYER: u32 = 1 << 15;
const FD_LOWER_LAYER: u32 = 1 << 16;

/// What is known of a system call number.
#[derive(Clone, Copy)]
struct Entry {
    enter: &'static [Param],
    exit: &'static [Param],
    enter_ty: EventType,
    exit_ty: EventType,
    /// Parameters of generic events: the schema's code of the call and its number on x86_64.
    code: u16,
    native: u16,
    /// Bytes of a long in structures of this call.
    long: u8,
}

/// The source of the parameters of an event type or its pair.
pub(super) fn source_of(ty: EventType) -> Option<&'static CallSource> {
    SOURCES.get(usize::from(ty.0 / 2))?.as_ref()
}

/// Whether a call of the 32-bit interface has structures with 64-bit longs all the same.
pub(super) fn has_wide_longs(name: &str) -> bool {
    name.ends_with("64")
}

impl Entry {
    fn new(info: &SyscallInfo, native: u16, long: u8) -> Self {
        let source = source_of(info.exit);
        Entry {
            enter: source.map_or(&[], |s| s.enter),
            exit: source.map_or(&[], |s| s.exit),
            enter_ty: info.enter,
            exit_ty: info.exit,
            code: info.code,
            native,
            long,
        }
    }

    /// A call newer than the schema, or one that no kernel knows.
    const fn newer(number: u16) -> Self {
        Entry {
            enter: &[],
            exit: &[],
            enter_ty: EventType::GENERIC_E,
            exit_ty: EventType::GENERIC_X,
            code: 0,
            native: number,
            long: 8,
        }
    }
}

fn entries(table: &[Option<SyscallInfo>], compat: bool) -> Vec<Entry> {
    let native_of = |code: u16| {
        tables::SYSCALLS_X86_64.iter().position(|s| s.is_some_and(|s| s.code == code && code != 0))
    };
    (0..PLAN_ENTRIES as u16)
        .map(|number| match table.get(usize::from(number)) {
            Some(Some(info)) if compat => {
                let native = native_of(info.code).map_or(number, |n| n as u16);
                Entry::new(info, native, if has_wide_longs(info.name) { 8 } else { 4 })
            }
            Some(Some(info)) => Entry::new(info, number, 8),
            _ => Entry::newer(number),
        })
        .collect()
}

/// Makes events of records.
pub struct Decoder {
    native: Vec<Entry>,
    compat: Vec<Entry>,
    params: ParamSlots,
    numbers: [[u8; 8]; MAX_PARAMS],
    area: Box<[u8]>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    pub fn new() -> Self {
        Decoder {
            native: entries(tables::SYSCALLS_X86_64, false),
            compat: entries(tables::SYSCALLS_IA32, true),
            params: ParamSlots::new(),
            numbers: [[0; 8]; MAX_PARAMS],
            area: vec![0; AREA].into_boxed_slice(),
        }
    }

    /// The event in `record`, which came from `cpu`; its `num` is 0. `to_epoch` is added to the
    /// time of the record (ns) to make it ns since the epoch.
    ///
    /// `None` when the record is not whole or of no known kind.
    #[inline]
    pub fn decode<'a>(&'a mut self, cpu: u16, record: &'a [u8], to_epoch: u64) -> Option<Event<'a>> {
        let header = header(record)?;
        let Decoder { native, compat, params, numbers, area } = self;
        let is_compat = header.flags() & flag::COMPAT != 0;
        let (ty, sources, long, generic) = match header.kind() {
            kind::ENTER | kind::EXIT => {
                let table = if is_compat { &*compat } else { &*native };
                let entry =
                    table.get(usize::from(header.number)).copied().unwrap_or(Entry::newer(header.number));
                let (ty, sources) = match header.kind() {
                    kind::ENTER => (entry.enter_ty, entry.enter),
                    _ => (entry.exit_ty, entry.exit),
                };
                let is_generic = entry.exit_ty == EventType::GENERIC_X;
                (ty, sources, usize::from(entry.long), is_generic.then_some((entry.code, entry.native)))
            }
            kind::PROC_EXIT => other(EventType::PROCEXIT_1_E)?,
            kind::SIGNAL => other(EventType::SIGNALDELIVER_E)?,
            kind::SWITCH => other(EventType::SCHEDSWITCH_6_E)?,
            kind::PAGE_FAULT => other(EventType::PAGE_FAULT_E)?,
            _ => return None,
        };
        let mut event = event(&header, cpu, to_epoch, ty);
        if let Some((code, number)) = generic {
            let list = params.lend(2);
            for ((place, slot), value) in numbers.iter_mut().zip(list.iter_mut()).zip([code, number]) {
                *place = u64::from(value).to_le_bytes();
                *slot = &place[..2];
            }
            event.params = (&*list).into();
            return Some(event);
        }
        let view = View::new(&header, record, long)?;
        let list = params.lend(sources.len());
        let mut area = Area::new(area);
        for (i, ((param, slot), place)) in sources.iter().zip(list.iter_mut()).zip(numbers).enumerate() {
            let mut unreadable = false;
            *slot = match make(&param.op, &view, &mut area, &mut unreadable) {
                Made::Number(n) => {
                    *place = n.to_le_bytes();
                    place.get(..usize::from(param.width)).unwrap_or_default()
                }
                Made::Bytes(bytes) => bytes,
            };
            event.unreadable |= u32::from(unreadable) << i;
        }
        event.params = (&*list).into();
        Some(event)
    }
}

type Found = (EventType, &'static [Param], usize, Option<(u16, u16)>);

/// How to decode a record that is no system call.
fn other(ty: EventType) -> Option<Found> {
    Some((ty, source_of(ty)?.enter, 8, None))
}

fn event<'a>(header: &RecordHeader, cpu: u16, to_epoch: u64, ty: EventType) -> Event<'a> {
    Event {
        num: 0,
        ts: header.time.wrapping_add(to_epoch),
        tid: i64::from(header.tid),
        pid: i64::from(header.tgid),
        cpu,
        ty,
        bits: if header.flags() & flag::COMPAT != 0 { EventBits::COMPAT } else { EventBits::empty() },
        unreadable: 0,
        params: crate::params::Params::NONE,
    }
}

enum Made<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The value of one parameter.
#[inline]
fn make<'a>(op: &Op, view: &View<'a>, area: &mut Area<'a>, unreadable: &mut bool) -> Made<'a> {
    match op {
        Op::Number(word) => Made::Number(view.number(word, unreadable)),
        Op::Bytes { piece } => {
            let piece = view.piece(*piece);
            *unreadable = piece.unreadable();
            Made::Bytes(piece.bytes)
        }
        Op::Text { piece } => {
            let piece = view.piece(*piece);
            *unreadable = piece.unreadable();
            Made::Bytes(task::terminated(piece.bytes, area))
        }
        Op::Convert(conversion, a, b) => {
            let (a, b) = (view.number(a, unreadable), view.number(b, unreadable));
            Made::Number(conversion.apply(a, b))
        }
        _ => make_rare(op, view, area, unreadable),
    }
}

/// The operations that few calls need.
fn make_rare<'a>(op: &Op, view: &View<'a>, area: &mut Area<'a>, unreadable: &mut bool) -> Made<'a> {
    let mut check = |piece: u8| *unreadable |= view.piece(piece).unreadable();
    match *op {
        Op::Empty => Made::Bytes(&[]),
        Op::Number(_) | Op::Bytes { .. } | Op::Text { .. } | Op::Convert(..) => {
            make(op, view, area, unreadable)
        }
        Op::If(condition, then, other) => {
            make(if view.holds(condition) { then } else { other }, view, area, unreadable)
        }
        Op::Device(word) => Made::Number(device(view.number(&word, unreadable))),
        Op::OpenFlags { flags, file } => {
            let (mode, layer) = file_facts(view, file);
            let mut flags = open_flags(view.number(&flags, unreadable));
            if mode & FMODE_CREATED != 0 {
                flags |= O_F_CREATED;
            }
            if layer & file_flag::UPPER_LAYER != 0 {
                flags |= FD_UPPER_LAYER;
            } else if layer & file_flag::LOWER_LAYER != 0 {
                flags |= FD_LOWER_LAYER;
            }
            Made::Number(u64::from(flags))
        }
        // The two layer bits have the schema's values already.
        Op::CreatFlags { file } => Made::Number(u64::from(file_facts(view, file).1 & 3)),
        Op::CloneFlags { flags, task } => {
            let flags = view.number(&flags, unreadable);
            Made::Number(task::clone_flags(view, flags, task))
        }
        Op::ExeFlags { task } => Made::Number(task::exe_flags(view, task)),
        Op::Timespec { piece } => {
            check(piece);
            let part = |i| view.long(piece, i).unwrap_or(0);
            Made::Number(part(0).wrapping_mul(1_000_000_000).wrapping_add(part(1)))
        }
        Op::IovSize { piece } => {
            check(piece);
            if !view.piece(piece).is_ok() {
                return Made::Bytes(&[]);
            }
            // Pairs of a pointer and a length, each as wide as a word of the caller.
            let lens = view.words(piece).skip(1).step_by(2);
            Made::Number(lens.fold(0, u64::wrapping_add))
        }
        Op::QueuePercent { socket } => Made::Number(socket::queue_percent(view, socket)),
        Op::Wait(part) => Made::Number(task::wait_part(view, part)),
        Op::Sockaddr { piece } => {
            check(piece);
            Made::Bytes(socket::sockaddr(view, piece, area))
        }
        Op::Tuple { socket, inbound, address } => {
            Made::Bytes(socket::tuple(view, socket, inbound, address, area))
        }
        Op::FdList { piece, returned } => {
            check(piece);
            Made::Bytes(socket::fd_list(view, piece, returned, area))
        }
        Op::Sockopt { piece } => {
            check(piece);
            Made::Bytes(socket::sockopt(view, piece, area))
        }
        Op::Dyn { index, width, ref number } => {
            let value = view.number(number, unreadable).to_le_bytes();
            area.push(&[index]);
            area.push(value.get(..usize::from(width)).unwrap_or_default());
            Made::Bytes(area.finish())
        }
        Op::DynText { index, piece } => {
            check(piece);
            area.push(&[index]);
            area.push(view.piece(piece).bytes);
            Made::Bytes(area.finish())
        }
        Op::Exe { piece } => {
            check(piece);
            Made::Bytes(task::terminated(task::command_line(view, piece).0, area))
        }
        Op::Args { piece } => {
            check(piece);
            Made::Bytes(task::terminated(task::command_line(view, piece).1, area))
        }
        Op::Comm { task } => Made::Bytes(task::comm(view, task)),
        Op::Path { piece } => Made::Bytes(task::path(view, piece, area)),
        Op::Cgroups { piece } => {
            let present = view.piece(piece).is_ok();
            Made::Bytes(task::cgroups(view, piece, present, area))
        }
    }
}

/// `file->f_mode` and layer bits of a file; 0 when it is not known.
fn file_facts(view: &View<'_>, file: u8) -> (u32, u32) {
    let bytes = view.piece(file).bytes;
    let read = |at| u32_at(bytes, at).unwrap_or(0);
    (read(offset_of!(FileFacts, f_mode)), read(offset_of!(FileFacts, flags)))
}

/// The kernel keeps twelve bits of major and twenty of minor number; user space sees the minor's
/// upper bits above the major (`new_encode_dev` in include/linux/kdev_t.h).
fn device(kernel: u64) -> u64 {
    let (major, minor) = ((kernel >> 20) & 0xfff, kernel & 0xf_ffff);
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

#[cfg(test)]
mod tests;
