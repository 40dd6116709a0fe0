//! The table as a whole, and finding fields in it.

use super::*;
use crate::schema::{ParamFormat, ParamType, tables};

const EXPECTED: &str = include_str!("../../../data/fields.txt");

fn expected() -> impl Iterator<Item = Vec<&'static str>> {
    EXPECTED.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

#[test]
fn every_known_field_is_there_with_its_type() {
    for row in expected() {
        let [name, ty, format, ref rest @ ..] = row[..] else { panic!("{row:?}") };
        let field = all().find(|f| f.name == name).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(format!("{:?}", field.ty).eq_ignore_ascii_case(ty), "{name} is {:?}", field.ty);
        let format = if format == "10_PADDED_DEC" { "PaddedDec" } else { format };
        assert!(format!("{:?}", field.format).eq_ignore_ascii_case(format), "{name} is {:?}", field.format);
        assert_eq!(field.flags.contains(FieldFlags::LIST), rest.contains(&"list"), "{name}");
        // Where the original asks for an argument, its own output takes the field without one too.
        if name != "evt.abspath" {
            let arg = if rest.contains(&"arg") {
                Arg::Required
            } else if rest.contains(&"arg?") {
                Arg::Optional
            } else {
                Arg::None
            };
            assert_eq!(field.arg, arg, "{name}");
        }
    }
}

#[test]
fn every_field_is_known_and_stands_once_in_its_class() {
    let names: Vec<_> = expected().map(|row| row[0]).collect();
    let mut seen = std::collections::HashSet::new();
    for field in all() {
        assert!(names.contains(&field.name), "{} is not in data/fields.txt", field.name);
        assert!(seen.insert(field.name), "{} stands twice", field.name);
        let class = match field.class {
            Class::Evt | Class::EvtSyscall => &["evt.", "syscall."][..],
            Class::Process => &["proc.", "thread."],
            Class::User => &["user."],
            Class::Group => &["group."],
            Class::Container => &["container."],
            Class::Fd => &["fd."],
            Class::Syslog => &["syslog."],
            Class::Util => &["util."],
            Class::K8s => &["k8s."],
            Class::Mesos => &["mesos.", "marathon."],
            Class::Span => &["span."],
            Class::Evtin => &["evtin.span."],
            Class::FsPath => &["fs.path."],
            Class::Fdlist => &["fdlist."],
        };
        assert!(class.iter().any(|prefix| field.name.starts_with(prefix)), "{}", field.name);
        assert!(field.doc.ends_with('.') && field.doc.len() > 8, "{}: {}", field.name, field.doc);
    }
    assert_eq!(seen.len(), names.len());
}

#[test]
fn classes_follow_one_another() {
    let mut classes: Vec<Class> = Vec::new();
    for field in all() {
        if classes.last() != Some(&field.class) {
            assert!(!classes.contains(&field.class), "{} stands apart from its class", field.name);
            classes.push(field.class);
        }
    }
}

fn error(text: &str) -> FieldError {
    find(text).expect_err(text)
}

#[test]
fn fields_are_found_by_their_whole_text() {
    for text in [
        "evt.num",
        "proc.aname",
        "proc.aname[2]",
        "proc.env[PATH]",
        "proc.env.PATH",
        "evt.arg.fd",
        "evt.arg[0]",
    ] {
        assert!(find(text).is_ok(), "{text}");
    }
    let field = find("proc.aname[2]").unwrap();
    let arg = field.arg.unwrap();
    assert_eq!((field.field.name, arg.text.as_str(), arg.index), ("proc.aname", "2", Some(2)));
    assert_eq!(find("thread.cgroup.memory").unwrap().arg.unwrap().text, "memory");
    assert_eq!(find("evt.type.is.open").unwrap().field.name, "evt.type.is");
    assert_eq!(find("evt.type").unwrap().field.name, "evt.type");
}

#[test]
fn what_is_no_field_is_said_with_what_was_meant() {
    assert_eq!(
        error("proc.nam"),
        FieldError { kind: ErrorKind::Unknown("proc.nam".into()), nearest: Some("proc.name") }
    );
    assert_eq!(error("proc.names").nearest, Some("proc.name"));
    assert_eq!(error("evt.argz").kind, ErrorKind::Unknown("evt.argz".into()));
    assert_eq!(error("").kind, ErrorKind::Unknown(String::new()));
    assert_eq!(error("zzzzzzzzzzzz").nearest, None);
    assert_eq!(error("evt.arg").kind, ErrorKind::ArgumentMissing("evt.arg"));
    assert_eq!(error("proc.name[1]").kind, ErrorKind::ArgumentNotAllowed("proc.name"));
    assert_eq!(error("evt.arg.dirdf").kind, ErrorKind::UnknownEventArgument("dirdf".into()));
    assert_eq!(error("evt.arg.dirdf").nearest, Some("dirfd"));
    assert_eq!(error("evt.type.is.opn").nearest, Some("open"));
    assert!(matches!(error("proc.aname[x]").kind, ErrorKind::NotANumber { .. }));
    assert_eq!(error("proc.env[PATH").kind, ErrorKind::Unclosed("proc.env"));
    assert_eq!(error("proc.nam\u{e9}\u{20ac}").kind, ErrorKind::Unknown("proc.nam\u{e9}\u{20ac}".into()));
}

#[test]
fn templates_end_a_field_at_its_longest_name() {
    let used = |text: &str| find_prefix(text).map(|(field, used)| (field.field.name, used)).unwrap();
    assert_eq!(used("proc.name (x)"), ("proc.name", 9));
    assert_eq!(used("proc.name.x"), ("proc.name", 9));
    assert_eq!(used("proc.aname[2]x"), ("proc.aname", 13));
    assert_eq!(used("proc.args."), ("proc.args", 9));
    assert_eq!(used("evt.rawtime.s|"), ("evt.rawtime.s", 13));
    assert_eq!(used("evt.arg.name=1"), ("evt.arg", 12));
    assert_eq!(used("fd.nameraw"), ("fd.nameraw", 10));
}

#[test]
fn raw_arguments_have_the_type_of_the_parameter() {
    let field = find("evt.rawarg.res").unwrap();
    assert_eq!((field.ty, field.format), (ParamType::Errno, ParamFormat::Dec));
    let field = find("evt.arg.res").unwrap();
    assert_eq!(field.ty, ParamType::Charbuf);
    let arg = field.arg.unwrap();
    assert_eq!(arg.per_event.len(), tables::EVENTS.len());
    assert_eq!(arg.for_event(crate::schema::EventType::SYSCALL_READ_X), Some(0));
    assert_eq!(arg.for_event(crate::schema::EventType::SYSCALL_READ_E), None);
    assert_eq!(arg.for_event(crate::schema::EventType(u16::MAX)), None);
}
