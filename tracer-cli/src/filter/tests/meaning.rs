//! What filters are true for.

use super::scene::Scene;
use crate::filter::Filter;
use crate::schema::EventType;
use crate::state::fd::{FdInfo, FdKind};

#[track_caller]
fn yes(scene: &Scene, filters: &[&str]) {
    for filter in filters {
        assert!(scene.matches(filter), "{filter}");
    }
}

#[track_caller]
fn no(scene: &Scene, filters: &[&str]) {
    for filter in filters {
        assert!(!scene.matches(filter), "{filter}");
    }
}

#[test]
fn text() {
    let scene = Scene::cat_opens("/etc/passwd");
    yes(
        &scene,
        &[
            "proc.name=cat",
            "proc.name!=dog",
            "proc.name<dog and proc.name>bat and proc.name<=cat and proc.name>=cat",
            "fd.name contains pass",
            "fd.name icontains PASS",
            "fd.name startswith /etc",
            "fd.name endswith wd",
            "fd.name glob /*wd",
            "fd.name iglob /ETC/*",
            "fd.name regex /etc/.*",
            "fd.name in (/etc/shadow, /etc/passwd)",
            "fd.name intersects (/etc/shadow, /etc/passwd)",
            "fd.name pmatch (/usr, /etc)",
            "fd.name startswith anyof (/usr, /etc)",
            "fd.name contains allof (etc, pass)",
            "fd.name contains oneof (etc, usr)",
            "fd.name != allof (a, b)",
            "fd.name != oneof (/etc/passwd, b)",
            "fd.name exists",
        ],
    );
    no(
        &scene,
        &[
            "proc.name=ca",
            "proc.name=Cat",
            "proc.name!=cat",
            "fd.name regex etc",
            "fd.name regex /etc",
            "fd.name in ()",
            "fd.name pmatch (/et)",
            "fd.name pmatch ()",
            "fd.name contains oneof (etc, pass)",
            "fd.name contains allof (etc, usr)",
            "fd.name startswith anyof ()",
        ],
    );
}

