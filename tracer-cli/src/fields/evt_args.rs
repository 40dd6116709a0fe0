//! `evt.arg`, `evt.args` and what else shows the parameters of an event.

use super::render::{chosen, join_at, number, write_arg, write_args};
use super::sockaddr::{until_nul, write_sockaddr, write_tuple};
use super::syslog::message;
use super::table::{Class, Extract, Extraction, Field, FieldArg, FieldFlags};
use super::value::Value;
use crate::schema::{ParamFormat as F, ParamInfo, ParamType as T};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn call(name: &'static str, ty: T, format: F, doc: &'static str, extract: Extract) -> Field {
    Field::new(Class::EvtSyscall, name, ty, format, doc, extract)
}

/// The fields.
pub(super) static FIELDS: &[Field] = &[
    call(
        "evt.args",
        T::Charbuf,
        F::Na,
        "All parameters of the event as `name=value(meaning)`.",
        |x, _, emit| {
            x.text(|out| write_args(out, &x.context, x.options), |text| emit(Value::Text(text)));
        },
    )
    .flag(FieldFlags::RENDERED),
    call(
        "evt.arg",
        T::Charbuf,
        F::Na,
        "One parameter as text, by name or position: `evt.arg.fd`, `evt.arg[0]`. What a number stands for \
         comes before the number.",
        |x, arg, emit| {
            if let Some(i) = index(x, arg) {
                x.text(|out| write_arg(out, &x.context, i, x.options), |text| emit(Value::Text(text)));
            }
        },
    )
    .required()
    .flag(FieldFlags::RENDERED),
    call(
        "evt.rawarg",
        T::Dyn,
        F::Na,
        "One parameter by name with its own type, so that numbers compare as numbers: `evt.rawarg.res`.",
        raw_arg,
    )
    .required()
    .flag(FieldFlags::NO_RHS.union(FieldFlags::NO_TRANSFORMER)),
    call(
        "evt.info",
        T::Charbuf,
        F::Na,
        "The parameters as in `evt.args`; of a message to the system log its severity and text.",
        |x, _, emit| {
            x.text(|out| write_info(out, x), |text| emit(Value::Text(text)));
        },
    )
    .flag(FieldFlags::RENDERED),
    call(
        "evt.abspath",
        T::Charbuf,
        F::Na,
        "Absolute path of a call that takes a directory fd and a path. `evt.abspath.src` and `.dst` choose \
         one of two paths.",
        abspath,
    )
    .optional(),
];

/// Position of the parameter that the argument names, when the event has it.
fn index(x: &Extraction<'_>, arg: Option<&FieldArg>) -> Option<usize> {
    arg?.for_event(x.context.event.ty).filter(|i| *i < x.context.event.params.len())
}

pub(super) fn write_info(out: &mut Vec<u8>, x: &Extraction<'_>) {
    if let Some(message) = message(x) {
        out.extend_from_slice(b"syslog sev=");
        out.extend_from_slice(message.severity_name().as_bytes());
        out.extend_from_slice(b" msg=");
        return super::write::write_printable(out, message.text);
    }
    write_args(out, &x.context, x.options);
}

fn raw_arg(x: &Extraction<'_>, arg: Option<&FieldArg>, emit: &mut dyn FnMut(Value<'_>)) {
    let Some(i) = index(x, arg) else { return };
    let (Some(info), Some(bytes)) = (x.context.event.info().params.get(i), x.context.event.param(i)) else {
        return;
    };
    let (info, bytes) = chosen(info, bytes);
    match typed(info, bytes) {
        Some(value) => emit(value),
        None => x.text(
            |out| match info.ty {
                T::Sockaddr => write_sockaddr(out, bytes, false),
                T::Socktuple => write_tuple(out, bytes, false),
                _ => write_arg(out, &x.context, i, x.options),
            },
            |text| emit(Value::Text(text)),
        ),
    }
}

/// A parameter as a value of its type; `None` for those that only have a text.
fn typed<'a>(info: &ParamInfo, bytes: &'a [u8]) -> Option<Value<'a>> {
    let n = number(info.ty, bytes);
    Some(match info.ty {
        T::Charbuf | T::Fspath | T::Fsrelpath => Value::Text(until_nul(bytes)),
        T::Bytebuf => Value::Buffer(bytes),
        T::Bool => Value::Bool(n != 0),
        T::Port => Value::Port(n as u16),
        T::Reltime => Value::Reltime(n.cast_unsigned()),
        T::Abstime => Value::Abstime(n.cast_unsigned()),
        T::Double => Value::Double(f64::from_bits(n.cast_unsigned())),
        T::Int8 | T::Int16 | T::Int32 | T::Int64 => Value::Int(n),
        T::Errno | T::Fd | T::Fd32 | T::Pid | T::Pid32 => Value::Int(n),
        T::Ipv4addr | T::Ipv6addr | T::Ipaddr => Value::Ip(address(bytes)?),
        T::None
        | T::Dyn
        | T::Sockaddr
        | T::Socktuple
        | T::Fdlist
        | T::CharbufArray
        | T::CharbufPairArray
        | T::Ipv4net
        | T::Ipv6net
        | T::Ipnet => return None,
        _ => Value::Uint(n.cast_unsigned()),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(|ip| Ipv4Addr::from(ip).into());
    let v6 = || <[u8; 16]>::try_from(bytes).map(|ip| Ipv6Addr::from(ip).into());
    v4().or_else(|_| v6()).ok()
}

fn abspath(x: &Extraction<'_>, arg: Option<&FieldArg>, emit: &mut dyn FnMut(Value<'_>)) {
    let event = x.context.event;
    let mut paths = event.info().params.iter().enumerate().filter(|(_, p)| p.dirfd.is_some());
    let first = paths.next();
    let wanted = match arg.map(|arg| arg.text.as_str()) {
        Some("dst" | "newpath") => paths.next().or(first),
        _ => first,
    };
    let Some((i, info)) = wanted.filter(|_| event.ty.is_exit()) else { return };
    let Some(text) = event.text(i).filter(|text| !text.is_empty()) else { return };
    let dirfd = info.dirfd.and_then(|i| event.i64(usize::from(i)));
    x.text(|out| join_at(out, &x.context, dirfd, text), |text| emit(Value::Text(text)));
}
