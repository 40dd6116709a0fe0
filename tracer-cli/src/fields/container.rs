//! `container.*`: the container that the process runs in.

use super::table::{Class, Extract, Extraction, Field, FieldArg};
use super::value::Value;
use crate::schema::{ParamFormat as F, ParamType as T};
use crate::state::cgroup_id::ContainerType;
use crate::state::containers::{Container, Lookup, Mount, Place, Probe};
use crate::state::thread::ThreadFlags;
use bstr::BString;

type Emit<'a> = &'a mut dyn FnMut(Value<'_>);

const fn text(name: &'static str, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Container, name, T::Charbuf, F::Na, doc, extract)
}

/// What stands for the container of processes that are in none.
const HOST: &[u8] = b"host";

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    text(
        "container.id",
        "Id of the container, its first 12 digits; `host` outside of containers.",
        |x, _, emit| {
            id(x, emit, |c| &c.id);
        },
    ),
    text(
        "container.full_id",
        "Id of the container with all its digits; `host` outside of containers.",
        |x, _, emit| {
            id(x, emit, |c| &c.full_id);
        },
    ),
    text("container.name", "Name of the container; `host` outside of containers.", |x, _, emit| {
        if is_host(x) {
            return emit(Value::Text(HOST));
        }
        known(x, emit, |c| &c.name);
    }),
    text(
        "container.image",
        "Image that the container was made from, as it was named: `nginx:latest`.",
        |x, _, emit| {
            known(x, emit, |c| &c.image);
        },
    ),
    text("container.image.id", "Id of the container's image.", |x, _, emit| known(x, emit, |c| &c.image_id)),
    text(
        "container.type",
        "What runs the container, such as `docker` or `podman`; `host` outside of containers.",
        |x, _, emit| {
            if is_host(x) {
                emit(Value::Text(HOST));
            } else if let Some(c) = x.context.container() {
                emit(Value::Text(c.kind.name().as_bytes()));
            }
        },
    ),
    Field::new(
        Class::Container,
        "container.privileged",
        T::Bool,
        F::Na,
        "Whether the container has all rights of the host.",
        |x, _, emit| {
            use ContainerType as C;
            let says =
                |c: &&Container| matches!(c.kind, C::Docker | C::Podman | C::Cri | C::Containerd | C::CriO);
            if let Some(c) = described(x).filter(says) {
                emit(Value::Bool(c.privileged));
            }
        },
    ),
    text(
        "container.mounts",
        "Everything mounted into the container: source, place, mode, whether it can be written to and \
         propagation with colons between; commas between mounts.",
        |x, _, emit| {
            let Some(c) = described(x) else { return };
            let build = |out: &mut Vec<u8>| {
                for (i, mount) in c.mounts.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_mount(out, mount);
                }
            };
            x.text(build, |text| emit(Value::Text(text)));
        },
    ),
    text(
        "container.mount",
        "One mount of the container, by number from 0 or by its source: `container.mount[/usr/local]`. The \
         source may be a pattern such as `/usr/*`.",
        |x, arg, emit| {
            if let Some(mount) = mount(x, arg, |m| &m.source) {
                x.text(|out| write_mount(out, mount), |text| emit(Value::Text(text)));
            }
        },
    )
    .required(),
    text(
        "container.mount.source",
        "What is mounted, by number from 0 or by its place in the container.",
        |x, arg, emit| part(emit, mount(x, arg, |m| &m.dest), |m| &m.source),
    )
    .required(),
    text(
        "container.mount.dest",
        "Where in the container something is mounted, by number from 0 or by its source.",
        |x, arg, emit| part(emit, mount(x, arg, |m| &m.source), |m| &m.dest),
    )
    .required(),
    text("container.mount.mode", "Mode of a mount, by number from 0 or by its source.", |x, arg, emit| {
        part(emit, mount(x, arg, |m| &m.source), |m| &m.mode);
    })
    .required(),
    text(
        "container.mount.rdwr",
        "Whether a mount can be written to, by number from 0 or by its source.",
        |x, arg, emit| {
            if let Some(mount) = mount(x, arg, |m| &m.source) {
                emit(Value::Text(if mount.writable { b"true" } else { b"false" }));
            }
        },
    )
    .required(),
    text(
        "container.mount.propagation",
        "How mounts made later pass through a mount, by number from 0 or by its source.",
        |x, arg, emit| part(emit, mount(x, arg, |m| &m.source), |m| &m.propagation),
    )
    .required(),
    text("container.image.repository", "Image without its tag: `nginx`.", |x, _, emit| {
        known(x, emit, |c| &c.image_repository);
    }),
    text("container.image.tag", "Tag of the image: `latest`.", |x, _, emit| known(x, emit, |c| &c.image_tag)),
    text("container.image.digest", "Digest of the image in its registry: `sha256:…`.", |x, _, emit| {
        known(x, emit, |c| &c.image_digest);
    }),
    text(
        "container.healthcheck",
        "Command that checks the health of the container, `NONE` when there is none.",
        |x, _, emit| probe(x, emit, |c| c.healthcheck.as_ref()),
    ),
    text(
        "container.liveness_probe",
        "Command that finds out whether the container lives, `NONE` when there is none.",
        |x, _, emit| probe(x, emit, |c| c.liveness.as_ref()),
    ),
    text(
        "container.readiness_probe",
        "Command that finds out whether the container is ready, `NONE` when there is none.",
        |x, _, emit| probe(x, emit, |c| c.readiness.as_ref()),
    ),
    Field::new(
        Class::Container,
        "container.start_ts",
        T::Uint64,
        F::Dec,
        "When the container was started, in ns since the epoch: the start of its pid namespace.",
        |x, _, emit| {
            if let Some(start) = start(x) {
                emit(Value::Uint(start));
            }
        },
    ),
    Field::new(
        Class::Container,
        "container.duration",
        T::Reltime,
        F::Dec,
        "How long ago in ns the container was started.",
        |x, _, emit| {
            if let Some(start) = start(x) {
                emit(Value::Reltime(x.context.event.ts.saturating_sub(start)));
            }
        },
    ),
    text("container.ip", "Address of the container.", |x, _, emit| known(x, emit, |c| &c.ip)),
    text(
        "container.cni.json",
        "What the network plugin of the container's pod answered, as JSON.",
        |x, _, emit| {
            known(x, emit, |c| &c.cni_json);
        },
    ),
];

