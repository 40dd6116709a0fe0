//! What is not to be written: environments, arguments, data. It is replaced before anything reaches
//! the file, in events as well as in lists.

use crate::event::{Event, read_text};
use crate::param_slots::MAX_PARAMS;
use crate::schema::{EventFlags, ParamType};
use crate::state::containers::Container;
use crate::state::enter_params::EnterParams;
use crate::state::fd_table::FdTable;
use crate::state::thread::Thread;
use bstr::ByteSlice;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::rc::Rc;

/// Stands for what was there.
const REDACTED: &[u8] = b"<redacted>";
/// … for each byte of data.
const BYTE: u8 = b'*';

/// What is replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Values of these variables of environments.
    env: Variables,
    /// Arguments of programs.
    args: bool,
    /// What is read and written.
    data: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Variables {
    #[default]
    None,
    All,
    Named(Vec<String>),
}

/// Names of what can be replaced, for messages.
pub const REDACTABLE: &str = "proc.env, proc.env[NAME], proc.args and evt.buffer";

impl Redaction {
    /// Adds what a field shows; `false` when that cannot be replaced.
    pub fn add(&mut self, field: &str) -> bool {
        match field {
            "proc.env" => self.env = Variables::All,
            "proc.args" | "proc.cmdline" | "proc.exeline" => self.args = true,
            "evt.buffer" | "evt.arg.data" | "evt.rawarg.data" => self.data = true,
            _ => {
                let name = field.strip_prefix("proc.env[").and_then(|rest| rest.strip_suffix(']'));
                match (name, &mut self.env) {
                    (None | Some(""), _) => return false,
                    (Some(_), Variables::All) => {}
                    (Some(name), Variables::Named(names)) => names.push(name.to_owned()),
                    (Some(name), none) => *none = Variables::Named(vec![name.to_owned()]),
                }
            }
        }
        true
    }

    /// Whether everything is written as it is.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.args && !self.data && self.env == Variables::None
    }
}

impl Redaction {
    /// The parameters to be written in place of those of `event`, made in `scratch`; `None` when it has nothing that is
    /// replaced.
    #[inline]
    pub(super) fn params<'a>(
        &self,
        event: &Event<'a>,
        scratch: &'a mut Vec<u8>,
    ) -> Option<[&'a [u8]; MAX_PARAMS]> {
        if self.is_empty() { None } else { self.replaced(event, scratch) }
    }

    fn replaced<'a>(&self, event: &Event<'a>, scratch: &'a mut Vec<u8>) -> Option<[&'a [u8]; MAX_PARAMS]> {
        scratch.clear();
        let mut made: SmallVec<[(usize, usize); 4]> = SmallVec::new();
        let is_note =
            event.info().flags.contains(EventFlags::LARGE_PAYLOAD) || event.info().name == "container";
        for (i, (param, row)) in event.params.iter().zip(event.info().params).enumerate() {
            let before = scratch.len();
            match (row.name, row.ty) {
                _ if param.is_empty() => continue,
                ("args", _) if self.args => put_args(scratch, param),
                ("env", _) if self.env != Variables::None => self.put_env(scratch, param),
                ("data", ParamType::Bytebuf) if self.data => scratch.resize(before + param.len(), BYTE),
                ("json", _) if is_note && self.env != Variables::None => self.put_note(scratch, param),
                _ => continue,
            }
            made.push((i, before));
        }
        if made.is_empty() {
            return None;
        }
        let mut params: [&[u8]; MAX_PARAMS] = [&[]; MAX_PARAMS];
        for (to, from) in params.iter_mut().zip(event.params) {
            *to = from;
        }
        let scratch: &'a [u8] = scratch;
        let ends = made.iter().skip(1).map(|(_, start)| *start).chain([scratch.len()]);
        for ((i, start), end) in made.iter().zip(ends) {
            if let (Some(to), Some(bytes)) = (params.get_mut(*i), scratch.get(*start..end)) {
                *to = bytes;
            }
        }
        Some(params)
    }

    /// `thread` without its fds, as it is to be written.
    pub(super) fn thread(&self, thread: &Thread) -> Thread {
        Thread {
            comm: thread.comm.clone(),
            exe: thread.exe.clone(),
            exepath: thread.exepath.clone(),
            cwd: thread.cwd.clone(),
            root: thread.root.clone(),
            args: self.args(&thread.args),
            env: self.env(&thread.env),
            cgroups: Rc::clone(&thread.cgroups),
            fds: FdTable::default(),
            enter: EnterParams::default(),
            ..*thread
        }
    }

    /// A list of arguments, as it is to be written.
    pub(super) fn args(&self, args: &Rc<[u8]>) -> Rc<[u8]> {
        if !self.args || args.is_empty() {
            return Rc::clone(args);
        }
        let mut out = Vec::new();
        put_args(&mut out, args);
        out.into()
    }

    /// An environment, as it is to be written.
    pub(super) fn env(&self, env: &Rc<[u8]>) -> Rc<[u8]> {
        if self.env == Variables::None || env.is_empty() {
            return Rc::clone(env);
        }
        let mut out = Vec::new();
        self.put_env(&mut out, env);
        out.into()
    }

    /// What is known of a container, as it is to be written.
    pub(super) fn container<'a>(&self, container: &'a Container) -> Cow<'a, Container> {
        if self.env == Variables::None || container.env.is_empty() {
            return Cow::Borrowed(container);
        }
        let mut copy = container.clone();
        for variable in &mut copy.env {
            let mut out = Vec::new();
            self.put_variable(&mut out, variable);
            *variable = out.into();
        }
        Cow::Owned(copy)
    }

    fn put_env(&self, out: &mut Vec<u8>, env: &[u8]) {
        for variable in strings(env) {
            self.put_variable(out, variable);
            out.push(0);
        }
    }

    fn put_variable(&self, out: &mut Vec<u8>, variable: &[u8]) {
        let (name, value) = variable.split_once_str(b"=").unwrap_or((variable, b""));
        let is_hidden = match &self.env {
            Variables::None => false,
            Variables::All => true,
            Variables::Named(names) => names.iter().any(|hidden| hidden.as_bytes() == name),
        };
        if is_hidden && !value.is_empty() {
            out.extend_from_slice(name);
            out.push(b'=');
            out.extend_from_slice(REDACTED);
        } else {
            out.extend_from_slice(variable);
        }
    }

    /// A note about a container. One that is not understood is not written: nobody knows what is in it.
    fn put_note(&self, out: &mut Vec<u8>, note: &[u8]) {
        let Ok(mut json) = serde_json::from_slice::<serde_json::Value>(read_text(note)) else {
            out.extend_from_slice(b"{}\0");
            return;
        };
        if let Some(env) = json.pointer_mut("/container/env").and_then(serde_json::Value::as_array_mut) {
            for variable in env {
                let mut shown = Vec::new();
                self.put_variable(&mut shown, variable.as_str().unwrap_or_default().as_bytes());
                *variable = serde_json::Value::String(shown.to_str_lossy().into_owned());
            }
        }
        out.extend_from_slice(json.to_string().as_bytes());
        out.push(0);
    }
}

