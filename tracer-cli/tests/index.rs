//! What is shown of a capture is the same with an index, without one, and with several threads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use tracer::fields::{self, Arg, Class, ExtractOptions, FieldFlags};
use tracer::filter::Filter;
use tracer::output::template::Template;
use tracer::output::text::{Format, Lines};
use tracer::parallel::Work;
use tracer::pipeline::{Pipeline, Rules};
use tracer::scap::{
    self, CaptureSource, CaptureWriter, Codec, Found, Granularity, IndexedCapture, PortionSource,
    ReadOptions, Ring, RingSize, WriteOptions,
};
use tracer::source::Source;
use tracer::state::inspector::Inspector;
use tracer::window::{Bound, Window};

/// A frame is a few events, and nearly each begins with a checkpoint.
const FINE: Granularity =
    Granularity { frame: 4 << 10, part: 8 << 10, checkpoint: 8 << 10, to_state: 0, to_checkpoint: 0 };

/// A file that goes away with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("tracer-index-{name}-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        let mut index = self.0.clone().into_os_string();
        index.push(".idx");
        let _ = std::fs::remove_file(index);
    }
}

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| !path.ends_with("README.md")).collect();
    files.sort();
    files
}

fn capture(name: &str) -> PathBuf {
    captures().into_iter().find(|path| path.to_string_lossy().contains(name)).unwrap()
}

/// Writes a capture again, not compressed, and makes an index beside it.
fn indexed(capture: &Path, name: &str) -> (Scratch, Arc<IndexedCapture>) {
    let copy = Scratch::new(name);
    rewrite(capture, &copy.0, Codec::None);
    scap::write_beside(&copy.0, FINE).unwrap();
    let found = find(&copy.0);
    (copy, found)
}

fn rewrite(from: &Path, to: &Path, codec: Codec) {
    join(&[from.to_owned()], to, codec);
}

/// Writes captures again, into one file.
fn join(from: &[PathBuf], to: &Path, codec: Codec) {
    write(from, WriteOptions { path: to.to_owned(), codec, overwrite: true, ..WriteOptions::default() });
}

fn write(from: &[PathBuf], options: WriteOptions) {
    let mut writer = CaptureWriter::new(options).unwrap();
    let mut source = scap::open(from, &ReadOptions::default()).unwrap();
    let mut inspector = Inspector::default();
    source.load_state(&mut inspector.state).unwrap();
    let mut pipeline = Pipeline::new(Rules::default());
    pipeline.run(source.as_mut(), &mut inspector, &mut writer, &AtomicBool::new(false)).unwrap();
}

fn find(path: &Path) -> Arc<IndexedCapture> {
    match IndexedCapture::find(path).unwrap() {
        Found::Index(capture) => Arc::new(*capture),
        Found::Nothing => panic!("no index of {}", path.display()),
        Found::Stale(index) => panic!("{} is stale", index.display()),
    }
}

fn template(text: &str) -> Format {
    match Template::parse(text) {
        Ok(template) => Format::Text(template),
        Err(e) => panic!("{e}"),
    }
}

/// Every field that can be printed without an argument.
fn all_fields() -> Format {
    let mut text = String::from("*%evt.num");
    for field in fields::all() {
        let is_printable = !field.flags.contains(FieldFlags::FILTER_ONLY)
            && field.arg != Arg::Required
            && field.class != Class::Util;
        if is_printable {
            text.push('\u{1f}');
            text.push_str(field.name);
            text.push_str("=%");
            text.push_str(field.name);
        }
    }
    template(&text)
}

fn rules(filter: &str, window: Option<Window>) -> Rules {
    let filter = (!filter.is_empty()).then(|| match Filter::compile(filter) {
        Ok(filter) => filter,
        Err(e) => panic!("{filter}: {e}"),
    });
    Rules { filter, window, ..Rules::default() }
}