#[test]
fn bytes_that_are_no_utf8() {
    let mut scene = Scene::cat_opens("x");
    let mut file = FdInfo::new(FdKind::File);
    file.name = b"/tmp/\xff\xfe.so".to_vec().into();
    scene.add_fd(3, file);
    yes(
        &scene,
        &[r#"fd.name contains "\xff\xfe""#, "fd.name regex '/tmp/...so'", "fd.name glob '/tmp/??.so'"],
    );
    no(&scene, &[r#"fd.name contains "\xfd""#]);
}

#[test]
fn without_value_every_comparison_is_false() {
    let nothing = Scene::bare(EventType::SYSCALL_OPENAT_2_X);
    for check in [
        "proc.name=cat",
        "proc.name!=cat",
        "proc.name exists",
        "proc.name in (cat)",
        "proc.name contains ''",
        "proc.name = anyof (cat)",
        "proc.name != allof ()",
        "proc.name = val(proc.pname)",
        "proc.name != val(proc.pname)",
        "proc.aname!=cat",
        "fd.num<0",
        "fd.num!=0",
        "fd.ip!=1.2.3.4",
        "fd.types in (file)",
        "tolower(proc.name) != x",
        "concat(proc.name, 'x') != y",
    ] {
        assert!(!nothing.matches(check), "{check}");
        assert!(nothing.matches(&format!("not {check}")), "not {check}");
        assert!(!nothing.matches(&format!("not not {check}")), "{check}");
    }
    yes(&nothing, &["len(proc.name) = 0", "evt.type=openat"]);
    let mut orphan = Scene::cat_opens("x");
    orphan.state.remove(5);
    no(&orphan, &["proc.name = val(proc.pname)", "proc.name != val(proc.pname)", "proc.pname exists"]);
}

#[test]
fn numbers() {
    let scene = Scene::cat_opens("/etc/passwd");
    yes(
        &scene,
        &[
            "fd.num=3",
            "fd.num!=4",
            "fd.num<4",
            "fd.num<=3",
            "fd.num>-1",
            "fd.num>=0x3",
            "fd.num in (1,2,3)",
            "evt.num=7",
            "evt.cpu=2",
            "evt.rawarg.fd=3",
            "evt.rawarg.dirfd=-100",
            "proc.fdusage>=0 and proc.fdusage<100.5",
            "evt.is_io=false",
            "evt.is_io!=true",
            "evt.is_io in (false)",
            "evt.around[1000000000]=0",
            "evt.around[999000000]=1",
            "evt.around[1002000000]=2",
            "proc.pid != val(proc.ppid) and proc.pid > val(proc.ppid)",
        ],
    );
    no(
        &scene,
        &["fd.num in (1,2)", "evt.rawarg.fd=4", "evt.is_io=true", "evt.around[998000000]=1", "user.uid=-1"],
    );
    let mut init = Scene::cat_opens("x");
    init.binding.thread = init.state.find(1);
    yes(&init, &["user.uid=-1", "user.uid=4294967295"]);
}

#[test]
fn either_end_and_any_ancestor() {
    let scene = Scene::cat_sends(b"hello");
    yes(
        &scene,
        &[
            "fd.ip=10.0.0.1",
            "fd.ip=1.2.3.4",
            "fd.ip=::ffff:1.2.3.4",
            "fd.ip!=9.9.9.9",
            "fd.ip in (9.9.9.9, 1.2.3.4)",
            "fd.net=10.0.0.0/8",
            "fd.net!=192.168.0.0/16",
            "fd.port=https",
            "fd.port>=40000",
            "fd.port!=80",
            "fd.sport=443 and fd.sip=1.2.3.4 and fd.cip=10.0.0.1",
            "proc.aname=init",
            "proc.aname!=zsh",
            "proc.aname in (zsh, bash)",
            "proc.aname contains ini",
        ],
    );
    no(
        &scene,
        &[
            "fd.ip!=10.0.0.1",
            "fd.ip!=1.2.3.4",
            "fd.net!=10.0.0.0/8",
            "fd.port!=443",
            "fd.port=80",
            "proc.aname!=init",
            "proc.aname=zsh",
        ],
    );
}

#[test]
fn lists_are_compared_whole() {
    let mut scene = Scene::cat_sends(b"hello");
    yes(
        &scene,
        &[
            "fd.types in (file, ipv4, pipe)",
            "fd.types intersects (ipv4, pipe)",
            "len(fd.types) >= 2",
            "fd.types exists",
        ],
    );
    no(&scene, &["fd.types in (file)", "fd.types intersects (pipe)", "fd.types in ()"]);
    scene.add_fd(5, FdInfo::new(FdKind::Fifo));
    no(&scene, &["fd.types in (file, ipv4)"]);
}

#[test]
fn buffers() {
    let scene = Scene::cat_sends(b"\x7fELF\x02data");
    yes(
        &scene,
        &[
            "evt.buffer contains data",
            "evt.buffer bcontains 454c46",
            "evt.buffer bstartswith 7f45",
            r#"evt.buffer startswith "\x7fELF""#,
            "evt.buffer endswith data",
            "evt.buffer != x",
        ],
    );
    no(&scene, &["evt.buffer bcontains 454c47", "evt.buffer bstartswith 454c46", "evt.buffer = data"]);
}

#[test]
fn kinds_of_events() {
    let open = Scene::cat_opens("x");
    yes(
        &open,
        &[
            "evt.type=openat",
            "evt.type!=open",
            "evt.type in (open, openat)",
            "evt.type startswith open",
            "evt.type = anyof (open, openat)",
            "evt.dir=<",
            "evt.dir!=>",
            "evt.type=openat and evt.dir=<",
            "evt.type=close or evt.type=openat",
            "not evt.type=close",
        ],
    );
    no(
        &open,
        &["evt.type=open", "evt.dir=>", "not evt.type=openat", "evt.type=openat and evt.dir=>", "evt.dir=x"],
    );
    let generic = Scene::generic("fstatfs");
    yes(&generic, &["evt.type=fstatfs", "evt.type!=openat", "evt.type glob fstat*", "evt.dir=<"]);
    no(&generic, &["evt.type=syscall", "evt.type=sysinfo", "evt.type!=fstatfs", "evt.dir=>"]);
    yes(&Scene::generic("nosuch"), &["evt.type=syscall", "evt.type!=fstatfs"]);
    for (code, dir) in [(601, "<"), (600, ">")] {
        let newer = Scene::bare(EventType(code));
        yes(
            &newer,
            &[
                "evt.type!=open",
                "not evt.type=open",
                &format!("evt.dir={dir}"),
                &format!("not evt.dir!={dir}"),
            ],
        );
        no(&newer, &[&format!("evt.dir!={dir}")]);
    }
}

#[test]
fn events_with_their_own_name() {
    let mut scene = Scene::bare(EventType::ASYNCEVENT_E);
    scene.params = vec![vec![0; 4], b"container\0".to_vec(), b"{}".to_vec()];
    yes(
        &scene,
        &[
            "evt.type=container",
            "evt.type!=open",
            "not evt.type=open",
            "evt.type=container and evt.dir=>",
            "evt.type in (open, container)",
        ],
    );
    no(&scene, &["evt.type=open", "evt.type!=container", "not evt.type=container", "evt.type=asyncevent"]);
}

#[test]
fn functions() {
    let scene = Scene::cat_opens("/etc/PassWd");
    yes(
        &scene,
        &[
            "tolower(fd.name) = /etc/passwd",
            "toupper(fd.name) = /ETC/PASSWD",
            "tolower(toupper(proc.name)) = cat",
            "basename(fd.name) = PassWd",
            "tolower(basename(fd.name)) = passwd",
            "basename(proc.exe) = val(proc.name)",
            "proc.name = basename(proc.exe)",
            "len(proc.name) = 3",
            "len(basename(fd.name)) > 5",
            "concat(proc.name, '-', proc.pname) = cat-bash",
            "join('/', ('', 'x', proc.name)) = /x/cat",
            "b64('Y2F0') = val(proc.name)",
            "proc.name = b64('Y2F0')",
            "proc.name contains tolower('A')",
            "getopt('-x 1 -y', 'x:y')[x] = 1",
            "getopt('-x 1 -y', 'x:y') intersects (y)",
            "proc.name in ( cat ) and tolower(fd.types) in (file)",
            "proc.name != val(proc.pname)",
        ],
    );
    no(&scene, &["proc.name = val(proc.pname)", "b64(proc.name) = x", "tolower(fd.name) = /etc/PassWd"]);
}

#[test]
fn which_events_can_match() {
    let set = |text: &str| Filter::compile(text).unwrap().event_types().clone();
    let needs_enter = |text: &str| Filter::compile(text).unwrap().needs_enter();
    let open = set("evt.type=open and proc.name=cat");
    assert!(open.contains_type(EventType::SYSCALL_OPEN_X) && open.contains_type(EventType::SYSCALL_OPEN_E));
    assert!(
        !open.contains_type(EventType::SYSCALL_OPENAT_2_X) && !open.contains_type(EventType::SCHEDSWITCH_6_E)
    );
    assert!(set("evt.type=open or proc.name=cat").is_all());
    assert!(set("not (evt.type!=open or proc.name=cat)").contains_type(EventType::SYSCALL_OPEN_X));
    assert!(!set("not (evt.type!=open or proc.name=cat)").contains_type(EventType::SYSCALL_CLOSE_X));
    assert!(set("not (evt.type=open and proc.name=cat)").is_all());
    assert!(!set("evt.rawarg.res<0").contains_type(EventType::SYSCALL_OPEN_E));
    assert!(set("not evt.rawarg.res<0").contains_type(EventType::SYSCALL_OPEN_E));
    assert!(!set("evt.is_io=true").contains_type(EventType::SYSCALL_OPEN_X));
    assert!(set("evt.is_io=false").contains_type(EventType::SYSCALL_OPEN_X));
    let fstatfs = crate::schema::names::syscall_by_name("fstatfs").unwrap();
    assert!(set("evt.type=fstatfs").contains_call(true, fstatfs));
    assert!(!set("evt.type=sysinfo").contains_call(true, fstatfs));
    assert!(needs_enter("proc.name=cat") && needs_enter("evt.type=open") && needs_enter("evt.dir=>"));
    assert!(needs_enter("evt.dir=< or evt.type=open") && needs_enter("not evt.dir=<"));
    assert!(
        !needs_enter("evt.dir=< and proc.name=cat")
            && !needs_enter("evt.dir!=>")
            && !needs_enter("not evt.dir=>")
    );
    assert!(
        !needs_enter("evt.type=switch")
            && !needs_enter("evt.rawres<0")
            && !needs_enter("evt.type=open and evt.dir=<")
    );
}

#[test]
fn hints_and_fields() {
    let hints = |text: &str| Filter::compile(text).unwrap().hints();
    assert_eq!(
        hints("evt.type=open and proc.name=cat"),
        ["programs of today mostly call openat instead of open: evt.type in (open, openat) matches both"]
    );
    for quiet in [
        "evt.type in (open, openat)",
        "evt.type!=open",
        "not evt.type=open",
        "proc.name=open",
        "evt.type=read",
    ] {
        assert_eq!(hints(quiet), [""; 0], "{quiet}");
    }
    assert_eq!(hints("evt.type=read and evt.type=close"), ["no event can match this filter"]);
    let filter =
        Filter::compile("evt.type=read and tolower(proc.name)=val(proc.pname) or proc.aname[1]=x").unwrap();
    for (name, used) in [
        ("evt.type", true),
        ("proc.name", true),
        ("proc.pname", true),
        ("proc.aname", true),
        ("fd.name", false),
    ] {
        assert_eq!(filter.uses_field(name), used, "{name}");
    }
    assert!(filter.fields().iter().any(|f| f.name == "proc.pname"));
    assert_eq!(filter.clone().source(), filter.source());
}
