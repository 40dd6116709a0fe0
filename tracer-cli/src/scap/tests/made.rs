use super::*;
use crate::event::EventBits;
use crate::scap::interface_list;
use crate::schema::EventType;
use crate::state::fd::{FdKind, Role};
use crate::state::interface::{Interface, unspecified};
use crate::state::thread::ThreadFlags;

const CLOSE_X: u16 = EventType::SYSCALL_CLOSE_X.0;
const OPEN_X: u16 = EventType::SYSCALL_OPEN_X.0;

fn close(ts: u64) -> Vec<u8> {
    event(ts, CLOSE_X, &[&0u64.to_le_bytes()])
}

/// The first part of a process entry, as `version` has it.
fn process(version: u8, tid: u64) -> Vec<u8> {
    let mut entry: Vec<u8> = [tid, tid, 1].map(u64::to_le_bytes).concat();
    if version >= 6 {
        entry.extend(11u64.to_le_bytes());
    }
    if version >= 8 {
        entry.extend(12u64.to_le_bytes());
    }
    entry.extend(text("name"));
    entry.extend(text("./exe"));
    if version >= 7 {
        entry.extend(text("/bin/exe"));
    }
    entry.extend(text("-a\0-b"));
    entry.extend(text("/home"));
    entry.extend(1024u64.to_le_bytes());
    entry.extend((1u32 << 17).to_le_bytes());
    entry.extend([33u32, 34].map(u32::to_le_bytes).concat());
    if version >= 2 {
        entry.extend([100u32, 50, 0].map(u32::to_le_bytes).concat());
        entry.extend([3u64, 4].map(u64::to_le_bytes).concat());
    }
    if version >= 3 {
        entry.extend(text("A=1\0"));
    }
    if version >= 4 {
        entry.extend([tid, tid].map(u64::to_le_bytes).concat());
        entry.extend(text("cpu=/x\0"));
    }
    if version >= 5 {
        entry.extend(text("/root"));
    }
    entry
}

fn sized(entry: &[u8]) -> Vec<u8> {
    [&(entry.len() as u32 + 4).to_le_bytes()[..], entry].concat()
}

#[test]
fn process_lists_of_every_version() {
    let codes = [0x202, 0x207, 0x209, 0x210, 0x211, 0x212, 0x213, 0x214, 0x215];
    for (version, code) in (1u8..).zip(codes) {
        let entries = [5, 6].map(|tid| match version {
            9 => sized(&process(version, tid)),
            _ => process(version, tid),
        });
        let (out, state) = read(&[section(), block(code, &entries.concat())].concat());
        assert_eq!(out.error, None, "version {version}");
        assert_eq!(state.len(), 2, "version {version}");
        let thread = state.by_tid(6).unwrap();
        assert_eq!((&thread.comm[..], &thread.exe[..]), (&b"name"[..], &b"./exe"[..]));
        assert_eq!(&thread.args[..], b"-a\0-b\0");
        assert_eq!(thread.cwd, "/home/");
        assert_eq!((thread.uid, thread.gid, thread.fd_limit), (33, 34, 1024));
        assert!(thread.flags.contains(ThreadFlags::NAME_CHANGED));
        assert_eq!(thread.minor_faults, if version >= 2 { 4 } else { 0 });
        assert_eq!(&thread.env[..], if version >= 3 { &b"A=1\0"[..] } else { b"" });
        assert_eq!(&thread.cgroups[..], if version >= 4 { &b"cpu=/x\0"[..] } else { b"" });
        assert_eq!(thread.root, if version >= 5 { "/root" } else { "" });
        assert_eq!(thread.sid, if version >= 6 { 11 } else { -1 });
        assert_eq!(thread.exepath, if version >= 7 { "/bin/exe" } else { "" });
        assert_eq!(thread.vpgid, if version >= 8 { 12 } else { -1 });
    }
}

#[test]
fn threads_before_their_processes_are_counted_without_a_search() {
    const COUNT: u64 = 50_000;
    let thread = |tid: u64, pid: u64| {
        let mut entry = process(9, tid);
        entry[8..16].copy_from_slice(&pid.to_le_bytes());
        sized(&entry)
    };
    // All have the same parent, too.
    let threads: Vec<u8> = (1..=COUNT).flat_map(|n| thread(COUNT + n, n)).collect();
    let processes: Vec<u8> = (1..=COUNT).flat_map(|n| thread(n, n)).collect();
    let (out, mut state) = read(&[section(), block(0x215, &threads), block(0x215, &processes)].concat());
    assert_eq!((out.error, state.len() as u64), (None, 2 * COUNT));
    assert!(state.threads().filter(|t| t.is_main()).all(|t| t.live_threads == 2));
    assert_eq!(state.children_of(1).count() as u64, COUNT);
    (1..=COUNT as i64).for_each(|pid| drop(state.remove(pid)));
    assert_eq!((state.len() as u64, state.counts.threads_visited), (COUNT, 0));
}