fn run(source: &mut dyn Source, rules: Rules, format: &Format) -> Vec<u8> {
    let mut out = Vec::new();
    let mut inspector = Inspector::default();
    source.load_state(&mut inspector.state).unwrap();
    let mut lines = Lines::new(&mut out, format.clone(), ExtractOptions::default(), false);
    Pipeline::new(rules).run(source, &mut inspector, &mut lines, &AtomicBool::new(false)).unwrap();
    drop(lines);
    out
}

/// What is printed by reading everything, with the index, and by two threads, which are to be the same.
fn compare(
    path: &Path,
    capture: &Arc<IndexedCapture>,
    filter: &str,
    window: Option<Window>,
    format: &Format,
) {
    let rules = rules(filter, window);
    let whole = run(&mut CaptureSource::open(path, ReadOptions::default()).unwrap(), rules.clone(), format);
    let portions = |split| {
        let may = |frame: &scap::Frame| rules.filter.as_ref().is_none_or(|filter| filter.may_match(frame));
        capture.portions(window.as_ref(), may, split)
    };
    let mut source = PortionSource::new(Arc::clone(capture), portions(None));
    let skipping = run(&mut source, rules.clone(), format);
    same(&whole, &skipping, &format!("{filter} {window:?}, one thread"));
    let mut shared = Vec::new();
    let work = Work {
        capture: Arc::clone(capture),
        rules: rules.clone(),
        format: Some(format.clone()),
        options: ExtractOptions::default(),
        threads: 2,
    };
    let (_, result) = work.run(portions(Some(1)), &mut shared, &AtomicBool::new(false));
    result.unwrap();
    same(&whole, &shared, &format!("{filter} {window:?}, two threads"));
}

fn same(wanted: &[u8], found: &[u8], what: &str) {
    if wanted == found {
        return;
    }
    let (wanted, found) = (String::from_utf8_lossy(wanted), String::from_utf8_lossy(found));
    assert_eq!(wanted.lines().count(), found.lines().count(), "{what}: lines");
    for (wanted, found) in wanted.lines().zip(found.lines()) {
        let parts = wanted.split('\u{1f}').zip(found.split('\u{1f}'));
        let number = wanted.split('\u{1f}').next().unwrap_or_default();
        for (wanted, found) in parts {
            assert_eq!(wanted, found, "{what}: event {number}");
        }
    }
    panic!("{what}: not the same");
}

#[test]
fn a_reader_that_begins_at_a_checkpoint_knows_everything() {
    let format = all_fields();
    for name in ["head-d-pipeline", "s36-e-sockets", "setuid_setuid", "files_filesat"] {
        let (copy, index) = indexed(&capture(name), "everything");
        assert!(index.contents().checkpoints.len() > 2, "{name}");
        compare(&copy.0, &index, "", None, &format);
    }
}

#[test]
fn every_capture_reads_the_same_in_portions() {
    let format = template("*%evt.num %evt.outputtime %proc.name (%thread.tid) %evt.type %fd.name %evt.info");
    for path in captures() {
        let (copy, index) = indexed(&path, "portions");
        compare(&copy.0, &index, "", None, &format);
        compare(&copy.0, &index, "evt.failed=true", None, &format);
    }
}

#[test]
fn sections_behind_each_other_are_counted_the_same_with_an_index() {
    let copy = Scratch::new("sections");
    let mut joined = Vec::new();
    for path in captures().iter().filter(|path| path.metadata().unwrap().len() < 50_000) {
        let one = Scratch::new("section");
        rewrite(path, &one.0, Codec::None);
        joined.extend(std::fs::read(&one.0).unwrap());
    }
    std::fs::write(&copy.0, joined).unwrap();
    scap::write_beside(&copy.0, FINE).unwrap();
    let index = find(&copy.0);
    let format = template("*%evt.num %evt.outputtime %proc.name (%thread.tid) %evt.type %fd.name %evt.info");
    for filter in ["", "evt.failed=true", "container.id!=host", "proc.name=date or evt.type=execve"] {
        compare(&copy.0, &index, filter, None, &format);
    }
}

