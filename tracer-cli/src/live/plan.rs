//! The capture plan: for each system call what the probe is to copy, from what the decoder needs.

use super::decode::{has_wide_longs, source_of};
use super::ops::{CallSource, Compat};
use crate::schema::{EventFlags, EventType, SyscallInfo, tables};
use tracer_common::plan::{
    CallPlan, FD_POINTED, FD_RESULT, PLAN_ENTRIES, PiecePlan, SOCKETCALL, len, piece, program, socket_call,
    want,
};

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

const BOTH: u16 = want::ENTER | want::EXIT;

/// A call that the schema does not know by name.
const NEWER: SyscallInfo =
    SyscallInfo { name: "unknown", code: 0, enter: EventType::GENERIC_E, exit: EventType::GENERIC_X };

/// Plans for the events that `wanted` picks. It is asked once for each call of both tables; the call
/// carries its name, its code and its two event types.
pub fn call_plans(wanted: impl Fn(&SyscallInfo) -> Wanted) -> Plans {
    let table = |calls: &[Option<SyscallInfo>], compat: bool| {
        let mut plans = vec![CallPlan::default(); PLAN_ENTRIES as usize];
        let calls = calls.iter().map(|call| call.unwrap_or(NEWER)).chain(std::iter::repeat(NEWER));
        for (plan, call) in plans.iter_mut().zip(calls) {
            *plan = plan_of(&call, wanted(&call), compat);
        }
        plans
    };
    let mut plans =
        Plans { native: table(tables::SYSCALLS_X86_64, false), compat: table(tables::SYSCALLS_IA32, true) };
    for (native, compat) in plans.native.iter_mut().zip(&mut plans.compat) {
        let either = ((native.flags | compat.flags) & BOTH) << want::EITHER;
        native.flags |= either;
        compat.flags |= either;
    }
    // A `socketcall` is wanted when any of the calls is that it can mean.
    let meant = (0..32).filter_map(|which| plans.compat.get(usize::from(socket_call(which)?.0)));
    let either = meant.fold(0, |flags, plan| flags | plan.flags) & (BOTH << want::EITHER);
    for table in [&mut plans.native, &mut plans.compat] {
        if let Some(plan) = table.get_mut(usize::from(SOCKETCALL)) {
            plan.flags |= either;
        }
    }
    plans
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
        if compat && place.len == len::ARG_X16 {
            place.len = len::ARG_X8;
        }
        if place.when != 0 {
            plan.due |= place.when;
            plan.program = plan.program.max(program_of(place.kind));
            plan.args = plan.args.max(args_of(place));
        }
    }
}

/// Argument words that the probe looks at for a piece; it finds them in the record itself.
fn args_of(place: &PiecePlan) -> u8 {
    let address = match place.kind {
        piece::IOVEC_DATA => place.arg + 2,
        _ if place.arg == FD_RESULT => 0,
        _ => (place.arg & !FD_POINTED) + 1,
    };
    match place.len {
        len::FIXED | len::RESULT => address,
        _ => address.max(place.len_arg + 1),
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

#[cfg(test)]
mod tests {
    use super::*;
    use tracer_common::plan::when;

    fn find(table: &[Option<SyscallInfo>], name: &str) -> usize {
        table.iter().position(|s| s.is_some_and(|s| s.name == name)).expect(name)
    }

    fn all() -> Plans {
        call_plans(|_| Wanted { enter: true, exit: true })
    }

    fn native(plans: &Plans, name: &str) -> CallPlan {
        plans.native[find(tables::SYSCALLS_X86_64, name)]
    }

    fn compat(plans: &Plans, name: &str) -> CallPlan {
        plans.compat[find(tables::SYSCALLS_IA32, name)]
    }

    #[test]
    fn only_what_is_wanted_is_planned() {
        let plans = call_plans(|call| Wanted { enter: call.name == "openat", exit: state_needed(call.exit) });
        let wanted = |name| native(&plans, name).flags & BOTH;
        assert_eq!(wanted("openat"), want::ENTER | want::EXIT);
        assert_eq!(wanted("close"), want::EXIT);
        assert_eq!(wanted("getuid"), 0);
        assert_eq!(plans.native.len(), PLAN_ENTRIES as usize);
        assert_eq!(plans.compat.len(), PLAN_ENTRIES as usize);
    }

    #[test]
    fn read_copies_its_data_at_a_successful_exit() {
        let read = native(&all(), "read");
        let data = read.piece[0];
        assert_eq!((read.args, read.pieces, read.program), (3, 1, program::PLAIN));
        assert_eq!((data.kind, data.arg, data.len, data.when), (piece::BUF, 1, len::RESULT, when::SUCCESS));
        assert_eq!(data.limit, 0);
    }

    #[test]
    fn openat_copies_the_path_always_and_the_file_when_there_is_one() {
        let open = native(&all(), "openat");
        let [file, path] = [open.piece[0], open.piece[1]];
        assert_eq!((file.kind, file.arg, file.when), (piece::FD_FILE, FD_RESULT, when::SUCCESS));
        assert_eq!((path.kind, path.arg, path.when), (piece::STR, 1, when::ENTER | when::EXIT));
    }

    #[test]
    fn records_carry_the_arguments_that_pieces_need() {
        let plans = all();
        for (name, args) in
            [("rename", 2), ("recvfrom", 6), ("process_vm_readv", 3), ("accept", 1), ("pipe", 1)]
        {
            assert_eq!(native(&plans, name).args, args, "{name}");
        }
        assert!(plans.native.iter().chain(&plans.compat).all(|p| p.args <= 6));
    }

    #[test]
    fn programs_follow_the_pieces() {
        let plans = all();
        for (name, program) in [
            ("execve", program::TASK),
            ("clone", program::TASK),
            ("capset", program::TASK),
            ("writev", program::VECTOR),
            ("recvmsg", program::VECTOR),
            ("mmap", program::PLAIN),
            ("sched_yield", program::PLAIN),
        ] {
            assert_eq!(native(&plans, name).program, program, "{name}");
        }
        assert_eq!(native(&plans, "sched_yield").args, 0);
    }

    #[test]
    fn pieces_of_special_programs_are_not_due_at_enter() {
        let plans = all();
        for plan in plans.native.iter().chain(&plans.compat) {
            for p in &plan.piece[..usize::from(plan.pieces)] {
                assert!(program_of(p.kind) == program::PLAIN || p.when & when::ENTER == 0, "{p:?}");
            }
        }
    }

    #[test]
    fn structures_of_the_32_bit_interface() {
        let plans = all();
        assert_eq!(native(&plans, "nanosleep").piece[0].limit, 16);
        assert_eq!(compat(&plans, "nanosleep").piece[0].limit, 8);
        assert_eq!(compat(&plans, "ppoll_time64").piece.iter().find(|p| p.arg == 2).unwrap().limit, 16);
        let writev = compat(&plans, "writev");
        assert_eq!(writev.program, program::VECTOR);
        assert!(writev.piece.iter().any(|p| p.len == len::ARG_X8));
        assert_eq!(compat(&plans, "execve").program, program::TASK);
        assert_eq!(compat(&plans, "chown32").piece[0].kind, piece::STR);
    }

    #[test]
    fn the_state_needs_what_makes_and_ends_things() {
        for ty in [EventType::SYSCALL_CLONE_20_X, EventType::SYSCALL_OPENAT_2_X, EventType::SYSCALL_CLOSE_X] {
            assert!(state_needed(ty), "{ty:?}");
        }
        assert!(!state_needed(EventType::SYSCALL_FUTEX_X));
        assert!(!state_needed(EventType(u16::MAX)));
    }
}
