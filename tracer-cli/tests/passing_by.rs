//! Events that nobody looks at are passed by with a glance: what is shown of the others is the same as if all were
//! looked at.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use tracer::chisel::console::Console;
use tracer::chisel::requests::Run;
use tracer::chisel::script::{Script, Surroundings};
use tracer::chisel::{Catalog, Engine, Limits};
use tracer::fields::{self, Arg, ExtractOptions, Field, FieldFlags};
use tracer::filter::Filter;
use tracer::output::template::Template;
use tracer::output::text::{Format, Lines};
use tracer::pipeline::{Pipeline, Rules};
use tracer::scap::{CaptureSource, ReadOptions};
use tracer::schema::{EventType, TypeSet};
use tracer::sink::{Sink, Tee};
use tracer::source::{LookUp, Next, Source, SourceCounts, SourceError};
use tracer::state::inspector::Inspector;
use tracer::state::{Context, State};

/// Larger captures take too long without optimisation.
const MOST_BYTES: u64 = 24 << 10;

/// Among others what depends on the events that came before.
const TEMPLATE: &str = "*%evt.num %evt.time %evt.latency %evt.deltatime %proc.name %thread.tid %evt.type %fd.num \
    %fd.name %thread.exectime %thread.totexectime %thread.cpu %thread.cpu.user %thread.vmsize %evt.info";

/// Hands out every event.
struct Whole(CaptureSource);

impl Source for Whole {
    fn load_state(&mut self, state: &mut State) -> Result<(), SourceError> {
        self.0.load_state(state)
    }

    fn next(&mut self) -> Result<Next<'_>, SourceError> {
        self.0.next()
    }

    fn stop(&mut self) {
        self.0.stop();
    }

    fn counts(&mut self) -> SourceCounts {
        self.0.counts()
    }

    fn look_up(&self) -> LookUp {
        self.0.look_up()
    }
}

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    files
        .filter(|file| file.metadata().unwrap().len() <= MOST_BYTES && file.file_name() != "README.md")
        .map(|file| file.path())
        .collect()
}

/// Shows nothing and looks at everything.
struct Curious;

