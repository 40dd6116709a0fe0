//! The views beside those of csysdig (`data/views.json`, csysdig of sysdig 0.36): `docs/views.md` has every view and column
//! and says what differs. `UPDATE=1 cargo test --test view_parity` writes it anew.

use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use tracer::ui::catalog::Catalog;
use tracer::ui::view::{Aggregation, Column, Kind, View};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/views.md");

const HEAD: &str = "\
# Views

Every view of `tracer ui` and its columns, beside csysdig: *same* has the same field, width, folding and place there.
Folding says how the values of several events become one; the second word is for rows that are grouped once more. This
page is checked against the views and csysdig's (`data/views.json`).
";

/// What differs from csysdig on purpose: view, column or part of the view, reason.
const REASONS: [(&str, &str, &str); 6] = [
    ("backlog", "filter", "accept4, too"),
    ("directories", "OPENS", "openat, openat2, creat and open_by_handle_at, too"),
    ("file_opens", "filter", "openat, openat2, creat and open_by_handle_at, too"),
    ("files", "OPENS", "openat, openat2, creat and open_by_handle_at, too"),
    ("incoming_connections", "filter", "accept4, too"),
    ("procs_fd_usage", "Container", "the heading is a whole sentence there"),
];

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or("")
}

fn flag(json: &Json, key: &str) -> bool {
    json[key].as_bool().unwrap_or(false)
}

fn texts(json: &Json) -> Vec<&str> {
    json.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

/// Some are named twice there.
fn set<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    texts.into_iter().collect()
}

fn folding(how: Aggregation) -> &'static str {
    match how {
        Aggregation::None => "",
        Aggregation::Sum => "SUM",
        Aggregation::Avg => "AVG",
        Aggregation::TimeAvg => "TIME_AVG",
        Aggregation::Min => "MIN",
        Aggregation::Max => "MAX",
        Aggregation::P50 => "P50",
        Aggregation::P95 => "P95",
        Aggregation::P99 => "P99",
    }
}

fn is_same_column(ours: &Column, theirs: &Json) -> bool {
    let fold = |key| Some(text(theirs, key)).filter(|how| *how != "NONE").unwrap_or("");
    ours.name == text(theirs, "name")
        && ours.field == text(theirs, "field")
        && ours.filterfield.as_deref().unwrap_or("") == text(theirs, "filterfield")
        && ours.width as u64 == theirs["colsize"].as_u64().unwrap_or(0)
        && folding(ours.aggregation) == fold("aggregation")
        && folding(ours.groupby_aggregation) == fold("groupby_aggregation")
        && ours.is_key == flag(theirs, "is_key")
        && ours.is_groupby_key == flag(theirs, "is_groupby_key")
        && ours.is_sorting == flag(theirs, "is_sorting")
        && ours.filter_in_child_only == flag(theirs, "filter_in_child_only")
        && ours.tags == texts(&theirs["tags"])
}

/// The parts of a view, apart from its columns, that differ.
fn differing_parts(ours: &View, theirs: &Json) -> Vec<&'static str> {
    let kind = match ours.kind {
        Kind::Table => "table",
        Kind::List => "list",
        Kind::Spectrogram => "spectrogram",
    };
    let actions: Vec<(&str, &str, bool, bool)> = ours
        .actions
        .iter()
        .map(|a| (a.hotkey.as_str(), a.command.as_str(), a.ask_confirmation, a.wait_finish))
        .collect();
    let their_actions: Vec<(&str, &str, bool, bool)> = theirs["actions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|a| {
            let waits = a["wait_finish"].as_bool().unwrap_or(true);
            (text(a, "hotkey"), text(a, "command"), flag(a, "ask_confirmation"), waits)
        })
        .collect();
    let parts = [
        ("name", ours.name == text(theirs, "name")),
        ("kind", kind == text(theirs, "type")),
        ("filter", ours.filter == text(theirs, "filter")),
        ("applies_to", set(ours.applies_to.iter().map(String::as_str)) == set(texts(&theirs["applies_to"]))),
        ("use_defaults", ours.use_defaults == flag(theirs, "use_defaults")),
        ("is_root", ours.is_root == flag(theirs, "is_root")),
        ("target", ours.drilldown_target.as_deref().unwrap_or("") == text(theirs, "drilldown_target")),
        ("depth", ours.drilldown_increase_depth == flag(theirs, "drilldown_increase_depth")),
        ("propagate_filter", ours.propagate_filter == theirs["propagate_filter"].as_bool().unwrap_or(true)),
        ("spectro_type", ours.spectro_type.as_deref().unwrap_or("") == text(theirs, "spectro_type")),
        ("tags", ours.tags == texts(&theirs["tags"])),
        ("actions", actions == their_actions),
        ("number of columns", ours.columns.len() == theirs["columns"].as_array().map_or(0, Vec::len)),
    ];
    parts.iter().filter(|(_, is_same)| !is_same).map(|(name, _)| *name).collect()
}

