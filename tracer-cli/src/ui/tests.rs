//! The screen with keys, reports and sizes of all kinds, drawn into memory.

use super::aggregate::{Row, Sample};
use super::app::{App, Settings};
use super::catalog::Catalog;
use super::cell::Cell;
use super::lines::{Line, Tone};
use super::theme::{Depth, Theme};
use super::watch::{Order, Reading, Report, Request, Subject};
use crate::source::{CpuCounts, SourceCounts};
use crate::window::Bound;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;

fn app(live: bool) -> App {
    let (catalog, _) = Catalog::load(&[]);
    let view = catalog.by_id("procs").unwrap().clone();
    let settings = Settings {
        containers: false,
        filter: String::new(),
        source: "a.scap".to_owned(),
        live,
        interval: Duration::from_secs(2),
        window: None,
    };
    App::new(catalog, settings, &view).unwrap()
}

fn terminal(width: u16, height: u16) -> Terminal<TestBackend> {
    Terminal::new(TestBackend::new(width, height)).unwrap()
}

fn screen(terminal: &mut Terminal<TestBackend>, app: &mut App) -> Vec<String> {
    terminal.draw(|frame| super::draw::draw(frame, app, Theme { depth: Depth::True })).unwrap();
    let buffer = terminal.backend().buffer();
    let width = usize::from(buffer.area.width);
    let cells: Vec<&str> = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
    cells.chunks(width).map(|line| line.concat().trim_end().to_owned()).collect()
}

/// Two rows, or some lines, for whatever is watched.
fn answer(order: &Order) -> Vec<Report> {
    let number = order.number;
    match &order.subject {
        Subject::Table(layout) => {
            let row = |n: u64| Row {
                cells: layout
                    .columns
                    .iter()
                    .map(|column| match column.field.field.name {
                        "proc.exeline" | "fd.name" | "user.name" => {
                            Cell::Text(format!("name {n}\x1b[31m").into_bytes().into())
                        }
                        "thread.cpu" => Cell::Double(n as f64 * 1.5),
                        _ => Cell::Uint(n),
                    })
                    .collect(),
            };
            let sample = Sample { rows: (1..=50).map(row).collect(), last_ts: 5, ..Sample::default() };
            let reading = Reading { events: 7, first_ts: 1, last_ts: 5, is_over: true, ..Reading::default() };
            vec![Report::Sample { number, sample }, Report::Reading { number, reading }]
        }
        Subject::Lines(_) => {
            let line = |n| Line { text: format!("line {n}"), tone: Tone::Read };
            vec![Report::Lines { number, lines: (0..100).map(line).collect(), dropped: 0 }]
        }
    }
}

/// Answers everything that is ordered.
fn settle(app: &mut App) {
    for request in app.take_requests() {
        if let Request::Watch(order) = request {
            answer(&order).into_iter().for_each(|report| app.report(report));
        }
    }
}

fn press(app: &mut App, key: KeyCode) {
    app.key(KeyEvent::new(key, KeyModifiers::NONE));
    settle(app);
}

#[test]
fn rows_are_sorted_and_selected_and_nothing_of_a_program_reaches_the_terminal() {
    let mut app = app(false);
    settle(&mut app);
    let mut terminal = terminal(120, 24);
    let lines = screen(&mut terminal, &mut app);
    assert_eq!(lines[0], "Viewing: Processes For: whole machine");
    assert_eq!(lines[1], "Source: a.scap (7 evts, 4ns) Filter: evt.type!=switch");
    assert!(lines[2].starts_with(" PID PPID  CPU▼ USER"), "{}", lines[2]);
    assert!(lines[3].starts_with("  50   50 75.00 name 50[31m"), "{}", lines[3]);
    assert!(lines[23].ends_with("1/50(2%)"), "{}", lines[23]);
    assert_eq!(app.selected_index(), Some(0));
    press(&mut app, KeyCode::End);
    assert_eq!(app.selected_index(), Some(49));
    // The largest of a column again: the order turns, and the selected row stays selected.
    let selected = app.level.selected.clone();
    press(&mut app, KeyCode::Char('#'));
    press(&mut app, KeyCode::Char('#'));
    assert_eq!(app.level.selected, selected);
}

#[test]
fn enter_narrows_and_backspace_comes_back() {
    let mut app = app(true);
    settle(&mut app);
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.level.view.id, "threads");
    assert_eq!(app.level.filter_text(""), "(evt.type!=switch) and (proc.pid=49)");
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.level.view.id, "files");
    press(&mut app, KeyCode::Backspace);
    press(&mut app, KeyCode::Backspace);
    assert_eq!((app.level.view.id.as_str(), app.stack.len()), ("procs", 0));
    assert_eq!(app.selected_index(), Some(1));
}

#[test]
fn events_and_data_of_a_row_are_read_and_searched() {
    let mut app = app(false);
    settle(&mut app);
    press(&mut app, KeyCode::F(6));
    let mut terminal = terminal(80, 24);
    let lines = screen(&mut terminal, &mut app);
    assert!(lines[0].starts_with("Viewing: Events For: proc.pid=50"), "{}", lines[0]);
    press(&mut app, KeyCode::Char('/'));
    "line 77".chars().for_each(|c| press(&mut app, KeyCode::Char(c)));
    press(&mut app, KeyCode::Enter);
    assert!(screen(&mut terminal, &mut app).iter().any(|line| line == "line 77"));
    press(&mut app, KeyCode::Backspace);
    assert!(screen(&mut terminal, &mut app)[0].starts_with("Viewing: Processes"));
}

