//! The screens beside those of csysdig 0.29.3 on two captures, cell by cell. `tests/golden/data/csysdig-0.29.3` has its
//! screens, `tests/golden/csysdig.tsv` what differs and why.

use super::app::{App, Settings};
use super::catalog::Catalog;
use super::theme::{Depth, Theme};
use super::view::View;
use super::watch::{From, Report, Watch};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use regex::Regex;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Lines of our screen: all rows are on it.
const HEIGHT: u16 = 5000;
const WIDTH: u16 = 180;

const CAPTURES: [(&str, &str); 2] = [
    ("502error", "bencer_example2_502error-947a737.scap.gz"),
    ("mpm", "sysflow_tests_mpm-event_full_capture-50ae9cf.scap.gz"),
];

fn folder(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(below)
}

/// A row of `csysdig.tsv`.
struct Difference {
    view: Regex,
    column: String,
    theirs: Regex,
    ours: Regex,
    row: &'static str,
    is_used: Cell<bool>,
}

fn differences() -> Vec<Difference> {
    let text = include_str!("../../../tests/golden/csysdig.tsv");
    let whole = |text: &str| Regex::new(&format!("^(?:{text})$")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|row| {
            let parts: Vec<&str> = row.split('\t').collect();
            let [view, column, theirs, ours, reason] = parts[..] else { panic!("csysdig.tsv: {row}") };
            assert!(!reason.is_empty(), "{row}");
            let column = column.to_owned();
            Difference {
                view: whole(view),
                column,
                theirs: whole(theirs),
                ours: whole(ours),
                row,
                is_used: Cell::new(false),
            }
        })
        .collect()
}

/// Headings and widths of the columns, in characters.
fn columns(view: &View) -> Vec<(String, usize)> {
    let shown = view.columns.iter().filter(|column| column.applies(true) && column.is_shown());
    shown.map(|column| (column.name.clone(), column.width.max(column.name.len() + 1))).collect()
}

/// A line cut into the texts of columns with these widths; the last one has the rest.
fn cells(line: &str, widths: &[usize]) -> Vec<String> {
    let mut rest: Vec<char> = line.chars().collect();
    let mut cells = Vec::new();
    for (nth, width) in widths.iter().enumerate() {
        let is_last = nth + 1 == widths.len();
        let width = if is_last { rest.len() } else { (*width).min(rest.len()) };
        let cell: String = rest.drain(..width).collect();
        cells.push(cell.trim().to_owned());
    }
    cells
}

/// What our screen shows of a view of a whole capture, and how wide the columns are.
fn screen(view: &str, capture: &str) -> (Vec<String>, Vec<usize>) {
    let (catalog, _) = Catalog::load(&[]);
    let view = catalog.by_id(view).unwrap().clone();
    let settings = Settings {
        containers: true,
        filter: String::new(),
        source: String::new(),
        live: false,
        interval: Duration::from_secs(2),
        window: None,
    };
    let mut app = App::new(catalog, settings, &view).unwrap();
    let watch = Watch::start(From::Files(vec![folder("captures").join(capture)])).unwrap();
    app.take_requests().into_iter().for_each(|request| watch.ask(request));
    while !app.progress.reading.is_over {
        let report = watch.reports.recv().unwrap();
        assert!(!matches!(report, Report::Failed(_)));
        app.report(report);
    }
    let mut terminal = Terminal::new(TestBackend::new(WIDTH, HEIGHT)).unwrap();
    terminal.draw(|frame| super::draw::draw(frame, &mut app, Theme { depth: Depth::None })).unwrap();
    let cells: Vec<&str> = terminal.backend().buffer().content().iter().map(|cell| cell.symbol()).collect();
    let lines = cells.chunks(usize::from(WIDTH)).skip(2).map(|line| line.concat().trim_end().to_owned());
    let places = super::table_screen::places(&app, WIDTH);
    let widths = places.iter().map(|place| usize::from(place.width)).collect();
    (lines.take_while(|line| !line.is_empty()).collect(), widths)
}

/// Whether two cells show the same; what is too long ends with an ellipsis on our screen, and is cut on theirs.
fn is_same(theirs: &str, ours: &str) -> bool {
    let (ours, is_cut) = ours.strip_suffix('…').map_or((ours, false), |begin| (begin, true));
    theirs == ours || (is_cut && theirs.starts_with(ours)) || (theirs.len() > 8 && ours.starts_with(theirs))
}

