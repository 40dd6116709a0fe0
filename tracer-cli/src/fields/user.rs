//! `user.*` and `group.*`: who runs the process.

use super::table::{Class, Extract, Extraction, Field};
use super::value::Value;
use crate::schema::{ParamFormat as F, ParamType as T};
use crate::state::thread::NO_ID;
use crate::state::users::User;

const fn user(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::User, name, ty, format, doc, extract)
}

const fn group(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::Group, name, ty, format, doc, extract)
}

/// What stands for a name that is not known: filters can compare with it.
const NO_NAME: &[u8] = b"<NA>";

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    user("user.uid", T::Uint32, F::Id, "User id of the process.", |x, _, emit| {
        if let Some(thread) = x.context.thread() {
            emit(Value::Uint(u64::from(thread.uid)));
        }
    }),
    user("user.name", T::Charbuf, F::Na, "User name of the process.", |x, _, emit| {
        if let Some(name) = user_name(x) {
            emit(Value::Text(name));
        }
    }),
    user("user.homedir", T::Charbuf, F::Na, "Home directory of the user.", |x, _, emit| {
        text(x, emit, |user| &user.home, b"/root");
    }),
    user("user.shell", T::Charbuf, F::Na, "Login shell of the user.", |x, _, emit| {
        text(x, emit, |user| &user.shell, NO_NAME);
    }),
    user(
        "user.loginuid",
        T::Int64,
        F::Id,
        "User id with which the session was opened, -1 when there is none.",
        |x, _, emit| {
            if let Some(thread) = x.context.thread() {
                emit(Value::Int(if thread.loginuid == NO_ID { -1 } else { i64::from(thread.loginuid) }));
            }
        },
    ),
    user("user.loginname", T::Charbuf, F::Na, "Name of the user who opened the session.", |x, _, emit| {
        if let Some(thread) = x.context.thread() {
            emit(Value::Text(of_user(x, thread.loginuid, |user| &user.name, b"root")));
        }
    }),
    group("group.gid", T::Uint32, F::Id, "Group id of the process.", |x, _, emit| {
        if let Some(thread) = x.context.thread() {
            emit(Value::Uint(u64::from(thread.gid)));
        }
    }),
    group("group.name", T::Charbuf, F::Na, "Group name of the process.", |x, _, emit| {
        if let Some(thread) = x.context.thread() {
            let own = x.context.container().and_then(|c| c.users.groups.get(&thread.gid));
            let name = own.or_else(|| x.context.state.users.groups.get(&thread.gid));
            let unknown = if thread.gid == 0 { &b"root"[..] } else { NO_NAME };
            emit(Value::Text(name.map_or(unknown, |name| name)));
        }
    }),
];

fn text(
    x: &Extraction<'_>,
    emit: &mut dyn FnMut(Value<'_>),
    part: fn(&User) -> &[u8],
    of_root: &'static [u8],
) {
    if let Some(thread) = x.context.thread() {
        emit(Value::Text(of_user(x, thread.uid, part, of_root)));
    }
}

/// `user.name`.
pub(super) fn user_name<'a>(x: &Extraction<'a>) -> Option<&'a [u8]> {
    let thread = x.context.thread()?;
    Some(of_user(x, thread.uid, |user| &user.name, b"root"))
}

/// By the users of the container, or else those of the host. Root is known even when nothing was
/// learnt about users.
fn of_user<'a>(x: &Extraction<'a>, uid: u32, part: fn(&User) -> &[u8], of_root: &'static [u8]) -> &'a [u8] {
    let unknown = if uid == 0 { of_root } else { NO_NAME };
    let own = x.context.container().and_then(|c| c.users.users.get(&uid));
    own.or_else(|| x.context.state.users.users.get(&uid)).map_or(unknown, part)
}
