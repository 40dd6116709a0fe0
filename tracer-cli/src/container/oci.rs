//! The `config.json` of an OCI bundle: what a runtime was told to start.
//!
//! Engines write into its annotations what they know: names of containers, images and pods.

use super::{docker, image, json};
use crate::state::cgroup_id::ContainerType;
use crate::state::containers::{Container, Lookup, Mount};
use serde_json::Value;

/// Directories in which engines keep what they mount into every container by themselves.
const OWN_MOUNTS: &[&str] = &["/io.containerd.grpc.v1.cri/", "/io.containerd.cri.v1", "-containers/"];

/// The container of a bundle.
///
/// `name` is empty unless an engine that tracer knows has written it into the bundle.
pub(super) fn describe(kind: ContainerType, full_id: &[u8], config: &Value) -> Container {
    let mut container = Container::new(kind, full_id);
    container.lookup = Lookup::Done;
    container.env = json::texts(config, &["process", "env"]);
    let resources = &["linux", "resources"];
    let limit = |path: [&str; 2]| json::number(config, &[resources[0], resources[1], path[0], path[1]]);
    container.memory_limit = limit(["memory", "limit"]);
    container.swap_limit = limit(["memory", "swap"]);
    container.cpu_shares = limit(["cpu", "shares"]);
    container.cpu_quota = limit(["cpu", "quota"]);
    container.cpu_period = limit(["cpu", "period"]);
    container.cpuset_cpus = docker::count_cpus(json::text(config, &["linux", "resources", "cpu", "cpus"]));
    container.mounts = json::items(config, &["mounts"]).filter_map(mount).collect();
    let uid = json::number(config, &["process", "user", "uid"]);
    container.user = uid.to_string().into();
    annotations(&mut container, config);
    container
}

/// The directory that is the container's root.
pub(super) fn root(config: &Value) -> &str {
    json::text(config, &["root", "path"])
}

fn mount(from: &Value) -> Option<Mount> {
    let source = json::text(from, &["source"]);
    let options = || json::items(from, &["options"]).filter_map(Value::as_str);
    if !options().any(|option| option == "rbind" || option == "bind")
        || OWN_MOUNTS.iter().any(|own| source.contains(own))
    {
        return None;
    }
    let propagation = options().find(|o| matches!(o.trim_start_matches('r'), "private" | "shared" | "slave"));
    let writable = !options().any(|option| option == "ro");
    Some(Mount {
        source: source.into(),
        dest: json::text(from, &["destination"]).into(),
        mode: if writable { "rw" } else { "ro" }.into(),
        writable,
        propagation: propagation.unwrap_or_default().into(),
    })
}

/// What the annotations of containerd's CRI plugin, CRI-O, podman and nerdctl say.
fn annotations(container: &mut Container, config: &Value) {
    let of = |key: &str| json::text(config, &["annotations", key]);
    let first = |keys: &[&str]| {
        keys.iter().map(|key| of(key)).find(|text| !text.is_empty()).unwrap_or_default().to_owned()
    };
    let kind = first(&["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"]);
    container.is_pod_sandbox = kind == "sandbox";
    container.pod_sandbox_id =
        first(&["io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"]).into();
    let pod = first(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"]);
    let namespace = first(&["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"]);
    let uid = first(&["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]);
    let name = first(&["io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"]);
    container.name = if container.is_pod_sandbox { pod.as_str() } else { name.as_str() }.into();
    image::set(
        container,
        &first(&[
            "io.kubernetes.cri.image-name",
            "io.kubernetes.cri-o.ImageName",
            "io.kubernetes.cri-o.Image",
        ]),
    );
    container.privileged = of("io.podman.annotations.privileged") == "TRUE";
    container.ip = first(&["io.kubernetes.cri-o.IP.0"]).into();
    container.created = json::time(config, &["annotations", "io.kubernetes.cri-o.Created"]);
    if let Ok(labels) = serde_json::from_str::<Value>(of("io.kubernetes.cri-o.Labels")) {
        container.labels = json::labels(&labels, &[]);
    }
    let pod = [
        ("io.kubernetes.pod.name", pod.as_str()),
        ("io.kubernetes.pod.namespace", namespace.as_str()),
        ("io.kubernetes.pod.uid", uid.as_str()),
        ("io.kubernetes.container.name", name.as_str()),
    ];
    // podman marks its containers with a few annotations of CRI-O, which make no pod of them.
    for (key, value) in pod.into_iter().filter(|(_, value)| !value.is_empty()) {
        container.labels.entry(key.into()).or_insert_with(|| value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_of_containerd_and_of_cri_o() {
        let containerd = json!({"annotations": {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.container-name": "front",
            "io.kubernetes.cri.image-name": "docker.io/library/bbh:1",
            "io.kubernetes.cri.sandbox-id": "abc",
            "io.kubernetes.cri.sandbox-name": "shop",
            "io.kubernetes.cri.sandbox-namespace": "prod",
            "io.kubernetes.cri.sandbox-uid": "u"}});
        let crio = json!({"annotations": {
            "io.kubernetes.cri-o.ContainerType": "container",
            "io.kubernetes.container.name": "front",
            "io.kubernetes.cri-o.ImageName": "docker.io/library/bbh:1",
            "io.kubernetes.cri-o.SandboxID": "abc",
            "io.kubernetes.pod.name": "shop",
            "io.kubernetes.pod.namespace": "prod",
            "io.kubernetes.pod.uid": "u",
            "io.kubernetes.cri-o.Labels": "{\"app\":\"x\"}"}});
        for config in [containerd, crio] {
            let c = describe(ContainerType::Cri, b"id", &config);
            assert_eq!((c.name.as_slice(), c.image_tag.as_slice()), (&b"front"[..], &b"1"[..]));
            assert_eq!((c.pod_sandbox_id.as_slice(), c.is_pod_sandbox), (&b"abc"[..], false));
            let label = |key: &str| c.labels.get(key.as_bytes()).map(|value| value.to_string());
            assert_eq!(label("io.kubernetes.pod.name").as_deref(), Some("shop"));
            assert_eq!(label("io.kubernetes.pod.namespace").as_deref(), Some("prod"));
            assert_eq!(label("io.kubernetes.container.name").as_deref(), Some("front"));
        }
    }

    #[test]
    fn volumes_and_limits() {
        let config = json!({"mounts": [
              {"destination": "/data", "type": "bind", "source": "/tmp", "options": ["ro", "rprivate", "rbind"]},
              {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
              {"destination": "/etc/hosts", "source": "/run/containers/storage/overlay-containers/x/hosts",
               "options": ["bind"]}],
            "process": {"env": ["A=1"], "user": {"uid": 5}},
            "root": {"path": "/r"},
            "linux": {"resources": {"memory": {"limit": 7}, "cpu": {"shares": 2, "cpus": "0-1"}}}});
        let c = describe(ContainerType::Podman, b"id", &config);
        assert_eq!((c.mounts.len(), c.memory_limit, c.cpu_shares, c.cpuset_cpus), (1, 7, 2, 2));
        let mount = &c.mounts[0];
        assert_eq!((mount.mode.as_slice(), mount.propagation.as_slice()), (&b"ro"[..], &b"rprivate"[..]));
        assert_eq!((c.user.as_slice(), root(&config)), (&b"5"[..], "/r"));
        assert_eq!(describe(ContainerType::Podman, b"id", &json!([1])).name, "");
    }
}