fn put_args(out: &mut Vec<u8>, args: &[u8]) {
    for _ in strings(args) {
        out.extend_from_slice(REDACTED);
        out.push(0);
    }
}

/// The strings of a list, of which each has a final NUL.
fn strings(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    read_text(list).split(|b| *b == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::EventType;

    fn redaction(fields: &[&str]) -> Redaction {
        let mut redaction = Redaction::default();
        for field in fields {
            assert!(redaction.add(field), "{field}");
        }
        redaction
    }

    #[test]
    fn fields_that_cannot_be_replaced_are_refused() {
        for wrong in ["proc.name", "proc.env[]", "proc.env[A", "", "evt.type"] {
            assert!(!Redaction::default().add(wrong), "{wrong}");
        }
        assert!(Redaction::default().is_empty() && !redaction(&["proc.env[A]"]).is_empty());
    }

    #[test]
    fn values_of_variables_are_replaced_and_names_stay() {
        let list: Rc<[u8]> = Rc::from(&b"A=secret\0B=x=y\0C=\0odd\0"[..]);
        assert_eq!(*redaction(&["proc.env"]).env(&list), *b"A=<redacted>\0B=<redacted>\0C=\0odd\0");
        assert_eq!(*redaction(&["proc.env[B]"]).env(&list), *b"A=secret\0B=<redacted>\0C=\0odd\0");
        assert!(Rc::ptr_eq(&redaction(&["proc.args"]).env(&list), &list));
        assert_eq!(*redaction(&["proc.args"]).args(&list), *b"<redacted>\0".repeat(4));
    }

    #[test]
    fn parameters_of_events_are_replaced() {
        let mut scratch = Vec::new();
        let info = EventType::SYSCALL_EXECVE_19_X.info().unwrap();
        let at = |name: &str| info.params.iter().position(|p| p.name == name).unwrap();
        let mut params: Vec<&[u8]> = vec![b"\0"; info.params.len()];
        (params[at("args")], params[at("env")]) = (b"-p\0secret\0", b"A=secret\0");
        let event_ = Event::sample(EventType::SYSCALL_EXECVE_19_X, &params);
        let found = redaction(&["proc.args", "proc.env"]).params(&event_, &mut scratch).unwrap();
        assert_eq!(found[at("args")], b"<redacted>\0<redacted>\0");
        assert_eq!((found[at("env")], found[0]), (&b"A=<redacted>\0"[..], &b"\0"[..]));
        let mut scratch = Vec::new();
        assert!(redaction(&["evt.buffer"]).params(&event_, &mut scratch).is_none());
        let params: [&[u8]; 2] = [&[6, 0, 0, 0, 0, 0, 0, 0], b"secret"];
        let read = Event::sample(EventType::SYSCALL_READ_X, &params);
        assert_eq!(
            redaction(&["evt.buffer"]).params(&read, &mut scratch).unwrap()[..2],
            [params[0], b"******"]
        );
    }

    #[test]
    fn notes_about_containers_have_environments_too() {
        let mut scratch = Vec::new();
        let params: [&[u8]; 1] = [b"{\"container\":{\"env\":[\"A=secret\"],\"id\":\"x\"}}\0"];
        let note = Event::sample(EventType::CONTAINER_JSON_2_E, &params);
        let found = redaction(&["proc.env"]).params(&note, &mut scratch).unwrap()[0];
        assert_eq!(found, b"{\"container\":{\"env\":[\"A=<redacted>\"],\"id\":\"x\"}}\0");
    }
}
