//! Random keys, mouse and sizes: nothing panics, and the screen stays consistent.
//!
//! `TRACER_UI_SEQUENCES` is the number of sequences, `TRACER_UI_SEED` the seed of the first one; a failure names its own.

use crate::stage::{Stage, Start};
use crossterm::event::{Event, KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use tracer::ui::app::{Effect, Screen};
use tracer::ui::menu::{Overlay, Purpose};
use tracer::ui::view::Kind;

const STEPS: usize = 500;
/// Small ones, so that they are read again after most keys; with threads, sockets, files, containers, CPU times.
const CAPTURES: [&str; 5] = [
    "sysflow_src_libs_tcp-client-server-418cace.scap.gz",
    "falcosecurity+libs_userspace_libsinsp_test_resources_sample-fa3078d.scap",
    "sysflow_tests_rename_rename-7566574.scap.gz",
    "bencer_example5_httpd-b54af3d.scap.gz",
    "bencer_example2_502error-947a737.scap.gz",
];

/// Numbers that depend on nothing but the seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

#[derive(Debug, Clone)]
enum Input {
    Key(KeyCode, KeyModifiers),
    Mouse(MouseEvent),
    Paste(&'static str),
    Size(u16, u16),
}

fn input(random: &mut Random) -> Input {
    use KeyCode as K;
    let named = [
        K::Backspace,
        K::Delete,
        K::Down,
        K::Down,
        K::End,
        K::Enter,
        K::Enter,
        K::Enter,
        K::Esc,
        K::Home,
        K::Left,
        K::PageDown,
        K::PageUp,
        K::Right,
        K::Up,
        K::Tab,
        K::F(24),
    ];
    let plain = |key| Input::Key(key, KeyModifiers::NONE);
    match random.below(100) {
        0..40 => plain(random.of(&named)),
        // Not F10 and q, which end the program.
        40..58 => plain(K::F(random.of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 12]))),
        58..78 => match char::from(b' ' + random.below(95) as u8) {
            'q' => plain(K::Char('é')),
            letter => plain(K::Char(letter)),
        },
        78..84 => Input::Key(K::Char(random.of(&['f', 'd', 'u', 'g', 'l', 'a', 'e'])), KeyModifiers::CONTROL),
        84..86 => Input::Paste(random.of(&["proc.name=curl", "evt.type exists\n\x1b[2J", "日本"])),
        86..96 => {
            let kind = random.of(&[
                MouseEventKind::Down(MouseButton::Left),
                MouseEventKind::Drag(MouseButton::Left),
                MouseEventKind::Up(MouseButton::Left),
                MouseEventKind::ScrollDown,
                MouseEventKind::ScrollUp,
                MouseEventKind::Moved,
            ]);
            // Beyond the edge, too: the terminal may just have become smaller.
            let (column, row) = (random.below(130) as u16, random.below(45) as u16);
            Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
        }
        _ => Input::Size(1 + random.below(140) as u16, 1 + random.below(45) as u16),
    }
}

/// What holds for every screen at every moment.
fn check(stage: &Stage<'_>) {
    let app = &*stage.events.app;
    let (page, count) = (app.size.page(), app.order.len());
    assert!(app.order.iter().all(|row| *row < app.sample.rows.len()), "rows that are not there");
    assert!(app.level.filter(&app.settings.filter).is_ok(), "{}", app.level.filter_text(""));
    match &app.screen {
        Screen::Text(text) => assert!(text.top <= text.lines.len(), "{} lines", text.lines.len()),
        Screen::Spectrogram(_) => {}
        Screen::Table if app.level.view.kind == Kind::List => {
            assert!(app.level.top <= count, "from {} of {count}", app.level.top);
        }
        Screen::Table => {
            let at = app.selected_index();
            assert_eq!(at.is_some(), count > 0, "the selection among {count} rows");
            let shown = app.level.top..app.level.top + page;
            assert!(at.is_none_or(|at| shown.contains(&at)), "{at:?} is not in {shown:?}");
        }
    }
    if let Some(Overlay::Menu(menu)) = &app.overlay {
        assert!(menu.selected < menu.entries.len().max(1), "{menu:?}");
    }
    let (width, height) = (app.size.width, app.size.height);
    let lines = stage.lines();
    assert_eq!(lines.len(), usize::from(height));
    assert!(!lines.iter().flat_map(|line| line.chars()).any(char::is_control), "raw control characters");
    if width >= 20 && height >= 8 {
        assert!(!lines[0].is_empty() && !lines[1].is_empty(), "no title");
        assert!(width < 60 || lines[0].starts_with("Viewing: "), "{}", lines[0]);
    }
}

/// One sequence; a panic on its way says by which inputs.
fn run(seed: u64) {
    let mut random = Random(seed);
    let capture = random.of(&CAPTURES);
    let start = Start { containers: random.below(2) == 0, ..Start::of(capture) };
    let (mut app, watch) = start.begin();
    // A screen that takes the source for the running system asks about actions, and pauses.
    app.settings.live = random.below(4) == 0;
    let is_live = app.settings.live;
    let mut stage = Stage::new(&mut app, &watch, start.depth, (80, 24));
    let mut latest = VecDeque::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..STEPS {
            let saves = matches!(&stage.events.app.overlay,
                Some(Overlay::Prompt(prompt)) if matches!(prompt.purpose, Purpose::Save(_)));
            let input = match input(&mut random) {
                // Nothing is written to anywhere.
                Input::Key(KeyCode::Enter | KeyCode::F(4), _) if saves => {
                    Input::Key(KeyCode::Esc, KeyModifiers::NONE)
                }
                Input::Key(_, KeyModifiers::CONTROL) if saves => Input::Key(KeyCode::Esc, KeyModifiers::NONE),
                input => input,
            };
            latest.push_back(input.clone());
            if latest.len() > 40 {
                latest.pop_front();
            }
            match input {
                Input::Key(code, modifiers) => stage.key(code, modifiers),
                Input::Mouse(event) => stage.events.input(Event::Mouse(event)),
                Input::Paste(text) => stage.events.input(Event::Paste(text.to_owned())),
                Input::Size(width, height) => stage.resize(width, height),
            }
            for effect in stage.events.take_effects() {
                assert!(is_live || !matches!(effect, Effect::Run { .. }), "{effect:?} on a file");
            }
            // The mouse has found the key that ends it.
            stage.events.app.quit = false;
            // Keys come while the capture is read, and after it.
            if random.below(3) > 0 {
                stage.events.show().unwrap()
            } else {
                stage.settle()
            }
            check(&stage);
        }
        stage.settle();
        check(&stage);
        stage.press(&["Escape", "F10"]);
        assert!(stage.events.app.quit, "it does not end");
    }));
    if let Err(panic) = outcome {
        eprintln!("seed {seed}, {capture}, live {is_live}: after …");
        latest.iter().for_each(|input| eprintln!("  {input:?}"));
        resume_unwind(panic);
    }
}

#[test]
fn no_keys_break_it() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let sequences = number("TRACER_UI_SEQUENCES").unwrap_or(8);
    let seed = number("TRACER_UI_SEED").unwrap_or(1);
    println!("{sequences} sequences of {STEPS} steps from seed {seed} on");
    (seed..seed + sequences).for_each(run);
}