/// The page, and what differs without a reason.
fn page() -> (String, Vec<String>) {
    let theirs: Vec<Json> = serde_json::from_str(include_str!("../../data/views.json")).unwrap();
    let (catalog, faults) = Catalog::load(&[]);
    assert!(faults.is_empty(), "{faults:?}");
    let missing = theirs.iter().filter(|view| catalog.by_id(text(view, "id")).is_none());
    let mut unexplained: Vec<String> = missing.map(|view| format!("no view {}", text(view, "id"))).collect();
    let mut used = Vec::new();
    let mut reason = |view: &str, part: &str| {
        let found = REASONS.iter().find(|(v, p, _)| (*v, *p) == (view, part));
        used.extend(found);
        found.map_or_else(
            || {
                unexplained.push(format!("{view}: {part}"));
                String::new()
            },
            |(_, _, reason)| (*reason).to_owned(),
        )
    };
    let mut page = HEAD.to_owned();
    for view in catalog.all() {
        let their = theirs.iter().find(|their| text(their, "id") == view.id);
        let _ = writeln!(page, "\n## {} (`{}`)\n\n{}\n", view.name, view.id, view.description);
        let Some(their) = their else {
            let _ = writeln!(page, "Not in csysdig.\n");
            write_columns(&mut page, view, |_, _| "new".to_owned());
            continue;
        };
        for part in differing_parts(view, their) {
            let _ = writeln!(page, "* {part}: {}\n", reason(&view.id, part));
        }
        write_columns(&mut page, view, |at, column| match &their["columns"][at] {
            their if is_same_column(column, their) => "same".to_owned(),
            _ => reason(&view.id, &column.name),
        });
    }
    let stale = REASONS.iter().filter(|reason| !used.contains(reason));
    unexplained.extend(
        stale.map(|(view, part, _)| format!("{view}: {part} is the same, the reason explains nothing")),
    );
    (page, unexplained)
}

fn write_columns(page: &mut String, view: &View, mut beside: impl FnMut(usize, &Column) -> String) {
    page.push_str("| column | field | folded | csysdig |\n|---|---|---|---|\n");
    for (at, column) in view.columns.iter().enumerate() {
        let mut marks = Vec::new();
        let groups = [(column.is_key, "key"), (column.is_groupby_key, "group"), (column.is_sorting, "sorts")];
        marks.extend(groups.iter().filter(|(is, _)| *is).map(|(_, mark)| (*mark).to_owned()));
        marks.extend(
            column.tags.iter().map(|tag| if tag == "containers" { "-pc" } else { "not -pc" }.to_owned()),
        );
        let name = if column.is_shown() { column.name.as_str() } else { "–" };
        let name = if column.is_bar { "(bar)" } else { name };
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        let fold = [folding(column.aggregation), folding(column.groupby_aggregation)].join(" ");
        let _ = writeln!(
            page,
            "| {name}{marks} | `{}` | {} | {} |",
            column.field,
            fold.trim(),
            beside(at, column)
        );
    }
}

#[test]
fn views_are_those_of_csysdig_but_for_what_the_page_says() {
    let (page, unexplained) = page();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let kept = std::fs::read_to_string(Path::new(PAGE)).unwrap();
    assert!(kept == page, "docs/views.md is out of date: UPDATE=1 cargo test --test view_parity");
}