#[test]
fn what_was_appended_to_processes_is_found_in_both_orders() {
    let with_tail = |tail: &[u8]| {
        let entry = sized(&[process(9, 5), tail.to_vec()].concat());
        let (out, mut state) = read(&[section(), block(0x215, &entry)].concat());
        assert_eq!(out.error, None);
        state.remove(5).unwrap()
    };
    let old = [&1000u32.to_le_bytes()[..], &[1], &[1u64, 2, 3].map(u64::to_le_bytes).concat()].concat();
    assert_eq!(old.len(), 29);
    for len in [0, 4, 5, 29] {
        let thread = with_tail(&old[..len]);
        assert_eq!(thread.loginuid, if len >= 4 { 1000 } else { u32::MAX }, "{len}");
        assert_eq!(thread.flags.contains(ThreadFlags::EXE_WRITABLE), len >= 5);
        assert_eq!(thread.cap_effective, if len >= 29 { 3 } else { 0 });
        assert_eq!(thread.tty, 0);
    }
    let new = [
        &99u64.to_le_bytes()[..],
        &7u32.to_le_bytes(),
        &old,
        &[1],
        &[4u64, 5, 6].map(u64::to_le_bytes).concat(),
        &[1, 1],
        &8u64.to_le_bytes(),
    ]
    .concat();
    assert_eq!(new.len(), 76);
    for len in [66, 67, 68, 76] {
        let thread = with_tail(&new[..len]);
        assert_eq!((thread.pidns_init_start_ts, thread.tty, thread.loginuid), (99, 7, 1000));
        assert_eq!((thread.cap_effective, thread.exe_ino_mtime), (3, 6));
        assert_eq!(thread.flags.contains(ThreadFlags::EXE_FROM_MEMFD), len >= 67);
        assert_eq!(thread.flags.contains(ThreadFlags::EXE_LOWER_LAYER), len >= 68);
        assert_eq!(thread.pgid, if len >= 76 { 8 } else { -1 });
    }
    // Newer libraries append more.
    assert_eq!(with_tail(&[&new[..], &[9; 20]].concat()).pgid, 8);
}

#[test]
fn fds_of_every_kind() {
    let fd = |number: u64, ty: u8, data: &[u8]| {
        sized(&[&number.to_le_bytes()[..], &77u64.to_le_bytes(), &[ty], data].concat())
    };
    let tcp = |sport: u16, dport: u16| {
        [&[10, 0, 0, 1, 10, 0, 0, 2][..], &sport.to_le_bytes(), &dport.to_le_bytes(), &[2]].concat()
    };
    let unix = [&[1; 8][..], &[2; 8], &text("/run/x\n")].concat();
    let list = [
        5u64.to_le_bytes().to_vec(),
        fd(0, 16, &[&1u32.to_le_bytes()[..], &text("/etc/passwd"), &0xFD00u32.to_le_bytes()].concat()),
        fd(1, 3, &tcp(22, 4000)),
        fd(2, 5, &[&[0, 0, 0, 0][..], &22u16.to_le_bytes(), &[2]].concat()),
        fd(3, 3, &tcp(4001, 80)),
        fd(4, 8, &unix),
        fd(5, 7, &text("pipe:[1]")),
        fd(6, 21, &text("/proc/9")),
        fd(7, 99, &text("new")),
        fd(8, 0, &[]),
    ]
    .concat();
    let processes = block(0x215, &sized(&process(9, 5)));
    let (out, state) = read(&[section(), processes.clone(), block(0x218, &list)].concat());
    assert_eq!(out.error, None);
    let fds = &state.by_tid(5).unwrap().fds;
    let fd = |number| fds.get(number).unwrap();
    let role = |number| fd(number).socket.as_ref().unwrap().role;
    assert_eq!((fd(0).kind, fd(0).open_flags, fd(0).dev, fd(0).ino), (FdKind::File, 1, 0xFD00, 77));
    assert_eq!((&fd(1).name[..], role(1)), (&b"10.0.0.2:4000->10.0.0.1:22"[..], Role::Server));
    assert_eq!((&fd(2).name[..], fd(2).kind), (&b"0.0.0.0:22"[..], FdKind::Ipv4Server));
    assert_eq!((&fd(3).name[..], role(3)), (&b"10.0.0.1:4001->10.0.0.2:80"[..], Role::Client));
    assert_eq!((&fd(4).name[..], fd(4).kind), (&b"/run/x"[..], FdKind::Unix));
    assert_eq!((&fd(5).name[..], fd(5).kind), (&b"pipe:[1]"[..], FdKind::Fifo));
    assert_eq!(fd(6).kind, FdKind::Pidfd);
    assert_eq!(fd(7).kind, FdKind::Unsupported);
    assert_eq!(fd(8).kind, FdKind::Unknown);
    // Entries without lengths: the same but for the device; unknown kinds cannot be skipped.
    let file =
        [&0u64.to_le_bytes()[..], &77u64.to_le_bytes(), &[16], &1u32.to_le_bytes(), &text("/a")].concat();
    let old = [&5u64.to_le_bytes()[..], &file].concat();
    let (out, state) = read(&[section(), processes.clone(), block(0x203, &old)].concat());
    assert_eq!(out.error, None);
    assert_eq!(state.by_tid(5).unwrap().fds.get(0).unwrap().name, "/a");
    let unknown = [&5u64.to_le_bytes()[..], &[0; 16], &[99], &[0; 8]].concat();
    assert!(read(&[section(), processes, block(0x203, &unknown)].concat()).0.error.is_some());
}