impl Sink for Curious {
    fn event(&mut self, _: &Context<'_>) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Does nothing with events of some types, whether they are refused or not.
struct Indifferent<S> {
    to: TypeSet,
    sink: S,
}

impl<S: Sink> Sink for Indifferent<S> {
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        if self.to.contains(context.event.ty) { Ok(()) } else { self.sink.event(context) }
    }

    fn unwanted(&self) -> TypeSet {
        self.to
    }

    fn sees_usage(&self) -> bool {
        self.sink.sees_usage()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.sink.finish()
    }
}

fn open(path: &Path) -> CaptureSource {
    CaptureSource::open(path, ReadOptions::default()).unwrap()
}

fn run(source: &mut dyn Source, rules: Rules, sink: &mut dyn Sink) -> [u64; 4] {
    let mut pipeline = Pipeline::new(rules);
    let mut inspector = Inspector::default();
    inspector.load(source).unwrap();
    pipeline.run(source, &mut inspector, sink, &AtomicBool::new(false)).unwrap();
    let totals = pipeline.totals();
    [totals.events, totals.passed, totals.last_ts, source.counts().late]
}

/// What is shown, how many events there were and passed, the time of the last, and how many were out of order: with what
/// can be passed by, and with every event looked at.
fn shown(path: &Path, rules: &Rules, template: &str, unwanted: TypeSet) -> [(String, [u64; 4]); 2] {
    shown_of(&|| open(path), rules, template, unwanted)
}

/// The same of the captures that `open` opens.
fn shown_of(
    open: &dyn Fn() -> CaptureSource,
    rules: &Rules,
    template: &str,
    unwanted: TypeSet,
) -> [(String, [u64; 4]); 2] {
    let text = |run: &mut dyn FnMut(&mut dyn Sink) -> [u64; 4]| {
        let mut lines = Vec::new();
        let format = Format::Text(Template::parse(template).unwrap());
        let mut sink = Lines::new(&mut lines, format, ExtractOptions::default(), false);
        let counts = run(&mut sink);
        drop(sink);
        (String::from_utf8_lossy(&lines).into_owned(), counts)
    };
    let rest = text(&mut |sink| match unwanted == TypeSet::default() {
        true => run(&mut open(), rules.clone(), sink),
        false => run(&mut open(), rules.clone(), &mut Indifferent { to: unwanted, sink }),
    });
    // The pipeline is not told here what is unwanted.
    let all = text(&mut |sink| {
        run(&mut Whole(open()), rules.clone(), &mut Tee(Indifferent { to: unwanted, sink }, Curious))
    });
    [rest, all]
}

/// The fields whose values do not depend on what threads use of CPUs and memory.
fn without_usage() -> String {
    let others = |field: &&Field| {
        field.arg != Arg::Required && !field.flags.intersects(FieldFlags::USAGE | FieldFlags::FILTER_ONLY)
    };
    let columns = fields::all().filter(others).map(|field| format!(" %{}", field.name));
    format!("*{}", columns.collect::<String>())
}

#[test]
fn what_is_shown_does_not_depend_on_what_is_passed_by() {
    let without_usage = without_usage();
    for path in captures() {
        let [(names, _), _] = shown(&path, &Rules::default(), "%proc.name %proc.pid", TypeSet::default());
        let threads: BTreeSet<(&str, &str)> =
            names.lines().filter_map(|line| line.rsplit_once(' ')).collect();
        let mut filters: Vec<String> = [
            "evt.type=mount",
            "evt.type in (read, close, clone)",
            "evt.type=switch and evt.latency>=0",
            "evt.dir=> and evt.type!=switch",
            "evt.dir=< and not proc.name startswith s",
            "evt.type=switch or proc.exe contains sh",
            "proc.name=nobody or proc.exepath=/bin/none",
            "fd.num=3 and proc.name!=cat",
            "thread.cpu > 0",
        ]
        .map(str::to_owned)
        .to_vec();
        for (name, pid) in threads.iter().take(3) {
            filters.push(format!("proc.name='{name}'"));
            filters.push(format!("proc.pid={pid} and evt.latency>0"));
            filters.push(format!("not (proc.name='{name}' or evt.type=write)"));
        }
        for text in filters {
            let filter = Some(Filter::compile(&text).map_err(|e| e.to_string()).unwrap());
            for (template, max_events) in [(TEMPLATE, None), (TEMPLATE, Some(7)), (&without_usage, None)] {
                let rules = Rules { filter: filter.clone(), max_events, ..Rules::default() };
                let [got, expected] = shown(&path, &rules, template, TypeSet::default());
                assert!(got == expected, "{} {text} {template} {max_events:?}", path.display());
            }
        }
    }
}

/// The same capture with its events given to a few of its threads and one that is not known, by chance: programs begin
/// and threads start and end in the middle of calls of others.
fn shuffled(path: &Path, mut seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut events = Vec::new();
    let mut at = 0;
    while at + 8 <= bytes.len() {
        match word(&bytes, at) {
            0x204 | 0x216 | 0x221 => events.push(at + 8 + 2 + 8),
            0x208 | 0x217 | 0x222 => events.push(at + 8 + 6 + 8),
            _ => {}
        }
        at += word(&bytes, at + 4) as usize;
    }
    let mut tids: Vec<[u8; 8]> = events.iter().map(|at| bytes[*at..at + 8].try_into().unwrap()).collect();
    tids.sort_unstable();
    tids.dedup();
    let mut draw = |most: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % most
    };
    let mut few: Vec<[u8; 8]> = (0..6).map(|_| tids[draw(tids.len())]).collect();
    few.push(123_456_789_i64.to_le_bytes());
    let mut tid = few[0];
    for at in events {
        if draw(3) == 0 {
            tid = few[draw(few.len())];
        }
        bytes[at..at + 8].copy_from_slice(&tid);
    }
    bytes
}

#[test]
fn nor_does_it_when_threads_change_all_the_time() {
    let mut lines = 0;
    for path in captures().iter().filter(|path| path.extension().is_some_and(|end| end == "gz")) {
        for seed in 1..4 {
            let bytes = shuffled(path, u64::MAX / seed);
            let open = || CaptureSource::of_reader("shuffled", Cursor::new(bytes.clone())).unwrap();
            let all = Rules::default();
            let [(names, _), _] = shown_of(&open, &all, "%proc.name", TypeSet::default());
            let names: BTreeSet<&str> = names.lines().filter(|name| *name != "<NA>").collect();
            let mut filters =
                vec!["evt.type=close".to_owned(), "evt.dir=< and not proc.name exists".to_owned()];
            for name in names.iter().take(3) {
                filters.push(format!("proc.name='{name}'"));
                filters.push(format!("proc.name!='{name}' and evt.type in (read, close, syscall, execve)"));
            }
            for text in filters {
                let filter = Some(Filter::compile(&text).map_err(|e| e.to_string()).unwrap());
                let display_filter =
                    Some(Filter::compile("evt.latency>0").map_err(|e| e.to_string()).unwrap());
                for display_filter in [None, display_filter] {
                    let rules = Rules { filter: filter.clone(), display_filter, ..Rules::default() };
                    let [got, expected] = shown_of(&open, &rules, TEMPLATE, TypeSet::default());
                    assert!(got == expected, "{} {seed} {text}", path.display());
                    lines += got.0.lines().count();
                }
            }
        }
    }
    assert!(lines > 1000, "{lines} lines");
}