/// Neither a container nor a pid namespace of its own, which only something like one has.
fn is_host(x: &Extraction<'_>) -> bool {
    x.context.thread().is_some_and(|thread| {
        !matches!(thread.place, Place::In(_)) && !thread.flags.contains(ThreadFlags::IN_PID_NS)
    })
}

/// Without a container but in another pid namespace it is nobody's: an empty text.
fn id(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Container) -> &BString) {
    if x.context.thread().is_none() {
        return;
    }
    match x.context.container() {
        Some(c) => emit(Value::Text(part(c))),
        None if is_host(x) => emit(Value::Text(HOST)),
        None => emit(Value::Text(b"")),
    }
}

/// The container when an engine told about it.
fn described<'a>(x: &Extraction<'a>) -> Option<&'a Container> {
    x.context.container().filter(|c| c.lookup == Lookup::Done)
}

/// A text that is empty when nothing is known.
pub(super) fn known(x: &Extraction<'_>, emit: Emit<'_>, part: fn(&Container) -> &BString) {
    if let Some(text) = x.context.container().map(part).filter(|text| !text.is_empty()) {
        emit(Value::Text(text));
    }
}

fn part(emit: Emit<'_>, mount: Option<&Mount>, part: fn(&Mount) -> &BString) {
    if let Some(mount) = mount {
        emit(Value::Text(part(mount)));
    }
}

/// The mount with the number in the argument, or the first whose text fits it as a pattern.
fn mount<'a>(x: &Extraction<'a>, arg: Option<&FieldArg>, by: fn(&Mount) -> &BString) -> Option<&'a Mount> {
    let (arg, mounts) = (arg?, &x.context.container()?.mounts);
    match arg.text.parse::<usize>() {
        Ok(index) => mounts.get(index),
        Err(_) => mounts.iter().find(|mount| fits(arg.text.as_bytes(), by(mount))),
    }
}

/// Shell patterns with `*` and `?`; a `*` passes slashes too.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last star did not fit.
    let mut back: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                p += 1;
                back = Some((p, t));
            }
            (Some(want), Some(got)) if *want == b'?' || want == got => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((after, from)) if from < text.len() => {
                    back = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
}

fn write_mount(out: &mut Vec<u8>, mount: &Mount) {
    let writable: &[u8] = if mount.writable { b"true" } else { b"false" };
    let parts = [&mount.source, &mount.dest, &mount.mode, writable, &mount.propagation[..]];
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        out.extend_from_slice(part);
    }
}

fn probe(x: &Extraction<'_>, emit: Emit<'_>, which: fn(&Container) -> Option<&Probe>) {
    let Some(container) = described(x) else { return };
    let Some(probe) = which(container) else { return emit(Value::Text(b"NONE")) };
    let build = |out: &mut Vec<u8>| {
        out.extend_from_slice(&probe.exe);
        for arg in &probe.args {
            out.push(b' ');
            out.extend_from_slice(arg);
        }
    };
    x.text(build, |text| emit(Value::Text(text)));
}

/// Of processes in a container or a pid namespace, when that is known.
fn start(x: &Extraction<'_>) -> Option<u64> {
    let thread = x.context.thread().filter(|_| !is_host(x))?;
    (thread.pidns_init_start_ts > 0).then_some(thread.pidns_init_start_ts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_mounts() {
        for (pattern, text) in
            [("/src/*", "/src/a/b"), ("*", ""), ("/a?c", "/abc"), ("*b*d", "abcd"), ("/a", "/a")]
        {
            assert!(fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in [("/src/*", "/dst/a"), ("/a", "/ab"), ("?", ""), ("*x", "abc"), ("", "a")] {
            assert!(!fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }
}
