//! `fs.path.*`: the paths that calls on the file system take.

use super::evt_io::{Positions, failed, opens_file};
use super::render::{AT_FDCWD, join_at};
use super::table::{Class, Extract, Extraction, Field};
use super::value::Value;
use crate::schema::{EventType, ParamFormat as F, ParamInfo, ParamType as T};
use std::sync::LazyLock;

const fn field(name: &'static str, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::FsPath, name, T::Charbuf, F::Na, doc, extract)
}

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    field(
        "fs.path.name",
        "Absolute path that the call is about: of open, mkdir, unlink, chmod, mount and the like.",
        |x, _, emit| match position(x, &NAME) {
            Some(i) => absolute(x, i, emit),
            None if is_fd_call(x) => of_fd(x, emit),
            None => {}
        },
    ),
    field("fs.path.nameraw", "The path that the call is about as the program gave it.", |x, _, emit| {
        match position(x, &NAME) {
            Some(i) => raw(x, i, emit),
            None if is_fd_call(x) => of_fd(x, emit),
            None => {}
        }
    }),
    field(
        "fs.path.source",
        "Absolute path that a rename starts from, or of the link that is made.",
        |x, _, emit| {
            if let Some(i) = position(x, &SOURCE) {
                absolute(x, i, emit);
            }
        },
    ),
    field(
        "fs.path.sourceraw",
        "The path that a rename starts from, or of the link that is made, as given.",
        |x, _, emit| {
            if let Some(i) = position(x, &SOURCE) {
                raw(x, i, emit);
            }
        },
    ),
    field(
        "fs.path.target",
        "Absolute path that a rename ends at, or that the link points to.",
        |x, _, emit| {
            if let Some(i) = position(x, &TARGET) {
                // What a symbolic link points to is relative to the link, and kept as it is.
                if is_symlink(x.context.event.ty) { raw(x, i, emit) } else { absolute(x, i, emit) }
            }
        },
    ),
    field(
        "fs.path.targetraw",
        "The path that a rename ends at, or that the link points to, as given.",
        |x, _, emit| {
            if let Some(i) = position(x, &TARGET) {
                raw(x, i, emit);
            }
        },
    ),
];

static NAME: LazyLock<Positions> = LazyLock::new(|| {
    Positions::of(|ty, p| {
        let takes_path = matches!(
            name(ty),
            "open"
                | "openat"
                | "openat2"
                | "creat"
                | "open_by_handle_at"
                | "mkdir"
                | "mkdirat"
                | "rmdir"
                | "unlink"
                | "unlinkat"
                | "chmod"
                | "fchmodat"
                | "chown"
                | "lchown"
                | "fchownat"
                | "mknod"
                | "mknodat"
                | "umount"
                | "umount2"
                | "mount"
                | "quotactl"
        );
        ty.is_exit()
            && takes_path
            && matches!(p.name, "name" | "path" | "pathname" | "filename" | "dir")
            && is_path(p)
    })
});

static SOURCE: LazyLock<Positions> =
    LazyLock::new(|| Positions::of(|ty, p| ty.is_exit() && p.name == source(ty)));

static TARGET: LazyLock<Positions> =
    LazyLock::new(|| Positions::of(|ty, p| ty.is_exit() && p.name == target(ty)));

fn name(ty: EventType) -> &'static str {
    ty.info().map_or("", |e| e.name)
}

fn is_path(p: &ParamInfo) -> bool {
    matches!(p.ty, T::Fspath | T::Fsrelpath | T::Charbuf)
}

/// A link's source is the new name, as with `ln -s target source`.
fn source(ty: EventType) -> &'static str {
    match name(ty) {
        "rename" | "renameat" | "renameat2" => "oldpath",
        "link" | "linkat" => "newpath",
        "symlink" | "symlinkat" => "linkpath",
        _ => "",
    }
}

fn target(ty: EventType) -> &'static str {
    match name(ty) {
        "rename" | "renameat" | "renameat2" => "newpath",
        "link" | "linkat" => "oldpath",
        "symlink" | "symlinkat" => "target",
        _ => "",
    }
}

fn is_symlink(ty: EventType) -> bool {
    matches!(name(ty), "symlink" | "symlinkat")
}

/// Calls that change a file through its fd.
fn is_fd_call(x: &Extraction<'_>) -> bool {
    let event = x.context.event;
    event.ty.is_exit() && matches!(event.name(), "fchmod" | "fchown") && !failed(event)
}

/// Where the event has the path. Of calls that failed only those have one that would have opened a file.
fn position(x: &Extraction<'_>, positions: &Positions) -> Option<usize> {
    let event = x.context.event;
    positions.get(event.ty).filter(|_| opens_file(event) || !failed(event))
}

fn of_fd(x: &Extraction<'_>, emit: &mut dyn FnMut(Value<'_>)) {
    if let Some(fd) = x.context.fd() {
        emit(Value::Text(&fd.name));
    }
}

fn raw(x: &Extraction<'_>, i: usize, emit: &mut dyn FnMut(Value<'_>)) {
    if let Some(text) = x.context.event.text(i) {
        emit(Value::Text(text));
    }
}

fn absolute(x: &Extraction<'_>, i: usize, emit: &mut dyn FnMut(Value<'_>)) {
    let event = x.context.event;
    let Some((info, text)) = event.info().params.get(i).zip(event.text(i)) else { return };
    let dirfd = match info.dirfd {
        Some(dirfd) => event.i64(usize::from(dirfd)),
        None => Some(AT_FDCWD),
    };
    x.text(|out| join_at(out, &x.context, dirfd, text), |path| emit(Value::Text(path)));
}