/// Compares one screen; adds what nothing explains.
fn compare(
    capture: &str,
    view: &View,
    theirs: &str,
    (ours, our_widths): &(Vec<String>, Vec<usize>),
    all: &[Difference],
    wrong: &mut Vec<String>,
) {
    let columns = columns(view);
    let their_widths: Vec<usize> = columns.iter().map(|(_, width)| *width).collect();
    let name = format!("{capture}.{}", view.id);
    let differences: Vec<&Difference> = all.iter().filter(|d| d.view.is_match(&name)).collect();
    let mut lines = theirs.lines().skip(2);
    let headings =
        |line: &str| line.replace(['▼', '▲'], "").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (their_head, our_head) = (headings(lines.next().unwrap_or("")), headings(&ours[0]));
    let heading =
        differences.iter().find(|d| d.column == "(heading)" && d.theirs.is_match(&their_head.join(" ")));
    heading.inspect(|d| d.is_used.set(true));
    if their_head != our_head && heading.is_none() {
        wrong.push(format!("{name}: headings {their_head:?}, not {our_head:?}"));
    }
    let mut left: Vec<Vec<String>> = ours[1..].iter().map(|line| cells(line, our_widths)).collect();
    for line in lines.filter(|line| {
        !line.is_empty() && !line.starts_with("F1Help") && !line.contains("No Data For This View")
    }) {
        let row = cells(line, &their_widths);
        let explanation = |at: usize, mine: &str| {
            let column = &columns[at].0;
            differences
                .iter()
                .find(|d| d.column == *column && d.theirs.is_match(&row[at]) && d.ours.is_match(mine))
        };
        // The row with most in common.
        let likeness = |mine: &&Vec<String>| {
            let same = |at: usize| {
                if is_same(&row[at], &mine[at]) {
                    3
                } else {
                    usize::from(explanation(at, &mine[at]).is_some())
                }
            };
            (0..row.len()).map(same).sum::<usize>()
        };
        let best = left.iter().enumerate().max_by_key(|(at, mine)| (likeness(mine), usize::MAX - at));
        let unexplained = |mine: &Vec<String>| {
            (0..row.len())
                .find(|at| !is_same(&row[*at], &mine[*at]) && explanation(*at, &mine[*at]).is_none())
        };
        let missing = differences.iter().find(|d| d.column == "(row)" && d.theirs.is_match(line.trim()));
        match best {
            Some((at, mine)) if unexplained(mine).is_none() => {
                for column in (0..row.len()).filter(|at| !is_same(&row[*at], &mine[*at])) {
                    explanation(column, &mine[column]).inspect(|d| d.is_used.set(true));
                }
                left.remove(at);
            }
            _ if missing.is_some() => {
                missing.inspect(|d| d.is_used.set(true));
            }
            Some((_, mine)) => {
                let at = unexplained(mine).unwrap_or(0);
                wrong.push(format!(
                    "{name}\t{}\t{}\t{}\n    {row:?}\n    {mine:?}",
                    columns[at].0, row[at], mine[at]
                ));
            }
            None => wrong.push(format!("{name}: no row {row:?}")),
        }
    }
}

#[test]
fn screens_show_what_those_of_csysdig_show() {
    let differences = differences();
    let catalog = Catalog::load(&[]).0;
    let mut wrong = Vec::new();
    let mut screens = 0;
    for file in std::fs::read_dir(folder("golden/data/csysdig-0.29.3")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let mut parts = name.split('.');
        let (capture, view) = (parts.next().unwrap(), parts.next().unwrap());
        let (_, path) = CAPTURES.iter().find(|(name, _)| *name == capture).unwrap();
        let theirs = std::fs::read_to_string(&file).unwrap();
        compare(
            capture,
            catalog.by_id(view).unwrap(),
            &theirs,
            &screen(view, path),
            &differences,
            &mut wrong,
        );
        screens += 1;
    }
    let unused =
        differences.iter().filter(|d| !d.is_used.get()).map(|d| format!("explains nothing: {}", d.row));
    wrong.extend(unused);
    wrong.sort();
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    assert!(screens > 40, "{screens} screens");
}
