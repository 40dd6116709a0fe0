//! What container events say: JSON that sysdig's engines made, and the four parameters of 2014.

use super::cgroup_id::ContainerType;
use super::containers::{Container, Lookup, Mount, PortMapping, Probe};
use super::users::Users;
use crate::event::Event;
use bstr::BString;
use serde_json::Value;
use std::collections::BTreeMap;

/// A container event of the first captures: id, type, name, image.
pub(super) fn from_params(event: &Event<'_>) -> Option<Container> {
    let id = event.text(0).filter(|id| !id.is_empty())?;
    Some(Container {
        lookup: Lookup::Done,
        name: event.text(2).unwrap_or_default().into(),
        image: event.text(3).unwrap_or_default().into(),
        ..Container::new(event.u64(1).map_or(ContainerType::Unknown, ContainerType::from_code), id)
    })
}

/// An event of the plugin that came after the built-in engines: plugin, name, JSON.
pub(super) fn from_plugin(event: &Event<'_>) -> Option<Container> {
    if event.text(1)? == b"container" { from_json(event.text(2)?) } else { None }
}

/// The key of tracer's own name for a type that has no number.
pub const TYPE_NAME: &str = "type_name";

/// A container from the JSON text of an event; `None` when it is none.
pub fn from_json(text: &[u8]) -> Option<Container> {
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    let whole: Value = serde_json::from_slice(text)
        .or_else(|_| serde_json::from_str(&String::from_utf8_lossy(text)))
        .ok()?;
    let note = whole.get("container").filter(|note| note.is_object()).unwrap_or(&whole);
    let id = string(note, "id");
    let full_id = string(note, "full_id");
    if id.is_empty() && full_id.is_empty() {
        return None;
    }
    let name = note.get(TYPE_NAME).and_then(Value::as_str);
    let code = || note.get("type").and_then(Value::as_u64).map(ContainerType::from_code);
    let kind = name.and_then(ContainerType::from_name).or_else(code).unwrap_or_default();
    Some(Container {
        full_id: if full_id.is_empty() { id.clone() } else { full_id },
        id,
        kind,
        lookup: match note.get("lookup_state").and_then(Value::as_u64) {
            Some(0) => Lookup::Pending,
            Some(2) => Lookup::Failed,
            _ => Lookup::Done,
        },
        name: string(note, "name"),
        image: string(note, "image"),
        image_id: string(note, "imageid"),
        image_repository: string(note, "imagerepo"),
        image_tag: string(note, "imagetag"),
        image_digest: string(note, "imagedigest"),
        privileged: truth(note, "privileged"),
        is_pod_sandbox: truth(note, "is_pod_sandbox"),
        created: number(note, "created_time"),
        user: string(note, "User"),
        ip: string(note, "ip"),
        cni_json: string(note, "cni_json"),
        pod_sandbox_id: string(note, "pod_sandbox_id"),
        mounts: items(note, "Mounts").map(mount).collect(),
        ports: items(note, "port_mappings").map(port).collect(),
        labels: map(note, "labels"),
        pod_labels: map(note, "pod_sandbox_labels"),
        env: items(note, "env").filter_map(Value::as_str).map(BString::from).collect(),
        healthcheck: probe(note, "Healthcheck"),
        liveness: probe(note, "LivenessProbe"),
        readiness: probe(note, "ReadinessProbe"),
        memory_limit: number(note, "memory_limit"),
        swap_limit: number(note, "swap_limit"),
        cpu_shares: number(note, "cpu_shares"),
        cpu_quota: number(note, "cpu_quota"),
        cpu_period: number(note, "cpu_period"),
        cpuset_cpus: number(note, "cpuset_cpu_count"),
        users: Users::default(),
        asked: 0,
    })
}

fn string(from: &Value, key: &str) -> BString {
    from.get(key).and_then(Value::as_str).unwrap_or_default().into()
}

