//! Snapshots of every screen: what is on it at 80×24, 120×40, 200×60 and 40×10.

use crate::stage::{Stage, Start};
use std::fmt::Write;
use tracer::ui::theme::Depth;

/// What a terminal has, what people like, a large one, and a corner of the screen.
const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 60), (40, 10)];
/// Web servers behind a proxy, and what asks them: processes, files, connections, failures.
const PROXY: &str = "bencer_example2_502error-947a737.scap.gz";
/// A web server in a container.
const CONTAINER: &str = "sysflow_tests_mpm-preforked_cold_start_capture-b9ea791.scap.gz";

/// Commands of a shell in a container.
const SHELL: &str = "sysflow_tests_alpine_alpine-b1cbcc7.scap.gz";

/// The screen at all sizes, each from the start.
fn pictures(start: &Start<'_>, keys: &[&str]) -> String {
    let mut all = String::new();
    for (width, height) in SIZES {
        let (mut app, watch) = start.begin();
        let mut stage = Stage::new(&mut app, &watch, start.depth, (width, height));
        stage.settle();
        stage.press(keys);
        writeln!(all, "── {width}×{height}\n{}", stage.picture()).unwrap();
    }
    all
}

fn proxy(keys: &[&str]) -> String {
    pictures(&Start::of(PROXY), keys)
}

/// With the time slider; how high its bars are is tested elsewhere.
fn slider(keys: &[&str]) -> String {
    proxy(keys).replace(['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'], "▒")
}

fn view(id: &str) -> String {
    pictures(&Start { view: id, ..Start::of(PROXY) }, &[])
}

macro_rules! shows {
    ($($name:ident: $picture:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), $picture);
        }
    )*};
}

shows! {
    processes: proxy(&[]);
    processes_in_containers: pictures(&Start { containers: true, ..Start::of(CONTAINER) }, &[]);
    processes_scrolled: proxy(&["NPage", "Right", "Right"]);
    threads_of_a_process: proxy(&["Enter"]);
    files_of_a_thread: proxy(&["/", "curl", "Enter", "Enter", "Down", "Enter"]);
    menu_of_views: proxy(&["F2", "Down", "Down"]);
    menu_of_actions: proxy(&["F8"]);
    menu_of_columns: proxy(&["F9"]);
    help: proxy(&["F1"]);
    end_of_the_help: proxy(&["F1", "End"]);
    help_on_texts: proxy(&["F6", "F1"]);
    legend: proxy(&["F7"]);
    filter_typed: proxy(&["F4", " and proc.name=curl"]);
    filter_wrong: proxy(&["F4", "C-u", "proc.nam=curl", "Enter"]);
    filter_of_rows: proxy(&["F4", "F2", "haproxy"]);
    filter_that_nothing_passes: proxy(&["F4", "C-u", "proc.name=nobody", "Enter"]);
    search_in_rows: proxy(&["/", "localhost/foo"]);
    saving: proxy(&["w"]);
    message: proxy(&["k"]);
    echo_ascii: proxy(&["F5"]);
    echo_hex: proxy(&["F5", "F2", "Down", "Down", "Enter"]);
    echo_modes: proxy(&["F5", "F2"]);
    dig: proxy(&["F6"]);
    search_in_events: proxy(&["F6", "/", "connect", "Enter"]);
    spectrogram: pictures(&Start { depth: Depth::None, view: "spectro_all", ..Start::of(PROXY) }, &[]);
    latency: view("latency");
    errors: view("errors");
    errors_by_cause: view("errors_by_cause");
    timeline: view("timeline");
    connections: view("connections");
    list_of_opens: view("file_opens");
    list_of_commands: pictures(&Start { view: "spy_users", ..Start::of(SHELL) }, &[]);
    with_the_slider: slider(&["t", "+", "Right"]);
    part_of_the_time: slider(&["t", "+", "+", "Enter"]);
    paused: proxy(&["p"]);
}

/// Nothing was read yet: somebody holds the other end of a pipe, and writes nothing.
#[test]
fn loading() {
    let pipe = std::env::temp_dir().join(format!("tracer-silent-{}.scap", std::process::id()));
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let start = Start { capture: pipe.clone(), ..Start::of(PROXY) };
    let mut all = String::new();
    for (width, height) in SIZES {
        let (mut app, watch) = start.begin();
        app.settings.source = "pipe.scap".to_owned();
        let mut stage = Stage::new(&mut app, &watch, start.depth, (width, height));
        stage.events.show().unwrap();
        writeln!(all, "── {width}×{height}\n{}", stage.picture()).unwrap();
    }
    std::fs::remove_file(&pipe).unwrap();
    insta::assert_snapshot!("loading", all);
}
