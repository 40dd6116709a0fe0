//! `fs.path.*`: the paths that calls on the file system take.

use super::evt_io::{Positions, failed, opens_file};
use super::render::{AT_FDCWD, join_at};
use super::table::{Class, Extract, Extraction, Field};
use super::value::Value;
use crate::event::{read_i64, read_text};
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
        |x, _, emit| match given(x, &NAME) {
            Some(path) => absolute(x, &path, emit),
            None if is_fd_call(x) => of_fd(x, emit),
            None => {}
        },
    ),
    field("fs.path.nameraw", "The path that the call is about as the program gave it.", |x, _, emit| {
        match given(x, &NAME) {
            Some(path) => emit(Value::Text(path.text)),
            None if is_fd_call(x) => of_fd(x, emit),
            None => {}
        }
    }),
    field(
        "fs.path.source",
        "Absolute path that a rename starts from, or of the link that is made.",
        |x, _, emit| {
            if let Some(path) = given(x, &SOURCE) {
                absolute(x, &path, emit);
            }
        },
    ),
    field(
        "fs.path.sourceraw",
        "The path that a rename starts from, or of the link that is made, as given.",
        |x, _, emit| {
            if let Some(path) = given(x, &SOURCE) {
                emit(Value::Text(path.text));
            }
        },
    ),
    field(
        "fs.path.target",
        "Absolute path that a rename ends at, or that the link points to.",
        |x, _, emit| {
            if let Some(path) = given(x, &TARGET) {
                // What a symbolic link points to is relative to the link, and kept as it is.
                match is_symlink(x.context.event.ty) {
                    true => emit(Value::Text(path.text)),
                    false => absolute(x, &path, emit),
                }
            }
        },
    ),
    field(
        "fs.path.targetraw",
        "The path that a rename ends at, or that the link points to, as given.",
        |x, _, emit| {
            if let Some(path) = given(x, &TARGET) {
                emit(Value::Text(path.text));
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
        takes_path && matches!(p.name, "name" | "path" | "pathname" | "filename" | "dir") && is_path(p)
    })
});

static SOURCE: LazyLock<Positions> = LazyLock::new(|| Positions::of(|ty, p| p.name == source(ty)));

static TARGET: LazyLock<Positions> = LazyLock::new(|| Positions::of(|ty, p| p.name == target(ty)));

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

fn of_fd(x: &Extraction<'_>, emit: &mut dyn FnMut(Value<'_>)) {
    if let Some(fd) = x.fd() {
        emit(Value::Text(&fd.name));
    }
}

/// A path as the program gave it.
struct GivenPath<'a> {
    text: &'a [u8],
    /// What it is relative to; `None` when that is not known.
    dirfd: Option<i64>,
}

/// The path of a call that returned. Of calls that failed only those have one that would have opened a file.
fn given<'a>(x: &Extraction<'a>, positions: &Positions) -> Option<GivenPath<'a>> {
    let event = x.context.event;
    if failed(event) && !opens_file(event) { None } else { returned(x, positions) }
}

/// Emits the path that a call was given, also when it failed.
pub(super) fn path_of_call(x: &Extraction<'_>, emit: &mut dyn FnMut(Value<'_>)) {
    if let Some(path) = returned(x, &FIRST) {
        absolute(x, &path, emit);
    }
}

/// The first path among the parameters.
static FIRST: LazyLock<Positions> =
    LazyLock::new(|| Positions::of(|_, p| matches!(p.ty, T::Fspath | T::Fsrelpath)));

/// The path of a call that returned, failed or not.
fn returned<'a>(x: &Extraction<'a>, positions: &Positions) -> Option<GivenPath<'a>> {
    let event = x.context.event;
    if event.ty.is_enter() {
        return None;
    }
    let of = |ty: EventType, text: &dyn Fn(usize) -> Option<&'a [u8]>, fd: &dyn Fn(usize) -> Option<i64>| {
        let i = positions.get(ty)?;
        let info = ty.info()?.params.get(i)?;
        let dirfd = info.dirfd.map_or(Some(AT_FDCWD), |dirfd| fd(usize::from(dirfd)));
        Some(GivenPath { text: text(i)?, dirfd })
    };
    of(event.ty, &|i| event.text(i), &|i| event.i64(i)).or_else(|| {
        // The first layouts leave the arguments to the enter event.
        let enter = &x.context.thread()?.enter;
        let ty = enter.ty().filter(|ty| *ty == event.ty.enter() && positions.get(event.ty).is_none())?;
        of(ty, &|i| enter.param(i).map(read_text), &|i| enter.param(i).and_then(read_i64))
    })
}

fn absolute(x: &Extraction<'_>, path: &GivenPath<'_>, emit: &mut dyn FnMut(Value<'_>)) {
    x.text(|out| join_at(out, &x.context, path.dirfd, path.text), |text| emit(Value::Text(text)));
}
