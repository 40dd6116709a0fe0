//! containerd's own API: the only place where the image of a container that `ctr` or nerdctl
//! started is written.

use super::http::{self, NoAnswer};
use super::image;
use crate::state::cgroup_id::ContainerType;
use crate::state::containers::{Container, Lookup};
use bstr::BString;
use std::collections::BTreeMap;
use std::path::Path;

/// What is used of the messages of `containerd.services.containers.v1` and
/// `containerd.services.namespaces.v1`; the numbers are theirs.
mod proto {
    use std::collections::BTreeMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct GetContainer {
        #[prost(string, tag = "1")]
        pub id: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct GotContainer {
        #[prost(message, optional, tag = "1")]
        pub container: Option<Container>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Container {
        #[prost(string, tag = "1")]
        pub id: String,
        #[prost(btree_map = "string, string", tag = "2")]
        pub labels: BTreeMap<String, String>,
        #[prost(string, tag = "3")]
        pub image: String,
        #[prost(message, optional, tag = "8")]
        pub created: Option<Time>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Time {
        #[prost(int64, tag = "1")]
        pub seconds: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ListNamespaces {}

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Namespaces {
        #[prost(message, repeated, tag = "1")]
        pub namespaces: Vec<Namespace>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Namespace {
        #[prost(string, tag = "1")]
        pub name: String,
    }
}

/// Set by the CRI plugin: `container` or `sandbox`.
const CRI_KIND: &str = "io.cri-containerd.kind";

/// The container with this id in any of containerd's namespaces.
pub(super) async fn find(socket: &Path, full_id: &str) -> Result<Container, NoAnswer> {
    let list = "/containerd.services.namespaces.v1.Namespaces/List";
    let spaces: proto::Namespaces = http::call(socket, list, "default", &proto::ListNamespaces {}).await?;
    for space in spaces.namespaces.iter().map(|space| space.name.as_str()) {
        let get = "/containerd.services.containers.v1.Containers/Get";
        let question = proto::GetContainer { id: full_id.to_owned() };
        match http::call::<_, proto::GotContainer>(socket, get, space, &question).await {
            Ok(answer) => {
                return answer.container.map(|found| describe(found, full_id)).ok_or(NoAnswer::Garbage);
            }
            Err(NoAnswer::Unknown) => {}
            Err(e) => return Err(e),
        }
    }
    Err(NoAnswer::Unknown)
}

fn describe(found: proto::Container, full_id: &str) -> Container {
    let cri_kind = found.labels.get(CRI_KIND).map(String::as_str);
    // Of a pod's containers the control group tells the type.
    let kind = if cri_kind.is_some() { ContainerType::Unknown } else { ContainerType::Containerd };
    let mut container = Container::new(kind, full_id.as_bytes());
    container.lookup = Lookup::Done;
    container.is_pod_sandbox = cri_kind == Some("sandbox");
    let label = match cri_kind {
        Some("sandbox") => "io.kubernetes.pod.name",
        Some(_) => "io.kubernetes.container.name",
        None => "nerdctl/name",
    };
    let name = found.labels.get(label);
    container.name = match name {
        Some(name) => name.as_str().into(),
        // Who uses `ctr` chooses the id.
        None => crate::state::cgroup_id::short_id(full_id.as_bytes()).into(),
    };
    image::set(&mut container, &found.image);
    container.created = found.created.map_or(0, |time| time.seconds);
    let labels = found.labels.into_iter().map(|(name, value)| (BString::from(name), BString::from(value)));
    container.labels = labels.collect::<BTreeMap<_, _>>();
    container
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn names_of_nerdctl_and_of_ctr() {
        let labels = [("nerdctl/name".to_owned(), "shop".to_owned())].into();
        let made =
            proto::Container { id: "x".into(), labels, image: "docker.io/a/b:2".into(), created: None };
        let read = proto::Container::decode(made.encode_to_vec().as_slice()).unwrap();
        let c = describe(read, &"a".repeat(64));
        assert_eq!((c.name.as_slice(), c.image_tag.as_slice()), (&b"shop"[..], &b"2"[..]));
        let labels = [(CRI_KIND, "sandbox"), ("io.kubernetes.pod.name", "shoppod")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let pod = describe(proto::Container { labels, ..Default::default() }, "x");
        assert!(pod.is_pod_sandbox && pod.name == "shoppod" && pod.kind == ContainerType::Unknown);
        assert_eq!(describe(proto::Container::default(), "web1").name, "web1");
        assert_eq!(describe(proto::Container::default(), &"a".repeat(64)).name, "a".repeat(12));
    }
}
