//! The numbers of every view are those that one gets by adding up what `tracer -j` prints, by the definition of the view.

use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use tracer::fields;
use tracer::schema::ParamType;
use tracer::ui::catalog::Catalog;
use tracer::ui::view::{Aggregation, Column, Kind, View, at_depth};

/// Powers of ten in a spectrogram, from 1 ns on, and ranges of latencies in them.
const DECADES: f64 = 11.0;
const RANGES: f64 = 110.0;
/// An interval of a spectrogram, ns.
const INTERVAL: u64 = 500_000_000;

fn tracer(capture: &str, arguments: &[&str]) -> Vec<Json> {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures").join(capture);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
    let output = command.args(arguments).arg("-r").arg(capture).env("TZ", "UTC").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    let lines = output.stdout.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Copies of the views that show no threads that did nothing: `-j` does not tell of them.
struct BusyViews(PathBuf);

impl BusyViews {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tracer-views-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let chisels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chisels");
        for file in std::fs::read_dir(chisels).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("v_") {
                let text = std::fs::read_to_string(&file).unwrap();
                assert!(text.contains("view_info = "), "{name}");
                let text = format!("{text}view_info.shows_idle = false\n");
                std::fs::write(folder.join(name), text).unwrap();
            }
        }
        Self(folder)
    }
}

impl Drop for BusyViews {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a sum so far is made of.
#[derive(Debug, Clone)]
struct Sum {
    /// Those that an event had.
    values: Vec<Json>,
    /// An event lacked it.
    has_default: bool,
}

/// A column with what its field is.
struct Place<'a> {
    column: &'a Column,
    field: String,
    ty: ParamType,
}

/// The columns of a view, with or without those of `-pc`.
fn places(view: &View, containers: bool) -> Vec<Place<'_>> {
    let columns = view.columns.iter().filter(|column| column.applies(containers));
    columns
        .map(|column| {
            let field = at_depth(&column.field, 0);
            let ty = fields::find(&field).unwrap().ty;
            Place { column, field, ty }
        })
        .collect()
}

impl Place<'_> {
    /// What the event has there.
    fn value(&self, event: &Json) -> Json {
        if self.field == "evt.latency.quantized" {
            let ns = event["evt.latency"].as_f64().filter(|ns| *ns > 0.0);
            let range = |ns: f64| (ns.log10().min(DECADES) / DECADES * RANGES) as u64 + 1;
            return ns.map_or(Json::Null, |ns| Json::from(range(ns)));
        }
        match event[&self.field].as_u64().filter(|_| self.field.starts_with("evt.time")) {
            // Times of day are numbers there.
            Some(ns) => Json::from(time_of_day(ns, self.field == "evt.time")),
            None => event[&self.field].clone(),
        }
    }

    /// What stands for a number that is missing.
    fn default(&self) -> Json {
        use ParamType as T;
        match self.ty {
            T::Double => Json::from(0.0),
            T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::Uint8
            | T::Uint16
            | T::Uint32
            | T::Uint64
            | T::Reltime
            | T::Abstime => Json::from(0),
            _ => Json::Null,
        }
    }

    fn folded(&self, sum: &Sum, how: Aggregation, seconds: f64) -> Json {
        let values = &sum.values;
        let default = || if sum.has_default { self.default() } else { Json::Null };
        let is_time = self.ty == ParamType::Reltime;
        match how {
            Aggregation::None => values.first().cloned().unwrap_or_else(default),
            Aggregation::Max | Aggregation::Min => {
                let stand_in = default();
                let found = match how {
                    Aggregation::Max => {
                        let all = values.iter().chain([&stand_in]).filter(|value| !value.is_null());
                        all.max_by(|a, b| compare(a, b))
                    }
                    _ => values.iter().min_by(|a, b| compare(a, b)),
                };
                found.cloned().unwrap_or_else(default)
            }
            Aggregation::Sum | Aggregation::TimeAvg | Aggregation::Avg => {
                if values.iter().any(Json::is_string) {
                    return values.first().cloned().unwrap_or(Json::Null);
                }
                if values.is_empty() && !sum.has_default {
                    return Json::Null;
                }
                let by = match how {
                    Aggregation::TimeAvg => seconds,
                    Aggregation::Avg => values.len().max(1) as f64,
                    _ => 1.0,
                };
                let total: f64 = values.iter().filter_map(Json::as_f64).sum();
                let result = total / by;
                if is_time { Json::from(result.trunc()) } else { Json::from(result) }
            }
            Aggregation::P50 | Aggregation::P95 | Aggregation::P99 => {
                let mut numbers: Vec<u64> = values.iter().filter_map(Json::as_u64).collect();
                numbers.sort_unstable();
                let part = how.percentile().unwrap_or(0.0);
                let rank = ((numbers.len() as f64 * part).ceil() as usize).max(1);
                numbers.get(rank - 1).map_or(Json::Null, |n| Json::from(*n))
            }
        }
    }
}

