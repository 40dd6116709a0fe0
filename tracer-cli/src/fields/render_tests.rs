//! Texts as sysdig 0.29.3 prints them for the same bytes.

use super::*;
use crate::event::Event;
use crate::schema::{names, tables};
use crate::state::{Binding, State};

fn info(ty: ParamType, format: ParamFormat, flags: Option<&'static FlagTable>) -> &'static ParamInfo {
    Box::leak(Box::new(ParamInfo { name: "x", ty, format, flags, alternatives: &[], dirfd: None }))
}

fn shown_in(state: &State, binding: &Binding, info: &'static ParamInfo, bytes: &[u8]) -> String {
    let params = [bytes];
    let event = Event {
        num: 1,
        ts: 0,
        tid: 1,
        pid: 1,
        cpu: 0,
        ty: EventType::SYSCALL_READ_X,
        bits: Default::default(),
        unreadable: 0,
        params: (&params).into(),
    };
    let context = Context { event: &event, state, binding };
    let options = ExtractOptions::default();
    let parameter = Parameter::new(&context, info, 0, &options);
    let (mut value, mut meaning) = (Vec::new(), Vec::new());
    parameter.write_value(&mut value);
    parameter.write_meaning(&mut meaning);
    let value = String::from_utf8(value).unwrap();
    if meaning.is_empty() { value } else { format!("{value}({})", String::from_utf8(meaning).unwrap()) }
}

fn shown(ty: ParamType, format: ParamFormat, bytes: &[u8]) -> String {
    shown_in(&State::default(), &Binding::default(), info(ty, format, None), bytes)
}

fn flagged(ty: ParamType, table: &'static FlagTable, value: u32) -> String {
    let parameter = info(ty, ParamFormat::Hex, Some(table));
    shown_in(&State::default(), &Binding::default(), parameter, &value.to_le_bytes())
}

#[test]
fn numbers() {
    use ParamFormat::{Dec, Hex, Oct};
    use ParamType as T;
    assert_eq!(shown(T::Uint64, Dec, &u64::MAX.to_le_bytes()), "-1");
    assert_eq!(shown(T::Int64, Dec, &(-71i64).to_le_bytes()), "-71");
    assert_eq!(shown(T::Int32, Dec, &(-1i32).to_le_bytes()), "-1");
    assert_eq!(shown(T::Uint64, Hex, &0x55D2_307F_8000u64.to_le_bytes()), "55D2307F8000");
    assert_eq!(shown(T::Uint32, Oct, &0o7747u32.to_le_bytes()), "07747");
    assert_eq!(shown(T::Uint32, Dec, &[]), "NULL");
    assert_eq!(shown(T::Bool, Dec, &[1, 0, 0, 0]), "true");
    assert_eq!(shown(T::Port, Dec, &8080u16.to_le_bytes()), "8080");
}

#[test]
fn results_and_errors() {
    use ParamFormat::Dec;
    assert_eq!(shown(ParamType::Errno, Dec, &(-2i64).to_le_bytes()), "-2(ENOENT)");
    assert_eq!(shown(ParamType::Errno, Dec, &(-512i64).to_le_bytes()), "-512(ERESTARTSYS)");
    assert_eq!(shown(ParamType::Errno, Dec, &0i64.to_le_bytes()), "0");
    assert_eq!(shown(ParamType::Fd, Dec, &(-1i64).to_le_bytes()), "-1(EPERM)");
    assert_eq!(shown(ParamType::Fd, Dec, &(-100i64).to_le_bytes()), "-100(AT_FDCWD)");
    assert_eq!(shown(ParamType::Fd, Dec, &4_294_967_295i64.to_le_bytes()), "4294967295");
    assert_eq!(shown(ParamType::Sigtype, Dec, &[17]), "17(SIGCHLD)");
    assert_eq!(shown(ParamType::Sigtype, Dec, &[0]), "0");
}

#[test]
fn flags_and_enumerations() {
    use ParamType as T;
    assert_eq!(flagged(T::Flags32, &tables::FILE_FLAGS, 4097), "4097(O_RDONLY|O_CLOEXEC)");
    assert_eq!(flagged(T::Flags32, &tables::FILE_FLAGS, 262), "262(O_TRUNC|O_CREAT|O_WRONLY)");
    assert_eq!(flagged(T::Flags32, &tables::FILE_FLAGS, 263), "263(O_TRUNC|O_CREAT|O_RDWR)");
    assert_eq!(flagged(T::Flags32, &tables::ACCESS_FLAGS, 0), "0(F_OK)");
    assert_eq!(flagged(T::Flags32, &tables::ACCESS_FLAGS, 5), "5(R_OK|X_OK)");
    assert_eq!(flagged(T::Flags32, &tables::PROT_FLAGS, 3), "3(PROT_READ|PROT_WRITE)");
    assert_eq!(flagged(T::Flags32, &tables::FUTEX_OPERATIONS, 129), "129(FUTEX_PRIVATE_FLAG|FUTEX_WAKE)");
    assert_eq!(flagged(T::Flags32, &tables::FUTEX_OPERATIONS, 128), "128(FUTEX_PRIVATE_FLAG)");
    assert_eq!(flagged(T::Enumflags32, &tables::SOCKET_FAMILIES, 1), "1(AF_LOCAL)");
    assert_eq!(flagged(T::Enumflags32, &tables::SOCKET_FAMILIES, 99), "99");
    assert_eq!(flagged(T::Mode, &tables::CHMOD_MODE, 0o600), "0600(S_IWUSR|S_IRUSR)");
}

#[test]
fn texts_and_buffers() {
    use ParamFormat::Na;
    assert_eq!(shown(ParamType::Charbuf, Na, b"/e\x01c/ld\xc3\xa9\xffo\0"), "/ec/ld\u{e9}o");
    assert_eq!(shown(ParamType::Charbuf, Na, b"\0"), "");
    assert_eq!(shown(ParamType::Charbuf, Na, b""), "<NA>");
    assert_eq!(shown(ParamType::Bytebuf, Na, b""), "");
    assert_eq!(shown(ParamType::Bytebuf, Na, b"-g\0daemon off;\0"), "-g.daemon off;.");
    assert_eq!(shown(ParamType::Socktuple, Na, b""), "NULL");
    assert_eq!(shown(ParamType::Sockaddr, Na, b""), "NULL");
    assert_eq!(shown(ParamType::CharbufArray, Na, b"a\0b\0c\0"), "a.b.c");
    assert_eq!(shown(ParamType::CharbufPairArray, Na, b"a\x001\0b\x002\0"), "a=1,b=2");
    assert_eq!(shown(ParamType::Sigset, Na, &0b101u32.to_le_bytes()), "SIGHUP SIGQUIT");
}

#[test]
fn times() {
    use ParamFormat::Dec;
    assert_eq!(shown(ParamType::Reltime, Dec, &500_000_000u64.to_le_bytes()), "500000000(0.5s)");
    assert_eq!(shown(ParamType::Reltime, Dec, &0u64.to_le_bytes()), "0(0s)");
    assert_eq!(shown(ParamType::Reltime, Dec, &u64::MAX.to_le_bytes()), "none");
}

#[test]
fn users() {
    let mut state = State::default();
    state.users.users.entry(501).or_default().name = "faraujo".into();
    let uid = |id: u32| {
        shown_in(&state, &Binding::default(), info(ParamType::Uid, ParamFormat::Dec, None), &id.to_le_bytes())
    };
    assert_eq!(uid(501), "501(faraujo)");
    assert_eq!(uid(0), "0(root)");
    assert_eq!(uid(1002), "1002(<NA>)");
    assert_eq!(uid(NO_ID), "-1(<NONE>)");
}

#[test]
fn fd_lists() {
    let mut list = 2u16.to_le_bytes().to_vec();
    for (fd, events) in [(4i64, 1u16), (7, 0x21)] {
        list.extend_from_slice(&fd.to_le_bytes());
        list.extend_from_slice(&events.to_le_bytes());
    }
    assert_eq!(shown(ParamType::Fdlist, ParamFormat::Dec, &list), "4:?1 7:?21");
    assert_eq!(shown(ParamType::Fdlist, ParamFormat::Dec, &[0, 0]), "");
    assert_eq!(shown(ParamType::Fdlist, ParamFormat::Dec, &list[..15]), "4:?1");
}

#[test]
fn alternatives_are_rendered_as_the_type_chosen() {
    let parameter =
        names::events_named("setsockopt").flat_map(|e| e.params).find(|p| p.ty == ParamType::Dyn).unwrap();
    let mut bytes = vec![2];
    bytes.extend_from_slice(&1u32.to_le_bytes());
    assert_eq!(shown_in(&State::default(), &Binding::default(), parameter, &bytes), "1");
    assert_eq!(shown_in(&State::default(), &Binding::default(), parameter, &[]), "NULL");
    assert_eq!(shown_in(&State::default(), &Binding::default(), parameter, &[99, 1]), "c.");
}

#[test]
fn unreadable_memory_has_a_placeholder() {
    let (state, binding, options) = (State::default(), Binding::default(), ExtractOptions::default());
    let params = [&[5, 0, 0, 0, 0, 0, 0, 0][..], b""];
    let event = Event {
        num: 1,
        ts: 0,
        tid: 1,
        pid: 1,
        cpu: 0,
        ty: EventType::SYSCALL_READ_X,
        bits: Default::default(),
        unreadable: 2,
        params: (&params).into(),
    };
    let mut out = Vec::new();
    write_args(&mut out, &Context { event: &event, state: &state, binding: &binding }, &options);
    assert_eq!(String::from_utf8(out).unwrap(), "res=5 data=<unreadable> ");
}