#[test]
fn a_wrong_filter_stays_to_be_mended() {
    let mut app = app(true);
    settle(&mut app);
    press(&mut app, KeyCode::F(4));
    press(&mut app, KeyCode::Char('x'));
    press(&mut app, KeyCode::Enter);
    let mut terminal = terminal(120, 24);
    let foot = screen(&mut terminal, &mut app)[23].clone();
    assert!(foot.contains("Filter: evt.type!=switchx"), "{foot}");
    assert_eq!(app.level.typed, None);
    press(&mut app, KeyCode::Backspace);
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.level.typed.as_deref(), Some("evt.type!=switch"));
}

#[test]
fn actions_are_asked_about_and_never_run_on_files() {
    let mut live = app(true);
    settle(&mut live);
    press(&mut live, KeyCode::Char('k'));
    assert!(live.effects.is_empty());
    press(&mut live, KeyCode::Char('n'));
    assert!(live.effects.is_empty());
    press(&mut live, KeyCode::Char('k'));
    press(&mut live, KeyCode::Char('y'));
    assert_eq!(live.effects.len(), 1);
    let mut file = app(false);
    settle(&mut file);
    press(&mut file, KeyCode::Char('k'));
    press(&mut file, KeyCode::Char('y'));
    assert!(file.effects.is_empty());
}

#[test]
fn a_part_of_the_time_is_chosen_and_forgotten() {
    let mut app = app(false);
    settle(&mut app);
    let mut terminal = terminal(100, 24);
    press(&mut app, KeyCode::Char('t'));
    press(&mut app, KeyCode::Char('+'));
    let window = app.settings.window.expect("a part");
    assert_eq!((window.from, window.to), (Some(Bound::Time(2)), Some(Bound::Time(4))));
    press(&mut app, KeyCode::Enter);
    assert!(screen(&mut terminal, &mut app)[22].contains("t to change"));
    // The keys are those of the table again.
    press(&mut app, KeyCode::End);
    assert_eq!(app.selected_index(), Some(49));
    press(&mut app, KeyCode::Char('t'));
    press(&mut app, KeyCode::Esc);
    assert_eq!((app.settings.window, app.slider.is_none()), (None, true));
}

#[test]
fn a_selection_is_written_as_a_capture() {
    let mut app = app(true);
    settle(&mut app);
    press(&mut app, KeyCode::Char('w'));
    (0..20).for_each(|_| press(&mut app, KeyCode::Backspace));
    "a.scap".chars().for_each(|c| press(&mut app, KeyCode::Char(c)));
    app.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
    let is_recording = |request: &Request| matches!(request, Request::Record(r) if r.filter.is_some());
    assert!(app.take_requests().iter().any(is_recording));
    app.report(Report::Recorded { events: 3, name: "a.scap".to_owned(), outcome: None });
    let mut terminal = terminal(120, 24);
    assert!(screen(&mut terminal, &mut app)[0].ends_with("● 3 events to a.scap (w ends it)"));
    app.key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::NONE));
    assert!(app.take_requests().iter().any(|request| matches!(request, Request::EndRecording)));
    app.report(Report::Recorded { events: 9, name: "a.scap".to_owned(), outcome: Some(Ok(())) });
    assert!(screen(&mut terminal, &mut app)[23].starts_with("9 events saved to a.scap"));
}

#[test]
fn a_rectangle_of_a_spectrogram_shows_its_events() {
    let mut app = app(false);
    settle(&mut app);
    press(&mut app, KeyCode::F(12));
    let mut terminal = terminal(110, 24);
    screen(&mut terminal, &mut app);
    let event = |kind, column| MouseEvent { kind, column, row: 3, modifiers: KeyModifiers::NONE };
    app.mouse(event(MouseEventKind::Down(MouseButton::Left), 10), false);
    app.mouse(event(MouseEventKind::Drag(MouseButton::Left), 19), false);
    app.mouse(event(MouseEventKind::Up(MouseButton::Left), 19), false);
    settle(&mut app);
    let lines = screen(&mut terminal, &mut app);
    assert!(
        lines[0].starts_with("Viewing: Events For: evt.latency>=10 and evt.latency<100 "),
        "{}",
        lines[0]
    );
    press(&mut app, KeyCode::Backspace);
    assert!(screen(&mut terminal, &mut app)[0].starts_with("Viewing: Spectrogram-All For: whole machine"));
}

#[test]
fn reading_is_stopped_and_loss_and_lag_are_said() {
    let mut app = app(false);
    let number = match app.take_requests().first() {
        Some(Request::Watch(order)) => order.number,
        _ => panic!("nothing is watched"),
    };
    let reading = Reading { events: 7, first_ts: 1, last_ts: 5, share: Some(0.42), ..Reading::default() };
    app.report(Report::Reading { number, reading: reading.clone() });
    let mut terminal = terminal(120, 24);
    assert!(screen(&mut terminal, &mut app)[1].contains("(7 evts, 4ns, 42% read)"));
    app.key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    assert!(matches!(app.take_requests().as_slice(), [Request::StopReading]));
    app.report(Report::Reading { number, reading: Reading { is_over: true, is_stopped: true, ..reading } });
    assert!(screen(&mut terminal, &mut app)[1].contains("(7 evts, 4ns, stopped)"));
    let counts = |lost| SourceCounts {
        cpus: vec![CpuCounts { attempted: 200, delivered: 200 - lost, lost }],
        ..SourceCounts::default()
    };
    app.report(Report::Source { counts: counts(0), lag: Duration::from_millis(2500) });
    assert!(screen(&mut terminal, &mut app)[1].ends_with("2.5s behind"));
    app.report(Report::Source { counts: counts(50), lag: Duration::ZERO });
    assert!(screen(&mut terminal, &mut app)[1].ends_with("50 events lost (25.0%)"));
}
