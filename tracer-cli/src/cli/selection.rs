//! Which events the kernel is to deliver: those that the filter can let through, and what the
//! fields that are asked for need besides.

use crate::fields::table::{Class, TimeMode};
use crate::fields::{ExtractOptions, Field};
use crate::filter::{EventSet, Filter};
use crate::schema::EventType;

/// The choice.
#[derive(Debug, Clone)]
pub struct Selection {
    events: EventSet,
    /// The time between enter and exit is asked for, so that enters are needed wherever exits are.
    needs_latency: bool,
    /// What is read and written is asked for.
    needs_data: bool,
}

impl Selection {
    /// The choice for a filter, `None` when all events count, and the fields that are shown.
    pub fn new<'a>(
        filter: Option<&Filter>,
        shown: impl Iterator<Item = &'a Field>,
        options: &ExtractOptions,
    ) -> Self {
        let is_latency = |field: &Field| {
            field.name.starts_with("evt.latency")
                || field.name == "evt.wait_latency"
                || (field.name == "evt.outputtime" && options.time == TimeMode::Delta)
        };
        let filter_fields = filter.map(Filter::fields).unwrap_or_default();
        let used: Vec<&Field> = shown.chain(filter_fields.iter().copied()).collect();
        Self {
            events: filter.map_or_else(EventSet::all, |filter| filter.event_types().clone()),
            needs_latency: used.iter().copied().any(is_latency),
            needs_data: used.iter().copied().any(reads_data),
        }
    }

    /// Whether events of this type are to be delivered; of generic events, those of the system call
    /// with this code in the schema's numbering.
    pub fn wants(&self, ty: EventType, code: u16) -> bool {
        self.shows(ty, code) || (self.needs_latency && ty.is_enter() && self.shows(ty.exit(), code))
    }

    fn shows(&self, ty: EventType, code: u16) -> bool {
        match ty {
            EventType::GENERIC_E | EventType::GENERIC_X => self.events.contains_call(ty.is_enter(), code),
            ty => self.events.contains_type(ty),
        }
    }

    /// Whether the contents of buffers are wanted: copying them is the dearest part of a record.
    pub fn wants_data(&self) -> bool {
        self.needs_data
    }

    /// Whether somebody asks how long calls take.
    pub fn wants_latency(&self) -> bool {
        self.needs_latency
    }

    /// Whether any enter event of a system call is wanted.
    pub fn wants_enter(&self, filter: Option<&Filter>) -> bool {
        self.needs_latency || filter.is_none_or(Filter::needs_enter)
    }
}

/// Whether a field can depend on the data of a read or a write.
fn reads_data(field: &Field) -> bool {
    match field.class {
        Class::Process | Class::User | Class::Group | Class::Fd | Class::FsPath | Class::Evt => false,
        Class::Container | Class::K8s | Class::Mesos | Class::Span | Class::Evtin | Class::Util => false,
        Class::EvtSyscall => {
            ["evt.arg", "evt.rawarg", "evt.info", "evt.buf"].iter().any(|p| field.name.starts_with(p))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields;
    use crate::schema::names;

    fn selection(filter: &str, shown: &[&str], time: TimeMode) -> (Selection, bool) {
        let filter = match filter {
            "" => None,
            text => match Filter::compile(text) {
                Ok(filter) => Some(filter),
                Err(e) => panic!("{e}"),
            },
        };
        let options = ExtractOptions { time, ..ExtractOptions::default() };
        let shown: Vec<&Field> = shown.iter().map(|name| fields::find(name).unwrap().field).collect();
        let selection = Selection::new(filter.as_ref(), shown.into_iter(), &options);
        let enter = selection.wants_enter(filter.as_ref());
        (selection, enter)
    }

    const OPENAT_E: EventType = EventType::SYSCALL_OPENAT_2_E;
    const OPENAT_X: EventType = EventType::SYSCALL_OPENAT_2_X;
    const CLOSE_X: EventType = EventType::SYSCALL_CLOSE_X;

    #[test]
    fn without_a_filter_everything_is_wanted() {
        let (all, enter) = selection("", &["evt.num"], TimeMode::Hour);
        assert!(enter && all.wants(OPENAT_E, 0) && all.wants(CLOSE_X, 0));
        assert!(all.wants(EventType::GENERIC_X, 5));
    }

    #[test]
    fn what_the_filter_refuses_by_type_is_not_wanted() {
        let (some, enter) = selection("evt.type=openat and evt.dir=<", &["evt.num"], TimeMode::Hour);
        assert!(!enter && !some.wants(OPENAT_E, 0) && some.wants(OPENAT_X, 0));
        assert!(!some.wants(CLOSE_X, 0) && !some.wants(EventType::GENERIC_X, 5));
    }

    #[test]
    fn latencies_need_the_enters_of_what_is_shown() {
        for (filter, shown, time) in [
            ("evt.type=openat and evt.dir=<", "evt.latency", TimeMode::Hour),
            ("evt.type=openat and evt.dir=<", "evt.outputtime", TimeMode::Delta),
            ("evt.type=openat and evt.dir=< and evt.latency>5", "evt.num", TimeMode::Hour),
        ] {
            let (some, enter) = selection(filter, &[shown], time);
            assert!(enter && some.wants(OPENAT_E, 0) && some.wants(OPENAT_X, 0), "{filter} {shown}");
            assert!(!some.wants(EventType::SYSCALL_CLOSE_E, 0), "{filter} {shown}");
        }
    }

    #[test]
    fn data_is_copied_for_those_who_look_at_it() {
        for (filter, shown, wanted) in [
            ("", "evt.info", true),
            ("", "evt.args", true),
            ("evt.buffer contains SELECT", "proc.name", true),
            ("evt.arg.data contains x", "proc.name", true),
            ("fd.name contains log", "proc.name", false),
            ("evt.rawres > 0", "evt.outputtime", false),
        ] {
            let (some, _) = selection(filter, &[shown], TimeMode::Hour);
            assert_eq!(some.wants_data(), wanted, "{filter} {shown}");
        }
    }

    #[test]
    fn generic_events_are_chosen_by_system_call() {
        let code = names::syscall_by_name("sysinfo").unwrap();
        let (some, _) = selection("evt.type=sysinfo and evt.dir=<", &[], TimeMode::Hour);
        assert!(some.wants(EventType::GENERIC_X, code) && !some.wants(EventType::GENERIC_E, code));
        assert!(!some.wants(EventType::GENERIC_X, code + 1));
    }
}
