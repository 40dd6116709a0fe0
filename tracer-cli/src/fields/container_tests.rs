//! Fields of a process in a container, of one on the host, and of one in a namespace only.

use super::*;
use crate::event::{Event, EventBits};
use crate::schema::EventType;
use crate::state::container_note::from_json;
use crate::state::fd::{FdInfo, FdKind};
use crate::state::thread::{Thread, ThreadFlags};
use crate::state::{Binding, Context, State};

const NOTE: &[u8] = br#"{"container":{"id":"697956520d89","type":0,"name":"shop","image":"nginx:1.9",
    "imageid":"f68d","imagerepo":"nginx","imagetag":"1.9","imagedigest":"sha256:96","privileged":true,
    "ip":"172.17.0.2","cni_json":"{\"a\":1}","pod_sandbox_id":"abcdef0123456789",
    "Mounts":[{"Source":"/src/a","Destination":"/dst/a","Mode":"rw","RW":true,"Propagation":"rprivate"},
              {"Source":"/src/b","Destination":"/dst/b","Mode":"","RW":false,"Propagation":""}],
    "labels":{"io.kubernetes.pod.name":"web-1","io.kubernetes.pod.namespace":"prod",
              "io.kubernetes.pod.uid":"0d54","io.kubernetes.sandbox.id":"697956520d89","app":"shop","z":"a b"},
    "Healthcheck":{"exe":"/bin/check","args":["-a","b c"]}}}"#;

const INSIDE: i64 = 10;
const HOST: i64 = 20;
const NAMESPACED: i64 = 30;
const NAMELESS: i64 = 40;

fn state() -> State {
    const ID: &str = "697956520d891b5cb0e215093970c733549a3f745f52263c05b37f8a488994f3";
    let mut state = State::default();
    let mut inside = Thread::new(INSIDE, INSIDE);
    inside.cgroups = format!("cpu=/docker/{ID}\0").into_bytes().into();
    inside.pidns_init_start_ts = 400;
    (inside.uid, inside.gid) = (7, 8);
    let mut file = FdInfo::new(FdKind::File);
    file.name = "/etc/motd".into();
    inside.fds.insert(3, file);
    let mut log = FdInfo::new(FdKind::Unix);
    log.name = "ff->ee /dev/log".into();
    inside.fds.insert(4, log);
    state.insert(inside);
    state.insert(Thread { uid: 7, ..Thread::new(HOST, HOST) });
    let mut namespaced = Thread::new(NAMESPACED, NAMESPACED);
    namespaced.flags |= ThreadFlags::IN_PID_NS;
    state.insert(namespaced);
    let mut nameless = Thread::new(NAMELESS, NAMELESS);
    nameless.cgroups = (&b"cpu=/lxc/box\0"[..]).into();
    state.insert(nameless);
    let mut container = from_json(NOTE).unwrap();
    container.users.users.entry(7).or_default().name = "nginx".into();
    container.users.groups.insert(8, "www".into());
    state.containers.learn(container);
    state.users.users.entry(7).or_default().name = "lp".into();
    state
}

fn value(tid: i64, fd: i64, field: &str) -> Option<String> {
    let state = state();
    let params = [&[5, 0, 0, 0, 0, 0, 0, 0][..], b"<85>sudo: x"];
    let event = Event {
        num: 1,
        ts: 1_000,
        tid,
        pid: tid,
        cpu: 0,
        ty: EventType::SYSCALL_WRITE_X,
        bits: EventBits::empty(),
        unreadable: 0,
        params: (&params).into(),
    };
    let binding = Binding { thread: state.find(tid), fd: Some(fd), ..Binding::default() };
    let options = ExtractOptions::default();
    let context = Context { event: &event, state: &state, binding: &binding };
    let from = Extraction::new(context, &options, Vec::new());
    let field = find(field).unwrap();
    let mut shown = None;
    field.extract(&from, &mut |value| {
        let mut out = Vec::new();
        write::write_value(&value, &field, &options, &mut out);
        shown = Some(String::from_utf8(out).unwrap());
    });
    shown
}

fn check(tid: i64, fd: i64, expected: &[(&str, &str)]) {
    for (field, expected) in expected {
        assert_eq!(value(tid, fd, field).as_deref(), Some(*expected), "{field}");
    }
}

fn check_unknown(tid: i64, fields: &[&str]) {
    for field in fields {
        assert_eq!(value(tid, 3, field), None, "{field}");
    }
}

