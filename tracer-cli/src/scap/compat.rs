//! What files have for the sake of older readers, and how it is undone when they are read.
//!
//! Of sysdig 0.29.3 (2022), which Linux distributions still deliver, three things are to be known:
//!
//! * Generic events with the code of a system call that its table does not have make it crash. They
//!   get the code 0, "unknown", as its own recorder gave them; the number of the call, which follows
//!   in the event, tells which one it is.
//! * It takes text without a single byte for text and shows what comes behind. Text that has no value
//!   is written as `<NA>`, which is what every reader makes of it.
//! * It leaves out events of types that it does not know, and parameters beyond those that it knows.
//!
//! One thing is for tracer alone: which parameters the kernel could not read stands behind the
//! event, as an option of pcapng, where other readers look for none.

use crate::event::{Event, read_u64};
use crate::param_slots::MAX_PARAMS;
use crate::params::Params;
use crate::schema::tables::SYSCALLS_X86_64;
use crate::schema::{EventInfo, EventType, ParamType};

/// First code of a system call that is not in the old table.
const FIRST_NEW_CALL: u64 = 329;
/// Written for text without a value.
pub(super) const NO_TEXT: &[u8] = b"<NA>\0";
const UNKNOWN_CALL: &[u8] = &[0, 0];

/// Custom option of pcapng that may be copied to other files, of nobody's private number.
const OPTION: u16 = 2989;
const OWNER: u32 = 0x0054_5243;
/// Bytes of the option with the end of the list behind it.
pub(super) const OPTION_LEN: usize = 4 + 4 + 4 + 4;

/// Parameters of an event as they are to be written.
pub(super) type Rewritten<'a> = [&'a [u8]; MAX_PARAMS];

/// The parameters that older readers need in place of those of `event`; `None` when it has them.
#[inline]
pub(super) fn for_old_readers<'a>(event: &Event<'a>) -> Option<Rewritten<'a>> {
    let info = event.info();
    let is_generic = matches!(event.ty, EventType::GENERIC_E | EventType::GENERIC_X);
    let hides_call = is_generic && is_new_call(&event.params);
    // Types that old readers do not know they leave out anyway.
    let lacks_text = event.ty < EventType::FIRST_AFTER_0_29
        && event.params.iter().enumerate().any(|(i, param)| param.is_empty() && is_text(info, i));
    (hides_call || lacks_text).then(|| rewrite(event, hides_call))
}

#[cold]
fn rewrite<'a>(event: &Event<'a>, hides_call: bool) -> Rewritten<'a> {
    let mut params: Rewritten<'a> = [&[]; MAX_PARAMS];
    for (i, (to, from)) in params.iter_mut().zip(event.params).enumerate() {
        *to = if from.is_empty() && is_text(event.info(), i) { NO_TEXT } else { from };
    }
    if hides_call && let Some(code) = params.first_mut() {
        *code = UNKNOWN_CALL;
    }
    params
}

/// Whether an event may not say which system call it is of, for the sake of older readers; `params` are its parameters,
/// one behind the other.
#[inline]
pub(super) fn hides_call(ty: EventType, params: &[u8]) -> bool {
    matches!(ty, EventType::GENERIC_E | EventType::GENERIC_X) && params.starts_with(UNKNOWN_CALL)
}

/// Gives the parameters of an event that was read their own values again.
pub(super) fn restore(ty: EventType, params: &mut [&[u8]]) {
    for (i, param) in params.iter_mut().enumerate() {
        if *param == NO_TEXT && ty.info().is_some_and(|info| is_text(info, i)) {
            *param = &[];
        }
    }
    if matches!(ty, EventType::GENERIC_E | EventType::GENERIC_X)
        && let [code, number, ..] = params
        && *code == UNKNOWN_CALL
        && let Some(known) = code_of(number)
        && u64::from(u16::from_le_bytes(*known)) >= FIRST_NEW_CALL
    {
        *code = known;
    }
}

fn is_text(info: &EventInfo, param: usize) -> bool {
    let ty = info.params.get(param).map(|param| param.ty);
    matches!(ty, Some(ParamType::Charbuf | ParamType::Fspath | ParamType::Fsrelpath))
}

/// Whether a generic event is of a call that old readers do not know, and that can be told by its
/// number alone.
fn is_new_call(params: &Params<'_>) -> bool {
    let Some((code, number)) = params.get(0).zip(params.get(1)) else { return false };
    read_u64(code).is_some_and(|code| code >= FIRST_NEW_CALL)
        && code_of(number).is_some_and(|known| known.as_slice() == code)
}