/// In the zone that the test runs in, UTC.
fn time_of_day(ns: u64, with_fraction: bool) -> String {
    let (seconds, fraction) = (ns / 1_000_000_000, ns % 1_000_000_000);
    let whole = format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if with_fraction { format!("{whole}.{fraction:09}") } else { whole }
}

/// Numbers by size, text by letters regardless of case.
fn compare(a: &Json, b: &Json) -> std::cmp::Ordering {
    match (a.as_str(), b.as_str()) {
        (Some(a), Some(b)) => a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()).then_with(|| a.cmp(b)),
        _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
    }
}

/// Whether the view would look at the event at all: notes of recorders are none, but for those on CPU times.
fn counts(event: &Json) -> bool {
    match event["evt.type"].as_str() {
        Some("procinfo") => !event["proc.pid"].is_null(),
        _ => event["evt.category"] != "internal",
    }
}

/// The rows of a view by its definition.
fn rows_of(view: &View, places: &[Place<'_>], events: &[Json], seconds: f64) -> Vec<Vec<Json>> {
    let keys: Vec<usize> = (0..places.len()).filter(|at| places[*at].column.is_key).collect();
    let group = places.iter().position(|place| place.column.is_groupby_key);
    let mut list = Vec::new();
    let mut rows: BTreeMap<String, Vec<Sum>> = BTreeMap::new();
    for event in events.iter().filter(|event| counts(event)) {
        let values: Vec<Json> = places.iter().map(|place| place.value(event)).collect();
        let mut both = places.iter().zip(&values);
        let lacks = both.any(|(place, value)| value.is_null() && place.ty != ParamType::Charbuf);
        if lacks && !view.use_defaults {
            continue;
        }
        if view.kind == Kind::List {
            list.push(values);
            continue;
        }
        if values[keys[0]].is_null() {
            continue;
        }
        let key: Vec<String> = keys.iter().map(|at| values[*at].to_string()).collect();
        let none = Sum { values: Vec::new(), has_default: false };
        let row = rows.entry(key.join("\n")).or_insert_with(|| vec![none; places.len()]);
        for (sum, value) in row.iter_mut().zip(values) {
            match value {
                Json::Null => sum.has_default = true,
                value => sum.values.push(value),
            }
        }
    }
    if view.kind == Kind::List {
        return list;
    }
    let Some(group) = group else {
        let fold = |row: &Vec<Sum>| {
            places.iter().zip(row).map(|(p, sum)| p.folded(sum, p.column.aggregation, seconds)).collect()
        };
        return rows.values().map(fold).collect();
    };
    // Folded once more, the smallest key first; sums by second are divided at the end.
    let mut folded: Vec<Vec<Json>> = rows
        .values()
        .map(|row| places.iter().zip(row).map(|(p, sum)| p.folded(sum, p.column.aggregation, 1.0)).collect())
        .collect();
    folded.sort_by(|a, b| compare(&a[keys[0]], &b[keys[0]]));
    let mut groups: BTreeMap<String, Vec<Vec<Json>>> = BTreeMap::new();
    for row in folded {
        groups.entry(row[group].to_string()).or_default().push(row);
    }
    let fold = |rows: &Vec<Vec<Json>>| {
        let column = |(at, place): (usize, &Place<'_>)| {
            let all = rows.iter().map(|row| row[at].clone());
            let sum = Sum { values: all.filter(|value| !value.is_null()).collect(), has_default: false };
            let value = place.folded(&sum, place.column.groupby_aggregation, 1.0);
            match place.column.aggregation {
                Aggregation::TimeAvg => value.as_f64().map_or(Json::Null, |n| Json::from(n / seconds)),
                _ => value,
            }
        };
        places.iter().enumerate().map(column).collect()
    };
    groups.values().map(fold).collect()
}

/// Whether the screen has the value that the definition gives.
fn agrees(shown: &Json, defined: &Json, how: Aggregation) -> bool {
    match (shown.as_f64(), defined.as_f64()) {
        (Some(shown), Some(defined)) if how.percentile().is_some() => {
            shown >= defined && shown - defined <= (defined / 64.0).max(0.0)
        }
        // Sums of fractions depend on the order of the terms, in the last digits.
        (Some(shown), Some(defined)) => (shown - defined).abs() <= defined.abs() * 1e-12,
        _ => shown == defined,
    }
}

/// The columns that `--json` has, and what its rows have to be.
fn defined(
    view: &View,
    places: &[Place<'_>],
    events: &[Json],
    seconds: f64,
) -> (Vec<(String, Aggregation)>, Vec<Vec<Json>>) {
    let is_shown = |place: &Place<'_>| place.column.is_shown() && !place.column.is_bar;
    let columns = places
        .iter()
        .filter(|place| is_shown(place))
        .map(|place| (place.column.name.clone(), place.column.aggregation))
        .collect();
    let cut = |row: Vec<Json>| {
        row.into_iter().zip(places).filter(|(_, place)| is_shown(place)).map(|(value, _)| value).collect()
    };
    (columns, rows_of(view, places, events, seconds).into_iter().map(cut).collect())
}

/// Compares all rows of a sample, in any order for tables.
fn compare_rows(
    what: &str,
    view: &View,
    sample: &Json,
    columns: &[(String, Aggregation)],
    mut rows: Vec<Vec<Json>>,
) -> usize {
    let cells = |row: &Json| columns.iter().map(|(name, _)| row[name].clone()).collect::<Vec<Json>>();
    let mut shown: Vec<Vec<Json>> = sample["rows"].as_array().unwrap().iter().map(cells).collect();
    if view.kind != Kind::List {
        // By what is exact in both: names and whole numbers.
        let name = |row: &Vec<Json>| {
            let exact = row.iter().zip(columns).filter(|(_, (_, how))| *how == Aggregation::None);
            exact.map(|(value, _)| value.to_string()).collect::<Vec<_>>().join("\n")
        };
        let rest = |row: &Vec<Json>| {
            row.iter().map(|value| format!("{:.9}", value.as_f64().unwrap_or(0.0))).collect::<Vec<_>>()
        };
        rows.sort_by_key(|row| (name(row), rest(row)));
        shown.sort_by_key(|row| (name(row), rest(row)));
    }
    assert_eq!(shown.len(), rows.len(), "{what}: rows\n{shown:?}\n{rows:?}");
    for (shown, defined) in shown.iter().zip(&rows) {
        for (at, (name, how)) in columns.iter().enumerate() {
            assert!(
                agrees(&shown[at], &defined[at], *how),
                "{what}: {name} is {}, not {}\nshown   {shown:?}\ndefined {defined:?}",
                shown[at],
                defined[at]
            );
        }
    }
    rows.len() * columns.len()
}

/// The intervals of a spectrogram: of half a second each, anew with the next event after a longer pause.
fn intervals(times: &[u64]) -> Vec<(u64, u64)> {
    let mut intervals = Vec::new();
    let Some(mut begin) = times.first().copied() else { return intervals };
    let mut end = begin + INTERVAL;
    for ts in times {
        if *ts >= end {
            intervals.push((begin, end));
            begin = end;
            end = begin + INTERVAL;
            if *ts > end {
                begin = *ts;
                end = begin + INTERVAL;
            }
        }
    }
    intervals.push((begin, u64::MAX));
    intervals
}

/// Compares all views on one capture; returns how many values.
fn check(capture: &str) -> usize {
    check_with(capture, false)
}

/// [`check`], with or without `-pc`.
fn check_with(capture: &str, containers: bool) -> usize {
    let (catalog, faults) = Catalog::load(&[]);
    assert!(faults.is_empty(), "{faults:?}");
    let busy = BusyViews::new(&format!("{capture}-{containers}"));
    let busy = busy.0.display().to_string();
    // Views with the same filter share a run.
    let mut by_filter: BTreeMap<String, Vec<&View>> = BTreeMap::new();
    for view in catalog.all() {
        by_filter.entry(at_depth(&view.filter, 0)).or_default().push(view);
    }
    let all = tracer(capture, &["-D", "-j", "-p", "*%evt.rawtime"]);
    let times: Vec<u64> = all.iter().map(|event| event["evt.rawtime"].as_u64().unwrap()).collect();
    let seconds = (times.last().unwrap() - times.first().unwrap()) as f64 / 1e9;
    let mut values = 0;
    for (filter, views) in &by_filter {
        let mut names: BTreeSet<String> =
            ["evt.rawtime", "evt.type", "evt.category", "evt.latency", "proc.pid"].map(str::to_owned).into();
        names.extend(views.iter().flat_map(|view| places(view, containers)).map(|place| place.field));
        names.remove("evt.latency.quantized");
        let format: Vec<String> = names.iter().map(|name| format!("%{name}")).collect();
        let format = format!("*{}", format.join(" "));
        let mut arguments = vec!["-D", "-j", "-p", &format];
        if !filter.is_empty() {
            arguments.push(filter);
        }
        let events = tracer(capture, &arguments);
        for view in views {
            let what = format!("{capture} {}", view.id);
            let mut arguments = vec!["ui", "--json", "--view-dir", &busy, "-v", &view.id];
            if containers {
                arguments.push("-pc");
            }
            let samples = tracer(capture, &arguments);
            let places = places(view, containers);
            if view.kind == Kind::Spectrogram {
                let intervals = intervals(&times);
                assert_eq!(samples.len(), intervals.len(), "{what}");
                for (sample, (begin, end)) in samples.iter().zip(intervals) {
                    let time = |event: &&Json| event["evt.rawtime"].as_u64().unwrap();
                    let part: Vec<Json> =
                        events.iter().filter(|e| (begin..end).contains(&time(e))).cloned().collect();
                    let (columns, rows) = defined(view, &places, &part, seconds);
                    values += compare_rows(&what, view, sample, &columns, rows);
                }
            } else {
                let (columns, rows) = defined(view, &places, &events, seconds);
                values += compare_rows(&what, view, &samples[0], &columns, rows);
            }
        }
    }
    println!("{capture}: {values} values");
    values
}

#[test]
fn numbers_with_cpu_times() {
    assert!(check("bencer_example2_502error-947a737.scap.gz") > 5_000);
}

#[test]
fn numbers_with_containers() {
    assert!(check("sysflow_tests_mpm-event_full_capture-50ae9cf.scap.gz") > 10_000);
}

#[test]
fn numbers_with_columns_of_containers() {
    assert!(check_with("sysflow_tests_mpm-event_full_capture-50ae9cf.scap.gz", true) > 10_000);
    assert!(check_with("bencer_example0_nginx-3f89e2d.scap.gz", true) > 1_000);
}

#[test]
fn numbers_of_many_short_programs() {
    assert!(check("sysflow_tests_alpine_alpine-b1cbcc7.scap.gz") > 1_000);
}

#[test]
fn numbers_of_connections() {
    assert!(check("sysflow_src_libs_tcp-client-server-418cace.scap.gz") > 1_000);
}

#[test]
fn numbers_of_a_newer_schema() {
    assert!(check("s36-e-sockets.scap.gz") > 1_000);
}

#[test]
fn numbers_without_begins_of_calls() {
    assert!(check("head-d-pipeline.scap.gz") > 1_000);
    // Its process takes memory for one call to the next, and gives it back.
    assert!(check("head-e-sockets.scap.gz") > 1_000);
}