#[test]
fn windows_are_the_same_with_an_index() {
    let (copy, index) = indexed(&capture("502error"), "windows");
    let format = template("*%evt.num %evt.rawtime %proc.name");
    // Those of which the times are known.
    let frames: Vec<_> = index.contents().frames.iter().filter(|f| f.first_ts <= f.last_ts).collect();
    let middle = frames[frames.len() / 2];
    let start = index.contents().facts.first_ts;
    let bounds = [
        None,
        Some(Bound::Event(middle.events_before)),
        Some(Bound::Event(middle.events_before + 1)),
        Some(Bound::Time(middle.first_ts)),
        Some(Bound::SinceStart(middle.last_ts - start)),
        Some(Bound::Event(index.contents().events() + 5)),
        Some(Bound::Time(1)),
    ];
    for from in bounds {
        for to in bounds {
            compare(&copy.0, &index, "", Some(Window { from, to }), &format);
        }
    }
    // The frames before it are left out.
    let window = Window { from: Some(Bound::Event(middle.events_before + 1)), to: None };
    let all = index.portions(None, |_| true, Some(1)).list.len();
    let some = index.portions(Some(&window), |_| true, Some(1)).list.len();
    assert!(some < all && some > 0, "{some} of {all}");
}

#[test]
fn what_a_filter_cannot_match_is_left_out() {
    let (_copy, index) = indexed(&capture("502error"), "left-out");
    let portions = |text: &str| {
        let filter = rules(text, None).filter.unwrap();
        index.portions(None, |frame| filter.may_match(frame), Some(1)).list.len()
    };
    let all = portions("evt.num > 0");
    assert!(all > 5, "{all}");
    for none in ["proc.name=absent", "thread.tid=-77", "proc.pid=-77 and evt.type=read", "evt.type=mount"] {
        assert_eq!(portions(none), 0, "{none}");
    }
    assert_eq!(portions("not proc.name=absent"), all);
    // Some parts have only notes of the recorder, which no program made.
    let some = portions("proc.name!=absent or evt.type=mount");
    assert!(some > 5 && some < all, "{some} of {all}");
}

#[test]
fn zstd_files_have_their_index_in_them() {
    let path = capture("502error");
    let copy = Scratch::new("zstd");
    rewrite(&path, &copy.0, Codec::default());
    let index = find(&copy.0);
    assert!(index.is_complete() && !index.is_beside());
    assert_eq!(index.contents().events(), scap::survey(&path).unwrap().events());
    compare(&copy.0, &index, "", None, &template("*%evt.num %proc.name %evt.info"));
    // To every other program there are only the events.
    let plain = Scratch::new("plain");
    rewrite(&path, &plain.0, Codec::None);
    let unpacked = zstd::decode_all(std::fs::File::open(&copy.0).unwrap()).unwrap();
    assert!(unpacked == std::fs::read(&plain.0).unwrap());
}

#[test]
fn frames_of_the_index_may_begin_within_compressed_ones() {
    let copy = Scratch::new("within");
    rewrite(&capture("502error"), &copy.0, Codec::Gzip);
    scap::write_beside(&copy.0, FINE).unwrap();
    let index = find(&copy.0);
    let within = index.contents().frames.iter().filter(|frame| frame.before > 0).count();
    assert!(within > 5 && index.contents().checkpoints.len() > 5, "{within}");
    let format = template("*%evt.num %evt.outputtime %proc.name (%thread.tid) %evt.type %fd.name %evt.info");
    for filter in ["", "evt.failed=true", "proc.name=nginx"] {
        compare(&copy.0, &index, filter, None, &format);
    }
}

#[test]
fn what_was_kept_in_memory_gets_an_index_when_it_is_written() {
    static REQUEST: AtomicBool = AtomicBool::new(false);
    let base = Scratch::new("ring");
    let ring = Ring { size: RingSize::Seconds(3600), after: 0, request: &REQUEST };
    let options = WriteOptions { path: base.0.clone(), ring: Some(ring), ..WriteOptions::default() };
    let path = capture("502error");
    write(std::slice::from_ref(&path), options);
    let dump = Scratch(PathBuf::from(format!("{}0", base.0.display())));
    let index = find(&dump.0);
    assert!(index.is_complete() && !index.is_beside());
    assert_eq!(index.contents().events(), scap::survey(&path).unwrap().events());
    compare(&dump.0, &index, "proc.name=nginx", None, &template("*%evt.num %proc.name %evt.info"));
}

