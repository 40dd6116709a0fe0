//! `-l`, `--list-markdown` and `-L`: the fields and the events, from the tables that also make them work.

use crate::fields::{self, Arg, Class, Field, FieldFlags};
use crate::filter;
use crate::schema::{self, EventInfo, EventType, ParamType, Status, tables};
use std::io::{self, Write};

/// Columns of the whole listing.
const WIDTH: usize = 120;
/// Column at which descriptions start.
const INDENT: usize = 30;

/// How the fields are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// For people, under the headings of their classes.
    Text { with_types: bool },
    /// A table for each class.
    Markdown,
    /// For programs, one object a line.
    Json,
}

/// The classes that have listed fields, in the order of the list.
const CLASSES: [Class; 12] = [
    Class::Evt,
    Class::EvtSyscall,
    Class::Process,
    Class::User,
    Class::Group,
    Class::Container,
    Class::Fd,
    Class::FsPath,
    Class::Syslog,
    Class::Fdlist,
    Class::K8s,
    Class::Mesos,
];

/// Writes every field that can be used, class by class.
///
/// # Errors
/// What `out` reports.
pub fn fields(out: &mut dyn Write, listing: Listing) -> io::Result<()> {
    for class in CLASSES {
        let hidden = FieldFlags::PRINT_ONLY | FieldFlags::TABLE_ONLY;
        let rows = fields::all().filter(|f| f.class == class && !f.flags.intersects(hidden));
        let (name, doc) = describe(class);
        match listing {
            Listing::Text { .. } => {
                writeln!(out, "\n-------------------------------")?;
                write_row(out, "Field Class:", name)?;
                write_row(out, "Description:", doc)?;
                writeln!(out)?;
            }
            Listing::Markdown => {
                writeln!(out, "## Field Class: {name}\n\n{doc}\n")?;
                writeln!(out, "Name | Type | Description\n:----|:-----|:-----------")?;
            }
            Listing::Json => {}
        }
        for field in rows {
            match listing {
                Listing::Text { with_types } => {
                    let ty =
                        if with_types { format!("(Type: {}) ", type_name(field.ty)) } else { String::new() };
                    write_row(out, field.name, &format!("{ty}{}{}", tags(field), field.doc))?;
                }
                Listing::Markdown => {
                    let doc = field.doc.replace('|', "\\|");
                    writeln!(out, "`{}` | {} | {}{doc}", field.name, type_name(field.ty), tags(field))?;
                }
                Listing::Json => writeln!(out, "{}", describe_json(field))?,
            }
        }
        if listing == Listing::Markdown {
            writeln!(out)?;
        }
    }
    Ok(())
}

/// What is special about a field, in brackets with a blank behind, or nothing.
fn tags(field: &Field) -> String {
    let tags: Vec<&str> = [
        (field.flags.contains(FieldFlags::FILTER_ONLY), "FILTER_ONLY"),
        (field.flags.contains(FieldFlags::DEPRECATED), "DEPRECATED"),
        (field.arg == Arg::Required, "ARG_REQUIRED"),
        (field.arg == Arg::Optional, "ARG_ALLOWED"),
    ]
    .into_iter()
    .filter_map(|(applies, tag)| applies.then_some(tag))
    .collect();
    if tags.is_empty() { String::new() } else { format!("({}) ", tags.join(",")) }
}

fn describe_json(field: &Field) -> serde_json::Value {
    serde_json::json!({
        "name": field.name,
        "class": describe(field.class).0,
        "type": type_name(field.ty),
        "argument": match field.arg {
            Arg::None => "none",
            Arg::Optional => "optional",
            Arg::Required => "required",
        },
        "list": field.flags.contains(FieldFlags::LIST),
        "filter_only": field.flags.contains(FieldFlags::FILTER_ONLY),
        "deprecated": field.flags.contains(FieldFlags::DEPRECATED),
        "operators": filter::operators_of(field).map(|op| op.word()).collect::<Vec<_>>(),
        "description": field.doc,
    })
}

/// A name of a field or class and its description.
fn write_row(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    write_beside(out, name, text, INDENT, WIDTH)
}

/// A name and beside it, from column `indent` on, a text that is broken between words to lines of
/// `width` columns.
pub(super) fn write_beside(
    out: &mut dyn Write,
    name: &str,
    text: &str,
    indent: usize,
    width: usize,
) -> io::Result<()> {
    write!(out, "{name:indent$}")?;
    let mut column = indent;
    if name.len() >= indent && !name.is_empty() {
        write!(out, "\n{:indent$}", "")?;
    }
    for (i, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if i > 0 && column + 1 + length > width {
            write!(out, "\n{:indent$}", "")?;
            column = indent;
        } else if i > 0 {
            write!(out, " ")?;
            column += 1;
        }
        write!(out, "{word}")?;
        column += length;
    }
    writeln!(out)
}