#[test]
fn what_comes_after_the_end_of_a_thread_is_of_none() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures/bencer_example0_nginx-e3a0456.scap.gz");
    let filter = Filter::compile("evt.type=switch and not proc.name exists").map_err(|e| e.to_string());
    let rules = Rules { filter: Some(filter.unwrap()), ..Rules::default() };
    let [got, expected] = shown(&path, &rules, "%evt.num %thread.tid", TypeSet::default());
    assert_eq!(got, expected);
    assert!(!got.0.is_empty());
}

#[test]
fn nor_on_what_a_sink_does_not_want() {
    let without_usage = without_usage();
    let sets: [fn(EventType) -> bool; 3] = [
        EventType::is_enter,
        |ty| ty != EventType::SYSCALL_CLOSE_X,
        |ty| matches!(ty, EventType::PROCINFO_E | EventType::SCHEDSWITCH_6_E | EventType::SYSCALL_READ_X),
    ];
    for path in captures() {
        for (i, unwanted) in sets.into_iter().map(TypeSet::of).enumerate() {
            for text in ["", "evt.type in (close, open, switch, procinfo)", "proc.name contains a"] {
                let filter =
                    (!text.is_empty()).then(|| Filter::compile(text).map_err(|e| e.to_string()).unwrap());
                for template in [TEMPLATE, &without_usage] {
                    let rules = Rules { filter: filter.clone(), ..Rules::default() };
                    let [got, expected] = shown(&path, &rules, template, unwanted);
                    assert!(got == expected, "{} {i} {text} {template}", path.display());
                }
            }
        }
    }
}

/// Keeps what is printed.
#[derive(Clone, Default)]
struct Paper(Rc<RefCell<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a chisel prints about a capture, with the filter of a command line, and the counts of [`shown`].
fn printed(source: &mut dyn Source, line: &str, filter: &str) -> (String, [u64; 4]) {
    let paper = Paper::default();
    let surroundings = Surroundings {
        catalog: Rc::new(Catalog::new(Vec::new())),
        run: Rc::new(Run {
            is_terminal: true,
            terminal_size: Some((80, 25)),
            filter: RefCell::new(filter.to_owned()),
            ..Run::default()
        }),
        console: Rc::new(RefCell::new(Console::new(Box::new(paper.clone()), false))),
        limits: Limits::default(),
    };
    let mut words = line.split(' ');
    let script = Script::load(words.next().unwrap(), &surroundings).unwrap();
    let args = words.map(From::from).collect();
    let fail = |error: &_| panic!("{error}");
    let mut engine =
        Engine::new(vec![(script, args)], surroundings, ExtractOptions::default(), fail).unwrap();
    let filter = engine.global_filter();
    let filter = (!filter.is_empty()).then(|| Filter::compile(&filter).map_err(|e| e.to_string()).unwrap());
    let mut pipeline = Pipeline::new(Rules { filter, ..Rules::default() });
    let mut inspector = Inspector::default();
    inspector.load(source).unwrap();
    engine.start(&inspector.state);
    pipeline.run(source, &mut inspector, &mut engine, &AtomicBool::new(false)).unwrap();
    let totals = pipeline.totals();
    engine.end(&inspector.state, totals).unwrap();
    let counts = [totals.events, totals.passed, totals.last_ts, source.counts().late];
    let printed = paper.0.borrow();
    (String::from_utf8_lossy(&printed).into_owned(), counts)
}

/// Some want few events, some only the time of most, some count without Lua, some look at all.
const CHISELS: [(&str, &str); 16] = [
    ("topprocs_cpu", ""),
    ("topprocs_cpu", "not proc.name startswith s"),
    ("topprocs_cpu", "evt.type in (read, write, procinfo, futex)"),
    ("topfiles_bytes", ""),
    ("topconns", ""),
    ("topscalls", ""),
    ("topscalls", "evt.type in (open, openat, close, switch)"),
    ("spectrogram 1", ""),
    ("spectrogram", "not proc.name startswith s"),
    ("subsecoffset 3", ""),
    ("heatmap 2", ""),
    ("vmstat 1", ""),
    ("iostat 1", ""),
    ("bottlenecks", ""),
    ("echo_fds", ""),
    ("spy_users", ""),
];

#[test]
fn what_chisels_print_does_not_depend_on_what_is_passed_by() {
    for path in captures() {
        for (line, filter) in CHISELS {
            let expected = printed(&mut Whole(open(&path)), line, filter);
            let got = printed(&mut open(&path), line, filter);
            assert!(got == expected, "{} {line} {filter}\n{}\n{}", path.display(), got.0, expected.0);
        }
    }
}