#[test]
fn of_a_process_in_a_container() {
    check(
        INSIDE,
        3,
        &[
            ("container.id", "697956520d89"),
            ("container.full_id", "697956520d891b5cb0e215093970c733549a3f745f52263c05b37f8a488994f3"),
            ("container.name", "shop"),
            ("container.image", "nginx:1.9"),
            ("container.image.id", "f68d"),
            ("container.type", "docker"),
            ("container.privileged", "true"),
            ("container.mounts", "/src/a:/dst/a:rw:true:rprivate,/src/b:/dst/b::false:"),
            ("container.mount[0]", "/src/a:/dst/a:rw:true:rprivate"),
            ("container.mount[/src/*]", "/src/a:/dst/a:rw:true:rprivate"),
            ("container.mount.source[1]", "/src/b"),
            ("container.mount.source[/dst/b]", "/src/b"),
            ("container.mount.dest[/src/b]", "/dst/b"),
            ("container.mount.mode[0]", "rw"),
            ("container.mount.mode[1]", ""),
            ("container.mount.rdwr[1]", "false"),
            ("container.mount.propagation[0]", "rprivate"),
            ("container.image.repository", "nginx"),
            ("container.image.tag", "1.9"),
            ("container.image.digest", "sha256:96"),
            ("container.healthcheck", "/bin/check -a b c"),
            ("container.liveness_probe", "NONE"),
            ("container.readiness_probe", "NONE"),
            ("container.start_ts", "400"),
            ("container.duration", "600"),
            ("container.ip", "172.17.0.2"),
            ("container.cni.json", "{\"a\":1}"),
            ("fd.containername", "697956520d89:/etc/motd"),
            ("fd.containerdirectory", "697956520d89:/etc"),
            ("user.name", "nginx"),
            ("group.name", "www"),
            ("proc.is_container_healthcheck", "false"),
        ],
    );
    check_unknown(
        INSIDE,
        &["container.mount[2]", "container.mount[/dst/a]", "container.mount.source[/src/a]"],
    );
}

#[test]
fn of_a_process_in_a_pod() {
    check(
        INSIDE,
        3,
        &[
            ("k8s.pod.name", "web-1"),
            ("k8s.ns.name", "prod"),
            ("k8s.pod.id", "0d54"),
            ("k8s.pod.uid", "0d54"),
            ("k8s.pod.sandbox_id", "abcdef012345"),
            ("k8s.pod.full_sandbox_id", "abcdef0123456789"),
            ("k8s.pod.label.app", "shop"),
            ("k8s.pod.labels", "app:shop, z:a b"),
            ("k8s.pod.ip", "172.17.0.2"),
            ("k8s.pod.cni.json", "{\"a\":1}"),
        ],
    );
    check_unknown(INSIDE, &["k8s.pod.label.none", "k8s.svc.name", "k8s.rc.label.x", "mesos.task.name"]);
    check_unknown(INSIDE, &["marathon.app.name", "span.id", "span.tag.x", "evtin.span.p.args"]);
}

#[test]
fn of_a_process_in_none() {
    check(
        HOST,
        3,
        &[
            ("container.id", "host"),
            ("container.full_id", "host"),
            ("container.name", "host"),
            ("container.type", "host"),
            ("user.name", "lp"),
        ],
    );
    check(NAMESPACED, 3, &[("container.id", "")]);
    check_unknown(
        HOST,
        &["container.image", "container.privileged", "container.mounts", "container.start_ts"],
    );
    check_unknown(HOST, &["container.healthcheck", "k8s.pod.name", "k8s.pod.labels", "container.ip"]);
    check_unknown(NAMESPACED, &["container.name", "container.type", "container.image"]);
    check_unknown(99, &["container.id", "container.name", "container.type"]);
}

#[test]
fn of_a_container_that_nobody_told_about() {
    check(NAMELESS, 3, &[("container.id", "box"), ("container.type", "lxc")]);
    check_unknown(
        NAMELESS,
        &["container.name", "container.image", "container.mounts", "container.privileged"],
    );
}

#[test]
fn of_messages_to_the_system_log() {
    check(
        INSIDE,
        4,
        &[
            ("syslog.facility.str", "authpriv"),
            ("syslog.facility", "10"),
            ("syslog.severity.str", "notice"),
            ("syslog.severity", "5"),
            ("syslog.message", "sudo: x"),
            ("evt.is_syslog", "true"),
            ("evt.info", "syslog sev=notice msg=sudo: x"),
        ],
    );
    check_unknown(INSIDE, &["syslog.message", "syslog.facility", "syslog.severity.str"]);
}

#[test]
fn the_counter_counts() {
    let (state, binding, options) = (State::default(), Binding::default(), ExtractOptions::default());
    let event = Event {
        num: 1,
        ts: 0,
        tid: 1,
        pid: 1,
        cpu: 0,
        ty: EventType::SYSCALL_WRITE_X,
        bits: EventBits::empty(),
        unreadable: 0,
        params: crate::params::Params::NONE,
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        let context = Context { event: &event, state: &state, binding: &binding };
        let from = Extraction::new(context, &options, Vec::new());
        find("util.cnt").unwrap().extract(&from, &mut |value| seen.push(format!("{value:?}")));
    }
    assert_eq!(seen, ["Uint(1)", "Uint(2)", "Uint(3)"]);
}
