//! `mesos.*` and `marathon.*`: the Mesos task that the process runs in.
//!
//! Older versions of sysdig asked the masters of a cluster for them. The fields are there, so that
//! filters and formats which name them go on working, and have no value.

use super::table::{Class, Field, FieldFlags};
use crate::schema::{ParamFormat as F, ParamType as T};

const fn gone(name: &'static str, doc: &'static str) -> Field {
    Field::new(Class::Mesos, name, T::Charbuf, F::Na, doc, |_, _, _| {}).flag(FieldFlags::DEPRECATED)
}

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    gone("mesos.task.name", "Name of the Mesos task; no longer known."),
    gone("mesos.task.id", "Id of the Mesos task; no longer known."),
    gone("mesos.task.label", "One label of the Mesos task; no longer known.").required(),
    gone("mesos.task.labels", "All labels, with commas between, of the Mesos task; no longer known."),
    gone("mesos.framework.name", "Name of the Mesos framework; no longer known."),
    gone("mesos.framework.id", "Id of the Mesos framework; no longer known."),
    gone("marathon.app.name", "Name of the Marathon app; no longer known."),
    gone("marathon.app.id", "Id of the Marathon app; no longer known."),
    gone("marathon.app.label", "One label of the Marathon app; no longer known.").required(),
    gone("marathon.app.labels", "All labels, with commas between, of the Marathon app; no longer known."),
    gone("marathon.group.name", "Name of the Marathon group; no longer known."),
    gone("marathon.group.id", "Id of the Marathon group; no longer known."),
];