#[test]
fn machine_interfaces_and_users() {
    let mut machine = 4u32.to_le_bytes().to_vec();
    machine.extend([1u64 << 30, 0].map(u64::to_le_bytes).concat());
    machine.extend(b"host");
    machine.resize(148, 0);
    machine.extend([5u64, 0, 0, 0].map(u64::to_le_bytes).concat());
    let v4 = [&[1, 0, 2, 0, 192, 168, 0, 1][..], &[0; 16], b"lo"].concat();
    let v6 = [&[4, 0, 2, 0][..], &[0; 15], &[1], &[0; 32], b"lo"].concat();
    let prefixed = |entry: &[u8]| [&(entry.len() as u32).to_le_bytes()[..], entry].concat();
    let user =
        [&[0][..], &33u32.to_le_bytes(), &34u32.to_le_bytes(), &text("web"), &text("/www"), &text("/sh")]
            .concat();
    let group = [&[1][..], &34u32.to_le_bytes(), &text("webs")].concat();
    let new = [
        block(0x219, &[prefixed(&v4), prefixed(&v6)].concat()),
        block(0x220, &[sized(&user), sized(&group)].concat()),
    ];
    let old = [block(0x205, &[v4, v6].concat()), block(0x206, &[user, group].concat())];
    for lists in [new, old] {
        let (out, state) = read(&[section(), block(0x201, &machine), lists.concat()].concat());
        assert_eq!(out.error, None);
        assert_eq!((state.machine.hostname.as_str(), state.machine.cpus), ("host", 4));
        assert_eq!((state.machine.memory, state.machine.boot_ts), (1 << 30, 5));
        let of_address = |ip: &str| Interface {
            name: "lo".into(),
            netmask: unspecified(ip.parse().unwrap()),
            ..Interface::of_address(ip.parse().unwrap())
        };
        assert_eq!(state.interfaces, ["192.168.0.1", "::1"].map(of_address));
        let mut list = Vec::new();
        interface_list::append(&mut list, &state.interfaces);
        let (_, again) = read(&[section(), list].concat());
        assert_eq!(again.interfaces, state.interfaces);
        assert_eq!(state.users.user_name(33).unwrap(), "web");
        assert_eq!(state.users.users[&33].shell, "/sh");
        assert_eq!(state.users.group_name(34).unwrap(), "webs");
    }
}

#[test]
fn events_of_every_block_version() {
    let new = event(9, OPEN_X, &[b"12345678", b"/a\0", b"", b"1234"]);
    let mut old = new.clone();
    old.drain(22..26);
    let len = old.len() as u32;
    old[16..20].copy_from_slice(&len.to_le_bytes());
    let cpu = 3u16.to_le_bytes().to_vec();
    let flags = 0u32.to_le_bytes().to_vec();
    let expected = vec![(9, OPEN_X, vec![b"12345678".to_vec(), b"/a\0".to_vec(), vec![], b"1234".to_vec()])];
    for (code, body) in [
        (0x204, [cpu.clone(), old.clone()]),
        (0x8010_ABCD, [cpu.clone(), old.clone()]),
        (0x208, [[cpu.clone(), flags.clone()].concat(), old]),
        (0x216, [cpu.clone(), new.clone()]),
        (0x217, [[cpu.clone(), flags.clone()].concat(), new.clone()]),
        (0x221, [cpu.clone(), new.clone()]),
        (0x222, [[cpu.clone(), flags].concat(), new.clone()]),
    ] {
        let (out, _) = read(&[section(), block(code, &body.concat())].concat());
        assert_eq!((out.error, out.events), (None, expected.clone()), "{code:x}");
    }
    // More behind the event than padding: options of a capture editor.
    let (out, _) = read(&[section(), block(0x216, &[cpu, new, vec![1; 40]].concat())].concat());
    assert_eq!((out.error, out.events), (None, expected));
}

