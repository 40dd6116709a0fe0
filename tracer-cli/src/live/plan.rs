//! The capture plan: for each system call what the probe is to copy, from what the decoder needs.

use super::decode::{has_wide_longs, source_of};
use super::ops::{CallSource, Compat};
use crate::schema::{EventFlags, EventType, SyscallInfo, tables};
use tracer_common::plan::{CallPlan, PLAN_ENTRIES, piece, program, want};

/// Which of the two events of a call are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    pub enter: bool,
    pub exit: bool,
}

/// One plan per system call number of both interfaces, [`PLAN_ENTRIES`] each.
#[derive(Debug, Clone)]
pub struct Plans {
    /// x86_64 numbers.
    pub native: Vec<CallPlan>,
    /// i386 numbers.
    pub compat: Vec<CallPlan>,
}

/// Plans for the events that `wanted` picks. It is asked once for each call of both tables; the call
/// carries its name, its code and its two event types.
pub fn call_plans(wanted: impl Fn(&SyscallInfo) -> Wanted) -> Plans {
    let table = |calls: &[Option<SyscallInfo>], compat: bool| {
        let mut plans = vec![CallPlan::default(); PLAN_ENTRIES as usize];
        for (plan, call) in plans.iter_mut().zip(calls) {
            if let Some(call) = call {
                *plan = plan_of(call, wanted(call), compat);
            }
        }
        plans
    };
    Plans { native: table(tables::SYSCALLS_X86_64, false), compat: table(tables::SYSCALLS_IA32, true) }
}

/// Whether the state tables need events of this type even when nobody wants to see them.
pub fn state_needed(ty: EventType) -> bool {
    let changes = EventFlags::MODIFIES_STATE | EventFlags::CREATES_FD | EventFlags::DESTROYS_FD;
    ty.info().is_some_and(|info| info.flags.intersects(changes))
}

fn plan_of(call: &SyscallInfo, wanted: Wanted, compat: bool) -> CallPlan {
    let mut plan = CallPlan::default();
    if wanted.enter {
        plan.flags |= want::ENTER;
    }
    if wanted.exit {
        plan.flags |= want::EXIT;
    }
    // Generic events say which call it was and no more.
    if let (Some(source), true) = (source_of(call.exit), plan.flags != 0) {
        add_pieces(&mut plan, source, compat, has_wide_longs(call.name));
    }
    plan
}

fn add_pieces(plan: &mut CallPlan, source: &CallSource, compat: bool, wide: bool) {
    plan.args = source.args;
    plan.pieces = source.pieces.len() as u8;
    for (place, source) in plan.piece.iter_mut().zip(source.pieces) {
        *place = source.plan;
        match source.compat {
            _ if !compat => {}
            Compat::Same => {}
            Compat::Longs if wide => {}
            Compat::Longs => place.limit /= 2,
            // It keeps its number, so that the decoder needs no second table.
            Compat::Never => place.when = 0,
        }
        if place.when != 0 {
            plan.program = plan.program.max(program_of(place.kind));
        }
    }
}

/// The program that can make this kind of piece at exit.
fn program_of(kind: u8) -> u8 {
    match kind {
        piece::TASK
        | piece::ARG_AREA
        | piece::ENV_AREA
        | piece::EXE_PATH
        | piece::CGROUP_PATH
        | piece::STR_ARRAY
        | piece::FD_PATH => program::TASK,
        piece::IOVEC_DATA | piece::MSG_NAME | piece::MSG_DATA | piece::MSG_CONTROL => program::VECTOR,
        _ => program::PLAIN,
    }
}