fn describe(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Evt => ("evt (All event types)", "What every event has: its number, its time, its type."),
        Class::EvtSyscall => (
            "evt (Syscall events only)",
            "What system calls have: arguments, results and how long they took. Each argument is also a \
             field of its own, such as evt.arg.name.",
        ),
        Class::Process => ("process", "The process and the thread that made the event, and their ancestors."),
        Class::User => ("user", "The user who runs the program."),
        Class::Group => ("group", "The group the program runs as."),
        Class::Container => ("container", "The container the program runs in."),
        Class::Syslog => ("syslog", "Messages that programs send to the system log."),
        Class::Util => ("util", "Counting."),
        Class::K8s => ("k8s", "The Kubernetes pod the program runs in."),
        Class::Mesos => ("mesos", "The Mesos task the program runs in."),
        Class::Span => ("span", "Stretches that programs marked in themselves."),
        Class::Evtin => ("evtin", "The marked stretches that an event falls into."),
        Class::Fd => ("fd", "The file, socket or other descriptor the event is about."),
        Class::FsPath => {
            ("fs.path", "The paths that a system call works on, whichever of its arguments they are.")
        }
        Class::Fdlist => ("fdlist", "The descriptors that poll and its like wait for."),
    }
}

/// Writes every event that probes emit, with its parameters, then the system calls that have no
/// event of their own.
///
/// # Errors
/// What `out` reports.
pub fn events(out: &mut dyn Write) -> io::Result<()> {
    let is_generic = |ty: EventType| matches!(ty, EventType::GENERIC_E | EventType::GENERIC_X);
    for event in tables::EVENTS {
        // Iterators list what exists; nothing happens there.
        if event.status == Status::Current && event.class != schema::Class::Iter && !is_generic(event.ty) {
            write_event(out, event, event.name)?;
        }
    }
    let calls = tables::SYSCALLS_X86_64.iter().chain(tables::SYSCALLS_IA32).flatten();
    let mut generic: Vec<&str> = calls.filter(|call| is_generic(call.enter)).map(|call| call.name).collect();
    generic.sort_unstable();
    generic.dedup();
    for name in generic {
        for ty in [EventType::GENERIC_E, EventType::GENERIC_X] {
            if let Some(event) = ty.info() {
                write_event(out, event, name)?;
            }
        }
    }
    Ok(())
}

fn write_event(out: &mut dyn Write, event: &EventInfo, name: &str) -> io::Result<()> {
    let direction = if event.ty.is_enter() { '>' } else { '<' };
    write!(out, "{direction} {name}(")?;
    for (i, param) in event.params.iter().enumerate() {
        let separator = if i > 0 { ", " } else { "" };
        write!(out, "{separator}{} {}", type_name(param.ty), param.name)?;
    }
    writeln!(out, ")")
}

/// `UINT64`, the schema's name of a type.
fn type_name(ty: schema::ParamType) -> String {
    match ty {
        ParamType::CharbufArray => "CHARBUF_ARRAY".to_owned(),
        ParamType::CharbufPairArray => "CHARBUF_PAIR_ARRAY".to_owned(),
        // The variants have the schema's names in another case.
        ty => format!("{ty:?}").to_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_have_typed_parameters() {
        let list = text(events);
        assert!(
            list.lines().any(|l| l == "< close(ERRNO res)" || l.starts_with("< close(ERRNO res, ")),
            "{list}"
        );
        assert!(list.contains("< sysinfo(SYSCALLID ID"), "generic calls are listed by name");
        for absent in ["NA1(", "> syscall(", "> pread64(", "> sched_switch(", "> task("] {
            assert!(!list.contains(absent), "{absent}");
        }
    }

    #[test]
    fn fields_stand_under_their_class() {
        let list = text(|out| fields(out, Listing::Text { with_types: false }));
        let process = list.find("process\n").unwrap();
        assert!(process < list.find("\nproc.name ").unwrap());
        assert!(list.find("\nevt.num ").unwrap() < process);
        assert!(list.lines().all(|l| l.chars().count() <= WIDTH), "{list}");
        assert!(!list.contains("(Type:"));
    }

    #[test]
    fn types_are_listed_on_demand() {
        let list = text(|out| fields(out, Listing::Text { with_types: true }));
        assert!(list.lines().any(|l| l.starts_with("evt.num ") && l.contains("(Type: UINT64)")));
    }

    #[test]
    fn all_forms_list_the_same_fields() {
        let plain = text(|out| fields(out, Listing::Text { with_types: false }));
        let is_name = |l: &&str| l.contains('.') && !l.starts_with(' ') && !l.starts_with("Field");
        let names: Vec<&str> =
            plain.lines().filter(is_name).filter_map(|l| l.split_whitespace().next()).collect();
        assert!(names.len() > 200, "{names:?}");
        let markdown = text(|out| fields(out, Listing::Markdown));
        let cells: Vec<&str> =
            markdown.lines().filter_map(|l| l.strip_prefix('`')?.split('`').next()).collect();
        assert_eq!(cells, names.iter().filter(|n| **n != "Description:").copied().collect::<Vec<_>>());
        let json = text(|out| fields(out, Listing::Json));
        let objects: Vec<serde_json::Value> =
            json.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert!(objects.iter().map(|o| o["name"].as_str().unwrap()).eq(cells));
        let port = objects.iter().find(|o| o["name"] == "fd.port").unwrap();
        assert_eq!((port["type"].as_str(), port["filter_only"].as_bool()), (Some("PORT"), Some(true)));
        let types = objects.iter().find(|o| o["name"] == "fd.types").unwrap();
        assert_eq!(types["operators"], serde_json::json!(["exists", "in", "intersects"]));
    }

    #[test]
    fn descriptions_are_broken_between_words() {
        let list = text(|out| write_row(out, "a.name", &"word ".repeat(40)));
        let lines: Vec<_> = list.lines().collect();
        assert_eq!(lines[0].len(), INDENT + 18 * 5 - 1);
        assert!(lines[1].starts_with(&format!("{:INDENT$}word word", "")));
    }
}
