//! `k8s.*`: the pod that the process runs in.
//!
//! What is known of a pod comes from the labels of its containers. The other objects of a cluster
//! were asked for at its server by older versions of sysdig: their fields are there, so that filters
//! and formats which name them go on working, and have no value.

use super::container::known;
use super::table::{Class, Extract, Extraction, Field, FieldArg, FieldFlags};
use super::value::Value;
use crate::schema::{ParamFormat as F, ParamType as T};
use crate::state::cgroup_id::short_id;
use crate::state::containers::Container;
use bstr::{BStr, BString};
use std::collections::BTreeMap;

type Emit<'a> = &'a mut dyn FnMut(Value<'_>);

const fn field(name: &'static str, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::K8s, name, T::Charbuf, F::Na, doc, extract)
}

/// A field of an object that is known by the cluster only.
const fn gone(name: &'static str, doc: &'static str) -> Field {
    field(name, doc, |_, _, _| {}).flag(FieldFlags::DEPRECATED)
}

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    field("k8s.ns.name", "Namespace of the pod that the container belongs to.", |x, _, emit| {
        label(x, emit, b"io.kubernetes.pod.namespace")
    }),
    field("k8s.pod.name", "Name of the pod that the container belongs to.", |x, _, emit| {
        label(x, emit, b"io.kubernetes.pod.name")
    }),
    field("k8s.pod.id", "Unique id of the pod; `k8s.pod.uid` is the newer name.", |x, _, emit| {
        label(x, emit, b"io.kubernetes.pod.uid")
    }),
    field("k8s.pod.uid", "Unique id of the pod.", |x, _, emit| label(x, emit, b"io.kubernetes.pod.uid")),
    field(
        "k8s.pod.sandbox_id",
        "Id of the container that holds the pod together, its first 12 digits.",
        |x, _, emit| sandbox(x, emit, true),
    ),
    field(
        "k8s.pod.full_sandbox_id",
        "Id of the container that holds the pod together, with all its digits.",
        |x, _, emit| sandbox(x, emit, false),
    ),
    field("k8s.pod.label", "One label of the pod: `k8s.pod.label.app`.", |x, arg, emit| {
        pod_label(x, arg, emit)
    })
    .required(),
    field("k8s.pod.labels", "All labels of the pod as `name:value`, with commas between.", |x, _, emit| {
        pod_labels(x, emit)
    }),
    field("k8s.pod.ip", "Address of the pod.", |x, _, emit| known(x, emit, |c| &c.ip)),
    field("k8s.pod.cni.json", "What the pod's network plugin answered, as JSON.", |x, _, emit| {
        known(x, emit, |c| &c.cni_json)
    }),
    gone("k8s.rc.name", "Name of the replication controller; no longer known."),
    gone("k8s.rc.id", "Id of the replication controller; no longer known."),
    gone("k8s.rc.label", "One label of the replication controller; no longer known.").required(),
    gone("k8s.rc.labels", "All labels, with commas between, of the replication controller; no longer known."),
    gone("k8s.svc.name", "Name of the service; no longer known."),
    gone("k8s.svc.id", "Id of the service; no longer known."),
    gone("k8s.svc.label", "One label of the service; no longer known.").required(),
    gone("k8s.svc.labels", "All labels, with commas between, of the service; no longer known."),
    gone("k8s.ns.id", "Id of the namespace; no longer known."),
    gone("k8s.ns.label", "One label of the namespace; no longer known.").required(),
    gone("k8s.ns.labels", "All labels, with commas between, of the namespace; no longer known."),
    gone("k8s.rs.name", "Name of the replica set; no longer known."),
    gone("k8s.rs.id", "Id of the replica set; no longer known."),
    gone("k8s.rs.label", "One label of the replica set; no longer known.").required(),
    gone("k8s.rs.labels", "All labels, with commas between, of the replica set; no longer known."),
    gone("k8s.deployment.name", "Name of the deployment; no longer known."),
    gone("k8s.deployment.id", "Id of the deployment; no longer known."),
    gone("k8s.deployment.label", "One label of the deployment; no longer known.").required(),
    gone("k8s.deployment.labels", "All labels, with commas between, of the deployment; no longer known."),
];

/// A label that the kubelet gives every container.
fn label(x: &Extraction<'_>, emit: Emit<'_>, name: &[u8]) {
    if let Some(value) = x.context.container().and_then(|c| c.labels.get(BStr::new(name))) {
        emit(Value::Text(value));
    }
}

fn sandbox(x: &Extraction<'_>, emit: Emit<'_>, short: bool) {
    let id = x.context.container().map(|c| c.pod_sandbox_id.as_slice()).filter(|id| !id.is_empty());
    if let Some(id) = id {
        // Not every engine has ids of 64 digits.
        let first = id.get(..12).unwrap_or(id);
        emit(Value::Text(match short {
            true if short_id(id).len() == id.len() => first,
            true => short_id(id),
            false => id,
        }));
    }
}

/// The labels of the pod: noted with the container, or those of the container that holds the pod.
fn labels_of_pod<'a>(x: &Extraction<'a>) -> Option<&'a BTreeMap<BString, BString>> {
    let container: &Container = x.context.container()?;
    if !container.pod_labels.is_empty() {
        return Some(&container.pod_labels);
    }
    let sandbox = container.labels.get(BStr::new(b"io.kubernetes.sandbox.id"))?;
    Some(&x.context.state.containers.by_id(sandbox)?.labels)
}

fn pod_label(x: &Extraction<'_>, arg: Option<&FieldArg>, emit: Emit<'_>) {
    let value = arg.and_then(|arg| labels_of_pod(x)?.get(BStr::new(arg.text.as_bytes())));
    if let Some(value) = value {
        emit(Value::Text(value));
    }
}

/// All but those that the cluster itself gives.
fn pod_labels(x: &Extraction<'_>, emit: Emit<'_>) {
    let Some(labels) = labels_of_pod(x) else { return };
    let build = |out: &mut Vec<u8>| {
        for (name, value) in labels.iter().filter(|(name, _)| !name.starts_with(b"io.kubernetes.")) {
            if !out.is_empty() {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(name);
            out.push(b':');
            out.extend_from_slice(value);
        }
    };
    x.text(build, |text| emit(Value::Text(text)));
}