#[test]
fn more_parameters_than_the_schema_has_are_left_out_and_fewer_are_fine() {
    let many = event(1, CLOSE_X, &[&b"12345678"[..]; 40]);
    let none = event(2, CLOSE_X, &[]);
    let (out, _) = read(&[section(), event_block(&many), event_block(&none)].concat());
    assert_eq!(out.error, None);
    let of_schema = EventType(CLOSE_X).info().unwrap().params.len();
    assert_eq!(out.events.iter().map(|e| e.2.len()).collect::<Vec<_>>(), [of_schema, 0]);
}

#[test]
fn what_is_not_understood_is_left_out() {
    let file = [
        section_of(1, 99),
        block(0x0BAD, b"private"),
        event_block(&close(1)),
        block(0x8000_1234, b"private"),
        event_block(&event(2, 0xFFFF, &[b"private"])),
        event_block(&close(3)),
    ]
    .concat();
    let (out, _) = read(&file);
    assert_eq!(out.error, None);
    assert_eq!(out.events.iter().map(|e| e.0).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn joined_files_are_sections() {
    let one = [section(), block(0x215, &sized(&process(9, 5))), event_block(&close(1))].concat();
    let two = [section(), block(0x215, &sized(&process(9, 6))), event_block(&close(2))].concat();
    let (out, state) = read(&[one, two].concat());
    assert_eq!((out.error, out.sections, out.events.len()), (None, 2, 2));
    assert!(state.by_tid(5).is_none() && state.by_tid(6).is_some());
}

#[test]
fn notes_at_the_start_of_a_later_section_are_no_part_of_the_stream() {
    let note = event_block(&event(0, EventType::CONTAINER_JSON_E.0, &[b"{}\0"]));
    let part = [section(), note, event_block(&close(1))].concat();
    let input = Input::of("test".to_owned(), Box::new(Cursor::new([part.clone(), part].concat()))).unwrap();
    let mut source = CaptureSource::of(input);
    source.load_state(&mut State::default()).unwrap();
    let mut early = Vec::new();
    loop {
        match source.next().unwrap() {
            Next::Event(event) => early.push(event.bits.contains(EventBits::EARLY)),
            Next::Section => source.load_state(&mut State::default()).unwrap(),
            _ => break,
        }
    }
    assert_eq!(early, [false, false, true, false]);
}

#[test]
fn notes_before_the_first_event_are_for_the_state_only() {
    let note = event(0, EventType::CONTAINER_JSON_E.0, &[b"{}\0"]);
    let file = [section(), event_block(&note), event_block(&close(1)), event_block(&note)].concat();
    let input = Input::of("test".to_owned(), Box::new(Cursor::new(file))).unwrap();
    let mut source = CaptureSource::of(input);
    source.load_state(&mut State::default()).unwrap();
    let mut hidden = Vec::new();
    while let Next::Event(event) = source.next().unwrap() {
        hidden.push(event.bits.contains(EventBits::STATE_ONLY));
    }
    assert_eq!(hidden, [true, false, false]);
    assert_eq!(source.counts().late, 1);
}

#[test]
fn files_that_are_no_captures_are_told_so() {
    let error = |bytes: &[u8]| read(bytes).0.error.unwrap_or_default();
    assert_eq!(error(b""), "test is empty: there is no capture in it");
    assert_eq!(
        error(b"\x89PNG\r\n\x1a\n1234"),
        "test is not a capture: it does not begin with a section header"
    );
    assert_eq!(error(b"abc"), "test is not a capture: it is too short");
    assert_eq!(error(&section_of(2, 0)), "test is not a capture: version 2.0 is newer than this program");
    let swapped: Vec<u8> =
        [0x0A0D_0D0Au32, 28, 0x1A2B_3C4D, 0x1_0002, 0, 0, 28].map(u32::to_be_bytes).concat();
    assert!(error(&swapped).contains("other byte order"), "{}", error(&swapped));
}