#[test]
fn of_a_file_that_was_not_completed_only_the_rest_is_read_to_tell_what_is_in_it() {
    let copy = Scratch::new("unfinished");
    let parts = ["tests_nginx_nginx", "502error", "mpm-event"].map(capture);
    join(&parts, &copy.0, Codec::default());
    let whole = find(&copy.0).contents().clone();
    let bytes = std::fs::read(&copy.0).unwrap();
    let places = whole.frames.iter().skip(1).map(|frame| frame.offset).chain([whole.at]);
    let mut unfinished = 0;
    for place in places {
        std::fs::write(&copy.0, bytes.get(..place as usize).unwrap()).unwrap();
        let Found::Index(index) = IndexedCapture::find(&copy.0).unwrap() else { continue };
        assert!(!index.is_complete());
        unfinished += 1;
        let (found, wanted) = (index.into_contents().unwrap(), scap::survey(&copy.0).unwrap());
        assert_eq!(found.facts, wanted.facts);
        assert_eq!(found.events(), wanted.events());
        let of_all = |contents: &scap::Contents| {
            let (mut kinds, mut names) = (BTreeMap::new(), BTreeSet::new());
            for frame in &contents.frames {
                frame.kinds.iter().for_each(|(kind, count)| *kinds.entry(*kind).or_insert(0) += count);
                names.extend(frame.names.iter().flat_map(scap::Texts::iter).map(<[u8]>::to_vec));
            }
            (kinds, names)
        };
        assert_eq!(of_all(&found), of_all(&wanted));
    }
    assert!(unfinished > 0);
}

#[test]
fn an_index_of_another_file_is_not_used() {
    let (copy, _) = indexed(&capture("502error"), "stale");
    let mut bytes = std::fs::read(&copy.0).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&copy.0, bytes).unwrap();
    assert!(matches!(IndexedCapture::find(&copy.0).unwrap(), Found::Stale(_)));
    // Nor one that is no index, which stays as it is.
    let beside = copy.0.to_str().unwrap().to_owned() + ".idx";
    std::fs::write(&beside, "mine").unwrap();
    assert!(matches!(IndexedCapture::find(&copy.0).unwrap(), Found::Stale(_)));
    assert!(scap::write_beside(&copy.0, FINE).is_err());
    assert_eq!(std::fs::read(&beside).unwrap(), b"mine");
}

/// Checks on the fields that an index knows, and on others.
fn check() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec![
        "proc.name=nginx",
        "proc.name=curl",
        "proc.name!=nginx",
        "proc.name in (nginx, docker-containe)",
        "proc.name startswith docker",
        "proc.name contains in",
        "proc.name exists",
        "container.id=host",
        "container.id!=host",
        "proc.pid<5000",
        "thread.tid>5000",
        "evt.type=epoll_wait",
        "evt.type in (read, write, open)",
        "evt.dir=<",
        "evt.failed=true",
        "fd.name contains /",
        "evt.num<500",
        "user.name=root",
        "proc.aname=systemd",
        "evt.rawres>100",
        "fd.type=ipv4",
    ]);
    field.prop_map(str::to_owned)
}

fn filter() -> impl Strategy<Value = String> {
    check().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

#[test]
fn any_filter_shows_the_same_with_an_index() {
    let format = template("*%evt.num %evt.deltatime %evt.latency %proc.name %evt.type %fd.name %evt.info");
    let made: Vec<_> =
        ["502error", "head-d-pipeline"].map(|name| indexed(&capture(name), &format!("any-{name}"))).into();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(60));
    let result = runner.run(&filter(), |filter| {
        for (copy, index) in &made {
            compare(&copy.0, index, &filter, None, &format);
        }
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
}
