//! Events that nobody looks at are passed by with a glance: what is shown of the others is the same as if all were
//! looked at.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use tracer::chisel::console::Console;
use tracer::chisel::requests::Run;
use tracer::chisel::script::{Script, Surroundings};
use tracer::chisel::{Catalog, Engine, Limits};
use tracer::fields::ExtractOptions;
use tracer::filter::Filter;
use tracer::output::template::Template;
use tracer::output::text::{Format, Lines};
use tracer::pipeline::{Pipeline, Rules};
use tracer::scap::{CaptureSource, ReadOptions};
use tracer::source::{LookUp, Next, Source, SourceCounts, SourceError};
use tracer::state::State;
use tracer::state::inspector::Inspector;

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

/// What is shown, how many events there were and passed, the time of the last, and how many were out of order.
fn shown(source: &mut dyn Source, rules: Rules, template: &str) -> (String, [u64; 4]) {
    let mut pipeline = Pipeline::new(rules);
    let mut inspector = Inspector::default();
    inspector.load(source).unwrap();
    let mut lines = Vec::new();
    let format = Format::Text(Template::parse(template).unwrap());
    let mut sink = Lines::new(&mut lines, format, ExtractOptions::default(), false);
    pipeline.run(source, &mut inspector, &mut sink, &AtomicBool::new(false)).unwrap();
    drop(sink);
    let totals = pipeline.totals();
    let counts = [totals.events, totals.passed, totals.last_ts, source.counts().late];
    (String::from_utf8_lossy(&lines).into_owned(), counts)
}

fn open(path: &Path) -> CaptureSource {
    CaptureSource::open(path, ReadOptions::default()).unwrap()
}

#[test]
fn what_is_shown_does_not_depend_on_what_is_passed_by() {
    for path in captures() {
        let (names, _) = shown(&mut open(&path), Rules::default(), "%proc.name %proc.pid");
        let threads: BTreeSet<(&str, &str)> =
            names.lines().filter_map(|line| line.rsplit_once(' ')).collect();
        let mut filters: Vec<String> = [
            "evt.type=mount",
            "evt.type in (read, close, clone)",
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
            for max_events in [None, Some(7)] {
                let filter = Filter::compile(&text).map_err(|e| e.to_string()).unwrap();
                let rules = Rules { filter: Some(filter), max_events, ..Rules::default() };
                let expected = shown(&mut Whole(open(&path)), rules.clone(), TEMPLATE);
                let got = shown(&mut open(&path), rules, TEMPLATE);
                assert!(got == expected, "{} {text} {max_events:?}", path.display());
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
const CHISELS: [&str; 13] = [
    "topprocs_cpu",
    "topfiles_bytes",
    "topconns",
    "topscalls",
    "spectrogram 1",
    "spectrogram",
    "subsecoffset 3",
    "heatmap 2",
    "vmstat 1",
    "iostat 1",
    "bottlenecks",
    "echo_fds",
    "spy_users",
];

#[test]
fn what_chisels_print_does_not_depend_on_what_is_passed_by() {
    for path in captures() {
        for line in CHISELS {
            for filter in ["", "not proc.name startswith s", "evt.type in (read, write, procinfo, futex)"] {
                let expected = printed(&mut Whole(open(&path)), line, filter);
                let got = printed(&mut open(&path), line, filter);
                assert!(got == expected, "{} {line} {filter}\n{}\n{}", path.display(), got.0, expected.0);
            }
        }
    }
}
