//! Kubernetes' interface to container runtimes (CRI), version 1: containerd, CRI-O, cri-dockerd.

use super::http::{self, NoAnswer};
use super::{image, json};
use crate::state::cgroup_id::ContainerType;
use crate::state::containers::{Container, Lookup, Mount};
use bstr::BString;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What is used of the messages of `runtime.v1`; the numbers are theirs.
mod proto {
    use std::collections::BTreeMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct StatusQuestion {
        #[prost(string, tag = "1")]
        pub id: String,
        #[prost(bool, tag = "2")]
        pub verbose: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ContainerAnswer {
        #[prost(message, optional, tag = "1")]
        pub status: Option<ContainerStatus>,
        #[prost(btree_map = "string, string", tag = "2")]
        pub info: BTreeMap<String, String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ContainerStatus {
        #[prost(string, tag = "1")]
        pub id: String,
        #[prost(message, optional, tag = "2")]
        pub metadata: Option<Name>,
        /// ns since the epoch.
        #[prost(int64, tag = "4")]
        pub created_at: i64,
        #[prost(message, optional, tag = "8")]
        pub image: Option<Image>,
        #[prost(string, tag = "9")]
        pub image_ref: String,
        #[prost(btree_map = "string, string", tag = "12")]
        pub labels: BTreeMap<String, String>,
        #[prost(message, repeated, tag = "14")]
        pub mounts: Vec<Mount>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Name {
        #[prost(string, tag = "1")]
        pub name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Image {
        #[prost(string, tag = "1")]
        pub image: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Mount {
        #[prost(string, tag = "1")]
        pub container_path: String,
        #[prost(string, tag = "2")]
        pub host_path: String,
        #[prost(bool, tag = "3")]
        pub readonly: bool,
        #[prost(int32, tag = "5")]
        pub propagation: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct PodAnswer {
        #[prost(message, optional, tag = "1")]
        pub status: Option<PodStatus>,
        #[prost(btree_map = "string, string", tag = "2")]
        pub info: BTreeMap<String, String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct PodStatus {
        #[prost(string, tag = "1")]
        pub id: String,
        #[prost(message, optional, tag = "2")]
        pub metadata: Option<PodName>,
        #[prost(int64, tag = "4")]
        pub created_at: i64,
        #[prost(message, optional, tag = "5")]
        pub network: Option<Network>,
        #[prost(btree_map = "string, string", tag = "7")]
        pub labels: BTreeMap<String, String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct PodName {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub uid: String,
        #[prost(string, tag = "3")]
        pub namespace: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Network {
        #[prost(string, tag = "1")]
        pub ip: String,
    }
}

const CONTAINER: &str = "/runtime.v1.RuntimeService/ContainerStatus";
const POD: &str = "/runtime.v1.RuntimeService/PodSandboxStatus";

/// The container with this id, or the one that holds a pod together.
pub(super) async fn find(socket: &Path, kind: ContainerType, full_id: &str) -> Result<Container, NoAnswer> {
    let question = |id: &str| proto::StatusQuestion { id: id.to_owned(), verbose: true };
    let mut container = match http::call(socket, CONTAINER, "", &question(full_id)).await {
        Ok(answer) => describe(answer, kind, full_id)?,
        Err(NoAnswer::Unknown) => {
            let answer = http::call(socket, POD, "", &question(full_id)).await?;
            return describe_pod(answer, kind, full_id);
        }
        Err(e) => return Err(e),
    };
    let pod = container.pod_sandbox_id.to_string();
    if !pod.is_empty() {
        // The container is known, with its pod or without.
        if let Ok(answer) = http::call::<_, proto::PodAnswer>(socket, POD, "", &question(&pod)).await
            && let Some(status) = answer.status
        {
            container.ip = status.network.unwrap_or_default().ip.into();
            container.pod_labels = texts(status.labels);
        }
    }
    Ok(container)
}

fn describe(
    answer: proto::ContainerAnswer,
    kind: ContainerType,
    full_id: &str,
) -> Result<Container, NoAnswer> {
    let status = answer.status.filter(|status| status.id == full_id).ok_or(NoAnswer::Garbage)?;
    let mut container = Container::new(kind, full_id.as_bytes());
    container.lookup = Lookup::Done;
    container.name = status.metadata.unwrap_or_default().name.into();
    container.created = status.created_at / 1_000_000_000;
    container.labels = texts(status.labels);
    container.mounts = status.mounts.into_iter().map(mount).collect();
    image::set(&mut container, &status.image.unwrap_or_default().image);
    match status.image_ref.rsplit_once('@') {
        Some((_, digest)) => container.image_digest = digest.into(),
        None => image::set_id(&mut container, &status.image_ref),
    }
    let info = info(&answer.info);
    container.pod_sandbox_id = json::text(&info, &["sandboxID"]).into();
    let security = &["config", "linux", "security_context", "privileged"];
    container.privileged = json::truth(&info, security) || json::truth(&info, &["privileged"]);
    container.env = json::texts(&info, &["runtimeSpec", "process", "env"]);
    let limit = |of: &str, name: &str| json::number(&info, &["runtimeSpec", "linux", "resources", of, name]);
    container.memory_limit = limit("memory", "limit");
    container.swap_limit = limit("memory", "swap");
    container.cpu_shares = limit("cpu", "shares");
    container.cpu_quota = limit("cpu", "quota");
    container.cpu_period = limit("cpu", "period");
    let uid = json::number(&info, &["runtimeSpec", "process", "user", "uid"]);
    container.user = uid.to_string().into();
    Ok(container)
}

fn describe_pod(answer: proto::PodAnswer, kind: ContainerType, full_id: &str) -> Result<Container, NoAnswer> {
    let status = answer.status.filter(|status| status.id == full_id).ok_or(NoAnswer::Garbage)?;
    let mut container = Container::new(kind, full_id.as_bytes());
    container.lookup = Lookup::Done;
    container.is_pod_sandbox = true;
    container.pod_sandbox_id = full_id.into();
    container.created = status.created_at / 1_000_000_000;
    container.ip = status.network.unwrap_or_default().ip.into();
    container.labels = texts(status.labels);
    container.pod_labels = container.labels.clone();
    let pod = status.metadata.unwrap_or_default();
    let names = [
        ("io.kubernetes.pod.name", &pod.name),
        ("io.kubernetes.pod.namespace", &pod.namespace),
        ("io.kubernetes.pod.uid", &pod.uid),
    ];
    for (label, value) in names {
        container.labels.entry(label.into()).or_insert_with(|| value.as_str().into());
    }
    container.name = pod.name.into();
    image::set(&mut container, json::text(&info(&answer.info), &["image"]));
    Ok(container)
}

/// What runtimes add when asked to be verbose.
fn info(info: &BTreeMap<String, String>) -> Value {
    info.get("info").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn texts(from: BTreeMap<String, String>) -> BTreeMap<BString, BString> {
    from.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn mount(from: proto::Mount) -> Mount {
    Mount {
        source: from.host_path.into(),
        dest: from.container_path.into(),
        mode: "".into(),
        writable: !from.readonly,
        propagation: match from.propagation {
            1 => "rslave",
            2 => "rshared",
            _ => "private",
        }
        .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn containers_and_pods() {
        let status = proto::ContainerStatus {
            id: "x".into(),
            metadata: Some(proto::Name { name: "front".into() }),
            created_at: 5_000_000_000,
            image: Some(proto::Image { image: "docker.io/library/bbh:1".into() }),
            image_ref: "docker.io/library/bbh@sha256:12".into(),
            labels: [("io.kubernetes.pod.name".to_owned(), "shop".to_owned())].into(),
            mounts: vec![proto::Mount { host_path: "/a".into(), readonly: true, ..Default::default() }],
        };
        let info =
            [("info".to_owned(), r#"{"sandboxID":"p","runtimeSpec":{"process":{"env":["A=1"]}}}"#.into())];
        let answer = proto::ContainerAnswer { status: Some(status), info: info.into() };
        let answer = proto::ContainerAnswer::decode(answer.encode_to_vec().as_slice()).unwrap();
        assert_eq!(describe(answer.clone(), ContainerType::Cri, "y").unwrap_err(), NoAnswer::Garbage);
        let c = describe(answer, ContainerType::Cri, "x").unwrap();
        assert_eq!((c.name.as_slice(), c.image_digest.as_slice()), (&b"front"[..], &b"sha256:12"[..]));
        assert_eq!((c.pod_sandbox_id.as_slice(), c.created, c.env.len()), (&b"p"[..], 5, 1));
        assert!(!c.mounts[0].writable);

        let metadata = proto::PodName { name: "shop".into(), uid: "u".into(), namespace: "prod".into() };
        let status = proto::PodStatus { id: "p".into(), metadata: Some(metadata), ..Default::default() };
        let answer = proto::PodAnswer { status: Some(status), info: BTreeMap::new() };
        let pod = describe_pod(answer, ContainerType::Cri, "p").unwrap();
        assert!(pod.is_pod_sandbox && pod.name == "shop");
        assert_eq!(
            pod.labels.get(&b"io.kubernetes.pod.namespace"[..]).map(|n| n.as_slice()),
            Some(&b"prod"[..])
        );
    }
}