fn truth(from: &Value, key: &str) -> bool {
    from.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn number(from: &Value, key: &str) -> i64 {
    from.get(key).and_then(Value::as_i64).unwrap_or(0)
}

fn items<'a>(from: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    from.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn map(from: &Value, key: &str) -> BTreeMap<BString, BString> {
    let entries = from.get(key).and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into()))).collect()
}

fn mount(from: &Value) -> Mount {
    Mount {
        source: string(from, "Source"),
        dest: string(from, "Destination"),
        mode: string(from, "Mode"),
        writable: truth(from, "RW"),
        propagation: string(from, "Propagation"),
    }
}

fn port(from: &Value) -> PortMapping {
    let small = |key| u16::try_from(number(from, key)).unwrap_or(0);
    PortMapping {
        host_ip: u32::try_from(number(from, "HostIp")).unwrap_or(0),
        host_port: small("HostPort"),
        container_port: small("ContainerPort"),
    }
}

fn probe(from: &Value, key: &str) -> Option<Probe> {
    // Early notes have the engine's own description of the check here: no command.
    let probe = from.get(key).filter(|probe| probe.get("exe").is_some_and(Value::is_string))?;
    let args = items(probe, "args").filter_map(Value::as_str).map(BString::from).collect();
    Some(Probe { exe: string(probe, "exe"), args })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_said_is_kept() {
        let text = br#"{"container":{"id":"c010f5a08549","full_id":"c010f5a08549441f","type":0,
            "name":"alpine","image":"alpine:latest","imageid":"f7","imagerepo":"alpine","imagetag":"latest",
            "imagedigest":"sha256:9a","privileged":true,"is_pod_sandbox":false,"lookup_state":1,
            "created_time":1600000000,"ip":"172.17.0.2","cni_json":"{}","pod_sandbox_id":"s",
            "Mounts":[{"Source":"/a","Destination":"/b","Mode":"rw","RW":true,"Propagation":"rprivate"}],
            "port_mappings":[{"HostIp":0,"HostPort":8080,"ContainerPort":80}],
            "labels":{"a":"b","n":1},"pod_sandbox_labels":{"p":"q"},"env":["A=1"],"memory_limit":5,
            "Healthcheck":{"exe":"/bin/check","args":["-a","b"]}}}"#;
        let c = from_json(&[&text[..], b"\0"].concat()).unwrap();
        assert_eq!((c.id.as_slice(), c.full_id.as_slice()), (&b"c010f5a08549"[..], &b"c010f5a08549441f"[..]));
        assert_eq!(
            (c.kind, c.lookup, c.privileged, c.created),
            (ContainerType::Docker, Lookup::Done, true, 1_600_000_000)
        );
        assert_eq!((c.image_repository.as_slice(), c.image_tag.as_slice()), (&b"alpine"[..], &b"latest"[..]));
        assert_eq!((c.mounts.len(), c.mounts[0].dest.as_slice()), (1, &b"/b"[..]));
        assert_eq!(c.ports, [PortMapping { host_ip: 0, host_port: 8080, container_port: 80 }]);
        assert_eq!(c.labels.len(), 1);
        assert_eq!(c.healthcheck.unwrap().args, ["-a", "b"]);
        assert_eq!((c.memory_limit, c.cpu_quota), (5, 0));
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_unknown() {
        let c = from_json(
            br#"{"container":{"id":"x","type":"0","labels":null,"Mounts":{},"ip":5,"privileged":3}}"#,
        );
        let c = c.unwrap();
        assert_eq!((c.kind, c.privileged, c.ip.len()), (ContainerType::Unknown, false, 0));
        assert_eq!(from_json(br#"{"id":"x"}"#).unwrap().full_id, "x");
        assert_eq!(from_json(b"{\"id\":\"x\",\"name\":\"\xff\"}").unwrap().name, "\u{fffd}");
        for wrong in [&b""[..], b"{", b"{}", b"[1]", b"\"x\"", b"{\"container\":{\"id\":5}}"] {
            assert!(from_json(wrong).is_none(), "{:?}", String::from_utf8_lossy(wrong));
        }
    }
}
