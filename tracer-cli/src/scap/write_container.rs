//! What is known of a container, as the JSON of the events that tell it.
//!
//! Files begin with one such event for each container, and one for each of its users and groups; the
//! state of threads leads to the containers by their control groups.

use super::write_event;
use crate::event::{Event, EventBits};
use crate::schema::EventType;
use crate::state::cgroup_id::ContainerType;
use crate::state::container_note;
use crate::state::containers::{Container, Lookup, Mount, PortMapping, Probe};
use bstr::{BStr, BString, ByteSlice};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Which notes are written, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    /// What engines told.
    Told,
    /// Whatever is known.
    All,
    /// What engines told, between events: readers use it and do not show it.
    Between,
}

/// Appends what is known of a container, as events of time `ts`.
pub(super) fn append(out: &mut Vec<u8>, container: &Container, ts: u64, which: Notes) {
    let mut note = |ty, params: &[&[u8]]| {
        let bits = EventBits::empty();
        let event =
            Event { num: 0, ts, tid: -1, pid: 0, cpu: 0, ty, bits, unreadable: 0, params: params.into() };
        write_event::append(out, &event, which == Notes::Between);
    };
    if which == Notes::All || container.lookup == Lookup::Done {
        note(EventType::CONTAINER_JSON_2_E, &[&to_json(container)]);
    }
    let terminated = |text: &BString| [text.as_slice(), b"\0"].concat();
    let id = terminated(&container.id);
    for (uid, user) in &container.users.users {
        let (name, home, shell) = (terminated(&user.name), terminated(&user.home), terminated(&user.shell));
        let (uid, gid) = (uid.to_le_bytes(), user.gid.to_le_bytes());
        note(EventType::USER_ADDED_E, &[&uid, &gid, &name, &home, &shell, &id]);
    }
    for (gid, name) in &container.users.groups {
        note(EventType::GROUP_ADDED_E, &[&gid.to_le_bytes(), &terminated(name), &id]);
    }
}

/// The text of the event, with its final NUL. Bytes that are no UTF-8 are replaced.
fn to_json(container: &Container) -> Vec<u8> {
    let c = container;
    let mut note = json!({
        "id": text(&c.id),
        "full_id": text(&c.full_id),
        "type": c.kind.code(),
        "name": text(&c.name),
        "image": text(&c.image),
        "imageid": text(&c.image_id),
        "imagerepo": text(&c.image_repository),
        "imagetag": text(&c.image_tag),
        "imagedigest": text(&c.image_digest),
        "privileged": c.privileged,
        "is_pod_sandbox": c.is_pod_sandbox,
        "lookup_state": match c.lookup {
            Lookup::Pending => 0,
            Lookup::Done => 1,
            Lookup::Failed => 2,
        },
        "created_time": c.created,
        "User": text(&c.user),
        "ip": text(&c.ip),
        "cni_json": text(&c.cni_json),
        "pod_sandbox_id": text(&c.pod_sandbox_id),
        "Mounts": c.mounts.iter().map(mount).collect::<Vec<_>>(),
        "port_mappings": c.ports.iter().map(port).collect::<Vec<_>>(),
        "labels": map(&c.labels),
        "pod_sandbox_labels": map(&c.pod_labels),
        "env": c.env.iter().map(text).collect::<Vec<_>>(),
        "memory_limit": c.memory_limit,
        "swap_limit": c.swap_limit,
        "cpu_shares": c.cpu_shares,
        "cpu_quota": c.cpu_quota,
        "cpu_period": c.cpu_period,
        "cpuset_cpu_count": c.cpuset_cpus,
    });
    let probes =
        [("Healthcheck", &c.healthcheck), ("LivenessProbe", &c.liveness), ("ReadinessProbe", &c.readiness)];
    // Captures have no number for the newer types; other readers leave out what they do not know.
    if ContainerType::from_code(c.kind.code().into()) != c.kind
        && let Some(note) = note.as_object_mut()
    {
        note.insert(container_note::TYPE_NAME.to_owned(), c.kind.name().into());
    }
    for (name, found) in probes {
        if let (Some(found), Some(note)) = (found, note.as_object_mut()) {
            note.insert(name.to_owned(), probe(found));
        }
    }
    let mut bytes = json!({ "container": note }).to_string().into_bytes();
    bytes.push(0);
    bytes
}

fn text(text: &BString) -> Value {
    Value::String(BStr::new(text).to_str_lossy().into_owned())
}

fn map(entries: &BTreeMap<BString, BString>) -> Value {
    let entries = entries.iter().map(|(key, value)| (key.to_str_lossy().into_owned(), text(value)));
    Value::Object(entries.collect::<Map<_, _>>())
}

fn mount(mount: &Mount) -> Value {
    json!({
        "Source": text(&mount.source),
        "Destination": text(&mount.dest),
        "Mode": text(&mount.mode),
        "RW": mount.writable,
        "Propagation": text(&mount.propagation),
    })
}

fn port(port: &PortMapping) -> Value {
    json!({
        "HostIp": port.host_ip,
        "HostPort": port.host_port,
        "ContainerPort": port.container_port,
    })
}

fn probe(probe: &Probe) -> Value {
    json!({ "exe": text(&probe.exe), "args": probe.args.iter().map(text).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::container_note::from_json;

    #[test]
    fn all_that_is_known_is_found_again() {
        let container = Container {
            lookup: Lookup::Done,
            name: "shop".into(),
            image: "shop:1".into(),
            image_id: "i".into(),
            image_repository: "r".into(),
            image_tag: "1".into(),
            image_digest: "d".into(),
            privileged: true,
            is_pod_sandbox: true,
            created: 5,
            user: "u".into(),
            ip: "10.0.0.1".into(),
            cni_json: "{}".into(),
            pod_sandbox_id: "p".into(),
            mounts: vec![Mount { source: "/a".into(), writable: true, ..Mount::default() }],
            ports: vec![PortMapping { host_ip: 1, host_port: 2, container_port: 3 }],
            labels: [("k".into(), "v \"\n".into())].into(),
            pod_labels: [("k".into(), "w".into())].into(),
            env: vec!["A=1".into()],
            healthcheck: Some(Probe { exe: "/c".into(), args: vec!["-x".into()] }),
            memory_limit: 1,
            swap_limit: 2,
            cpu_shares: 3,
            cpu_quota: 4,
            cpu_period: 5,
            cpuset_cpus: 6,
            ..Container::new(ContainerType::Podman, b"0123456789abcdef")
        };
        for kind in [ContainerType::Podman, ContainerType::Nspawn, ContainerType::Machine] {
            let container = Container { kind, ..container.clone() };
            let found = from_json(&to_json(&container)).unwrap();
            assert_eq!(format!("{found:?}"), format!("{container:?}"));
        }
    }
}