/// Encoded code of the system call with an encoded number.
fn code_of(number: &[u8]) -> Option<&'static [u8; 2]> {
    let number = usize::try_from(read_u64(number)?).ok()?;
    CODES.get(number)
}

const CALLS: usize = SYSCALLS_X86_64.len();

/// By number of the call.
static CODES: [[u8; 2]; CALLS] = {
    let mut codes = [[0; 2]; CALLS];
    let mut number = 0;
    while number < CALLS {
        if let Some(call) = &SYSCALLS_X86_64[number] {
            codes[number] = call.code.to_le_bytes();
        }
        number += 1;
    }
    codes
};

/// The option that says which parameters could not be read.
pub(super) fn option(unreadable: u32) -> [u8; OPTION_LEN] {
    let mut option = [0; OPTION_LEN];
    option[..2].copy_from_slice(&OPTION.to_le_bytes());
    option[2..4].copy_from_slice(&8_u16.to_le_bytes());
    option[4..8].copy_from_slice(&OWNER.to_le_bytes());
    option[8..12].copy_from_slice(&unreadable.to_le_bytes());
    option
}

/// Which parameters could not be read, by what stands in the body of a block behind the event and
/// its padding.
#[inline]
pub(super) fn unreadable(behind: &[u8]) -> u32 {
    if behind.len() < OPTION_LEN {
        return 0;
    }
    match behind.first_chunk::<OPTION_LEN>() {
        Some(found) if found[..8] == option(0)[..8] => {
            u32::from_le_bytes([found[8], found[9], found[10], found[11]])
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::names::syscall_by_name;

    fn number_of(name: &str) -> [u8; 2] {
        let is_it = |call: &Option<crate::schema::SyscallInfo>| call.is_some_and(|call| call.name == name);
        (SYSCALLS_X86_64.iter().position(is_it).unwrap() as u16).to_le_bytes()
    }

    #[test]
    fn calls_newer_than_old_tables_are_told_by_number() {
        for (name, is_new) in [("rseq", true), ("memfd_secret", true), ("sysinfo", false)] {
            let code = syscall_by_name(name).unwrap().to_le_bytes();
            let number = number_of(name);
            let list: [&[u8]; 2] = [&code, &number];
            let written = for_old_readers(&Event::sample(EventType::GENERIC_X, &list));
            assert_eq!(written.is_some(), is_new, "{name}");
            let mut params = written.map_or(list, |w| [w[0], w[1]]);
            assert_eq!(params[0] == UNKNOWN_CALL, is_new);
            restore(EventType::GENERIC_X, &mut params);
            assert_eq!(params, list, "{name}");
        }
        // Of a 32-bit call, whose numbers are others, and of one without a number.
        let code = syscall_by_name("rseq").unwrap().to_le_bytes();
        let list: [&[u8]; 2] = [&code, &386_u16.to_le_bytes()];
        assert!(for_old_readers(&Event::sample(EventType::GENERIC_X, &list)).is_none());
        assert!(for_old_readers(&Event::sample(EventType::GENERIC_X, &[&code])).is_none());
        // What nobody knew when it was recorded stays unknown.
        let mut params: [&[u8]; 2] = [UNKNOWN_CALL, &number_of("sysinfo")];
        restore(EventType::GENERIC_E, &mut params);
        assert_eq!(params[0], UNKNOWN_CALL);
    }

    #[test]
    fn text_without_a_value_is_never_without_a_byte() {
        let list: [&[u8]; 4] = [&[], b"", &[1, 0, 0, 0], &[]];
        let written = for_old_readers(&Event::sample(EventType::SYSCALL_OPEN_X, &list)).unwrap();
        assert_eq!(written[..4], [&[], NO_TEXT, &[1, 0, 0, 0], &[]]);
        let mut params: [&[u8]; 4] = [written[0], written[1], written[2], written[3]];
        restore(EventType::SYSCALL_OPEN_X, &mut params);
        assert_eq!(params, list);
        // In a buffer the same bytes are data.
        let mut data: [&[u8]; 2] = [&[], NO_TEXT];
        restore(EventType::SYSCALL_READ_X, &mut data);
        assert_eq!(data[1], NO_TEXT);
    }

    #[test]
    fn what_could_not_be_read_is_found_again() {
        assert_eq!(unreadable(&option(0b101)), 0b101);
        assert_eq!(unreadable(&option(7)[..12]), 0);
        assert_eq!(unreadable(&[0; 16]), 0);
        assert_eq!(unreadable(b"\x01\0\x05\0hello\0\0\0\0\0\0\0"), 0);
    }
}
